package schedule_test

import (
	"fmt"
	"testing"
	"time"

	"belay/configs/schedule"
	"belay/devices"
)

// What cron/v3 itself does was measured: asked in London it leaves out 01:15 of
// the day on which the clock skips it, and gives it twice when it comes twice.
func TestEachTimeOfTheClockComesOnceWhenTheClockChanges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		zone, every string
		from        string
		want        []string // the next slots, by UTC
	}{
		{"Europe/London", "15 1 * * *", "2026-03-28 12:00", []string{"03-29 01:00", "03-30 00:15"}}, // 01:00 to 02:00 is skipped
		{"Europe/London", "15 1 * * *", "2026-10-24 12:00", []string{"10-25 00:15", "10-26 01:15"}},
		{"Europe/London", "0,30 1,2 * * *", "2026-03-28 12:00", []string{"03-29 01:00", "03-29 01:30", "03-30 00:00"}},
		{"Europe/London", "0 2 * * *", "2026-03-28 12:00", []string{"03-29 01:00", "03-30 01:00"}},
		{"America/New_York", "30 2 * * *", "2026-03-07 12:00", []string{"03-08 07:00", "03-09 06:30"}},
		{"America/New_York", "30 1 * * *", "2026-10-31 12:00", []string{"11-01 05:30", "11-02 06:30"}},
		{"America/New_York", "30 1-2 * * *", "2026-10-31 12:00", []string{"11-01 05:30", "11-01 07:30", "11-02 06:30"}},
		{"America/Santiago", "@daily", "2026-09-05 12:00", []string{"09-06 04:00", "09-07 03:00"}}, // there is no midnight
		{"Australia/Lord_Howe", "10 2 * * *", "2026-10-03 00:00", []string{"10-03 15:30", "10-04 15:10"}},
		{"Pacific/Apia", "@daily", "2011-12-29 00:00", []string{"12-29 10:00", "12-30 10:00", "12-31 10:00"}}, // there was no 30 December
		// For every hour it goes on by elapsed time.
		{"Europe/London", "15 * * * *", "2026-10-24 23:20", []string{"10-25 00:15", "10-25 01:15", "10-25 02:15"}},
		{"Europe/London", "*/30 * * * *", "2026-10-24 23:50", []string{"10-25 00:00", "10-25 00:30", "10-25 01:00", "10-25 01:30", "10-25 02:00"}},
		{"Europe/London", "*/30 * * * *", "2026-03-29 00:20", []string{"03-29 00:30", "03-29 01:00", "03-29 01:30"}},
		{"Europe/London", "0 3 29 2 *", "2026-01-01 00:00", []string{"02-29 03:00", "02-29 03:00"}},
		{"Europe/London", "0 3 1 * Mon", "2026-05-25 12:00", []string{"06-01 02:00", "06-08 02:00"}},
	} {
		p := plan(t, schedule.Rule{Every: c.every, Zone: zone(t, c.zone)})
		now := at(t, c.from)
		for _, want := range c.want {
			next, ok := p.Next(fw, now)
			if got := next.UTC().Format("01-02 15:04"); !ok || got != want {
				t.Errorf("%s in %s: after %s %s, want %s", c.every, c.zone, show(now), show(next), want)
			}
			if slot, _ := p.Slot(fw, next); !slot.Equal(next) {
				t.Errorf("%s in %s: at %s the slot is %s", c.every, c.zone, show(next), show(slot))
			}
			if slot, _ := p.Slot(fw, next.Add(-1)); !slot.Before(next) {
				t.Errorf("%s in %s: before %s the slot is %s", c.every, c.zone, show(next), show(slot))
			}
			now = next
		}
	}
}

func TestAWindowMaySpanMidnightAndHoldsTheSlotUpUntilItOpens(t *testing.T) {
	t.Parallel()
	z := zone(t, "America/New_York")
	p := plan(t, schedule.Rule{Every: "0 20 * * *", Zone: z, Window: "23:30-04:00"})
	for now, want := range map[string]string{
		"2026-07-01T20:00:00-04:00": "2026-07-01 23:30", "2026-07-01T23:29:59-04:00": "2026-07-01 23:30",
		"2026-07-01T23:30:00-04:00": "2026-07-02 23:30", "2026-07-02T03:00:00-04:00": "2026-07-02 23:30",
	} {
		next, _ := p.Next(fw, at(t, now))
		if got := next.In(z).Format("2006-01-02 15:04"); got != want {
			t.Errorf("after %s %s, want %s", now, got, want)
		}
	}
	if _, due := p.Due(fw, at(t, "2026-06-30T23:30:00-04:00"), at(t, "2026-07-02T03:59:00-04:00")); !due {
		t.Error("it is not due after midnight")
	}
	if _, missed := p.Missed(fw, at(t, "2026-06-30T23:30:00-04:00"), at(t, "2026-07-02T04:00:00-04:00")); !missed {
		t.Error("it is not missed")
	}
	// A window that the clock skips altogether opens after the skip.
	p = plan(t, schedule.Rule{Every: "0 2 * * *", Zone: z, Window: "02:10-02:50"})
	next, _ := p.Next(fw, at(t, "2026-03-07T12:00:00-05:00"))
	if got := next.In(z).Format("2006-01-02 15:04"); got != "2026-03-08 03:00" || !p.Open(fw, next.Add(39*time.Minute)) || p.Open(fw, next.Add(40*time.Minute)) {
		t.Errorf("on the day of the skip it starts at %s", got)
	}
}

func TestNothingStartsInABlackout(t *testing.T) {
	t.Parallel()
	z := zone(t, "Europe/London")
	for _, c := range []struct {
		name, every, window string
		blackout            []string
		now, want           string
	}{
		{"dates, both of them", "15 1 * * *", "", []string{"2026-12-24/2026-12-26"}, "2026-12-23T12:00:00Z", "2026-12-27 00:00"},
		{"one date", "15 1 * * *", "", []string{"2026-12-24"}, "2026-12-23T12:00:00Z", "2026-12-25 00:00"},
		{"dates and a window: the nights are left out", "15 1 * * *", "01:00-05:00", []string{"2026-12-24/2026-12-26"}, "2026-12-23T12:00:00Z", "2026-12-27 01:15"},
		{"within it what was due waits", "15 1 * * *", "", []string{"2026-12-24/2026-12-26"}, "2026-12-25T12:00:00Z", "2026-12-27 00:00"},
		{"office hours", "@hourly", "", []string{"Mon-Fri 08:00-18:00"}, "2026-06-05T07:30:00+01:00", "2026-06-05 18:00"},
		{"not on Saturday", "@hourly", "", []string{"Mon-Fri 08:00-18:00"}, "2026-06-06T07:30:00+01:00", "2026-06-06 08:00"},
		{"over midnight, by the day on which it begins", "@hourly", "", []string{"Fri 22:00-06:00"}, "2026-06-05T21:30:00+01:00", "2026-06-06 06:00"},
		{"over midnight, not from another day", "@hourly", "", []string{"Sat 22:00-06:00"}, "2026-06-05T21:30:00+01:00", "2026-06-05 22:00"},
		{"whole days", "@hourly", "", []string{"Sat,Sun"}, "2026-06-05T23:30:00+01:00", "2026-06-08 00:00"},
		{"around the weekend", "@hourly", "", []string{"fri-mon"}, "2026-06-04T23:30:00+01:00", "2026-06-09 00:00"},
		{"each day", "@hourly", "", []string{"08:00-18:00"}, "2026-06-06T07:30:00+01:00", "2026-06-06 18:00"},
		{"two that meet", "@hourly", "", []string{"08:00-12:00", "Mon-Sun 12:00-18:00"}, "2026-06-06T07:30:00+01:00", "2026-06-06 18:00"},
		{"to the end of the day", "@hourly", "", []string{"Sat 20:00-24:00"}, "2026-06-06T19:30:00+01:00", "2026-06-07 00:00"},
	} {
		p := plan(t, schedule.Rule{Every: c.every, Zone: z, Window: c.window, Blackout: c.blackout})
		now := at(t, c.now)
		next, ok := p.Next(fw, now)
		if got := next.In(z).Format("2006-01-02 15:04"); !ok || got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
			continue
		}
		if !p.Open(fw, next) || p.Open(fw, next.Add(-time.Second)) && c.want[11:] != "08:00" && c.want[11:] != "22:00" && c.window == "" {
			t.Errorf("%s: open before, or not then", c.name)
		}
		if _, missed := p.Missed(fw, next.AddDate(0, 0, -7), next.Add(-time.Hour)); missed && c.window != "" {
			t.Errorf("%s: what could not start was missed", c.name)
		}
	}
	// A black-out of one of the rules that govern a device holds for all of them.
	p := plan(t, schedule.Rule{Every: "@hourly", Zone: z}, schedule.Rule{Every: "@daily", Zone: z, Blackout: []string{"12:00-14:00"}})
	if next, _ := p.Next(fw, at(t, "2026-01-06 11:30")); show(next) != "2026-01-06 14:00:00" {
		t.Errorf("of two rules the next start is %s", show(next))
	}
}

func TestJitterSpreadsDevicesAndStaysInRange(t *testing.T) {
	t.Parallel()
	r := nightly(t, "UTC")
	r.Jitter = 30 * time.Minute
	p, again := plan(t, r), plan(t, r)
	base, now := at(t, "2026-03-04 01:15"), at(t, "2026-03-04 12:00")
	var quarters [4]int
	for i := range 4000 {
		d := devices.Device{Customer: "acme", Name: fmt.Sprintf("sw-%04d", i)}
		slot, _ := p.Slot(d, now)
		shift := slot.Sub(base)
		if shift < 0 || shift >= r.Jitter {
			t.Fatalf("%s is shifted by %v", d, shift)
		}
		if other, _ := again.Slot(d, now); !other.Equal(slot) {
			t.Fatalf("%s was shifted anew by a restart", d)
		}
		renamed := d
		renamed.FirstID, renamed.Name = d.Name, "other"
		if other, _ := p.Slot(renamed, now); !other.Equal(slot) {
			t.Fatalf("%s was shifted anew by another name", d)
		}
		if tomorrow, _ := p.Next(d, now); tomorrow.Sub(slot) != 24*time.Hour {
			t.Fatalf("%s starts %v later", d, tomorrow.Sub(slot))
		}
		quarters[shift*4/r.Jitter]++
	}
	for _, n := range quarters {
		if n < 900 || n > 1100 {
			t.Errorf("the devices are spread as %v", quarters)
		}
	}
	// It ends with the window, which no device may miss by it.
	r.Window = "01:00-01:25"
	p = plan(t, r)
	last := time.Duration(0)
	for i := range 1000 {
		slot, _ := p.Slot(devices.Device{Customer: "acme", Name: fmt.Sprintf("sw-%04d", i)}, now)
		shift := slot.Sub(base)
		if last = max(last, shift); shift < 0 || shift >= 10*time.Minute {
			t.Fatalf("shifted by %v", shift)
		}
	}
	if last < 9*time.Minute {
		t.Errorf("at most %v of ten minutes is used", last)
	}
}

func TestBetweenTheMomentAndItsOwnPartOfTheJitterTheSlotIsYesterdays(t *testing.T) {
	t.Parallel()
	r := nightly(t, "UTC")
	r.Jitter = 30 * time.Minute
	p, waiting := plan(t, r), 0
	for i := range 50 {
		d := devices.Device{Customer: "acme", Name: fmt.Sprintf("sw-%d", i)}
		today, _ := p.Slot(d, at(t, "2026-03-04 12:00"))
		now := at(t, "2026-03-04 01:20") // asked after noon was: a clock that was set back
		want := today
		if today.After(now) {
			want = today.AddDate(0, 0, -1)
			waiting++
		}
		if slot, _ := p.Slot(d, now); !slot.Equal(want) {
			t.Errorf("%s: %s, want %s", d, show(slot), show(want))
		}
	}
	if waiting == 0 || waiting == 50 {
		t.Errorf("%d of 50 were waiting", waiting)
	}
}
