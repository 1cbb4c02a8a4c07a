package configs

import (
	"context"
	"errors"
	"strings"

	"belay/devices"
)

// A Result is what came of capturing one device. As JSON it is what scripts
// read: the first nine fields are a contract and always there, the others only
// where there is something to tell.
type Result struct {
	Device   string  `json:"device"`
	Result   Outcome `json:"result"`
	Verified bool    `json:"verified"`
	Version  string  `json:"version"` // the one that stands; may be empty
	Grade    Level   `json:"grade"`   // of what was kept; else empty
	Checks   []Check `json:"checks"`
	Error    string  `json:"error"`
	Hint     string  `json:"hint"`
	Seconds  float64 `json:"seconds"`

	Missing  []string         `json:"missing,omitempty"`  // for a restore, where the grade is lower
	Attested string           `json:"attested,omitempty"` // who says that an export is this device's; it is never verified
	Proofs   []Proof          `json:"proofs,omitempty"`   // what was read again, and where
	Warnings []string         `json:"warnings,omitempty"` // what went wrong without harm
	Unsaved  bool             `json:"unsaved,omitempty"`  // a restart of the device would lose changes
	Identity devices.Identity `json:"identity,omitzero"`  // who the device says it is
	Reached  devices.Reached  `json:"session,omitzero"`   // how it was reached: algorithms, host key

	Doubted bool `json:"-"` // the checks themselves were in doubt: see Backup.Doubt

	ID  devices.ID `json:"-"`
	Err error      `json:"-"`
}

// Brief is what a run of thousands of devices remembers of a result that was told:
// how it ended, without the session's whole story.
func (r Result) Brief() Result {
	return Result{
		Device: r.Device, Result: r.Result, Verified: r.Verified, Version: r.Version, Error: r.Error, Hint: r.Hint,
		Reached: devices.Reached{Weak: r.Reached.Weak, Unproven: r.Reached.Unproven}, Doubted: r.Doubted, ID: r.ID, Err: r.Err,
	}
}

// A stopped error is told as what it is to a person: somebody interrupted it.
type stopped struct{ error }

func (s stopped) Unwrap() error { return s.error }

func (s stopped) Error() string {
	return strings.ReplaceAll(s.error.Error(), context.Canceled.Error(), "interrupted")
}

// failure turns an error into a result that a person can act on.
func failure(r Result, err error) Result {
	if errors.Is(err, context.Canceled) {
		err = stopped{err}
	}
	r.Err, r.Error, r.Hint = err, err.Error(), devices.HintOf(err)
	r.Verified = false
	if r.Checks == nil {
		r.Checks = []Check{} // never null in JSON
	}
	switch devices.KindOf(err) {
	case devices.Unreachable:
		r.Result = Unreachable
	case devices.Denied, devices.NotAllowed:
		r.Result = Denied
	case devices.Refused:
		r.Result = Refused
	default:
		r.Result = Failed
	}
	return r
}
