package drivers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"belay/configs"
	"belay/devices"
)

// A Conn is an open session with a device that let us in.
type Conn interface {
	// Shell asks for a terminal. Its Read returns io.EOF when the device ends it.
	Shell(ctx context.Context, t devices.Terminal) (io.ReadWriteCloser, error)
	// Run runs one command without a terminal. The status is -1 where the
	// device sent none: then nothing says that the command came to its end.
	Run(ctx context.Context, command string, out io.Writer) (status int, err error)
	Reached() devices.Reached
	Close() error
}

// A Puller reads devices by their drivers. It implements configs.Puller.
type Puller struct {
	Catalog *Catalog
	// Dial reaches a device and logs in; it returns the login that was taken.
	Dial func(ctx context.Context, d devices.Device, with *Driver) (Conn, devices.Login, error)
	// DialHTTPS is the same for an API: it is reached, and nobody has signed in yet.
	DialHTTPS func(ctx context.Context, d devices.Device, with *Driver) (Asker, devices.Login, error)

	// Agent tells how a device is asked by SNMP to send its configuration.
	Agent func(ctx context.Context, d devices.Device, with *Driver) (Agent, error)

	Idle time.Duration // a device silent for so long is given up; 30 s by default
	Most time.Duration // a session may last so long, however much is said; an hour by default
	Now  func() time.Time
}

var _ configs.Puller = (*Puller)(nil)

// Pull reads a device once. A fact command that goes unanswered costs the
// session and a warning: the next one goes without facts.
func (p *Puller) Pull(ctx context.Context, dev devices.Device) (configs.Capture, error) {
	d, err := p.Catalog.Find(dev.Driver)
	if err != nil {
		return configs.Capture{}, &devices.Error{Kind: devices.Usage, Op: "read", Device: dev.String(), Err: err}
	}
	began := p.Now()
	c, err := p.once(ctx, dev, d, true, nil)
	var silent *factError
	if errors.As(err, &silent) && ctx.Err() == nil && devices.KindOf(silent.err) != devices.Denied {
		if c, err = p.once(ctx, dev, d, false, nil); err == nil {
			c.Warnings = append(c.Warnings, silent.Error())
		}
	}
	if err != nil {
		return configs.Capture{}, err
	}
	c.Began, c.Took = began, p.Now().Sub(began)
	return c, nil
}

// A factError is a fact command that went unanswered.
type factError struct {
	command string
	err     error
}

func (e *factError) Error() string { return fmt.Sprintf("%q went unanswered: %v", e.command, e.err) }
func (e *factError) Unwrap() error { return e.err }

// once reads a device in one session. A tape, where there is one, is told each
// command with its answer, and first "" with the prompt.
func (p *Puller) once(ctx context.Context, dev devices.Device, d *Driver, facts bool, tape func(command, text, prompt string)) (configs.Capture, error) {
	most := cmp.Or(p.Most, time.Hour)
	ctx, cancel := context.WithTimeoutCause(ctx, most, fmt.Errorf("the device was not done after %v", most))
	defer cancel()
	conn, login, err := p.reach(ctx, dev, d)
	if err != nil {
		return configs.Capture{}, err
	}
	defer conn.Close()
	if d.api == nil && d.transfer == nil { // a request ends with its context, and leaves the session to sign out of, or a row to take away
		defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	}
	c := configs.Capture{Device: dev, Driver: d.Name, Rules: d.Rules, Reached: conn.Reached()}
	err = p.read(ctx, conn, login, d, facts, tape, &c)
	if err == nil {
		return c, nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	var known *devices.Error
	if errors.As(err, &known) {
		err = &devices.Error{Kind: known.Kind, Op: "read", Device: dev.String(), Err: err}
	} else {
		err = &devices.Error{Kind: devices.Unreachable, Op: "read", Device: dev.String(), Err: err, Hint: "belay drivers try " + dev.String() + " shows where the reading stopped"}
	}
	return configs.Capture{}, err
}

// read runs the driver's steps on an open connection.
func (p *Puller) read(ctx context.Context, conn Conn, login devices.Login, d *Driver, facts bool, tape func(command, text, prompt string), c *configs.Capture) (err error) {
	idle := cmp.Or(p.Idle, 30*time.Second)
	var run func(command string, s step) (answer, error)
	where := func() string { return "" } // the prompt after a command
	if asker, ok := conn.(overHTTPS); ok {
		talk := &conversation{d: d, asker: asker, login: login, dev: c.Device, idle: idle}
		defer talk.close(ctx)
		if err := talk.open(ctx); err != nil {
			return err
		}
		run = func(line string, s step) (answer, error) { return talk.run(ctx, line, s) }
	} else if e, ok := conn.(*errand); ok {
		run = func(line string, s step) (answer, error) { return e.run(ctx, line, s) }
	} else if d.Exec {
		run = func(command string, _ step) (answer, error) { return execute(ctx, conn, command, idle) }
	} else {
		rw, refused := conn.Shell(ctx, d.terminal)
		if refused != nil {
			return refused
		}
		s := newShell(d, rw, func() { _ = conn.Close() }, idle)
		if c, ok := conn.(stranger); ok && c.AsksInTerminal() && d.signIn == nil {
			s.who.credentials = commonly()
		}
		defer func() { s.close(err == nil) }()
		if err := s.open(login); err != nil {
			return err
		}
		if tape != nil {
			tape("", s.line, "")
		}
		run = s.run
		where = func() string { return s.line }
	}
	run = d.withFiles(ctx, conn, idle, run)
	if tape != nil {
		answered := run
		run = func(command string, s step) (answer, error) {
			a, err := answered(command, s)
			if err == nil && !s.sealed { // an artifact cannot be searched for secrets
				tape(command, string(a.text), where())
			}
			return a, err
		}
	}
	r := &walk{d: d, dev: c.Device, facts: facts, c: c}
	r.ask = func(s step) (answer, int, error) {
		a, which, err := d.try(s, run)
		if re := d.unsaved; re != nil && err == nil && (re.MatchString(where()) || s.facts && re.Match(a.text)) {
			c.Unsaved = true
		}
		return a, which, err
	}
	defer func() { err = p.tidy(ctx, r, conn, err) }()
	if err := r.steps(d.steps); err != nil {
		return err
	}
	c.Identity = d.identity(r.said)
	if e, ok := conn.(*errand); ok {
		c.Identity = e.merge(c.Identity)
	}
	return nil
}

// message is how many vendors' log messages begin. A device that shows them at
// once writes them into the middle of an answer; but a banner may quote one, so
// that such a text is not refused: it has to read the same twice.
var message = devices.Pattern(`%[A-Z][A-Z0-9_\-]*-[0-7]-[A-Z0-9_]+: `)

// try runs the commands of a step until one is understood; the last one counts
// in any case.
func (d *Driver) try(s step, run func(string, step) (answer, error)) (a answer, which int, err error) {
	for i, command := range s.run {
		if a, err = run(command, s); err != nil {
			return a, i, err
		}
		if !d.failed(a) || i == len(s.run)-1 {
			return a, i, nil
		}
	}
	return a, 0, errors.New("no command")
}

// failed tells whether a command was not understood or not allowed.
func (d *Driver) failed(a answer) bool {
	return a.status > 0 || d.Rules.Complete.Refusal(a.text) != ""
}

// execute runs a command on a channel of its own.
func execute(ctx context.Context, conn Conn, command string, idle time.Duration) (answer, error) {
	ctx, w, done := watch(ctx, conn, idle)
	defer done()
	status, err := conn.Run(ctx, command, w)
	switch {
	case context.Cause(ctx) != nil:
		return answer{}, context.Cause(ctx)
	case err != nil:
		return answer{}, fmt.Errorf("connection lost after %d bytes: %w", len(w.raw), err)
	case status < 0:
		return answer{}, fmt.Errorf("the channel was closed after %d bytes without the command's exit status", len(w.raw))
	case len(w.raw) > maxAnswer:
		return answer{}, fmt.Errorf("answer of more than %d MB", maxAnswer>>20)
	}
	return answer{raw: w.raw, text: configs.Plain(w.raw), status: status}, nil
}

// watched collects bytes and notes that they come.
type watched struct {
	raw   []byte
	timer *time.Timer
	idle  time.Duration
}

// watch collects what comes over a connection, and closes it when nothing has come
// for as long as idle; the context then says so.
func watch(ctx context.Context, conn Conn, idle time.Duration) (context.Context, *watched, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watched{idle: idle, timer: time.AfterFunc(idle, func() {
		cancel(fmt.Errorf("%w: no byte for %v", errStalled, idle))
		_ = conn.Close()
	})}
	return ctx, w, func() { w.timer.Stop(); cancel(nil) }
}

func (w *watched) Write(p []byte) (int, error) {
	w.timer.Reset(w.idle)
	if len(w.raw) > maxAnswer {
		return 0, errors.New("too much")
	}
	w.raw = append(w.raw, p...)
	return len(p), nil
}

// identity finds who the device says it is in what it said: the first of each
// fact, and every serial number.
func (d *Driver) identity(said [][]byte) devices.Identity {
	var id devices.Identity
	for _, text := range said {
		d.search.Each(text, func(fact int, m []int) bool {
			value := group(text, m)
			switch d.facts[fact] {
			case "hostname":
				id.Hostname = cmp.Or(id.Hostname, value)
			case "model":
				id.Model = cmp.Or(id.Model, value)
			case "version":
				id.Version = cmp.Or(id.Version, value)
			case "serial":
				if value != "" && !slices.Contains(id.Serials, value) {
					id.Serials = append(id.Serials, value)
				}
				return len(id.Serials) < 64
			}
			return value == ""
		})
	}
	return id
}

// group is the first group that matched anything.
func group(text []byte, m []int) string {
	for i := 2; i+1 < len(m); i += 2 {
		if m[i] >= 0 && m[i+1] > m[i] {
			return string(text[m[i]:m[i+1]])
		}
	}
	return ""
}
