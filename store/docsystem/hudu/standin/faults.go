package standin

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Switches are the ways in which one Hudu differs from another: its version,
// its storage, the rights of the key.
type Switches struct {
	Version string        // below 2.41 no paging of uploads and no download
	Unowned bool          // uploads do not tell what they hang on, as in older versions
	Wrapped bool          // an upload stands in {"upload":{…}}
	Bucket  bool          // a download is a redirect to object storage
	Null    bool          // what is not there is 200 null, not 404
	Sizes   bool          // sizes are for people: "12.3 KB"
	Ignored bool          // filters of assets are ignored
	Keep    bool          // the key may delete nothing
	Scope   []int         // companies that the key may see; nil: all
	MaxBody int           // bytes; above it a proxy answers 413. 0: no bound
	Page    int           // no page has more rows, whatever is asked for; 0: 1000
	Slow    time.Duration // between the work and the answer
}

// A Fault spoils requests.
type Fault struct {
	Status     int    // answered in place of the work, as a proxy does; 0: none
	RetryAfter string // header of that answer
	Drop       bool   // the connection ends after the work was done
	Cut        bool   // the connection ends before anything was done
	Late       bool   // the connection ends, and the upload is to be seen only after Settle
	Method     string // only requests of this method; empty: all, but Drop and Late only those that change something
	After      int    // so many requests go well first
	Next       int    // so many are spoiled; 0: all until the fault is cleared
}

// Set changes the switches.
func (s *Server) Set(change func(*Switches)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.switches)
}

// Add adds a fault.
func (s *Server) Add(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
}

// Clear ends all faults. The switches stay.
func (s *Server) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
	s.switches.Slow = 0
}

// Settle lets uploads that were late be seen.
func (s *Server) Settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.late {
		s.hang(u)
	}
	s.late = nil
}

// fault is the one that spoils this request; the zero Fault where none does.
func (s *Server) fault(method string) Fault {
	reads := method == "GET" || method == "HEAD"
	for i := range s.faults {
		f := &s.faults[i]
		if f.Method != "" && f.Method != method || f.Method == "" && reads && (f.Drop || f.Late) {
			continue
		}
		if f.After > 0 {
			f.After--
			continue
		}
		found := *f
		if f.Next == 1 {
			s.faults = slices.Delete(s.faults, i, i+1)
		} else if f.Next > 1 {
			f.Next--
		}
		return found
	}
	return Fault{}
}

// Order does what a line of a test script says:
//
//	down | up | clear | settle
//	401 | 404 | 429 | 500 | 502 | 503 | 504 | drop | cut | late  [after=N] [next=N] [on=METHOD] [retry-after=TEXT]
//	slow 2s
//	version 2.40.1
//	page 100                        no page has more rows
//	cap 1000                        413 above so many bytes
//	scope 3,4 | scope all           companies that the key may see
//	unowned|wrapped|bucket|null|sizes|ignored|keep  on|off
func (s *Server) Order(line string) error {
	words := strings.Fields(line)
	if len(words) == 0 {
		return fmt.Errorf("hudu stand-in: an empty order")
	}
	word, rest := words[0], words[1:]
	switch word {
	case "down":
		s.Close()
		return nil
	case "up":
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, r := range s.running {
			if err := r.up(); err != nil {
				return err
			}
		}
		return nil
	case "clear":
		s.Clear()
		return nil
	case "settle":
		s.Settle()
		return nil
	case "401", "404", "429", "500", "502", "503", "504", "drop", "cut", "late":
		f, err := parseFault(word, rest)
		if err == nil {
			s.Add(f)
		}
		return err
	}
	if len(rest) != 1 {
		return fmt.Errorf("hudu stand-in: %q needs one word after %q", line, word)
	}
	return s.turn(word, rest[0])
}

func parseFault(word string, words []string) (Fault, error) {
	f := Fault{Drop: word == "drop", Cut: word == "cut", Late: word == "late"}
	if !f.Drop && !f.Cut && !f.Late {
		f.Status, _ = strconv.Atoi(word) // it is one of the numbers above
	}
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		var err error
		switch name {
		case "after":
			f.After, err = strconv.Atoi(value)
		case "next":
			f.Next, err = strconv.Atoi(value)
		case "on":
			f.Method = value
		case "retry-after":
			f.RetryAfter = value
		default:
			err = fmt.Errorf("nothing is called %q", name)
		}
		if err != nil {
			return Fault{}, fmt.Errorf("hudu stand-in: order %q: %w", word, err)
		}
	}
	return f, nil
}

// turn sets one switch.
func (s *Server) turn(word, value string) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &s.switches
	toggles := map[string]*bool{"unowned": &w.Unowned, "wrapped": &w.Wrapped, "bucket": &w.Bucket, "null": &w.Null, "sizes": &w.Sizes, "ignored": &w.Ignored, "keep": &w.Keep}
	switch t := toggles[word]; {
	case t != nil && (value == "on" || value == "off"):
		*t = value == "on"
	case word == "version":
		w.Version = value
	case word == "slow":
		w.Slow, err = time.ParseDuration(value)
	case word == "page":
		w.Page, err = strconv.Atoi(value)
	case word == "cap":
		w.MaxBody, err = strconv.Atoi(value)
	case word == "scope":
		w.Scope = nil
		for id := range strings.SplitSeq(value, ",") {
			if value == "all" {
				break
			}
			n, wrong := strconv.Atoi(id)
			if wrong != nil {
				return fmt.Errorf("hudu stand-in: scope: %w", wrong)
			}
			w.Scope = append(w.Scope, n)
		}
	default:
		return fmt.Errorf("hudu stand-in: no order %q", word+" "+value)
	}
	return err
}
