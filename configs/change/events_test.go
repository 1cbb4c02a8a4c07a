package change_test

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/configs/change"
	"belay/configs/memory"
	"belay/devices"
)

func TestAChangeIsWhatItsEventsTell(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(20391, 3))
	states := map[change.State]int{}
	for range 200 {
		ledger := &memory.Ledger{}
		at := noon
		b := &change.Book{Ledger: ledger, Now: func() time.Time { return at }}
		var closed *change.Change
		p := change.Policy{OnePlace: random.IntN(3) == 0, Attest: random.IntN(2) == 0}
		for range 4 + random.IntN(25) {
			at = at.Add(time.Duration(random.IntN(100)-10) * time.Minute)
			e := someEvent(random)
			e.At = at
			if err := ledger.Append(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			if random.IntN(2) == 0 {
				continue
			}
			c, err := b.Get(t.Context(), "acme", "T1-fw")
			if err != nil {
				if devices.KindOf(err) != devices.Usage {
					t.Fatal(err)
				}
				continue
			}
			state := c.State(at, p)
			states[state]++
			if random.IntN(8) == 0 {
				again, err := b.Get(t.Context(), "acme", "T1-fw")
				if d := cmp.Diff(c, again, cmp.AllowUnexported(change.Change{})); d != "" || err != nil || again.State(at, p) != state {
					t.Fatalf("read twice: %s %v", d, err)
				}
			}
			if closed != nil {
				if !reflect.DeepEqual(*closed, c) {
					t.Fatalf("a closed change was altered: %s", cmp.Diff(*closed, c, cmp.AllowUnexported(change.Change{})))
				}
				continue
			}
			if (state == change.Closed) != (c.Closing != nil) {
				t.Fatalf("state %s with closing %+v", state, c.Closing)
			}
			if c.Closing != nil && closed == nil {
				closed = &c
			}
			rightlyVerified(t, c, p, at)
		}
	}
	for _, s := range []change.State{change.Open, change.Safe, change.Waived, change.Swapped, change.Proven, change.Closed} {
		if states[s] < 10 {
			t.Errorf("only %d were %s: the test shows little", states[s], s)
		}
	}
}

// rightlyVerified holds every version of a change to what the word means, in
// words of this test's own.
func rightlyVerified(t *testing.T, c change.Change, p change.Policy, now time.Time) {
	t.Helper()
	for _, k := range c.Captures {
		var good, bad []change.Capture // all takings of this version
		for _, o := range c.Captures {
			if o.Version != k.Version {
				continue
			}
			passed := map[string]bool{}
			failed := o.Version == ""
			for _, check := range o.Checks {
				passed[check.Name] = true
				failed = failed || !check.OK
			}
			for _, name := range []string{configs.CheckAnswered, configs.CheckFailure, configs.CheckSections, configs.CheckDevice} {
				failed = failed || !passed[name]
			}
			failed = failed || o.Attested == "" && !passed[configs.CheckAgree]
			read, second := false, false
			for _, proof := range o.Proofs {
				read = read || proof.Name == "read back" && proof.Done && proof.OK
				second = second || proof.Done && proof.OK && proof.Second && o.Verified
			}
			hung := len(o.Files) > 0
			for _, f := range o.Files {
				there := false
				for _, a := range c.Attachments {
					there = there || a.Second && a.Version == o.Version && a.File == f.Name && a.Form != configs.Receipt
				}
				hung = hung && there
			}
			if failed || !read || !second && !hung || o.Attested != "" {
				bad = append(bad, o)
			} else {
				good = append(good, o)
			}
		}
		if c.Verified(k.Version) != (len(good) > 0) {
			t.Fatalf("verified %t, with %d good and %d bad takings: %+v", c.Verified(k.Version), len(good), len(bad), bad)
		}
		if counts, ok := c.Counts(k.Phase, p); ok && !p.OnePlace && counts.Attested == "" && !c.Verified(counts.Version) {
			t.Fatalf("it rests on %+v", counts)
		}
	}
	if word := c.Standing(change.Before, now, p); word == change.WordVerified {
		if k, ok := c.Counts(change.Before, p); !ok || !c.Verified(k.Version) {
			t.Fatalf("called verified: %+v", k)
		}
	}
}

// someEvent is a fact of the change T1-fw or of another, well formed but in no
// order, and more often than not with something missing.
func someEvent(random *rand.Rand) configs.Event {
	one := func(list ...string) string { return list[random.IntN(len(list))] }
	often := func() bool { return random.IntN(12) > 0 }
	e := configs.Event{Customer: "acme", By: ada, Detail: map[string]any{"change": "T1-fw"}}
	if !often() {
		e.Detail["change"] = one("T2-fw", "")
	}
	put := func(act string, pairs ...any) configs.Event {
		e.Act = act
		for i := 0; i < len(pairs); i += 2 {
			e.Detail[pairs[i].(string)] = pairs[i+1]
		}
		return e
	}
	switch random.IntN(20) {
	case 0, 1, 2, 3, 4:
		return put("open change", "kind", one("replace", "replace", "install", "remove"), "ticket", "T1", "old", "acme/fw", "new", one("", "acme/fw", "acme/new"), "oldName", "fw")
	case 5, 6, 7, 8, 9, 10:
		var checks []configs.Check
		for _, name := range []string{configs.CheckAnswered, configs.CheckFailure, configs.CheckSections, configs.CheckDevice, configs.CheckAgree} {
			if often() {
				checks = append(checks, configs.Check{Name: name, OK: often()})
			}
		}
		phase := one(change.Before, change.After)
		attested := one("", "", "", "Olga")
		act := map[bool]string{true: "import", false: phase}[attested != ""]
		return put(act, "phase", phase, "device", one("acme/fw", "acme/new"), "version", one("", "v1", "v2", "v3"), "verified", often(), "attested", attested, "checks", checks,
			"taken", noon.Add(time.Duration(random.IntN(600))*time.Minute), "identity", devices.Identity{Serials: []string{one("A1", "N1")}},
			"files", []configs.VersionFile{{Name: "running.conf"}, {Name: "vlan.dat"}}[:random.IntN(3)],
			"proofs", []configs.Proof{{Name: "read back", Done: often(), OK: often()}, {Name: "remote", Done: often(), OK: often(), Second: often()}}[:1+random.IntN(2)])
	case 11, 12:
		return put("attach", "system", "itglue", "version", one("v1", "v2", "v3"), "file", one("running.conf", "vlan.dat"), "form", one("original", "sealed", "receipt"), "second", often())
	case 13:
		return put("succeed", "device", one("acme/fw", "acme/new"), "serials", []string{one("A1", "N1")})
	case 14:
		return put("waive", "kind", "email", "messageID", "<1@x>", "digest", "ab", "given", noon, "serials", []string{"A1", "N1"}, "wording", change.DefaultWording(),
			"contact", change.Contact{Name: "Olga", Authorised: often(), From: noon.AddDate(-1, 0, 0)})
	case 15:
		return put("attest", "device", "acme/fw", "where", "cloud", "who", one("", "Olga"))
	case 16:
		return put("gate", "open", often())
	case 17:
		return put(one("notice", "post receipt"), "text", "late", "digest", "ab", "to", "psa")
	case 18:
		return put(one("something else", "verify"), "version", 7)
	}
	if often() {
		return put("gate", "open", false)
	}
	return put("close change", "digest", "ab")
}

func TestAnEntryThatCannotBeReadIsDamage(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	c, _, _ := s.before()
	s.deliver(c, "close change", map[string]any{"digest": 7})
	_, err := s.Book.Get(t.Context(), c.Customer, c.ID)
	wantKind(t, err, devices.Damaged, "close change")
	a, err := s.Gate(t.Context(), c, fwOld, ada)
	wantKind(t, err, devices.Damaged)
	if a.Open {
		t.Error("open")
	}
}
