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
// a line without is a look-alike that must stay as it is. ␤ is a line end, for what
// is known by its neighbors.
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
		secretsBefore, alikeBefore := secrets, alike
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSuffix(line, "\n")
			if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "// ") {
				continue
			}
			line = strings.ReplaceAll(line, "␤", "\n")
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
		if secrets-secretsBefore < 8 || alike-alikeBefore < 6 {
			t.Errorf("%s: %d secret lines and %d look-alikes: 8 and 6 at least", name, secrets-secretsBefore, alike-alikeBefore)
		}
	}
	t.Logf("%d secret lines, %d look-alikes, of %d drivers", secrets, alike, len(files))
	if all := len(files) > 60; all && (secrets < 700 || alike < 600) {
		t.Errorf("%d secret lines and %d look-alikes: 700 and 600 at least", secrets, alike)
	}
}

// TestWhatEverySystemWritesAlikeIsHiddenByEveryDriver tries an address with a login
// whose password has what divides an address, and a private key that says how it is
// enciphered, on every driver.
func TestWhatEverySystemWritesAlikeIsHiddenByEveryDriver(t *testing.T) {
	t.Parallel()
	for _, d := range load(t).All() {
		for _, url := range []string{"ftp://belay:canary@7/x@192.0.2.7/dir", "scp://be@lay:canary7@192.0.2.7", "https://:12345@192.0.2.7/x", "tftp://192.0.2.7:69/a@b"} {
			clean, report := d.Rules.Redact.Apply([]byte("x "+url+" y\n"), redact.Key{1})
			want := regexp.MustCompile(`:(canary\S*|12345)@192`).ReplaceAllString("x "+url+" y\n", ":<redacted>@192")
			if got := hidden.ReplaceAllString(clean.String(), "<redacted>"); got != want || len(report.Gaps) > 0 {
				t.Errorf("%s: %q became %q (%v)", d.Name, url, got, report.Gaps)
			}
		}
		clean, report := d.Rules.Redact.Apply([]byte("x\n-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0011\n\nMIIEcanary0123456789\n-----END RSA PRIVATE KEY-----\n"), redact.Key{1})
		if strings.Contains(clean.String(), "canary") {
			t.Errorf("%s: a private key became %q", d.Name, clean)
		}
		for _, rule := range d.Rules.Redact.Secrets {
			if rule.Find != nil && strings.Contains(rule.Find.String(), "PRIVATE KEY") && len(report.Gaps) > 0 {
				t.Errorf("%s: %s did not find a private key", d.Name, rule.Find)
			}
		}
	}
}
