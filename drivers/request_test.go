package drivers_test

import (
	"context"
	"encoding/xml"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"belay/configs"
	"belay/devices"
	"belay/devices/http"
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
		"nobody says who we are":          {"Bearer {password}", "Bearer"},
		"a header that says whom for":     {"Authorization:", "Host: evil.example, Authorization:"},
		"sign in at another place":        {"http:\n", "http:\n  sign_in: {request: POST /api/reboot, basic: true}\n"},
		"sign in without a password":      {"http:\n", "http:\n  sign_in: {request: POST /api/login}\n"},
		"sign out by something else":      {"http:\n", "http:\n  sign_out: POST /api/reboot\n"},
		"a token of no group":             {"http:\n", "http:\n  sign_in: {request: POST /api/login, basic: true, token: abc}\n"},
		"a command":                       {"request: GET /api/config", "run: show version"},
		"a form that is none":             {"as: json", "as: yaml"},
		"pages of a text":                 {"as: json, ", ""},
		"members of a text":               {"as: json, pages: link,", "only: [name],"},
		"a token in the address for ever": {"http:\n", "http:\n  query: {ticket: '{token}'}\n  sign_in: {request: POST /api/login, basic: true, token: '(x)'}\n"},
		"a password in the address":       {"http:\n", "http:\n  query: {p: '{password}'}\n  sign_out: POST /api/logout\n  sign_in: {request: POST /api/login, basic: true, token: '(x)'}\n"},
		"a base that is a host":           {"http:\n", "http:\n  base: //evil.example\n"},
		"a sign-in that acts besides": {"http:\n", "http:\n  sign_in: {request: POST /webconsole/APIController, headers: {Content-Type: application/x-www-form-urlencoded}, body: 'reqxml=<Request>" +
			"<Login><Username>{user}</Username><Password>{password}</Password></Login><Set><X></X></Set></Request>'}\n"},
		"a backup file that nobody asked for": {"GET /api/config, as: json, pages: link", `'POST /api/s/default/cmd/backup', body: '{"cmd": "backup", "days": 0}'`},
		"a body of a GET":                     {"as: json", "body: '{}', as: json"},
		"a negative pace":                     {"http:\n", "http:\n  pace: -1\n"},
		"a binary artifact as the text":       {"as: json", "sealed: true, as: json"},
		"a request by another road":           {"road: https", "road: exec"},
		"a next page that needs a group":      {"pages: link", "pages: abc"},
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

// TestOnlyTheMembersThatAreNamedBecomeText: what is counted stays out, the
// original is whole.
func TestOnlyTheMembersThatAreNamedBecomeText(t *testing.T) {
	t.Parallel()
	got, res := keptOf(t, `{"meta": {"rc": "ok", "up": 3}, "data": [{"name": "a", "uptime": 5, "ports": [{"rx": 1, "mode": 2}]}, 7, {"name": "b"}], "uptime": 1}`+"\n", "pages: link", "only: [name, ports]")
	want := "{\n  \"data\": [\n    {\n      \"name\": \"a\",\n      \"ports\": [\n        {\n          \"mode\": 2,\n          \"rx\": 1\n        }\n      ]\n    },\n    7,\n    {\n      \"name\": \"b\"\n    }\n  ],\n  \"meta\": {\n    \"rc\": \"ok\",\n    \"up\": 3\n  },\n  \"uptime\": 1\n}\n"
	if got != want {
		t.Errorf("%s: %s", res.Error, got)
	}
	if got, res = keptOf(t, `[{"name": 1, "uptime": 5}]`+"\n", "pages: link", "only: [name]"); got != "[\n  {\n    \"name\": 1\n  }\n]\n" {
		t.Errorf("%s: %s", res.Error, got)
	}
}

// TestAFormsFieldThatIsXMLIsWrittenAsBoth: a password may hold what XML and forms
// take for their own.
func TestAFormsFieldThatIsXMLIsWrittenAsBoth(t *testing.T) {
	t.Parallel()
	const ask = "reqxml=<Request><Login><Username>{user}</Username><Password>{password}</Password></Login><Get><Zone></Zone></Get></Request>"
	c, err := apiDriver(t, "GET /api/config, as: json, pages: link", "POST /webconsole/APIController, headers: {Content-Type: application/x-www-form-urlencoded}, body: '"+ask+"'")
	if err != nil {
		t.Fatal(err)
	}
	var sent http.Request
	p := &drivers.Puller{Catalog: c, Idle: time.Second, Now: time.Now, DialHTTPS: func(context.Context, devices.Device, *drivers.Driver) (drivers.Asker, devices.Login, error) {
		return recorder{&sent}, devices.Login{User: "a&b", Password: devices.NewSecret(`x</Password><Set>+%&"`)}, nil
	}}
	if _, err := p.Pull(t.Context(), devices.Device{Driver: "acme_api", Address: "192.0.2.1"}); err != nil {
		t.Fatal(err)
	}
	form, err := url.ParseQuery(sent.Body)
	if err != nil || len(form) != 1 {
		t.Fatalf("%q %v", sent.Body, err)
	}
	var got struct {
		User     string `xml:"Login>Username"`
		Password string `xml:"Login>Password"`
		Set      []any  `xml:"Login>Set"`
	}
	if err := xml.Unmarshal([]byte(form.Get("reqxml")), &got); err != nil || got.User != "a&b" || got.Password != `x</Password><Set>+%&"` || got.Set != nil {
		t.Errorf("%+v %v", got, err)
	}
}

// recorder is an API that notes what it is asked.
type recorder struct{ last *http.Request }

func (r recorder) Do(_ context.Context, q http.Request) (http.Answer, error) {
	*r.last = q
	return http.Answer{Status: 200, Body: []byte(`{"name": 1}`)}, nil
}
func (recorder) Reached() devices.Reached { return devices.Reached{} }
func (recorder) Close() error             { return nil }

// TestAnotherWayIntoAnAPIAsksTheSame, below another base.
func TestAnotherWayIntoAnAPIAsksTheSame(t *testing.T) {
	t.Parallel()
	c, err := drivers.Load(folder(t, false, map[string]string{
		"acme_api.yaml": "title: An API\nroad: https\nhttp:\n  headers: {Authorization: 'Bearer {password}'}\npull:\n  - {request: GET /config, as: json, keep: running.conf}\ncomplete: {agree: 2, sections: ['name']}\ngrade: {level: audit, missing: all}\naccount: none\n",
		"acme_two.yaml": "title: Behind a proxy\nlike: acme_api\nhttp:\n  base: /proxy/network\n  headers: {X-API-KEY: '{password}'}\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"acme_api": "GET /config", "acme_two": "GET /proxy/network/config"} {
		if d, err := c.Find(name); err != nil || strings.Join(d.Commands(), ",") != want {
			t.Errorf("%s: %v %v", name, d, err)
		}
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

// TestAListWithinAListIsTakenForEachOfBoth: zones, and the networks of each.
func TestAListWithinAListIsTakenForEachOfBoth(t *testing.T) {
	t.Parallel()
	const nested = "GET /api/config, as: json, keep: running.conf, each: '\"zone\": \"(.*)\"', pull: [{request: 'GET /z/{each}', as: json, keep: 'zone-{each}.json', " +
		"each: '\"wlan\": \"(.*)\"', pull: [{request: 'GET /z/{outer}/w/{each}', as: json, keep: 'wlan-{outer}-{each}.json'}]}]}\n#"
	c, err := apiDriver(t, "GET /api/config", nested)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := simulator.Parse("one", []byte("-- device.yaml --\ndriver: acme_api\nlogin: {user: a, password: b}\nhttp: {needs: {Authorization: 'Bearer {password}'}}\n"+
		"-- GET /api/config --\n{\"name\": 1, \"list\": [{\"zone\": \"a\"}, {\"zone\": \"b\"}]}\n-- GET /z/a --\n[{\"wlan\": \"1\"}, {\"wlan\": \"2\"}]\n-- GET /z/b --\n[{\"wlan\": \"1\"}]\n"+
		"-- GET /z/a/w/1 --\n\"a1\"\n-- GET /z/a/w/2 --\n\"a2\"\n-- GET /z/b/w/1 --\n\"b1\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	b, r := backup(puller(c, &simulator.Device{T: tr}))
	res, texts := capture(t, b, r, devices.Device{Customer: "acme", Name: "box", Driver: "acme_api", Address: "192.0.2.1"})
	for name, want := range map[string]string{"wlan-a-1.json": "a1", "wlan-a-2.json": "a2", "wlan-b-1.json": "b1"} {
		if texts[name] != `"`+want+"\"\n" {
			t.Errorf("%s: %q %s", name, texts[name], res.Error)
		}
	}
	for what, change := range map[string][2]string{
		"a third one":                       {"keep: 'wlan-{outer}-{each}.json'", "keep: 'wlan-{outer}-{each}.json', each: '(x)', pull: [{request: GET /q, keep: 'q-{outer}-{each}.json'}]"},
		"a name that is not distinct":       {"wlan-{outer}-{each}", "wlan-{each}"},
		"an outer name where there is none": {"'GET /z/{each}'", "'GET /z/{outer}'"},
	} {
		if _, err := apiDriver(t, "GET /api/config", strings.Replace(nested, change[0], change[1], 1)); err == nil {
			t.Errorf("%s: loads", what)
		}
	}
}
