package drivers

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"belay/configs"
	"belay/devices"
)

const (
	// quiet is how long nothing may come behind what looks like a prompt
	// before Enter is pressed to prove it. In the middle of an answer a device
	// is seldom silent for so long; where it is, the proof fails.
	quiet = 40 * time.Millisecond
	// asking is how long nothing may come behind a question for a password before
	// it is answered: a banner that speaks of one mostly goes on sooner.
	asking = 100 * time.Millisecond
	// nudge is how long the answer to Enter may take before Enter is pressed
	// once more: some devices throw away what was typed ahead.
	nudge = 3 * time.Second
	// renamed is how long nothing may come behind a prompt by another name before
	// Enter is pressed: mostly such a line is text of the answer.
	renamed = time.Second
	// maxPressed is how often Enter is pressed for one answer before the device
	// is given up: it never shows the same prompt twice.
	maxPressed = 64
)

// A presser presses Enter when a device has been quiet.
type presser struct {
	rw    io.Writer
	enter string

	mu      sync.Mutex
	timer   *time.Timer
	armed   bool
	keys    string // typed instead of Enter, once
	typed   bool   // they were
	pressed bool
	total   int // times that Enter was pressed
}

// arm presses Enter in a while, and again when nothing comes of it.
func (p *presser) arm(in time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = true
	if p.timer == nil {
		p.timer = time.AfterFunc(in, p.press)
		return
	}
	p.timer.Reset(in)
}

// enterIn types keys and Enter in a while, once.
func (p *presser) enterIn(in time.Duration, keys string) {
	p.mu.Lock()
	p.keys = keys + p.enter
	p.mu.Unlock()
	p.arm(in)
}

func (p *presser) press() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.armed {
		return
	}
	if p.keys != "" {
		_, _ = io.WriteString(p.rw, p.keys)
		p.keys, p.typed, p.armed = "", true, false
		return
	}
	p.pressed = true
	p.total++
	_, _ = io.WriteString(p.rw, p.enter) // a lost connection shows in the next read
	p.timer.Reset(nudge)
}

// disarm tells whether Enter was pressed since it was armed, and how often in all.
func (p *presser) disarm() (pressed bool, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
	pressed = p.pressed
	p.armed, p.pressed, p.keys = false, false, ""
	return pressed, p.total
}

// took tells, once, whether what enterIn was given has been typed.
func (p *presser) took() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	typed := p.typed
	p.typed = false
	return typed
}

var digits = devices.Pattern(`\d+`)

// samePrompt compares two prompts of one device: some count commands.
func samePrompt(a, b string) bool {
	return digits().ReplaceAllString(strings.TrimSpace(a), "0") == digits().ReplaceAllString(strings.TrimSpace(b), "0")
}

// settle reads to a prompt that is the device's own and not a line that looks
// like one: behind it nothing comes until Enter is pressed, and then nothing but
// the same prompt, and one for each Enter pressed: a late one would be taken for
// the answer to the next command. done may tell, from what stands before a
// prompt, that it needs no such proof. At login the first Enter is pressed at once.
func (s *shell) settle(login bool, done func(body []byte) bool) (body []byte, err error) {
	p := &presser{rw: s.rw, enter: s.d.enter}
	defer p.disarm()
	if login && s.who.credentials == nil {
		p.arm(nudge) // some devices say nothing before a key is pressed
	}
	var asked string               // the prompt at which Enter was pressed
	at := -1                       // length of buf then
	patient, alone := false, false // waiting for late answers; Enter was pressed after that
	s.other = ""
	for {
		before := len(s.buf)
		err := s.read()
		pressed, total := p.disarm()
		typed := p.took()
		if typed {
			s.who.typed() // also where the device hangs up at once
		}
		if err != nil {
			return nil, err
		}
		if pressed {
			at, alone, patient = before, patient, false
			if login || s.mute {
				s.from = max(s.from, before)
			}
		}
		if typed {
			s.from, at, asked, alone, patient = max(s.from, before), -1, "", false, false
		}
		if total > maxPressed {
			return nil, fmt.Errorf("no prompt that stays the same, after %d bytes", len(s.buf))
		}
		tail := s.tail()
		if login {
			if ok, err := s.who.asked(tail, p); err != nil {
				return nil, err
			} else if ok {
				continue
			}
		}
		if ok, err := s.answered(tail, login); err != nil {
			return nil, err
		} else if ok {
			continue
		}
		if login && matchLine(s.d.prompt, strings.TrimLeft(tail, " ")) {
			s.base = s.baseOf(tail)
		}
		if !login && s.below() && s.isAnothers(tail) {
			if at < 0 || s.other != tail {
				s.other = tail
				p.arm(renamed)
				continue
			}
			s.base = s.baseOf(tail) // somebody renamed it meanwhile
			asked = tail
		}
		if !s.isPrompt(tail) || !login && !s.below() {
			if at >= 0 || asked != "" || tail == "" && s.passed() {
				p.arm(nudge)
			}
			continue
		}
		if at >= 0 && samePrompt(tail, asked) && s.repeats(s.buf[at:], asked, total) {
			if total == 1 || alone || s.shown() > total {
				s.mute = s.mute || login && bytes.IndexByte(s.buf[at:], '\n') < 0
				body, _ := s.prompts(s.buf)
				return body, nil
			}
			patient = true
			p.arm(nudge)
			continue
		}
		if done != nil {
			if body, n := s.prompts(s.buf); n > 0 && done(body) {
				return body, nil
			}
		}
		if asked == "" && login && s.who.settled() {
			p.arm(0)
		} else {
			p.arm(quiet)
		}
		asked, patient = tail, false
	}
}

// repeats tells whether b is the same prompt, at most so many times, and
// nothing else: some devices show it twice for one Enter.
func (s *shell) repeats(b []byte, prompt string, most int) bool {
	n := 0
	for line := range strings.Lines(string(configs.Plain(b))) {
		if line = strings.TrimSpace(line); line == "" || s.isAbove(line) {
			continue
		}
		if n++; n > most || !samePrompt(line, prompt) {
			return false
		}
	}
	return n > 0
}

// shown counts the prompts in buf.
func (s *shell) shown() int {
	n := 0
	for line := range bytes.Lines(s.buf) {
		if len(line) < 1024 && s.isPrompt(strings.TrimRight(string(configs.Plain(line)), "\n")) {
			n++
		}
	}
	return n
}

// passed tells whether one of the last lines was a prompt: a log message may
// have been written behind it.
func (s *shell) passed() bool {
	last := s.buf[max(0, len(s.buf)-1024):]
	if s.base == "" || !bytes.Contains(last, []byte(s.base)) {
		return false
	}
	for line := range bytes.Lines(last) {
		if s.isPrompt(strings.TrimRight(string(configs.Plain(line)), "\n")) {
			return true
		}
	}
	return false
}
