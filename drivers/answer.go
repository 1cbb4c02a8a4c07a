package drivers

import (
	"bytes"
	"regexp"
	"strings"

	"belay/configs"
	"belay/devices"
)

// An answer is what a device sent for one command, without the echo before it
// and the prompt behind it.
type answer struct {
	raw  []byte // byte-true
	text []byte // as a person would read it: LF line ends, no terminal sequences, no pager

	status int    // exit status, on a channel of its own; of an API's answer its status where it is none of success
	fault  string // why it is not whole, where its form tells
	open   bool   // an API did not say how long its answer is
}

// run sends a command of a step.
func (s *shell) run(command string, at step) (answer, error) {
	switch {
	case at.moves:
		return s.move(command)
	case at.keep == configs.MainFile:
		return s.take(command, s.d.Rules.Complete.Ends)
	case at.complete != nil:
		return s.take(command, at.complete.Ends)
	case at.keep != "":
		return s.take(command, nil)
	}
	return s.ask(command)
}

// move types a command behind which the prompt may be another one: it has to
// prove itself like the first.
func (s *shell) move(command string) (answer, error) {
	s.fresh()
	base := s.base
	s.base = ""
	if err := s.send(command + s.d.enter); err != nil {
		return answer{}, err
	}
	body, err := s.settle(false, nil)
	if err != nil {
		return answer{}, err
	}
	s.line = s.tail()
	s.base = base // the echo stands behind the old prompt
	a := s.answer(body, command)
	s.base = s.baseOf(s.line)
	return a, nil
}

// ask types a short command and takes what comes before the next prompt. Where
// the command was not echoed, or the prompt is a late one of before, the prompt
// has to prove that it is the last.
func (s *shell) ask(command string) (answer, error) {
	s.fresh()
	if err := s.send(command + s.d.enter); err != nil {
		return answer{}, err
	}
	body, err := s.settle(false, func(body []byte) bool {
		_, found := s.echo(body, command)
		return found
	})
	if err != nil {
		return answer{}, err
	}
	return s.answer(body, command), nil
}

// take types the command that shows the configuration and reads all of it: to
// a prompt behind the vendor's end mark, or else to a prompt that proves to be
// one.
func (s *shell) take(command string, ends *regexp.Regexp) (answer, error) {
	s.fresh()
	if err := s.send(command + s.d.enter); err != nil {
		return answer{}, err
	}
	var done func([]byte) bool
	if ends != nil {
		done = func(body []byte) bool {
			if len(body) > 4096 {
				body = body[len(body)-4096:]
				body = body[bytes.IndexByte(body, '\n')+1:]
			}
			return ends.Match(configs.Plain(body))
		}
	}
	body, err := s.settle(false, done)
	if err != nil {
		return answer{}, err
	}
	return s.answer(body, command), nil
}

// answer takes the echo off the head of an answer, and the pager out of its text.
func (s *shell) answer(body []byte, command string) answer {
	skip, found := s.echo(body, command)
	if !found && !s.mute { // then the first line end is that of Enter
		skip = len(body) - len(bytes.TrimPrefix(bytes.TrimLeft(body, "\r"), []byte("\n")))
	}
	return answer{raw: bytes.Clone(body[skip:]), text: configs.Plain(s.unpaged(body, skip))}
}

// unpaged is what stands in body from skip on, without the pager's questions.
func (s *shell) unpaged(body []byte, skip int) []byte {
	if len(s.pages) == 0 {
		return body[skip:]
	}
	var text []byte
	at := skip
	for _, page := range s.pages {
		if page > len(body) || page < at {
			continue
		}
		start := max(lineStart(body, page), at)
		// The pager may stand behind text on its line: only itself goes.
		line := string(configs.Plain(body[start:page]))
		if m := s.d.more.ask.FindStringIndex(line); m != nil && strings.TrimSpace(line[:m[0]]) != "" {
			continue
		}
		// Some devices strew NULs; here they would break what wipes the question.
		rest := bytes.ReplaceAll(body[page:min(len(body), page+512)], []byte{0}, nil)
		wiped := len(erase().Find(rest))
		end := page
		for n := 0; n < wiped; end++ {
			if body[end] != 0 {
				n++
			}
		}
		text = append(text, body[at:start]...)
		at = end
	}
	return append(text, body[at:]...)
}

// erase is what devices send to take a pager's question off the screen.
var erase = devices.Pattern(`\A(?:\r?\n?\r? *\r|\x08+ *\x08*|\r?\x1b\[\d+D +\r?\x1b\[\d+D|\r?\x1b\[[0-9;?]*[A-Za-z])*`)

// echo is the length of what precedes the answer itself: what came late of
// before (a prompt, a log message, the end of another answer), and the command
// as the device repeated it, perhaps more than once.
func (s *shell) echo(body []byte, command string) (skip int, found bool) {
	const far = 64 << 10 // no fact is longer
	for at, n := 0, 0; at < far; n++ {
		nl := bytes.IndexByte(body[at:], '\n')
		if nl < 0 || nl > 4096 {
			break
		}
		line := strings.TrimSpace(string(configs.Plain(body[at : at+nl])))
		at += nl + 1
		before, echoed := strings.CutSuffix(line, command)
		// Further down a line that reads like the command is text of the answer
		// where no prompt stands before it.
		echoed = echoed && (before == "" && (n < 8 || found) || s.isPrompt(before) ||
			before != "" && strings.TrimSpace(strings.ReplaceAll(before, command, "")) == "")
		switch {
		case echoed:
			skip, found = at, true
		case found && line != "" && !s.isPrompt(line):
			return skip, true
		}
	}
	return skip, found
}
