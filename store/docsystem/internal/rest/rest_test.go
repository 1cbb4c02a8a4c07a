package rest

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"belay/configs"
	"belay/devices"
	"belay/store/docsystem/internal/system"
)

const key = "ITG.canary7c1d9e"

// open makes a client of the server at address, with every wait cut short.
func open(t *testing.T, address string, o system.Options) *Client {
	t.Helper()
	base, err := Address("Docs", address)
	if err != nil {
		t.Fatal(err)
	}
	o.Key = devices.NewSecret(key)
	c, err := New(Client{Title: "Docs", Base: base, Header: "x-api-key", Nap: time.Millisecond}, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func serve(t *testing.T, f http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s.URL
}

// leaks looks for the key in every way an error can be printed.
func leaks(t *testing.T, err error) {
	t.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
			if s := fmt.Sprintf(verb, e); strings.Contains(strings.ToLower(s), strings.ToLower(key)) {
				t.Errorf("the key is in %s of an error: %s", verb, s)
			}
		}
	}
}

func TestARefusalSaysWhatHelpsAndWhetherItIsCertain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		why    configs.Decline // empty: it may have been done
	}{
		{400, configs.Invalid}, {401, configs.Unauthorized}, {403, configs.Unauthorized}, {404, configs.Gone}, {405, configs.Invalid},
		{408, configs.Busy}, {409, configs.Invalid}, {410, configs.Gone}, {413, configs.TooLarge}, {415, configs.Invalid}, {422, configs.Invalid},
		{429, configs.Busy}, {302, ""}, {303, ""}, {500, ""}, {502, ""}, {503, ""}, {504, ""}, {599, ""},
	} {
		var calls atomic.Int32
		cl := open(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
			calls.Add(1)
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
			fmt.Fprint(w, `{"errors":[{"status":1,"title":"must exist","detail":"said `+key+`"}]}`)
		}), system.Options{})
		for _, method := range []string{http.MethodPost, http.MethodPatch, http.MethodDelete} {
			calls.Store(0)
			_, err := cl.Do(t.Context(), Request{Op: "try", Method: method, Path: "/x", Body: []byte("{}")})
			d, declined := errors.AsType[*configs.Declined](err)
			if err == nil || declined != (c.why != "") || declined && d.Why != c.why {
				t.Errorf("%s answered %d: %v (declined %v), want %q", method, c.status, err, declined, c.why)
			}
			if StatusOf(err) != c.status {
				t.Errorf("the status of %v is %d, want %d", err, StatusOf(err), c.status)
			}
			if n := calls.Load(); n != 1 {
				t.Errorf("%s answered %d was sent %d times", method, c.status, n)
			}
			if devices.HintOf(errors.Unwrap(err)) == "" && devices.HintOf(err) == "" {
				t.Errorf("%v has no hint", err)
			}
			leaks(t, err)
		}
	}
}

func TestOnlyAGETIsTriedAgain(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]int32{500: 3, 502: 3, 503: 3, 504: 1, 429: 1, 404: 1} {
		var calls atomic.Int32
		cl := open(t, serve(t, func(w http.ResponseWriter, _ *http.Request) { calls.Add(1); w.WriteHeader(status) }), system.Options{})
		if _, err := cl.Do(t.Context(), Request{Op: "ask"}); StatusOf(err) != status || calls.Load() != want {
			t.Errorf("a GET answered %d was sent %d times and ended with %v, want %d times", status, calls.Load(), err, want)
		}
	}
	var calls atomic.Int32
	cl := open(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) < 3 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}), system.Options{})
	if _, err := cl.Do(t.Context(), Request{Op: "ask"}); err != nil || calls.Load() != 3 {
		t.Errorf("a GET told when to come back was sent %d times and ended with %v", calls.Load(), err)
	}
}

func TestTooManyRequestsHoldTheWholeAccount(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]time.Duration{"": BusyTime, "90": 90 * time.Second, "Fri, 12 Jun 2026 08:01:40 GMT": 100 * time.Second, "soon": BusyTime, "-5": BusyTime} {
		var held []time.Duration
		cl := open(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", "Fri, 12 Jun 2026 08:00:00 GMT")
			if said != "" {
				w.Header().Set("Retry-After", said)
			}
			w.WriteHeader(http.StatusTooManyRequests)
			fmt.Fprint(w, "Retry later\n")
		}), system.Options{Hold: func(d time.Duration) { held = append(held, d) }})
		_, err := cl.Do(t.Context(), Request{Op: "attach", Method: http.MethodPost, Body: []byte("{}")})
		d, ok := errors.AsType[*configs.Declined](err)
		if !ok || d.Why != configs.Busy || d.After != want || len(held) != 1 || held[0] != want {
			t.Errorf("Retry-After %q: %v, after %v, held %v, want %v", said, err, d, held, want)
		}
	}
}

func TestEveryRequestWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	var turns, calls atomic.Int32
	cl := open(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1); calls.Load() > turns.Load() {
			t.Error("a request came before its turn")
		}
		w.WriteHeader(http.StatusBadGateway)
	}), system.Options{Pace: func(context.Context) error { turns.Add(1); return nil }})
	_, _ = cl.Do(t.Context(), Request{Op: "ask"})
	if turns.Load() != 3 || calls.Load() != 3 {
		t.Errorf("%d turns for %d requests", turns.Load(), calls.Load())
	}

	calls.Store(0)
	ctx, cancel := context.WithCancel(t.Context())
	cl.Pace = func(ctx context.Context) error { cancel(); <-ctx.Done(); return ctx.Err() }
	_, err := cl.Do(ctx, Request{Op: "attach", Method: http.MethodPost, Body: []byte("{}")})
	if _, ok := errors.AsType[*configs.Declined](err); !ok || !errors.Is(err, context.Canceled) || calls.Load() != 0 {
		t.Errorf("a request whose turn never came: %v, sent %d times", err, calls.Load())
	}
	cl.Pace = func(context.Context) error {
		return &configs.Declined{Why: configs.Busy, After: time.Minute, Err: errors.New("it is to be left alone")}
	}
	_, err = cl.Do(t.Context(), Request{Op: "ask"})
	if d, ok := errors.AsType[*configs.Declined](err); !ok || d.After != time.Minute || !strings.Contains(err.Error(), "left alone") || calls.Load() != 0 {
		t.Errorf("a request to an account that rests: %v, sent %d times", err, calls.Load())
	}
}

func TestWhatWasNeverSentIsCertainAndWhatLostItsAnswerIsNot(t *testing.T) {
	t.Parallel()
	post := Request{Op: "attach", Method: http.MethodPost, Body: []byte("{}"), Time: 5 * time.Second}
	const closed = "http://127.0.0.1:1"
	self := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(self.Close)
	self.Config.ErrorLog = nil
	for name, address := range map[string]string{"nobody listens": closed, "no such host": "https://docs.invalid", "a certificate of nobody": self.URL} {
		_, err := open(t, address, system.Options{}).Do(t.Context(), post)
		if d, ok := errors.AsType[*configs.Declined](err); !ok || d.Why != configs.Busy {
			t.Errorf("%s: %v is not a certain refusal", name, err)
		}
		leaks(t, err)
	}

	for name, f := range map[string]http.HandlerFunc{
		"dropped": func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			panic(http.ErrAbortHandler)
		},
		"cut short": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, `{"data":`)
		},
		"no answer in time": func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		},
		"not JSON": func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "<html>log in</html>") },
	} {
		var calls atomic.Int32
		r := post
		if name == "no answer in time" {
			r.Time = 50 * time.Millisecond
		}
		var v struct{}
		err := open(t, serve(t, func(w http.ResponseWriter, r *http.Request) { calls.Add(1); f(w, r) }), system.Options{}).JSON(t.Context(), r, &v)
		if _, declined := errors.AsType[*configs.Declined](err); err == nil || declined || calls.Load() != 1 {
			t.Errorf("%s: %v (declined %v) after %d requests, want an error that leaves it open after 1", name, err, declined, calls.Load())
		}
		leaks(t, err)
	}
}

func TestTheKeyGoesNowhereElse(t *testing.T) {
	t.Parallel()
	var seen http.Header
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header.Clone()
		fmt.Fprint(w, "stored bytes")
	})
	var first string
	cl := open(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		first = r.Header.Get("x-api-key")
		http.Redirect(w, r, other+"/signed?token=abc", http.StatusFound)
	}), system.Options{})
	resp, err := cl.Do(t.Context(), Request{Op: "read", Path: "/a", Query: url.Values{"download": {"true"}}})
	if err != nil || string(resp.Body) != "stored bytes" || first != key {
		t.Fatalf("a redirect to a storage gave %q, %v; the first host saw the key: %v", resp.Body, err, first == key)
	}
	for name, values := range seen {
		if strings.Contains(strings.Join(values, " "), key) || name == "Referer" {
			t.Errorf("the other host was told %s", name)
		}
	}
	if printed := fmt.Sprintf("%v %+v", cl, *cl); strings.Contains(printed, key) {
		t.Errorf("a client prints its key: %s", printed)
	}
}

func TestARedirectOutOfEncryptionIsRefused(t *testing.T) {
	t.Parallel()
	var reached atomic.Bool
	plain := serve(t, func(http.ResponseWriter, *http.Request) { reached.Store(true) })
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fine" {
			return
		}
		http.Redirect(w, r, plain, http.StatusFound)
	}))
	t.Cleanup(s.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	cl := open(t, s.URL, system.Options{CA: ca})
	if _, err := cl.Do(t.Context(), Request{Op: "ask", Path: "/fine"}); err != nil {
		t.Errorf("a server with a certificate of the file: %v", err)
	}
	_, err := cl.Do(t.Context(), Request{Op: "ask", Path: "/away"})
	if err == nil || reached.Load() {
		t.Errorf("it followed a redirect from https to http: %v", err)
	}
	if strings.Contains(err.Error(), plain) {
		t.Errorf("the error quotes where it was sent: %v", err)
	}
}

func TestARedirectThatCannotBeReadIsNotQuoted(t *testing.T) {
	t.Parallel()
	for _, location := range []string{"http://[bad" + key, "https://docs.invalid:port/" + key, "gopher://docs.invalid/" + key} {
		cl := open(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusFound)
		}), system.Options{})
		_, err := cl.Do(t.Context(), Request{Op: "ask"})
		if err == nil {
			t.Errorf("it went to %s", location)
		}
		leaks(t, err)
	}
}

func TestAnAnswerIsQuotedShortAndClean(t *testing.T) {
	t.Parallel()
	cl := &Client{Key: devices.NewSecret(key)}
	for body, want := range map[string]string{
		`{"errors":[{"title":"Unprocessable Entity","detail":"must exist"}]}`:   "Unprocessable Entity, must exist",
		`{"errors":[{"title":"the key ` + strings.ToUpper(key) + ` is bad"}]}`:  "",
		`{"errors":[{"title":"the key ITG.cana\u0000ry7c1d9e is bad"}]}`:        "",
		`{"errors":[{"title":"red \u001b[31malert\r\nnow\u202e"}]}`:             "red [31malert now",
		`{"errors":["` + strings.Repeat("aG9zdG5hbWUg", 9) + ` is no base64"]}`: "… is no base64",
		`{"error":"Uploadable must exist"}`:                                     "Uploadable must exist",
		`{"errors":{"name":["is bad"]}}`:                                        "",
		`<!DOCTYPE html><html><body>secret internals</body></html>`:             "a web page",
		`Retry later`: "",
		``:            "",
	} {
		if got := cl.said([]byte(body)); got != want {
			t.Errorf("of %s is quoted %q, want %q", body, got, want)
		}
	}
	if n := len([]rune(cl.quote(strings.Repeat("word ", 1000)))); n != quoteMost {
		t.Errorf("%d characters are quoted", n)
	}
}

func TestAnAddressIsHTTPSOrThisMachine(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://docs.example.net/api/v1/": "https://docs.example.net/api/v1", "http://127.0.0.1:8080": "http://127.0.0.1:8080",
		"http://localhost:1/x": "http://localhost:1/x", "http://[::1]:9": "http://[::1]:9",
		"http://docs.example.net": "", "https://ada:pw-canary@docs.example.net": "", "https://docs.example.net?key=pw-canary": "",
		"docs.example.net": "", "": "", "https://": "", "ftp://docs.example.net": "", "https://%zz@pw-canary": "", "http://127.0.0.1.example.net": "",
	} {
		u, err := Address("Docs", raw)
		if (err == nil) != (want != "") || err == nil && u.String() != want {
			t.Errorf("the address %q is read as %v, %v", raw, u, err)
		}
		if err != nil && (strings.Contains(err.Error(), "pw-canary") || devices.KindOf(err) != devices.Usage || devices.HintOf(err) == "") {
			t.Errorf("the error of %q: %v", raw, err)
		}
	}
}

func TestAnAnswerThatIsTooLongIsNotTaken(t *testing.T) {
	t.Parallel()
	cl := open(t, serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 1001)) }), system.Options{})
	if resp, err := cl.Do(t.Context(), Request{Op: "ask", Limit: 1000}); !errors.Is(err, errTooLong) {
		t.Errorf("1001 bytes where 1000 are taken: %d bytes, %v", len(resp.Body), err)
	}
	if resp, err := cl.Do(t.Context(), Request{Op: "ask", Limit: 1001}); err != nil || len(resp.Body) != 1001 {
		t.Errorf("1001 bytes where 1001 are taken: %d bytes, %v", len(resp.Body), err)
	}
}

func TestACanceledRequestSaysSo(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cl := open(t, serve(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() }), system.Options{})
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if _, err := cl.Do(ctx, Request{Op: "ask", Method: method}); !errors.Is(err, context.Canceled) {
			t.Errorf("a canceled %s ends with %v", method, err)
		}
	}
}

func TestAKeyThatCannotBeOneIsRefusedUnquoted(t *testing.T) {
	t.Parallel()
	for _, k := range []string{"", "  ", "ITG.a b", "ITG.a\nX-Other: 1", "ITG.ä"} {
		if _, err := New(Client{Title: "Docs"}, system.Options{Key: devices.NewSecret(k)}); devices.KindOf(err) != devices.Usage || strings.Contains(fmt.Sprint(err), "ITG") {
			t.Errorf("the key %q: %v", k, err)
		}
	}
	if _, err := New(Client{Title: "Docs"}, system.Options{Key: devices.NewSecret(key), CA: "/nonexistent/ca.pem"}); devices.KindOf(err) != devices.Usage {
		t.Errorf("a file of certificates that is not there: %v", err)
	}
}
