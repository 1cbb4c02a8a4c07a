package simulator

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
)

// Shell plays a shell on any stream until the client leaves (nil), the stream
// ends or ctx does. Where rw can be closed, the end of ctx closes it. It
// returns ErrReset or ErrClosed where the device was ordered to end so; it is
// the caller's to do that to the connection.
func (d *Device) Shell(ctx context.Context, rw io.ReadWriter) error {
	return d.shell(ctx, rw, d.T.SignIn)
}

func (d *Device) shell(ctx context.Context, rw io.ReadWriter, asks *SignIn) error {
	if c, ok := rw.(io.Closer); ok {
		defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	}
	b := d.now()
	if b.fault.Tarpit {
		return deaf(ctx, rw)
	}
	s := &shell{d: d, box: b, asks: asks, in: bufio.NewReader(rw), rw: rw, out: newWire(rw, b), prompt: b.Prompt, privileged: true}
	if b.fault.Noise {
		s.out.chance = rand.New(rand.NewPCG(b.fault.Seed, 1))
	}
	if b.UserPrompt != "" {
		s.prompt, s.privileged = b.UserPrompt, false
	}
	err := s.play(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, io.EOF) {
		return nil // the client has gone
	}
	return err
}

// deaf swallows what the client types, and says nothing.
func deaf(ctx context.Context, rw io.Reader) error {
	_, err := io.Copy(io.Discard, rw)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

type shell struct {
	*box
	d          *Device
	in         *bufio.Reader
	rw         io.ReadWriter
	out        *wire
	asks       *SignIn
	prompt     string
	privileged bool
	carriage   bool // the last byte was a CR: an LF now belongs to it
}

var errLeft = errors.New("the client left") // never seen outside: Shell returns nil

func (s *shell) play(ctx context.Context) error {
	if err := s.welcome(ctx); errors.Is(err, errLeft) {
		return nil
	} else if err != nil {
		return err
	}
	for {
		line, err := s.line(ctx, s.Echo != "none")
		if err != nil {
			return err
		}
		if err := s.command(ctx, strings.TrimSpace(line)); errors.Is(err, errLeft) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// welcome says the greeting, waits at the gates and shows the first prompt.
func (s *shell) welcome(ctx context.Context) error {
	if len(s.Gates) == 0 && s.asks == nil {
		return s.answer(ctx, s.greeting, s.shown("", s.prompt), promptly)
	}
	if err := s.answer(ctx, s.greeting, "", promptly); err != nil {
		return err
	}
	if err := s.signIn(ctx); err != nil {
		return err
	}
	for _, g := range s.Gates {
		if err := s.gate(ctx, g); err != nil {
			return err
		}
	}
	return s.out.send(ctx, s.shown("", s.prompt))
}

// signIn asks who is there, so many times at most.
func (s *shell) signIn(ctx context.Context) error {
	q := s.asks
	if q == nil {
		return nil
	}
	for range cmp.Or(q.Tries, 3) {
		user := s.d.login().User
		if q.User != "" {
			if err := s.out.send(ctx, q.User); err != nil {
				return err
			}
			var err error
			if user, err = s.line(ctx, s.Echo != "none"); err != nil {
				return err
			}
			if err := s.out.send(ctx, "\n"); err != nil {
				return err
			}
		}
		if err := s.out.send(ctx, q.Password); err != nil {
			return err
		}
		password, err := s.line(ctx, q.Echo)
		if err != nil {
			return err
		}
		if s.d.admits(user, password) {
			return s.out.send(ctx, "\n")
		}
		denied := q.Denied
		if denied == "" {
			denied = "% Login invalid\n"
		}
		if err := s.out.send(ctx, "\n"+denied); err != nil {
			return err
		}
	}
	return errLeft
}

func (s *shell) gate(ctx context.Context, g Gate) error {
	if err := s.out.send(ctx, g.Say); err != nil {
		return err
	}
	for typed := ""; ; {
		key, err := s.key()
		if err != nil {
			return err
		}
		typed += string(key)
		if g.Want == "" || strings.HasSuffix(typed, g.Want) {
			break
		}
		if key == '\n' && strings.HasSuffix(g.Want, "\n") {
			// A whole line, and the wrong one: it asks again.
			if err := s.out.send(ctx, "\n"+g.Say); err != nil {
				return err
			}
			typed = ""
		}
	}
	then := "\n"
	if g.Then != nil {
		then = *g.Then
	}
	return s.out.send(ctx, then)
}

// command answers one line.
func (s *shell) command(ctx context.Context, line string) error {
	if line == "" {
		return s.out.send(ctx, s.enter()+s.shown("", s.prompt))
	}
	s.d.count(func(seen *Seen) { seen.Commands = append(seen.Commands, line) })
	head := s.enter()
	if s.fault.ANSI {
		// What an editor of lines does: back to the start, wipe, write it all again.
		head = fmt.Sprintf("\r\x1b[K%s%s\x1b[%dG%s", s.prompt, line, len([]rune(s.prompt+line))+1, head)
	}
	if s.fault.EchoTwice {
		head += line + "\n"
	}
	if err := s.out.send(ctx, head); err != nil {
		return err
	}
	if err := wait(ctx, s.d.Latency); err != nil {
		return err
	}
	if s.Enable != nil && line == s.Enable.Run {
		return s.enable(ctx)
	}
	here, section := strings.TrimSpace(s.prompt)+" "+line, line
	prompt, mode := s.Modes[here]
	if _, ok := s.answers[here]; ok || mode {
		section = here
	}
	if !mode {
		prompt, mode = s.Modes[line]
	}
	a, end, known := s.d.answer(s.box, section, s.privileged)
	if mode {
		s.prompt = prompt
	} else if slices.Contains([]string{"exit", "quit", "logout"}, line) {
		if known {
			if err := s.answer(ctx, a, "", end); err != nil {
				return err
			}
		}
		return errLeft
	}
	if s.fault.PageLines > 0 {
		a = a.paged(s.fault.PageLines, s.pager())
	}
	return s.answer(ctx, s.colored(a), s.shown(a.Text(), s.prompt), end)
}

// enter is what the device prints for the Enter key.
func (s *shell) enter() string {
	if s.Echo == "none" {
		return ""
	}
	return "\n"
}

func (s *shell) enable(ctx context.Context) error {
	if s.privileged {
		return s.out.send(ctx, s.shown("", s.prompt))
	}
	said := ""
	if s.Enable.Ask != "" {
		if err := s.out.send(ctx, s.Enable.Ask); err != nil {
			return err
		}
		secret, err := s.line(ctx, false)
		if err != nil {
			return err
		}
		said = "\n"
		if secret != s.d.login().Enable {
			s.d.count(func(seen *Seen) { seen.RefusedEnables++ })
			denied := s.Enable.Denied
			if denied == "" {
				denied = "% Access denied\n"
			}
			return s.out.send(ctx, said+denied+s.shown("", s.prompt))
		}
	}
	s.privileged, s.prompt = true, s.Prompt
	return s.out.send(ctx, said+s.shown("", s.prompt))
}

// answer says an answer, waiting for a key between pages, then the prompt.
func (s *shell) answer(ctx context.Context, a Answer, prompt string, end ending) error {
	for i, page := range a {
		if i == len(a)-1 && end == promptly {
			page += prompt
		}
		if err := s.out.send(ctx, page); err != nil {
			return err
		}
		if i == len(a)-1 {
			break
		}
		key, err := s.key()
		if err != nil {
			return err
		}
		if key == 'q' || key == 'Q' || key == 3 {
			return s.out.send(ctx, "\n"+prompt)
		}
	}
	if len(a) == 0 {
		return s.out.send(ctx, prompt)
	}
	if end == silence {
		return deaf(ctx, s.in)
	}
	return end.stop(ctx)
}

// pager is the device's own, or one that wipes as Cisco's does.
func (s *shell) pager() More {
	m := s.More
	if m.Say == "" {
		m.Say = "--More-- "
	}
	if m.Erase == "" {
		n := len([]rune(m.Say))
		m.Erase = strings.Repeat("\b", n) + strings.Repeat(" ", n) + strings.Repeat("\b", n)
	}
	return m
}

// colored wraps an answer the way a screen pager and a colored shell do.
func (s *shell) colored(a Answer) Answer {
	if !s.fault.ANSI {
		return a
	}
	out := make(Answer, len(a))
	for i, page := range a {
		out[i] = strings.ReplaceAll(page, "\n", "\x1b[m\x1b[K\n")
	}
	out[0] = "\x1b[?1h\x1b=\r" + out[0]
	out[len(out)-1] += "\x1b[?1l\x1b>"
	return out
}

// shown is the prompt as it is written after a text.
func (s *shell) shown(after, prompt string) string {
	if !s.fault.ANSI {
		return prompt
	}
	wipe := "\r\x1b[K"
	if after != "" && !strings.HasSuffix(after, "\n") {
		wipe = "" // it would wipe the last line of the answer
	}
	return "\x1b[?2004h" + wipe + "\x1b[1;32m" + prompt + "\x1b[0m"
}

// key reads one byte; Enter is '\n' whatever the client sends for it.
func (s *shell) key() (byte, error) {
	for {
		c, err := s.in.ReadByte()
		if err != nil {
			return 0, err
		}
		late := s.carriage && c == '\n'
		s.carriage = c == '\r'
		switch {
		case late:
			continue
		case c == '\r':
			c = '\n'
		}
		return c, nil
	}
}

// line reads to Enter and echoes what comes, as the device does.
func (s *shell) line(ctx context.Context, echo bool) (string, error) {
	var line, fresh []byte
	for {
		c, err := s.key()
		if err != nil {
			return "", err
		}
		if c != '\n' {
			line, fresh = append(line, c), append(fresh, c)
			if s.in.Buffered() > 0 || s.Echo == "line" || !echo {
				continue
			}
		}
		if echo {
			if err := s.out.send(ctx, string(fresh)); err != nil {
				return "", err
			}
			fresh = fresh[:0]
		}
		if c == '\n' {
			return string(line), nil
		}
	}
}
