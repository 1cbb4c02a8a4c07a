package drivers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"belay/configs"
	"belay/devices"
)

// maxAnswer is the most one answer may hold, in bytes. The largest
// configurations known are of some 20 MB.
const maxAnswer = 128 << 20

// maxAsked is how many questions, the pager's aside, are answered in a row: a
// device that does not take the answer would ask for ever.
const maxAsked = 32

var errStalled = errors.New("the device fell silent")

// A shell is a session at a device's prompt. Reading blocks in the connection
// itself, without goroutines; a timer that closes the connection ends it. After
// any error the session is to be thrown away: nobody knows where in its output
// the device stands.
type shell struct {
	d     *Driver
	rw    io.ReadWriteCloser
	abort func() // closes the connection beneath

	who   whois
	base  string // what stays of the prompt: "sw-core-1"
	line  string // the prompt as it was last seen
	other string // a prompt by another name, behind the text of the last command
	buf   []byte // all that came since the last command was typed
	pages []int  // offsets in buf behind each pager question
	lined bool   // a line has ended in buf
	from  int    // what precedes was answered: no question is answered twice
	asked int    // questions answered since the last command was typed
	mute  bool   // Enter is not echoed: the next prompt stands behind the last
	idle  time.Duration

	stalled atomic.Bool
	timer   *time.Timer
}

func newShell(d *Driver, rw io.ReadWriteCloser, abort func(), idle time.Duration) *shell {
	s := &shell{d: d, rw: rw, abort: abort, idle: idle, who: whois{credentials: d.signIn}}
	s.timer = time.AfterFunc(idle, func() { s.stalled.Store(true); s.abort() })
	return s
}

// close ends the session. Goodbye is said only at a prompt: at a question for a
// password it would be one more wrong password.
func (s *shell) close(atPrompt bool) {
	if atPrompt {
		_ = s.send(s.d.logout + s.d.enter) // best effort: the session ends either way
	}
	_ = s.rw.Close()
	s.timer.Stop()
}

// send types keys.
func (s *shell) send(keys string) error {
	s.timer.Reset(s.idle)
	if _, err := io.WriteString(s.rw, keys); err != nil {
		return s.lost(err)
	}
	return nil
}

func (s *shell) lost(err error) error {
	if s.stalled.Load() {
		return fmt.Errorf("%w: no byte for %v, after %d bytes", errStalled, s.idle, len(s.buf))
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("the device closed the session")
	}
	return fmt.Errorf("connection lost after %d bytes: %w", len(s.buf), err)
}

// read takes what has come, at least one byte.
func (s *shell) read() error {
	for {
		s.buf = slices.Grow(s.buf, max(2048, min(len(s.buf), 64<<10)))
		n, err := s.rw.Read(s.buf[len(s.buf):cap(s.buf)])
		s.buf = s.buf[:len(s.buf)+n]
		s.lined = s.lined || bytes.IndexByte(s.buf[len(s.buf)-n:], '\n') >= 0
		if n > 0 {
			s.timer.Reset(s.idle)
		}
		switch {
		case err != nil:
			return s.lost(err)
		case len(s.buf) > maxAnswer:
			return fmt.Errorf("answer of more than %d MB", maxAnswer>>20)
		case n > 0:
			return nil
		}
	}
}

// tail is the last line as a person would see it, with nothing that was
// already answered.
func (s *shell) tail() string {
	raw := s.buf[max(s.from, len(s.buf)-1024):]
	raw = raw[lineStart(raw, len(raw)):]
	return string(configs.Plain(raw))
}

// lineStart is the offset in b of the line that ends before end.
func lineStart(b []byte, end int) int { return bytes.LastIndexByte(b[:end], '\n') + 1 }

// answered answers a question at the tail, if one stands there.
func (s *shell) answered(tail string, gates bool) (bool, error) {
	if s.d.more != nil && s.d.more.ask.MatchString(tail) {
		s.pages = append(s.pages, len(s.buf))
		s.from = len(s.buf)
		return true, s.send(s.d.more.answer)
	}
	ask := s.d.questions
	if gates {
		ask = append(slices.Clip(ask), s.d.gates...)
	}
	for _, q := range ask {
		if q.ask.MatchString(tail) {
			if s.asked++; s.asked > maxAsked {
				return false, fmt.Errorf("the device asked %d questions in a row", maxAsked)
			}
			s.from = len(s.buf)
			return true, s.send(q.answer)
		}
	}
	return false, nil
}

// matchLine matches a pattern for a whole line, whatever blanks end it: some
// devices overwrite a pager with more blanks than the prompt is long.
func matchLine(re *regexp.Regexp, line string) bool {
	bare := strings.TrimRight(line, " ")
	return re.MatchString(line) || re.MatchString(bare) || re.MatchString(bare+" ")
}

var leadingName = devices.Pattern(`^(?:[*!^] ?)*(\([^()\n]+\)|[\w.\-@:/~+]+)`)

// baseOf is the part of a prompt that stays the same whatever mode, counter or
// flag stands beside it: the driver's group (?P<name>…), or else the first word.
func (s *shell) baseOf(line string) string {
	line = strings.TrimSpace(line)
	if i := s.d.prompt.SubexpIndex("name"); i > 0 {
		for _, l := range []string{line, line + " "} {
			if m := s.d.prompt.FindStringSubmatch(l); m != nil {
				return m[i]
			}
		}
	}
	if m := leadingName().FindStringSubmatch(line); m != nil {
		return clock().ReplaceAllString(m[1], "0:0")
	}
	return line
}

// clock is the time of day, which some prompts tell.
var clock = devices.Pattern(`\d{1,2}:\d\d(?::\d\d)?`)

// isPrompt tells whether a line is this device's prompt.
func (s *shell) isPrompt(line string) bool {
	line = strings.TrimLeft(line, " ")
	return line != "" && matchLine(s.d.prompt, line) && (s.base == "" || s.baseOf(line) == s.base)
}

// isAnothers tells whether a line is a prompt as this system has it, by another
// name than this device's.
func (s *shell) isAnothers(line string) bool {
	line = strings.TrimLeft(line, " ")
	return line != "" && s.base != "" && matchLine(s.d.prompt, line) && s.baseOf(line) != s.base
}

// isAbove tells whether a line belongs to the prompt below it.
func (s *shell) isAbove(line string) bool { return s.d.above != nil && s.d.above.MatchString(line) }

// prompts counts the prompts that end b, one a line, and returns what stands
// before them.
func (s *shell) prompts(b []byte) (body []byte, n int) {
	end := len(b)
	for {
		e := end
		for n > 0 && e > 0 && strings.IndexByte(" \r\n\x00", b[e-1]) >= 0 {
			e--
		}
		start := lineStart(b, e)
		if e == start || e-start > 1024 {
			return b[:end], n
		}
		line := string(configs.Plain(b[start:e]))
		switch {
		case n > 0 && s.isAbove(line):
		case s.promptsOnly(line), n > 0 && s.other != "" && strings.TrimSpace(line) == strings.TrimSpace(s.other):
			n++
		default:
			return b[:end], n
		}
		end = start
	}
}

// promptsOnly tells whether a line is a prompt, or several where Enter is not
// echoed.
func (s *shell) promptsOnly(line string) bool {
	one := strings.TrimSpace(s.line)
	return s.isPrompt(line) || s.mute && one != "" && strings.TrimSpace(strings.ReplaceAll(line, one, "")) == ""
}

// until reads to a prompt, or to the tail that stop matches.
func (s *shell) until(stop *regexp.Regexp) (asked bool, err error) {
	for {
		if err := s.read(); err != nil {
			return false, err
		}
		tail := s.tail()
		if stop != nil && stop.MatchString(tail) {
			s.from = len(s.buf)
			return true, nil
		}
		if ok, err := s.answered(tail, false); err != nil {
			return false, err
		} else if !ok && s.below() && s.isPrompt(tail) {
			return false, nil
		}
	}
}

// below tells whether a line has ended since the command was typed. Before, a
// device that draws its prompt anew to echo the command is not at its prompt.
func (s *shell) below() bool { return s.mute || s.lined }

// fresh forgets what came before the next command, but for the beginning of a
// terminal sequence: some devices send several behind their prompt.
func (s *shell) fresh() {
	s.buf = append(s.buf[:0], unfinished().Find(s.buf[max(0, len(s.buf)-16):])...)
	s.pages, s.lined, s.from, s.asked = nil, false, 0, 0
}

var unfinished = devices.Pattern(`\x1b(?:\[[0-9;?]*)?\z`)

// open says who we are where the device asks for it, waits for the first prompt
// and becomes privileged.
func (s *shell) open(login devices.Login) error {
	s.who.login = login
	if _, err := s.settle(true, nil); err != nil {
		return s.who.lost(err)
	}
	s.line = s.tail()
	e := s.d.enable
	if e == nil || !e.when.MatchString(strings.TrimRight(s.line, " ")) {
		s.fresh()
		return nil
	}
	return s.becomePrivileged(e, login.EnableSecret())
}
