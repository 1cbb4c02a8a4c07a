package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"belay/devices"
)

// A Client is a connection that was let in. It may be used by many goroutines.
type Client struct {
	conn    ssh.Conn
	root    net.Conn // the TCP connection that everything rests on
	reached devices.Reached
	limit   time.Duration
	done    chan struct{} // closed when the connection has ended

	heard atomic.Uint64 // counts what came in: a talking device is not asked whether it lives
	every time.Duration

	mu    sync.Mutex
	beat  *time.Timer
	cause error // why we closed it; nil while open, or when the device did
}

var (
	errClosed = errors.New("the session was closed")
	errDead   = errors.New("the connection is dead: a sign of life was not answered")
)

func newClient(l *line, root net.Conn, r devices.Reached, limit, every time.Duration) *Client {
	c := &Client{conn: l.conn, root: root, reached: r, limit: limit, every: every, done: make(chan struct{})}
	go c.serve(l.chans, l.reqs)
	if every > 0 {
		// A timer, not a goroutine: five hundred silent sessions cost nothing.
		c.mu.Lock()
		c.beat = time.AfterFunc(every, c.askForLife(c.heard.Load()))
		c.mu.Unlock()
	}
	return c
}

// Reached tells how the device was reached.
func (c *Client) Reached() devices.Reached { return c.reached }

// Close ends the connection and everything in it, at once. It may be called
// twice.
func (c *Client) Close() error {
	c.fail(errClosed)
	return nil
}

// fail closes the connection for a reason, which is what later calls report.
func (c *Client) fail(cause error) {
	c.mu.Lock()
	if c.cause == nil {
		c.cause = cause
	}
	if c.beat != nil {
		c.beat.Stop()
	}
	c.mu.Unlock()
	c.root.Close()
}

// why is the reason for which we closed the connection, or otherwise.
func (c *Client) why(otherwise error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return c.cause
	}
	return otherwise
}

// serve declines whatever the device asks of us.
func (c *Client) serve(chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request) {
	defer close(c.done)
	for chans != nil || reqs != nil {
		var err error
		select {
		case ch, ok := <-chans:
			if !ok {
				chans = nil
				continue
			}
			err = ch.Reject(ssh.Prohibited, "not offered")
		case r, ok := <-reqs:
			if !ok {
				reqs = nil
				continue
			}
			if r.WantReply {
				err = r.Reply(false, nil)
			}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			c.fail(fmt.Errorf("the connection was lost: %w", err))
		}
	}
	c.mu.Lock()
	if c.beat != nil {
		c.beat.Stop()
	}
	c.mu.Unlock()
}

// askForLife is run by the timer. Nothing is asked of a device that has said
// something since the last time, and one that goes on talking instead of
// answering is alive too.
func (c *Client) askForLife(before uint64) func() {
	return func() {
		if now := c.heard.Load(); now != before {
			c.again(now)
			return
		}
		answered := make(chan error, 1)
		go func() {
			_, _, err := c.conn.SendRequest("keepalive@openssh.com", true, nil)
			answered <- err
		}()
		for {
			select {
			case err := <-answered:
				if err != nil {
					c.fail(fmt.Errorf("the connection was lost: %w", err))
				}
				c.again(c.heard.Load())
				return
			case <-time.After(c.every):
				now := c.heard.Load()
				if now == before {
					c.fail(errDead)
					return
				}
				before = now
			}
		}
	}
}

func (c *Client) again(heard uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.done:
		return
	default:
	}
	if c.cause == nil {
		c.beat = time.AfterFunc(c.every, c.askForLife(heard))
	}
}

// open starts a channel for a session. What prepare asks for must be answered
// within the handshake's limit; a device that does not is hung up on.
func (c *Client) open(ctx context.Context, op string, prepare func(ssh.Channel) error) (ssh.Channel, <-chan exit, error) {
	limit, cancel := context.WithTimeoutCause(ctx, c.limit, fmt.Errorf("no answer within %s", c.limit))
	defer cancel()
	stop := context.AfterFunc(limit, func() { c.fail(context.Cause(limit)) })
	ch, exits, err := c.start(prepare)
	if !stop() && err == nil {
		err = context.Cause(limit)
	}
	if err == nil {
		return ch, exits, nil
	}
	if e, ok := errors.AsType[*devices.Error](err); ok {
		e.Op, e.Device = op, c.reached.Address
		return nil, nil, e
	}
	return nil, nil, &devices.Error{Kind: devices.Unreachable, Op: op, Device: c.reached.Address, Err: c.why(err)}
}

func (c *Client) start(prepare func(ssh.Channel) error) (ssh.Channel, <-chan exit, error) {
	ch, reqs, err := c.conn.OpenChannel("session", nil)
	if refused, ok := errors.AsType[*ssh.OpenChannelError](err); ok {
		return nil, nil, &devices.Error{Kind: devices.Denied, Hint: "the device allows no more sessions: is another one open?", Err: refused}
	}
	if err != nil {
		return nil, nil, err
	}
	exits := make(chan exit, 1)
	go watch(reqs, exits)
	if err := prepare(ch); err != nil {
		ch.Close()
		return nil, nil, err
	}
	return ch, exits, nil
}

// An exit is how a command ended, as the device says it.
type exit struct {
	status int    // -1: none was sent
	signal string // empty: none
}

// watch waits for the end of a channel and for the status that goes with it. It
// reads to the end whatever becomes of its answers: one request that nobody takes
// stops all of the connection.
func watch(reqs <-chan *ssh.Request, exits chan<- exit) {
	e := exit{status: -1}
	for r := range reqs {
		switch r.Type {
		case "exit-status":
			var m struct{ Status uint32 }
			if ssh.Unmarshal(r.Payload, &m) == nil {
				e.status = int(m.Status)
			}
		case "exit-signal":
			var m struct {
				Signal     string
				CoreDumped bool
				Message    string
				Language   string
			}
			if ssh.Unmarshal(r.Payload, &m) == nil {
				e.signal = m.Signal
			}
		}
		if r.WantReply {
			_ = r.Reply(false, nil)
		}
	}
	exits <- e
}
