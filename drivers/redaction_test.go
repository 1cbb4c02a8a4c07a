package drivers_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"belay/configs/redact"
)

var (
	planted = regexp.MustCompile(`«([^»]+)»`)
	hidden  = regexp.MustCompile(`<redacted(?::[0-9a-f]+)?>`)
)

// TestSecretLinesLoseTheirSecretAndNothingElse reads testdata/redaction: lines as
// vendors' manuals and devices write them. What stands between « and » is secret;
// a line without is a look-alike that must stay as it is.
func TestSecretLinesLoseTheirSecretAndNothingElse(t *testing.T) {
	t.Parallel()
	c := load(t)
	files, err := filepath.Glob("testdata/redaction/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	secrets, alike := 0, 0
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		d, err := c.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSuffix(line, "\n")
			if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "// ") {
				continue
			}
			plain := strings.NewReplacer("«", "", "»", "").Replace(line)
			clean, report := d.Rules.Redact.Apply([]byte(plain+"\n"), redact.Key{1})
			got := strings.TrimSuffix(clean.String(), "\n")
			marked := planted.FindAllStringSubmatch(line, -1)
			if len(marked) == 0 {
				alike++
				if got != plain {
					t.Errorf("%s: %q holds no secret and became %q", name, plain, got)
				}
				continue
			}
			secrets++
			if want := planted.ReplaceAllString(line, "<redacted>"); hidden.ReplaceAllString(got, "<redacted>") != want {
				t.Errorf("%s: %q became %q", name, line, got)
			}
			if len(report.Gaps) > 0 {
				t.Errorf("%s: only the generic look found the secret in %q", name, line)
			}
		}
	}
	t.Logf("%d secret lines, %d look-alikes, of %d drivers", secrets, alike, len(files))
	if all := len(files) > 60; all && (secrets < 300 || alike < 300) {
		t.Errorf("%d secret lines and %d look-alikes: 300 of each at least", secrets, alike)
	}
}
