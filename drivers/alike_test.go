package drivers_test

import (
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"belay/drivers"
)

// An agreement is what testdata/alike.txt says of systems that write the same
// grammar, whose texts nothing tells apart: "A takes B: why".
type agreement struct {
	mu   sync.Mutex
	used map[[2]string]bool // whether a text needed it
}

var agreed = regexp.MustCompile(`^(\w+) takes (\w+): \S`)

func readAgreement(t testing.TB) *agreement {
	t.Helper()
	text, err := os.ReadFile("testdata/alike.txt")
	if err != nil {
		t.Fatal(err)
	}
	a := &agreement{used: map[[2]string]bool{}}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "//") {
			continue
		}
		m := agreed.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("testdata/alike.txt: %q says neither who takes whose text nor why", line)
		}
		a.used[[2]string{m[1], m[2]}] = false
	}
	return a
}

// says tells whether a driver may take the text of another's device.
func (a *agreement) says(takes, whose string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	pair := [2]string{takes, whose}
	if _, ok := a.used[pair]; !ok {
		return false
	}
	a.used[pair] = true
	return true
}

// unused are the lines that no text needed: they would hide what comes later.
func (a *agreement) unused() (lines []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for pair, used := range a.used {
		if !used {
			lines = append(lines, pair[0]+" takes "+pair[1])
		}
	}
	return lines
}

// kin is the driver that all those like it go back to: they may well take each
// other's texts.
func kin(c *drivers.Catalog, name string) string {
	for {
		d, err := c.Find(name)
		if err != nil || d.Like == "" {
			return name
		}
		name = d.Like
	}
}
