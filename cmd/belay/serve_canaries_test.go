package main

import (
	"testing"

	"belay/cmd/belay/canary"
	"belay/configs"
)

func TestCanariesThatCouldNotBeTriedAreAnAlarmOnce(t *testing.T) {
	t.Parallel()
	b := setBench(t, "", "fw")
	w, leave := b.live.use()
	t.Cleanup(leave)
	standing := func() (n int) {
		t.Helper()
		list, err := w.alarms.Standing(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range list {
			if a.Cause == configs.AlarmService && a.Key == "canaries" {
				n++
			}
		}
		return n
	}
	b.toldOfUntried(t.Context(), w, []canary.Sight{{Name: "well: frr"}})
	if standing() != 0 {
		t.Error("there is an alarm of none")
	}
	b.toldOfUntried(t.Context(), w, []canary.Sight{{Name: "well: frr"}, {Name: "cut: ios", Error: "no port"}})
	b.toldOfUntried(t.Context(), w, nil)
	if n := standing(); n != 1 {
		t.Errorf("%d alarms stand", n)
	}
	b.canaries(t.Context()) // now they are tried
	if n := standing(); n != 0 {
		t.Errorf("%d alarms stand when all were tried\n%s", n, b.said())
	}
}
