package watch

import (
	"testing"
	"time"

	"belay/configs"
	"belay/configs/memory"
	"belay/devices"
)

func TestWhatADeviceSaidIsForgottenWhenItHasLongBeenGone(t *testing.T) {
	t.Parallel()
	m := &memory.Marks{}
	for _, kind := range []string{markChanged, markUnsaved, markFound, "slot"} {
		if err := m.SetMarks(t.Context(), kind, configs.Mark{Key: "acme/here", Value: []byte("1")}, configs.Mark{Key: "acme/gone", Value: []byte("1")}, configs.Mark{Key: "acme/back", Value: []byte("1")}); err != nil {
			t.Fatal(err)
		}
	}
	left := func(kind string) (n int) {
		t.Helper()
		for _, err := range m.Marks(t.Context(), kind) {
			if n++; err != nil {
				t.Fatal(err)
			}
		}
		return n
	}
	const day = 24 * time.Hour
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	away := map[devices.ID]bool{"acme/gone": true, "acme/back": true}
	look := func(forgotten int) {
		t.Helper()
		n, err := Forget(t.Context(), m, func(id devices.ID) bool { return !away[id] }, now, 30*day)
		if n != forgotten || err != nil {
			t.Errorf("%v: %d were forgotten, want %d; %v", now, n, forgotten, err)
		}
	}
	look(0)
	now = now.Add(20 * day)
	delete(away, "acme/back")
	look(0)
	if n := left(markGone); n != 1 {
		t.Errorf("%d are taken for gone", n)
	}
	away["acme/back"] = true // and goes once more: from now on it counts
	look(0)
	now = now.Add(11 * day) // 31 days since the first look
	look(1)
	now = now.Add(-40 * day) // the clock is set back: it counts anew
	look(0)
	now = now.Add(29 * day)
	look(0)
	now = now.Add(2 * day)
	look(1)
	look(0)
	for _, kind := range []string{markChanged, markUnsaved, markFound} {
		if n := left(kind); n != 1 {
			t.Errorf("%s: %d are left", kind, n)
		}
	}
	if left("slot") != 3 || left(markGone) != 0 {
		t.Errorf("%d slots, %d gone", left("slot"), left(markGone))
	}
}
