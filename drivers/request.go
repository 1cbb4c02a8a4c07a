package drivers

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"belay/configs"
	"belay/devices"
	"belay/devices/http"
)

// An Asker is an open session with a device's API; nobody has signed in yet.
type Asker interface {
	// Do sends one request. An answer with any status is no error.
	Do(ctx context.Context, r http.Request) (http.Answer, error)
	Reached() devices.Reached
	Close() error
}

// An api is how one system's API is spoken to.
type api struct {
	signIn  *entry
	signOut string
	headers map[string]string
	query   map[string]string
	basic   bool
	public  bool
	pace    float64
}

// An entry is how a session is opened, by one request.
type entry struct {
	line    string
	basic   bool
	headers map[string]string
	body    string
	token   *regexp.Regexp
	denied  *regexp.Regexp
}

// A request is what a step asks of an API, beside its request line.
type request struct {
	headers map[string]string
	body    string
	as      string
	only    []string
	pages   *regexp.Regexp // its group is the next request; nil: none, or link
	link    bool
}

// overHTTPS is an API as Puller's Conn: it has neither terminal nor commands.
type overHTTPS struct{ Asker }

func (overHTTPS) Shell(context.Context, devices.Terminal) (io.ReadWriteCloser, error) {
	return nil, errors.New("an API has no terminal")
}

func (overHTTPS) Run(context.Context, string, io.Writer) (int, error) {
	return -1, errors.New("an API runs no commands")
}

// A conversation is one session with an API, from signing in to signing out.
type conversation struct {
	d     *Driver
	asker Asker
	login devices.Login
	dev   devices.Device
	idle  time.Duration

	token  string
	inside bool // something was answered that only who was let in is told
}

// open signs in, where that is a request of its own. It is done once: a password
// that was refused is never offered again.
func (c *conversation) open(ctx context.Context) error {
	e := c.d.api.signIn
	if e == nil {
		return nil
	}
	r, err := c.write(e.line, e.headers, nil, e.body)
	if err != nil {
		return err
	}
	r.Once = true
	if e.basic {
		r.User, r.Password = c.login.User, c.login.Password
	}
	a, err := c.asker.Do(ctx, r)
	if err != nil {
		return err
	}
	switch {
	case a.Status == 401, a.Status == 403, e.denied != nil && e.denied.Match(a.Body):
		return c.refused(fmt.Errorf("%s: it answered %s", e.line, statusOf(a)))
	case a.Status < 200 || a.Status > 299:
		return c.unready(e.line, a)
	}
	c.inside = true
	if e.token == nil {
		return nil
	}
	if c.token = token1(e.token, a); c.token == "" {
		return &devices.Error{Kind: devices.Refused, Op: "sign in", Err: fmt.Errorf("%s: the answer holds nothing to go on with", e.line), Hint: "does the driver fit this release? belay drivers try shows more"}
	}
	return nil
}

// token1 looks for what signing in gave: in the body, then in the headers, of
// which the cookies are some.
func token1(re *regexp.Regexp, a http.Answer) string {
	var said bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(a.Header)) {
		for _, value := range a.Header[name] {
			fmt.Fprintf(&said, "%s: %s\n", name, value)
		}
	}
	for _, text := range [][]byte{a.Body, said.Bytes()} {
		if m := re.FindSubmatchIndex(text); m != nil {
			return group(text, m)
		}
	}
	return ""
}

// close signs out, whatever became of the session: many devices have few seats.
func (c *conversation) close(ctx context.Context) {
	if c.d.api.signOut == "" || !c.inside {
		return
	}
	// Also for who has just pressed Ctrl-C; best effort, the seat is freed by itself some day.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if r, err := c.write(c.d.api.signOut, c.d.api.headers, nil, ""); err == nil {
		r.Once = true
		_, _ = c.asker.Do(ctx, r)
	}
}

// run sends a step's request and, where the answer says that there are more, the
// next pages.
func (c *conversation) run(ctx context.Context, line string, s step) (answer, error) {
	var pages [][]byte
	open, size := false, 0
	seen := map[string]bool{}
	for next := line; next != ""; {
		switch {
		case len(pages) == maxPages:
			return answer{}, fmt.Errorf("%s: more than %d pages", line, maxPages)
		case size > maxAnswer:
			return answer{}, fmt.Errorf("%s: answer of more than %d MB", line, maxAnswer>>20)
		case seen[next]:
			return answer{}, &devices.Error{Kind: devices.Refused, Op: "read on", Err: fmt.Errorf("%s: its pages go round in a circle", line)}
		case len(pages) > 0 && (word().MatchString(next) || asksOnly(next, s.http.body) != nil): // the device's own words are filled in with nothing of ours
			return answer{}, &devices.Error{Kind: devices.Refused, Op: "read on", Err: errors.New("the next page is not to be had by a request that only reads")}
		}
		seen[next] = true
		a, err := c.ask(ctx, next, s.http, s.optional)
		if err != nil {
			return answer{}, err
		}
		open = open || a.Open
		if a.Status < 200 || a.Status > 299 {
			if len(pages) > 0 {
				return answer{}, c.unready(line+" (a further page)", a)
			}
			return answer{raw: a.Body, text: configs.Plain(a.Body), status: a.Status}, nil
		}
		pages, size = append(pages, a.Body), size+len(a.Body)
		next = s.http.next(a)
	}
	all := answer{raw: bytes.Join(pages, []byte("\n")), open: open}
	var err error
	if all.text, err = s.http.text(pages); err != nil {
		all.text, all.fault = configs.Plain(all.raw), fmt.Sprintf("%s: %v", line, err)
	}
	if s.keep == "" && all.fault != "" {
		return answer{}, &devices.Error{Kind: devices.Refused, Op: "read", Err: errors.New(all.fault)}
	}
	return all, nil
}

// maxPages is how many pages one answer may have.
const maxPages = 1000

// ask sends one request of an open session. What the login may not see is an
// answer where the step is optional: the walk says what is missing.
func (c *conversation) ask(ctx context.Context, line string, q *request, optional bool) (http.Answer, error) {
	r, err := c.write(line, c.d.api.headers, q.headers, q.body)
	if err != nil {
		return http.Answer{}, err
	}
	if c.d.api.basic {
		r.User, r.Password = c.login.User, c.login.Password
	}
	// Until a first answer every request offers the login: one attempt is all.
	r.Once = !c.inside && c.d.api.signIn == nil && c.d.api.basic
	a, err := c.asker.Do(ctx, r)
	if err != nil {
		return a, err
	}
	switch {
	case a.Status == 401 && c.inside:
		return a, &devices.Error{Kind: devices.Unreachable, Op: "ask", Err: fmt.Errorf("%s: it does not know the session any more", line)}
	case a.Status == 403 && c.inside && optional:
		return a, nil
	case a.Status == 401, a.Status == 403:
		return a, c.refused(fmt.Errorf("%s: it answered %s", line, statusOf(a)))
	case a.Status >= 500 && a.Status != 501, a.Status == 429:
		return a, c.unready(line, a)
	}
	c.inside = c.inside || a.Status < 300
	return a, nil
}

func (c *conversation) refused(err error) error {
	return &devices.Error{Kind: devices.Denied, Op: "sign in", Err: err, Hint: "check the login, and what it may do: belay drivers show " + c.d.Name + " prints what an account needs"}
}

// unready is an answer that may be another one later.
func (c *conversation) unready(line string, a http.Answer) error {
	return &devices.Error{Kind: devices.Unreachable, Op: "ask", Err: fmt.Errorf("%s: it answered %s", line, statusOf(a))}
}

// statusOf is the status in words. Nothing of the answer's own is quoted: it may
// quote what was sent.
func statusOf(a http.Answer) string { return fmt.Sprintf("with status %d", a.Status) }

// webPage tells whether a body is a page for people: a login form, a proxy's word.
func webPage(body []byte) bool {
	head := bytes.ToLower(bytes.TrimLeft(body[:min(len(body), 512)], "\ufeff \t\r\n"))
	return bytes.HasPrefix(head, []byte("<!doctype html")) || bytes.HasPrefix(head, []byte("<html"))
}

// write puts a request together. What it is made of is shown in no error.
func (c *conversation) write(line string, headers, more map[string]string, body string) (http.Request, error) {
	method, path, _ := strings.Cut(line, " ")
	r := http.Request{Method: method, Idle: c.idle, Headers: map[string]string{}}
	var odd error
	put := func(text string, how func(string) string) string {
		return word().ReplaceAllStringFunc(text, func(w string) string {
			value, ok := c.value(w)
			if !ok {
				odd = &devices.Error{Kind: devices.Usage, Op: "ask", Err: fmt.Errorf("%s wants %s, which is not known", line, w), Hint: "the inventory's entry needs serials, and its login a user and a password"}
			}
			return how(value)
		})
	}
	r.Path = plainPath.Replace(put(path, url.PathEscape))
	if c.token != "" { // of signing in there is none yet
		for _, name := range slices.Sorted(maps.Keys(c.d.api.query)) {
			mark := "?"
			if strings.Contains(r.Path, "?") {
				mark = "&"
			}
			r.Path += mark + name + "=" + put(c.d.api.query[name], url.QueryEscape)
		}
	}
	for _, list := range []map[string]string{headers, more} {
		for _, name := range slices.Sorted(maps.Keys(list)) {
			r.Headers[name] = put(list[name], func(s string) string { return s })
			if strings.ContainsFunc(r.Headers[name], func(c rune) bool { return c < ' ' || c == 0x7f }) {
				odd = &devices.Error{Kind: devices.Usage, Op: "ask", Err: fmt.Errorf("what %s asks for in %s holds a line end or another control character", line, name), Hint: "look at the login in the settings"}
			}
		}
	}
	if name, document, ok := strings.Cut(body, "=<"); ok && method != "GET" { // a form's field that is XML
		r.Body = name + "=" + url.QueryEscape("<"+put(document, escaping("text/xml")))
	} else if method != "GET" {
		r.Body = put(body, escaping(r.Headers["Content-Type"]))
	}
	return r, odd
}

// word is what is filled in. A brace of JSON is none.
var word = devices.Pattern(`\{(?:user|password|token|serial|name)\}`)

// plainPath writes a path as it may stand on the line; driver files stay legible.
var plainPath = strings.NewReplacer("<", "%3C", ">", "%3E", " ", "%20", `"`, "%22", "[", "%5B", "]", "%5D", "'", "%27")

func (c *conversation) value(w string) (string, bool) {
	v := ""
	switch w {
	case "{user}":
		v = c.login.User
	case "{password}":
		v = c.login.Password.Reveal()
	case "{token}":
		v = c.token
	case "{serial}":
		if len(c.dev.Serials) > 0 {
			v = c.dev.Serials[0]
		}
	case "{name}":
		v = c.dev.Name
	}
	return v, v != ""
}

// escaping is how a value is written in a body of that type.
func escaping(media string) func(string) string {
	media, _, _ = strings.Cut(strings.ToLower(media), ";")
	return func(s string) string {
		switch strings.TrimSpace(media) {
		case "application/json":
			quoted, err := json.Marshal(s)
			if err != nil {
				return ""
			}
			return string(quoted[1 : len(quoted)-1])
		case "application/x-www-form-urlencoded":
			return url.QueryEscape(s)
		case "application/xml", "text/xml":
			var b strings.Builder
			_ = xml.EscapeText(&b, []byte(s)) // a builder takes everything
			return b.String()
		}
		return s
	}
}

// reach opens a session by the driver's road.
func (p *Puller) reach(ctx context.Context, dev devices.Device, d *Driver) (Conn, devices.Login, error) {
	if d.transfer != nil {
		e, err := p.errand(ctx, dev, d)
		return e, devices.Login{}, err
	}
	if d.api == nil {
		return p.Dial(ctx, dev, d)
	}
	if p.DialHTTPS == nil {
		return nil, devices.Login{}, &devices.Error{Kind: devices.Broken, Op: "reach", Device: dev.String(), Err: errors.New("there is no way to an API here")}
	}
	a, login, err := p.DialHTTPS(ctx, dev, d)
	if err != nil {
		return nil, devices.Login{}, err
	}
	return overHTTPS{a}, login, nil
}
