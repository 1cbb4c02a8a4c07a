package change_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/configs/change"
	"belay/configs/memory"
	"belay/devices"
)

func (s *scene) open(ticket string, d devices.Device) change.Change {
	s.t.Helper()
	c, _, err := s.Book.Open(s.t.Context(), change.Opening{Ticket: ticket, Old: d, By: ada})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func TestATicketAndADeviceMakeAnID(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	for ticket, want := range map[string]string{
		"T20391": "T20391-fw-hq", " T7 ": "T7-fw-hq", "CS-1.2_3": "CS-1.2_3-fw-hq",
		"T/1": "T-1-", "#8": "8-", "..": "", "-T9": "T9-", "a..b": "a.b-", "№ 5": "5-", "日本": "", "T/1 ": "T-1-", "T~1^{}": "T-1----",
		strings.Repeat("9", 99): strings.Repeat("9", 40) + "-",
	} {
		c := s.open(ticket, fwOld)
		if !strings.HasPrefix(c.ID, want) || !strings.HasSuffix(c.ID, "-fw-hq") || devices.CheckName(c.ID) != nil {
			t.Errorf("ticket %q: id %q, want it to begin with %q: %v", ticket, c.ID, want, devices.CheckName(c.ID))
		}
	}
	if a, b := s.open("T/1", fwOld), s.open("T-1", fwOld); a.ID == b.ID || a.Ticket == b.Ticket {
		t.Errorf("T/1 and T-1 are one change: %s", a.ID)
	}
	long := devices.Device{Customer: "acme", Name: strings.Repeat("x", 100)}
	other := devices.Device{Customer: "acme", Name: strings.Repeat("x", 99) + "y"}
	a, b := s.open("T1", long), s.open("T1", other)
	if a.ID == b.ID || devices.CheckName(a.ID) != nil || devices.CheckName(b.ID) != nil {
		t.Errorf("ids %q and %q", a.ID, b.ID)
	}
}

func TestTwoPairsThatSpellOneIDAreTwoChanges(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	a := s.open("T1", devices.Device{Customer: "acme", Name: "fw-hq"})
	b := s.open("T1-fw", devices.Device{Customer: "acme", Name: "hq"})
	if a.ID != "T1-fw-hq" || b.ID != "T1-fw-hq-2" || b.Follows != "" || b.Old != "acme/hq" {
		t.Errorf("%+v and %+v", a, b)
	}
	if again := s.open("t1-FW", devices.Device{Customer: "acme", Name: "hq"}); again.ID != b.ID {
		t.Errorf("in capitals it is another change: %s", again.ID)
	}
}

func TestAnOpeningIsHeldToItsKind(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	elsewhere := devices.Device{Customer: "beta", Name: "fw"}
	for name, o := range map[string]change.Opening{
		"0.18 no ticket":           {Old: fwOld, By: ada},
		"0.18 blanks for a ticket": {Old: fwOld, By: ada, Ticket: " \t"},
		"a ticket of two lines":    {Old: fwOld, By: ada, Ticket: "T1\nBcc: x"},
		"0.17 nobody":              {Old: fwOld, Ticket: "T1"},
		"no device":                {By: ada, Ticket: "T1"},
		"an unknown kind":          {Kind: "swap", Old: fwOld, By: ada, Ticket: "T1"},
		"an old one to install":    {Kind: change.Install, Old: fwOld, New: fwNew, By: ada, Ticket: "T1"},
		"nothing to install":       {Kind: change.Install, By: ada, Ticket: "T1"},
		"a new one to remove":      {Kind: change.Remove, Old: fwOld, New: fwNew, By: ada, Ticket: "T1"},
		"another customer's":       {Old: fwOld, New: elsewhere, By: ada, Ticket: "T1"},
	} {
		_, _, err := s.Book.Open(t.Context(), o)
		if devices.KindOf(err) != devices.Usage {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.open("T1", fwOld)
	for name, o := range map[string]change.Opening{
		"another kind":       {Kind: change.Remove, Old: fwOld, By: ada, Ticket: "T1"},
		"another new device": {Old: fwOld, New: devices.Device{Customer: "acme", Name: "fw-3"}, By: ada, Ticket: "T1"},
	} {
		if _, _, err := s.Book.Open(t.Context(), change.Opening{Old: fwOld, New: fwNew, By: ben, Ticket: "T1"}); err != nil {
			t.Fatal(err)
		}
		_, _, err := s.Book.Open(t.Context(), o)
		if devices.KindOf(err) != devices.Usage || !strings.Contains(err.Error(), "T1-fw-hq") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c := s.open("T1", fwOld); c.New != fwNew.ID() || c.By != ada {
		t.Errorf("the new device that was named later: %+v", c)
	}
}

func TestManyWhoOpenAtOnceOpenOneChange(t *testing.T) {
	t.Parallel()
	ledger := &memory.Ledger{}
	for round := range 8 {
		var mu sync.Mutex
		ids, opened := map[string]int{}, 0
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() { // each is a process of its own
				b := &change.Book{Ledger: ledger, Now: func() time.Time { return noon }}
				c, isNew, err := b.Open(t.Context(), change.Opening{Ticket: fmt.Sprint("T", round), Old: fwOld, New: fwNew, By: configs.Person{Name: fmt.Sprint("Person ", i)}})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				ids[c.ID]++
				if isNew {
					opened++
				}
			})
		}
		group.Wait()
		if len(ids) != 1 || opened != 1 {
			t.Fatalf("changes %v, %d hear that they opened it", ids, opened)
		}
	}
	b := &change.Book{Ledger: ledger}
	if list, err := b.List(t.Context(), "acme"); err != nil || len(list) != 8 {
		t.Errorf("%d changes, %v", len(list), err)
	}
}

// A rival's events are written a moment before the first that is appended.
type rival struct {
	*memory.Ledger
	first []configs.Event
}

func (r *rival) Append(ctx context.Context, e configs.Event) error {
	first := r.first
	r.first = nil
	for _, f := range append(first, e) {
		if err := r.Ledger.Append(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

func TestAnIDThatIsTakenInTheLastMomentIsLeftToTheOther(t *testing.T) {
	t.Parallel()
	opens := func(ticket, device string) configs.Event {
		return configs.Event{At: noon, Customer: "acme", By: ben, Act: "open change", Detail: map[string]any{
			"change": "T1-fw-hq", "kind": "replace", "ticket": ticket, "old": "acme/" + device, "oldName": device}}
	}
	closes := configs.Event{At: noon, Customer: "acme", By: ben, Act: "close change", Detail: map[string]any{"change": "T1-fw-hq"}}
	for name, c := range map[string]struct {
		first   []configs.Event
		id      string
		follows string
		opened  bool
	}{
		"by another ticket":        {[]configs.Event{opens("T1-fw", "hq")}, "T1-fw-hq-2", "", true},
		"by the same":              {[]configs.Event{opens("T1", "fw-hq")}, "T1-fw-hq", "", false},
		"by the same, and closed":  {[]configs.Event{opens("T1", "fw-hq"), closes}, "T1-fw-hq-2", "T1-fw-hq", true},
		"by nobody, for all we do": {nil, "T1-fw-hq", "", true},
	} {
		b := &change.Book{Ledger: &rival{&memory.Ledger{}, c.first}, Now: func() time.Time { return noon }}
		got, opened, err := b.Open(t.Context(), change.Opening{Ticket: "T1", Old: fwOld, By: ada})
		if err != nil || got.ID != c.id || got.Old != fwOld.ID() || got.Ticket != "T1" || got.Follows != c.follows || opened != c.opened {
			t.Errorf("%s: %v, opened %t: %+v", name, err, opened, got)
		}
	}
}

func TestAChangeIsFoundByWhatPeopleKnowOfIt(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	find := func(q change.Query) (string, error) {
		c, err := s.Book.Find(t.Context(), q)
		return c.ID, err
	}
	_, err := find(change.Query{Word: "T20391"})
	wantKind(t, err, devices.Usage, "T20391")
	if !strings.Contains(devices.HintOf(err), "belay before") {
		t.Errorf("hint %q", devices.HintOf(err))
	}
	s.before()
	sw := devices.Device{Customer: "acme", Name: "sw-1"}
	s.open("T20391", sw)
	s.open("T5", devices.Device{Customer: "beta", Name: "fw-hq"})
	for q, want := range map[change.Query]string{
		{Word: "t20391-FW-hq"}:                      "T20391-fw-hq",
		{Word: "T5"}:                                "T5-fw-hq",
		{Customer: "beta", Word: "T5"}:              "T5-fw-hq",
		{Device: fwOld.ID()}:                        "T20391-fw-hq",
		{Device: fwNew.ID()}:                        "T20391-fw-hq",
		{Device: sw.ID(), Ticket: "T20391"}:         "T20391-sw-1",
		{Device: "beta/fw-hq"}:                      "T5-fw-hq",
		{Device: sw.ID(), Word: "T20391"}:           "T20391-sw-1",
		{Device: sw.ID(), Word: "T20391-sw-1"}:      "T20391-sw-1",
		{Customer: "acme", Device: fwNew.ID()}:      "T20391-fw-hq",
		{Customer: "beta", Word: "T5", Ticket: "5"}: "",
		{Customer: "acme", Word: "T5"}:              "",
		{Device: "acme/fw-branch"}:                  "",
		{Device: sw.ID(), Ticket: "T5"}:             "",
		{Device: fwOld.ID(), Goes: true}:            "T20391-fw-hq",
		{Device: fwNew.ID(), Goes: true}:            "",
	} {
		got, err := find(q)
		if got != want || (want == "") != (devices.KindOf(err) == devices.Usage) {
			t.Errorf("%+v: %q, %v; want %q", q, got, err, want)
		}
	}
	_, err = find(change.Query{Word: "T20391"})
	wantKind(t, err, devices.Usage, "T20391-fw-hq (acme, replace acme/fw-hq)", "T20391-sw-1")

	c, _ := find(change.Query{Device: fwOld.ID()})
	if _, err := s.Abandon(t.Context(), change.Change{Customer: "acme", ID: c}, ada, "another day"); err != nil {
		t.Fatal(err)
	}
	if got, err := find(change.Query{Device: fwOld.ID()}); got != c {
		t.Errorf("a closed one is not found: %v", err)
	}
	if _, err := find(change.Query{Device: fwOld.ID(), Open: true}); devices.KindOf(err) != devices.Usage {
		t.Errorf("a closed one is taken for open: %v", err)
	}
	if got, err := find(change.Query{Word: "T20391"}); got != "T20391-sw-1" {
		t.Errorf("of an open and a closed one: %q, %v", got, err)
	}
	next := s.open("T20391", fwOld)
	if got, err := find(change.Query{Device: fwOld.ID()}); got != next.ID || next.Follows != c {
		t.Errorf("%q, %v; want %q after %q", got, err, next.ID, next.Follows)
	}
	if got, err := find(change.Query{Word: c}); got != c {
		t.Errorf("an id means the very change: %q, %v", got, err)
	}
}

func TestOneTicketForTwoCustomersWithADeviceOfOneNameIsToldApartByTheCustomer(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	acme, bolt := s.open("T1", devices.Device{Customer: "acme", Name: "fw"}), s.open("T1", devices.Device{Customer: "bolt", Name: "fw"})
	for _, word := range []string{"T1", "T1-fw"} {
		_, err := s.Book.Find(t.Context(), change.Query{Word: word})
		if devices.KindOf(err) != devices.Usage || !strings.Contains(err.Error(), "acme/T1-fw (") || !strings.Contains(err.Error(), "bolt/T1-fw (") {
			t.Errorf("%s: %v: want both, as they can be called", word, err)
		}
	}
	for word, want := range map[string]change.Change{"acme/T1-fw": acme, "Bolt/t1-FW": bolt} {
		if c, err := s.Book.Find(t.Context(), change.Query{Word: word}); err != nil || c.Customer != want.Customer {
			t.Errorf("%s: %+v, %v", word, c, err)
		}
	}
}

func TestNothingIsAddedToAClosedChange(t *testing.T) { // 0.17
	t.Parallel()
	s := newScene(t)
	c, _, _ := s.before()
	b, ctx := s.Book, t.Context()
	acts := map[string]func() error{
		"capture": func() error {
			return b.RecordCapture(ctx, c, change.Capture{By: ada, Phase: change.Before, Device: fwOld.ID()})
		},
		"attest": func() error {
			return b.RecordAttest(ctx, c, change.Attest{By: ada, Device: fwOld.ID(), Who: "Olga", Where: "cloud"})
		},
		"waive":      func() error { return b.RecordWaiver(ctx, c, s.waiver()) },
		"gate":       func() error { return b.RecordGate(ctx, c, change.Gate{By: ada, Open: true}) },
		"succession": func() error { return b.RecordSuccession(ctx, c, change.Succession{By: ada, Device: fwNew.ID()}) },
		"notice":     func() error { return b.RecordNotice(ctx, c, change.Notice{By: ada, Text: "late"}) },
		"receipt":    func() error { return b.RecordPosted(ctx, c, change.Posted{By: ada, Digest: "ab"}) },
		"closing":    func() error { return b.RecordClosing(ctx, c, change.Closing{By: ada}) },
		"close":      func() error { _, err := s.Close(ctx, c, ada, ""); return err },
		"abandon":    func() error { _, err := s.Abandon(ctx, c, ada, "again"); return err },
		"import": func() error {
			_, _, _, err := s.Import(ctx, c, fwOld, change.Exported{Phase: change.Before, Attester: "Ada", By: ada})
			return err
		},
	}
	wantKind(t, b.RecordGate(ctx, c, change.Gate{}), devices.Usage, "nobody is named")
	if _, err := s.Abandon(ctx, c, ada, "another day"); err != nil {
		t.Fatal(err)
	}
	closed := s.get(c)
	for name, act := range acts {
		err := act()
		if devices.KindOf(err) != devices.NotAllowed || !strings.Contains(devices.HintOf(err), "corrections are a new change") {
			t.Errorf("%s: %v (%s)", name, err, devices.HintOf(err))
		}
	}
	if d := cmp.Diff(closed, s.get(c), cmp.AllowUnexported(change.Change{})); d != "" || closed.State(noon, s.policy) != change.Closed {
		t.Error(d)
	}
}

func TestAClosedInstallationIsPutRightByAnother(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	c, _, err := s.Book.Open(t.Context(), change.Opening{Kind: change.Install, Ticket: "T20502", New: fwNew, By: ada})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Abandon(t.Context(), c, ada, "another day"); err != nil {
		t.Fatal(err)
	}
	_, err = s.Abandon(t.Context(), c, ada, "again")
	wantKind(t, err, devices.NotAllowed, "close change "+c.ID+": it was closed")
	if want := "belay after acme/" + fwNew.Name + " --ticket T20502 --install"; !strings.HasSuffix(devices.HintOf(err), want) {
		t.Errorf("hint %q, want it to end in %q: nothing goes, so there is no before", devices.HintOf(err), want)
	}
}
