package simulator

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Device plays a transcript. Set its fields before the first session; the
// methods may be called at any time, from any goroutine.
type Device struct {
	T       *Transcript
	Second  bool          // serve the second reading (again/) wherever there is one
	Fault   Fault         // what it does wrong; Order changes it later
	Latency time.Duration // waited before each answer
	Login   *Login        // instead of the transcript's

	mu       sync.Mutex
	seen     Seen
	readings map[string]int    // of each configuration command
	changed  map[string]Answer // by Say
}

// Seen is what a device counted since it was made.
type Seen struct {
	Connections    int      // TCP connections, also those that came to nothing
	Logins         int      // let in
	Refused        int      // passwords refused
	RefusedEnables int      // enable secrets refused
	Open           int      // sessions open now
	Commands       []string // all of them, in order, unknown ones too; no secrets
	Sets           int      // SNMP sets
	SetsRefused    int      // those of them that were not of the transcript's transfer, or by one who may not
}

// Seen is a copy of the counters.
func (d *Device) Seen() Seen {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.seen
	s.Commands = slices.Clone(s.Commands)
	return s
}

func (d *Device) count(add func(*Seen)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	add(&d.seen)
}

// Order changes the fault for the sessions to come. Readings are counted anew.
func (d *Device) Order(f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.Fault, d.readings = f, nil
}

// Say changes what the device answers to a command from now on: somebody has
// configured it. The text is decoded, with "\n" as line end.
func (d *Device) Say(command, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.changed == nil {
		d.changed = map[string]Answer{}
	}
	d.changed[command] = Answer{text}
}

// Configuration is what the device would say to a configuration command if it
// did nothing wrong, pager and all, with "\n" as line end.
func (d *Device) Configuration(command string) string {
	return d.now().answers[command].Text()
}

// fault is what is ordered now.
func (d *Device) fault() Fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.Fault
}

func (d *Device) login() Login {
	l := d.T.Login
	if d.Login != nil {
		l = *d.Login
	}
	if l.Enable == "" {
		l.Enable = l.Password
	}
	return l
}

// admits tells whether a login is good, and counts it.
func (d *Device) admits(user, password string) bool {
	l := d.login()
	good := !d.fault().RefuseLogin && l.User != "" && user == l.User && password == l.Password
	d.count(func(s *Seen) {
		if !good {
			s.Refused++
		}
	})
	return good
}

// A box is the device as one session finds it.
type box struct {
	*Transcript
	answers  map[string]Answer
	greeting Answer
	config   []string
	fault    Fault
}

func (d *Device) now() *box {
	d.mu.Lock()
	fault, changed := d.Fault, maps.Clone(d.changed)
	d.mu.Unlock()
	t := d.T
	if len(changed) > 0 {
		c := *t
		c.Answers, c.Again = maps.Clone(t.Answers), maps.Clone(t.Again)
		for command, answer := range changed {
			c.Answers[command] = answer
			delete(c.Again, command)
		}
		t = &c
	}
	if fault.WrongBox {
		t = t.otherBox()
	}
	b := &box{Transcript: t, answers: t.Answers, greeting: t.Greeting, config: t.Configurations(), fault: fault}
	if d.Second && len(t.Again) > 0 {
		b.answers = maps.Clone(t.Answers)
		maps.Copy(b.answers, t.Again)
		if g, ok := t.Again[greetingSection]; ok {
			b.greeting = g
		}
	}
	return b
}

// answer is what is said to a command, spoiled as ordered, and how it ends.
// known is false for a command that the device does not understand.
func (d *Device) answer(b *box, command string, privileged bool) (a Answer, end ending, known bool) {
	a, known = b.answers[command]
	config := known && slices.Contains(b.config, command)
	_, mode := b.Modes[command]
	switch {
	case known && (privileged || !config):
	case mode || slices.Contains(b.Silent, command):
		return Answer{""}, promptly, true
	default:
		unknown := b.Unknown
		if unknown == "" {
			unknown = "% Unknown command\n"
		}
		return Answer{unknown}, promptly, false
	}
	if !config {
		return a, promptly, true
	}
	d.mu.Lock()
	if d.readings == nil {
		d.readings = map[string]int{}
	}
	d.readings[command]++
	reading := d.readings[command]
	d.mu.Unlock()
	a, end = b.fault.spoil(a, b.Transcript, reading)
	return a, end, true
}

// ErrReset is returned where the device would reset the connection, ErrClosed
// where it would close the channel in the middle of an answer.
var (
	ErrReset  = errors.New("the device resets the connection")
	ErrClosed = errors.New("the device closes the channel")
)

// stop ends a session the way an answer ordered.
func (end ending) stop(ctx context.Context) error {
	switch end {
	case reset:
		return ErrReset
	case closed:
		return ErrClosed
	case silence:
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return nil
}

// run plays one command on a channel of its own. The status is -1 where the
// device would not send one.
func (d *Device) run(ctx context.Context, command string, out io.Writer) (status int, err error) {
	b := d.now()
	command = strings.TrimSpace(command)
	d.count(func(s *Seen) { s.Commands = append(s.Commands, command) })
	if b.fault.Tarpit {
		return -1, silence.stop(ctx)
	}
	w := newWire(out, b)
	if err := wait(ctx, d.Latency); err != nil {
		return -1, err
	}
	a, end, known := d.answer(b, command, true)
	if err := w.send(ctx, a.Text()); err != nil {
		return -1, err
	}
	if err := end.stop(ctx); err != nil {
		return -1, err
	}
	if !known {
		status = 1
	}
	return status, nil
}

// wait waits, or returns why it could not.
func wait(ctx context.Context, t time.Duration) error {
	if t <= 0 {
		return nil
	}
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
