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
	Since time.Time `json:"since"`          // when it was last touched, by our clock
	Read  bool      `json:"read,omitempty"` // found by a reading, the first that did; else the device was asked by SNMP
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
	a.unsaved = &Lost{Since: since}
	text, err := json.Marshal(a.unsaved)
	if err != nil {
		return nil
	}
	mark.Value = text
	return &mark
}

// Found notes what a reading of a device found: that its saved configuration is
// another one than the running one, or that it says so itself. over: that was so
// and is no more.
func Found(ctx context.Context, marks configs.Marks, id devices.ID, unsaved bool, at time.Time) (over bool, err error) {
	_, was, err := configs.ReadMark[Lost](ctx, marks, markFound, string(id))
	if err != nil || was == unsaved {
		return false, err
	}
	if unsaved {
		return false, configs.WriteMark(ctx, marks, markFound, string(id), Lost{Since: at, Read: true})
	}
	return true, marks.SetMarks(ctx, markFound, configs.Mark{Key: string(id)})
}

// Unsaved tells since when a device's configuration has been touched and not
// saved, as the last reading found, or else as the device itself last said. Say no
// more of the latter than that: IOS calls it a touch when somebody leaves the
// configuration mode without an edit; and not ok is no proof of anything, for many
// devices do not tell, and what one tells is as old as the last time it was asked.
func Unsaved(ctx context.Context, marks configs.Marks, id devices.ID) (l Lost, ok bool, err error) {
	for _, kind := range []string{markFound, markUnsaved} {
		if l, ok, err = configs.ReadMark[Lost](ctx, marks, kind, string(id)); ok || err != nil {
			return l, ok && err == nil, err
		}
	}
	return Lost{}, false, nil
}
