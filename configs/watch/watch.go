// Package watch hears of changes between the nights: from what devices say by
// themselves, and from asking them when they last changed. It decides which
// device a message is of, whether it announces a change, and when to read that
// device; it reads none itself, and knows neither vendors nor protocols. What it
// hears brings a reading forward, never instead of another one: schedules are
// none of its business, for messages get lost, and anybody can forge one.
package watch

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"belay/configs"
	"belay/devices"
)

// Signals are how devices of one system tell that their configuration changed.
type Signals struct {
	Poll, Saved string   // objects that hold when it changed and was saved; empty: there is none
	Traps       []string // what traps of it are called
	Says        func(text string) (user string, ok bool)
}

// A Message is what a device said.
type Message struct {
	From netip.Addr // as the network says
	Host string     // as the message says; may be empty
	Text string     // of a syslog message
	Trap string     // of a trap or inform: what it is called
}

// A Trigger says that a device is to be read.
type Trigger struct {
	Device devices.Device
	By     configs.Person // who changed it, as messages claim; nobody where none names anybody
	Why    string         // for people; never a text that a device sent
	Mark   configs.Mark   // what remembers it until its capture has ended: see Ended
}

// Settings are what a Watch goes by.
type Settings struct {
	Devices []devices.Device
	Signals func(d devices.Device) *Signals                                              // nil: its system tells nothing
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)                 // addresses of a host name
	Ask     func(ctx context.Context, d devices.Device, oids ...string) (Reading, error) // by SNMP; nil: nobody is asked
	Trigger func(t Trigger)                                                              // submits the capture; does not wait for it, nor for anything else of the Watch
	Begun   func(m configs.Mark) bool                                                    // whether the capture that a mark remembers was submitted by a Watch before and has not ended; nil: none was
	Failed  func(err error)                                                              // is told what could not be remembered or told; nil: nobody is
	Marks   configs.Marks
	Alarms  configs.Alarms
	Now     func() time.Time

	Poll    time.Duration // between two questions; 0: 5 minutes
	HoldOff time.Duration // a device is read when it was quiet for so long; 0: 2 minutes
	Latest  time.Duration // but so long after its first message; 0: 10 minutes
	Flood   int           // messages a minute above which a device is not listened to; 0: 100
	PerHour int           // captures of one device; 0: 6
}

// Counts are how many messages came to what end.
type Counts struct {
	Unknown   uint64 // from an address that is not in the inventory
	Dropped   uint64 // in a flood, without a look at them
	Heard     uint64 // looked at
	Ambiguous uint64 // from an address of several devices
	Announced uint64 // told of a change
	Triggered uint64 // captures asked for
}

// A Watch hears and decides. See New.
type Watch struct {
	Settings
	book *book
	wake chan struct{}

	mu      sync.Mutex
	guards  map[netip.Addr]*guard
	floods  map[netip.Addr]*guard // those of guards that stand
	pending map[devices.ID]*pending
	fired   map[devices.ID][]time.Time // in the last hour
	told    []telling
	count   Counts
}

// The kinds of marks that a Watch leaves.
const (
	markPending = "pending"
	markFlood   = "flood"
	markChanged = "changed"
	markUnsaved = "unsaved"
	markFound   = "unsaved read"
)

// New makes a Watch. Known and Admit may be asked at once; nothing is decided
// until Run.
func New(s Settings) *Watch {
	or := func(d *time.Duration, standard time.Duration) {
		if *d <= 0 {
			*d = standard
		}
	}
	or(&s.Poll, 5*time.Minute)
	or(&s.HoldOff, 2*time.Minute)
	or(&s.Latest, 10*time.Minute)
	s.Latest = max(s.Latest, s.HoldOff)
	if s.Flood <= 0 {
		s.Flood = 100
	}
	if s.PerHour <= 0 {
		s.PerHour = 6
	}
	return &Watch{Settings: s, book: newBook(s.Devices), wake: make(chan struct{}, 1),
		guards: map[netip.Addr]*guard{}, floods: map[netip.Addr]*guard{}, pending: map[devices.ID]*pending{}, fired: map[devices.ID][]time.Time{}}
}

// Counts are those up to now.
func (w *Watch) Counts() Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}

// Run hears messages, asks devices and triggers captures until ctx ends. What is
// pending then is remembered: the next Run goes on with it.
func (w *Watch) Run(ctx context.Context, messages <-chan Message) error {
	if err := w.remember(ctx); err != nil {
		return err
	}
	defer w.flush(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { w.book.resolve(ctx, w.Resolve) })
	if w.Ask != nil {
		all.Go(func() { w.poll(ctx) })
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case m, ok := <-messages:
			if !ok {
				messages = nil
			}
			if !w.hear(m) {
				continue
			}
		case <-w.wake:
		case <-timer.C:
		}
		timer.Reset(w.work(ctx))
	}
}

// failed tells of what went wrong while nobody waited for it.
func (w *Watch) failed(ctx context.Context, err error) {
	if err != nil && w.Failed != nil && ctx.Err() == nil {
		w.Failed(err)
	}
}

// hear looks at one message, and tells whether it announced a change.
func (w *Watch) hear(m Message) bool {
	d, err := w.book.find(m.From, m.Host)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case errors.Is(err, errAmbiguous):
		w.count.Ambiguous++
		return false
	case err != nil:
		return false
	}
	w.count.Heard++
	s := w.Signals(d)
	if s == nil {
		return false
	}
	switch {
	case m.Trap != "":
		if !slices.Contains(s.Traps, m.Trap) {
			return false
		}
		w.touch(d, m.From, "", "a trap announced a change")
	case m.Text != "" && s.Says != nil:
		user, ok := s.Says(m.Text)
		if !ok {
			return false
		}
		w.touch(d, m.From, user, "a syslog message announced a change")
	default:
		return false
	}
	w.count.Announced++
	return true
}

// stir has Run look at what is to be done.
func (w *Watch) stir() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}
