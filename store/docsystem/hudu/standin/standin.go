// Package standin plays Hudu, as far as configuration backups need it:
// companies, assets, asset layouts and uploads, over real HTTP, with the
// oddities of its versions as switches and the faults of a network as orders.
// Tests and the demo use it. It knows nothing of Belay, as Hudu does not.
//
// What it does where Hudu's documents are silent is a guess, and says so.
package standin

import (
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Key is the API key that a stand-in takes.
const Key = "stand-in-key-7Hq2vLxW9dYb"

// A Company is a customer.
type Company struct {
	ID   int
	Name string
}

// A Layout is the form that assets of one sort are filled in on.
type Layout struct {
	ID    int
	Name  string
	Files bool // include_files: its assets show their uploads
}

// A Field is one line of an asset's form.
type Field struct{ Label, Value string }

// An Asset is a device's record.
type Asset struct {
	ID       int
	Company  int
	Layout   int
	Name     string
	Serial   string
	Archived bool
	Fields   []Field
}

// An Upload is a file that hangs on a record.
type Upload struct {
	ID       int
	Name     string
	Type     string // of the record: "Asset"
	Record   int
	Bytes    []byte
	At       time.Time
	Archived bool
}

// A Server is one Hudu with its object storage. All methods may be called from
// several goroutines, also while requests run.
type Server struct {
	mu        sync.Mutex
	companies []Company
	layouts   []Layout
	assets    []Asset
	uploads   []Upload
	late      []Upload // taken in, not yet to be seen
	last      int      // the newest id
	at        time.Time

	switches   Switches
	faults     []Fault
	calls      map[string]int
	bucket     []http.Header
	violations []string

	storage string // address of the object storage
	running []*running
}

// running is one address that the stand-in listens on.
type running struct {
	addr    string
	handler http.Handler
	server  *http.Server // nil while it is down
	socket  net.Listener
}

// New makes an empty Hudu of a recent version.
func New() *Server {
	return &Server{
		switches: Switches{Version: "2.44.0"},
		calls:    map[string]int{},
		at:       time.Date(2026, 6, 11, 10, 15, 3, 0, time.UTC),
	}
}

// Start listens on addr, "127.0.0.1:0" for any port, and on a port of its own
// for the object storage that downloads may be sent to. It returns the URL to
// put in the settings.
func (s *Server) Start(addr string) (string, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	front := &running{addr: addr, handler: s}
	back := &running{addr: net.JoinHostPort(host, "0"), handler: http.HandlerFunc(s.serveBucket)}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range []*running{front, back} {
		if err := r.up(); err != nil {
			s.down()
			return "", err
		}
		s.running = append(s.running, r)
	}
	s.storage = "http://" + back.addr
	return "http://" + front.addr, nil
}

// Close ends all connections and listens no more.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down()
}

func (s *Server) down() {
	for _, r := range s.running {
		if r.server != nil {
			_ = r.socket.Close() // at once, even where Serve has not begun
			_ = r.server.Close() // whoever is connected is to see just that
			r.server = nil
		}
	}
}

// up listens where it did before: a service that comes back has its old address.
func (r *running) up() error {
	if r.server != nil {
		return nil
	}
	l, err := net.Listen("tcp", r.addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: r.handler, ReadHeaderTimeout: time.Minute}
	r.addr, r.server, r.socket = l.Addr().String(), server, l
	go func() { _ = server.Serve(l) }() // ends with Close, which is its only error
	return nil
}

func (s *Server) id() int {
	s.last++
	return s.last
}

// AddCompany adds a customer and returns its id.
func (s *Server) AddCompany(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := Company{ID: s.id(), Name: name}
	s.companies = append(s.companies, c)
	return c.ID
}

// AddLayout adds an asset layout and returns its id.
func (s *Server) AddLayout(name string, files bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := Layout{ID: s.id(), Name: name, Files: files}
	s.layouts = append(s.layouts, l)
	return l.ID
}

// AddAsset adds a record and returns its id, a new one where a.ID is zero.
func (s *Server) AddAsset(a Asset) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.ID == 0 {
		a.ID = s.id()
	}
	s.last = max(s.last, a.ID)
	s.assets = append(s.assets, a)
	return a.ID
}

// Change lets change alter an asset, as a person at the web page would: give it
// to another company, archive it.
func (s *Server) Change(id int, change func(*Asset)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.assets {
		if s.assets[i].ID == id {
			change(&s.assets[i])
		}
	}
}

// RemoveAsset deletes an asset with all that hangs on it.
func (s *Server) RemoveAsset(id int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.assets = slices.DeleteFunc(s.assets, func(a Asset) bool { return a.ID == id })
	s.uploads = slices.DeleteFunc(s.uploads, func(u Upload) bool { return u.Type == "Asset" && u.Record == id })
}

// Hang adds an upload that somebody else made, and returns its id.
func (s *Server) Hang(u Upload) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hang(u).ID
}

// hang gives an upload its id and its time; no two have the same.
func (s *Server) hang(u Upload) Upload {
	u.ID = s.id()
	if u.At.IsZero() {
		u.At = s.at
		s.at = s.at.Add(time.Second)
	}
	s.uploads = append(s.uploads, u)
	return u
}

// Rot flips a bit of an upload's content, as a disk does: its name and size stay.
func (s *Server) Rot(id int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, u := range s.uploads {
		if u.ID == id && len(u.Bytes) > 0 {
			s.uploads[i].Bytes = slices.Clone(u.Bytes)
			s.uploads[i].Bytes[len(u.Bytes)/2] ^= 1
		}
	}
}

// Uploads are all files that hang anywhere, oldest first.
func (s *Server) Uploads() []Upload {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.uploads)
}

// Calls is how often a route was asked for, refused requests included:
// "POST /uploads", "GET /uploads/{id}".
func (s *Server) Calls(route string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[route]
}

// AllCalls is how many requests came in.
func (s *Server) AllCalls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.calls {
		n += c
	}
	return n
}

// Bucket holds the headers of all requests to the object storage.
func (s *Server) Bucket() []http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.bucket)
}

// Violations are requests that no client of good manners sends: the key to the
// object storage, the list of passwords, anything that deletes an asset.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violations)
}
