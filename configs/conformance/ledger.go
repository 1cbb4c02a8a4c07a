package conformance

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"belay/configs"
	"belay/devices"
)

// Ledger holds an implementation of configs.Ledger to its contract. Open gives
// an empty one each time.
func Ledger(t *testing.T, open func(t *testing.T) configs.Ledger) {
	for name, f := range map[string]func(*testing.T, configs.Ledger){
		"what is appended reads back in order": appendedReadsBack,
		"each filter chooses":                  filtersChoose,
		"the events of a change are found":     eventsOfAChange,
		"concurrent appends are all kept":      concurrentAppends,
		"whoever reads may append":             appendWhileReading,
		"an event out of order is refused":     badEvents,
		"a canceled context is its error":      canceledLedger,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

func event(minute int, id devices.ID, act string) configs.Event {
	return configs.Event{At: at(minute), Customer: id.Customer(), Device: id, By: configs.Person{Name: "Ada Example"}, Act: act}
}

func appendedReadsBack(t *testing.T, l configs.Ledger) {
	events := []configs.Event{
		{At: at(1).Add(123456789), Customer: "acme", Device: "acme/fw-hq", By: configs.Person{Name: "Ada Example", Email: "ada@example.net", Claimed: true},
			Act: "reveal", Detail: map[string]any{"reason": "lost <password> & \"quotes\" – Zürich", "files": []any{"running.conf"}, "count": 2.5, "ok": true}},
		{At: at(3), Customer: "acme", By: configs.Person{Name: "Bo"}, Act: "verify"},
		{At: at(2), By: configs.Person{Name: "Bo"}, Act: "init"},                // of no customer, and an earlier hour than the one before
		{At: at(4), Device: "acme/fw-hq", By: configs.Person{}, Act: "capture"}, // the customer follows from the device
	}
	for _, e := range events {
		if err := l.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	events[0].Seq, events[1].Seq, events[2].Seq, events[3].Seq = 1, 2, 1, 3
	events[3].Customer = "acme"
	if diff := cmp.Diff(events, all(t, l.Events(t.Context(), configs.Filter{})), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("events (-appended +read):\n%s", diff)
	}
}

func filtersChoose(t *testing.T, l configs.Ledger) {
	for i, e := range []configs.Event{
		event(0, "acme/fw-hq", "capture"), event(1, "acme/sw-1", "capture"), event(2, "bolt/fw-hq", "capture"),
		event(3, "acme/fw-hq", "reveal"), event(4, "acme/fw-hq", "capture"),
	} {
		if err := l.Append(t.Context(), e); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
	}
	for _, c := range []struct {
		f    configs.Filter
		want []int // minutes
	}{
		{configs.Filter{}, []int{0, 1, 2, 3, 4}},
		{configs.Filter{Customer: "acme"}, []int{0, 1, 3, 4}},
		{configs.Filter{Customer: "bolt"}, []int{2}},
		{configs.Filter{Customer: "ghost"}, nil},
		{configs.Filter{Device: "acme/fw-hq"}, []int{0, 3, 4}},
		{configs.Filter{Act: "reveal"}, []int{3}},
		{configs.Filter{Since: at(3)}, []int{3, 4}},
		{configs.Filter{Customer: "acme", Act: "capture", Since: at(1)}, []int{1, 4}},
		{configs.Filter{Customer: "bolt", Device: "acme/fw-hq"}, nil},
	} {
		var got []int
		for _, e := range all(t, l.Events(t.Context(), c.f)) {
			got = append(got, e.At.Minute())
		}
		if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.f, diff)
		}
	}
}

func eventsOfAChange(t *testing.T, l configs.Ledger) {
	in := func(change any, e configs.Event) configs.Event {
		e.Detail = map[string]any{"change": change, "system": "itglue"}
		return e
	}
	beside := event(5, "acme/fw-hq", "attach")
	beside.Detail = map[string]any{"exchange": "T1-fw-hq", "reason": `"change":"T1-fw-hq"`, "item": map[string]any{"change": "T1-fw-hq"}}
	for _, e := range []configs.Event{
		in("T1-fw-hq", event(0, "acme/fw-hq", "open change")), in("T1-fw-hq", event(1, "acme/fw-new", "after")), in("T1-fw-hq-2", event(2, "acme/fw-hq", "before")),
		in("T1-fw-hq", event(3, "bolt/fw-hq", "before")), event(4, "acme/fw-hq", "capture"), beside, in(1, event(6, "acme/fw-hq", "before")),
	} {
		if err := l.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		f    configs.Filter
		want []int // minutes
	}{
		{configs.Filter{Change: "T1-fw-hq"}, []int{0, 1, 3}},
		{configs.Filter{Change: "T1-fw-hq", Customer: "acme"}, []int{0, 1}},
		{configs.Filter{Change: "T1-fw-hq", Customer: "acme", Act: "after"}, []int{1}},
		{configs.Filter{Change: "T1-fw-hq", Device: "acme/fw-hq", Since: at(0)}, []int{0}},
		{configs.Filter{Change: "T1-fw-hq-2"}, []int{2}},
		{configs.Filter{Change: "1"}, nil},
		{configs.Filter{Change: "T1"}, nil},
	} {
		var got []int
		for _, e := range all(t, l.Events(t.Context(), c.f)) {
			got = append(got, e.At.Minute())
		}
		if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.f, diff)
		}
	}
}

func concurrentAppends(t *testing.T, l configs.Ledger) {
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			e := event(i, devices.ID(fmt.Sprintf("%s/sw-%d", []string{"acme", "bolt", "cord"}[i%3], i)), "capture")
			if err := l.Append(t.Context(), e); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	seen := map[devices.ID]bool{}
	for _, customer := range []string{"acme", "bolt", "cord"} {
		for i, e := range all(t, l.Events(t.Context(), configs.Filter{Customer: customer})) {
			if e.Seq != int64(i)+1 {
				t.Errorf("%s: the event at place %d has number %d", customer, i+1, e.Seq)
			}
			seen[e.Device] = true
		}
	}
	if len(seen) != 60 {
		t.Errorf("%d events kept, want 60", len(seen))
	}
}

func appendWhileReading(t *testing.T, l configs.Ledger) {
	for i := range 3 {
		if err := l.Append(t.Context(), event(i, "acme/fw-hq", "capture")); err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	for e, err := range l.Events(t.Context(), configs.Filter{Act: "capture"}) {
		if err != nil {
			t.Fatal(err)
		}
		seen++
		if err := l.Append(t.Context(), event(30, e.Device, "verify")); err != nil {
			t.Fatal(err)
		}
	}
	if seen != 3 {
		t.Errorf("read %d events, want 3", seen)
	}
	for _, err := range l.Events(t.Context(), configs.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		break // whoever has seen enough may stop
	}
	if n := len(all(t, l.Events(t.Context(), configs.Filter{}))); n != 6 {
		t.Errorf("%d events in all, want 6", n)
	}
}

func badEvents(t *testing.T, l configs.Ledger) {
	timeless := event(1, "acme/fw-hq", "capture")
	timeless.At = time.Time{}
	foreign := event(1, "acme/fw-hq", "capture")
	foreign.Customer = "bolt"
	for name, e := range map[string]configs.Event{
		"no time": timeless, "no act": event(1, "acme/fw-hq", ""), "a device of another customer": foreign,
	} {
		if err := l.Append(t.Context(), e); err == nil {
			t.Errorf("an event with %s was appended", name)
		}
	}
	if es := all(t, l.Events(t.Context(), configs.Filter{})); len(es) != 0 {
		t.Errorf("what was refused is in the ledger: %+v", es)
	}
}

func canceledLedger(t *testing.T, l configs.Ledger) {
	if err := l.Append(t.Context(), event(1, "acme/fw-hq", "capture")); err != nil {
		t.Fatal(err)
	}
	ctx := canceled(t)
	wantCanceled(t, "append", l.Append(ctx, event(2, "acme/fw-hq", "capture")))
	wantCanceled(t, "events", firstError(l.Events(ctx, configs.Filter{})))
	if n := len(all(t, l.Events(t.Context(), configs.Filter{}))); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}
