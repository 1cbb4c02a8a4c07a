package http

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"belay/devices"
)

var secret = devices.NewSecret("canary-password")

func TestAnAnswerIsHandedBackWhateverItsStatus(t *testing.T) {
	t.Parallel()
	s := standin(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		body, _ := io.ReadAll(r.Body)
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: "7"})
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s %s:%s %s %s %v", r.Method, r.RequestURI, user, password, r.Header.Get("X-Key"), body, r.Cookies())
	})
	session := dial(t, s, Options{})
	r := Request{Method: "POST", Path: "/a?b=c%3Cd", Headers: map[string]string{"X-Key": "k"}, User: "belay", Password: secret, Body: "hello"}
	for _, cookies := range []string{"[]", "[sid=7]"} {
		a, err := session.Do(t.Context(), r)
		if want := "POST /a?b=c%3Cd belay:canary-password k hello " + cookies; err != nil || a.Status != 418 || string(a.Body) != want || a.Open {
			t.Errorf("%d %q %t, %v", a.Status, a.Body, a.Open, err)
		}
	}
}

// TestABusyServerIsAskedAgainWhenItSays, and only where it may be.
func TestABusyServerIsAskedAgainWhenItSays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		after  string
		once   bool
		asked  int32
	}{
		"too many, then well":       {429, "0", false, 3},
		"unavailable for a moment":  {503, "0", false, 3},
		"unavailable":               {503, "", false, 1},
		"too many for a long while": {429, "3600", false, 1},
		"a password is sent once":   {429, "0", true, 1},
		"an error":                  {500, "0", false, 1},
	} {
		var asked atomic.Int32
		s := standin(t, func(w http.ResponseWriter, _ *http.Request) {
			if asked.Add(1) < 3 {
				if c.after != "" {
					w.Header().Set("Retry-After", c.after)
				}
				w.WriteHeader(c.status)
			}
		})
		a, err := dial(t, s, Options{}).Do(t.Context(), Request{Path: "/", Once: c.once})
		want := c.status
		if c.asked == 3 {
			want = 200
		}
		if err != nil || a.Status != want || asked.Load() != c.asked {
			t.Errorf("%s: %d after %d requests, %v", name, a.Status, asked.Load(), err)
		}
	}
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := standin(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "20")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	session := dial(t, s, Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(errors.New("enough")) })
	_, err := session.Do(ctx, Request{Path: "/"})
	wants(t, err, devices.Unreachable, "enough")
}

func TestNothingIsSentAnywhereElse(t *testing.T) {
	t.Parallel()
	strange := standin(t, func(http.ResponseWriter, *http.Request) { t.Error("a stranger was asked") })
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	for name, c := range map[string]struct {
		to, method string
		good       bool
	}{
		"within the device":        {"/there", "GET", true},
		"to another":               {strange.URL + "/x?token=canary", "GET", false},
		"to what is not encrypted": {"http://" + plain.Addr().String() + "/", "GET", false},
		"of what was posted":       {"/there", "POST", false},
		"round and round":          {"/", "GET", false},
	} {
		var asked atomic.Int32
		s := standin(t, func(w http.ResponseWriter, r *http.Request) {
			if asked.Add(1); r.URL.Path == "/there" {
				return
			}
			http.Redirect(w, r, c.to, http.StatusFound)
		})
		a, err := dial(t, s, Options{}).Do(t.Context(), Request{Method: c.method, Path: "/", Headers: map[string]string{"Authorization": "Bearer canary"}})
		if c.good {
			if err != nil || a.Status != 200 {
				t.Errorf("%s: %d, %v", name, a.Status, err)
			}
			continue
		}
		wants(t, err, devices.NotAllowed, "redirects")
		if n := asked.Load(); n > 1 && c.to != "/" || n > 4 {
			t.Errorf("%s: %d requests came", name, n)
		}
	}
}

func TestACutAnswerIsAnError(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(net.Conn){
		"closed": func(c net.Conn) { c.Close() },
		"silent": func(c net.Conn) { io.Copy(io.Discard, c); c.Close() },
	} {
		s := standin(t, func(w http.ResponseWriter, _ *http.Request) {
			c, out, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			fmt.Fprint(out, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of canary")
			out.Flush()
			end(c)
		})
		_, err := dial(t, s, Options{}).Do(t.Context(), Request{Path: "/?x=canary", Idle: 2 * time.Second})
		wants(t, err, devices.Unreachable, "after 14 bytes")
		if silent := strings.Contains(fmt.Sprint(err), "silent"); silent != (name == "silent") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The whole answer takes longer than the idle limit, and each silence in it a
// sixth of that: a busy machine may stretch one of them.
func TestASlowAnswerIsTakenAsLongAsItComes(t *testing.T) {
	t.Parallel()
	s := standin(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 12 { // longer in all than it may be silent, which a busy machine may be for seconds
			fmt.Fprint(w, "x")
			http.NewResponseController(w).Flush()
			time.Sleep(time.Second)
		}
	})
	a, err := dial(t, s, Options{}).Do(t.Context(), Request{Path: "/", Idle: 10 * time.Second})
	if err != nil || len(a.Body) != 12 {
		t.Errorf("%q, %v", a.Body, err)
	}
}

func TestAnAnswerWithoutALengthSaysSo(t *testing.T) {
	t.Parallel()
	s := standin(t, func(w http.ResponseWriter, _ *http.Request) {
		c, out, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		fmt.Fprint(out, "HTTP/1.0 200 OK\r\n\r\nperhaps all")
		out.Flush()
		c.Close()
	})
	a, err := dial(t, s, Options{}).Do(t.Context(), Request{Path: "/"})
	if err != nil || !a.Open || string(a.Body) != "perhaps all" {
		t.Errorf("%q %t, %v", a.Body, a.Open, err)
	}
}

// TestThoseWhoAskOneServiceShareItsPace: the second session has to wait for what
// the first one used up.
func TestThoseWhoAskOneServiceShareItsPace(t *testing.T) {
	t.Parallel()
	d := &Dialer{}
	a, b := d.pace("api.example:443", Options{Public: true, Pace: 5}), d.pace("api.example:443", Options{Public: true, Pace: 5})
	if a != b || a.Limit() != 5 {
		t.Error("two sessions with one service have a pace each")
	}
	one, two := d.pace("192.0.2.1:443", Options{Pace: 5}), d.pace("192.0.2.1:443", Options{Pace: 5})
	if one == two {
		t.Error("two devices at one address of two networks share a pace")
	}
	s := standin(t, func(http.ResponseWriter, *http.Request) {})
	session := dial(t, s, Options{Pace: 0.001})
	if _, err := session.Do(t.Context(), Request{Path: "/"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := session.Do(ctx, Request{Path: "/"}); err == nil { // it would be due in a quarter of an hour
		t.Error("sent before its time")
	}
}

func TestWhatCannotBeReachedSaysWhy(t *testing.T) {
	t.Parallel()
	gone := device(t, "127.0.0.1:1")
	d := &Dialer{Keys: &pinned{firstUse: true}, Handshake: 100 * time.Millisecond}
	_, err := d.Dial(t.Context(), gone, Options{})
	wants(t, err, devices.Unreachable, "nothing listens")

	for _, change := range []func(*devices.Device){
		func(dev *devices.Device) { dev.Address = "" },
		func(dev *devices.Device) { dev.Address = "192.0.2.1/api?x=canary" },
		func(dev *devices.Device) { dev.Jump = []string{"bastion"} },
		func(dev *devices.Device) { dev.Proxy = "socks5://u:canary@192.0.2.9" },
	} {
		dev := gone
		change(&dev)
		_, err := d.Dial(t.Context(), dev, Options{})
		wants(t, err, devices.Usage)
	}

	quiet, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer quiet.Close()
	_, err = d.Dial(t.Context(), device(t, quiet.Addr().String()), Options{})
	wants(t, err, devices.Unreachable, "no TLS handshake within 100ms")
}

// TestAClosedSessionEndsWhatIsUnderWay, without leaving anything behind.
func TestAClosedSessionEndsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	s := standin(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	session := dial(t, s, Options{})
	time.AfterFunc(30*time.Millisecond, func() { _ = session.Close() })
	_, err := session.Do(t.Context(), Request{Path: "/"})
	wants(t, err, devices.Unreachable, "closed")
}

func TestALongerAnswerThanIsTakenIsAnError(t *testing.T) {
	t.Parallel()
	piece := strings.Repeat("x", 1<<20)
	s := standin(t, func(w http.ResponseWriter, _ *http.Request) {
		for range maxAnswer>>20 + 2 {
			if _, err := io.WriteString(w, piece); err != nil {
				return
			}
		}
	})
	_, err := dial(t, s, Options{}).Do(t.Context(), Request{Path: "/"})
	wants(t, err, devices.Unreachable, "128 MB")
}
