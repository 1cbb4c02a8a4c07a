package configs

import (
	"context"
	"time"

	"belay/devices"
)

// An Alarm is what cannot wait for the morning's digest. It is told once for
// each cause, until that cause is cleared.
type Alarm struct {
	Cause    string     `json:"cause"` // one of the words below
	Customer string     `json:"customer,omitempty"`
	Device   devices.ID `json:"device,omitempty"`
	Key      string     `json:"key,omitempty"`  // tells two causes of one device apart: a fingerprint, a commit, a change
	What     string     `json:"what"`           // one sentence for a person; never a secret, never a line of a configuration
	Hint     string     `json:"hint,omitempty"` // the command to type next
	At       time.Time  `json:"at"`
}

// The causes of alarms.
const (
	AlarmGate    = "gate refused"
	AlarmHostKey = "host key changed"
	AlarmUnsaved = "unsaved changes"
	AlarmDamage  = "damage"
	AlarmCanary  = "canary kept"
	AlarmFlood   = "flood of messages"
	AlarmService = "service"
	AlarmDisk    = "disk"
)

// Name tells causes apart: alarms of one name are one.
func (a Alarm) Name() string {
	return a.Cause + "|" + a.Customer + "|" + string(a.Device) + "|" + a.Key
}

// Alarms are told to people.
type Alarms interface {
	// Raise has an alarm told, unless its cause was told already and not
	// cleared since. It returns when the alarm is remembered, not when it is told.
	Raise(ctx context.Context, a Alarm) error
	// Clear says that the cause is gone: the next time it is told again.
	Clear(ctx context.Context, a Alarm) error
}
