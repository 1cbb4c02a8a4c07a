package redact

import (
	"regexp"
	"strings"
	"testing"
)

func TestAHarmlessPatternSaysWhatItsValueIsMadeOf(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		`^ {6}"key": "[a-z][a-z_0-9]*",?$`:         "",
		`^ *server-key [a-z][a-z-]*$`:              "",
		`^ *"key": "ssh-rsa [A-Za-z0-9+/=]+",?$`:   "",
		`(?i)^location Key [a-z ]+$`:               "too little",
		` {6}"key": "[a-z]+"$`:                     "whole line",
		`^ {6}"key": "[a-z]+"`:                     "whole line",
		`^ *"key": "[a-z]+"$|^ *"token": "[a-z]"$`: "whole line",
		`^|password|$`:                             "whole line",
		`password`:                                 "whole line",
		`^$`:                                       "three letters",
		`^ *[a-z]+ [a-z]+$`:                        "three letters",
		`^ *(?:password)? [a-z]+$`:                 "three letters",
		`^ *"key": ".*"$`:                          "too little",
		`^ *"key": "\S+"$`:                         "too little",
		`^ *"key": "[^"]*"$`:                       "too little",
		`^ *"key": "[!-~]*"$`:                      "too little",
		`^ *"key": "(?:a|[a-z]|(.))"$`:             "too little",
		`^\s*"key": "[a-z]"$`:                      "too little",
		`(?s)^"key": .$`:                           "too little",
		`^ *"key": "\p{L}+"$`:                      "too little",
		`^ *"key": "[a-z"$`:                        "missing closing",
	} {
		_, err := NewHarmless([]string{pattern})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", pattern, err, want)
		}
	}
}

// TestAHarmlessLineIsLeftToTheDriversRules: only what was taken for a secret by the
// name of its value stays, and that in lines of this very form.
func TestAHarmlessLineIsLeftToTheDriversRules(t *testing.T) {
	t.Parallel()
	r, err := Compile(nil, []Rule{{Name: "named", Find: regexp.MustCompile(`^ *"x_key": "(?P<secret>[^"]+)"`)}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Harmless, err = NewHarmless([]string{`^ *"key": "[a-z][a-z_0-9$./]*",?$`, `^ *"password": "[a-z:/@.]+",?$`}); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		`  "key": "mgmt",`:                     `  "key": "mgmt",`,
		`  "key": "Mgmt",`:                     `  "key": "<redacted>",`,
		`  "key": "mgmt", "key": "mgmt"`:       `  "key": "<redacted>", "key": "<redacted>"`,
		`  "x_key": "mgmt",`:                   `  "x_key": "<redacted>",`,
		`  "other_key": "mgmt",`:               `  "other_key": "<redacted>",`,
		`  "key": "x$6$abcdefgh",`:             `  "key": "<redacted>",`,
		`  "password": "ftp://me:canary@a.b",`: `  "password": "ftp://me:<redacted>@a.b",`,
		"  \"x_key\": \"qwertyuiopas1234\",\n  \"key\": \"qwertyuiopas1234\"": "  \"x_key\": \"<redacted>\",\n  \"key\": \"<redacted>\"",
	} {
		clean, _ := r.Apply([]byte(line+"\n"), Key{1})
		if got := token().ReplaceAllString(strings.TrimSuffix(clean.String(), "\n"), "<redacted>"); got != want {
			t.Errorf("%s became %s, want %s", line, got, want)
		}
		if r.Hides([]byte(clean.String())) || r.Hides([]byte(line+"\n")) != strings.Contains(want, "<redacted>") {
			t.Errorf("what there is to hide in %s, and what is left in %s, is not known", line, clean)
		}
		again, report := r.Apply([]byte(clean.String()), Key{1})
		if again.String() != clean.String() || len(report.Gaps) > 0 {
			t.Errorf("%s: cleaned twice it became %s", line, again)
		}
	}
}
