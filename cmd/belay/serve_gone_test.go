package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/devices"
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

// stands is what a service's alarms are about, in the order they came.
func (b *bench) stands(t *testing.T) (all []string) {
	t.Helper()
	w, leave := b.live.use()
	defer leave()
	standing, err := w.alarms.Standing(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range standing {
		all = append(all, s.Cause+" "+string(s.Device))
	}
	return all
}

func TestTheAlarmsOfADeviceThatLeftTheInventoryAreCleared(t *testing.T) {
	t.Parallel()
	b := setBench(t, "", "sw", "fw", "gone")
	look := func(want ...string) {
		t.Helper()
		w, leave := b.live.use()
		defer leave()
		if err := b.tellAlarms(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, b.stands(t)); d != "" {
			t.Errorf("-want +got:\n%s\n%s", d, b.said())
		}
	}
	raise := func(cause, key string, name string) {
		t.Helper()
		w, leave := b.live.use()
		defer leave()
		b.pass(time.Second)
		if err := w.alarms.Raise(t.Context(), configs.Alarm{Cause: cause, Customer: "acme", Device: devices.ID("acme/" + name), Key: key, What: "so it is"}); err != nil {
			t.Fatal(err)
		}
	}
	raise(configs.AlarmHostKey, "SHA256:x", "gone")
	raise(configs.AlarmDamage, "27dc47b8", "gone")
	raise(configs.AlarmHostKey, "SHA256:y", "sw")
	raise(configs.AlarmUnsaved, "", "fw")
	all := []string{"host key changed acme/gone", "damage acme/gone", "host key changed acme/sw", "unsaved changes acme/fw"}
	look(all...)

	// What is wrong with the settings changes nothing, and neither does a file that
	// was not read yet: who raised an alarm may know more than the service.
	b.write(t, "devices.yaml", "devices: [what is this\n")
	look(all...)
	b.reload(t.Context())
	raise(configs.AlarmUnsaved, "", "newcomer")
	all = append(all, "service ", "unsaved changes acme/newcomer")
	look(all...)
	const rest = "  - {customer: acme, name: fw, address: 127.0.0.1, driver: cisco_ios}\n  - {customer: acme, name: newcomer, address: 127.0.0.1, driver: cisco_ios}\n"
	b.write(t, "devices.yaml", "devices:\n  - {customer: acme, name: sw-hq, id: sw, address: 127.0.0.1, driver: cisco_ios}\n"+rest)
	look(all...)

	// Renamed is not removed. Damage of what was kept stays.
	old, leave := b.live.use()
	defer leave()
	b.reload(t.Context())
	if err := b.clearGone(t.Context(), old); err != nil { // as a chore that began before
		t.Error(err)
	}
	look("damage acme/gone", "host key changed acme/sw", "unsaved changes acme/fw", "unsaved changes acme/newcomer")
	b.write(t, "devices.yaml", "devices:\n  - {customer: acme, name: sw-hq, id: sw, address: 127.0.0.1, driver: cisco_ios}\n"+rest+"  - {customer: acme, name: latest, address: 127.0.0.1, driver: cisco_ios}\n")
	raise(configs.AlarmUnsaved, "", "latest") // by a command that has read the file
	look("damage acme/gone", "host key changed acme/sw", "unsaved changes acme/fw", "unsaved changes acme/newcomer", "unsaved changes acme/latest")
	var why []string
	for e, err := range old.ledger.Events(t.Context(), configs.Filter{Act: "clear alarm"}) {
		if err != nil {
			t.Fatal(err)
		}
		why = append(why, fmt.Sprint(e.Device, " ", e.Detail["cause"], ": ", e.Detail["reason"]))
	}
	if d := cmp.Diff([]string{"acme/gone host key changed: the device is not in the inventory any more"}, why); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestTheAlarmsOfADeviceThatLeftWhileNoServiceRanAreCleared(t *testing.T) {
	t.Parallel()
	b := setBench(t, "", "sw")
	w, leave := b.live.use()
	defer leave()
	if err := w.alarms.Raise(t.Context(), configs.Alarm{Cause: configs.AlarmHostKey, Customer: "acme", Device: "acme/gone", What: "so it is"}); err != nil {
		t.Fatal(err)
	}
	b.work(t)
	b.until(t, func() bool { return len(b.stands(t)) == 0 })
}
