// Package outbox brings letters to documentation and ticket systems: exactly
// once, whatever times out or restarts, and proven by looking at what is there.
// It stands around the Documentation port, once for all systems: finding the
// item, retry, de-duplication, proof and retention are here and in no adapter.
// It knows no product and no database, and writes nothing to disk but letters,
// which name a version and a form and never hold its bytes.
//
// That a letter is about to be sent is on disk before it is sent. Whatever
// happens then (a time-out, a kill, a lost lease), nobody sends it again before
// the item has been listed, and not before a slow answer had its time. What
// lands later still is found at the next look at the item and taken down.
package outbox

import (
	"context"
	"fmt"
	"sync"
	"time"

	"belay/configs"
	"belay/devices"
)

// A Place is one documentation system as one customer uses it.
type Place struct {
	Name         string // the system's in the settings
	System       configs.Documentation
	Form         configs.Form                 // what is attached
	Keep         int                          // newest snapshots outside of changes that stay; 0: all
	Second       bool                         // it is another place than the store
	Restrict     bool                         // hide items that originals hang on, where the system can
	Organization func(customer string) string // the customer's id over there; nil: none has one
	Own          bool                         // it makes a place of its own for each device
}

// second tells whether what hangs there is a second place of the backup. A text
// without its secrets restores nothing, wherever it is.
func (p Place) second() bool { return p.Second && p.Form != configs.Redacted }

// organization is the customer's over there.
func (p Place) organization(customer string) (string, error) {
	if p.Organization != nil {
		if org := p.Organization(customer); org != "" {
			return org, nil
		}
	}
	if p.Own {
		return customer, nil
	}
	return "", stay(&devices.Error{Kind: devices.Usage, Op: "find the organization of " + customer, Err: fmt.Errorf("none is set for %s", p.System.Name()),
		Hint: "set organization: under customers: " + customer + ": to its id in " + p.System.Name()})
}

// An Office delivers letters. Its fields are the parts it works with; Tickets,
// Note, Papers, Log and Jitter may be nil where nothing needs them. It may be
// used by many at once, and so may several Offices on one Outbox.
type Office struct {
	Outbox     configs.Outbox
	Items      configs.Items
	Repository configs.Repository
	Sealer     configs.Sealer
	Papers     configs.Papers
	Device     func(devices.ID) (devices.Device, bool) // as the inventory has it
	Places     func(customer string) []Place           // the documentation systems of a customer
	Tickets    func(name string) (configs.TicketSystem, bool)
	Note       func(ctx context.Context, l configs.Letter) (configs.Note, error) // what a ticket is told
	Now        func() time.Time
	Log        func(string)
	Jitter     func() float64 // from 0 up to 1, so that not all come back at once

	Enough   func() bool   // tells a Drain to take up no further letter; nil: never
	Parallel int           // letters under way to one system at once; 0: 4
	Settle   time.Duration // a letter that was sent may turn up so much later; 0: 3 minutes
	Patience time.Duration // how long Send and Prove wait for a system that is busy; 0: one try

	mu    sync.Mutex
	docks map[string]*dock // of each system, by its name in the settings
}

// Times that are no settings.
const (
	lease    = 2 * time.Minute // a letter in hand; renewed four times in that time
	lookGood = time.Hour       // a look at an item is as good as new
	closing  = 10 * time.Second
	bearable = 3 // failures in a row before a system is left alone
)

// A dock is where letters to one system leave, and what an Office remembers of it.
type dock struct {
	seats chan struct{} // one for each letter under way
	look  chan struct{} // held by whoever looks for items: those that wait find the answer
	items map[itemKey]sight

	mu       sync.Mutex
	failures int       // in a row
	rest     time.Time // nothing is sent before
	why      error
}

func (o *Office) dock(name string) *dock {
	o.mu.Lock()
	defer o.mu.Unlock()
	d := o.docks[name]
	if d == nil {
		if o.docks == nil {
			o.docks = map[string]*dock{}
		}
		d = &dock{seats: make(chan struct{}, o.parallel()), look: make(chan struct{}, 1), items: map[itemKey]sight{}}
		o.docks[name] = d
	}
	return d
}

// enter takes one of the places in a channel, and gives the way to leave it.
func enter(ctx context.Context, c chan struct{}) (func(), error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case c <- struct{}{}:
		return func() { <-c }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (o *Office) parallel() int {
	if o.Parallel > 0 {
		return o.Parallel
	}
	return 4
}

func (o *Office) settle() time.Duration {
	if o.Settle > 0 {
		return o.Settle
	}
	return 3 * time.Minute
}

func (o *Office) log(format string, args ...any) {
	if o.Log != nil {
		o.Log(fmt.Sprintf(format, args...))
	}
}

// place is the documentation system that a customer calls name.
func (o *Office) place(customer, name string) (Place, bool) {
	for _, p := range o.Places(customer) {
		if p.Name == name {
			return p, true
		}
	}
	return Place{}, false
}
