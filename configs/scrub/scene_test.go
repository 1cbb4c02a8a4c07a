package scrub_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/memory"
	"belay/configs/scrub"
	"belay/devices"
)

const night = 24 * time.Hour

// A scene is what a few customers have on two shelves, a clock and the marks.
// Processes come and go.
type scene struct {
	t       *testing.T
	marks   *memory.Marks
	alarms  *memory.Alarms
	ledger  *memory.Ledger
	now     time.Time
	shelves []*board
	finders []scrub.Finder
	dead    bool // the process was killed: nothing is written any more
}

func newScene(t *testing.T, perCustomer map[string]int) *scene {
	s := &scene{t: t, marks: &memory.Marks{}, alarms: &memory.Alarms{}, ledger: &memory.Ledger{}, now: time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC)}
	s.marks.Fail = func(op string) error {
		if s.dead && op != "Mark" && op != "Marks" {
			return errors.New("killed")
		}
		return nil
	}
	for _, name := range []string{"packs", "versions"} {
		b := &board{name: name, items: map[string][]string{}, reads: map[string]int{}, damaged: map[string]string{}}
		for customer, n := range perCustomer {
			for i := range n {
				b.items[customer] = append(b.items[customer], fmt.Sprintf("%s-%s-%04d", customer, name, i))
			}
		}
		s.shelves = append(s.shelves, b)
	}
	return s
}

// scrub is a process that has just been started.
func (s *scene) scrub() *scrub.Scrub {
	sc := &scrub.Scrub{Marks: s.marks, Alarms: s.alarms, Ledger: s.ledger, Now: func() time.Time { return s.now }, Finders: s.finders,
		By: configs.Person{Name: "belay"},
		Customers: func(context.Context) ([]string, error) {
			all := []string{""}
			for c := range s.shelves[0].items {
				all = append(all, c)
			}
			return all, nil
		}}
	for _, b := range s.shelves {
		sc.Shelves = append(sc.Shelves, b)
	}
	return sc
}

func (s *scene) step(do ...func(*scrub.Scrub)) scrub.Report {
	s.t.Helper()
	sc := s.scrub()
	for _, f := range do {
		f(sc)
	}
	r, err := sc.Step(s.t.Context(), time.Time{})
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *scene) progress() scrub.Progress {
	s.t.Helper()
	p, err := s.scrub().Progress(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

func (s *scene) events(act string) (all []configs.Event) {
	s.t.Helper()
	for e, err := range s.ledger.Events(s.t.Context(), configs.Filter{Act: act}) {
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// forget sets the counts of what was read to nothing.
func (s *scene) forget() {
	for _, b := range s.shelves {
		clear(b.reads)
	}
}

// wantReads fails unless each of the items was read as often as that.
func (s *scene) wantReads(least, most int) {
	s.t.Helper()
	for _, b := range s.shelves {
		for _, items := range b.items {
			for _, it := range items {
				if n := b.reads[it]; n < least || n > most {
					s.t.Errorf("%s was read %d times, want %d to %d", it, n, least, most)
				}
			}
		}
	}
}

// A board is a shelf in memory. Every piece has a kilobyte.
type board struct {
	name  string
	fails error // what Read ends with, before any piece

	items   map[string][]string
	reads   map[string]int
	damaged map[string]string
	after   func(item string) // is called when it was read
	stands  bool
	follows string // another board: what is damaged here comes of what is damaged there
}

func (b *board) Name() string { return b.name }

func (b *board) Stands(context.Context, scrub.Damage) (bool, error) { return b.stands, nil }

func (b *board) Follows(_, other scrub.Damage) bool { return other.Shelf == b.follows }

func (b *board) Size(_ context.Context, customer string) (int64, error) {
	return int64(1000 * len(b.items[customer])), nil
}

func (b *board) Read(ctx context.Context, customer, after string) iter.Seq2[scrub.Piece, error] {
	return func(yield func(scrub.Piece, error) bool) {
		if b.fails != nil {
			yield(scrub.Piece{}, b.fails)
			return
		}
		for i := slices.Index(b.items[customer], after) + 1; i < len(b.items[customer]); i++ {
			if err := ctx.Err(); err != nil {
				yield(scrub.Piece{}, err)
				return
			}
			it := b.items[customer][i]
			b.reads[it]++
			p := scrub.Piece{At: it, Key: it, Bytes: 1000, Through: float64(i+1) / float64(len(b.items[customer])),
				Device: devices.ID(customer + "/fw"), What: "piece " + strconv.Itoa(i)}
			if why := b.damaged[it]; why != "" {
				p.Problems = []string{why}
			}
			if b.after != nil {
				b.after(it)
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}
