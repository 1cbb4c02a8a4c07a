package alarm

import (
	"cmp"
	"context"

	"belay/configs"
	"belay/devices"
)

// Gone are the alarms that nobody would clear any more, now that their device has
// left: it is not captured again, so no key is compared and nothing is found saved.
// Damage is not among them: what was kept of a device stays, and so does what is
// wrong with it. Nor is the gate of a change: that ends with the change, and whoever
// takes a device off the list has not backed it up by that.
func Gone(standing []Standing, there func(devices.ID) bool) (gone []Standing) {
	for _, s := range standing {
		ofChange := s.Cause == configs.AlarmGate && s.Key != ""
		if s.Device != "" && s.Cause != configs.AlarmDamage && !ofChange && !there(s.Device) {
			gone = append(gone, s)
		}
	}
	return gone
}

// ClearFor clears an alarm for another reason than that its cause is gone. The
// ledger tells why, and so does the message that it is over.
func (b *Bell) ClearFor(ctx context.Context, s Standing, why string) error {
	if b.Ledger != nil {
		what := map[string]any{"cause": s.Cause, "reason": why}
		if s.Key != "" {
			what["key"] = s.Key
		}
		customer := cmp.Or(s.Customer, s.Device.Customer())
		e := configs.Event{At: b.Now(), Customer: customer, Device: deviceOf(s.Alarm, customer), By: b.By, Act: "clear alarm", Detail: what}
		if err := b.Ledger.Append(ctx, e); err != nil {
			return err
		}
	}
	return b.clear(ctx, s.Alarm, why)
}
