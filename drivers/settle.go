package drivers

import (
	"io"
	"regexp"
	"strings"
	"sync"
	"time"

	"belay/configs"
)

const (
	// quiet is how long nothing may come behind what looks like a prompt
	// before Enter is pressed to prove it. In the middle of an answer a device
	// is seldom silent for so long; where it is, the proof fails.
	quiet = 40 * time.Millisecond
	// nudge is how long the answer to Enter may take before Enter is pressed
	// once more: some devices throw away what was typed ahead.
	nudge = 3 * time.Second
)

// A presser presses Enter when a device has been quiet.
type presser struct {
	rw    io.Writer
	enter string

	mu      sync.Mutex
	timer   *time.Timer
	armed   bool
	pressed bool
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

func (p *presser) press() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.armed {
		return
	}
	p.pressed = true
	_, _ = io.WriteString(p.rw, p.enter) // a lost connection shows in the next read
	p.timer.Reset(nudge)
}

// disarm tells whether Enter was pressed since it was armed.
func (p *presser) disarm() (pressed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
	pressed = p.pressed
	p.armed, p.pressed = false, false
	return pressed
}

var digits = regexp.MustCompile(`\d+`)

// samePrompt compares two prompts of one device: some count commands.
func samePrompt(a, b string) bool {
	return digits.ReplaceAllString(strings.TrimSpace(a), "0") == digits.ReplaceAllString(strings.TrimSpace(b), "0")
}

// settle reads to a prompt that is the device's own and not a line that looks
// like one: behind it nothing comes until Enter is pressed, and then nothing but
// the same prompt. done may tell, from what stands before a prompt, that it
// needs no such proof. At login the first Enter is pressed at once.
func (s *shell) settle(login bool, done func(body []byte) bool) (body []byte, err error) {
	p := &presser{rw: s.rw, enter: s.d.enter}
	defer p.disarm()
	if login {
		p.arm(nudge) // some devices say nothing before a key is pressed
	}
	var asked string // the prompt at which Enter was pressed
	at := 0          // length of buf then
	for {
		before := len(s.buf)
		if err := s.read(); err != nil {
			return nil, err
		}
		tail := s.tail()
		if ok, err := s.answered(tail, login); err != nil {
			return nil, err
		} else if ok {
			p.disarm()
			continue
		}
		if login && matchLine(s.d.prompt, strings.TrimLeft(tail, " ")) {
			s.base = baseOf(tail)
		}
		pressed := p.disarm()
		if pressed {
			at = before
		}
		if !s.isPrompt(tail) || !login && !s.below() {
			if at > 0 {
				p.arm(nudge)
			}
			continue
		}
		if at > 0 && samePrompt(tail, asked) && samePrompt(string(configs.Plain(s.buf[at:])), asked) {
			body, _ := s.prompts(s.buf)
			return body, nil
		}
		if done != nil {
			if body, n := s.prompts(s.buf); n > 0 && done(body) {
				return body, nil
			}
		}
		if asked == "" && login {
			p.arm(0)
		} else {
			p.arm(quiet)
		}
		asked = tail
	}
}
