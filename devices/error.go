package devices

import (
	"errors"
	"strings"
)

// A Kind sorts errors by what a person can do about them. The command line has
// one table from Kind to exit code.
type Kind uint8

const (
	Broken            Kind = iota // something of ours, or of the machine's, broke
	Usage                         // the settings, the inventory or the command line are wrong
	Refused                       // a check refused the copy
	Unproven                      // kept, but the second place could not be proven
	Unreachable                   // the device did not answer, or the connection was lost
	Denied                        // the device refused the login or the privilege
	NotAllowed                    // a person may not do this; a host key that does not match
	GateShut                      // nothing may be removed yet
	Damaged                       // the store is damaged
	AttachmentPending             // verified, but an attachment is still to come
)

// An Error says what was being done, to which device, why it failed and what to
// do next. It is made by a literal and never holds a secret.
type Error struct {
	Kind   Kind
	Op     string // the act, lower case: "log in", "keep", "read back"
	Device string // customer/name; empty where no device is concerned
	Hint   string // the next thing to do, for a person; may be empty
	Err    error  // the cause
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Device != "" {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(e.Device)
	}
	if e.Err != nil {
		if b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf is the Kind of the outermost Error in err's chain, Broken without one.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Broken
}

// HintOf is the first hint in err's chain.
func HintOf(err error) string {
	for err != nil {
		e, ok := errors.AsType[*Error](err)
		if !ok {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Err
	}
	return ""
}
