package events

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
)

// accept takes connections until the listener is closed.
func (l *Listeners) accept(ctx context.Context, s net.Listener, all *sync.WaitGroup) error {
	for failed := 0; ; {
		c, err := s.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil: // too many open files, most likely: others close theirs meanwhile
			if failed++; failed > tolerated {
				return err
			}
			pause(ctx, failed)
			continue
		}
		failed = 0
		from, ok := l.welcome(c)
		if !ok {
			l.count.closed.Add(1)
			_ = c.Close()
			continue
		}
		all.Go(func() {
			defer l.leave(c)
			l.listen(c, from)
		})
	}
}

// welcome tells whether a connection is taken: whether its sender is known, and
// there is room for another one, in all and from there.
func (l *Listeners) welcome(c net.Conn) (netip.Addr, bool) {
	at, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}, false
	}
	from := plain(at.Addr())
	if l.ears.Known != nil && !l.ears.Known(from) {
		return from, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil || len(l.open) >= connections {
		return from, false
	}
	n := 0
	for _, other := range l.open {
		if other == from {
			n++
		}
	}
	if n >= fromOne {
		return from, false
	}
	l.open[c] = from
	return from, true
}

func (l *Listeners) leave(c net.Conn) {
	_ = c.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
}

// listen hears the messages of one connection, to its end.
func (l *Listeners) listen(c net.Conn, from netip.Addr) {
	if s, ok := c.(*tls.Conn); ok {
		ctx, cancel := context.WithTimeout(context.Background(), slow) // close ends it sooner
		err := s.HandshakeContext(ctx)
		cancel()
		if err != nil {
			l.count.closed.Add(1)
			return
		}
	}
	frames := frames{r: bufio.NewReaderSize(c, 4096)}
	for {
		_ = c.SetReadDeadline(l.ears.Now().Add(idle))
		if _, err := frames.r.Peek(1); err != nil {
			return
		}
		_ = c.SetReadDeadline(l.ears.Now().Add(slow))
		message, err := frames.next()
		if len(message) > 0 {
			l.message(from, message)
		}
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				l.count.closed.Add(1)
			}
			return
		}
	}
}

// frames are the messages of a stream, each framed as its sender likes: counted
// ("11 <13>message") or ended by a line end or a NUL (RFC 6587, 3.4.1 and 3.4.2).
// RFC 5425 has the former alone; devices do both over TLS as well.
type frames struct {
	r    *bufio.Reader
	text []byte // of the last message; its room is used again
}

var errCount = errors.New("a message of impossible length")

// mostDigits are those of a count: longer messages are not cut short, but refused.
const mostDigits = 7

// next is the next message, empty between two line ends. With an error comes
// what was received of the last one.
func (f *frames) next() ([]byte, error) {
	if cap(f.text) > 8<<10 {
		f.text = nil // what one long message needed is not held for ever
	}
	f.text = f.text[:0]
	n := 0
	for {
		b, err := f.r.ReadByte()
		if err != nil {
			return f.text, err
		}
		digit := b >= '0' && b <= '9' && (b != '0' || len(f.text) > 0)
		switch {
		case digit && len(f.text) < mostDigits:
			n = n*10 + int(b-'0')
			f.text = append(f.text, b)
			continue
		case b == ' ' && len(f.text) > 0:
			if next, err := f.r.Peek(1); err == nil && next[0] == '<' {
				return f.counted(n)
			}
		}
		return f.line(b)
	}
}

// counted reads a message of n bytes; of a longer one than allowed the rest is
// passed over.
func (f *frames) counted(n int) ([]byte, error) {
	if n > 16*longest {
		return nil, errCount
	}
	f.text = append(f.text[:0], make([]byte, min(n, longest))...)
	got, err := io.ReadFull(f.r, f.text)
	if err != nil {
		return f.text[:got], err
	}
	_, err = f.r.Discard(n - got)
	return f.text, err
}

// line reads up to the end of a line, of which b is the next byte.
func (f *frames) line(b byte) ([]byte, error) {
	for b != '\n' && b != 0 {
		if len(f.text) < longest {
			f.text = append(f.text, b)
		}
		var err error
		if b, err = f.r.ReadByte(); err != nil {
			return f.text, err
		}
	}
	return f.text, nil
}
