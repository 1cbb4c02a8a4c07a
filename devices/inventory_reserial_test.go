package devices

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAnotherBoxTakesThePlaceOfASerialNumber(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, text, old, serials, want string }{
		"one":                {"d.yaml", "# é\n- ip: b\n  serial: FOC1   # the old one\n  name: fw-hq\n\n- name: x\n  serial: FOC1\n", "default/fw-hq", "FOC2", "# é\n- ip: b\n  serial: FOC2   # the old one\n  name: fw-hq\n\n- name: x\n  serial: FOC1\n"},
		"quoted":             {"d.yaml", "- name: a\r\n  serial number: '0123'\r\n", "default/a", "0456", "- name: a\r\n  serial number: '0456'\r\n"},
		"needs quotes":       {"d.yaml", "- name: a\n  serial: FOC1", "default/a", "0456", "- name: a\n  serial: \"0456\""},
		"number":             {"d.yaml", "- {name: a, serial: 0123, site: é}\n", "default/a", "FOC2", "- {name: a, serial: FOC2, site: é}\n"},
		"one of two":         {"d.yaml", "- name: a\n  serial: A1;B1 # both\n", "default/a", "A1 B2", "- name: a\n  serial: [A1, B2] # both\n"},
		"in brackets":        {"d.yaml", "- name: a\n  serial: [ A1,   # left\n            \"B1\" ] # both\n", "default/a", "A2 B2", "- name: a\n  serial: [ A2,   # left\n            \"B2\" ] # both\n"},
		"brackets, fewer":    {"d.yaml", "- {name: a, serial: [A1, B1, C1], port: 22}\n", "default/a", "A2", "- {name: a, serial: [A2], port: 22}\n"},
		"brackets, more":     {"d.yaml", "- {serial: [A1 ], name: a}\n", "default/a", "A2 B2 C2", "- {serial: [A2, B2, C2 ], name: a}\n"},
		"brackets, none":     {"d.yaml", "- {name: a, serial: [A1, B1]}\n", "default/a", "", "- {name: a, serial: []}\n"},
		"block":              {"d.yaml", "- name: a\n  serial:\n    - A1 # left\n    # between\n    - B1\n  site: x\n", "default/a", "A2 B2", "- name: a\n  serial:\n    - A2 # left\n    # between\n    - B2\n  site: x\n"},
		"block, fewer":       {"d.yaml", "- name: a\n  serial:\n  - A1\n  - B1 # right\n  site: x\n", "default/a", "A2", "- name: a\n  serial:\n  - A2\n  site: x\n"},
		"block, more":        {"d.yaml", "- name: a\n  serial:\n    - A1 # left\n", "default/a", "A2 B2 C2", "- name: a\n  serial:\n    - A2 # left\n    - B2\n    - C2\n"},
		"block, no line end": {"d.yaml", "- name: a\n  serial:\n    - A1", "default/a", "A2 B2", "- name: a\n  serial:\n    - A2\n    - B2"},
		"anchor":             {"d.yaml", "- name: a\n  serial: &s A1\n", "default/a", "A2", "- name: a\n  serial: &s A2\n"},
		"none, scalar":       {"d.yaml", "- name: a\n  serial: A1\n", "default/a", "", "- name: a\n  serial: []\n"},
		"csv":                {"d.csv", "\xef\xbb\xbfSerial Number;name;site\r\n# no\r\nA1;a;\"x;y\"\r\nA1;b;\r\n", "default/a", "A2", "\xef\xbb\xbfSerial Number;name;site\r\n# no\r\nA2;a;\"x;y\"\r\nA1;b;\r\n"},
		"csv, two":           {"d.csv", "name,serial\nacme/a,A1\n", "acme/a", "A2 B2", "name,serial\nacme/a,A2;B2\n"},
		"csv, two quoted":    {"d.csv", "name;serial\na;A1\n", "default/a", "A2 B2", "name;serial\na;\"A2;B2\"\n"},
		"csv, none":          {"d.csv", "name,serial,ip\na,A1,x\n", "default/a", "", "name,serial,ip\na,,x\n"},
		// What does not change, or cannot.
		"has none":       {"d.yaml", "- name: a\n  serial:\n- name: b\n", "default/a", "A2", "same"},
		"has no key":     {"d.yaml", "- name: a\n- name: b\n", "default/b", "A2", "same"},
		"csv, has none":  {"d.csv", "name,serial\na,\nb\n", "default/b", "A2", "same"},
		"no column":      {"d.csv", "name\na\n", "default/a", "A2", "same"},
		"already":        {"d.yaml", "- name: a\n  serial: [A1, B1]\n", "default/a", "A1 B1", "same"},
		"alias":          {"d.yaml", "- name: a\n  site: &s A1\n  serial: *s\n", "default/a", "A2", ""},
		"others' anchor": {"d.yaml", "- name: a\n  serial: &s A1\n- name: b\n  serial: *s\n", "default/a", "A2", ""},
		"merged":         {"d.yaml", "- &x {name: a, serial: A1}\n- {<<: *x, name: b}\n", "default/b", "A2", ""},
		"escaped":        {"d.yaml", "- name: a\n  serial: \"\\x41\"\n", "default/a", "A2", ""},
		"not there":      {"d.yaml", "- name: a\n  serial: A1\n", "default/z", "A2", ""},
		"broken file":    {"d.yaml", "- nam: a\n  serial: A1\n", "default/a", "A2", ""},
		"block, none":    {"d.yaml", "- name: a\n  serial:\n    - A1\n", "default/a", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			customer, device, _ := strings.Cut(c.old, "/")
			got, err := edited(t, c.file, c.text, func(file string) error {
				return Reserial(file, Device{Customer: customer, Name: device}, strings.Fields(c.serials))
			})
			switch {
			case c.want == "":
				if err == nil || got != c.text || KindOf(err) != Usage {
					t.Errorf("%v\n%s", err, got)
				}
			case c.want == "same":
				if err != nil || got != c.text {
					t.Errorf("%v\n%s", err, got)
				}
			case err != nil || got != c.want:
				t.Errorf("%v\n%q", err, got)
			}
		})
	}
}

// What reads as two numbers, or as none, must not be written as one.
func TestOnlyWhatReadsAsTheSerialNumberIsWritten(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"d.yaml", "d.csv"} {
		text := map[string]string{"d.yaml": "- name: a\n  serial: A1\n", "d.csv": "name,serial\na,A1\n"}[file]
		for _, serial := range []string{"A 2", "A;2", "", "A\n2", strings.Repeat("A", 300)} {
			got, err := edited(t, file, text, func(file string) error {
				return Reserial(file, Device{Customer: "default", Name: "a"}, []string{serial})
			})
			if err == nil || got != text {
				t.Errorf("%s, %q: %v\n%s", file, serial, err, got)
			}
		}
	}
}

func TestAFileThatNeedNotChangeIsNotWritten(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"d.yaml": "- name: a\n"})
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := os.Chtimes(filepath.Join(dir, "d.yaml"), old, old); err != nil {
		t.Fatal(err)
	}
	if err := Reserial(filepath.Join(dir, "d.yaml"), Device{Customer: "default", Name: "a"}, []string{"A1"}); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(filepath.Join(dir, "d.yaml")); err != nil || !fi.ModTime().Equal(old) {
		t.Errorf("%v, %v", fi.ModTime(), err)
	}
}
