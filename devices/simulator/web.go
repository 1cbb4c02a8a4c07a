package simulator

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Web is how the API of a device is spoken to; its answers are the sections
// that are called like a request: GET /api/status. In the texts {user} and
// {password} are the login's.
type Web struct {
	SignIn   string            `yaml:"sign_in"`  // the request that opens a session; its answer is the section of that name
	Basic    bool              `yaml:"basic"`    // it, or every request where there is no signing in, wants user and password as RFC 7617 has it
	Body     string            `yaml:"body"`     // it wants just this
	Gives    map[string]string `yaml:"gives"`    // headers of the answer to it
	Needs    map[string]string `yaml:"needs"`    // headers of every other request
	Query    map[string]string `yaml:"query"`    // words of the query of every other request, no part of its section's name
	SignOut  string            `yaml:"sign_out"` // answered by nothing
	Denied   string            `yaml:"denied"`   // said to who is not let in; status 401, or that of statuses
	By       string            `yaml:"by"`       // pattern over a body, a form's decoded: what its group finds stands behind the line, as another request
	Holds    string            `yaml:"holds"`    // stands in the body of every request with one
	Statuses map[string]int    `yaml:"statuses"` // of requests, and of "denied" and "unknown"; 200, 401, 404
}

// A WebServer serves the API of a device over real HTTPS, with a certificate
// that it has signed itself. The fields are set before Start.
type WebServer struct {
	Device      *Device
	Certificate *tls.Certificate // nil: Start makes one

	service

	mu   sync.Mutex
	open bool // somebody has signed in
	done int  // requests answered since
	busy int  // requests put off
}

// Start listens on an address such as 127.12.0.5:8443; port 0 takes a free one.
func (s *WebServer) Start(address string) error {
	if s.Device.T.HTTP == nil {
		return fmt.Errorf("serve %s: it has no http", s.Device.T.Name)
	}
	if s.Certificate == nil {
		c, err := selfSigned()
		if err != nil {
			return fmt.Errorf("serve %s: %w", s.Device.T.Name, err)
		}
		s.Certificate = c
	}
	listener, err := listen(address)
	if err != nil {
		return fmt.Errorf("serve %s: %w", s.Device.T.Name, err)
	}
	server := &http.Server{
		Handler: http.HandlerFunc(s.serve), ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute,
		TLSConfig:    &tls.Config{Certificates: []tls.Certificate{*s.Certificate}},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				s.Device.count(func(seen *Seen) { seen.Connections++ })
			}
		},
	}
	s.begin(listener.Addr(), server.Close)
	s.running.Go(func() { _ = server.ServeTLS(listener, "", "") }) // it ends when it is closed
	return nil
}

// selfSigned makes a certificate as devices have it.
func selfSigned() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	of := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "simulator"},
		NotAfter:    time.Date(2049, 12, 31, 0, 0, 0, 0, time.UTC),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	raw, err := x509.CreateCertificate(rand.Reader, of, of, key.Public(), key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}, nil
}

// nextPage is the word of a query that asks for a further page.
const nextPage = "startingAfter"

// requestLine is a request as sections are called, and which page it asks for.
func requestLine(method, uri string) (line string, page int) {
	path, query, _ := strings.Cut(uri, "?")
	var kept []string
	for part := range strings.SplitSeq(query, "&") {
		if n, ok := strings.CutPrefix(part, nextPage+"="); ok {
			if page, _ = strconv.Atoi(n); page > 0 {
				continue
			}
		}
		kept = append(kept, part)
	}
	if line = method + " " + path; strings.Join(kept, "") != "" {
		line += "?" + strings.Join(kept, "&")
	}
	if plain, err := url.PathUnescape(line); err == nil {
		line = plain
	}
	return line, page
}

// serve answers one request.
func (s *WebServer) serve(w http.ResponseWriter, r *http.Request) {
	d, t := s.Device, s.Device.T.HTTP
	b := d.now()
	uri, given := t.without(r.RequestURI)
	line, page := requestLine(r.Method, uri)
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return // the client has gone
	}
	line += t.asked(string(body))
	if page == 0 {
		d.count(func(seen *Seen) { seen.Commands = append(seen.Commands, line) })
	}
	if b.fault.Tarpit {
		<-r.Context().Done()
		return
	}
	if wait(r.Context(), d.Latency) != nil {
		return
	}
	switch {
	case line == t.SignIn:
		if !s.enters(r, string(body)) {
			s.deny(w, b)
			return
		}
		for name, value := range t.Gives {
			w.Header().Set(name, s.fill(value))
		}
		_, _ = io.WriteString(w, b.answers[t.SignIn].Text()) // a client that has gone sees nothing of it
		return
	case !given || !s.inside(r, string(body)):
		s.deny(w, b)
		return
	case line == t.SignOut && line != "":
		s.mu.Lock()
		s.open = false
		s.mu.Unlock()
		d.count(func(seen *Seen) { seen.Open-- })
		return
	}
	s.reply(w, r, b, line, page)
}

// without is an address without the words that every request has, and whether it
// has them.
func (t *Web) without(uri string) (string, bool) {
	path, query, _ := strings.Cut(uri, "?")
	for name, value := range t.Query {
		parts := strings.Split(query, "&")
		i := slices.Index(parts, name+"="+url.QueryEscape(value))
		if i < 0 {
			return uri, false
		}
		query = strings.Join(slices.Delete(parts, i, i+1), "&")
	}
	if query == "" {
		return path, true
	}
	return path + "?" + query, true
}

// asked is what a body asks for, where one address answers many questions.
func (t *Web) asked(body string) string {
	if t.By == "" {
		return ""
	}
	if m := regexp.MustCompile(t.By).FindStringSubmatch(decoded(body)); len(m) > 1 {
		return " " + m[1]
	}
	return ""
}

// decoded is a form as it was before it was written for sending.
func decoded(body string) string {
	if plain, err := url.QueryUnescape(body); err == nil {
		return plain
	}
	return body
}

// fill puts the login into a text.
func (s *WebServer) fill(text string) string {
	l := s.Device.login()
	return strings.NewReplacer("{user}", l.User, "{password}", l.Password).Replace(text)
}

// enters tells whether a request signs in.
func (s *WebServer) enters(r *http.Request, body string) bool {
	t := s.Device.T.HTTP
	user, password, _ := r.BasicAuth()
	want := s.fill(t.Body)
	if t.By == "" && r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
		l := s.Device.login()
		want = strings.NewReplacer("{user}", url.QueryEscape(l.User), "{password}", url.QueryEscape(l.Password)).Replace(t.Body)
	}
	good := (!t.Basic || s.Device.admits(user, password)) && (body == want || t.By != "" && decoded(body) == want) && !s.Device.fault().RefuseLogin
	if !good {
		if !t.Basic {
			s.Device.count(func(seen *Seen) { seen.Refused++ })
		}
		return false
	}
	s.mu.Lock()
	s.open, s.done = true, 0
	s.mu.Unlock()
	s.Device.count(func(seen *Seen) { seen.Logins++; seen.Open++ })
	return true
}

// inside tells whether a request comes from who was let in.
func (s *WebServer) inside(r *http.Request, body string) bool {
	t, fault := s.Device.T.HTTP, s.Device.fault()
	good := !fault.RefuseLogin && (body == "" || strings.Contains(decoded(body), s.fill(t.Holds)))
	for name, value := range t.Needs {
		good = good && r.Header.Get(name) == s.fill(value)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.SignIn == "" && t.Basic {
		user, password, _ := r.BasicAuth()
		l := s.Device.login()
		good = good && user == l.User && password == l.Password
	}
	if t.SignIn != "" {
		good = good && s.open
	}
	if !good {
		s.Device.count(func(seen *Seen) { seen.Refused++ })
		return false
	}
	if s.done++; fault.Expire > 0 && s.done > fault.Expire {
		s.open = false
		return false
	}
	return true
}

func (s *WebServer) deny(w http.ResponseWriter, b *box) {
	w.WriteHeader(s.status("denied", http.StatusUnauthorized))
	_, _ = io.WriteString(w, b.HTTP.Denied)
}

func (s *WebServer) status(of string, otherwise int) int {
	if n := s.Device.T.HTTP.Statuses[of]; n != 0 {
		return n
	}
	return otherwise
}

// reply says what stands in the transcript, spoiled as ordered.
func (s *WebServer) reply(w http.ResponseWriter, r *http.Request, b *box, line string, page int) {
	for name := range b.answers {
		method, uri, _ := strings.Cut(name, " ")
		if same, _ := requestLine(method, uri); same == line {
			line = name
			break
		}
	}
	config := slices.Contains(b.config, line)
	if config && s.spoilt(w, b.fault) {
		return
	}
	a, end, known := s.Device.answer(b, line, true)
	if !known {
		w.WriteHeader(s.status("unknown", http.StatusNotFound))
		_, _ = io.WriteString(w, b.Unknown)
		return
	}
	if page < len(a)-1 {
		next := *r.URL
		query := next.Query()
		query.Set(nextPage, strconv.Itoa(page+1))
		next.RawQuery = query.Encode()
		w.Header().Set("Link", fmt.Sprintf("<https://%s%s>; rel=first, <https://%s%s>; rel=next", r.Host, r.URL.RequestURI(), r.Host, next.RequestURI()))
	}
	text := a.Text()
	if page < len(a) {
		text = a[page]
	}
	s.send(w, r, b, text, end, s.status(line, http.StatusOK), config)
}

// spoilt does what a device behind something else, or overburdened, does.
func (s *WebServer) spoilt(w http.ResponseWriter, f Fault) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.busy < f.Busy:
		s.busy++
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusTooManyRequests)
	case f.Status > 0:
		w.WriteHeader(f.Status)
		_, _ = io.WriteString(w, "{\"errors\": [\"as ordered\"]}\n")
	case f.LoginPage:
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!DOCTYPE html>\n<html><body><form action=\"/login\">Please log in</form></body></html>\n")
	default:
		return false
	}
	return true
}

// send writes an answer, and ends it as ordered. What is cut on its way was
// announced whole.
func (s *WebServer) send(w http.ResponseWriter, r *http.Request, b *box, text string, end ending, status int, config bool) {
	size := len(text)
	if config && end != promptly {
		size = max(size+1, len(b.answers[b.config[0]].Text()))
	}
	if !config || !b.fault.OpenEnded {
		w.Header().Set("Content-Length", strconv.Itoa(size))
	} else {
		w.Header().Set("Connection", "close")
		w.Header().Set("Transfer-Encoding", "identity")
	}
	w.WriteHeader(status)
	wire := &wire{to: w, newline: "\n", fault: Fault{Segment: b.fault.Segment, SplitAfter: b.fault.SplitAfter, BytesPerSecond: b.fault.BytesPerSecond}}
	if wire.send(r.Context(), text) != nil {
		return
	}
	flusher := http.NewResponseController(w)
	if end == promptly || flusher.Flush() != nil {
		return
	}
	if end == silence {
		<-r.Context().Done()
		return
	}
	c, _, err := flusher.Hijack()
	if err != nil {
		return
	}
	if tc, ok := c.(*tls.Conn); ok && end == reset {
		if raw, ok := tc.NetConn().(*net.TCPConn); ok {
			_ = raw.SetLinger(0)
		}
	}
	_ = c.Close()
}
