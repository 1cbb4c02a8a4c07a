package standin

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Fault is something that goes wrong with requests, until it is used up or
// cleared. Of several the first that fits is taken.
type Fault struct {
	// What is a status ("429", "500", "502", "504", "401", …) that is answered;
	// "cut": the connection breaks and nothing is done; "drop": it is done and
	// the connection breaks before the answer; "late": the connection breaks and
	// it is done afterwards; "slow": it is done after Wait, whether or not somebody still waits; "garbage": it is done
	// and the answer is cut short; "short": it is done, but of each file only the first half arrives.
	What       string
	Method     string        // only requests of this method; empty: all, but drop, late and cut only what writes
	After      int           // so many pass first
	Next       int           // then so many are hit; 0: all
	RetryAfter string        // the header of that name, as it is to be written
	Done       bool          // a status is answered after the request was carried out
	Wait       time.Duration // of "slow", and of "late" until it is done
	Calls      int           // of "late" without Wait: it is done after so many further requests; 0: at Settle
}

// Switches are ways in which one account differs from another.
type Switches struct {
	NoKey         int    // status without a key; 0: 401
	BadKey        int    // status with a wrong one; 0: 403
	ListMissing   int    // status of the list of attachments where there is none, 404 or 405; 0: there is one
	IncludeInside bool   // "included" stands inside "data"
	TooLarge      string // what a body above MaxBody brings: "413" (or empty), "422", "cut"
	SlowPages     int    // pages of more rows than this end in a 504; 0: none
}

// Add adds a fault.
func (s *Server) Add(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// Set changes the switches.
func (s *Server) Set(change func(*Switches)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.switches)
}

// Switched are the switches as they are.
func (s *Server) Switched() Switches {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.switches
}

// Clear takes away every fault and switch; what is late still comes.
func (s *Server) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.switches = nil, Switches{}
}

// An act is what becomes of a request.
type act int

const (
	pass act = iota
	spoil
	doThenSpoil
	later
)

// arrive counts a request and finds the fault that hits it.
func (s *Server) arrive(r *http.Request, route string) (Fault, act) {
	s.mu.Lock()
	s.now = s.now.Add(time.Second)
	s.calls[r.Method+" "+route]++
	s.asked = append(s.asked, r.Method+" "+r.URL.String())
	if bad := violation(r, route, s.keys); bad != "" {
		s.wrong = append(s.wrong, bad+": "+r.Method+" "+route)
	}
	var due, rest []pending
	for _, p := range s.pending {
		if p.after--; p.after == 0 {
			due = append(due, p)
		} else {
			rest = append(rest, p)
		}
	}
	s.pending = rest
	f, a := s.take(r)
	s.mu.Unlock()
	s.carryOut(due)
	return f, a
}

func (s *Server) carryOut(due []pending) {
	for _, p := range due {
		s.answer(nowhere{http.Header{}}, p.request)
	}
}

// Settle carries out all that is late.
func (s *Server) Settle() {
	s.mu.Lock()
	due := s.pending
	s.pending = nil
	s.mu.Unlock()
	s.carryOut(due)
}

func violation(r *http.Request, route string, keys map[string]Access) string {
	for key := range keys {
		if strings.Contains(r.URL.String(), key) {
			return "a key in the URL"
		}
	}
	if r.Method == http.MethodGet {
		return ""
	}
	for name := range r.URL.Query() {
		if strings.HasPrefix(name, "filter") {
			return "a filter on something that writes"
		}
	}
	if r.Method == http.MethodDelete && !strings.HasSuffix(route, "/attachments") {
		return "the removal of something other than attachments"
	}
	return ""
}

// take finds the fault for r and uses it up by one.
func (s *Server) take(r *http.Request) (Fault, act) {
	for i, f := range s.faults {
		writesOnly := f.What == "drop" || f.What == "late" || f.What == "cut" || f.What == "short"
		if f.Method != "" && f.Method != r.Method || f.Method == "" && writesOnly && r.Method == http.MethodGet {
			continue
		}
		if f.After > 0 {
			f.After--
			continue
		}
		hit := *f
		if f.Next > 0 {
			if f.Next--; f.Next == 0 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
		}
		switch {
		case hit.What == "slow", hit.What == "short":
			return hit, pass
		case hit.What == "late":
			return hit, later
		case hit.What == "drop", hit.What == "garbage", hit.Done:
			return hit, doThenSpoil
		}
		return hit, spoil
	}
	return Fault{}, pass
}

// write answers what the fault says.
func (f Fault) write(w http.ResponseWriter) {
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	switch status, err := strconv.Atoi(f.What); {
	case f.What == "garbage":
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Content-Length", "500")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"data":{"id":"5`)
	case err != nil:
		panic(http.ErrAbortHandler)
	case status == http.StatusBadGateway || status == http.StatusGatewayTimeout || status == http.StatusServiceUnavailable:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		fmt.Fprintf(w, "<html><head><title>%d %s</title></head><body>gateway</body></html>", status, http.StatusText(status))
	default:
		refuse(w, status, http.StatusText(status), "", "")
	}
}

// pending is a request whose connection broke and which is carried out later.
type pending struct {
	request *request
	after   int // further requests before that; below 1: at Settle
}

func (s *Server) postpone(f Fault, q *request) {
	if f.Wait == 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.pending = append(s.pending, pending{q, f.Calls})
		return
	}
	time.AfterFunc(f.Wait, func() { s.answer(nowhere{http.Header{}}, q) })
}

// Order does what a line of a script says:
//
//	down                         stop listening
//	up                           listen again
//	429 after=3 next=5 retry-after=2
//	500 next=1 method=POST       any status; "done" answers it after carrying the request out
//	drop next=2                  carry out, then break the connection
//	cut next=1                   break the connection and do nothing
//	late 30s next=1              break the connection, carry out in 30 s
//	late calls=3 next=1          the same after three further requests; without either, at "settle"
//	settle                       carry out all that is late
//	slow 2s                      carry out and answer later, also if nobody waits any more
//	garbage next=1               carry out, then answer half of it
//	short next=1                 carry out with the first half of each file, as if all had arrived
//	list missing                 there is no list of attachments: 404; missing=405
//	include inside               "included" stands inside "data"
//	large 422                    what a large body brings: 413, 422, cut
//	key 401                      status for a wrong key
//	clear                        no fault and no switch any more
func (s *Server) Order(line string) error {
	words := strings.Fields(line)
	if len(words) == 0 {
		return fmt.Errorf("an order is missing")
	}
	wrong := fmt.Errorf("order %q: the stand-in does not know it", line)
	switch words[0] {
	case "down":
		s.Close()
		return nil
	case "up":
		return s.Up()
	case "clear":
		s.Clear()
		return nil
	case "settle":
		s.Settle()
		return nil
	case "list", "include", "large", "key":
		if len(words) != 2 {
			return wrong
		}
		return s.orderSwitch(words, wrong)
	}
	f := Fault{What: words[0]}
	if n, err := strconv.Atoi(f.What); (err != nil || n < 300 || n > 599) && !slices.Contains([]string{"drop", "cut", "late", "slow", "garbage", "short"}, f.What) {
		return wrong
	}
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		var err error
		switch name {
		case "after":
			f.After, err = strconv.Atoi(value)
		case "next":
			f.Next, err = strconv.Atoi(value)
		case "calls":
			f.Calls, err = strconv.Atoi(value)
		case "retry-after":
			f.RetryAfter = value
		case "method", "on":
			f.Method = value
		case "done":
			f.Done = true
		default:
			f.Wait, err = time.ParseDuration(word)
		}
		if err != nil {
			return fmt.Errorf("order %q: %q is not understood", line, word)
		}
	}
	s.Add(f)
	return nil
}

func (s *Server) orderSwitch(words []string, wrong error) error {
	what, value, _ := strings.Cut(words[1], "=")
	status, err := strconv.Atoi(what)
	done := true
	s.Set(func(w *Switches) {
		switch {
		case words[0] == "list" && what == "missing":
			if w.ListMissing = http.StatusNotFound; value != "" {
				w.ListMissing, err = strconv.Atoi(value)
				done = err == nil
			}
		case words[0] == "list" && what == "there":
			w.ListMissing = 0
		case words[0] == "include":
			w.IncludeInside = what == "inside"
		case words[0] == "large":
			w.TooLarge = what
		case words[0] == "key" && err == nil:
			w.BadKey = status
		default:
			done = false
		}
	})
	if !done {
		return wrong
	}
	return nil
}
