package history

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"

	"belay/configs"
)

// markUnread is the kind of the marks that name the versions which could not be
// read when they were indexed, by customer/commit. They outlive the index: one that
// is made anew sets them anew.
const markUnread = "index unread"

// An unread version may be readable by now: somebody has put back what was damaged.
type unread struct {
	After string `json:"after"` // the commit with versions before, "" for none: from there it is met again
}

// How many versions that are still damaged are met again before it is left to the
// next time: whoever asks a question waits for it, and a disk may have lost thousands.
const (
	mostAsked = 8
	mostRound = 200
)

// remember notes a version that could not be read.
func (h *History) remember(ctx context.Context, customer, commit, after string) error {
	if h.Marks == nil {
		return nil
	}
	return configs.WriteMark(ctx, h.Marks, markUnread, customer+"/"+commit, unread{After: after})
}

// unreads are the marks of a customer, or with "" of all, by customer.
func (h *History) unreads(ctx context.Context, customer string) (map[string][]configs.Mark, error) {
	all := map[string][]configs.Mark{}
	if h.Marks == nil {
		return all, nil
	}
	for m, err := range h.Marks.Marks(ctx, markUnread) {
		if err != nil {
			return nil, err
		}
		if whose, _, _ := strings.Cut(m.Key, "/"); customer == "" || whose == customer {
			all[whose] = append(all[whose], m)
		}
	}
	return all, nil
}

// mend takes a customer out of the index where a version that could not be read
// then can be read now: it is made anew by whoever goes on. Of many that are still
// damaged some are tried, others the next time.
func (h *History) mend(ctx context.Context, customer string, marks []configs.Mark, most int) error {
	rand.Shuffle(len(marks), func(i, j int) { marks[i], marks[j] = marks[j], marks[i] })
	for _, m := range marks[:min(len(marks), most)] {
		was, ok, err := configs.ReadMark[unread](ctx, h.Marks, markUnread, m.Key)
		if err != nil || !ok { // another process is at it
			return err
		}
		_, commit, _ := strings.Cut(m.Key, "/")
		if !h.readable(ctx, customer, was.After, commit) {
			continue
		}
		// The index answers as well as it can: it is not given up for a history in
		// which the way itself is broken somewhere.
		head, err := h.Walk.Head(ctx, customer)
		if err != nil || head == "" || !h.passable(ctx, customer, head) {
			return err
		}
		if err := h.Index.Drop(ctx, customer); err != nil {
			return err
		}
		return h.forget(ctx, marks)
	}
	return ctx.Err()
}

// forget takes marks away.
func (h *History) forget(ctx context.Context, marks []configs.Mark) error {
	var gone []configs.Mark
	for _, m := range marks {
		gone = append(gone, configs.Mark{Key: m.Key})
	}
	if len(gone) == 0 {
		return nil
	}
	return h.Marks.SetMarks(ctx, markUnread, gone...)
}

// whole are the marks of versions that can be read by now.
func (h *History) whole(ctx context.Context, customer string) (whole []configs.Mark, err error) {
	all, err := h.unreads(ctx, customer)
	for _, m := range all[customer] {
		was, ok, bad := configs.ReadMark[unread](ctx, h.Marks, markUnread, m.Key)
		_, commit, _ := strings.Cut(m.Key, "/")
		if ok && h.readable(ctx, customer, was.After, commit) {
			whole = append(whole, m)
		}
		err = errors.Join(err, bad)
	}
	return whole, err
}

// readable tells whether the versions of a commit can be read.
func (h *History) readable(ctx context.Context, customer, after, commit string) bool {
	met := false
	for v, err := range h.Walk.Along(ctx, customer, after, commit) {
		if err != nil || v.Damage != nil {
			return false
		}
		met = met || v.Version.Commit == commit
	}
	return met
}

// passable tells whether every commit up to one is there: a walk finds that out
// before it comes to the first version.
func (h *History) passable(ctx context.Context, customer, to string) bool {
	for _, err := range h.Walk.Along(ctx, customer, "", to) {
		return err == nil
	}
	return false
}

// mendAll mends what can be of all customers. That one cannot be looked at keeps it
// from no other.
func (h *History) mendAll(ctx context.Context) error {
	all, err := h.unreads(ctx, "")
	if err != nil {
		return err
	}
	var errs []error
	for customer, marks := range all {
		head, err := h.Walk.Head(ctx, customer)
		if err == nil && head == "" { // its history is gone
			err = h.forget(ctx, marks)
		} else if err == nil {
			err = h.mend(ctx, customer, marks, mostRound)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
