package simulator

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// A Telnet serves a device as RFC 854 has it: it offers to echo, asks for the
// terminal's type and size, and for who is there where the transcript does not
// say how (sign_in). The fields are set before Start.
type Telnet struct {
	Device *Device

	service

	mu   sync.Mutex
	told []byte // by the client, in telnet's own bytes
}

// Start listens on an address; port 0 takes a free one.
func (s *Telnet) Start(address string) error {
	return s.accept(s.Device, address, s.connection)
}

// Told is what the client has said in telnet's own bytes so far.
func (s *Telnet) Told() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.told)
}

// What the server begins with: IAC WILL ECHO, WILL SUPPRESS-GO-AHEAD, DO
// TERMINAL-TYPE, DO WINDOW-SIZE, DO NEW-ENVIRON, and a demand for the type.
const offers = "\xff\xfb\x01\xff\xfb\x03\xff\xfd\x18\xff\xfd\x1f\xff\xfd\x27\xff\xfa\x18\x01\xff\xf0"

func (s *Telnet) connection(c net.Conn) {
	defer c.Close()
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	s.Device.count(func(seen *Seen) { seen.Connections++; seen.Open++ })
	defer s.Device.count(func(seen *Seen) { seen.Open-- })
	asks := s.Device.T.SignIn
	if asks == nil {
		asks = &SignIn{User: "Username: ", Password: "Password: "}
	}
	if _, err := io.WriteString(c, offers); err != nil {
		return
	}
	err := s.Device.shell(ctx, &line{in: bufio.NewReader(c), out: c, of: s}, asks)
	if errors.Is(err, ErrReset) && wait(ctx, 50*time.Millisecond) == nil {
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0)
		}
	}
}

// A line is a connection without telnet's own bytes.
type line struct {
	in  *bufio.Reader
	out net.Conn
	of  *Telnet
}

func (l *line) Close() error { return l.out.Close() }

func (l *line) Write(p []byte) (int, error) {
	if _, err := l.out.Write(bytes.ReplaceAll(p, []byte{0xff}, []byte{0xff, 0xff})); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Read gives one byte that was typed.
func (l *line) Read(p []byte) (int, error) {
	for {
		c, err := l.in.ReadByte()
		if err != nil {
			return 0, err
		}
		switch c {
		case 0: // behind CR
			continue
		case 0xff:
			if err := l.command(); err != nil {
				return 0, err
			}
			continue
		}
		p[0] = c
		return 1, nil
	}
}

// command reads what stands behind IAC: two bytes, or all to IAC SE.
func (l *line) command() error {
	said := []byte{0xff}
	defer func() {
		l.of.mu.Lock()
		defer l.of.mu.Unlock()
		l.of.told = append(l.of.told, said...)
	}()
	for {
		c, err := l.in.ReadByte()
		if err != nil {
			return err
		}
		said = append(said, c)
		if said[1] != 0xfa && len(said) == 3 || said[1] == 0xfa && bytes.HasSuffix(said, []byte{0xff, 0xf0}) {
			return nil
		}
	}
}
