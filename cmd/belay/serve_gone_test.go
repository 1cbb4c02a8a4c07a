package main

import (
	"testing"
	"time"

	"belay/configs"
)

func TestTheServiceForgetsDevicesThatLeftLongAgo(t *testing.T) {
	t.Parallel()
	b := setBench(t, "", "fw")
	w, leave := b.live.use()
	t.Cleanup(leave)
	set := func() {
		t.Helper()
		if err := w.ledger.SetMarks(t.Context(), "unsaved", configs.Mark{Key: "acme/fw", Value: []byte("{}")}, configs.Mark{Key: "acme/gone", Value: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
	}
	set()
	for range 3 {
		if err := b.thin(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		b.pass(goneFor/2 + time.Hour)
	}
	here, err := w.ledger.Mark(t.Context(), "unsaved", "acme/fw")
	gone, bad := w.ledger.Mark(t.Context(), "unsaved", "acme/gone")
	if here == nil || gone != nil || err != nil || bad != nil {
		t.Errorf("%s, %s, %v, %v", here, gone, err, bad)
	}
}
