package conformance

import (
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
		"the newest reading is at hand":   newestReading,
		"concurrent readings are kept":    concurrentReadings,
		"a name that is none is refused":  badReadings,
		"a canceled context is its error": canceledCheckLog,
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
	kept := configs.Checked{ID: "acme/fw-hq", At: at(1), Result: configs.Kept, Commit: commit, Seconds: 2.125}
	unchanged := configs.Checked{ID: "acme/fw-hq", At: at(2).Add(7 * time.Nanosecond), Result: configs.Unchanged, Commit: commit, Seconds: 1.5}
	failed := configs.Checked{ID: "acme/fw-hq", At: at(3), Result: configs.Unreachable, Error: "dial: no answer"}
	same := configs.Checked{ID: "acme/fw-hq", At: at(3), Result: configs.Refused, Error: "end mark", Seconds: 3} // at the same moment: the later call
	late := configs.Checked{ID: "acme/fw-hq", At: at(0), Result: configs.Denied, Error: "login"}                 // an older reading that came late
	for i, step := range []struct{ tell, want configs.Checked }{
		{kept, kept}, {unchanged, unchanged}, {failed, failed}, {same, same}, {late, same},
	} {
		if err := l.Checked(t.Context(), step.tell); err != nil {
			t.Fatal(err)
		}
		got, ok, err := l.LastChecked(t.Context(), "acme/fw-hq")
		if err != nil || !ok {
			t.Fatalf("step %d: ok %t, error %v", i, ok, err)
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("step %d (-want +got):\n%s", i, diff)
		}
	}
	if c, ok, err := l.LastChecked(t.Context(), "bolt/fw-hq"); ok || err != nil {
		t.Errorf("another customer's device of that name: %+v, %t, %v", c, ok, err)
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
}
