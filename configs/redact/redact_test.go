package redact

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var key = Key{7, 7, 7}

func compiled(t testing.TB, volatile []string, finds ...string) Rules {
	t.Helper()
	var rules []Rule
	for _, f := range finds {
		rules = append(rules, Rule{Name: f, Find: regexp.MustCompile("(?m)" + f)})
	}
	r, err := Compile(volatile, rules)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestASecretBecomesItsFingerprint(t *testing.T) {
	t.Parallel()
	r := compiled(t, nil, `^enable (?P<secret>\S+)`)
	a, report := r.Apply([]byte("enable \"abc\"\nenable abc\nenable xyz\n"), key)
	lines := strings.Split(a.String(), "\n")
	if report.Secrets != 3 || len(report.Gaps) != 0 {
		t.Errorf("report %+v", report)
	}
	if !regexp.MustCompile(`^enable <redacted:[0-9a-f]{8}>$`).MatchString(lines[1]) {
		t.Errorf("got %q", lines[1])
	}
	if strings.ReplaceAll(lines[0], `"`, "") != lines[1] {
		t.Errorf("a quoted secret has another fingerprint: %q, %q", lines[0], lines[1])
	}
	if lines[1] == lines[2] {
		t.Error("two secrets have one fingerprint")
	}
	if b, _ := r.Apply([]byte("enable abc\n"), Key{8}); strings.HasPrefix(b.String(), lines[1]) {
		t.Error("two customers have one fingerprint")
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		volatile, finds []string
		salted          bool
		text, want      string
	}{
		"volatile lines go":   {volatile: []string{`^! Last change.*\n`}, text: "a\n! Last change at 9\nb\n", want: "a\nb\n"},
		"part of a line":      {volatile: []string{` up \d+ days`}, text: "sw up 12 days now\n", want: "sw now\n"},
		"joined parts":        {volatile: []string{`xy`}, text: "axxyyb", want: "ab"},
		"salted":              {finds: []string{`ENC (?P<secret>\S+)`}, salted: true, text: "set x ENC abc==\n", want: "set x ENC <redacted>\n"},
		"several lines":       {finds: []string{`set pk (?P<secret>"[^"]*")`}, salted: true, text: "set pk \"a\nb\nc\"\nend\n", want: "set pk \"<redacted>\"\nend\n"},
		"two on a line":       {finds: []string{`auth (?P<secret>\S+)( priv (?P<secret2>\S+))?`}, salted: true, text: "auth aa priv bb\nauth cc\n", want: "auth <redacted> priv <redacted>\nauth <redacted>\n"},
		"overlapping":         {finds: []string{`k (?P<secret>\S+)`, `k (?P<secret>\S+ \S+)`, `c (?P<secret>\S+)`}, salted: true, text: "k bc def\n", want: "k <redacted>\n"},
		"overlapping in part": {finds: []string{`a (?P<secret>\S+ \S+)`, `b (?P<secret>\S+ \S+)`}, salted: true, text: "a b c d e\n", want: "a <redacted> e\n"},
		"no group":            {finds: []string{`tok_\w+`}, salted: true, text: "x tok_1 y", want: "x <redacted> y"},
		"indented after blank lines": {finds: []string{`^\s+inner\s+(?P<secret>\S+)`}, salted: true, text: "inner a\n\n\ninner b\n  inner\n   c\n",
			want: "inner a\n\n\ninner <redacted>\n  inner\n   <redacted>\n"},
		"a repetition":             {finds: []string{`^community (?P<secret>\S+)`}, salted: true, text: "community s3cretAB\nhost x s3cretAB traps\nxs3cretAB s3cretAB9\n", want: "community <redacted>\nhost x <redacted> traps\nxs3cretAB s3cretAB9\n"},
		"a word is not repeated":   {finds: []string{`^community (?P<secret>\S+)`}, salted: true, text: "community Monitoring\ndescription Monitoring\n", want: "community <redacted>\ndescription Monitoring\n"},
		"a short one is not":       {finds: []string{`^community (?P<secret>\S+)`}, salted: true, text: "community pub1\nname pub1\n", want: "community <redacted>\nname pub1\n"},
		"an address is not":        {finds: []string{`^community (?P<secret>\S+)`}, salted: true, text: "community 10.0.0.1\nhost 10.0.0.1\n", want: "community <redacted>\nhost 10.0.0.1\n"},
		"beside something alike":   {finds: []string{`^a (?P<secret>\S+)`}, salted: true, text: "a <redacted>real\n", want: "a <redacted><redacted>\n"},
		"the whole text":           {finds: []string{`\Aa (?P<secret>\S+)`}, salted: true, text: "a bb\na bb\n", want: "a <redacted>\na bb\n"},
		"case folding":             {finds: []string{`(?i)kEY (?P<secret>\S+)`}, salted: true, text: "Key bb\n\u212aeY cc\n", want: "Key <redacted>\n\u212aeY <redacted>\n"},
		"alternatives at the top":  {finds: []string{`^aa (?P<secret>\w+)|^bb \w+`}, salted: true, text: "aa 1\nbb 2\n", want: "aa <redacted>\nbb 2\n"},
		"an empty value is no one": {finds: []string{`^a (?P<secret>".*")`}, salted: true, text: "a \"\"\n", want: "a \"\"\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := compiled(t, c.volatile, c.finds...)
			for i := range r.Secrets {
				r.Secrets[i].Salted = c.salted
			}
			r.plan = nil // salted was set late: the unprepared way
			once, _ := r.Apply([]byte(c.text), key)
			if d := cmp.Diff(c.want, once.String()); d != "" {
				t.Error(d)
			}
			if twice, report := r.Apply(once.Bytes(), key); !twice.Equal(once) || report.Secrets+report.Volatile+len(report.Gaps) > 0 {
				t.Errorf("again: %q, %+v", twice, report)
			}
		})
	}
}

func TestPatternsThatMatchNothingAreRefused(t *testing.T) {
	t.Parallel()
	if _, err := Compile([]string{`x*`}, []Rule{{Name: "n", Find: regexp.MustCompile(`y?`)}, {Name: "none"}}); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("got %v", err)
	}
}

func TestNearIsLookedForInsteadOfWhatIsDerived(t *testing.T) {
	t.Parallel()
	r, err := Compile(nil, []Rule{{Name: "n", Find: regexp.MustCompile(`\w+ (?P<secret>\d+)`), Near: []string{"PIN"}}})
	if err != nil {
		t.Fatal(err)
	}
	if slow := r.Slow(); len(slow) != 0 {
		t.Errorf("slow: %v", slow)
	}
	got, _ := r.Apply([]byte("pin 123\nvlan 123\n"), key)
	if !strings.HasPrefix(got.String(), "pin <redacted:") || !strings.HasSuffix(got.String(), "\nvlan 123\n") {
		t.Errorf("got %q", got)
	}
}

// The patterns of the equivalence test: every shape that drivers use.
var shapes = []string{
	`^! Last .*\n`, `^ab c .*$`, `password \d (?P<secret>\S+)`, `(?:password|secret) (?P<secret>\S+)`,
	`^\s*key (?P<secret>\S+)`, `^\s+key\s+(?P<secret>\S+)`, `(?i)^user \S+\s+PASSWORD\s+(?P<secret>\w+)`,
	`key "(?P<secret>[^"]*)"`, `(?s)BEGIN.*?END`, `^end\n*\z`, `\Ahead.*\n`, `key\n?x`, `x?\nkey`, `(?:a|b)?\s*secret\n(?:\s*\w+\n)*`,
	`[\s.x]key`, `[\sx]\s*key`, `(?s:.)key\s`, `(?:key\s*){2}`, `\bkey\b`, `\Bey`, `k.?y$`, `[^k]key`, `secret|\n\nkey`, `^$\nkey`, `(?:\n|^)(?:\s|x)key`, `password(?:\n\s+\S+){1,2}`,
	`^ {2,3}(?:key|user)[a-z]*,? *\n`, `^ {2}a?\nkey`, ` {3}\n?a`, ` {3}a?\nx`, `é{2}`, `a\n{2}x`, `^ {2}\n?key\n`, `^ {2}\s?key\n`, `^ {2}\s*key\n`, `\n {2}key`, `(?: ?x){2}key`, ` {3}[\s.]key\n`, ` {2}(?: |key)\n`, ` {2}x*\n*key`, ` {2}(?:key|a\n)`,
	`^ {3}\t?key *\n`, `^ {2} *(?:key){1,2}\n`, `(?:key){2}\n?`, `key ?x{2}`, `(?:\n|  )key\n`, ` {2}(?:\n|a)key`,
}

func TestLookingNearLiteralsFindsWhatTheWholeTextHolds(t *testing.T) {
	t.Parallel()
	pieces := []string{"password 7 ", "user a", "password", "key", "key", "key \"", "KEY", "password", "secret", "user", "a", "x", " ", "  ", "   ", "\t", "\n", "\n", "\n\n", "\n ", "\"", "7", "BEGIN", "END", "! Last ", "ab c ", "end", "head", "é", "\u212a", "\xff", "\v"}
	rnd := rand.New(rand.NewPCG(1, 2))
	n := 3000
	if testing.Short() {
		n = 300
	}
	for _, p := range shapes {
		re := regexp.MustCompile("(?m)" + p)
		f, err := newFinder(re, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := newScan([]*finder{f})
		matched := 0
		for range n {
			var b strings.Builder
			few := rnd.Perm(len(pieces))[:6] // so that what belongs together meets
			for range rnd.IntN(24) {
				i := few[rnd.IntN(len(few))]
				if pieces[i] == "\u212a" && rnd.IntN(20) > 0 {
					continue // it switches the shortcut off
				}
				b.WriteString(pieces[i])
			}
			text := []byte(b.String())
			var want, got [][]int
			for _, m := range re.FindAllSubmatchIndex(text, -1) {
				if m[1] > m[0] {
					want = append(want, m)
				}
			}
			s.each(text, func(_ *finder, m []int) { got = append(got, slices.Clone(m)) })
			matched += len(want)
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("%s on %q: %s", p, text, d)
			}
		}
		if matched == 0 {
			t.Errorf("%s never matched: the test shows nothing", p)
		}
	}
}

func TestWordsFindsEveryLiteral(t *testing.T) {
	t.Parallel()
	literals := []string{"he", "she", "hers", "his", "e"}
	w := newWords(literals)
	text := []byte("uSHErs hishe")
	var got, want []string
	w.each(text, func(l, end int) { got = append(got, fmt.Sprint(literals[l], end)) })
	for end := range len(text) + 1 {
		for _, l := range literals {
			if bytes.HasSuffix(bytes.ToLower(text[:end]), []byte(l)) {
				want = append(want, fmt.Sprint(l, end))
			}
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestRulesMayBeAppliedByManyAtOnce(t *testing.T) {
	t.Parallel()
	r := benchRules(t)
	text := benchText(20_000)
	want, _ := r.Apply(text, key)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got, _ := r.Apply(text, key); !got.Equal(want) {
				t.Error("another result")
			}
		})
	}
	wg.Wait()
}

func TestOneVeryLongLineIsNoSlower(t *testing.T) {
	t.Parallel()
	for _, piece := range []string{`{"password": "abcdefgh", "key": "x"}, `, "password: x ", "password x ", "a://b:c@d", "a://", "<key>", "\"password ", "-----BEGIN EC PRIVATE KEY-----", "enable secret 9 x "} {
		text := []byte(strings.Repeat(piece, 100_000/len(piece)))
		began := time.Now()
		benchRules(t).Apply(text, key)
		if took := time.Since(began); took > time.Minute { // what grows with the square takes hours
			t.Errorf("%q: %s", piece, took)
		} else {
			t.Logf("%q: %s", piece, took)
		}
	}
}

func TestRestoreTakesOnlyWhatWasKept(t *testing.T) {
	t.Parallel()
	c, _ := Rules{}.Apply([]byte("hostname a\n"), key)
	if got, err := Restore(c.Bytes(), c.Digest()); err != nil || !got.Equal(c) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := Restore([]byte("password in clear\n"), c.Digest()); err == nil || got.Len() != 0 {
		t.Errorf("got %v", got)
	}
}

func TestApplyLeavesItsArgumentAlone(t *testing.T) {
	t.Parallel()
	text := []byte("! Last configuration change at 1\nenable secret 9 abcdefghi9\npassword x\n")
	before := bytes.Clone(text)
	c, report := benchRules(t).Apply(text, key)
	if !bytes.Equal(text, before) {
		t.Errorf("text became %q", text)
	}
	b := c.Bytes()
	b[0] = '#'
	if c.String()[0] == '#' {
		t.Error("Bytes is not a copy")
	}
	want := Report{Secrets: 1, Volatile: 1, Gaps: []Gap{{Line: 2, Kind: "password"}}}
	if d := cmp.Diff(want, report); d != "" {
		t.Error(d)
	}
}
