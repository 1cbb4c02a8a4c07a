// Package telnet holds a session with a device that speaks nothing better: the
// network virtual terminal of RFC 854, with the options that a terminal needs and
// no others. Whatever is said can be read on the way, and nobody proves that it is
// this device that answers; what comes of it says so.
//
// It does not log in: a device asks for that in its terminal, and it is for whoever
// reads it to answer. It knows nothing of prompts, commands or configurations.
package telnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"belay/devices"
)

// DefaultPort is where devices listen.
const DefaultPort = 23

// DefaultTimeout is how long a connection may take to stand.
const DefaultTimeout = 15 * time.Second

// Caution is what every receipt of such a session says.
const Caution = "read by telnet: unencrypted, nobody proves it is this device"

// A Dialer reaches devices. It may be used by many goroutines at once.
type Dialer struct {
	// Via opens the connection: straight, or where jump hosts end.
	Via     func(ctx context.Context, network, address string) (net.Conn, error)
	Passed  []string      // the jump hosts and proxies, for the report
	Timeout time.Duration // 0: DefaultTimeout
}

// Dial reaches dev. The context covers no more than that.
func (d *Dialer) Dial(ctx context.Context, dev devices.Device, login devices.Login) (*Client, error) {
	wrong := func(kind devices.Kind, err error, hint string) error {
		return &devices.Error{Kind: kind, Op: "reach", Device: dev.String(), Hint: hint, Err: err}
	}
	switch {
	case dev.Address == "":
		return nil, wrong(devices.Usage, errors.New("it has no address"), "correct the device's entry in the inventory")
	case len(dev.HostKeys) > 0:
		return nil, wrong(devices.Usage, errors.New("the inventory expects a host key, and telnet shows none"), "take telnet out of `also`, or the host keys away")
	}
	port := DefaultPort
	if dev.Port != 0 {
		port = dev.Port
	}
	address := net.JoinHostPort(strings.Trim(dev.Address, "[]"), strconv.Itoa(port))
	timeout := d.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	limit, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no TCP connection within %s", timeout))
	defer cancel()
	conn, err := d.Via(limit, "tcp", address)
	switch {
	case err == nil:
	case limit.Err() != nil:
		return nil, wrong(devices.Unreachable, context.Cause(limit), "is it switched on, and may this machine reach "+address+"?")
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil, wrong(devices.Unreachable, err, "nothing listens at "+address+": is telnet enabled, and is the port right?")
	default:
		return nil, wrong(devices.Unreachable, err, "")
	}
	return &Client{conn: conn, reached: devices.Reached{
		Address: address, Via: d.Passed, Login: login.Name, Server: "telnet", Weak: []string{"telnet"}, Unproven: Caution,
	}}, nil
}

// A Client is a connection with a device. It holds one terminal.
type Client struct {
	conn    net.Conn
	reached devices.Reached

	once sync.Once
	used bool

	mu    sync.Mutex
	cause error // why we closed it; nil while open, or when the device did
}

var errClosed = errors.New("the session was closed")

// AsksInTerminal tells that nobody has logged in yet.
func (c *Client) AsksInTerminal() bool { return true }

// Reached tells how the device was reached.
func (c *Client) Reached() devices.Reached { return c.reached }

// Close ends the connection at once. It may be called twice.
func (c *Client) Close() error {
	c.fail(errClosed)
	return nil
}

func (c *Client) fail(cause error) {
	c.mu.Lock()
	if c.cause == nil {
		c.cause = cause
	}
	c.mu.Unlock()
	c.once.Do(func() { _ = c.conn.Close() })
}

func (c *Client) why(otherwise error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return c.cause
	}
	return otherwise
}

// Run runs nothing: there are no channels beside the terminal.
func (c *Client) Run(context.Context, string, io.Writer) (int, error) {
	return -1, &devices.Error{Kind: devices.Usage, Op: "run a command on", Device: c.reached.Address, Err: errors.New("telnet has a terminal and nothing else")}
}

// Shell is the terminal, once. When ctx is over the connection is closed, and
// Read reports why.
func (c *Client) Shell(ctx context.Context, t devices.Terminal) (io.ReadWriteCloser, error) {
	if c.used {
		return nil, &devices.Error{Kind: devices.Usage, Op: "open a shell on", Device: c.reached.Address, Err: errors.New("telnet has one terminal")}
	}
	c.used = true
	s := &shell{client: c, terminal: t, ours: map[byte]bool{}, theirs: map[byte]bool{}}
	s.stop = context.AfterFunc(ctx, func() { c.fail(context.Cause(ctx)) })
	return s, nil
}
