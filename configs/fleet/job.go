package fleet

import (
	"context"
	"errors"
	"time"

	"belay/configs"
	"belay/devices"
)

// Why a device is captured, which is also how urgent that is.
type Why uint8

// The reasons, the least urgent first. Within one the customers take turns.
// What is tried again, and what refused its login the last time, comes after all
// that is not Asked.
const (
	Nightly   Why = iota // the schedule says so
	Triggered            // something tells that its configuration changed
	Asked                // a person waits for it: at once, once, whatever rests
)

func (w Why) String() string {
	switch w {
	case Nightly:
		return "nightly"
	case Triggered:
		return "triggered"
	}
	return "asked"
}

// A Job is one device to capture. Jobs of one device are served by one reading
// where their orders allow.
type Job struct {
	Device devices.Device
	Order  configs.Order
	Why    Why
	Until  time.Time // it does not begin later, nor is it tried again; zero: no end
	Once   bool      // somebody waits for the result: what may pass is told and not tried again
}

// A Final is the last word on a job.
type Final struct {
	configs.Result
	Job   *Job
	Tries int // readings of the device that were made for it; 0: none, it rests or was left out
}

// errLate is what becomes of a job whose time was over before its turn came.
var errLate = errors.New("its time was over before its turn came")

// leftOut is the result of a job that never began.
func leftOut(d devices.Device, why error) configs.Result {
	r := configs.Result{Device: d.String(), ID: d.ID(), Result: configs.Failed, Checks: []configs.Check{}}
	switch {
	case errors.Is(why, context.Canceled):
		r.Err, r.Error = why, "interrupted before it began"
		return r
	case errors.Is(why, context.DeadlineExceeded):
		why = errLate
	}
	r.Err = &devices.Error{Op: "capture", Device: r.Device, Err: why, Hint: "belay capture " + r.Device}
	r.Error, r.Hint = r.Err.Error(), devices.HintOf(r.Err)
	return r
}

// loggedIn tells whether the device let us in.
func loggedIn(r configs.Result) bool {
	return r.Result == configs.Kept || r.Result == configs.Unchanged || r.Result == configs.Refused
}

// refusedLogin tells whether it did not. A host key that does not match is
// another thing: no password was sent.
func refusedLogin(r configs.Result) bool {
	return r.Err != nil && devices.KindOf(r.Err) == devices.Denied
}
