package round

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/configs/memory"
	"belay/devices"
)

// A scene is a fleet whose devices are due each day at two, and what was asked of it.
type scene struct {
	*Rounds
	now    time.Time
	fleet  []devices.Device
	asked  []string
	told   map[string]func(configs.Result)
	began  int
	ended  []Round
	marks  *memory.Marks
	ledger *memory.Ledger
}

func day(d, h, m int) time.Time { return time.Date(2026, 3, d, h, m, 0, 0, time.UTC) }

func open(names ...string) *scene {
	s := &scene{marks: &memory.Marks{}, ledger: &memory.Ledger{}, now: day(1, 12, 0)}
	for _, n := range names {
		s.fleet = append(s.fleet, devices.Device{Customer: "acme", Name: n})
	}
	s.again()
	return s
}

// again is the service after a restart.
func (s *scene) again() {
	s.told = map[string]func(configs.Result){}
	s.asked = nil
	s.Rounds = &Rounds{
		Devices: func() []devices.Device { return s.fleet },
		Due: func(_ devices.Device, seen Seen, now time.Time) (time.Time, bool) {
			slot := time.Date(now.Year(), now.Month(), now.Day(), 2, 0, 0, 0, time.UTC)
			if slot.After(now) {
				slot = slot.AddDate(0, 0, -1)
			}
			return slot, seen.Slot.Before(slot) && seen.First.Before(slot)
		},
		Next: func(now time.Time) time.Time {
			next := time.Date(now.Year(), now.Month(), now.Day(), 2, 0, 0, 0, time.UTC)
			if !next.After(now) {
				next = next.AddDate(0, 0, 1)
			}
			return next
		},
		Submit: func(_ context.Context, d devices.Device, told func(configs.Result)) {
			s.asked = append(s.asked, d.Name)
			s.told[d.Name] = told
		},
		Marks: s.marks, Ledger: s.ledger, By: configs.Person{Name: "belay"}, Now: func() time.Time { return s.now },
		Began: func(context.Context, time.Time) { s.began++ },
		Ended: func(_ context.Context, r Round) { s.ended = append(s.ended, r) },
	}
}

func (s *scene) tick(t *testing.T, at time.Time) {
	t.Helper()
	s.now = at
	if err := s.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (s *scene) answer(name string, r configs.Outcome, err error) {
	s.told[name](configs.Result{Device: "acme/" + name, ID: devices.ID("acme/" + name), Result: r, Err: err, Verified: err == nil, Checks: []configs.Check{{}}})
}

func (s *scene) wantAsked(t *testing.T, names ...string) {
	t.Helper()
	if diff := cmp.Diff(names, s.asked); diff != "" {
		t.Errorf("captured (-want +got):\n%s", diff)
	}
	s.asked = nil
}

func TestEachDeviceIsCapturedOnceForEachSlot(t *testing.T) {
	t.Parallel()
	s := open("fw", "sw")
	s.tick(t, day(1, 12, 0)) // seen for the first time: nothing is due
	s.tick(t, day(2, 1, 59))
	s.wantAsked(t)
	s.tick(t, day(2, 2, 0))
	s.tick(t, day(2, 2, 1))
	s.wantAsked(t, "fw", "sw")
	s.answer("fw", configs.Unchanged, nil)
	s.answer("sw", configs.Unreachable, errors.New("no answer"))
	s.tick(t, day(2, 2, 2))
	s.wantAsked(t)
	s.tick(t, day(3, 2, 0))
	s.wantAsked(t, "fw", "sw")
}

func TestARestartForgetsNothingAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	s := open("fw", "sw", "rt")
	s.tick(t, day(1, 12, 0))
	s.tick(t, day(2, 2, 0))
	s.answer("fw", configs.Unchanged, nil)
	s.answer("rt", configs.Failed, context.Canceled) // the service was stopped over it
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.again()
	s.tick(t, day(2, 2, 5))
	s.wantAsked(t, "sw", "rt")
	s.again() // killed: nothing was flushed
	s.tick(t, day(2, 2, 6))
	s.wantAsked(t, "sw", "rt")
}

func TestNightsMissedAreCaughtUpOnce(t *testing.T) {
	t.Parallel()
	s := open("fw")
	s.tick(t, day(1, 12, 0))
	s.again()
	s.tick(t, day(9, 15, 0))
	s.wantAsked(t, "fw")
	s.answer("fw", configs.Unchanged, nil)
	s.tick(t, day(9, 15, 1))
	s.tick(t, day(10, 1, 0))
	s.wantAsked(t)
}

func TestADeviceThatCameWaitsForItsSlotAndOneThatLeftIsForgotten(t *testing.T) {
	t.Parallel()
	s := open("fw")
	s.tick(t, day(1, 12, 0))
	s.fleet = append(s.fleet, devices.Device{Customer: "acme", Name: "new"})
	s.tick(t, day(2, 3, 0))
	s.wantAsked(t, "fw")
	s.answer("fw", configs.Unchanged, nil)
	s.fleet = s.fleet[1:]
	s.tick(t, day(3, 2, 0))
	s.wantAsked(t, "new")
	s.answer("new", configs.Kept, nil)
	s.tick(t, day(3, 2, 1))
	var left []string
	for m, err := range s.marks.Marks(t.Context(), slots) {
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, m.Key)
	}
	if diff := cmp.Diff([]string{"acme/new"}, left); diff != "" {
		t.Errorf("remembered (-want +got):\n%s", diff)
	}
	want := configs.Event{At: day(3, 2, 0), Customer: "acme", Device: "acme/fw", By: configs.Person{Name: "belay"}, Act: Left}
	var got []configs.Event
	for _, e := range events(t, s) {
		if e.Act == Left {
			e.Seq = 0
			got = append(got, e)
		}
	}
	if diff := cmp.Diff([]configs.Event{want}, got); diff != "" {
		t.Errorf("recorded of those that left (-want +got):\n%s", diff)
	}
}

func TestADeviceRemovedWhileItIsCapturedHoldsNothingUp(t *testing.T) {
	t.Parallel()
	s := open("fw", "sw")
	s.tick(t, day(1, 12, 0))
	s.tick(t, day(2, 2, 0))
	s.fleet = s.fleet[:1]
	s.tick(t, day(2, 2, 1))
	s.answer("fw", configs.Unchanged, nil)
	s.answer("sw", configs.Unchanged, nil)
	s.tick(t, day(2, 2, 2))
	if len(s.ended) != 1 || s.ended[0].Unchanged != 2 {
		t.Errorf("ended %+v", s.ended)
	}
}

func TestAQuietRoundIsOneEvent(t *testing.T) {
	t.Parallel()
	s := open("fw", "sw")
	s.tick(t, day(1, 12, 0))
	s.tick(t, day(2, 2, 0))
	if at, n, ok := s.Underway(); !ok || n != 2 || !at.Equal(day(2, 2, 0)) {
		t.Errorf("under way: %v %d %t", at, n, ok)
	}
	s.answer("fw", configs.Unchanged, nil)
	s.tick(t, day(2, 2, 1))
	if len(s.ended) > 0 {
		t.Fatal("it ended with a device under way")
	}
	s.answer("sw", configs.Unchanged, nil)
	s.tick(t, day(2, 2, 2))
	if s.began != 1 || len(s.ended) != 1 {
		t.Fatalf("began %d times, ended %d times", s.began, len(s.ended))
	}
	want := []configs.Event{{Seq: 1, At: day(2, 2, 2), By: configs.Person{Name: "belay"}, Act: "round", Detail: map[string]any{
		"began": "2026-03-02T02:00:00Z", "devices": 2, "verified": 2, "unchanged": 2, "seconds": 120.0,
	}}}
	if diff := cmp.Diff(want, events(t, s)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestWhatWasNotQuietIsRecordedForItsCustomer(t *testing.T) {
	t.Parallel()
	s := open("fw", "sw", "rt")
	s.tick(t, day(1, 12, 0))
	s.tick(t, day(2, 2, 0))
	s.answer("fw", configs.Unchanged, nil)
	s.answer("sw", configs.Kept, nil)
	s.answer("rt", configs.Unchanged, errors.New("the second place is unproven"))
	s.tick(t, day(2, 2, 2))
	var acts []string
	for _, e := range events(t, s) {
		acts = append(acts, e.Customer+" "+e.Act)
		if e.Act != "capture" {
			continue
		}
		d, _ := e.Detail["devices"].(map[string]any)
		if diff := cmp.Diff([]string{"acme/rt", "acme/sw"}, slices.Sorted(maps.Keys(d))); diff != "" {
			t.Errorf("named (-want +got):\n%s", diff)
		}
	}
	slices.Sort(acts)
	if diff := cmp.Diff([]string{" round", "acme capture"}, acts); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestARoundWaitsForWhatIsSoonDue(t *testing.T) {
	t.Parallel()
	s := open("fw")
	s.tick(t, day(1, 12, 0))
	s.tick(t, day(2, 2, 0))
	s.answer("fw", configs.Unchanged, nil)
	next := s.Next
	s.Next = func(now time.Time) time.Time { return day(2, 2, 9) }
	s.tick(t, day(2, 2, 1))
	if len(s.ended) > 0 {
		t.Fatal("it ended though another device is due in eight minutes")
	}
	s.Next = next
	s.tick(t, day(2, 2, 2))
	if len(s.ended) != 1 {
		t.Error("it did not end")
	}
}

func TestARoundEndsThoughSomethingIsAlwaysDue(t *testing.T) {
	t.Parallel()
	s := open("fw")
	s.tick(t, day(1, 12, 0))
	s.Next = func(now time.Time) time.Time { return now.Add(time.Minute) }
	s.tick(t, day(2, 2, 0))
	s.answer("fw", configs.Unchanged, nil)
	s.tick(t, day(2, 2, 59))
	if len(s.ended) > 0 {
		t.Fatal("it ended within the hour")
	}
	s.tick(t, day(2, 3, 0))
	if len(s.ended) != 1 {
		t.Error("it did not end after an hour")
	}
}

func TestMarksThatCouldNotBeWrittenAreWrittenLater(t *testing.T) {
	t.Parallel()
	s := open("fw")
	s.tick(t, day(1, 12, 0))
	s.tick(t, day(2, 2, 0))
	s.answer("fw", configs.Unchanged, nil)
	fails := true
	s.marks.Fail = func(op string) error {
		if fails && op == "SetMarks" {
			return errors.New("disk full")
		}
		return nil
	}
	s.now = day(2, 2, 1)
	if err := s.Tick(t.Context()); err == nil {
		t.Error("a full disk went unnoticed")
	}
	fails = false
	s.tick(t, day(2, 2, 2))
	s.again()
	s.tick(t, day(2, 2, 3))
	s.wantAsked(t)
}

func events(t *testing.T, s *scene) []configs.Event {
	t.Helper()
	var all []configs.Event
	for e, err := range s.ledger.Events(t.Context(), configs.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}
