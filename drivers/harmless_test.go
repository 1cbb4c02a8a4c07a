package drivers_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"belay/configs/redact"
	"belay/drivers"
)

// TestNoHarmlessPatternFitsALineThatHoldsASecret tries every driver's on the secret
// lines of all systems.
func TestNoHarmlessPatternFitsALineThatHoldsASecret(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/redaction/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			for part := range strings.SplitSeq(line, "␤") {
				if planted.MatchString(part) {
					lines = append(lines, strings.NewReplacer("«", "", "»", "", "\n", "").Replace(part))
				}
			}
		}
	}
	if len(lines) < 700 {
		t.Fatalf("only %d secret lines", len(lines))
	}
	patterns := 0
	for _, d := range load(t).All() {
		for _, re := range d.Rules.Redact.Harmless {
			patterns++
			for _, line := range lines {
				if re.MatchString(line) {
					t.Errorf("%s: %s fits %q", d.Name, re, line)
				}
			}
		}
	}
	if patterns == 0 {
		t.Error("no driver has any")
	}
}

// TestWhatIsNotInTheFormOfAHarmlessLineIsHidden: what looks like a key is one.
func TestWhatIsNotInTheFormOfAHarmlessLineIsHidden(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string][]string{
		"unifi_network": {`      "key": "Xq7-canary",`, `  "key": "canary",`, `    "key": "Canary/+=",`, `      "key": "AAAA canary canary",`, `      "x_key": "AAAAcanary",`, `      "key": "mgmt", "x_key": "canary"`},
		"tnsr":          {"    global server-key canary x", "    client server-key canary7"},
	} {
		d, err := load(t).Find(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			if clean, _ := d.Rules.Redact.Apply([]byte(line+"\n"), redact.Key{1}); strings.Contains(strings.ToLower(clean.String()), "canary") {
				t.Errorf("%s: %s became %s", name, line, clean)
			}
		}
	}
}

func TestHarmlessLinesAreAddedToThoseOfTheOtherDriverAndChecked(t *testing.T) {
	t.Parallel()
	c, err := drivers.Load(folder(t, false, map[string]string{
		"acme_os.yaml":   acme + "harmless: ['^ *server-key [a-z]+$']\n",
		"acme_more.yaml": "title: More\nlike: acme_os\npull: [{run: show running-config, keep: running.conf}]\nharmless: ['^ *client-key [a-z]+$']\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"acme_os": 1, "acme_more": 2} {
		if d, err := c.Find(name); err != nil || len(d.Rules.Redact.Harmless) != want {
			t.Errorf("%s: %v, want %d patterns", name, err, want)
		}
	}
	if _, err := drivers.Load(folder(t, false, map[string]string{"acme_os.yaml": acme + "harmless: ['^server-key .*$']\n"})); err == nil || !strings.Contains(err.Error(), "harmless: ") {
		t.Errorf("a pattern that any value fits: %v", err)
	}
}
