package notify_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/cmd/belay/notify"
)

func TestTheAddressOutsideIsCalledOnlyWhileAllIsWell(t *testing.T) {
	t.Parallel()
	calls, status := 0, 200
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		w.WriteHeader(status)
		_, _ = w.Write([]byte(r.URL.String()))
	}))
	defer s.Close()
	var unwell error
	d := &notify.DeadMan{URL: fixed(s.URL + "/CANARYuuid"), Well: func(context.Context) error { return unwell }}
	if err := d.Ping(t.Context()); err != nil || calls != 1 {
		t.Fatalf("got %v after %d calls", err, calls)
	}
	unwell = errors.New("no slot was done for 3 h")
	if err := d.Ping(t.Context()); !errors.Is(err, unwell) || calls != 1 {
		t.Errorf("got %v after %d calls", err, calls)
	}
	unwell, status = nil, 404
	if err := d.Ping(t.Context()); err == nil || err.Error() != "127.0.0.1 answered 404" {
		t.Errorf("got %v", err)
	}
	for _, url := range []string{"", "http://example.net/CANARY", "https://", "CANARY", "https://127.0.0.1:1/CANARY", "http://127.0.0.1:1/CANARY", "https://%zz/CANARY"} {
		d.URL = fixed(url)
		if err := d.Ping(t.Context()); err == nil || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestAFailingCallIsSaidOnce(t *testing.T) {
	t.Parallel()
	states := []error{nil, errors.New("a"), errors.New("a"), errors.New("b"), nil, nil, errors.New("c")}
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	var log []string
	var waits []time.Duration
	d := &notify.DeadMan{URL: fixed(s.URL), Log: func(line string) { log = append(log, line) },
		Well: func(context.Context) error { n++; return states[n-1] },
		After: func(w time.Duration) <-chan time.Time {
			waits = append(waits, w)
			if n == len(states) {
				cancel()
			}
			c := make(chan time.Time, 1)
			c <- time.Time{}
			return c
		}}
	d.Run(ctx)
	want := []string{"dead man: not called while the service is unwell: a", "dead man: the address outside is called again", "dead man: not called while the service is unwell: c"}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Error(diff)
	}
	if len(waits) != len(states) || waits[0] != 5*time.Minute {
		t.Errorf("waited %v", waits)
	}
}
