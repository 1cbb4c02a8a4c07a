package scrub

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"
)

// A Progress is how far the reading is, for people, metrics and the digest. It
// costs a few reads of marks.
type Progress struct {
	Began     time.Time         `json:"began,omitzero"` // of the pass under way, or the last one; zero: none has begun
	Ended     time.Time         `json:"ended,omitzero"` // it has read all
	Done      float64           `json:"done"`           // of it, from 0 to 1, by bytes
	Items     int               `json:"items"`          // read in it
	Bytes     int64             `json:"bytes"`
	Customer  string            `json:"customer,omitempty"` // at which it is
	Shelf     string            `json:"shelf,omitempty"`
	Late      bool              `json:"late"`               // it is behind its time
	Completed time.Time         `json:"completed,omitzero"` // when the last whole pass ended
	Oldest    time.Time         `json:"oldest,omitzero"`    // no byte was read last before that; of what was never read, when it was first seen
	Unread    map[string]string `json:"unread,omitempty"`   // customer and shelf that could not be read when it was their turn, and why
	Short     map[string]int    `json:"short,omitempty"`    // of those read in it, how many not to their bytes, by why
	Damages   []Damage          `json:"damages,omitempty"`  // that stand, the oldest first
}

// Progress tells how far the reading is.
func (s *Scrub) Progress(ctx context.Context) (Progress, error) {
	p, _, err := s.load(ctx)
	if err != nil {
		return Progress{}, err
	}
	p.rewind(s.Now())
	now := s.progress(p)
	damages, err := s.damages(ctx)
	if err != nil {
		return now, err
	}
	now.Damages = slices.SortedFunc(maps.Values(damages), func(a, b Damage) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.name(), b.name()))
	})
	known, err := s.readings(ctx)
	for _, r := range known {
		if at := r.oldest(); now.Oldest.IsZero() || at.Before(now.Oldest) {
			now.Oldest = at
		}
	}
	return now, err
}

func (s *Scrub) progress(p pass) Progress {
	now := Progress{Began: p.Began, Ended: p.Ended, Done: p.Done, Items: p.Items, Bytes: p.Bytes, Customer: p.At.Customer, Shelf: p.At.Shelf,
		Late: s.late(p, s.Now()), Completed: p.Last, Unread: maps.Clone(p.Owed), Short: maps.Clone(p.Short)}
	if p.whole() {
		now.Completed = p.Ended
	}
	return now
}
