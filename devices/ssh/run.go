package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"belay/devices"
)

const (
	runBuffer  = 32 << 10
	mostErrors = 64 << 10 // bytes of standard error that are kept

	// goodbye is how long a device that ended its output may take to say with
	// which status.
	goodbye = 5 * time.Second
	// aftermath is how long a connection that was cut takes to be known as such: so
	// many short waits, for after a long one that ended while the machine stood still
	// nothing would be known yet.
	aftermath = 25 * time.Millisecond
	looks     = 12
)

// Run runs command on a channel of its own, without a terminal, and writes its
// standard output to out as it comes. Its status is -1 where the device sends
// none. Standard error is kept apart, so that a warning never stands in the
// middle of a configuration; it is written to out after the rest when the
// status is above 0, or when there was no other output: it says what went
// wrong. Beyond its first 64 KiB it is dropped.
//
// The command's standard input stays open and empty: some devices end their
// output when it is closed. When ctx is over the whole connection is closed.
func (c *Client) Run(ctx context.Context, command string, out io.Writer) (status int, err error) {
	const op = "run a command on"
	ch, exits, err := c.open(ctx, op, func(ch ssh.Channel) error {
		ok, err := ch.SendRequest("exec", true, ssh.Marshal(struct{ Command string }{command}))
		if err != nil {
			return err
		}
		if !ok {
			return &devices.Error{Kind: devices.Denied, Hint: "may this login run commands without a terminal?", Err: errors.New("the device does not run commands on a channel of their own")}
		}
		return nil
	})
	if err != nil {
		return -1, err
	}
	stop := context.AfterFunc(ctx, func() { c.fail(context.Cause(ctx)) })
	defer stop()
	defer ch.Close()

	lost := func(err error) (int, error) {
		return -1, &devices.Error{Kind: devices.Unreachable, Op: op, Device: c.reached.Address, Err: err}
	}
	aside := make(chan []byte, 1)
	go func() { aside <- c.collect(ch.Stderr()) }()
	wrote, err := c.copy(out, ch)
	if err != nil {
		return -1, fmt.Errorf("keep the output of a command on %s: %w", c.reached.Address, err)
	}
	var ended exit
	select {
	case ended = <-exits:
	case <-time.After(goodbye):
		ended.status = -1
	}
	if cause := c.why(nil); cause != nil {
		return lost(cause)
	}
	if ended.signal != "" {
		return lost(fmt.Errorf("the command was ended by signal %q", ended.signal))
	}
	if ended.status < 0 {
		if err := c.cut(); err != nil {
			return lost(err)
		}
	}
	if ended.status > 0 || wrote == 0 {
		select {
		case text := <-aside:
			if _, err := out.Write(text); err != nil {
				return -1, fmt.Errorf("keep the output of a command on %s: %w", c.reached.Address, err)
			}
		case <-time.After(goodbye):
		}
	}
	return ended.status, nil
}

// copy moves a command's output to out; an error is out's.
func (c *Client) copy(out io.Writer, from io.Reader) (int64, error) {
	buf := make([]byte, runBuffer)
	var wrote int64
	for {
		n, err := from.Read(buf)
		if n > 0 {
			c.heard.Add(1)
			if _, err := out.Write(buf[:n]); err != nil {
				return wrote, err
			}
			wrote += int64(n)
		}
		if err != nil {
			return wrote, nil //nolint:nilerr // the end of the channel; Wait tells what made it end
		}
	}
}

// collect reads standard error to its end and keeps the beginning.
func (c *Client) collect(from io.Reader) []byte {
	var kept bytes.Buffer
	buf := make([]byte, errBuffer)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			c.heard.Add(1)
			kept.Write(buf[:min(n, mostErrors-kept.Len())])
		}
		if err != nil {
			return kept.Bytes()
		}
	}
}

// over tells whether done is closed, or becomes so within a while.
func over(done <-chan struct{}, while time.Duration) bool {
	select {
	case <-done:
		return true
	case <-time.After(while):
		return false
	}
}

// cut tells whether the connection was torn. A device that merely hangs up
// after its output, as some do instead of sending a status, is no error.
func (c *Client) cut() error {
	for n := 1; !over(c.done, aftermath); n++ {
		if n == looks {
			return nil
		}
	}
	// Where a device breaks the protocol and says more than x/crypto takes in at
	// once, its Wait does not return.
	why := make(chan error, 1)
	go func() { why <- c.conn.Wait() }()
	select {
	case err := <-why:
		if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("the connection was lost: %w", err)
		}
		return nil
	case <-time.After(goodbye):
		return errors.New("the connection was lost: the device broke the protocol")
	}
}
