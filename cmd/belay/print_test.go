package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/devices"
)

// What others named must not steer the terminal of a person who reads it.
func TestNothingThatOthersNamedSteersTheTerminal(t *testing.T) {
	t.Parallel()
	const evil = "fw\x1b[2J\x1b]0;owned\x07\u009b31m\r\bhq\u202etxt.exe\u2066\u2028end \xff"
	for name, print := range map[string]func(p *program){
		"an error":   func(p *program) { tell(p.err, errors.New(evil)) },
		"a hint":     func(p *program) { tell(p.err, &devices.Error{Err: errors.New("x"), Hint: evil}) },
		"a warning":  func(p *program) { warn(p.err, "%s", evil) },
		"a table":    func(p *program) { columns(p.out, [][]string{{evil, evil + "\nGATE OPEN"}, {"a", "b"}}) },
		"a sentence": func(p *program) { _ = p.say("%s", evil) },
	} {
		var out bytes.Buffer
		print(&program{out: &out, err: &out})
		said := out.String()
		if i := strings.IndexFunc(said, func(r rune) bool {
			return r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 || strings.ContainsRune("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029", r)
		}); i >= 0 {
			t.Errorf("%s: %q steers a terminal", name, said[i:])
		}
		if !strings.Contains(said, "fw") || !strings.Contains(said, "hq") || !strings.Contains(said, "end") {
			t.Errorf("%s: %q is not all that is to be read", name, said)
		}
		if name == "a table" && strings.Contains(said, "\nGATE") {
			t.Errorf("%s: a cell begins a line of its own: %q", name, said)
		}
	}
	if got := tame("a\tb\nc ä€😀"); got != "a\tb\nc ä€😀" {
		t.Errorf("%q", got)
	}
}

// A full disk keeps the records of all customers from being written, each alike.
func TestWhatManyErrorsSayAlikeIsSaidOnce(t *testing.T) {
	t.Parallel()
	full := func(op string) error {
		return &devices.Error{Op: op, Err: errors.New("the disk is full"), Hint: "make room"}
	}
	var b strings.Builder
	tell(&b, errors.Join(full("append"), errors.Join(full("append"), full("pack")), full("append")))
	if diff := cmp.Diff("belay: error: append: the disk is full\nbelay: hint: make room\nbelay: error: pack: the disk is full\n", b.String()); diff != "" {
		t.Error(diff)
	}
	b.Reset()
	wraps := fmt.Errorf("besides: %w", errors.Join(full("append"), full("append")))
	if tell(&b, wraps); !strings.HasPrefix(b.String(), "belay: error: besides: ") {
		t.Errorf("what wraps them is lost: %s", b.String())
	}
	b.Reset()
	p := &program{out: &b, err: &b}
	p.newTeller(nil).tell(configs.Result{Device: "acme/sw", Result: configs.Failed, Error: "attach: save letter 1: the disk is full\nsave letter 1: the disk is full\nanother", Hint: "make room"})
	if diff := cmp.Diff("failed       acme/sw\n             attach: save letter 1: the disk is full\n             another\n             hint: make room\n", b.String()); diff != "" {
		t.Error(diff)
	}
}
