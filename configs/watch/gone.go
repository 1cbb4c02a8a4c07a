package watch

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"belay/configs"
	"belay/devices"
)

// markGone is the kind of the marks that say since when a device is not in the
// inventory of which something is remembered here.
const markGone = "gone"

// Forget drops what is remembered of devices that have not been in the inventory
// for longer than after: what they last said of their changes, and what was found
// unsaved. One that comes back before is as if it had never been away. It returns
// how many devices were forgotten. Nothing of it is evidence: that is in the ledger's
// chains and in the histories.
func Forget(ctx context.Context, marks configs.Marks, there func(devices.ID) bool, now time.Time, after time.Duration) (n int, err error) {
	kinds := []string{markChanged, markUnsaved, markFound}
	of := map[string][]string{} // kinds by key, of those that are not there
	for _, kind := range kinds {
		for m, err := range marks.Marks(ctx, kind) {
			if err != nil {
				return 0, err
			}
			if !there(devices.ID(m.Key)) {
				of[m.Key] = append(of[m.Key], kind)
			}
		}
	}
	since := map[string]time.Time{}
	drop := map[string][]configs.Mark{}
	for m, err := range marks.Marks(ctx, markGone) {
		if err != nil {
			return 0, err
		}
		var t time.Time
		switch err := json.Unmarshal(m.Value, &t); {
		case of[m.Key] == nil: // it is back, or nothing is left of it
			drop[markGone] = append(drop[markGone], configs.Mark{Key: m.Key})
		case err == nil && !t.After(now): // or the clock was set back
			since[m.Key] = t
		}
	}
	for key, kinds := range of {
		t, known := since[key]
		switch {
		case !known:
			value, err := json.Marshal(now)
			if err != nil {
				return 0, err
			}
			drop[markGone] = append(drop[markGone], configs.Mark{Key: key, Value: value})
		case now.Sub(t) > after:
			n++
			for _, kind := range append(kinds, markGone) {
				drop[kind] = append(drop[kind], configs.Mark{Key: key})
			}
		}
	}
	var errs []error
	for _, kind := range append(kinds, markGone) {
		if len(drop[kind]) > 0 {
			errs = append(errs, marks.SetMarks(ctx, kind, drop[kind]...))
		}
	}
	return n, errors.Join(errs...)
}
