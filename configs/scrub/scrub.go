// Package scrub reads again all that is kept, a share a night, and says what is
// no longer what it was: every pack and every version of every history, sealed
// originals opened, papers, the ledger, and whether the second places still hold
// what was proven to be there. It knows no store: what there is to read stands on
// shelves, and each knows how to read itself from any place on.
//
// A pass goes through the customers by name and through the shelves of each in
// their order. So what is read at one point of a pass is read at the same point
// of the next: nothing stays unread for longer than a pass takes, also what was
// added behind the place where the pass was. The place is a mark, moved only when
// all before it was read: who is killed reads a little twice and skips nothing.
//
// Nothing is repaired here. Damage is an alarm that says where a good copy is,
// and stays listed until a later reading finds the thing whole.
package scrub

import (
	"context"
	"errors"
	"iter"
	"time"

	"belay/configs"
	"belay/devices"
)

// A Shelf is one kind of what is kept of a customer.
type Shelf interface {
	// Name is the shelf's own, and stays: the place of a pass is remembered by it.
	Name() string
	// Size is about how many bytes there are to read, told at little cost. The
	// customer "" is what concerns none.
	Size(ctx context.Context, customer string) (int64, error)
	// Read reads the pieces that come after a place, or all with "", one at a
	// time, in an order that stands while pieces are added. Where the place is
	// not known any more it begins anew. An error ends the reading: one of Kind
	// devices.Damaged is damage of the shelf itself, any other says that it
	// could not be read this time.
	Read(ctx context.Context, customer, after string) iter.Seq2[Piece, error]
}

// A Lasting shelf knows of damage that it does not show while it stands: what is
// lost in a second place and waits to be sent there again.
type Lasting interface {
	Stands(ctx context.Context, d Damage) (bool, error)
}

// A Following shelf holds what may be damaged only because a piece of another one
// is: where that is told, this is listed with it and nobody is told twice.
type Following interface {
	Follows(d, other Damage) bool
}

// A Piece is something that was read again.
type Piece struct {
	At      string  // Read goes on behind it; empty: it cannot rest here
	Through float64 // how much of the shelf is behind the reader with it, up to 1
	Bytes   int64   // that were read for it

	Key       string // what the piece is known by on its shelf; empty: it is a part of one that follows
	Device    devices.ID
	Version   configs.Version // where it is one, or a copy of one
	Digest    string          // of the document, where it is one
	What      string          // what it is, for people
	Problems  []string        // empty: it is whole
	Elsewhere bool            // it lies in a second place: what is kept here is whole
	Short     string          // less than all of it was read: what such pieces are, and why, for people
}

// ErrElsewhere says that another process has moved the place of the pass.
var ErrElsewhere = errors.New("another process is reading everything again at this moment")

// A Finder looks for whole copies of something damaged and names each with the
// place where it is and how it is had from there.
type Finder func(ctx context.Context, d Damage) ([]string, error)

// A Scrub is the reading. Its fields are the parts it works with; Finders, Pause
// and Shown may be nil. Several processes may have one each.
type Scrub struct {
	Shelves   []Shelf
	Customers func(ctx context.Context) ([]string, error) // "" among them, for what concerns none
	Marks     configs.Marks
	Alarms    configs.Alarms
	Ledger    configs.Ledger
	Finders   []Finder
	By        configs.Person
	Now       func() time.Time

	Every time.Duration // in which everything is read once; 0: a week
	Night time.Duration // from one Step to the next; 0: a day
	Most  float64       // of everything in one Step, at most; 0: three nights' shares

	// Pause is called after so many bytes were read, and lets others go first or
	// keeps to a rate. It ends with the context.
	Pause func(ctx context.Context, bytes int64) error
	// Shown is told of each piece how far the pass is.
	Shown func(p Progress)
}

// Week is the time in which everything is read again where nothing else is said.
const Week = 7 * 24 * time.Hour

// A Report says what one Step has done.
type Report struct {
	Items     int
	Bytes     int64
	Found     []Damage // that did not stand before
	Standing  int      // damages by now, those among them
	Away      int      // of those standing, what is damaged in a second place only
	Cleared   int
	Unread    []string       // what could not be read this time, and why
	Short     map[string]int // how many pieces were not read to their bytes, by why
	Done      float64        // of the pass
	Completed bool           // the pass ended with this step
	Late      bool           // the pass is behind its time
}

func (s *Scrub) every() time.Duration {
	if s.Every > 0 {
		return s.Every
	}
	return Week
}

func (s *Scrub) night() time.Duration {
	if s.Night > 0 {
		return s.Night
	}
	return 24 * time.Hour
}

// most is how much one step may read: more than its own share where nights were
// missed, but not all of them at once.
func (s *Scrub) most() float64 {
	if s.Most > 0 {
		return s.Most
	}
	return 3 * float64(s.night()) / float64(s.every())
}

// due is how much of a pass that began so long ago should be read by the end of
// a step. It leans forward by an hour of a day: nights do not begin to the second.
func (s *Scrub) due(elapsed time.Duration) float64 {
	return min(1, float64(elapsed+s.night()+s.night()/24)/float64(s.every()))
}

// late tells whether a pass is behind its time by more than half a night.
func (s *Scrub) late(p pass, now time.Time) bool {
	return p.Ended.IsZero() && !p.Began.IsZero() &&
		p.Done+1e-9 < min(1, float64(now.Sub(p.Began)-s.night()/2)/float64(s.every()))
}

func (s *Scrub) pause(ctx context.Context, bytes int64) error {
	if s.Pause != nil {
		if err := s.Pause(ctx, bytes); err != nil {
			return err
		}
	}
	return ctx.Err()
}
