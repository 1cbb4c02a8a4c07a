package scrub

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"belay/configs"
	"belay/devices"
)

// saveEvery is how much is read twice by whoever was killed, at most, a piece aside.
const saveEvery = 16 << 20

// saveItems is the same for small things.
const saveItems = 200

// A walk is one step under way.
type walk struct {
	*Scrub
	pass    pass
	raw     []byte
	targets []target
	next    int     // target at which it is
	limit   float64 // it goes no further than this
	until   time.Time
	damage  map[string]Damage
	told    map[string]int // of those, by customer, with an alarm of their own
	report  Report

	bytes int64 // since the place was saved
	items int
}

// errEnough ends a step that has read its share.
var errEnough = errors.New("enough for this time")

// Step reads what is due by now and returns. It stops between two pieces once
// until has come; zero: it takes the time it needs. What is not read then is due
// with the next step. The report tells what was read also where there is an error.
func (s *Scrub) Step(ctx context.Context, until time.Time) (Report, error) {
	return s.step(ctx, until, false)
}

// All reads everything from the beginning: a pass of its own, all of it now.
// Interrupted, it is a pass that the next Step goes on with.
func (s *Scrub) All(ctx context.Context) (Report, error) {
	return s.step(ctx, time.Time{}, true)
}

func (s *Scrub) step(ctx context.Context, until time.Time, all bool) (_ Report, err error) {
	w := &walk{Scrub: s, until: until}
	if w.pass, w.raw, err = s.load(ctx); err != nil {
		return w.report, err
	}
	if w.targets, err = s.targets(ctx); err != nil {
		return w.report, err
	}
	if err := s.notice(ctx, w.targets); err != nil {
		return w.report, err
	}
	if w.damage, err = s.damages(ctx); err != nil {
		return w.report, err
	}
	w.told = map[string]int{}
	for _, d := range w.damage {
		if d.Told {
			w.told[d.Customer]++
		}
	}
	now := s.Now()
	w.pass.rewind(now)
	ended := !w.pass.Ended.IsZero()
	if all || w.pass.Began.IsZero() || ended && now.Sub(w.pass.Began) >= s.every()-s.night()/2 {
		w.pass, ended = w.pass.begin(now), false
	}
	var after string
	w.next, after = s.rest(w.targets, w.pass.At)
	switch {
	case ended: // what was added since is read in the next pass, in its turn
	case after == "":
		w.far(0)
	default:
		w.far(w.pass.Through)
	}
	due := s.due(now.Sub(w.pass.Began))
	w.limit = min(due, w.pass.Done+s.most())
	if all {
		w.limit = 1
	}
	if err = w.again(ctx); err == nil && !ended && !w.enough() {
		err = w.read(ctx, after)
	}
	if errors.Is(err, errEnough) {
		err = nil
	}
	return w.close(ctx, err)
}

// enough tells whether the share is read. All of it is read to the last shelf,
// though that may weigh nothing.
func (w *walk) enough() bool { return w.limit < 1 && w.pass.Done >= w.limit }

// far works out how much of the pass is behind.
func (w *walk) far(through float64) {
	w.pass.Through = through
	w.pass.Done = weigh(w.targets, w.next, through)
}

// read goes through the shelves from the place on.
func (w *walk) read(ctx context.Context, after string) error {
	through := w.pass.Through
	for ; w.next < len(w.targets); w.next++ {
		t := w.targets[w.next]
		if w.pass.At.Customer != t.customer || w.pass.Since.IsZero() || w.pass.At.Shelf == "" {
			w.pass.Since = w.Now()
		}
		if after == "" {
			through = 0
		}
		w.pass.At = place{Customer: t.customer, Shelf: t.shelf.Name(), After: after}
		w.far(through)
		if w.enough() {
			return errEnough
		}
		if err := w.shelf(ctx, t, after, true); err != nil {
			return err
		}
		after = ""
		w.pass.At = place{Customer: t.customer, Shelf: t.shelf.Name(), Ended: true}
		if err := w.saveShelf(ctx, t); err != nil {
			return err
		}
	}
	w.far(0)
	return nil
}

// saveShelf remembers that a shelf was read to its end, and with its last one
// when the customer was.
func (w *walk) saveShelf(ctx context.Context, t target) error {
	if !t.last {
		return nil // the customer's next shelf, or the bytes since, will save it
	}
	w.next++
	w.far(0)
	w.next--
	if err := w.keep(ctx); err != nil {
		return err
	}
	return w.wasRead(ctx, t.customer, w.pass.Since)
}

// wasRead remembers that all of a customer was read since a time, if it was.
func (w *walk) wasRead(ctx context.Context, customer string, since time.Time) error {
	for name := range w.pass.Owed {
		if customerOf(name) == customer {
			return nil
		}
	}
	return w.Marks.SetMarks(ctx, readMarks, readMark(readKey(customer), reading{Seen: since, Read: since}))
}

func (w *walk) keep(ctx context.Context) error {
	w.bytes, w.items = 0, 0
	return w.save(ctx, &w.pass, &w.raw)
}

// shelf reads one shelf. inTurn moves the place with it; without, the shelf is
// one that was owed.
func (w *walk) shelf(ctx context.Context, t target, after string, inTurn bool) error {
	at := place{Customer: t.customer, Shelf: t.shelf.Name()}
	var failed error
	for piece, err := range t.shelf.Read(ctx, t.customer, after) {
		if err != nil {
			failed = err
			break
		}
		if err := w.take(ctx, t, piece, inTurn); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if failed != nil && devices.KindOf(failed) != devices.Damaged {
		if w.pass.Owed == nil {
			w.pass.Owed = map[string]string{}
		}
		w.pass.Owed[at.key()] = failed.Error()
		w.report.Unread = append(w.report.Unread, fmt.Sprintf("%s of %s: %v", at.Shelf, people(at.Customer), failed))
		return nil
	}
	delete(w.pass.Owed, at.key())
	whole := Piece{Key: shelfKey, What: "the " + at.Shelf + " of " + people(at.Customer)}
	if failed != nil {
		whole.Problems = []string{failed.Error()}
	}
	if err := w.judge(ctx, t, whole); err != nil || failed != nil {
		return err
	}
	return w.gone(ctx, t)
}

// shelfKey is what damage of a shelf itself is known by.
const shelfKey = "all of it"

// people names a customer, or what concerns none.
func people(customer string) string {
	if customer == "" {
		return "no customer"
	}
	return customer
}

// take counts one piece, judges it, and moves the place behind it.
func (w *walk) take(ctx context.Context, t target, piece Piece, inTurn bool) error {
	w.report.Bytes += piece.Bytes
	w.pass.Bytes += piece.Bytes
	w.bytes += piece.Bytes
	if piece.Key != "" {
		w.report.Items++
		w.pass.Items++
		w.items++
		if piece.Short != "" {
			count(&w.report.Short, piece.Short)
			count(&w.pass.Short, piece.Short)
		}
		if err := w.judge(ctx, t, piece); err != nil {
			return err
		}
	}
	rests := inTurn && piece.At != ""
	if rests {
		w.pass.At.After = piece.At
		w.far(piece.Through)
	}
	if w.Shown != nil {
		w.Shown(w.progress(w.pass))
	}
	if err := w.pause(ctx, piece.Bytes); err != nil {
		return err
	}
	switch {
	case !rests:
		return nil
	case w.enough(), !w.until.IsZero() && !w.Now().Before(w.until):
		return errEnough
	case w.bytes >= saveEvery || w.items >= saveItems:
		return w.keep(ctx)
	}
	return nil
}

func count(of *map[string]int, why string) {
	if *of == nil {
		*of = map[string]int{}
	}
	(*of)[why]++
}

// again tries the shelves that could not be read before.
func (w *walk) again(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(w.pass.Owed)) {
		i := slices.IndexFunc(w.targets, func(t target) bool {
			return place{Customer: t.customer, Shelf: t.shelf.Name()}.key() == name
		})
		if i < 0 {
			delete(w.pass.Owed, name)
			continue
		}
		if i >= w.next {
			continue // its turn is still to come; until then it is owed
		}
		if !w.until.IsZero() && !w.Now().Before(w.until) {
			return errEnough
		}
		t := w.targets[i]
		if err := w.shelf(ctx, t, "", false); err != nil {
			return err
		}
		if t.customer != w.pass.At.Customer || !w.pass.Ended.IsZero() { // the rest of it was read in this pass
			if err := w.wasRead(ctx, t.customer, w.pass.Began); err != nil {
				return err
			}
		}
	}
	return nil
}

// close ends a step: the place is saved and the ledger told, also where somebody
// has asked it to end.
func (w *walk) close(ctx context.Context, err error) (Report, error) {
	now := w.Now()
	if err == nil && w.next >= len(w.targets) && w.pass.Ended.IsZero() {
		w.pass.Ended, w.pass.Done, w.report.Completed = now, 1, true
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	r := &w.report
	r.Standing = len(w.damage)
	for _, d := range w.damage {
		if d.Elsewhere {
			r.Away++
		}
	}
	r.Done, r.Late = w.pass.Done, w.late(w.pass, now)
	if errors.Is(err, ErrElsewhere) {
		return *r, err
	}
	if saved := w.keep(ending); saved != nil {
		return *r, errors.Join(err, saved)
	}
	if r.Items > 0 || r.Completed || len(r.Unread) > 0 {
		told := w.Ledger.Append(ending, configs.Event{At: now, By: w.By, Act: "scrub", Detail: map[string]any{
			"pass": w.pass.Number, "items": r.Items, "bytes": r.Bytes, "found": len(r.Found), "standing": r.Standing, "cleared": r.Cleared,
			"unread": len(r.Unread), "done": r.Done, "completed": r.Completed, "late": r.Late,
		}})
		err = errors.Join(err, told)
	}
	return *r, err
}
