package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// A hook is a webhook that people read; a script has one.
type hook struct {
	mu     sync.Mutex
	status int
	heard  []string
}

type hookKey struct{}

func hookOf(ts *testscript.TestScript) *hook { return ts.Value(hookKey{}).(*hook) }

// scriptWebhook starts one; $NAME is its URL as a channel has it, with a canary for a token.
func scriptWebhook(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: webhook NAME")
	}
	h := hookOf(ts)
	h.status = http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		w.WriteHeader(h.status)
		_, _ = io.WriteString(w, r.URL.String())
		if h.status == http.StatusOK {
			h.heard = append(h.heard, string(body))
		}
	}))
	ts.Defer(s.Close)
	ts.Setenv(args[0], "generic://"+strings.TrimPrefix(s.URL, "http://")+"/CANARYtoken?disabletls=yes")
}

// scriptFails has it answer with a status from now on: fails NAME [STATUS].
func scriptFails(ts *testscript.TestScript, _ bool, args []string) {
	h := hookOf(ts)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status = http.StatusOK
	if len(args) == 2 {
		status, err := strconv.Atoi(args[1])
		ts.Check(err)
		h.status = status
	}
}

// scriptHeard wants so many messages, the last of which matches: heard NAME COUNT REGEXP.
func scriptHeard(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: heard NAME COUNT REGEXP")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	re, err := regexp.Compile(args[2])
	ts.Check(err)
	h := hookOf(ts)
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.heard) != want || want > 0 && !re.MatchString(h.heard[want-1]) {
		ts.Fatalf("it heard %d messages: %q", len(h.heard), h.heard)
	}
}
