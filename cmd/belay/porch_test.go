package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// A porch stands before a stand-in: it tells when a request comes in and when it
// is done, before its answer goes out, and knows when nothing is under way.
type porch struct {
	url  string
	late func() // has the stand-in do what it put off
	live bool   // clients live on, and may keep connections on which nothing is asked

	mu   sync.Mutex
	open map[net.Conn]bool
	tell func(moment string)
}

func newPorch(t *testing.T, before http.Handler, late func(), live bool) *porch {
	p := &porch{late: late, live: live, open: map[net.Conn]bool{}}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer p.say(r.Method + " is done") // also where the stand-in breaks the connection
		p.say(r.Method + " comes")
		before.ServeHTTP(w, r)
	}))
	s.Config.ConnState = func(c net.Conn, state http.ConnState) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if state == http.StateClosed || p.live && state != http.StateActive {
			delete(p.open, c)
		} else {
			p.open[c] = true
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	p.url = s.URL
	return p
}

func (p *porch) say(moment string) {
	p.mu.Lock()
	tell := p.tell
	p.mu.Unlock()
	if tell != nil {
		tell(moment)
	}
}

// listen has f told of each moment; nil: nobody.
func (p *porch) listen(f func(moment string)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tell = f
}

// settle waits until all that killed programs have sent is done: their
// connections came in before that of a last question, and end with their requests.
// Then what was put off is done.
func (p *porch) settle(t *testing.T) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		err = resp.Body.Close()
	}
	if err != nil && !strings.Contains(err.Error(), "EOF") { // a fault that hit this question
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		p.mu.Lock()
		n := len(p.open)
		p.mu.Unlock()
		if n == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections stay open", n)
		}
	}
	p.late()
}
