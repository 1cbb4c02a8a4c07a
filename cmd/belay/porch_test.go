package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"belay/store/docsystem/itglue/standin"
)

// A porch is a stand-in for IT Glue that tells when a request comes in and when
// it is done, before its answer goes out, and knows when nothing is under way.
type porch struct {
	*standin.Server
	url string

	mu   sync.Mutex
	open map[net.Conn]bool
	tell func(moment string)
}

func newPorch(t *testing.T) *porch {
	p := &porch{Server: standin.New(), open: map[net.Conn]bool{}}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer p.say(r.Method + " is done") // also where the stand-in breaks the connection
		p.say(r.Method + " comes")
		p.Server.ServeHTTP(w, r)
	}))
	s.Config.ConnState = func(c net.Conn, state http.ConnState) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if state == http.StateClosed {
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
	p.Settle()
}
