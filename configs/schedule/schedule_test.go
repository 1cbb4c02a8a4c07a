package schedule_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"belay/configs/schedule"
	"belay/devices"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	l, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func plan(t testing.TB, rules ...schedule.Rule) *schedule.Plan {
	t.Helper()
	p, err := schedule.New(rules)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// at is a moment written as people do, by UTC unless it says otherwise.
func at(t testing.TB, text string) time.Time {
	t.Helper()
	form := "2006-01-02 15:04"
	if len(text) > len(form) {
		form = time.RFC3339
	}
	moment, err := time.Parse(form, text)
	if err != nil {
		t.Fatal(err)
	}
	return moment
}

func show(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

var fw = devices.Device{Customer: "acme", Site: "hq", Name: "fw-hq"}

func nightly(t testing.TB, name string) schedule.Rule {
	return schedule.Rule{Every: "15 1 * * *", Zone: zone(t, name)}
}

func TestTheMostSpecialRulesGovernADevice(t *testing.T) {
	t.Parallel()
	r := func(customer, site, device string) schedule.Rule {
		return schedule.Rule{Every: "@daily", Zone: time.UTC, Customer: customer, Site: site, Device: device}
	}
	rules := []schedule.Rule{
		r("", "", ""), r("acme", "", ""), r("acme", "hq", ""), r("acme", "", "fw-hq"), r("acme", "lab", "fw-hq"),
		r("acme", "hq", ""), r("globex", "", ""), r("", "", ""), r("acme", "hq", "fw-hq"), r("acme", "", "gone"),
	}
	p := plan(t, rules...)
	for _, c := range []struct {
		customer, site, name string
		want                 []int
	}{
		{"acme", "hq", "fw-hq", []int{3, 8}},
		{"acme", "lab", "fw-hq", []int{3, 4}},
		{"acme", "hq", "sw", []int{2, 5}},
		{"acme", "", "sw", []int{1}},
		{"globex", "hq", "fw-hq", []int{6}},
		{"other", "hq", "fw-hq", []int{0, 7}},
	} {
		d := devices.Device{Customer: c.customer, Site: c.site, Name: c.name}
		for range 2 { // the second time from memory
			if got := p.Rules(d); !slices.Equal(got, c.want) {
				t.Errorf("%s at %s: %v, want %v", d, c.site, got, c.want)
			}
		}
	}
	p = plan(t, rules[1])
	if slot, ok := p.Slot(devices.Device{Customer: "globex", Name: "x"}, at(t, "2026-03-04 12:00")); ok || !slot.IsZero() {
		t.Errorf("a device without a rule has the slot %v", slot)
	}
	if _, ok := p.Next(devices.Device{Customer: "globex", Name: "x"}, at(t, "2026-03-04 12:00")); ok {
		t.Error("a device without a rule has a next start")
	}
	if p.Open(devices.Device{Customer: "globex", Name: "x"}, at(t, "2026-03-04 12:00")) {
		t.Error("a device without a rule may start")
	}
}

func TestARunThatWasMissedIsCaughtUpOnce(t *testing.T) {
	t.Parallel()
	p := plan(t, nightly(t, "UTC"))
	done := at(t, "2026-03-01 01:15")
	back := at(t, "2026-03-09 11:00") // eight nights later
	slot, due := p.Due(fw, done, back)
	if !due || show(slot) != "2026-03-09 01:15:00" {
		t.Fatalf("due %v for %s", due, show(slot))
	}
	if _, due := p.Due(fw, slot, back.Add(time.Minute)); due {
		t.Error("it is caught up twice")
	}
	if slot, due := p.Due(fw, slot, at(t, "2026-03-10 01:15")); !due || show(slot) != "2026-03-10 01:15:00" {
		t.Error("the next night does not come")
	}
}

func TestWhatIsDueGoesByTheSlotThatWasDone(t *testing.T) {
	t.Parallel()
	slot, now := at(t, "2026-03-04 01:15"), at(t, "2026-03-04 12:00")
	for _, c := range []struct {
		name string
		slot time.Time
		done time.Time
		want bool
	}{
		{"the night before", slot, slot.AddDate(0, 0, -1), true},
		{"this one", slot, slot, false},
		{"never, and known since noon", slot, now, false},
		{"never, and known since yesterday", slot, now.AddDate(0, 0, -1), true},
		{"never, and nobody knows since when", slot, time.Time{}, true},
		{"a later one than the plan knows now", slot, slot.Add(time.Hour), false},
		{"an hour hence", slot, now.Add(time.Hour), false},
		{"more than an hour hence: the clock was set back", slot, now.Add(time.Hour + 1), true},
		{"there was no slot yet", time.Time{}, time.Time{}, false},
		{"there was no slot yet, and the clock was set back", time.Time{}, now.AddDate(1, 0, 0), false},
	} {
		if got := schedule.Due(c.slot, c.done, now); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestASlotIsMissedWhenItsWindowHasClosed(t *testing.T) {
	t.Parallel()
	r := nightly(t, "Europe/London")
	r.Window = "01:00-05:00"
	p := plan(t, r)
	done := at(t, "2026-03-03 01:15")
	for _, c := range []struct {
		now          string
		due, missed  bool
		slot, afters string
	}{
		{"2026-03-04 01:14", false, false, "2026-03-03 01:15:00", ""},
		{"2026-03-04 01:15", true, false, "2026-03-04 01:15:00", ""},
		{"2026-03-04 04:59", true, false, "2026-03-04 01:15:00", ""},
		{"2026-03-04 05:00", false, true, "2026-03-04 01:15:00", ""},
		{"2026-03-05 01:00", false, true, "2026-03-04 01:15:00", ""}, // open, but not for that slot
		{"2026-03-05 01:15", true, false, "2026-03-05 01:15:00", ""},
	} {
		now := at(t, c.now)
		slot, due := p.Due(fw, done, now)
		missed, ok := p.Missed(fw, done, now)
		if due != c.due || ok != c.missed || show(slot) != c.slot {
			t.Errorf("%s: due %v, missed %v, slot %s; want %+v", c.now, due, ok, show(slot), c)
		}
		if ok && show(missed) != c.slot {
			t.Errorf("%s: missed %s", c.now, show(missed))
		}
		if bySlot, _ := p.Slot(fw, now); !bySlot.Equal(slot) || due != (schedule.Due(slot, done, now) && p.Open(fw, now)) {
			t.Errorf("%s: Slot, Open and Due do not agree", c.now)
		}
	}
	if _, missed := p.Missed(fw, at(t, "2026-03-04 01:15"), at(t, "2026-03-04 05:00")); missed {
		t.Error("what was done is missed")
	}
}

func TestOfSeveralRulesTheLatestSlotThatLastsCounts(t *testing.T) {
	t.Parallel()
	p := plan(t, nightly(t, "UTC"), schedule.Rule{Every: "0 12 * * *", Zone: time.UTC, Window: "12:00-12:30"})
	done := at(t, "2026-03-03 12:00")
	if slot, due := p.Due(fw, done, at(t, "2026-03-04 13:00")); !due || show(slot) != "2026-03-04 01:15:00" {
		t.Errorf("due %v for %s: the night is still to be caught up", due, show(slot))
	}
	if slot, missed := p.Missed(fw, done, at(t, "2026-03-04 13:00")); !missed || show(slot) != "2026-03-04 12:00:00" {
		t.Errorf("missed %v: %s", missed, show(slot))
	}
	if slot, due := p.Due(fw, done, at(t, "2026-03-04 12:10")); !due || show(slot) != "2026-03-04 12:00:00" {
		t.Errorf("due %v for %s", due, show(slot))
	}
	if _, due := p.Due(fw, at(t, "2026-03-04 12:00"), at(t, "2026-03-04 13:00")); due {
		t.Error("an older slot than was done is due")
	}
}

func TestRulesThatCannotBeObeyedAreRefusedByTheirField(t *testing.T) {
	t.Parallel()
	good := schedule.Rule{Every: "15 1 * * *", Zone: time.UTC}
	for _, c := range []struct {
		field string
		with  func(*schedule.Rule)
		want  string
	}{
		{"every", func(r *schedule.Rule) { r.Every = "" }, "missing"},
		{"every", func(r *schedule.Rule) { r.Every = "15 1 * *" }, "5 fields"},
		{"every", func(r *schedule.Rule) { r.Every = "15 1 * * * *" }, "5 fields"},
		{"every", func(r *schedule.Rule) { r.Every = "75 1 * * *" }, "75"},
		{"every", func(r *schedule.Rule) { r.Every = "@every 1h" }, "begin anew"},
		{"every", func(r *schedule.Rule) { r.Every = "@reboot" }, "@reboot"},
		{"every", func(r *schedule.Rule) { r.Every = "TZ=UTC" }, "zone: NAME"}, // cron/v3 panics
		{"every", func(r *schedule.Rule) { r.Every = "CRON_TZ=UTC 15 1 * * *" }, "zone: NAME"},
		{"every", func(r *schedule.Rule) { r.Every = "0 0 31 2 *" }, "no such day"},
		{"zone", func(r *schedule.Rule) { r.Zone = nil }, "missing"},
		{"window", func(r *schedule.Rule) { r.Window = "1:00-5:00" }, "no two times"},
		{"window", func(r *schedule.Rule) { r.Window = "01:00-25:00" }, "no two times"},
		{"window", func(r *schedule.Rule) { r.Window = "01:00-24:30" }, "24:00"},
		{"window", func(r *schedule.Rule) { r.Window = "24:00-01:00" }, "24:00"},
		{"window", func(r *schedule.Rule) { r.Window = "01:00-01:00" }, "ends when it begins"},
		{"blackout", func(r *schedule.Rule) { r.Blackout = []string{"Sat", "2026-13-01"} }, "no date"},
		{"blackout", func(r *schedule.Rule) { r.Blackout = []string{"2026-12-26/2026-12-24"} }, "before the first"},
		{"blackout", func(r *schedule.Rule) { r.Blackout = []string{"2026-12-26/x"} }, "no date"},
		{"blackout", func(r *schedule.Rule) { r.Blackout = []string{"Mit 08:00-18:00"} }, "no day"},
		{"blackout", func(r *schedule.Rule) { r.Blackout = []string{"Mon-Freitag"} }, "no two times"},
		{"blackout", func(r *schedule.Rule) { r.Blackout = []string{""} }, "no two times"},
		{"blackout", func(r *schedule.Rule) { r.Blackout = []string{"Mon-Sun"} }, "ever start"},
		{"blackout", func(r *schedule.Rule) { r.Window, r.Blackout = "02:00-03:00", []string{"22:00-06:00"} }, "ever start"},
		{"jitter", func(r *schedule.Rule) { r.Jitter = -1 }, "between"},
		{"jitter", func(r *schedule.Rule) { r.Jitter = 24*time.Hour + 1 }, "between"},
		{"site", func(r *schedule.Rule) { r.Site = "hq" }, "customer"},
		{"device", func(r *schedule.Rule) { r.Device = "fw-hq" }, "customer"},
		{"customer", func(r *schedule.Rule) { r.Customer = "acme corp" }, "cannot be a name"},
		{"device", func(r *schedule.Rule) { r.Customer, r.Device = "acme", "acme/fw-hq" }, "cannot be a name"},
	} {
		r := good
		c.with(&r)
		_, err := schedule.New([]schedule.Rule{good, r})
		bad, ok := errors.AsType[*schedule.Invalid](err)
		if !ok || bad.Field != c.field || bad.Rule != 1 || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), c.field+": ") {
			t.Errorf("%+v: %v, want %s: %s", r, err, c.field, c.want)
		}
	}
}

func TestAPlanMayBeAskedByManyAtOnce(t *testing.T) {
	t.Parallel()
	r := nightly(t, "Europe/London")
	r.Jitter, r.Blackout = time.Hour, []string{"Sat"}
	p := plan(t, r)
	want, _ := p.Next(fw, at(t, "2026-03-04 12:00"))
	done := make(chan struct{})
	for i := range 8 {
		go func() {
			defer func() { done <- struct{}{} }()
			for k := range 200 {
				now := at(t, "2026-03-04 12:00").AddDate(0, 0, (i+k)%9)
				p.Due(fw, now, now)
				p.Open(fw, now)
				if next, _ := p.Next(fw, at(t, "2026-03-04 12:00")); !next.Equal(want) {
					t.Errorf("%s, want %s", show(next), show(want))
				}
			}
		}()
	}
	for range 8 {
		<-done
	}
}
