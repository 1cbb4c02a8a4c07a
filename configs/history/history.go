// Package history answers questions about years of versions at once. The
// histories themselves are in git; what would need a walk through them is asked
// of an index, which is brought up to date before each answer. It knows neither
// git nor the index but as ports, and holds nothing that they do not.
package history

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"belay/configs"
	"belay/devices"
)

// A Walker goes through histories.
type Walker interface {
	// Customers are those that have a history.
	Customers() ([]string, error)
	// Head is the commit where a customer's history stands, "" where there is
	// none. It costs next to nothing.
	Head(ctx context.Context, customer string) (string, error)
	// Along goes from behind one commit ("": from the first) up to another, the
	// oldest version first. Those that are a device's newest at the end bring
	// their texts. It ends with configs.ErrOffLine where the history does not
	// lead from the one to the other.
	Along(ctx context.Context, customer, from, to string) iter.Seq2[configs.Indexed, error]
}

// A History is histories and their index. It is safe for concurrent use, also
// by several processes with the same data.
type History struct {
	Walk       Walker
	Repository configs.Repository
	Index      configs.Index
	Marks      configs.Marks // remember what could not be read, to index it when it can be; nil: nobody does

	mu   sync.Mutex
	busy map[string]chan struct{} // customers that are being brought up to date
}

// Refresh brings the index of a customer up to where its history stands. Where
// the history no longer leads there from where the index stands (its branch was
// put back), the index is made anew. So it is where a version that was damaged when
// it was indexed can be read by now.
func (h *History) Refresh(ctx context.Context, customer string) error {
	all, err := h.unreads(ctx, customer)
	if err != nil {
		return err
	}
	if err := h.mend(ctx, customer, all[customer], mostAsked); err != nil {
		return err
	}
	head, err := h.Walk.Head(ctx, customer)
	if err != nil {
		return err
	}
	at, err := h.Index.Head(ctx, customer)
	if err != nil || at == head {
		return err
	}
	return h.update(ctx, customer, false)
}

// RefreshAll brings the index of all customers up to date. One that cannot be
// does not keep it from the others, but where the index takes nothing: then the
// others are left to the next time. A version that is damaged is told once, as
// it is met, with the device that it is of; the index goes on behind it.
func (h *History) RefreshAll(ctx context.Context) error {
	customers, err := h.Walk.Customers()
	if err != nil {
		return err
	}
	errs := []error{h.mendAll(ctx)}
	standing, err := h.Index.Standing(ctx)
	if err != nil {
		return err
	}
	for _, customer := range customers {
		head, err := h.Walk.Head(ctx, customer)
		if err == nil && head != standing[customer] {
			err = h.update(ctx, customer, false)
		}
		errs = append(errs, err)
		if hopeless(ctx, err) {
			return errors.Join(errs...)
		}
		delete(standing, customer)
	}
	for customer := range standing { // its history is gone
		err := h.Refresh(ctx, customer)
		errs = append(errs, err)
		if hopeless(ctx, err) {
			break
		}
	}
	return errors.Join(errs...)
}

// Rebuild makes the index of a customer, or with "" of all, anew from history.
func (h *History) Rebuild(ctx context.Context, customer string) error {
	customers := []string{customer}
	if customer == "" {
		var err error
		if customers, err = h.known(ctx); err != nil {
			return err
		}
	}
	var errs []error
	for _, c := range customers {
		whole, err := h.whole(ctx, c)
		if err == nil {
			err = h.update(ctx, c, true)
		}
		if h.stands(ctx, c) {
			err = errors.Join(err, h.forget(ctx, whole))
		}
		errs = append(errs, err)
		if hopeless(ctx, err) {
			break
		}
	}
	return errors.Join(errs...)
}

// unwritten is what the index said to a write, and no customer's own fault.
type unwritten struct{ error }

func (u unwritten) Unwrap() error { return u.error }

func written(err error) error {
	if err == nil || errors.Is(err, configs.ErrIndexMoved) || devices.KindOf(err) == devices.Damaged {
		return err
	}
	return unwritten{err}
}

// hopeless tells that the next customer would fare no better: somebody else may
// hold the index, and would be waited for anew, a minute for each customer.
func hopeless(ctx context.Context, err error) bool {
	_, is := errors.AsType[unwritten](err)
	return is || ctx.Err() != nil
}

// known are the customers that have a history or an index, sorted.
func (h *History) known(ctx context.Context) ([]string, error) {
	customers, err := h.Walk.Customers()
	if err != nil {
		return nil, err
	}
	standing, err := h.Index.Standing(ctx)
	for customer := range standing {
		customers = append(customers, customer)
	}
	slices.Sort(customers)
	return slices.Compact(customers), err
}

// mostMoves is how often another process may be faster before we give up: each
// time it has done some of the work.
const mostMoves = 1000

func (h *History) update(ctx context.Context, customer string, anew bool) error {
	release, err := h.alone(ctx, customer)
	if err != nil {
		return err
	}
	defer release()
	for range mostMoves {
		head, err := h.Walk.Head(ctx, customer)
		if err != nil {
			return err
		}
		at, err := h.Index.Head(ctx, customer)
		if err != nil {
			return err
		}
		switch {
		case head == "":
			err = written(h.Index.Drop(ctx, customer))
		case anew || at == "":
			err = h.extend(ctx, customer, "", head)
		case at != head:
			if err = h.extend(ctx, customer, at, head); errors.Is(err, configs.ErrOffLine) {
				err = h.extend(ctx, customer, "", head)
			}
		}
		if !errors.Is(err, configs.ErrIndexMoved) {
			return err
		}
		anew = false // another process goes on with what was begun anew
	}
	return fmt.Errorf("index %s: %w", customer, configs.ErrIndexMoved)
}

// What is added to the index in one transaction, which others wait for.
const (
	mostVersions = 500
	mostBytes    = 4 << 20
)

// extend adds what came between two commits, a share at a time: whoever is
// killed in the middle has brought the index to a commit on the way.
func (h *History) extend(ctx context.Context, customer, from, to string) error {
	var versions []configs.Indexed
	var damages []error
	size, met, before := 0, from, from // met: the commit of the last version; before: that of another commit before it
	for v, err := range h.Walk.Along(ctx, customer, from, to) {
		if err != nil {
			return err
		}
		// A share ends with a whole commit.
		if n := len(versions); n > 0 && (n >= mostVersions || size >= mostBytes) && versions[n-1].Version.Commit != v.Version.Commit {
			last := versions[n-1].Version.Commit
			if err := written(h.Index.Extend(ctx, customer, from, last, versions)); err != nil {
				return err
			}
			from, versions, size = last, versions[:0], 0
		}
		if v.Version.Commit != met {
			before, met = met, v.Version.Commit
		}
		if v.Damage != nil {
			if err := written(h.remember(ctx, customer, met, before)); err != nil {
				return err
			}
			damages = append(damages, &devices.Error{Kind: devices.Damaged, Op: "index version " + v.Version.Commit, Device: string(v.Version.ID), Err: v.Damage, Hint: devices.HintOf(v.Damage)})
		}
		versions = append(versions, v)
		for _, t := range v.Texts {
			size += t.Clean.Len()
		}
	}
	if err := written(h.Index.Extend(ctx, customer, from, to, versions)); err != nil {
		return err
	}
	return errors.Join(damages...)
}

// stands tells whether the index is where the history is: then a damage that was
// met on the way keeps nothing else from being answered.
func (h *History) stands(ctx context.Context, customer string) bool {
	head, err := h.Walk.Head(ctx, customer)
	at, standing := h.Index.Head(ctx, customer)
	return errors.Join(err, standing) == nil && at == head
}

// alone waits until nobody else of this process works on a customer's index.
func (h *History) alone(ctx context.Context, customer string) (release func(), err error) {
	for {
		h.mu.Lock()
		other := h.busy[customer]
		if other == nil {
			if h.busy == nil {
				h.busy = map[string]chan struct{}{}
			}
			mine := make(chan struct{})
			h.busy[customer] = mine
			h.mu.Unlock()
			return func() {
				h.mu.Lock()
				delete(h.busy, customer)
				h.mu.Unlock()
				close(mine)
			}, nil
		}
		h.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Versions are a device's versions, newest first. Of a history that is damaged
// somewhere, what can be read is read from it.
func (h *History) Versions(ctx context.Context, id devices.ID) iter.Seq2[configs.Version, error] {
	return func(yield func(configs.Version, error) bool) {
		versions := h.Index.Versions
		switch err := h.Refresh(ctx, id.Customer()); {
		case devices.KindOf(err) == devices.Damaged && h.stands(ctx, id.Customer()):
		case devices.KindOf(err) == devices.Damaged:
			versions = h.Repository.History
		case err != nil:
			yield(configs.Version{}, err)
			return
		}
		for v, err := range versions(ctx, id) {
			if !yield(v, err) {
				return
			}
		}
	}
}

// At is the version of a device that stood at a time: the last in history's
// order that was taken then or before.
func (h *History) At(ctx context.Context, id devices.ID, t time.Time) (configs.Version, bool, error) {
	err := h.Refresh(ctx, id.Customer())
	if err == nil || devices.KindOf(err) == devices.Damaged && h.stands(ctx, id.Customer()) {
		return h.Index.At(ctx, id, t)
	}
	if devices.KindOf(err) != devices.Damaged {
		return configs.Version{}, false, err
	}
	for v, err := range h.Repository.History(ctx, id) {
		if err != nil || !v.Taken.After(t) {
			return v, err == nil, err
		}
	}
	return configs.Version{}, false, nil
}

// Since are the versions taken at or after a time, of one customer or, with "",
// of all, the oldest first. What could not be brought up to date is told at the end.
func (h *History) Since(ctx context.Context, customer string, t time.Time) iter.Seq2[configs.Version, error] {
	return refreshed(ctx, h, customer, h.Index.Since(ctx, customer, t))
}

// Search looks through the newest texts of devices. What could not be brought up
// to date is told at the end.
func (h *History) Search(ctx context.Context, q configs.Query) iter.Seq2[configs.Found, error] {
	return refreshed(ctx, h, q.Customer, h.Index.Search(ctx, q))
}

func refreshed[T any](ctx context.Context, h *History, customer string, from iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var stale error
		if customer == "" {
			stale = h.RefreshAll(ctx)
		} else {
			stale = h.Refresh(ctx, customer)
		}
		for v, err := range from {
			if !yield(v, err) || err != nil {
				return
			}
		}
		if stale != nil {
			var none T
			yield(none, stale)
		}
	}
}
