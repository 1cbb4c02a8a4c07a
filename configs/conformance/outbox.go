package conformance

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"belay/configs"
	"belay/devices"
)

// Outbox holds an implementation of configs.Outbox to its contract. Open gives
// an empty one each time, whose leases end by the clock now, and the ledger that
// gets its events.
func Outbox(t *testing.T, open func(t *testing.T, now func() time.Time) (configs.Outbox, configs.Ledger)) {
	for name, f := range map[string]func(*testing.T, office){
		"what is put reads back":                      putReadsBack,
		"a letter that is put again stands":           putAgainStands,
		"what goes elsewhere is another letter":       otherLetters,
		"a letter put by many at once is one":         putAtOnce,
		"a letter that says too little is refused":    badLetters,
		"one letter is in one hand":                   oneHand,
		"of many at once one gets it":                 claimedAtOnce,
		"a lease that has ended is lost":              leaseEnds,
		"a clock that was set back holds nothing up":  clockSetBack,
		"a renewed lease goes on":                     leaseRenewed,
		"who let go has nothing in hand":              letGo,
		"who only read it cannot save it":             onlyRead,
		"what became of it is saved":                  savedReadsBack,
		"a letter and its events are both or neither": bothOrNeither,
		"what was put meanwhile is not saved over":    putMeanwhile,
		"letters come in their order":                 letterOrder,
		"each filter of letters chooses":              letterFilters,
		"whoever reads may claim and save":            claimWhileReading,
		"a canceled context is its error":             canceledOutbox,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &clock{t: at(0)}
			o, l := open(t, c.now)
			f(t, office{o, l, c})
		})
	}
}

// An office is an outbox with what belongs to it.
type office struct {
	configs.Outbox
	ledger configs.Ledger
	clock  *clock
}

// A clock goes when it is told.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// letter is one of a device's newest version on its way to IT Glue.
func letter(id devices.ID, version string) configs.Letter {
	return configs.Letter{To: "itglue", Customer: id.Customer(), Device: id, Version: version, File: configs.MainFile, Form: configs.Original,
		Name: "name-of-" + version + ".txt", By: configs.Person{Name: "Ada Example", Email: "ada@example.net", Claimed: true}, Put: at(1), Due: at(2)}
}

func (o office) put(t *testing.T, letters ...configs.Letter) []configs.Letter {
	t.Helper()
	return must[[]configs.Letter](t)(o.Put(t.Context(), letters...))
}

// claim takes a letter in hand for ten minutes.
func (o office) claim(t *testing.T, id int64) configs.Letter {
	t.Helper()
	l, ok, err := o.Claim(t.Context(), id, o.clock.now().Add(10*time.Minute))
	if err != nil || !ok {
		t.Fatalf("letter %d: claimed %t, error %v", id, ok, err)
	}
	return l
}

// the is the letter of that number as a reader sees it.
func (o office) the(t *testing.T, id int64) configs.Letter {
	t.Helper()
	for _, l := range all(t, o.Letters(t.Context(), configs.LetterFilter{})) {
		if l.ID == id {
			return l
		}
	}
	t.Fatalf("there is no letter %d", id)
	return configs.Letter{}
}

func wantLost(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, configs.ErrLeaseLost) {
		t.Errorf("%s: got error %v, want ErrLeaseLost", what, err)
	}
}

// outcome is all that Save writes.
func outcome(l configs.Letter) configs.Letter {
	l.Name, l.Due, l.Tries, l.Began, l.Error, l.Hint = "another name.txt", at(30).Add(7*time.Nanosecond), 3, at(20), "it is – \"down\"", "wait"
	l.Proven, l.Second, l.Digest, l.Removed = at(21), true, "3f2a", at(22)
	l.Item = configs.Item{Organization: "2041", ID: "77", Name: "FW HQ", Serials: []string{"FGL2349L0AB"}, MACs: []string{"00:00:5e:00:53:01"}, Restricted: true, URL: "https://glue.example.net/77"}
	l.Attachment = configs.Attachment{ID: "9001", Name: "another name.txt", Bytes: 12345, Digest: "3f2a", At: at(21), URL: "https://glue.example.net/a/9001"}
	return l
}

func putReadsBack(t *testing.T, o office) {
	first := letter("acme/fw-hq", "v1")
	first.Change, first.Phase, first.Ticket, first.Urgent, first.Second = "T1-fw-hq", "before", "T1", true, true
	receipt := configs.Letter{To: "psa", Customer: "acme", Version: "digest", File: "html", Form: configs.Receipt, Ticket: "T1", Due: at(9)} // no device, and nobody
	copied := outcome(letter("acme/sw-1", "v1"))                                                                                             // as if from a letter to another place
	copied.ID, copied.Lease, copied.Claim = 99, "mine", "mine"
	got := o.put(t, first, receipt, copied)
	want := []configs.Letter{first, receipt, letter("acme/sw-1", "v1")}
	want[2].Name, want[2].Due, want[2].Second = copied.Name, copied.Due, copied.Second
	for i := range want {
		want[i].ID = got[i].ID
		if got[i].ID < 1 || i > 0 && got[i].ID <= got[i-1].ID {
			t.Errorf("letter %d of the call has number %d", i, got[i].ID)
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("as Put tells them (-want +got):\n%s", diff)
	}
	for _, w := range want {
		if diff := cmp.Diff(w, o.the(t, w.ID), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("as they are read (-want +got):\n%s", diff)
		}
	}
	if got := o.put(t); len(got) != 0 {
		t.Errorf("no letter put: %+v", got)
	}
}

func putAgainStands(t *testing.T, o office) {
	night := letter("acme/fw-hq", "v1")
	stands := o.put(t, night)[0]
	again := night
	again.Name, again.Due, again.Put, again.By.Name = "other.txt", at(40), at(39), "Bo"
	again.Urgent, again.Change, again.Phase, again.Ticket = true, "T1-fw-hq", "before", "T1"
	want := stands
	want.Urgent, want.Change, want.Phase, want.Ticket = true, "T1-fw-hq", "before", "T1"
	if diff := cmp.Diff([]configs.Letter{want, want}, o.put(t, again, again), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("put again (-want +got):\n%s", diff)
	}
	// It stays urgent, and in the change it was put in first.
	night.Change = "T2-fw-hq"
	if diff := cmp.Diff([]configs.Letter{want}, o.put(t, night), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("put a third time (-want +got):\n%s", diff)
	}
	// What became of it stands too.
	l := outcome(o.claim(t, stands.ID))
	l.Lease = ""
	if err := o.Save(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if got := o.put(t, night)[0]; !got.Proven.Equal(l.Proven) || got.Attachment.ID != l.Attachment.ID {
		t.Errorf("put again after it was proven: %+v", got)
	}
	if n := len(all(t, o.Letters(t.Context(), configs.LetterFilter{}))); n != 1 {
		t.Errorf("%d letters, want 1", n)
	}
}

func otherLetters(t *testing.T, o office) {
	one := letter("acme/fw-hq", "v1")
	letters := []configs.Letter{one}
	for _, other := range []func(*configs.Letter){
		func(l *configs.Letter) { l.To = "hudu" },
		func(l *configs.Letter) { l.Device = "acme/sw-1" },
		func(l *configs.Letter) { l.Device, l.Customer = "bolt/fw-hq", "bolt" },
		func(l *configs.Letter) { l.Version = "v2" },
		func(l *configs.Letter) { l.File = "vlan.conf" },
		func(l *configs.Letter) { l.Form = configs.InSeal },
		func(l *configs.Letter) { l.Device = "" },
		func(l *configs.Letter) { l.Device, l.Customer = "", "bolt" }, // two customers' papers never meet
	} {
		l := one
		other(&l)
		letters = append(letters, l)
	}
	ids := map[int64]bool{}
	for i, l := range o.put(t, letters...) {
		ids[l.ID] = true
		if l.Customer != letters[i].Customer {
			t.Errorf("a letter of %s came back as %s's", letters[i].Customer, l.Customer)
		}
	}
	if len(ids) != len(letters) {
		t.Errorf("%d letters, want %d", len(ids), len(letters))
	}
}

func putAtOnce(t *testing.T, o office) {
	var wg sync.WaitGroup
	ids := make([]int64, 16)
	for i := range ids {
		wg.Go(func() {
			l, err := o.Put(t.Context(), letter("acme/fw-hq", "v1"), letter("acme/sw-1", fmt.Sprint(i)))
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = l[0].ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("one letter got the numbers %v", ids)
			break
		}
	}
	if n := len(all(t, o.Letters(t.Context(), configs.LetterFilter{}))); n != 17 {
		t.Errorf("%d letters, want 17", n)
	}
}

func badLetters(t *testing.T, o office) {
	for name, spoil := range map[string]func(*configs.Letter){
		"no system":                    func(l *configs.Letter) { l.To = "" },
		"no version":                   func(l *configs.Letter) { l.Version = "" },
		"no file":                      func(l *configs.Letter) { l.File = "" },
		"no form":                      func(l *configs.Letter) { l.Form = "" },
		"no customer":                  func(l *configs.Letter) { l.Customer, l.Device = "", "" },
		"a device of another customer": func(l *configs.Letter) { l.Customer = "bolt" },
		"a device that is none":        func(l *configs.Letter) { l.Device = "acme" },
		"a customer that is none":      func(l *configs.Letter) { l.Customer, l.Device = "../acme", "" },
	} {
		bad := letter("acme/fw-hq", "v1")
		spoil(&bad)
		if _, err := o.Put(t.Context(), letter("acme/sw-1", "v1"), bad); err == nil {
			t.Errorf("a letter with %s was put", name)
		}
	}
	if ls := all(t, o.Letters(t.Context(), configs.LetterFilter{})); len(ls) != 0 {
		t.Errorf("of calls that were refused there is: %+v", ls)
	}
}

func letterOrder(t *testing.T, o office) {
	var letters []configs.Letter
	for i, c := range []struct {
		urgent bool
		due    time.Time
	}{{false, at(3)}, {true, at(9)}, {false, at(1)}, {true, at(4)}, {false, at(1)}, {false, time.Time{}}, {true, at(4)}} {
		l := letter("acme/fw-hq", fmt.Sprint(i))
		l.Urgent, l.Due = c.urgent, c.due
		letters = append(letters, l)
	}
	o.put(t, letters...)
	for name, f := range map[string]configs.LetterFilter{"all": {}, "waiting": {Waiting: true}, "due": {Waiting: true, DueBy: at(10)}, "due to": {To: "itglue", DueBy: at(10)}} {
		var got []string
		for _, l := range all(t, o.Letters(t.Context(), f)) {
			got = append(got, l.Version)
		}
		if diff := cmp.Diff([]string{"3", "6", "1", "5", "2", "4", "0"}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func letterFilters(t *testing.T, o office) {
	change := func(l configs.Letter, id string) configs.Letter { l.Change = id; return l }
	to := func(l configs.Letter, name string) configs.Letter { l.To = name; return l }
	var ids []int64
	for _, l := range o.put(t, letter("acme/fw-hq", "v1"), letter("acme/fw-hq", "v2"), letter("acme/sw-1", "v1"), to(letter("bolt/fw-hq", "v3"), "hudu"), change(letter("bolt/sw-1", "v4"), "T1")) {
		ids = append(ids, l.ID)
	}
	save := func(i int, with func(*configs.Letter)) {
		l := o.claim(t, ids[i])
		l.Lease = ""
		with(&l)
		if err := o.Save(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	save(0, func(l *configs.Letter) { l.Proven, l.Removed = at(3), at(5) })
	save(1, func(l *configs.Letter) { l.Proven = at(4) })
	save(2, func(l *configs.Letter) { l.Due = at(50) })
	o.claim(t, ids[3]) // and nobody lets go
	for _, c := range []struct {
		f    configs.LetterFilter
		want string
	}{
		{configs.LetterFilter{}, "12453"}, // by Due; letter 3 is due later
		{configs.LetterFilter{To: "hudu"}, "4"},
		{configs.LetterFilter{To: "itglue", Customer: "bolt"}, "5"},
		{configs.LetterFilter{Customer: "acme"}, "123"},
		{configs.LetterFilter{Device: "acme/fw-hq"}, "12"},
		{configs.LetterFilter{Version: "v1"}, "13"},
		{configs.LetterFilter{Version: "v1", Device: "acme/sw-1"}, "3"},
		{configs.LetterFilter{Change: "T1"}, "5"},
		{configs.LetterFilter{Waiting: true}, "453"},
		{configs.LetterFilter{Waiting: true, DueBy: at(2)}, "5"}, // one is in hand, one is due later
		{configs.LetterFilter{DueBy: at(2)}, "5"},
		{configs.LetterFilter{DueBy: at(50)}, "53"},
		{configs.LetterFilter{DueBy: at(1)}, ""},
		{configs.LetterFilter{DueBy: at(2), To: "hudu"}, ""},
		{configs.LetterFilter{Hanging: true}, "2"},
		{configs.LetterFilter{Hanging: true, Device: "acme/sw-1"}, ""},
		{configs.LetterFilter{Hanging: true, Waiting: true}, ""},
	} {
		got := ""
		for _, l := range all(t, o.Letters(t.Context(), c.f)) {
			for i, id := range ids {
				if id == l.ID {
					got += fmt.Sprint(i + 1)
				}
			}
		}
		if got != c.want {
			t.Errorf("%+v: got letters %s, want %s", c.f, got, c.want)
		}
	}
	o.clock.forward(time.Hour) // the hand that held letter 4 is gone
	if ls := all(t, o.Letters(t.Context(), configs.LetterFilter{DueBy: at(2), To: "hudu"})); len(ls) != 1 || ls[0].Lease != "" {
		t.Errorf("after the lease: %+v", ls)
	}
}
