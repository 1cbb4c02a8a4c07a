package ledger

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// plainly is what a look finds, told the slow way.
func plainly(pattern *regexp.Regexp, text string) (found []string) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSuffix(line, "\n"); pattern.MatchString(line) {
			found = append(found, fmt.Sprintf("%d %s", n, line))
		}
	}
	return found
}

func TestALookFindsWhatThePatternFindsLineByLine(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	atoms := []string{"a", "b", "ab", "ba", "K", "ſ", "é", "(?i:aB)", "(?i:k)", "(?i:S)", ".", "[ab]", "a?", "b*", "(ab)+", "(?:a|bk)", "(?:b|)", "^", "$", `\b`, "(?:ab){2}", "(a|b|ab|é)", `\n`, "\\x{fffd}",
		"[ab]{2}", "[ab]{3,}", "[^a]{2}", "[a-ü]{3}", "([ab]{2})+", `\W{2}`, "(?i:[ak]{3})", "[ab]{0,2}", "([ab]{2}|é)"}
	letters := []string{"a", "b", "A", "B", "k", "K", "K", "s", "ſ", "é", "É", " ", "\n", "\n", "\r", "\xff", "�"}
	var folded []byte
	words, stretches := 0, 0
	for range 20000 {
		source := ""
		if r.IntN(3) == 0 {
			source = "(?i)"
		}
		for range 1 + r.IntN(4) {
			source += atoms[r.IntN(len(atoms))]
		}
		pattern, err := regexp.Compile(source)
		if err != nil {
			continue
		}
		var b strings.Builder
		some := letters
		if r.IntN(2) == 0 {
			some = []string{"a", "b", "A", "B", "k", "K", "s", "\n"} // ASCII, where the words count
		}
		for range r.IntN(30) {
			b.WriteString(some[r.IntN(len(some))])
		}
		text := b.String()
		look := newLook(pattern)
		if len(look.words) > 0 {
			words++
		}
		if look.stretch.least > 1 {
			stretches++
		}
		var got []string
		folded = look.lines([]byte(text), folded, func(n int, line []byte) { got = append(got, fmt.Sprintf("%d %s", n, line)) })
		if want := plainly(pattern, text); !slices.Equal(got, want) {
			t.Fatalf("%q in %q: %s", source, text, cmp.Diff(want, got))
		}
	}
	if words < 5000 || stretches < 2000 {
		t.Errorf("only %d patterns had words, %d a stretch", words, stretches)
	}
}

func TestTheWordsOfAPatternAreTheLongestThatEveryMatchHas(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		`snmp-server community (\S+)`:  "snmp-server community ",
		`^ntp server`:                  "ntp server",
		`(?i)NTP Server`:               "ntp server",
		`vlan (10|20)$`:                "vlan ",
		`(telnet|ssh) +input`:          "input",
		`\d+ telnet|ssh`:               " telnet,ssh",
		`(ab){2,}`:                     "ab",
		`(ab)*`:                        "",
		`a|`:                           "",
		`\d+`:                          "",
		`(?i)straße`:                   "",
		`é`:                            "é",
		`a|bb|ccc|dddd|e5|f6|g7|h8|i9`: "",
	} {
		var got []string
		for _, w := range newLook(regexp.MustCompile(pattern)).words {
			got = append(got, string(w))
		}
		if strings.Join(got, ",") != want {
			t.Errorf("%s: got %q, want %q", pattern, got, want)
		}
	}
}
