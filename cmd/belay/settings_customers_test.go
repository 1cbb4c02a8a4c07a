package main

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"belay/devices"
)

// settingsOf reads text as a settings file.
func settingsOf(t *testing.T, text string) (*settings, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), settingsFile)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return readSettings(file)
}

// aSetting is the key that a line of the starter sets at the top, commented out or not.
var aSetting = regexp.MustCompile(`^(?:# )?([a-z_]+):`)

// examples are the starter's settings, each with its comment signs taken away and
// every alternative that it offers a text of its own.
func examples(t *testing.T) map[string][]string {
	t.Helper()
	known := map[string]bool{}
	for f := range reflect.TypeFor[settings]().Fields() {
		known[f.Tag.Get("yaml")] = true
	}
	found := map[string][]string{}
	key, n := "", 0
	for line := range strings.Lines(string(starterSettings)) {
		m := aSetting.FindStringSubmatch(line)
		bare := strings.TrimPrefix(line, "# ")
		switch alternative := strings.TrimPrefix(strings.TrimLeft(bare, " "), "# "); {
		case m != nil && known[m[1]]:
			key, n = m[1], len(found[m[1]])
			found[key] = append(found[key], bare)
		case key == "" || !strings.HasPrefix(bare, "  "):
			key = ""
		case strings.HasPrefix(strings.TrimLeft(bare, " "), "# ") && strings.HasPrefix(alternative, "default:"):
			found[key] = append(found[key], key+":\n  "+alternative)
		default:
			// Below a setting that stands there, what is commented out is one more entry.
			bare = regexp.MustCompile(`^  # ?( *[-a-z])`).ReplaceAllString(bare, "  $1")
			found[key][n] += bare
		}
	}
	for name := range known {
		if name != "" && len(found[name]) == 0 {
			t.Errorf("the starter does not show %s:", name)
		}
	}
	return found
}

func TestWhatTheStarterShowsLoadsWhenItsCommentSignsAreTakenAway(t *testing.T) {
	t.Parallel()
	found := examples(t)
	all := ""
	for _, list := range found {
		all += list[0]
	}
	s, err := settingsOf(t, all)
	if err != nil {
		t.Fatalf("%v, of\n%s", err, all)
	}
	acme := s.Customers["acme"]
	if acme.Organization != "2041" || len(acme.Contacts) != 1 || s.policy("acme").MaxAge != 4*time.Hour || !slices.Equal(s.documentations("acme"), []string{"itglue"}) {
		t.Errorf("acme is %+v", acme)
	}
	if len(s.Logins["acme"]) != 2 || len(s.Documentation) != 3 || s.Tickets["default"].Email == nil || s.Waiver == nil || len(s.Remotes) != 2 {
		t.Errorf("the starter's parts did not all arrive: %+v", s)
	}
	several := 0
	for key, list := range found {
		for _, other := range list[1:] {
			several++
			if _, err := settingsOf(t, strings.Replace(all, list[0], other, 1)); err != nil {
				t.Errorf("%s: %v, of\n%s", key, err, other)
			}
		}
	}
	if several < 4 { // two of master, two of tickets
		t.Errorf("only %d alternatives were tried", several)
	}
}

func TestSettingsOfDocumentationTicketsAndWaiversAreRefusedWithWhereAndWhy(t *testing.T) {
	t.Parallel()
	const glue = "{region: us, key: {env: K}, attach: original}"
	for text, want := range map[string]string{
		"documentation: {x: {gluey: {}}}":                                                             `none called "gluey"`,
		"documentation: {x: {itglue: {region: us, key: {env: K}}}}":                                   "attach is missing",
		"documentation: {x: {itglue: {region: moon, key: {env: K}, attach: original}}}":               `no region "moon"`,
		"documentation: {x: {itglue: {url: 'https://u:hunter2@h', key: {env: K}, attach: redacted}}}": "documentation.x",
		"documentation: {x: {itglue: {region: us, key: hunter2, attach: original}}}":                  "a secret does not stand in the settings",
		"documentation: {x: {folder: {path: a}, itglue: " + glue + "}}":                               "name one system",
		"customers: {acme: {documentation: nope}}":                                                    `none called "nope"`,
		"customers: {acme corp: {attach: sealed}}":                                                    "cannot be a name",
		"customers: {acme: {gate: {max_age: 4}}}":                                                     `[1:36] customers.acme.gate.max_age: "4" is no length of time: write 4h, or 90m`,
		"customers: {acme: {gate: {max_age: 4 hours}}}":                                               `"4 hours" is no length of time`,
		"customers: {acme: {gate: {max_age: -4h}}}":                                                   "below zero",
		"customers: {acme: {contacts: [{name: A, email: a@b.example, from: 2026-13-01}]}}":            `customers.acme.contacts[0].from: "2026-13-01" is no date: write 2026-12-31`,
		"customers: {acme: {contacts: [{name: A, email: a@b.example, authorisation: true}]}}":         "needs from and to",
		"tickets: {default: {pigeon: {}}}":                                                            `unknown field "pigeon"`,
		"waiver: {version: a, clauses: [one]}":                                                        "two clauses",
		"documentation: {g: {itglue: " + glue + "}, h: {itglue: " + glue + "}}\ncustomers: {a: {documentation: g, organization: 1}, b: {documentation: h, organization: 1}}": "no two customers share one",
	} {
		_, err := settingsOf(t, text)
		if e, ok := errors.AsType[*devices.Error](err); !ok || e.Kind != devices.Usage || e.Hint == "" || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s\n: %v, want %q", text, err, want)
		}
	}
	if _, err := settingsOf(t, "documentation: {g: {itglue: "+glue+"}, h: {itglue: "+glue+"}}\ncustomers: {a: {documentation: [g, h], organization: 1}}"); err != nil {
		t.Errorf("one customer in one account twice: %v", err)
	}
}
