package redact

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

func tableRules(t testing.TB) Rules {
	t.Helper()
	re := func(p string) *regexp.Regexp { return regexp.MustCompile("(?m)" + p) }
	r, err := Compile(nil, []Rule{{Name: "columns", Table: &Table{
		Section: re(`^\s*cd\s+(.+)$`), Heading: re(`^\s*tab\s+(.+)$`), Row: re(`^\s*add\s+(.+)$`), Setting: re(`^\s*set\s+(.+)$`),
		Secret: re(`(?i)/(?:key|password|[\w-]*secrets?|communities)$`), Plain: re(`^/Setup/Routes$`),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var tokens = regexp.MustCompile(`<redacted:[0-9a-f]{8}>`)

func TestASecretIsKnownByItsColumn(t *testing.T) {
	t.Parallel()
	r := tableRules(t)
	for name, c := range map[string]struct{ text, want string }{
		"by the heading":              {"cd /Setup/PPP\ntab Peer Key Time\nadd \"INTERNET\" \"kq7 x\" 5\n", "cd /Setup/PPP\ntab Peer Key Time\nadd \"INTERNET\" \"R\" 5\n"},
		"bare":                        {"cd /Setup/PPP\ntab Peer Key Time\n  add INTERNET kq7x 5\n", "cd /Setup/PPP\ntab Peer Key Time\n  add INTERNET R 5\n"},
		"an empty cell counts":        {"cd /P\ntab A B Key\nadd \"\" \"\" kq7x\n", "cd /P\ntab A B Key\nadd \"\" \"\" R\n"},
		"fewer cells than names":      {"cd /P\ntab Key B\nset kq7x\n", "cd /P\ntab Key B\nset R\n"},
		"by a name before it":         {"cd /P\nset /P/A {B} 1 {Key} kq7x {C} \"x\"\n", "cd /P\nset /P/A {B} 1 {Key} R {C} \"x\"\n"},
		"positions, then names":       {"cd /P\ntab A B Key\nadd 1 2 {Key} kq7x\n", "cd /P\ntab A B Key\nadd 1 2 {Key} R\n"},
		"a name of no column":         {"cd /P\ntab A B Key\nadd 1 {C} kq7x\n", "cd /P\ntab A B Key\nadd R\n"},
		"a setting":                   {"cd /M\nset Password \"kq7x\"\nset Server mail.example\n", "cd /M\nset Password \"R\"\nset Server mail.example\n"},
		"a setting by its path":       {"set /M/Password kq7x\nset /M/Name \"box\"\n", "set /M/Password R\nset /M/Name \"box\"\n"},
		"a setting below a heading":   {"cd /M\ntab A B\nset Password kq7x\n", "cd /M\ntab A B\nset R\n"},
		"a table of secrets":          {"cd /Snmp/Communities\nset 1 kq7x\nadd kq7x\n", "cd /Snmp/Communities\nset 1 R\nadd R\n"},
		"a relative section":          {"cd /Snmp\ncd Communities\nset 1 kq7x\ncd ..\nset 1 b\n", "cd /Snmp\ncd Communities\nset 1 R\ncd ..\nset 1 b\n"},
		"a new section, no heading":   {"cd /P\ntab A Key\ncd /Q\nadd a kq7x\n", "cd /P\ntab A Key\ncd /Q\nadd R\n"},
		"no heading, known as plain":  {"cd /Setup/Routes\nadd 192.0.2.0 255.255.255.0 \"x\"\n", "cd /Setup/Routes\nadd 192.0.2.0 255.255.255.0 \"x\"\n"},
		"no heading, set":             {"cd /P\nset A b kq7x\n", "cd /P\nset A R\n"},
		"a path in a row":             {"cd /P\ntab A Key C\nadd /P/A kq7x c\n", "cd /P\ntab A Key C\nadd /P/A R\n"},
		"a heading of numbers":        {"cd /P\ntab 1 2\nadd a kq7x\n", "cd /P\ntab 1 2\nadd R\n"},
		"more cells than names":       {"cd /P\ntab A Key\nadd a kq7x c\n", "cd /P\ntab A Key\nadd R\n"},
		"a quote that is escaped":     {"cd /P\ntab A Key\nadd \"a\\\" b\" kq7x\n", "cd /P\ntab A Key\nadd R\n"},
		"a quote that is doubled":     {"cd /P\ntab A Key\nadd \"a\"\"b\" kq7x\n", "cd /P\ntab A Key\nadd R\n"},
		"a quote that never closes":   {"cd /P\ntab A Key\nadd a \"kq7x\nmore\nend\" 5\nplain\n", "cd /P\ntab A Key\nadd R\nR\nR\nplain\n"},
		"a row of two lines":          {"cd /P\ntab A Key\nadd a \\\nkq7x\nplain\n", "cd /P\ntab A Key\nadd R\nR\nplain\n"},
		"a heading of two lines":      {"cd /P\ntab A \\\nKey\nadd a kq7x\n", "cd /P\ntab A \\\nKey\nadd R\n"},
		"a quote that ends early":     {"cd /P\ntab A Key C\nadd \"a\"b kq7x\n", "cd /P\ntab A Key C\nadd R\n"},
		"a quote in a word":           {"cd /P\ntab A Key C\nadd a\"b c\" kq7x\n", "cd /P\ntab A Key C\nadd R\n"},
		"other quotes":                {"cd /P\ntab A Key C\nadd 'a b' kq7x\n", "cd /P\ntab A Key C\nadd R\n"},
		"perhaps a quote that closes": {"cd /P\ntab A Key\nadd a \"b\\\"\nkq7x\"\nplain\n", "cd /P\ntab A Key\nadd R\nR\nplain\n"},
		"two names for one cell":      {"cd /P\ntab A Key C\nadd {Key} {C} kq7x\n", "cd /P\ntab A Key C\nadd R\n"},
		"a cell after a named one":    {"cd /P\ntab Key B\nadd {B} 1 kq7x\n", "cd /P\ntab Key B\nadd R\n"},
		"a name without its cell":     {"cd /P\ntab A B\nadd a {Key}\nadd {Key}=kq7x\n", "cd /P\ntab A B\nadd R\nadd R\n"},
		"a word in another cell":      {"cd /P\ntab A B Key C D\nadd PSK Name-X kq7x \"password\" secrets9\n", "cd /P\ntab A B Key C D\nadd PSK Name-X R \"password\" secrets9\n"},
		"a heading is no password":    {"cd /P\ntab Peer Password Rights\nadd a kq7x Q\n", "cd /P\ntab Peer Password Rights\nadd a R Q\n"},
	} {
		clean, report := r.Apply([]byte(c.text), key)
		if got := tokens.ReplaceAllString(clean.String(), "R"); got != c.want {
			t.Errorf("%s: got\n%swant\n%s", name, got, c.want)
		}
		if len(report.Gaps) > 0 {
			t.Errorf("%s: gaps %v", name, report.Gaps)
		}
		if again, _ := r.Apply(clean.Bytes(), key); !again.Equal(clean) {
			t.Errorf("%s: a second time makes\n%sof\n%s", name, again, clean)
		}
	}
}

// What the generic look finds within a cell is hidden still.
func TestACellIsLookedAtToo(t *testing.T) {
	t.Parallel()
	clean, report := tableRules(t).Apply([]byte("cd /P\ntab A B\nadd x \"fetch https://up:kq7x@192.0.2.1/ password kq8x9z\"\nadd x $6$kq7x$kq7xkq7x\n"), key)
	if strings.Contains(clean.String(), "kq") || len(report.Gaps) != 3 {
		t.Errorf("%v in\n%s", report.Gaps, clean)
	}
}

// Whatever stands around them and however they are written: no secret is left,
// and what is clean stays as it is.
func TestNoCellOfASecretColumnSurvives(t *testing.T) {
	t.Parallel()
	r := tableRules(t)
	for seed := range uint64(4000) {
		rng := rand.New(rand.NewPCG(seed, 5))
		pick := func(of ...string) string { return of[rng.IntN(len(of))] }
		var text strings.Builder
		var secrets []string
		for range 1 + rng.IntN(4) {
			columns := 1 + rng.IntN(5)
			hidden := rng.IntN(columns)
			text.WriteString(pick("cd /A/B\n", "cd C\n", "cd /\n", "cd /Snmp/Communities\n"))
			if rng.IntN(5) > 0 {
				text.WriteString("tab")
				for i := range columns {
					if i == hidden {
						text.WriteString(pick(" Key", " {Key}", " Shared-Secret"))
					} else {
						fmt.Fprintf(&text, " Col-%d", i)
					}
				}
				text.WriteString(pick("\n", "\n", "\n", " \\\nMore\n"))
			}
			for range 1 + rng.IntN(3) {
				text.WriteString("add")
				for i := range columns {
					word := pick("a", "", "x y", `q"t`, `q\"t`, `b\`, `a\ b`, "{", "{C}", "192.0.2.1", "*", "it's", "'", `""`, "#", "<redacted:00000000>")
					if i == hidden {
						word = fmt.Sprintf("zq%dKx%d", seed, rng.IntN(1e6))
						secrets = append(secrets, word)
						word = pick("", "", `p `, `p" `, `\"`, "{", `'`) + word + pick("", "", " s", `"`, `\`, `" "`)
					}
					switch {
					case word == "" || strings.Contains(word, " ") || word == "{C}" || rng.IntN(2) == 0:
						word = `"` + word + `"`
					}
					text.WriteString(pick(" ", "  ", "\t") + word)
				}
				text.WriteString(pick("\n", "\n", " \n", " extra\n", " \\\n"))
			}
		}
		clean, _ := r.Apply([]byte(text.String()), key)
		for _, s := range secrets {
			if strings.Contains(clean.String(), s) {
				t.Fatalf("seed %d: %s is left in\n%sof\n%s", seed, s, clean, &text)
			}
		}
		if strings.Contains(text.String(), tokenStart) {
			continue // what looks like a token in a device's text may be taken for one
		}
		if again, _ := r.Apply(clean.Bytes(), key); !again.Equal(clean) {
			t.Fatalf("seed %d: a second time makes\n%sof\n%s", seed, again, clean)
		}
	}
}
