package outbox_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/memory"
	"belay/configs/outbox"
	"belay/configs/redact"
	"belay/devices"
)

// canary stands in every original; it may reach an attachment and nothing else.
const canary = "kanarienvogel-7231"

var ada = configs.Person{Name: "Ada Example", Email: "ada@example.net"}

// A scene is a store, a documentation system and a clock. Offices come and go.
type scene struct {
	t      *testing.T
	doc    *memory.Documentation
	outbox *memory.Outbox
	items  *memory.Items
	ledger *memory.Ledger
	kept   *memory.Repository
	sealer *memory.Sealer
	papers *memory.Papers
	place  outbox.Place

	mu      sync.Mutex
	now     time.Time
	devices map[devices.ID]devices.Device
	logged  []string
}

func newScene(t *testing.T) *scene {
	s := &scene{t: t, now: time.Date(2026, 11, 21, 22, 34, 15, 0, time.UTC), devices: map[devices.ID]devices.Device{}}
	s.ledger = &memory.Ledger{}
	s.doc = &memory.Documentation{Now: s.Now}
	s.outbox = &memory.Outbox{Ledger: s.ledger, Now: s.Now}
	s.items = &memory.Items{Ledger: s.ledger}
	s.kept, s.sealer, s.papers = &memory.Repository{}, &memory.Sealer{}, &memory.Papers{}
	s.place = outbox.Place{Name: "itglue", System: s.doc, Form: configs.Original, Second: true,
		Organization: func(customer string) string { return "org-" + customer }}
	return s
}

func (s *scene) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *scene) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func (s *scene) log(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logged = append(s.logged, line)
}

// office is a process that has just been started.
func (s *scene) office() *outbox.Office {
	return &outbox.Office{
		Outbox: s.outbox, Items: s.items, Repository: s.kept, Sealer: s.sealer, Papers: s.papers, Now: s.Now, Log: s.log,
		Device: func(id devices.ID) (devices.Device, bool) { d, ok := s.devices[id]; return d, ok },
		Places: func(customer string) []outbox.Place {
			if customer == "nowhere" {
				return nil
			}
			return []outbox.Place{s.place}
		},
	}
}

func serial(id devices.ID) string {
	return "SN-" + strings.ToUpper(strings.ReplaceAll(string(id), "/", "-"))
}

// device puts a device in the inventory and its item in the documentation.
func (s *scene) device(id devices.ID) configs.Item {
	name := strings.TrimPrefix(string(id), id.Customer()+"/")
	s.devices[id] = devices.Device{Customer: id.Customer(), Name: name, Serials: []string{serial(id)}}
	it := configs.Item{Organization: "org-" + id.Customer(), ID: "ci-" + strings.ReplaceAll(string(id), "/", "-"), Name: name, Serials: []string{serial(id)}}
	s.doc.Add(it)
	return it
}

func original(text string) string { return text + "\nsecret " + canary + "\n" }

// commit keeps a snapshot of a device; it is told from all others by its text.
func (s *scene) commit(id devices.ID, text string, also ...func(*configs.Snapshot)) configs.Version {
	s.t.Helper()
	snap := configs.Snapshot{
		Device: devices.Device{Customer: id.Customer(), Name: strings.TrimPrefix(string(id), id.Customer()+"/")},
		Taken:  s.Now(), By: ada, Driver: "ios", Identity: devices.Identity{Serials: []string{serial(id)}},
	}
	s.add(&snap, configs.MainFile, text)
	for _, f := range also {
		f(&snap)
	}
	v, err := s.kept.Commit(s.t.Context(), snap)
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

func (s *scene) add(snap *configs.Snapshot, name, text string) {
	s.t.Helper()
	clean, err := redact.Restore([]byte(text+"\nsecret <redacted>\n"), digest(text+"\nsecret <redacted>\n"))
	if err != nil {
		s.t.Fatal(err)
	}
	plain := []byte(original(text))
	sealed, err := s.sealer.Seal(s.t.Context(), snap.Device.Customer, plain)
	if err != nil {
		s.t.Fatal(err)
	}
	snap.Texts = append(snap.Texts, configs.Text{Name: name, Clean: clean})
	snap.Originals = append(snap.Originals, configs.Sealed{Name: name, Bytes: sealed, Digest: digest(string(plain)), Size: len(plain)})
}

func inChange(id, phase string) func(*configs.Snapshot) {
	return func(s *configs.Snapshot) { s.Change, s.Phase, s.Ticket, s.Always = id, phase, "T20391", true }
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// prove is what a capture does.
func (s *scene) prove(o *outbox.Office, v configs.Version) (configs.Proof, error) {
	return o.Prover("itglue").Prove(s.t.Context(), v)
}

func (s *scene) mustProve(o *outbox.Office, v configs.Version) configs.Proof {
	s.t.Helper()
	p, err := s.prove(o, v)
	if err != nil || !p.Done || !p.OK {
		s.t.Fatalf("proof %+v, error %v", p, err)
	}
	return p
}

func (s *scene) drain(o *outbox.Office) {
	s.t.Helper()
	if err := o.Drain(s.t.Context(), s.Now(), nil); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) letters(f configs.LetterFilter) []configs.Letter {
	s.t.Helper()
	var all []configs.Letter
	for l, err := range s.outbox.Letters(context.WithoutCancel(s.t.Context()), f) {
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

func (s *scene) events(act string) []configs.Event {
	s.t.Helper()
	var all []configs.Event
	for e, err := range s.ledger.Events(s.t.Context(), configs.Filter{Act: act}) {
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// names are what hangs on an item, oldest first.
func (s *scene) names(item string) []string {
	as, _ := s.doc.On(item)
	var names []string
	for _, a := range as {
		names = append(names, a.Name)
	}
	return names
}

// wantOne fails unless each version hangs exactly once on the item of its
// device, whole, and nothing else hangs there.
func (s *scene) wantOne(id devices.ID, texts ...string) {
	s.t.Helper()
	_, files := s.doc.On("ci-" + strings.ReplaceAll(string(id), "/", "-"))
	var got, want []string
	for _, f := range files {
		got = append(got, string(f))
	}
	for _, text := range texts {
		want = append(want, original(text))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		s.t.Errorf("%s: %d files hang there, want these %d once each:\n%q\n%q", id, len(got), len(want), got, want)
	}
}

// wantNoSecret looks for the canary wherever it may not be.
func (s *scene) wantNoSecret(errs ...error) {
	s.t.Helper()
	look := func(what string, v any) {
		if strings.Contains(fmt.Sprintf("%v %+v %#v", v, v, v), canary) {
			s.t.Errorf("%s tells the secret: %v", what, v)
		}
	}
	for _, err := range errs {
		look("an error", err)
		if err != nil {
			look("a hint", devices.HintOf(err))
		}
	}
	for _, l := range s.letters(configs.LetterFilter{}) {
		look("a letter", l)
	}
	for _, e := range s.events("") {
		look("an event", e)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	look("the log", s.logged)
}
