package conformance

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/devices"
)

// CheckLog holds an implementation of configs.CheckLog to its contract. Open
// gives an empty one each time.
func CheckLog(t *testing.T, open func(t *testing.T) configs.CheckLog) {
	for name, f := range map[string]func(*testing.T, configs.CheckLog){
		"the newest reading is at hand":          newestReading,
		"a wrong clock hides nothing for ever":   wrongClocks,
		"the newest of every device are at hand": newestOfAll,
		"concurrent readings are kept":           concurrentReadings,
		"a name that is none is refused":         badReadings,
		"a canceled context is its error":        canceledCheckLog,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

func newestReading(t *testing.T, l configs.CheckLog) {
	if c, ok, err := l.LastChecked(t.Context(), "acme/fw-hq"); ok || err != nil {
		t.Fatalf("before the first: %+v, %t, %v", c, ok, err)
	}
	const commit = "3f2a6c1b9d0e4f5a8b7c6d5e4f3a2b1c0d9e8f7a"
	second := at(2).Add(7 * time.Nanosecond)
	kept := configs.Checked{ID: "acme/fw-hq", At: at(1), Result: configs.Kept, Commit: commit, Seconds: 2.125, Verified: true}
	unchanged := configs.Checked{ID: "acme/fw-hq", At: second, Result: configs.Unchanged, Commit: commit, Seconds: 1.5}
	failed := configs.Checked{ID: "acme/fw-hq", At: at(3), Result: configs.Unreachable, Error: "dial: no answer"}
	same := configs.Checked{ID: "acme/fw-hq", At: at(3), Result: configs.Refused, Error: "end mark", Seconds: 3} // at the same moment: the later call
	late := configs.Checked{ID: "acme/fw-hq", At: at(0), Result: configs.Denied, Error: "login"}                 // an older reading that came late
	told := configs.Checked{ID: "acme/fw-hq", At: at(4), Result: configs.Failed, Good: at(50), Proven: at(50)}   // the log knows better
	again := configs.Checked{ID: "acme/fw-hq", At: at(5), Result: configs.Unchanged, Commit: commit, Verified: true}
	lateGood := configs.Checked{ID: "acme/fw-hq", At: at(2).Add(30 * time.Second), Result: configs.Unchanged, Commit: commit}
	for i, step := range []struct {
		tell, want   configs.Checked
		good, proven time.Time
	}{
		{kept, kept, at(1), at(1)}, {unchanged, unchanged, second, at(1)}, {failed, failed, second, at(1)}, {same, same, second, at(1)}, {late, same, second, at(1)},
		{lateGood, same, lateGood.At, at(1)}, {told, told, lateGood.At, at(1)}, {again, again, at(5), at(5)},
	} {
		if err := l.Checked(t.Context(), step.tell); err != nil {
			t.Fatal(err)
		}
		wantNewest(t, l, fmt.Sprint("step ", i), step.want, step.good, step.proven)
	}
	if c, ok, err := l.LastChecked(t.Context(), "bolt/fw-hq"); ok || err != nil {
		t.Errorf("another customer's device of that name: %+v, %t, %v", c, ok, err)
	}
}

// wantNewest asks in both ways for the newest reading of a log's only device.
func wantNewest(t *testing.T, l configs.CheckLog, when string, want configs.Checked, good, proven time.Time) {
	t.Helper()
	want.Good, want.Proven = good, proven
	got, ok, err := l.LastChecked(t.Context(), want.ID)
	if err != nil || !ok {
		t.Fatalf("%s: ok %t, error %v", when, ok, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", when, diff)
	}
	if diff := cmp.Diff([]configs.Checked{want}, all(t, l.Newest(t.Context()))); diff != "" {
		t.Errorf("%s, of all (-want +got):\n%s", when, diff)
	}
}

// A clock was set ahead by a year and put right; another fell back and was put right.
func wrongClocks(t *testing.T, l configs.CheckLog) {
	for i, step := range []struct {
		at       time.Time
		result   configs.Outcome
		verified bool

		newest, good, proven time.Time
	}{
		{at(0), configs.Kept, true, at(0), at(0), at(0)},
		{at(1).AddDate(1, 0, 0), configs.Unchanged, true, at(1).AddDate(1, 0, 0), at(1).AddDate(1, 0, 0), at(1).AddDate(1, 0, 0)},
		{at(2), configs.Failed, false, at(2), at(0), at(0)}, // not good until next year
		{at(3), configs.Unchanged, false, at(3), at(3), at(0)},
		{at(4).AddDate(-1, 0, 0), configs.Failed, false, at(4).AddDate(-1, 0, 0), time.Time{}, time.Time{}},
		{at(5), configs.Failed, false, at(5), at(3), at(0)}, // known again
		{at(5).Add(-59 * time.Minute), configs.Denied, false, at(5), at(3), at(0)},
		{at(5).Add(-61 * time.Minute), configs.Unchanged, true, at(5).Add(-61 * time.Minute), at(3), at(0)},
		{at(6), configs.Unchanged, true, at(6), at(6), at(6)},
	} {
		c := configs.Checked{ID: "acme/fw-hq", At: step.at, Result: step.result, Verified: step.verified}
		if err := l.Checked(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		got := must[configs.Checked](t)(last(t.Context(), l))
		if !got.At.Equal(step.newest) || !got.Good.Equal(step.good) || !got.Proven.Equal(step.proven) || got.Good.IsZero() != step.good.IsZero() {
			t.Errorf("step %d: read %s, good %s, proven %s; want %s, %s, %s", i, got.At, got.Good, got.Proven, step.newest, step.good, step.proven)
		}
	}
}

func last(ctx context.Context, l configs.CheckLog) (configs.Checked, error) {
	c, _, err := l.LastChecked(ctx, "acme/fw-hq")
	return c, err
}

func newestOfAll(t *testing.T, l configs.CheckLog) {
	for i, id := range []devices.ID{"bolt/a", "acme/sw-2", "acme/sw-10", "acme/sw-2"} {
		if err := l.Checked(t.Context(), configs.Checked{ID: id, At: at(i), Result: configs.Unchanged}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for c, err := range l.Newest(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %d", c.ID, c.At.Minute()))
		// Whoever walks through them may write.
		if err := l.Checked(t.Context(), configs.Checked{ID: c.ID, At: at(30), Result: configs.Failed}); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"acme/sw-10 2", "acme/sw-2 3", "bolt/a 0"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, err := range l.Newest(t.Context()) {
		if err != nil {
			t.Error(err)
		}
		break // and may stop
	}
}

func concurrentReadings(t *testing.T, l configs.CheckLog) {
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			for j := range 3 {
				if err := l.Checked(t.Context(), configs.Checked{ID: devices.ID(fmt.Sprintf("acme/sw-%d", i)), At: at(j), Result: configs.Unchanged}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for i := range 40 {
		c, ok, err := l.LastChecked(t.Context(), devices.ID(fmt.Sprintf("acme/sw-%d", i)))
		if err != nil || !ok || !c.At.Equal(at(2)) {
			t.Errorf("sw-%d: %+v, %t, %v", i, c, ok, err)
		}
	}
}

func badReadings(t *testing.T, l configs.CheckLog) {
	for _, id := range noNames {
		if err := l.Checked(t.Context(), configs.Checked{ID: id, At: at(1), Result: configs.Kept}); err == nil {
			t.Errorf("a reading of %q was taken", id)
		}
	}
}

func canceledCheckLog(t *testing.T, l configs.CheckLog) {
	ctx := canceled(t)
	wantCanceled(t, "checked", l.Checked(ctx, configs.Checked{ID: "acme/fw-hq", At: at(1), Result: configs.Kept}))
	_, _, err := l.LastChecked(ctx, "acme/fw-hq")
	wantCanceled(t, "last checked", err)
	wantCanceled(t, "newest", firstError(l.Newest(ctx)))
}
