package conformance

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
)

// Marks holds an implementation of configs.Marks to its contract. Open gives an
// empty one each time.
func Marks(t *testing.T, open func(t *testing.T) configs.Marks) {
	for name, f := range map[string]func(*testing.T, configs.Marks){
		"a mark is remembered and taken away": setMarks,
		"marks of a kind come by key":         marksByKey,
		"a mark is swapped where it is old":   swapMark,
		"one of many swaps":                   concurrentSwaps,
		"a canceled context is its error":     canceledMarks,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

func wantMark(t *testing.T, m configs.Marks, kind, key, want string) {
	t.Helper()
	got, err := m.Mark(t.Context(), kind, key)
	if err != nil || (got == nil) != (want == "") || string(got) != want {
		t.Errorf("mark %s %s: got %q, error %v; want %q", kind, key, got, err, want)
	}
}

func setMarks(t *testing.T, m configs.Marks) {
	wantMark(t, m, "slot", "acme/fw-hq", "")
	value := []byte(`{"at":1}`)
	if err := m.SetMarks(t.Context(), "slot", configs.Mark{Key: "acme/fw-hq", Value: value}, configs.Mark{Key: "acme/sw", Value: []byte(`2`)}); err != nil {
		t.Fatal(err)
	}
	value[1] = '!' // what is written is no longer the caller's
	wantMark(t, m, "slot", "acme/fw-hq", `{"at":1}`)
	wantMark(t, m, "slot", "acme/sw", `2`)
	wantMark(t, m, "scrub", "acme/fw-hq", "")
	if err := m.SetMarks(t.Context(), "slot", configs.Mark{Key: "acme/fw-hq", Value: []byte(`3`)}, configs.Mark{Key: "acme/sw"}, configs.Mark{Key: "acme/none"}); err != nil {
		t.Fatal(err)
	}
	wantMark(t, m, "slot", "acme/fw-hq", `3`)
	wantMark(t, m, "slot", "acme/sw", "")
	if err := m.SetMarks(t.Context(), "slot"); err != nil {
		t.Errorf("no marks: %v", err)
	}
	// Of one call the last word for a key counts.
	if err := m.SetMarks(t.Context(), "slot", configs.Mark{Key: "twice", Value: []byte(`1`)}, configs.Mark{Key: "twice", Value: []byte(`2`)}); err != nil {
		t.Fatal(err)
	}
	wantMark(t, m, "slot", "twice", `2`)
}

func marksByKey(t *testing.T, m configs.Marks) {
	for _, key := range []string{"b", "a/10", "a/2", "", "Zoë"} {
		if err := m.SetMarks(t.Context(), "slot", configs.Mark{Key: key, Value: []byte(`"` + key + `"`)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.SetMarks(t.Context(), "other", configs.Mark{Key: "c", Value: []byte(`1`)}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for k, err := range m.Marks(t.Context(), "slot") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, k.Key+"="+string(k.Value))
		// Whoever walks through them may write.
		if err := m.SetMarks(t.Context(), "slot", configs.Mark{Key: k.Key}); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{`=""`, `Zoë="Zoë"`, `a/10="a/10"`, `a/2="a/2"`, `b="b"`}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, err := range m.Marks(t.Context(), "other") {
		if err != nil {
			t.Error(err)
		}
		break // and may stop
	}
	if left := all(t, m.Marks(t.Context(), "slot")); len(left) != 0 {
		t.Errorf("%d marks are left that were taken away", len(left))
	}
}

func swapMark(t *testing.T, m configs.Marks) {
	for i, step := range []struct {
		old, value string
		want       bool
		after      string
	}{
		{"1", "2", false, ""}, {"", "", true, ""}, {"", "1", true, "1"}, {"", "2", false, "1"}, {"2", "3", false, "1"},
		{"1", "2", true, "2"}, {"1", "", false, "2"}, {"2", "", true, ""},
	} {
		swapped, err := m.SwapMark(t.Context(), "turn", "night", markValue(step.old), markValue(step.value))
		if err != nil || swapped != step.want {
			t.Errorf("step %d: swapped %t, error %v; want %t", i, swapped, err, step.want)
		}
		wantMark(t, m, "turn", "night", step.after)
	}
}

func markValue(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

func concurrentSwaps(t *testing.T, m configs.Marks) {
	var wg sync.WaitGroup
	var won atomic.Int32
	for i := range 20 {
		wg.Go(func() {
			for turn := range 3 { // each turn is done once
				swapped, err := m.SwapMark(t.Context(), "turn", fmt.Sprint(turn), nil, []byte(fmt.Sprint(i)))
				if err != nil {
					t.Error(err)
				}
				if swapped {
					won.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if won.Load() != 3 {
		t.Errorf("%d swaps won, want 3", won.Load())
	}
}

func canceledMarks(t *testing.T, m configs.Marks) {
	ctx := canceled(t)
	_, err := m.Mark(ctx, "slot", "a")
	wantCanceled(t, "mark", err)
	wantCanceled(t, "marks", firstError(m.Marks(ctx, "slot")))
	wantCanceled(t, "set marks", m.SetMarks(ctx, "slot", configs.Mark{Key: "a", Value: []byte(`1`)}))
	_, err = m.SwapMark(ctx, "slot", "a", nil, []byte(`1`))
	wantCanceled(t, "swap a mark", err)
	wantMark(t, m, "slot", "a", "")
}
