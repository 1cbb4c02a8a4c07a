package schedule_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"belay/configs/schedule"
	"belay/devices"
)

// random draws a rule as people might write it.
func random(r *rand.Rand, zone *time.Location) schedule.Rule {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	rule := schedule.Rule{
		Every: pick("15 1 * * *", "30 2 * * *", "@hourly", "*/20 * * * *", "0 */6 * * *", "45 23 * * *", "0 3 * * Sun", "10 0,1,2,3 * * *", "0 2 1 * *"),
		Zone:  zone, Window: pick("", "", "01:00-05:00", "23:00-03:30", "02:10-02:50"),
		Jitter: time.Duration(r.IntN(3)) * 20 * time.Minute,
	}
	for range r.IntN(3) {
		rule.Blackout = append(rule.Blackout, pick("2026-03-27/2026-03-29", "Mon-Fri 08:00-18:00", "Sat 22:00-04:00", "01:30-02:30", "2026-10-25"))
	}
	return rule
}

// TestNextAgreesWithSteppingMinuteByMinute plays what the service does: it asks
// each minute, and what is due and may start is done.
func TestNextAgreesWithSteppingMinuteByMinute(t *testing.T) {
	t.Parallel()
	days, played := 12, 0
	if raced {
		days = 2
	}
	for i, name := range []string{"Europe/London", "America/New_York", "UTC", "Australia/Lord_Howe", "America/Santiago"} {
		z := zone(t, name)
		for seed := range uint64(16) {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			rules := []schedule.Rule{random(r, z)}
			if seed%3 == 0 {
				rules = append(rules, random(r, z))
			}
			p, err := schedule.New(rules)
			if err != nil && strings.Contains(err.Error(), "nothing could ever start") {
				continue // a night that is dark as a whole
			} else if err != nil {
				t.Fatal(err)
			}
			played++
			begin := []string{"2026-03-24 00:00", "2026-03-01 00:00", "2026-10-20 00:00", "2026-10-28 00:00", "2026-09-01 00:00", "2026-04-01 00:00"}[seed%6]
			now := at(t, begin)
			done, starts := now, 0
			next, ok := p.Next(fw, now)
			for end := now.AddDate(0, 0, days); now.Before(end); now = now.Add(time.Minute) {
				slot, due := p.Due(fw, done, now)
				if due != (ok && !now.Before(next)) {
					t.Fatalf("%s, %+v: at %s due %v for %s (done %s), but Next said %s", name, rules, show(now), due, show(slot), show(done), show(next))
				}
				if !due {
					continue
				}
				if slot.After(now) || !slot.After(done) || now.Sub(next) >= time.Minute {
					t.Fatalf("%s, %+v: at %s slot %s, done %s, Next said %s", name, rules, show(now), show(slot), show(done), show(next))
				}
				done = slot
				starts++
				next, ok = p.Next(fw, now)
			}
			if starts == 0 && days > 7 && !strings.Contains(fmt.Sprint(rules), " 1 * *") {
				t.Errorf("%s, %+v: nothing started", name, rules)
			}
		}
	}
	if played < 70 {
		t.Errorf("only %d plans were played", played)
	}
}

func TestNoSlotIsLostOrDoubledOverThreeYears(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Europe/London", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata"} {
		z := zone(t, name)
		for _, every := range []string{"15 1 * * *", "30 2 * * *", "0 0 * * *", "59 23 * * *", "30 1,2,3 * * *", "15 2 * * Sun"} {
			r := schedule.Rule{Every: every, Zone: z, Jitter: 10 * time.Minute}
			if every == "59 23 * * *" {
				r.Jitter = 0 // slots are counted by their day
			}
			p := plan(t, r)
			first := time.Date(2025, 1, 1, 0, 0, 0, 0, z).Add(-time.Second)
			end := time.Date(2028, 1, 1, 0, 0, 0, 0, z)
			if raced {
				first = end.AddDate(0, -2, 0).Add(-time.Second)
			}
			slots := map[string]int{}
			now := first
			for {
				next, ok := p.Next(fw, now)
				if !ok || !next.After(now) {
					t.Fatalf("%s in %s: after %s comes %s", every, name, show(now), show(next))
				}
				if !next.Before(end) {
					break
				}
				if slot, _ := p.Slot(fw, next); !slot.Equal(next) {
					t.Fatalf("%s in %s: the slot at %s is %s", every, name, show(next), show(slot))
				}
				slots[next.In(z).Format(time.DateOnly)]++
				now = next
			}
			for day := date(first.Add(time.Second).In(z)); day.Year() < 2028; day = day.AddDate(0, 0, 1) {
				want := 1
				switch {
				case every == "15 2 * * Sun" && day.Weekday() != time.Sunday:
					want = 0
				case strings.Contains(every, "1,2,3"):
					want = 3
				}
				got := slots[day.Format(time.DateOnly)]
				// Where the clock skips half past, it may fall on the moment of another.
				if got != want && (want != 3 || got != 2) || got == 2 && !changes(day, z) {
					t.Errorf("%s in %s: %d slots on %s, want %d", every, name, got, day.Format(time.DateOnly), want)
				}
			}
		}
	}
}

// date is noon of t's day by UTC.
func date(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 12, 0, 0, 0, time.UTC)
}

// changes tells whether the clock of a zone changes on a day.
func changes(day time.Time, z *time.Location) bool {
	_, a := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, z).Add(-time.Hour).Zone()
	_, b := time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, z).Zone()
	return a != b
}

func FuzzAnyTextIsARuleOrAnError(f *testing.F) {
	for _, s := range []string{"15 1 * * *", "@daily", "TZ=UTC", "*/0 * * * *", "1-0 * * * *", "? ? ? ? ?", "0 0 29 2 *", "@every 1h"} {
		f.Add(s, "01:00-05:00", "Mon-Fri 08:00-18:00")
	}
	f.Fuzz(func(t *testing.T, every, window, blackout string) {
		p, err := schedule.New([]schedule.Rule{{Every: every, Zone: time.UTC, Window: window, Blackout: []string{blackout}}})
		if err == nil {
			p.Next(fw, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		}
	})
}

// 10,000 devices are asked once a minute.
func BenchmarkAMinuteOfTenThousandDevices(b *testing.B) {
	var rules []schedule.Rule
	var fleet []devices.Device
	for c := range 200 {
		customer := fmt.Sprintf("customer-%d", c)
		rules = append(rules, schedule.Rule{
			Every: fmt.Sprintf("%d 1 * * *", c%60), Zone: zone(b, "Europe/London"), Customer: customer, Window: "01:00-05:00",
			Blackout: []string{"2026-12-24/2026-12-26", "Mon-Fri 08:00-18:00"}, Jitter: 30 * time.Minute,
		})
		for i := range 50 {
			fleet = append(fleet, devices.Device{Customer: customer, Name: fmt.Sprintf("sw-%d", i)})
		}
	}
	p := plan(b, rules...)
	now := at(b, "2026-03-28 00:00")
	b.Run("due", func(b *testing.B) {
		for b.Loop() {
			now = now.Add(time.Minute)
			for _, d := range fleet {
				p.Due(d, now.AddDate(0, 0, -1), now)
			}
		}
	})
	b.Run("next", func(b *testing.B) {
		for b.Loop() {
			now = now.Add(time.Minute)
			for _, d := range fleet {
				p.Next(d, now)
			}
		}
	})
}
