package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/memory"
	"belay/configs/outbox"
	"belay/configs/redact"
	"belay/devices"
	"belay/store/docsystem"
	hudu "belay/store/docsystem/hudu/standin"
	itglue "belay/store/docsystem/itglue/standin"
	"belay/store/ledger"
)

// An archive is a stand-in for a documentation system, whichever it is.
type archive struct {
	kind, key string
	handler   http.Handler
	settle    func()
	add       func(organization, i int, serial string) (item string)
	trouble   func(r *rand.Rand)         // spoils the upload that comes
	hanging   func() map[string][]string // by item: the bytes that hang there
	calls     func() int
	wrong     func() []string
}

func glueArchive() archive {
	s := itglue.New()
	for i := range 4 {
		s.AddOrganization(itglue.Organization{ID: 1 + i, Name: fmt.Sprintf("organization %d", i)})
	}
	return archive{
		kind: "itglue", key: itglue.Key, handler: s, settle: s.Settle, calls: s.AllCalls, wrong: s.Violations,
		add: func(organization, i int, serial string) string {
			return strconv.Itoa(s.AddConfiguration(itglue.Configuration{ID: 5000 + i, Organization: organization, Name: fmt.Sprintf("FW-%d", i%7), Serial: serial}))
		},
		trouble: func(r *rand.Rand) {
			all := []itglue.Fault{{What: "429"}, {What: "500"}, {What: "500", Done: true}, {What: "504", Done: true}, {What: "drop"}, {What: "late"}, {What: "cut"}, {What: "garbage"}, {What: "slow", Wait: 20 * time.Millisecond}}
			f := all[r.IntN(len(all))]
			f.Method, f.Next = http.MethodPost, 1
			s.Add(f)
		},
		hanging: func() map[string][]string {
			all := map[string][]string{}
			for _, a := range s.AllAttachments() {
				all[strconv.Itoa(a.Configuration)] = append(all[strconv.Itoa(a.Configuration)], string(a.Bytes))
			}
			return all
		},
	}
}

func huduArchive() archive {
	s := hudu.New()
	for range 4 {
		s.AddCompany("company") // 1 to 4
	}
	layout := s.AddLayout("Firewalls", true)
	return archive{
		kind: "hudu", key: hudu.Key, handler: s, settle: s.Settle, calls: s.AllCalls, wrong: s.Violations,
		add: func(company, i int, serial string) string {
			return strconv.Itoa(s.AddAsset(hudu.Asset{Company: company, Layout: layout, Name: fmt.Sprintf("FW-%d", i%7), Serial: serial}))
		},
		trouble: func(r *rand.Rand) {
			all := []hudu.Fault{{Status: 429}, {Status: 500}, {Status: 504}, {Drop: true}, {Late: true}, {Cut: true}}
			f := all[r.IntN(len(all))]
			f.Method, f.Next = http.MethodPost, 1
			s.Add(f)
		},
		hanging: func() map[string][]string {
			all := map[string][]string{}
			for _, u := range s.Uploads() {
				all[strconv.Itoa(u.Record)] = append(all[strconv.Itoa(u.Record)], string(u.Bytes))
			}
			return all
		},
	}
}

// A yard is the parts that attach, as the program puts them together, on a ledger
// on disk and a stand-in behind HTTP; only the store is in memory.
type yard struct {
	archive
	t     *testing.T
	dir   string
	porch *porch
	kept  *memory.Repository
	boxes []devices.Device
	items []string

	mu  sync.Mutex
	now time.Time
}

func newYard(t *testing.T, a archive, boxes int) *yard {
	y := &yard{archive: a, t: t, dir: t.TempDir(), kept: &memory.Repository{}, now: time.Now()}
	y.porch = newPorch(t, a.handler, a.settle, true)
	for i := range boxes {
		serial := fmt.Sprintf("SN%06d", i)
		y.boxes = append(y.boxes, devices.Device{Customer: []string{"acme", "bolt", "cord", "dune"}[i%4], Name: fmt.Sprintf("fw-%03d", i), Serials: []string{serial}})
		y.items = append(y.items, a.add(1+i%4, i, serial))
	}
	return y
}

func (y *yard) Now() time.Time {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.now
}

func (y *yard) pass(d time.Duration) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.now = y.now.Add(d)
}

// start is a process that has just been started; end ends it.
func (y *yard) start() (o *outbox.Office, end func()) {
	l, err := ledger.Open(y.t.Context(), y.dir)
	if err != nil {
		y.t.Fatal(err)
	}
	l.Now = y.Now
	sys, err := docsystem.Find(y.kind)
	if err != nil {
		y.t.Fatal(err)
	}
	d, err := sys.Open(docsystem.Options{URL: y.porch.url, Key: devices.NewSecret(y.key)})
	if err != nil {
		y.t.Fatal(err)
	}
	o = &outbox.Office{
		Outbox: l, Items: l, Repository: y.kept, Sealer: &memory.Sealer{}, Papers: l, Now: y.Now, Parallel: 8,
		Device: func(id devices.ID) (devices.Device, bool) {
			i := slices.IndexFunc(y.boxes, func(d devices.Device) bool { return d.ID() == id })
			return y.boxes[max(i, 0)], i >= 0
		},
		Places: func(customer string) []outbox.Place {
			return []outbox.Place{{Name: "docs", System: d, Form: configs.Original, Second: true, Restrict: true,
				Organization: func(c string) string { return strconv.Itoa(1 + strings.Index("abcd", c[:1])) }}}
		},
	}
	return o, func() {
		if err := l.Close(); err != nil {
			y.t.Error(err)
		}
	}
}

// night commits a version of each device and proves it, eight at once, as a fleet
// does. What is not proven is left in the outbox.
func (y *yard) night(ctx context.Context, o *outbox.Office, round int) (pending int) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for worker := range 8 {
		wg.Go(func() {
			for i := worker; i < len(y.boxes); i += 8 {
				v, err := y.commit(y.boxes[i], configOf(i, round))
				if err != nil {
					y.t.Error(err)
					return
				}
				if _, err := o.Prover("docs").Prove(ctx, v); err != nil {
					mu.Lock()
					pending++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return pending
}

func configOf(box, round int) string {
	return fmt.Sprintf("hostname fw-%d\n! round %d\nend\n", box, round)
}

func (y *yard) commit(d devices.Device, text string) (configs.Version, error) {
	sum := sha256.Sum256([]byte(text))
	digest := hex.EncodeToString(sum[:])
	clean, err := redact.Restore([]byte(text), digest)
	if err != nil {
		return configs.Version{}, err
	}
	sealed, err := (&memory.Sealer{}).Seal(y.t.Context(), d.Customer, []byte(text))
	if err != nil {
		return configs.Version{}, err
	}
	return y.kept.Commit(y.t.Context(), configs.Snapshot{Device: d, Taken: y.Now(), Driver: "cisco_ios", Identity: devices.Identity{Serials: d.Serials},
		By: configs.Person{Name: "Ada Example"}, Texts: []configs.Text{{Name: configs.MainFile, Clean: clean}},
		Originals: []configs.Sealed{{Name: configs.MainFile, Bytes: sealed, Digest: digest, Size: len(text)}}})
}

func (y *yard) waiting(o *outbox.Office) (n int) {
	for _, err := range o.Outbox.Letters(y.t.Context(), configs.LetterFilter{Waiting: true}) {
		if err != nil {
			y.t.Fatal(err)
		}
		n++
	}
	return n
}

// TestStormsOverHTTPHangEachSnapshotOnce is the storm that configs/outbox plays in
// memory, with the ledger on disk and the adapters over HTTP: 1,000 snapshots for
// IT Glue, 200 for Hudu, whose looks read the list of the whole installation.
func TestStormsOverHTTPHangEachSnapshotOnce(t *testing.T) {
	t.Parallel()
	boxes := 100
	if raced {
		boxes = 20 // "make test" runs all of them without the race detector
	}
	for _, c := range []struct {
		archive       archive
		boxes, rounds int
	}{{glueArchive(), boxes, 10}, {huduArchive(), boxes * 2 / 5, 5}} {
		t.Run(c.archive.kind, func(t *testing.T) {
			t.Parallel()
			y := newYard(t, c.archive, c.boxes)
			y.storm(c.rounds)
			want := map[string][]string{}
			for i, item := range y.items {
				for round := range c.rounds {
					want[item] = append(want[item], configOf(i, round))
				}
			}
			got := y.hanging()
			for item, files := range got {
				slices.Sort(files)
				slices.Sort(want[item])
				if !slices.Equal(files, want[item]) {
					t.Errorf("item %s: %d files hang there, want these %d once each: %q", item, len(files), len(want[item]), files)
				}
			}
			if len(got) != len(want) {
				t.Errorf("files hang on %d items, want %d", len(got), len(want))
			}
			if wrong := y.wrong(); len(wrong) > 0 {
				t.Errorf("asked: %q", wrong)
			}
		})
	}
}

func (y *yard) storm(rounds int) {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(5, 5))
	spoiled := 0
	y.porch.listen(func(moment string) {
		mu.Lock()
		defer mu.Unlock()
		if moment == "POST comes" && r.IntN(3) == 0 {
			spoiled++
			y.trouble(r)
		}
	})
	stopped := 0
	for round := range rounds {
		o, end := y.start()
		y.night(y.t.Context(), o, round)
		end()
		if round%2 == 1 {
			y.pass(130 * time.Second) // what is under way may still land
		} else {
			y.porch.settle(y.t)
			y.pass(20 * time.Minute)
		}
		o, end = y.start()
		ctx, cancel := context.WithCancel(y.t.Context())
		if err := o.Drain(ctx, y.Now(), func(done, _ int) { // a restart in between
			if done == 1+len(y.boxes)/20 {
				cancel()
			}
		}); err != nil {
			stopped++
		}
		cancel()
		end()
		y.porch.settle(y.t)
		y.pass(4 * time.Minute)
	}
	y.porch.listen(nil)
	o, end := y.start()
	defer end()
	for n := 0; y.waiting(o) > 0 && n < 30; n++ {
		y.porch.settle(y.t)
		y.pass(20 * time.Minute)
		if err := o.Drain(y.t.Context(), y.Now(), nil); err != nil {
			y.t.Fatal(err)
		}
	}
	if n := y.waiting(o); n > 0 {
		y.t.Errorf("%d letters still wait", n)
	}
	if err := o.Outbox.(*ledger.Ledger).Check(y.t.Context()); err != nil {
		y.t.Error(err)
	}
	told := map[string]int{}
	for e, err := range o.Outbox.(*ledger.Ledger).Events(y.t.Context(), configs.Filter{}) {
		if err != nil {
			y.t.Fatal(err)
		}
		if told[e.Act]++; e.Act == "unattach" {
			y.t.Errorf("taken down: %v: %v", e.Detail["name"], e.Detail["why"])
		}
	}
	if told["attach"] != rounds*len(y.boxes) {
		y.t.Errorf("%d events tell of attachments, want %d", told["attach"], rounds*len(y.boxes))
	}
	y.t.Logf("%d calls for %d snapshots, %d uploads spoiled, stopped %d times", y.calls(), rounds*len(y.boxes), spoiled, stopped)
	if spoiled < rounds*len(y.boxes)/5 || stopped == 0 {
		y.t.Errorf("%d uploads were spoiled, %d drains stopped: the test shows little", spoiled, stopped)
	}
}

// TestCallsOverHTTP counts what an account is asked in calm weather: two calls for
// each changed device and none for others, beside a look at each customer's items.
func TestCallsOverHTTP(t *testing.T) {
	t.Parallel()
	const boxes = 40
	for _, c := range []struct {
		archive archive
		first   int // for each device, once: found, restricted where the system can, hung, listed
		looks   int // of a night, for all; Hudu's list is asked for its end where it has a round number of rows
	}{{glueArchive(), 4, 4}, {huduArchive(), 3, 4 + 16}} {
		y := newYard(t, c.archive, boxes)
		for night, n := range []struct{ round, most int }{{0, c.first*boxes + c.looks - 4}, {1, 2*boxes + c.looks}, {1, 0}} {
			o, end := y.start()
			before := y.calls()
			if n := y.night(t.Context(), o, n.round); n > 0 {
				t.Errorf("%s: %d devices are pending", y.kind, n)
			}
			end()
			if asked := y.calls() - before; asked > n.most {
				t.Errorf("%s: night %d took %d calls for %d devices, want at most %d", y.kind, night+1, asked, boxes, n.most)
			}
		}
	}
}
