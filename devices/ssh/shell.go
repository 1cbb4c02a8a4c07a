package ssh

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"belay/devices"
)

// The terminal where a devices.Terminal names none: so wide that no device
// wraps, so high that few devices page.
const (
	defaultTerm   = "vt100"
	defaultWidth  = 511
	defaultHeight = 1000
)

// Sizes of the buffers between channel and reader.
const (
	outBuffer = 8 << 10
	errBuffer = 512
)

// Terminal modes of RFC 4254, section 8: echo on, and a line fast enough that
// no device pads or paces its output.
const (
	echoOn    = 1
	lineSpeed = 38400 // bits per second
)

// Shell opens a terminal on the device. A device that refuses the terminal but
// gives a shell is fine. Read returns io.EOF when the device ends the session;
// what the device writes to standard error is part of the stream. When ctx is
// over the whole connection is closed, and Read reports why. Close ends the
// session only.
func (c *Client) Shell(ctx context.Context, t devices.Terminal) (io.ReadWriteCloser, error) {
	ch, _, err := c.open(ctx, "open a shell on", func(ch ssh.Channel) error {
		// Its answer does not matter: some devices have no terminals to give.
		if _, err := ch.SendRequest("pty-req", true, terminalRequest(t)); err != nil {
			return err
		}
		ok, err := ch.SendRequest("shell", true, nil)
		if err != nil {
			return err
		}
		if !ok {
			return &devices.Error{Kind: devices.Denied, Hint: "may this login use the command line?", Err: errors.New("the device gives no shell")}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s := &shell{client: c, ch: ch}
	s.out, s.in = io.Pipe()
	s.stop = context.AfterFunc(ctx, func() { c.fail(context.Cause(ctx)) })
	merged := make(chan struct{})
	go func() {
		defer close(merged)
		s.pump(ch.Stderr(), errBuffer)
	}()
	go func() {
		s.pump(ch, outBuffer)
		<-merged
		s.in.CloseWithError(c.why(io.EOF))
	}()
	return s, nil
}

func terminalRequest(t devices.Terminal) []byte {
	if t.Type == "" {
		t.Type = defaultTerm
	}
	if t.Width <= 0 {
		t.Width = defaultWidth
	}
	if t.Height <= 0 {
		t.Height = defaultHeight
	}
	modes := ssh.Marshal(struct {
		Echo      uint8
		EchoValue uint32
		In        uint8
		InSpeed   uint32
		Out       uint8
		OutSpeed  uint32
		End       uint8
	}{ssh.ECHO, echoOn, ssh.TTY_OP_ISPEED, lineSpeed, ssh.TTY_OP_OSPEED, lineSpeed, 0})
	return ssh.Marshal(struct {
		Term                         string
		Columns, Rows, Width, Height uint32
		Modes                        string
	}{t.Type, uint32(t.Width), uint32(t.Height), 0, 0, string(modes)})
}

// A shell is one stream made of the channel's two.
type shell struct {
	client *Client
	ch     ssh.Channel
	out    *io.PipeReader
	in     *io.PipeWriter
	stop   func() bool // takes the context's hand off the connection
	once   sync.Once
}

func (s *shell) Read(p []byte) (int, error) { return s.out.Read(p) }

func (s *shell) Write(p []byte) (int, error) {
	n, err := s.ch.Write(p)
	if err != nil {
		err = s.client.why(err)
	}
	return n, err
}

// Close ends the session, or the connection where the device does not take it
// back in time.
func (s *shell) Close() error {
	s.once.Do(func() {
		s.stop()
		s.out.Close()
		late := time.AfterFunc(s.client.limit, func() { s.client.fail(errDead) })
		defer late.Stop()
		s.ch.Close() // io.EOF where the device was first
	})
	return nil
}

// pump moves what one of the channel's streams holds until it ends or nobody
// reads any more.
func (s *shell) pump(from io.Reader, size int) {
	buf := make([]byte, size)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			s.client.heard.Add(1)
			if _, err := s.in.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
