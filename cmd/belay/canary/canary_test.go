package canary

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"belay/configs"
	"belay/configs/memory"
	"belay/devices"
	"belay/drivers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	catalog = sync.OnceValues(func() (*drivers.Catalog, error) { return drivers.Load("") })
	every   = sync.OnceValues(func() ([]Sight, error) { // what is seen of every canary
		c, err := catalog()
		if err != nil {
			return nil, err
		}
		return All(context.Background(), c, time.Now)
	})
)

func load(t testing.TB) *drivers.Catalog {
	t.Helper()
	c, err := catalog()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEveryCanaryIsCaughtAndEveryGoodOneKept(t *testing.T) {
	t.Parallel()
	sights, err := every()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, s := range sights {
		if !s.Good() || s.Kept != (s.Wrong == "") || !s.Kept && s.Check == "" {
			t.Errorf("%+v", s)
		}
		ill, _, _ := strings.Cut(s.Name, ":")
		seen[ill]++
	}
	for _, ill := range illnesses {
		if seen[ill.name] < 6 {
			t.Errorf("%s: only %d systems", ill.name, seen[ill.name])
		}
	}
}

// What each canary is caught by is what it is there for.
func TestACanaryIsCaughtByTheCheckThatItIsFor(t *testing.T) {
	t.Parallel()
	sights, err := every()
	if err != nil {
		t.Fatal(err)
	}
	by := map[string][]string{
		"well":              {""},
		"cut in the middle": {configs.CheckEnd, configs.CheckBalance, configs.CheckSections, configs.CheckAnswered}, // of an API it is no JSON
		"cut at a banner":   {configs.CheckEnd, configs.CheckBalance, configs.CheckSections, configs.CheckAnswered},
		"shrunk":            {configs.CheckSize, configs.CheckEnd, configs.CheckBalance, configs.CheckSections, configs.CheckAnswered, "recognized"},
		"error":             {configs.CheckFailure, configs.CheckAnswered, configs.CheckStart, "recognized"},
		"empty":             {configs.CheckAnswered, "recognized"},
		"another box":       {configs.CheckDevice},
		"lost":              {"read to its end", configs.CheckAnswered, configs.CheckEnd, configs.CheckBalance, configs.CheckSections},
	}
	for _, s := range sights {
		ill, _, _ := strings.Cut(s.Name, ":")
		if !slices.Contains(by[ill], s.Check) {
			t.Errorf("%s was caught by %q", s.Name, s.Check)
		}
	}
}

func TestTheCanariesOfANightAreFewAndOthersTheNextNight(t *testing.T) {
	t.Parallel()
	a := &aviary{catalog: load(t)}
	flock, err := a.flock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names := func(day int) (all []string) {
		for _, c := range choose(flock, time.Date(2026, 3, day, 1, 0, 0, 0, time.UTC)) {
			all = append(all, c.name())
		}
		return all
	}
	seen := map[string]bool{}
	for day := 1; day <= len(flock)/len(illnesses)/each+4; day++ {
		tonight := names(day)
		if len(tonight) != each*len(illnesses) || slices.Equal(tonight, names(day+1)) || !slices.Equal(tonight, names(day)) {
			t.Errorf("night %d: %q, then %q", day, tonight, names(day+1))
		}
		vendors := map[string]bool{}
		for _, n := range tonight {
			_, vendor, _ := strings.Cut(n, ": ")
			seen[n], vendors[vendor] = true, true
		}
		if len(vendors) < 5 {
			t.Errorf("night %d: only %d vendors", day, len(vendors))
		}
	}
	for _, c := range flock {
		if !seen[c.name()] {
			t.Errorf("%s does not come in its turn", c.name())
		}
	}
}

// blind is a puller whose rules check nothing but which box it is.
type blind struct {
	configs.Puller
	spoil func(*configs.Capture)
}

func (b blind) Pull(ctx context.Context, d devices.Device) (configs.Capture, error) {
	c, err := b.Puller.Pull(ctx, d)
	if err == nil {
		b.spoil(&c)
	}
	return c, err
}

// oneNight is the same on each day, and so are its canaries.
func oneNight() time.Time { return time.Date(2026, 3, 4, 1, 15, 0, 0, time.UTC) }

func spoiled(t *testing.T, spoil func(*configs.Capture)) []Sight {
	t.Helper()
	a := &aviary{catalog: load(t), now: oneNight, within: most, spoil: func(p configs.Puller) configs.Puller { return blind{p, spoil} }}
	sights, err := a.run(t.Context(), a.tonight)
	if err != nil {
		t.Fatal(err)
	}
	return sights
}

// This is what shows that the alarm works: with a check broken on purpose its
// canaries are kept.
func TestABrokenCheckIsSeen(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*configs.Capture)
		kept  []string
	}{
		"no end, no structure, no error text": {func(c *configs.Capture) { c.Rules.Complete, c.Faults = configs.Completeness{}, nil }, []string{"cut in the middle", "cut at a banner", "error"}},
		"no error text": {func(c *configs.Capture) {
			k := c.Rules.Complete
			c.Rules.Complete = configs.Completeness{Ends: k.Ends, Balance: k.Balance, Agree: 1}
			if len(c.Files[0].Text) < 200 {
				c.Rules.Complete = configs.Completeness{}
			}
		}, []string{"error"}},
		"which box": {func(c *configs.Capture) { c.Identity.Serials = c.Device.Serials }, []string{"another box"}},
	} {
		t.Run(name, func(t *testing.T) {
			sights := spoiled(t, c.spoil)
			for _, s := range sights {
				ill, _, _ := strings.Cut(s.Name, ":")
				if wrong := slices.Contains(c.kept, ill); wrong && (!s.Kept || s.Verdict() != "KEPT" || !strings.Contains(s.Why, s.Wrong)) || !wrong && s.Why != "" {
					t.Errorf("%+v", s)
				}
			}
		})
	}
}

func TestChecksThatRefuseEverythingAreSeen(t *testing.T) {
	for _, s := range spoiled(t, func(c *configs.Capture) { c.Identity.Serials = []string{"NONE"}; c.Faults = []string{"no"} }) {
		if good := s.Wrong == "" || strings.HasPrefix(s.Name, "shrunk"); good != (s.Why != "") {
			t.Errorf("%+v", s)
		}
	}
	for _, s := range spoiled(t, func(c *configs.Capture) {
		if len(c.Files) > 0 {
			c.Files[0].Text = append(slices.Clone(c.Files[0].Text[:len(c.Files[0].Text)/2]), c.Files[0].Text...)
			c.Rules.Complete = configs.Completeness{Ends: c.Rules.Complete.Ends, Balance: c.Rules.Complete.Balance, Failure: c.Rules.Complete.Failure}
		}
	}) {
		if s.Wrong == "" && s.Kept && s.Verdict() != "WRONG" {
			t.Errorf("kept with another text: %+v", s)
		}
	}
}

func TestACanaryThatCouldNotBeTriedIsAnErrorAndNotCaught(t *testing.T) {
	for name, c := range map[string]struct {
		spoil  func(configs.Puller) configs.Puller
		within time.Duration
		says   string
	}{
		"a panic": {func(configs.Puller) configs.Puller {
			return &memory.Puller{Capture: func(devices.Device) (configs.Capture, error) { panic("wings") }}
		}, most, "wings"},
		"nobody answers": {func(configs.Puller) configs.Puller { return &memory.Puller{} }, most, "nothing prepared"},
		"a login refused": {func(configs.Puller) configs.Puller {
			return &memory.Puller{Capture: func(devices.Device) (configs.Capture, error) {
				return configs.Capture{}, &devices.Error{Kind: devices.Denied, Op: "log in", Err: errors.New("denied")}
			}}
		}, most, "denied"},
		"no time": {func(p configs.Puller) configs.Puller { return p }, 1, "not done after"},
	} {
		t.Run(name, func(t *testing.T) {
			a := &aviary{catalog: load(t), now: oneNight, within: c.within, spoil: c.spoil}
			sights, err := a.run(t.Context(), a.tonight)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
			for _, s := range sights {
				lost := strings.HasPrefix(s.Name, "lost") && name == "nobody answers"
				if !lost && (s.Good() || s.Kept || s.Why != "" || s.Verdict() != "not tried") {
					t.Errorf("%+v", s)
				}
			}
		})
	}
}

func sights() []Sight {
	return []Sight{
		{Name: "empty: frr", Wrong: "nothing", Check: configs.CheckAnswered},
		{Name: "cut: ios", Wrong: "half", Kept: true, Why: "it was kept: half"},
		{Name: "well: eos", Why: "it was refused"},
		{Name: "error: asa", Wrong: "error", Error: "no port"},
	}
}

func newBook() (*Book, *memory.Marks, *memory.Ledger, *memory.Alarms) {
	m, l, a := &memory.Marks{}, &memory.Ledger{}, &memory.Alarms{}
	now := time.Date(2026, 3, 4, 1, 16, 0, 0, time.UTC)
	return &Book{Marks: m, Ledger: l, Alarms: a, By: configs.Person{Name: "Ada"}, Now: func() time.Time { now = now.Add(time.Minute); return now }}, m, l, a
}

func events(t *testing.T, l *memory.Ledger) (all []configs.Event) {
	t.Helper()
	for e, err := range l.Events(t.Context(), configs.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func TestAKeptCanaryIsADoubtUntilAPersonHasUnderstoodIt(t *testing.T) {
	t.Parallel()
	b, m, l, alarms := newBook()
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the night is interrupted: what was seen is written down all the same
	if err := b.Record(ctx, sights()); err != nil {
		t.Fatal(err)
	}
	why, err := Doubt(t.Context(), m)
	if err != nil || !strings.Contains(why, "2026-03-04 01:17 UTC") || !strings.Contains(why, "cut: ios: it was kept: half; well: eos: it was refused") || strings.Contains(why, "no port") {
		t.Errorf("doubt %q: %v", why, err)
	}
	e := events(t, l)
	if len(e) != 1 || e[0].Act != "canary" || e[0].By.Name != "Ada" || e[0].Customer != "" {
		t.Errorf("ledger: %+v", e)
	}
	if raised := alarms.Raised(); len(raised) != 1 || raised[0].Cause != configs.AlarmCanary || raised[0].Hint != configs.AfterDoubt || !strings.Contains(raised[0].What, "cut: ios") {
		t.Errorf("alarms: %+v", raised)
	}

	// The next night is good, the one after it is not: the doubt is the first's.
	if err := b.Record(t.Context(), sights()[:1]); err != nil {
		t.Fatal(err)
	}
	if still, _ := Doubt(t.Context(), m); still != why || len(events(t, l)) != 1 {
		t.Errorf("a good night changed it to %q", still)
	}
	if err := b.Record(t.Context(), []Sight{{Name: "empty: frr", Why: "it was kept: nothing", Kept: true, Wrong: "nothing"}}); err != nil {
		t.Fatal(err)
	}
	if still, _ := Doubt(t.Context(), m); !strings.Contains(still, "01:17") || !strings.Contains(still, "empty: frr") {
		t.Errorf("another bad night changed it to %q", still)
	}
	if len(alarms.Raised()) != 1 {
		t.Error("one cause is told twice")
	}

	for _, reason := range []string{"", " \t"} {
		if err := b.Understood(t.Context(), reason); devices.KindOf(err) != devices.Usage {
			t.Errorf("without a reason: %v", err)
		}
	}
	if err := b.Understood(t.Context(), " the driver of ours was too lax "); err != nil {
		t.Fatal(err)
	}
	if why, err := Doubt(t.Context(), m); why != "" || err != nil || len(alarms.Raised()) != 0 {
		t.Errorf("doubt %q, %v, alarms %v", why, err, alarms.Raised())
	}
	e = events(t, l)
	last := e[len(e)-1]
	if last.Act != "canary understood" || last.By.Name != "Ada" || last.Detail["reason"] != "the driver of ours was too lax" || !strings.Contains(last.Detail["what"].(string), "empty: frr") {
		t.Errorf("ledger: %+v", last)
	}
	if err := b.Understood(t.Context(), "again"); devices.KindOf(err) != devices.Usage {
		t.Errorf("without a doubt: %v", err)
	}
}

func TestADoubtStandsWhateverElseFails(t *testing.T) {
	t.Parallel()
	b, m, l, alarms := newBook()
	broken := errors.New("disk full")
	l.Fail = func(string) error { return broken }
	alarms.Fail = l.Fail
	if err := b.Record(t.Context(), sights()); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if why, err := Doubt(t.Context(), m); why == "" || err != nil {
		t.Errorf("doubt %q, %v", why, err)
	}
	if err := b.Understood(t.Context(), "why"); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if why, _ := Doubt(t.Context(), m); why == "" {
		t.Error("it has ended without a name in the ledger")
	}
	// Without alarms it works as well.
	b.Alarms, l.Fail = nil, nil
	if err := errors.Join(b.Record(t.Context(), sights()), b.Understood(t.Context(), "why")); err != nil {
		t.Error(err)
	}
	// Those that could not be tried make no doubt, but are on record.
	n := len(events(t, l))
	if err := b.Record(t.Context(), sights()[3:]); err != nil {
		t.Fatal(err)
	}
	if why, err := Doubt(t.Context(), m); err != nil || why != "" || len(events(t, l)) != n+1 {
		t.Errorf("doubt %q, %d events", why, len(events(t, l))-n)
	}
	m.Fail = func(string) error { return broken }
	if _, err := Doubt(t.Context(), m); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

func TestAMarkThatCannotBeReadIsADoubt(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"{", "{}", "null", ""} {
		m := &memory.Marks{}
		if err := m.SetMarks(t.Context(), "doubt", configs.Mark{Key: "canary", Value: []byte(value)}); err != nil {
			t.Fatal(err)
		}
		if why, err := Doubt(t.Context(), m); (why == "") != (value == "" && len(value) > 0) || err != nil {
			t.Errorf("%q: %q, %v", value, why, err)
		}
	}
}

func TestASightIsInJSONWhatScriptsRead(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(Sight{Name: "n", Driver: "d"})
	if want := `{"name":"n","driver":"d","wrong":"","kept":false,"check":"","seconds":0}`; err != nil || string(text) != want {
		t.Errorf("%s, want %s", text, want)
	}
}

func BenchmarkANightOfCanaries(b *testing.B) {
	c := load(b)
	for b.Loop() {
		if _, err := Run(b.Context(), c, time.Now); err != nil {
			b.Fatal(err)
		}
	}
}
