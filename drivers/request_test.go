package drivers_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"belay/configs"
	"belay/devices"
	"belay/devices/simulator"
	"belay/drivers"
)

// apiDriver is a driver file with a request, a transcript of it, and what is
// changed in the file.
func apiDriver(t *testing.T, change ...string) (*drivers.Catalog, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "testdata"), 0o700); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(change...).Replace(`title: An API
road: https
http:
  headers: {Authorization: 'Bearer {password}'}
pull:
  - {request: GET /api/config, as: json, pages: link, keep: running.conf}
complete: {agree: 2, sections: ['"name"']}
grade: {level: audit, missing: all}
account: none
`)
	for name, body := range map[string]string{"acme_api.yaml": text, "testdata/acme_api-one.txtar": "-- device.yaml --\ndriver: acme_api\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return drivers.Load(dir)
}

func TestARequestThatCouldActDoesNotLoad(t *testing.T) {
	t.Parallel()
	if _, err := apiDriver(t); err != nil {
		t.Fatal(err)
	}
	if _, err := apiDriver(t, "GET /api/config", "POST /api/config"); err == nil || !strings.Contains(err.Error(), "acme_api.yaml") {
		t.Errorf("it loads: %v", err)
	}
}

func TestWhatAnAPIDriverMayNotSay(t *testing.T) {
	t.Parallel()
	for what, change := range map[string][2]string{
		"nobody says who we are":         {"Bearer {password}", "Bearer"},
		"a header that says whom for":    {"Authorization:", "Host: evil.example, Authorization:"},
		"sign in at another place":       {"http:\n", "http:\n  sign_in: {request: POST /api/reboot, basic: true}\n"},
		"sign in without a password":     {"http:\n", "http:\n  sign_in: {request: POST /api/login}\n"},
		"sign out by something else":     {"http:\n", "http:\n  sign_out: POST /api/reboot\n"},
		"a token of no group":            {"http:\n", "http:\n  sign_in: {request: POST /api/login, basic: true, token: abc}\n"},
		"a command":                      {"request: GET /api/config", "run: show version"},
		"a form that is none":            {"as: json", "as: yaml"},
		"pages of a text":                {"as: json, ", ""},
		"a body of a GET":                {"as: json", "body: '{}', as: json"},
		"a negative pace":                {"http:\n", "http:\n  pace: -1\n"},
		"a binary artifact as the text":  {"as: json", "sealed: true, as: json"},
		"a request by another road":      {"road: https", "road: exec"},
		"a next page that needs a group": {"pages: link", "pages: abc"},
	} {
		if _, err := apiDriver(t, change[0], change[1]); err == nil {
			t.Errorf("%s: loads", what)
		}
	}
}

// kept reads an API that answers just this, and returns what is kept of it.
func keptOf(t *testing.T, answer string, change ...string) (string, configs.Result) {
	t.Helper()
	c, err := apiDriver(t, change...)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := simulator.Parse("one", []byte("-- device.yaml --\ndriver: acme_api\nlogin: {user: a, password: b}\nhttp: {needs: {Authorization: 'Bearer {password}'}}\n-- GET /api/config --\n"+answer))
	if err != nil {
		t.Fatal(err)
	}
	b, r := backup(puller(c, &simulator.Device{T: tr}))
	res, texts := capture(t, b, r, devices.Device{Customer: "acme", Name: "box", Driver: "acme_api", Address: "192.0.2.1"})
	return texts[configs.MainFile], res
}

func TestJSONIsKeptInOneForm(t *testing.T) {
	t.Parallel()
	got, res := keptOf(t, `{"z": 1.50, "big": 12345678901234567890, "a": {"name": "<x>&", "none": null, "list": []}, "e": 1e3}`+"\n")
	if want := "{\n  \"a\": {\n    \"list\": [],\n    \"name\": \"<x>&\",\n    \"none\": null\n  },\n  \"big\": 12345678901234567890,\n  \"e\": 1e3,\n  \"z\": 1.50\n}\n"; got != want {
		t.Errorf("%s: %s", res.Error, got)
	}
	got, res = keptOf(t, "[{\"name\": 1}]\n␅[{\"name\": 2}, {\"name\": 3}]\n␅[]\n")
	if want := "[\n  {\n    \"name\": 1\n  },\n  {\n    \"name\": 2\n  },\n  {\n    \"name\": 3\n  }\n]\n"; got != want {
		t.Errorf("%s: %s", res.Error, got)
	}
}

func TestXMLIsIndentedAndNothingElse(t *testing.T) {
	t.Parallel()
	got, res := keptOf(t, `<?xml version="1.0"?><!-- "name" --><c a='1'><x/><y> </y><z>a &amp; <b>bold</b> end</z><w><v>1</v><v><![CDATA[<2>]]></v></w></c>`+"\n", "as: json, pages: link", "as: xml")
	want := "<?xml version=\"1.0\"?>\n<!-- \"name\" -->\n<c a='1'>\n  <x/>\n  <y></y>\n  <z>a &amp; <b>bold</b> end</z>\n  <w>\n    <v>1</v>\n    <v><![CDATA[<2>]]></v>\n  </w>\n</c>\n"
	if got != want {
		t.Errorf("%s: %s", res.Error, got)
	}
}

// TestWhatIsNotWholeInItsFormIsRefusedByACheck, and so goes to the quarantine.
func TestWhatIsNotWholeInItsFormIsRefusedByACheck(t *testing.T) {
	t.Parallel()
	for form, answers := range map[string][]string{
		"json":   {`{"name": 1`, `{"name": 1} x`, "name", "[{\"name\": 1}]\n␅{\"name\": 2}", "[{\"name\": 1}]\n␅[{\"name\": 2}"},
		"xml":    {`<c><name>"name"</c>`, `<c>"name"`, `<c>"name"</c> x`, `"name"`},
		"base64": {`"name"`, "QUJDR", "&&"},
		"text":   {"<!DOCTYPE html>\n<p>\"name\"</p>"},
	} {
		for _, a := range answers {
			change := []string{"as: json", "as: " + form}
			if form != "json" {
				change = []string{"as: json, pages: link", "as: " + form}
			}
			if _, res := keptOf(t, a+"\n", change...); res.Result != configs.Refused {
				t.Errorf("%s %q: %s %s", form, a, res.Result, res.Error)
			}
		}
	}
}
