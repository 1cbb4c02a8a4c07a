package drivers

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"belay/devices"
)

// How a request line may look: nothing in it reaches another host.
var requestLine = devices.Pattern(`\A(?:GET|POST) /(?:[A-Za-z0-9._~\-{}=?&<>"' %:,\[\]/])*\z`)

// posting are the requests with POST that only read, or make something for
// reading that goes away by itself, each with the body that makes it one: others
// of the same path may do anything. Whatever is not here does not load.
var posting = []struct{ line, body func() *regexp.Regexp }{
	{ // FortiOS 7
		devices.Pattern(`\APOST /api/v2/monitor/system/config/backup(?:\?(?:&?(?:scope=global|destination=file))+)?\z`),
		devices.Pattern(`\A\z`),
	},
	{ // UniFi Network: without a time series; the next one takes its place
		devices.Pattern(`\APOST (?:/proxy/network)?/api/s/[A-Za-z0-9._\-]+/cmd/backup\z`),
		devices.Pattern(`\A\{"cmd": "backup", "days": 0\}\z`),
	},
	{ // SFOS: <Set> and <Remove> are what acts
		devices.Pattern(`\APOST /webconsole/APIController\z`),
		devices.Pattern(`\Areqxml=<Request>` + sophosLogin + `<Get>(?:<\w+></\w+>)+</Get></Request>\z`),
	},
}

const sophosLogin = `<Login><Username>\{user\}</Username><Password>\{password\}</Password></Login>`

// onlyPosts tells whether a request with POST is one that only reads.
func onlyPosts(line, body string) bool {
	for _, p := range posting {
		if p.line().MatchString(line) && p.body().MatchString(body) {
			return true
		}
	}
	return false
}

// entering and leaving open and close a session; nothing else may.
var (
	entering = devices.Pattern(`\APOST (?:` + strings.Join([]string{
		`/api/sonicos/auth`,
		`/api/\?type=keygen`,
		`/api/auth/login`, `/api/login`, // UniFi
		`/wsg/api/public/v\d+_\d+/serviceTicket`,
		`/webconsole/APIController`, // with the login alone
	}, `|`) + `)\z`)
	departing = devices.Pattern(`\A(?:` + strings.Join([]string{
		`DELETE /api/sonicos/auth`,
		`POST /api/auth/logout`, `POST /api/logout`,
		`DELETE /wsg/api/public/v\d+_\d+/serviceTicket`,
	}, `|`) + `)\z`)
)

// A GET that acts is told by its words: those of the path, and the values of what
// says what is to be done.
var (
	acting = devices.Pattern(`(?i)\A(?:re(?:boot|start|set|store|load|voke|move|fresh|vert)|delete|erase|wipe|import|upload|commit|save|apply|install|upgrade|update|set|add|create|edit|write|shutdown|poweroff|halt|logout|toggle|enable|disable|blink\w*|execute|exec|run|flush|clear)\z`)
	doing  = devices.Pattern(`(?i)\A(?:action|cmd|command|op|operation|do|method|type|mode)\z`)
	looks  = devices.Pattern(`\A(?:show|get|list|export|version|config|configuration)\z`)
	shown  = devices.Pattern(`\A<show>(?:</?[a-z\-]+/?>)+</show>\z`) // PAN-OS: a command as elements
)

// onlyLooks tells whether what is to be done changes nothing.
func onlyLooks(what string) bool {
	return looks().MatchString(what) || shown().MatchString(what) && strings.Count(what, "</show>") == 1
}

// asksOnly tells why a request may not be sent, or nil.
func asksOnly(line, body string) error {
	method, path, _ := strings.Cut(line, " ")
	switch {
	case !requestLine().MatchString(line) || strings.Contains(path, "//") || strings.Contains(path, ".."):
		return fmt.Errorf("request %q: want GET /path or POST /path, in plain characters", line)
	case method == "POST" && !onlyPosts(line, body):
		return fmt.Errorf("request %q is not one of the requests with POST that only read, with its body", line)
	case method == "GET" && body != "":
		return fmt.Errorf("request %q: a GET has no body", line)
	case method == "POST":
		return nil
	}
	path, query, _ := strings.Cut(path, "?")
	bare, err := url.PathUnescape(path)
	if err != nil {
		return fmt.Errorf("request %q cannot be read", line)
	}
	for part := range strings.SplitSeq(bare, "/") {
		if acting().MatchString(part) {
			return fmt.Errorf("request %q could act: it says %q", line, part)
		}
	}
	values, err := url.ParseQuery(strings.ReplaceAll(query, "+", "%2B"))
	if err != nil {
		return fmt.Errorf("request %q cannot be read", line)
	}
	for name, list := range values {
		for _, v := range list {
			if acting().MatchString(name) || doing().MatchString(name) && !onlyLooks(v) && (name != "type" || v != "op" || !values.Has("cmd")) {
				return fmt.Errorf("request %q could act: it says %s=%s", line, name, v)
			}
		}
	}
	return nil
}

// secretWord is what never stands in a request line: addresses are logged.
var secretWord = devices.Pattern(`\{(?:password|token|user)\}`)

// api compiles how a session with an API goes.
func (c *compiler) api(s *spec) *api {
	h := s.HTTP
	if h == nil {
		h = &httpSpec{}
	}
	a := &api{signOut: h.SignOut, headers: h.Headers, basic: h.Basic, public: h.Cloud, pace: h.Pace, query: h.Query}
	c.headers("http.headers", h.Headers)
	if h.SignOut != "" && !departing().MatchString(h.SignOut) {
		c.wrong("http.sign_out: %q is not one of the requests that end a session", h.SignOut)
	}
	for name, value := range h.Query {
		if !regexp.MustCompile(`\A[A-Za-z]+\z`).MatchString(name) || value != "{token}" || h.SignOut == "" || h.SignIn == nil || h.SignIn.Token == "" {
			c.wrong("http.query: %s is not {token} of a session that sign_out ends: addresses are logged", name)
		}
	}
	if h.Base != "" && !regexp.MustCompile(`\A(?:/[a-z][a-z0-9_]*)+\z`).MatchString(h.Base) {
		c.wrong("http.base: %q is no path such as /proxy/network", h.Base)
	}
	if h.Pace < 0 {
		c.wrong("http.pace: %v requests a second", h.Pace)
	}
	if e := h.SignIn; e != nil {
		if !entering().MatchString(e.Request) {
			c.wrong("http.sign_in.request: %q is not one of the requests that open a session", e.Request)
		}
		c.headers("http.sign_in.headers", e.Headers)
		if strings.HasSuffix(e.Request, "/APIController") && !regexp.MustCompile(`\Areqxml=<Request>`+sophosLogin+`</Request>\z`).MatchString(e.Body) {
			c.wrong("http.sign_in.body: this request opens a session only with the login alone")
		}
		a.signIn = &entry{line: e.Request, basic: e.Basic, headers: e.Headers, body: e.Body, token: c.pattern("http.sign_in.token", e.Token), denied: c.pattern("http.sign_in.denied", e.Denied)}
		if a.signIn.token != nil && a.signIn.token.NumSubexp() < 1 {
			c.wrong("http.sign_in.token: wants one group")
		}
		if !e.Basic && !strings.Contains(e.Body, "{password}") && !slices.ContainsFunc(slices.Collect(maps.Values(e.Headers)), func(v string) bool { return strings.Contains(v, "{password}") }) {
			c.wrong("http.sign_in: no {password} in it, and not basic either")
		}
	} else if !h.Basic && !slices.ContainsFunc(slices.Collect(maps.Values(h.Headers)), func(v string) bool { return strings.Contains(v, "{password}") }) {
		c.wrong("http: nothing says who we are: sign_in, basic, or a header with {password}")
	}
	return a
}

func (c *compiler) headers(key string, list map[string]string) {
	for name, value := range list {
		if !headerName().MatchString(name) || strings.ContainsAny(value, "\r\n") {
			c.wrong("%s: %q is no header", key, name)
		}
	}
}

// Whom a request is for is not a driver's to say.
var headerName = devices.Pattern(`\A(?:Authorization|Accept|Content-Type|Cookie|X-[A-Za-z\-]+)\z`)

// request compiles what a step asks of an API.
func (c *compiler) request(key string, s stepSpec, as string, each bool) *request {
	q := &request{headers: s.Headers, body: s.Body, as: cmp.Or(s.As, as), link: s.Pages == "link", only: s.Only}
	if len(s.Only) > 0 && q.as != "json" {
		c.wrong("%s.only: only JSON has members", key)
	}
	c.headers(key+".headers", s.Headers)
	if len(s.Run) > 0 || len(s.Request) == 0 && s.Each == "" {
		c.wrong("%s: an API is asked with request", key)
	}
	for _, line := range s.Request {
		if err := c.requestLine(line, s.Body, each); err != nil {
			c.wrong("%s.request: %v", key, err)
		}
		if strings.HasSuffix(line, "/cmd/backup") && s.Also != "backup-file" {
			c.wrong("%s.request: it makes a file: only with also: backup-file", key)
		}
	}
	if !slices.Contains([]string{"", "text", "json", "xml", "base64"}, q.as) {
		c.wrong("%s.as: %q is not text, json, xml or base64", key, q.as)
	}
	if s.Pages != "" && q.as != "json" {
		c.wrong("%s.pages: only lists in JSON have pages", key)
	}
	if s.Pages != "" && !q.link {
		if q.pages = c.pattern(key+".pages", s.Pages); q.pages != nil && q.pages.NumSubexp() != 1 {
			c.wrong("%s.pages: wants one group", key)
		}
	}
	return q
}

// based are the request lines with what their paths begin with.
func based(base string, lines commands) commands {
	var all commands
	for _, line := range lines {
		method, path, _ := strings.Cut(line, " ")
		all = append(all, method+" "+base+path)
	}
	return all
}

func (c *compiler) requestLine(line, body string, each bool) error {
	if secretWord().MatchString(line) {
		return errors.New("an address holds neither user nor password nor token: addresses are logged")
	}
	for _, w := range []string{"{serial}", "{name}"} {
		line = strings.ReplaceAll(line, w, "a1")
	}
	if each {
		line = strings.ReplaceAll(strings.ReplaceAll(line, eachWord, "a1"), outerWord, "a1")
	}
	if strings.ContainsAny(line, "{}") {
		return fmt.Errorf("request %q: {serial}, {name} and, within an each, {each} are all that is filled in", line)
	}
	return asksOnly(line, body)
}
