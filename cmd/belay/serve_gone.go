package main

import (
	"context"
	"errors"

	"belay/configs/alarm"
	"belay/devices"
)

// clearGone clears the alarms of devices that left the inventory, also while no
// service ran: nothing that it does would ever clear them. One that has another name
// now is there, for its id is.
//
// A command reads the inventory by itself, and may have raised an alarm of a device
// that the service does not know yet, or does not take because the settings were
// refused. So what stands is read first, and counts only where no file has changed
// since the inventory was read that it is held to.
func (s *server) clearGone(ctx context.Context, w *workspace) error {
	standing, err := w.alarms.Standing(ctx)
	if err != nil || len(standing) == 0 || s.live.changed() || s.live.why() != "" {
		return err
	}
	newest, leave := s.live.use()
	defer leave()
	there := func(id devices.ID) bool { _, ok := newest.byID[id]; return ok }
	var errs []error
	for _, a := range alarm.Gone(standing, there) {
		if err := newest.alarms.ClearFor(ctx, a, "the device is not in the inventory any more"); err != nil {
			errs = append(errs, err)
			continue
		}
		s.log.Info("an alarm was cleared: its device left the inventory", "device", a.Device, "cause", a.Cause)
	}
	return errors.Join(errs...)
}
