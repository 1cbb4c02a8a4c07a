package history_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"belay/configs"
)

// blames are the commits that real git names for each line.
func (s *scene) blames(path string) (commits []string) {
	for line := range strings.Lines(s.git("blame", "--porcelain", "main", "--", path)) {
		if f := strings.Fields(line); len(f) >= 3 && len(f[0]) == 40 && !strings.HasPrefix(line, "\t") {
			commits = append(commits, f[0])
		}
	}
	return commits
}

// edit is a configuration after another edit: lines come, go, change and move.
func edit(r *rand.Rand, lines []string, unambiguous bool, n *int) []string {
	fresh := func() string {
		*n++
		if unambiguous {
			return fmt.Sprintf("line %d", *n)
		}
		return []string{"!", " no shutdown", "exit", fmt.Sprintf("interface %d", r.IntN(40)), fmt.Sprintf(" description %d", *n), fmt.Sprintf(" ip address 192.0.2.%d", r.IntN(200))}[r.IntN(6)]
	}
	lines = append([]string{}, lines...)
	for range 1 + r.IntN(6) {
		i := r.IntN(len(lines) + 1)
		switch r.IntN(3) {
		case 0:
			var block []string
			for range 1 + r.IntN(5) {
				block = append(block, fresh())
			}
			lines = append(lines[:i], append(block, lines[i:]...)...)
		case 1:
			lines = append(lines[:i], lines[min(len(lines), i+1+r.IntN(4)):]...)
		case 2:
			if i < len(lines) {
				lines[i] = fresh()
			}
		}
	}
	return lines
}

func TestBlameSaysWhatGitBlameSays(t *testing.T) {
	t.Parallel()
	for name, unambiguous := range map[string]bool{"of lines that are all different": true, "of a configuration": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := set(t)
			lines, same := 0, 0
			for round := range 8 {
				r := rand.New(rand.NewPCG(uint64(round), 9))
				n := 0
				var text []string
				for len(text) < 150 {
					text = edit(r, text, unambiguous, &n)
				}
				device := fmt.Sprint("sw-", round)
				var v configs.Version
				for minute := range 15 {
					text = edit(r, text, unambiguous, &n)
					v = s.keep(device, minute, strings.Join(text, "\n")+"\n")
				}
				got, err := s.Blame(t.Context(), v, configs.MainFile)
				if err != nil {
					t.Fatal(err)
				}
				want := s.blames(device + "/running.conf")
				if len(got) != len(want) || len(got) != len(text) {
					t.Fatalf("%d lines, git has %d, the text %d", len(got), len(want), len(text))
				}
				for i := range got {
					if lines++; got[i].Version.Commit == want[i] {
						same++
					}
					if got[i].Text != text[i] {
						t.Fatalf("line %d is %q, want %q", i+1, got[i].Text, text[i])
					}
				}
			}
			t.Logf("%d of %d lines are as git has them", same, lines)
			if unambiguous && same != lines || same*100 < lines*95 {
				t.Errorf("%d of %d lines are as git has them", same, lines)
			}
		})
	}
}

func TestBlameGoesOnUnderAnOlderNameAndInAnOlderBox(t *testing.T) {
	t.Parallel()
	s := set(t)
	old := s.keep("fw-old", 1, "a\nb\nc\n")
	s.keep("fw", 2, "x\n")
	first := s.keep("fw", 3, "a\nb\nfirst\n")
	renamed := s.keepAs("acme/fw", "fw-hq", 4, "a\nb\nfirst\nrenamed\n")
	last := s.keepAs("acme/fw", "fw-hq", 5, "a\nb\nfirst\nrenamed\nlast")
	for _, c := range []struct {
		v    configs.Version
		want []configs.Version
	}{
		{last, []configs.Version{first, first, first, renamed, last}},
		{renamed, []configs.Version{first, first, first, renamed}},
	} {
		got, err := s.Blame(t.Context(), c.v, configs.MainFile)
		if err != nil || len(got) != len(c.want) {
			t.Fatalf("%d lines, error %v", len(got), err)
		}
		for i := range got {
			if got[i].Version.Commit != c.want[i].Commit {
				t.Errorf("line %q is of %q, want %q", got[i].Text, got[i].Version.Subject, c.want[i].Subject)
			}
		}
	}
	// The box before had two of its lines, but what stood between had neither.
	second := s.keepAs("acme/new", "new", 6, "a\nnew\nc\n")
	got, err := s.Blame(t.Context(), second, configs.MainFile, "acme/fw-old")
	if err != nil || len(got) != 3 {
		t.Fatalf("%d lines, error %v", len(got), err)
	}
	for i, want := range []configs.Version{old, second, old} {
		if got[i].Version.Commit != want.Commit {
			t.Errorf("line %q is of %q, want %q", got[i].Text, got[i].Version.Subject, want.Subject)
		}
	}
	if lines, err := s.Blame(t.Context(), last, "none.conf"); lines != nil || err != nil {
		t.Errorf("of no file: %v, %v", lines, err)
	}
}
