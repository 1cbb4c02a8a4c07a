package tickets

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/devices"
)

// A hook is a server that webhooks are posted to. It remembers what it got.
type hook struct {
	*httptest.Server
	ca   string
	mu   sync.Mutex
	got  []heard
	keys map[string]int // how often each key came
}

type heard struct {
	method, path string
	header       http.Header
	body         []byte
}

// hear starts one over TLS that then answers as told.
func hear(t *testing.T, answer http.HandlerFunc) *hook {
	t.Helper()
	h := &hook{keys: map[string]int{}}
	h.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		h.mu.Lock()
		h.got = append(h.got, heard{r.Method, r.URL.Path, r.Header.Clone(), body})
		h.keys[r.Header.Get("Idempotency-Key")]++
		h.mu.Unlock()
		answer(w, r)
	}))
	h.Server.TLS, h.ca = certificate(t)
	h.Server.Config.ErrorLog = quiet()
	h.StartTLS()
	t.Cleanup(h.Close)
	return h
}

func (h *hook) webhook() Webhook {
	return Webhook{URL: devices.NewSecret(h.URL + "/" + hidden + "?k=" + hidden), Token: devices.NewSecret(token), CA: h.ca}
}

func (h *hook) requests() []heard {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.got
}

func answer(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		io.WriteString(w, body)
	}
}

func TestAWebhookGetsTheWholeNote(t *testing.T) {
	t.Parallel()
	h := hear(t, answer(201, `{"id": 30211}`))
	id, err := h.webhook().Post(t.Context(), note())
	if err != nil || id != "30211" {
		t.Fatalf("id %q, error %v", id, err)
	}
	if len(h.requests()) != 1 {
		t.Fatalf("%d requests", len(h.requests()))
	}
	r := h.requests()[0]
	n := note()
	if r.method != http.MethodPost || r.header.Get("Content-Type") != "application/json" || r.header.Get("Authorization") != "Bearer "+token || r.header.Get("Idempotency-Key") != n.Key {
		t.Errorf("%s with %v", r.method, r.header)
	}
	var got map[string]any
	if err := json.Unmarshal(r.body, &got); err != nil {
		t.Fatal(err)
	}
	b64 := func(f configs.Attached) any {
		return map[string]any{"name": f.Name, "base64": base64.StdEncoding.EncodeToString(f.Bytes)}
	}
	if diff := cmp.Diff(map[string]any{
		"ticket": n.Ticket, "subject": n.Subject, "text": n.Text, "html": string(n.HTML), "key": n.Key,
		"at": "2026-11-21T22:34:15Z", "files": []any{b64(n.Files[0]), b64(n.Files[1])},
	}, got); diff != "" {
		t.Errorf("(-sent +arrived):\n%s", diff)
	}
	if name := h.webhook().Name(); strings.Contains(name, "canary") || !strings.Contains(name, "127.0.0.1") {
		t.Errorf("it is called %q", name)
	}
}

func TestAnAnswersIDIsTakenWhereItHasOne(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"id": "n-7", "more": {}}`: "n-7", `{"id": 12345678901234567890}`: "12345678901234567890",
		``: "", `ok`: "", `{"id": null}`: "", `{"id": {"a": 1}}`: "", `[1]`: "", `{"id": "a\nb"}`: "", `{"id": "` + strings.Repeat("x", 300) + `"}`: "",
	} {
		h := hear(t, answer(200, body))
		if id, err := h.webhook().Post(t.Context(), note()); err != nil || id != want {
			t.Errorf("%q: id %q, error %v, want %q", body, id, err, want)
		}
	}
}

func TestAWebhooksRefusalIsToldApart(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]configs.Decline{
		400: configs.Invalid, 401: configs.Unauthorized, 403: configs.Unauthorized, 404: configs.Gone, 408: configs.Busy, 409: "", 410: configs.Gone,
		413: configs.TooLarge, 422: configs.Invalid, 425: configs.Busy, 429: configs.Busy,
		500: "", 502: "", 503: "", 504: "", 301: "", 302: "", 303: "", 304: "",
	} {
		h := hear(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "90")
			w.Header().Set("Location", "/"+hidden+"-2")
			answer(code, rude)(w, r)
		})
		_, err := h.webhook().Post(t.Context(), note())
		wantDeclined(t, http.StatusText(code), err, want)
		if d, ok := errors.AsType[*configs.Declined](err); ok && d.Why == configs.Busy && d.After != 90*time.Second {
			t.Errorf("%d: after %v, want 90 s", code, d.After)
		}
		if n := len(h.requests()); n != 1 {
			t.Errorf("%d: %d requests", code, n)
		}
	}
}

func TestADroppedAnswerIsLeftOpen(t *testing.T) {
	t.Parallel()
	h := hear(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	for range 2 {
		_, err := h.webhook().Post(t.Context(), note())
		wantDeclined(t, "a drop", err, "")
	}
	if h.keys[note().Key] != 2 || len(h.keys) != 1 {
		t.Errorf("keys %v: both tries must carry the same", h.keys)
	}
}

func TestOnlyARedirectOnTheSameHostIsFollowed(t *testing.T) {
	t.Parallel()
	other := hear(t, answer(200, ""))
	for what, c := range map[string]struct {
		code int
		to   func(self string) string
		want configs.Decline
		ok   bool
	}{
		"same host, repeated":     {307, func(string) string { return "/there" }, "", true},
		"same host, for good":     {308, func(self string) string { return self + "/there" }, "", true},
		"same host, but as a GET": {302, func(string) string { return "/there" }, "", false},
		"another host":            {307, func(string) string { return other.URL + "/" + hidden }, configs.Invalid, false},
		"another host, as a GET":  {303, func(string) string { return other.URL + "/" + hidden }, "", false},
		"the same without TLS":    {308, func(self string) string { return strings.Replace(self, "https:", "http:", 1) }, configs.Invalid, false},
		"in a circle":             {307, func(string) string { return "/" + hidden }, configs.Invalid, false},
		"an address that is none": {307, func(string) string { return "https://" + hidden + "\x7f:x/" }, "", false},
	} {
		t.Run(what, func(t *testing.T) {
			var h *hook
			h = hear(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/there" {
					return
				}
				w.Header()["Location"] = []string{c.to(h.URL)}
				w.WriteHeader(c.code)
			})
			_, err := h.webhook().Post(t.Context(), note())
			if !c.ok {
				wantDeclined(t, what, err, c.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			last := h.requests()[len(h.requests())-1]
			if last.method != http.MethodPost || last.path != "/there" || len(last.body) == 0 || last.header.Get("Referer") != "" {
				t.Errorf("%s %s with %d bytes, header %v", last.method, last.path, len(last.body), last.header)
			}
		})
	}
	if n := len(other.requests()); n != 0 {
		t.Errorf("another host got %d requests", n)
	}
}

func TestAWebhookThatIsNotThereIsBusy(t *testing.T) {
	t.Parallel()
	w := Webhook{URL: devices.NewSecret("https://127.0.0.1:1/" + hidden)}
	_, err := w.Post(t.Context(), note())
	wantDeclined(t, "no server", err, configs.Busy)
	h := hear(t, answer(200, ""))
	w = h.webhook()
	w.CA = ""
	_, err = w.Post(t.Context(), note())
	wantDeclined(t, "a certificate that is not trusted", err, configs.Busy)
	w.CA = h.ca + ".not"
	_, err = w.Post(t.Context(), note())
	wantDeclined(t, "no file of certificates", err, configs.Invalid)
	if len(h.requests()) != 0 {
		t.Errorf("%d requests arrived", len(h.requests()))
	}
}

func TestAnAddressThatWouldShowTheNoteIsRefused(t *testing.T) {
	t.Parallel()
	for _, u := range []string{
		"", hidden, "http://hooks.example.net/" + hidden, "ftp://hooks.example.net/", "https:///" + hidden, "https://" + hidden + "\x7f/", "https://%zz" + hidden, "mailto:" + hidden,
		"http://localhost.example.net/" + hidden,
	} {
		_, err := Webhook{URL: devices.NewSecret(u)}.Post(t.Context(), note())
		wantDeclined(t, url.QueryEscape(u), err, configs.Invalid)
	}
	_, err := Webhook{URL: devices.NewSecret("https://hooks.example.net/"), Token: devices.NewSecret(token + "\r\nX-Eve: 1")}.Post(t.Context(), note())
	wantDeclined(t, "a token of two lines", err, configs.Invalid)
	plain := httptest.NewServer(answer(200, ""))
	defer plain.Close()
	if _, err := (Webhook{URL: devices.NewSecret(plain.URL)}).Post(t.Context(), note()); err != nil {
		t.Errorf("http on this machine: %v", err)
	}
}

func TestAnEndedContextEndsTheRequest(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	h := hear(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done() // until the connection ends
	})
	_, err := h.webhook().Post(ctx, note())
	if _, ok := errors.AsType[*configs.Declined](err); !errors.Is(err, context.Canceled) || ok {
		t.Errorf("error %v, declined %t", err, ok)
	}
	leaksNothing(t, err)
	if _, err := h.webhook().Post(ctx, note()); !errors.Is(err, context.Canceled) || len(h.requests()) != 1 {
		t.Errorf("error %v, %d requests", err, len(h.requests()))
	}
}

func TestAnAnswerThatDoesNotComeIsLeftOpen(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	h := hear(t, func(http.ResponseWriter, *http.Request) { <-over })
	w := h.webhook()
	w.Timeout = 2 * time.Second // enough to get there
	_, err := w.Post(t.Context(), note())
	close(over)
	wantDeclined(t, "silence", err, "")
}
