package telnet

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strings"
	"sync"

	"belay/devices"
)

// Commands (RFC 854) and options (RFC 857, 858, 1091, 1073).
const (
	se   = 240
	sb   = 250
	will = 251
	wont = 252
	do   = 253
	dont = 254
	iac  = 255

	echo         = 1
	goAhead      = 3 // suppressed
	terminalType = 24
	windowSize   = 31

	typeIs   = 0
	typeSend = 1
)

// The terminal where a devices.Terminal names none: as in package ssh.
const (
	defaultType   = "vt100"
	defaultWidth  = 511
	defaultHeight = 1000
)

// mostReplies is how often options are answered: a device that goes on asking
// would keep us at it for ever.
const mostReplies = 256

// mostSub is how much of a subnegotiation is looked at, in bytes.
const mostSub = 64

var errLoop = errors.New("the device does not come to an end with its telnet options")

// A shell is the terminal: a stream without what telnet puts into it.
type shell struct {
	client   *Client
	terminal devices.Terminal
	stop     func() bool

	state   state
	verb    byte
	sub     []byte
	carried bool // the last byte was a CR: a NUL now belongs to it

	mu      sync.Mutex    // of what follows
	ours    map[byte]bool // options that we have taken on
	theirs  map[byte]bool // options that the device has
	replies int
}

type state uint8

const (
	text state = iota
	command
	option
	inside    // of a subnegotiation
	insideIAC // an IAC in it
)

// Read reads what the device shows. Where all that came was options it reads on.
func (s *shell) Read(p []byte) (int, error) {
	for {
		n, err := s.client.conn.Read(p)
		out, replies, bad := s.plain(p[:n])
		if len(replies) > 0 {
			if _, err := s.client.conn.Write(replies); err != nil {
				return out, s.client.why(err)
			}
		}
		switch {
		case bad != nil:
			s.client.fail(bad)
			return out, bad
		case err != nil:
			return out, s.client.why(err)
		case out > 0:
			return out, nil
		}
	}
}

// plain takes telnet's own bytes out of b, in place, and gives what they are
// answered with.
func (s *shell) plain(b []byte) (n int, replies []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range b {
		switch s.state {
		case text:
			switch {
			case c == iac:
				s.state = command
			case c == 0 && s.carried: // CR NUL is CR alone
				s.carried = false
			default:
				s.carried = c == '\r'
				b[n] = c
				n++
			}
		case command:
			s.state = text
			switch c {
			case iac:
				b[n] = c
				n++
			case will, wont, do, dont:
				s.state, s.verb = option, c
			case sb:
				s.state, s.sub = inside, nil
			}
		case option:
			s.state = text
			replies = append(replies, s.answer(s.verb, c)...)
		case inside:
			if c == iac {
				s.state = insideIAC
			} else if len(s.sub) < mostSub {
				s.sub = append(s.sub, c)
			}
		case insideIAC:
			switch c {
			case se:
				s.state = text
				replies = append(replies, s.answerSub()...)
			case iac:
				s.state = inside
			default: // the end was forgotten
				s.state = text
			}
		}
		if s.replies > mostReplies {
			return n, nil, errLoop
		}
	}
	return n, replies, nil
}

// answer answers a demand or an offer, once: what stands already is not
// confirmed, or two would confirm each other for ever.
func (s *shell) answer(verb, what byte) []byte {
	reply := func(yes bool, held map[byte]bool, on, off byte) []byte {
		was, known := held[what]
		asked := verb == will || verb == do
		now := asked && yes
		if known && was == now && (now || !asked) || !known && !asked {
			return nil
		}
		held[what] = now
		s.replies++
		if now {
			return []byte{iac, on, what}
		}
		return []byte{iac, off, what}
	}
	if verb == will || verb == wont {
		return reply(what == echo || what == goAhead, s.theirs, do, dont)
	}
	out := reply(slices.Contains([]byte{goAhead, terminalType, windowSize}, what), s.ours, will, wont)
	if verb == do && what == windowSize && out != nil {
		out = append(out, s.size()...)
	}
	return out
}

// size tells how large the window is.
func (s *shell) size() []byte {
	w, h := cmp.Or(max(s.terminal.Width, 0), defaultWidth), cmp.Or(max(s.terminal.Height, 0), defaultHeight)
	b := doubled([]byte{byte(w >> 8), byte(w), byte(h >> 8), byte(h)})
	return slices.Concat([]byte{iac, sb, windowSize}, b, []byte{iac, se})
}

// answerSub tells the type of the terminal when it is asked for.
func (s *shell) answerSub() []byte {
	if !bytes.Equal(s.sub, []byte{terminalType, typeSend}) || !s.ours[terminalType] {
		return nil
	}
	s.replies++
	return slices.Concat([]byte{iac, sb, terminalType, typeIs}, []byte(strings.ToUpper(cmp.Or(s.terminal.Type, defaultType))), []byte{iac, se})
}

// Write types keys. Enter is CR NUL at a terminal that works by the character,
// as every client has it there, and CR LF at one that works by the line.
func (s *shell) Write(p []byte) (int, error) {
	s.mu.Lock()
	enter := []byte("\r\n")
	if s.theirs[echo] || s.theirs[goAhead] {
		enter = []byte("\r\x00")
	}
	s.mu.Unlock()
	var out []byte
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '\r' && i+1 < len(p) && p[i+1] == '\n':
			out = append(out, "\r\n"...)
			i++
		case c == '\r':
			out = append(out, "\r\x00"...)
		case c == '\n':
			out = append(out, enter...)
		default:
			out = append(out, doubled(p[i:i+1])...)
		}
	}
	if _, err := s.client.conn.Write(out); err != nil {
		return 0, s.client.why(err)
	}
	return len(p), nil
}

// doubled writes a byte 255 as telnet has it.
func doubled(b []byte) []byte { return bytes.ReplaceAll(b, []byte{iac}, []byte{iac, iac}) }

// Close ends the session, and the connection with it.
func (s *shell) Close() error {
	s.stop()
	return s.client.Close()
}
