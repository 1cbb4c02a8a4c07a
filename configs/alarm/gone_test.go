package alarm_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/configs/alarm"
	"belay/devices"
)

func TestAlarmsOfADeviceThatLeftAreGoneButNeitherDamageNorTheGateOfAChange(t *testing.T) {
	t.Parallel()
	s := start()
	left := func(a configs.Alarm) configs.Alarm {
		a.Customer, a.Device, a.What = "acme", "acme/left", "it is so"
		return a
	}
	for _, a := range []configs.Alarm{
		left(configs.Alarm{Cause: configs.AlarmHostKey, Key: "SHA256:x"}), left(configs.Alarm{Cause: configs.AlarmHostKey, Key: "SHA256:y"}),
		left(configs.Alarm{Cause: configs.AlarmUnsaved}), left(configs.Alarm{Cause: configs.AlarmFlood, Key: "192.0.2.1"}),
		left(configs.Alarm{Cause: configs.AlarmGate}), left(configs.Alarm{Cause: configs.AlarmGate, Key: "c-1"}),
		left(configs.Alarm{Cause: configs.AlarmDamage, Key: "27dc47b8"}),
		key, {Cause: configs.AlarmDamage, Customer: "acme", Key: "more", What: "more"}, {Cause: configs.AlarmDisk, What: "full"},
	} {
		s.must(t, s.Raise(t.Context(), a))
	}
	standing, err := s.Standing(t.Context())
	s.must(t, err)
	var got []string
	for _, g := range alarm.Gone(standing, func(id devices.ID) bool { return id == "acme/sw-1" }) {
		got = append(got, g.Name())
	}
	slices.Sort(got)
	want := []string{"flood of messages|acme|acme/left|192.0.2.1", "gate refused|acme|acme/left|", "host key changed|acme|acme/left|SHA256:x",
		"host key changed|acme|acme/left|SHA256:y", "unsaved changes|acme|acme/left|"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestAnAlarmClearedForAReasonSaysItInTheLedgerAndToWhoeverWasTold(t *testing.T) {
	t.Parallel()
	s := start()
	s.must(t, s.Raise(t.Context(), key))
	s.must(t, s.Deliver(t.Context()))
	standing, err := s.Standing(t.Context())
	s.must(t, err)
	s.must(t, s.ClearFor(t.Context(), standing[0], "it left"))
	s.must(t, s.Deliver(t.Context()))
	s.heard(t, "host key changed: acme/sw-1", "over: host key changed: acme/sw-1")
	if text := s.box.got["noc"][1].Text; !strings.Contains(text, "it is over because it left") {
		t.Errorf("the reason is not told: %q", text)
	}
	var cleared []configs.Event
	for e, err := range s.ledger.Events(t.Context(), configs.Filter{Act: "clear alarm"}) {
		s.must(t, err)
		cleared = append(cleared, e)
	}
	if len(cleared) != 1 || cleared[0].Device != "acme/sw-1" || cleared[0].Customer != "acme" || cleared[0].By.Name != "belay" || !cleared[0].At.Equal(s.clock) {
		t.Fatalf("the ledger tells %+v", cleared)
	}
	if d := cmp.Diff(map[string]any{"cause": configs.AlarmHostKey, "key": "SHA256:x", "reason": "it left"}, cleared[0].Detail); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	// Where it comes back it is told anew, without the reason of then.
	s.must(t, s.Raise(t.Context(), key))
	standing, err = s.Standing(t.Context())
	s.must(t, err)
	if len(standing) != 1 || standing[0].Why != "" {
		t.Errorf("%+v", standing)
	}
}
