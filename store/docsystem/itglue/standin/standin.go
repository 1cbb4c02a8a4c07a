// Package standin plays IT Glue: its API over HTTP with the oddities that are
// known of it, and faults to order. Tests, the demo and anybody without an
// account use it. It knows nothing of Belay.
//
// What is documented it does as documented: string ids and numeric foreign keys,
// kebab-case answers, both cases in requests, filters that are ignored without a
// word where they are unknown, attachments that are never replaced. Where nobody
// knows what the real one does, it does what is worse for its caller, or has a
// switch.
package standin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The key that a new server takes, and its region.
const (
	Key    = "ITG.standin0123456789abcdef"
	Region = "us"
)

// MaxBody is what a request may hold, in bytes.
const MaxBody = 10_000_000

const mediaType = "application/vnd.api+json"

// A Server is one account. New makes it; all its methods may be called at any
// time and by many at once.
type Server struct {
	mu       sync.Mutex
	now      time.Time
	nextID   int
	keys     map[string]Access
	orgs     []Organization
	configs  []Configuration
	hanging  map[string][]Attachment // by configuration, oldest first
	secrets  []Password
	faults   []*Fault
	switches Switches
	pending  []pending
	calls    map[string]int
	asked    []string
	wrong    []string

	address  string
	listener net.Listener
	http     *http.Server
	stopped  chan struct{} // closed while it is down
}

// Access is what a key may do.
type Access struct {
	Region    string // empty: this server's
	Passwords bool   // values of passwords are shown
}

// New makes an account without any records, for the key Key. Its clock begins on
// 2026-06-11 and goes on by a second with every request.
func New() *Server {
	return &Server{
		now: time.Date(2026, 6, 11, 10, 15, 0, 0, time.UTC), nextID: 551200,
		keys: map[string]Access{Key: {}}, hanging: map[string][]Attachment{}, calls: map[string]int{}, stopped: make(chan struct{}),
	}
}

// Start listens on an address such as 127.0.0.1:0 and tells its own.
func (s *Server) Start(address string) (url string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http != nil {
		return "", errors.New("the stand-in is running already")
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
	if err != nil {
		return "", err
	}
	s.address, s.listener = l.Addr().String(), l
	select {
	case <-s.stopped:
		s.stopped = make(chan struct{})
	default:
	}
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go func(h *http.Server) { _ = h.Serve(l) }(s.http) // it ends when it is closed
	return "http://" + s.address, nil
}

// Close stops listening and breaks every connection; what was told it keeps.
// Up begins again on the same address.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http == nil {
		return
	}
	_ = s.listener.Close() // the server closes it only once it has begun to serve
	_ = s.http.Close()     // whoever is connected is to see just that
	s.http = nil
	close(s.stopped) // after the connections: what was slow is done, and nobody hears of it
}

// Up listens again where Start did.
func (s *Server) Up() error {
	s.mu.Lock()
	address, running := s.address, s.http != nil
	s.mu.Unlock()
	if running {
		return nil
	}
	if address == "" {
		return errors.New("the stand-in was never started")
	}
	_, err := s.Start(address)
	return err
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route := routeOf(r.URL.Path)
	f, act := s.arrive(r, route)
	s.mu.Lock()
	stopped := s.stopped
	s.mu.Unlock()
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	if err != nil {
		return // whoever sent it has gone
	}
	if f.What == "slow" { // who gives up waiting has it done all the same
		pause(f.Wait, stopped)
	}
	if len(body) > MaxBody {
		switch mode := s.Switched().TooLarge; mode {
		case "cut":
			panic(http.ErrAbortHandler)
		case "422":
			refuse(w, http.StatusUnprocessableEntity, "Unprocessable Entity", "is too large", "/data/attributes/attachment")
		default:
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			fmt.Fprint(w, "<html><head><title>413 Request Entity Too Large</title></head></html>")
		}
		return
	}
	q := &request{Request: r, body: body, route: route, short: f.What == "short"}
	switch {
	case act == pass:
		s.answer(w, q)
	case act == spoil:
		f.write(w)
	case act == doThenSpoil:
		s.answer(nowhere{http.Header{}}, q)
		f.write(w)
	case act == later:
		s.postpone(f, q)
		panic(http.ErrAbortHandler)
	}
}

// nowhere takes an answer that nobody is to see.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n nowhere) WriteHeader(int)             {}

func pause(d time.Duration, stopped <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-stopped:
	}
}

// A request is one with its body read.
type request struct {
	*http.Request
	body  []byte
	route string   // with :id for what varies
	args  []string // what varies
	short bool     // half of each file is lost on the way
}

// routeOf is a path with :id in place of its ids.
func routeOf(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if _, err := strconv.Atoi(p); err == nil {
			parts[i] = ":id"
		}
	}
	return strings.Join(parts, "/")
}

// answer carries out a request.
func (s *Server) answer(w http.ResponseWriter, q *request) {
	for p := range strings.SplitSeq(q.URL.Path, "/") {
		if _, err := strconv.Atoi(p); err == nil {
			q.args = append(q.args, p)
		}
	}
	if !s.admitted(w, q) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	routes := map[string]func(http.ResponseWriter, *request){
		"GET /organizations":                                             s.listOrganizations,
		"GET /organizations/:id":                                         s.showOrganization,
		"GET /organizations/:id/relationships/configurations":            s.listConfigurations,
		"GET /configurations":                                            s.listConfigurations,
		"GET /configurations/:id":                                        s.showConfiguration,
		"PATCH /configurations/:id":                                      s.changeConfiguration,
		"GET /configurations/:id/relationships/configuration_interfaces": s.listInterfaces,
		"GET /configurations/:id/relationships/attachments":              s.listAttachments,
		"POST /configurations/:id/relationships/attachments":             s.attach,
		"DELETE /configurations/:id/relationships/attachments":           s.removeAttachments,
		"GET /configurations/:id/relationships/attachments/:id":          s.showAttachment,
		"PATCH /configurations/:id/relationships/attachments/:id":        s.renameAttachment,
		"GET /passwords":                                                 s.listPasswords,
		"GET /organizations/:id/relationships/passwords":                 s.listPasswords,
		"GET /passwords/:id":                                             s.showPassword,
	}
	if f, ok := routes[q.Method+" "+q.route]; ok {
		f(w, q)
		return
	}
	refuse(w, http.StatusNotFound, "Not Found", "", "")
}

// admitted looks at the key and the media type.
func (s *Server) admitted(w http.ResponseWriter, q *request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := q.Header.Get("x-api-key")
	access, known := s.keys[key]
	switch {
	case key == "":
		refuse(w, cmp.Or(s.switches.NoKey, http.StatusUnauthorized), "Unauthorized", "", "")
	case !known:
		refuse(w, cmp.Or(s.switches.BadKey, http.StatusForbidden), "Forbidden", "", "")
	case access.Region != "" && access.Region != Region:
		refuse(w, http.StatusForbidden, "Forbidden", "", "")
	case len(q.body) > 0 && q.mediaType() != mediaType && !(q.mediaType() == "multipart/form-data" && q.Method == http.MethodPost && strings.HasSuffix(q.route, "/attachments")):
		refuse(w, http.StatusUnsupportedMediaType, "Unsupported Media Type", "", "")
	default:
		return true
	}
	return false
}

func (q *request) mediaType() string {
	t, _, _ := strings.Cut(q.Header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// reply writes v as an answer of the API.
func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", mediaType+"; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // whoever asked may have gone
}

// refuse writes the one error that JSON:API answers have.
func refuse(w http.ResponseWriter, status int, title, detail, pointer string) {
	e := map[string]any{"status": status, "title": title}
	if detail != "" {
		e["detail"] = detail
	}
	if pointer != "" {
		e["source"] = map[string]any{"pointer": pointer}
	}
	reply(w, status, map[string]any{"errors": []any{e}})
}

// Calls is how often a route was asked for, refused requests included:
// "POST /configurations/:id/relationships/attachments".
func (s *Server) Calls(route string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[route]
}

// AllCalls is how many requests came in.
func (s *Server) AllCalls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

// Asked are the requests so far, each as "METHOD URL".
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// Forget sets the counters to nothing; records and violations stay.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls, s.asked = map[string]int{}, nil
}

// Violations are requests that no caller may ever send: a filter on something
// that writes, the removal of anything but attachments, a key in a URL.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.wrong)
}
