package simulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"

	"belay/devices"
)

// A Conn is a connection to a device in memory, already logged in. It has the
// methods of a session over SSH and its manners: a canceled context or Close
// end what is going on at once, and after a reset nothing works any more.
type Conn struct {
	d      *Device
	ctx    context.Context
	cancel context.CancelCauseFunc
	plays  sync.WaitGroup
}

// Conn connects and logs in. That it was refused comes out at the first use.
func (d *Device) Conn() *Conn {
	c := &Conn{d: d}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	f := d.fault()
	switch {
	case f.RefuseTCP:
		c.cancel(&devices.Error{Kind: devices.Unreachable, Op: "connect", Err: syscall.ECONNREFUSED})
		return c
	case f.RefuseLogin:
		c.cancel(&devices.Error{Kind: devices.Denied, Op: "log in", Err: errors.New("permission denied")})
	}
	d.count(func(s *Seen) {
		s.Connections++
		if f.RefuseLogin {
			s.Refused++
		} else {
			s.Logins++
			s.Open++
		}
	})
	if !f.RefuseLogin {
		context.AfterFunc(c.ctx, func() { d.count(func(s *Seen) { s.Open-- }) })
	}
	return c
}

// Shell opens a shell that lasts until it is closed, the connection is, or ctx
// ends.
func (c *Conn) Shell(ctx context.Context, _ devices.Terminal) (io.ReadWriteCloser, error) {
	if err := c.usable(ctx); err != nil {
		return nil, err
	}
	if c.d.T.Prompt == "" {
		return nil, errors.New("open a shell: the device has none")
	}
	ctx, cancel := c.within(ctx)
	typed, said := newFlow(), newFlow()
	stop := context.AfterFunc(ctx, func() {
		said.fail(context.Cause(ctx))
		typed.fail(context.Cause(ctx))
	})
	c.plays.Go(func() {
		err := c.d.Shell(ctx, struct {
			io.Reader
			io.Writer
		}{typed, said})
		hangup := errors.Is(err, ErrReset)
		if hangup {
			said.end(c.reset())
		} else {
			said.end(io.EOF) // a channel shows its reader the end, whatever the reason
		}
		typed.end(io.EOF)
		stop() // what was said may still be read
		cancel(nil)
		if hangup {
			c.cancel(c.reset())
		}
	})
	return &stream{said: said, typed: typed, cancel: cancel}, nil
}

// Run runs one command on a channel of its own and writes what it says to out.
// The status is -1 where the device sends none: a channel that is closed in the
// middle is no error, as it is none in SSH.
func (c *Conn) Run(ctx context.Context, command string, out io.Writer) (status int, err error) {
	if err := c.usable(ctx); err != nil {
		return -1, err
	}
	if !c.d.T.HasExec() {
		return -1, fmt.Errorf("run %s: the device has no exec channel", command)
	}
	ctx, cancel := c.within(ctx)
	defer cancel(nil)
	status, err = c.d.run(ctx, command, out)
	if errors.Is(err, ErrReset) {
		err = c.reset()
		c.cancel(err)
	}
	if errors.Is(err, ErrClosed) {
		return -1, nil
	}
	if err != nil {
		return -1, fmt.Errorf("run %s: %w", command, err)
	}
	return status, nil
}

// Reached tells that this is no network.
func (c *Conn) Reached() devices.Reached {
	return devices.Reached{Address: "simulator", Login: c.d.login().User, Server: "simulator"}
}

// Close ends every shell and command, and waits until they have ended.
func (c *Conn) Close() error {
	c.cancel(net.ErrClosed)
	c.plays.Wait()
	return nil
}

func (c *Conn) usable(ctx context.Context) error {
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// within is ctx, ended by the end of the connection too.
func (c *Conn) within(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.ctx, func() { cancel(context.Cause(c.ctx)) })
	return ctx, func(err error) { stop(); cancel(err) }
}

func (c *Conn) reset() error {
	return &net.OpError{Op: "read", Net: "simulator", Err: syscall.ECONNRESET}
}

// A stream is the client's end of a shell.
type stream struct {
	said, typed *flow
	cancel      context.CancelCauseFunc
}

func (s *stream) Read(p []byte) (int, error)  { return s.said.Read(p) }
func (s *stream) Write(p []byte) (int, error) { return s.typed.Write(p) }
func (s *stream) Close() error {
	s.cancel(net.ErrClosed)
	s.said.fail(net.ErrClosed)
	s.typed.fail(net.ErrClosed)
	return nil
}
