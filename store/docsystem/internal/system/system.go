// Package system says what a documentation system is to the list of them: how
// the settings call it, what they may say of it, and how it is opened.
package system

import (
	"context"
	"time"

	"belay/configs"
	"belay/devices"
)

// A System is one product that attachments can be hung in.
type System struct {
	Kind      string       // the word in the settings: "itglue"
	Title     string       // for people: "IT Glue"
	Takes     []string     // the settings that it understands: "region", "url", "key", …
	Needs     []string     // those it cannot do without
	Attach    configs.Form // what is attached where the settings do not say; empty: they must
	PerMinute int          // requests that an account may send; 0: no limit
	Burst     int          // of those, at once
	Elsewhere bool         // it is another place by its nature; else the settings say so
	Own       bool         // it has no items of its own: it makes a place for each device
	Open      func(Options) (configs.Documentation, error)
}

// Options are what the settings say of one documentation system.
type Options struct {
	Region   string
	URL      string
	Path     string
	CA       string // file with certificates to trust besides the system's
	Key      devices.Secret
	MaxBytes int // of one file; 0: the system's own bound

	Pace func(ctx context.Context) error // waits until the account may send one more request; nil: never
	Hold func(d time.Duration)           // the account may send nothing for a while; nil: nobody cares
}
