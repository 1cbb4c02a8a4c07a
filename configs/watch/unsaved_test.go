package watch

import (
	"testing"
	"time"

	"belay/configs"
	"belay/configs/memory"
	"belay/devices"
)

// What a reading finds and what a device says when it is asked are one fact.
func TestWhatAReadingFindsAndWhatADeviceSaysAreOneFact(t *testing.T) {
	t.Parallel()
	marks := &memory.Marks{}
	at := func(hour int) time.Time { return time.Date(2026, 3, 4, hour, 0, 0, 0, time.UTC) }
	const id = devices.ID("acme/sw-1")
	found := func(unsaved bool, hour int, over bool) {
		t.Helper()
		if got, err := Found(t.Context(), marks, id, unsaved, at(hour)); err != nil || got != over {
			t.Errorf("over %t, %v; want %t", got, err, over)
		}
	}
	want := func(hour int, read bool) {
		t.Helper()
		l, ok, err := Unsaved(t.Context(), marks, id)
		if err != nil || ok != (hour > 0) || ok && (!l.Since.Equal(at(hour)) || l.Read != read) {
			t.Errorf("%+v, %t, %v; want hour %d, read %t", l, ok, err, hour, read)
		}
		if _, ok, err := Unsaved(t.Context(), marks, "acme/sw-2"); ok || err != nil {
			t.Errorf("another device: %t, %v", ok, err)
		}
	}
	want(0, false)
	found(false, 1, false)
	want(0, false)
	found(true, 2, false)
	want(2, true)
	found(true, 3, false) // still: since the first time
	want(2, true)
	if err := configs.WriteMark(t.Context(), marks, markUnsaved, string(id), Lost{Since: at(1)}); err != nil {
		t.Fatal(err)
	}
	want(2, true)
	found(false, 4, true)
	want(1, false) // the device still says so
	found(false, 5, false)
}
