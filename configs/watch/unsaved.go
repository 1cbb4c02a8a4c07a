package watch

import (
	"context"
	"encoding/json"
	"time"

	"belay/configs"
	"belay/devices"
)

// A Lost is what a restart would lose: a device says that its configuration was
// touched after it was last saved.
type Lost struct {
	Since time.Time `json:"since"` // when it was last touched, by our clock
}

// settled is how long after its start a device is done reading its own saved
// configuration, which it counts as a change.
const settled = 3 * time.Minute

// saved compares when a device changed with when it was saved, and returns the
// mark that is to be written; nil: as before.
func (a *asking) saved(r Reading, now time.Time) *configs.Mark {
	changed, saved := r.Values[a.signals.Poll], r.Values[a.signals.Saved]
	if a.signals.Saved == "" || !changed.Ticks || !saved.Ticks {
		return nil // nothing is known, then and now
	}
	mark := configs.Mark{Key: string(a.device.ID())}
	age := ticks(r.UpTime - uint32(changed.Number)) //nolint:gosec // TimeTicks are 32 bits, and turn
	never := saved.Number == 0
	lost := changed.Number != 0 && (never && ticks(uint32(changed.Number)) > settled || //nolint:gosec // as above
		!never && age+ticks(jitter) < ticks(r.UpTime-uint32(saved.Number))) //nolint:gosec // as above
	if !lost {
		if a.unsaved == nil {
			return nil
		}
		a.unsaved = nil
		return &mark
	}
	since := now.Add(-age)
	if a.unsaved != nil && since.Sub(a.unsaved.Since).Abs() < drift {
		return nil
	}
	a.unsaved = &Lost{since}
	text, err := json.Marshal(a.unsaved)
	if err != nil {
		return nil
	}
	mark.Value = text
	return &mark
}

// Unsaved tells since when a device's configuration has been touched and not
// saved, as the device itself last said. Say no more of it than that: IOS calls
// it a touch when somebody leaves the configuration mode without an edit; and
// not ok is no proof of anything, for many devices do not tell, and what one
// tells is as old as the last time it was asked.
func Unsaved(ctx context.Context, marks configs.Marks, id devices.ID) (since time.Time, ok bool, err error) {
	l, ok, err := configs.ReadMark[Lost](ctx, marks, markUnsaved, string(id))
	return l.Since, ok && err == nil, err
}
