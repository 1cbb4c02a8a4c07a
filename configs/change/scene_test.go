package change_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/change"
	"belay/configs/memory"
	"belay/configs/redact"
	"belay/devices"
)

// A scene is a desk with every part in memory, a clock that a test sets, and
// boxes that stand at addresses.
type scene struct {
	*change.Desk
	t          *testing.T
	ledger     *memory.Ledger
	repository *memory.Repository
	prover     *memory.Prover
	backup     *configs.Backup
	policy     change.Policy

	mu    sync.Mutex
	now   time.Time
	boxes map[string]box // by address
	known map[string]devices.ID
	pins  []string

	unpinned []string // device and key
	told     []string
	reads    int
}

// A box is what answers at an address.
type box struct {
	text     string
	serials  []string
	key      string
	driver   string
	err      error
	takes    time.Duration // of the scene's clock
	unproven string
}

var (
	noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	ada  = configs.Person{Name: "Ada Example", Email: "ada@msp.example"}
	ben  = configs.Person{Name: "Ben Example"}

	fwOld = devices.Device{Customer: "acme", Name: "fw-hq", Address: "192.0.2.1", Site: "hq"}
	fwNew = devices.Device{Customer: "acme", Name: "fw-hq-new", Address: "192.0.2.2", Site: "hq"}
)

func newScene(t *testing.T) *scene {
	s := &scene{
		t: t, ledger: &memory.Ledger{}, repository: &memory.Repository{}, now: noon, known: map[string]devices.ID{},
		prover: &memory.Prover{Proof: configs.Proof{Name: "remote", Done: true, OK: true, Second: true, Detail: "it has it"}},
		policy: change.Policy{MaxAge: 4 * time.Hour},
		boxes: map[string]box{
			fwOld.Address: {text: config("old", 20), serials: []string{"A1"}, key: "SHA256:old"},
			fwNew.Address: {text: config("new", 21), serials: []string{"N1"}, key: "SHA256:new"},
		},
	}
	s.backup = &configs.Backup{
		Puller: &memory.Puller{Capture: s.answer}, Repository: s.repository, Sealer: &memory.Sealer{}, CheckLog: &memory.CheckLog{},
		Quarantine: &memory.Quarantine{}, Provers: []configs.Prover{s.prover}, Now: s.clock,
	}
	s.Desk = &change.Desk{
		Book: &change.Book{Ledger: s.ledger, Now: s.clock}, Backup: s.backup, Repository: s.repository,
		Policy: func(string) change.Policy { return s.policy }, Now: s.clock,
		Known: func(context.Context) (map[string]devices.ID, error) { return s.known, nil },
		Pin: func(_ context.Context, d devices.Device, _ change.Change, by configs.Person, allow func(string) error) (func(context.Context) error, error) {
			key := s.boxes[d.Address].key
			if err := allow(key); err != nil {
				return nil, err
			}
			s.pins = append(s.pins, by.Name+" "+d.Name+" "+key)
			return func(context.Context) error {
				s.unpinned = append(s.unpinned, d.Name+" "+key)
				return nil
			}, nil
		},
		Tell: func(line string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.told = append(s.told, line)
		},
	}
	return s
}

func (s *scene) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *scene) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// stands puts another box at a device's address.
func (s *scene) stands(d devices.Device, alter func(*box)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.boxes[d.Address]
	alter(&b)
	s.boxes[d.Address] = b
}

func (s *scene) answer(d devices.Device) (configs.Capture, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	b, ok := s.boxes[d.Address]
	if !ok || b.err != nil {
		return configs.Capture{}, &devices.Error{Kind: devices.Unreachable, Op: "dial", Device: d.String(), Err: errors.Join(errors.New("no answer"), b.err)}
	}
	began := s.now
	s.now = s.now.Add(b.takes)
	c := exported(b, began)
	c.Reached = devices.Reached{Address: d.Address + ":22", HostKey: b.key, Unproven: b.unproven}
	return c, nil
}

// exported is a capture of a box as a person or a session brings it.
func exported(b box, at time.Time) configs.Capture {
	driver := b.driver
	if driver == "" {
		driver = "test"
	}
	return configs.Capture{
		Driver: driver, Identity: devices.Identity{Serials: b.serials}, Rules: rules, Began: at,
		Files: []configs.File{{Name: configs.MainFile, Raw: []byte(b.text), Text: []byte(b.text)}},
	}
}

var rules = func() configs.Rules {
	secrets, err := redact.Compile(nil, []redact.Rule{{Name: "password", Find: regexp.MustCompile(`(?m)^password (?P<secret>\S+)`)}})
	if err != nil {
		panic(err)
	}
	return configs.Rules{
		Redact: secrets, Grading: configs.Grading{Level: configs.Restore},
		Complete: configs.Completeness{Agree: 1, Sections: []*regexp.Regexp{regexp.MustCompile(`(?m)^hostname `)}, Ends: regexp.MustCompile(`(?m)^end\n*\z`)},
	}
}()

// config is a whole configuration of n ports.
func config(name string, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "hostname %s\npassword tulip-%s\n", name, name)
	for i := range n {
		fmt.Fprintf(&b, "interface port%d\n", i)
	}
	b.WriteString("end\n")
	return b.String()
}

func cut(text string) string { return text[:len(text)*3/5] }

// opening is the replacement of the old device by the new one.
func opening() change.Opening {
	return change.Opening{Kind: change.Replace, Ticket: "T20391", New: fwNew, By: ada}
}

// before takes the old device's configuration and fails where that is not recorded.
func (s *scene) before() (change.Change, configs.Result, change.Answer) {
	s.t.Helper()
	c, r, a, err := s.Before(s.t.Context(), fwOld, opening())
	if err != nil {
		s.t.Fatal(err)
	}
	return c, r, a
}

func (s *scene) after() (change.Change, configs.Result) {
	s.t.Helper()
	c, r, err := s.After(s.t.Context(), fwNew, change.Successor{Ticket: "T20391", By: ada})
	if err != nil {
		s.t.Fatal(err)
	}
	return c, r
}

func (s *scene) gate(c change.Change) change.Answer {
	s.t.Helper()
	a, err := s.Gate(s.t.Context(), c, fwOld, ada)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *scene) get(c change.Change) change.Change {
	s.t.Helper()
	c, err := s.Book.Get(s.t.Context(), c.Customer, c.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// deliver is the outbox: it writes down what became of a file.
func (s *scene) deliver(c change.Change, act string, detail map[string]any) {
	s.t.Helper()
	detail["change"] = c.ID
	if err := s.ledger.Append(s.t.Context(), configs.Event{At: s.clock(), Customer: c.Customer, Device: c.Old, By: ada, Act: act, Detail: detail}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) attach(c change.Change, version, system string, second bool) {
	s.t.Helper()
	s.deliver(c, "attach", map[string]any{
		"system": system, "version": version, "file": configs.MainFile, "form": configs.Original, "item": configs.Item{Organization: "2041", ID: "7"},
		"attachment": "9", "name": "fw-hq.txt", "bytes": 12, "digest": "ab", "second": second, "how": "id, name and size",
	})
}

func (s *scene) post(c change.Change, digest, to string) {
	s.t.Helper()
	s.deliver(c, "post receipt", map[string]any{"digest": digest, "to": to, "id": "n1"})
}

// waiver is one that a judge would let pass.
func (s *scene) waiver() change.Waiver {
	return change.Waiver{
		By: ada, Kind: change.ByEmail, Given: s.clock().Add(-time.Minute), Serials: []string{"A1"}, Wording: change.DefaultWording(), Digest: "cd",
		Compared: true, MessageID: "<1@acme.example>", Sender: "olga@acme.example", Paper: "ef",
		Contact: change.Contact{Name: "Olga Owner", Email: "olga@acme.example", Authorised: true, From: noon.AddDate(-1, 0, 0), To: noon.AddDate(1, 0, 0)},
	}
}

func (s *scene) waive(c change.Change, w change.Waiver) {
	s.t.Helper()
	if err := s.Book.RecordWaiver(s.t.Context(), c, w); err != nil {
		s.t.Fatal(err)
	}
}

// wantShut holds an answer to be no, to say why, and to say what comes next.
func wantShut(t *testing.T, a change.Answer, why ...string) {
	t.Helper()
	if a.Open || a.Waived || a.Attested || a.State == change.Safe || a.State == change.Waived {
		t.Errorf("open: %+v", a)
	}
	if a.Next == "" || devices.KindOf(a.Err()) != devices.GateShut {
		t.Errorf("next %q, error %v", a.Next, a.Err())
	}
	for _, w := range why {
		if !slices.ContainsFunc(a.Why, func(l string) bool { return strings.Contains(l, w) }) {
			t.Errorf("it says %q, not %q", a.Why, w)
		}
	}
}

// wantOpen holds an answer to be yes, for the first of its reasons.
func wantOpen(t *testing.T, a change.Answer, first string) {
	t.Helper()
	if !a.Open || a.Err() != nil || a.Next != "" {
		t.Errorf("shut: %+v", a)
	}
	if len(a.Why) == 0 || !strings.HasPrefix(a.Why[0], first) {
		t.Errorf("it says %q, not first %q", a.Why, first)
	}
	if a.Verified != (first == "verified") {
		t.Errorf("verified: %t, but it is %s", a.Verified, first)
	}
}

func wantKind(t *testing.T, err error, k devices.Kind, says ...string) {
	t.Helper()
	if err == nil || devices.KindOf(err) != k {
		t.Errorf("error %v of kind %d, want kind %d", err, devices.KindOf(err), k)
		return
	}
	for _, w := range says {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

func wantState(t *testing.T, s *scene, c change.Change, want change.State) {
	t.Helper()
	if got := s.get(c).State(s.clock(), s.policy); got != want {
		t.Errorf("state %s, want %s", got, want)
	}
}
