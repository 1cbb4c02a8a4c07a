package drivers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"belay/drivers"
)

const (
	cardBegins = "<!-- scorecard: go test ./drivers -run Scorecard -update writes it -->\n"
	cardEnds   = "<!-- end of the scorecard -->\n"
)

// TestTheScorecardInTheReadmeIsTrue: -update writes it anew.
func TestTheScorecardInTheReadmeIsTrue(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), cardBegins)
	stands, after, closed := strings.Cut(rest, cardEnds)
	if !ok || !closed {
		t.Fatalf("README.md has no place for the scorecard, between %q and %q", cardBegins, cardEnds)
	}
	want := "\n" + table(load(t).Scorecard()) + "\n"
	if stands == want {
		return
	}
	if *update {
		if err := os.WriteFile("README.md", []byte(before+cardBegins+want+cardEnds+after), 0o644); err != nil { //nolint:gosec // it is public
			t.Fatal(err)
		}
		return
	}
	var rows []string
	for row := range strings.Lines(want) {
		if !strings.Contains(stands, row) {
			driver, _, _ := strings.Cut(strings.TrimPrefix(row, "| "), " ")
			rows = append(rows, driver)
		}
	}
	t.Errorf("the scorecard is another one now (%s), go test ./drivers -run Scorecard -update rewrites it", strings.Join(rows, " "))
}

var provenForm = regexp.MustCompile(`^(?:transcript|recording: \S.*|real: \S.*)$`)

// TestEveryDriverHasWhatTheScorecardNeeds: and the commands for an account, how it
// is known without logging in, and lines for the redaction test.
func TestEveryDriverHasWhatTheScorecardNeeds(t *testing.T) {
	t.Parallel()
	c := load(t)
	lacks := map[string][]string{}
	note := func(what, driver string, there bool) {
		if !there {
			lacks[what] = append(lacks[what], driver)
		}
	}
	for _, s := range c.Scorecard() {
		d, err := c.Find(s.Driver)
		if err != nil {
			t.Fatal(err)
		}
		_, err = os.Stat(filepath.Join("testdata", "redaction", s.Driver+".txt"))
		note("account", s.Driver, len(strings.TrimSpace(d.Account)) > 0)
		note("source", s.Driver, len(strings.TrimSpace(d.Source)) > 0)
		note("identify", s.Driver, d.Identified())
		note("testdata/redaction/DRIVER.txt", s.Driver, err == nil || d.Like != "")
		note("transcripts", s.Driver, s.Transcripts > 0)
		note("what proves it whole", s.Driver, s.Whole != "")
		note("what is missing, below restore", s.Driver, s.Grade == "restore" || s.Missing != "")
		note("proven in its form (recording: …, real: …)", s.Driver, !slices.ContainsFunc(s.Proven, func(p string) bool { return !provenForm.MatchString(p) }))
		note("aliases", s.Driver, len(s.Aliases) > 0 || d.Like != "")
	}
	for what, names := range lacks {
		t.Errorf("without %s: %s", what, strings.Join(names, " "))
	}
}

// table is the scorecard as Markdown.
func table(scores []drivers.Score) string {
	var b strings.Builder
	b.WriteString("| driver | system | road | grade | whole by | transcripts | proven on | missing for a restore | also called |\n|---|---|---|---|---|---|---|---|---|\n")
	cell := func(s string) string {
		return strings.NewReplacer("|", "\\|", "<", "&lt;").Replace(strings.Join(strings.Fields(s), " "))
	}
	for _, s := range scores {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %d | %s | %s | %s |\n", s.Driver, cell(s.Title), s.Road, s.Grade, s.Whole, s.Transcripts, s.ProvenOn(), cell(s.Missing), cell(strings.Join(s.Aliases, " ")))
	}
	return b.String()
}
