package scrub

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"belay/configs"
)

// The kinds of the marks.
const (
	passMarks   = "scrub"        // "pass": where the pass is
	readMarks   = "scrub read"   // by "customer/" and its name: when it was last read
	damageMarks = "scrub damage" // by the damage's name
)

// A pass is one reading of everything, as it is remembered.
type pass struct {
	Number int            `json:"number"`
	Began  time.Time      `json:"began"`
	Ended  time.Time      `json:"ended,omitzero"` // all of it was read
	Moved  time.Time      `json:"moved"`          // when this was written: a clock before that was set back
	Done   float64        `json:"done"`
	Items  int            `json:"items"`
	Bytes  int64          `json:"bytes"`
	Short  map[string]int `json:"short,omitempty"` // pieces that were not read to their bytes, by why

	Order   string            `json:"order,omitempty"` // the shelves' names, as they stood
	At      place             `json:"at"`
	Through float64           `json:"through"`        // of the shelf at which it is
	Since   time.Time         `json:"since"`          // when the customer at which it is was begun
	Owed    map[string]string `json:"owed,omitempty"` // shelves that could not be read, by place, and why
	Last    time.Time         `json:"last,omitzero"`  // when the last whole pass ended
	Took    int64             `json:"took,omitempty"` // bytes of the pass before
}

// A place is one shelf of one customer, and what was read of it.
type place struct {
	Customer string `json:"customer"`
	Shelf    string `json:"shelf"`
	After    string `json:"after,omitempty"`
	Ended    bool   `json:"ended,omitempty"` // all of it was read
}

// key names the shelf among those owed.
func (p place) key() string { return p.Customer + "/" + p.Shelf }

// A reading is when a customer was last read from end to end.
type reading struct {
	Seen time.Time `json:"seen"`          // for the first time
	Read time.Time `json:"read,omitzero"` // its oldest byte
}

// oldest is how long ago a byte of the customer may have been read last.
func (r reading) oldest() time.Time {
	if r.Read.IsZero() {
		return r.Seen
	}
	return r.Read
}

// load reads where the pass is. raw is the mark as it stands, to be swapped.
func (s *Scrub) load(ctx context.Context) (p pass, raw []byte, err error) {
	if raw, err = s.Marks.Mark(ctx, passMarks, "pass"); err != nil || raw == nil {
		return p, raw, err
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return pass{}, raw, nil //nolint:nilerr // it is not known where the pass was: it begins anew
	}
	if p.Order != s.order() { // what stands before the place may not have been read
		p.At = place{Customer: p.At.Customer}
	}
	return p, raw, nil
}

// order is how the shelves stand: an upgrade may bring one, or move one.
func (s *Scrub) order() string {
	var names []string
	for _, shelf := range s.Shelves {
		names = append(names, shelf.Name())
	}
	return strings.Join(names, " ")
}

// save moves the place, if nobody else has moved it since it was read.
func (s *Scrub) save(ctx context.Context, p *pass, raw *[]byte) error {
	p.Moved, p.Order = s.Now(), s.order()
	now, err := json.Marshal(*p)
	if err != nil {
		return fmt.Errorf("remember the place of the scrub: %w", err)
	}
	ok, err := s.Marks.SwapMark(ctx, passMarks, "pass", *raw, now)
	if err != nil {
		return fmt.Errorf("remember the place of the scrub: %w", err)
	}
	if !ok {
		return ErrElsewhere
	}
	*raw = now
	return nil
}

// begin makes the next pass of p.
func (p pass) begin(now time.Time) pass {
	next := pass{Number: p.Number + 1, Began: now, Since: now, Owed: p.Owed, Last: p.Last, Took: p.Took}
	if !p.Ended.IsZero() {
		next.Took = p.Bytes
	}
	if p.whole() {
		next.Last = p.Ended
	}
	return next
}

// whole tells whether a pass has read all that there was: one that ended and
// could not read a shelf has not.
func (p pass) whole() bool { return !p.Ended.IsZero() && len(p.Owed) == 0 }

// rewind takes a pass to a clock that was set back, so that as much time has
// gone by in it as before.
func (p *pass) rewind(now time.Time) {
	by := p.Moved.Sub(now)
	if p.Moved.IsZero() || by <= 0 {
		return
	}
	for _, t := range []*time.Time{&p.Began, &p.Since, &p.Ended, &p.Last} {
		if !t.IsZero() {
			*t = t.Add(-by)
		}
	}
	p.Moved = now
}

// A target is one shelf of one customer, with its weight in the pass.
type target struct {
	customer string
	shelf    Shelf
	size     int64
	last     bool // of its customer
}

// targets are all shelves in the order of a pass.
func (s *Scrub) targets(ctx context.Context) ([]target, error) {
	customers, err := s.Customers(ctx)
	if err != nil {
		return nil, err
	}
	slices.Sort(customers)
	var all []target
	for _, c := range slices.Compact(customers) {
		for i, shelf := range s.Shelves {
			size, err := shelf.Size(ctx, c)
			if err != nil {
				return nil, fmt.Errorf("look at the %s of %s: %w", shelf.Name(), c, err)
			}
			all = append(all, target{c, shelf, max(size, 1), i == len(s.Shelves)-1})
		}
	}
	return all, nil
}

// rest is the number of targets that lie before the place, and where the one
// that comes next is to be read from.
func (s *Scrub) rest(targets []target, at place) (next int, after string) {
	shelf := slices.IndexFunc(s.Shelves, func(o Shelf) bool { return o.Name() == at.Shelf })
	for i, t := range targets {
		if t.customer < at.Customer || t.customer == at.Customer && shelf >= 0 && i%len(s.Shelves) < shelf {
			continue
		}
		switch {
		case t.customer != at.Customer || i%len(s.Shelves) != shelf:
			return i, ""
		case at.Ended:
			continue
		}
		return i, at.After
	}
	return len(targets), ""
}

// weigh is how much of all is read where so many targets are, and a part of the next.
func weigh(targets []target, read int, through float64) float64 {
	var before, all float64
	for i, t := range targets {
		all += float64(t.size)
		switch {
		case i < read:
			before += float64(t.size)
		case i == read:
			before += float64(t.size) * min(1, max(0, through))
		}
	}
	if all == 0 {
		return 1
	}
	return before / all
}

// readings are when each customer was last read.
func (s *Scrub) readings(ctx context.Context) (map[string]reading, error) {
	all := map[string]reading{}
	for m, err := range s.Marks.Marks(ctx, readMarks) {
		if err != nil {
			return nil, err
		}
		var r reading
		if json.Unmarshal(m.Value, &r) == nil {
			all[m.Key] = r
		}
	}
	return all, nil
}

func readKey(customer string) string { return "customer/" + customer }

// notice remembers customers that are new, and forgets those that are gone.
func (s *Scrub) notice(ctx context.Context, targets []target) error {
	known, err := s.readings(ctx)
	if err != nil {
		return err
	}
	var marks []configs.Mark
	there := map[string]bool{}
	for _, t := range targets {
		key := readKey(t.customer)
		if _, ok := known[key]; !ok && !there[key] {
			marks = append(marks, readMark(key, reading{Seen: s.Now()}))
		}
		there[key] = true
	}
	for key := range known {
		if !there[key] {
			marks = append(marks, configs.Mark{Key: key})
		}
	}
	if len(marks) == 0 {
		return nil
	}
	return s.Marks.SetMarks(ctx, readMarks, marks...)
}

func readMark(key string, r reading) configs.Mark {
	value, err := json.Marshal(r)
	if err != nil { // two times: it cannot be
		value = []byte("{}")
	}
	return configs.Mark{Key: key, Value: value}
}
