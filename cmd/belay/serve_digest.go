package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"belay/configs"
	"belay/configs/alarm"
	"belay/configs/report"
)

// A sentDigest is what is remembered of the digests of one channel.
type sentDigest struct {
	Due  time.Time `json:"due"`  // of the last one that the channel has taken
	Next time.Time `json:"next"` // a failed one is not tried before

	Of    time.Time `json:"of,omitzero"`     // the one that the channel has some parts of
	Parts []string  `json:"parts,omitempty"` // by customer

	Future time.Time `json:"future,omitzero"` // of versions taken by a clock that was ahead, the last one told
}

// digestMark is the kind of the marks that say which digest a channel had.
const digestMark = "digest"

// digestAgain is how long a channel that took no digest is left alone.
const digestAgain = 5 * time.Minute

// sendDigests sends the morning's digest to each channel that had none since it
// was due: once, or once more where the service was killed over it. A first start
// sends nothing before the first morning.
func (s *server) sendDigests(ctx context.Context, w *workspace) error {
	t := w.settings.Tell
	if t == nil || t.Digest == nil {
		return nil
	}
	due := t.Digest.last(s.p.now())
	if s.catchesUp(due) {
		return nil
	}
	var errs []error
	for _, channel := range t.Digest.To {
		if err := s.sendDigest(ctx, w, channel, due); err != nil {
			errs = append(errs, fmt.Errorf("the digest for %s: %w", channel, err))
		}
	}
	return errors.Join(errs...)
}

// catchingUp is how long after a start a digest may wait for what was due before.
const catchingUp = time.Hour

// catchesUp tells whether a service that was down when a digest was due is still
// capturing what it missed: the digest would tell of what is being mended.
func (s *server) catchesUp(due time.Time) bool {
	if since := s.p.now().Sub(s.since); !s.since.After(due) || since < 0 || since >= catchingUp {
		return false
	}
	_, _, busy := s.rounds.Underway()
	return busy || s.chores.last(tickChore).IsZero()
}

func (s *server) sendDigest(ctx context.Context, w *workspace, channel string, due time.Time) error {
	last, had, err := configs.ReadMark[sentDigest](ctx, w.ledger, digestMark, channel)
	if err != nil {
		return err
	}
	now := s.p.now()
	remember := func(d sentDigest) error { return configs.WriteMark(ctx, w.ledger, digestMark, channel, d) }
	switch {
	case !had, last.Due.After(now): // the first start; or the clock was set back
		return remember(sentDigest{Due: due, Future: last.Future})
	case !last.Due.Before(due), last.Next.After(now) && last.Next.Sub(now) <= digestAgain:
		return nil
	}
	// Before all else: what cannot be noted would be sent again and again.
	last.Next = now.Add(digestAgain)
	if err := remember(last); err != nil {
		return err
	}
	in, err := w.digestInput(ctx, last.Due)
	if err != nil {
		return err
	}
	future := last.Future
	in.Changed = slices.DeleteFunc(in.Changed, func(c report.Change) bool { // what comes after every morning is told on one
		taken := c.Version.Taken
		if !taken.After(now.Add(time.Hour)) {
			return false
		}
		if taken.After(future) {
			future = taken
		}
		return !taken.After(last.Future)
	})
	if !last.Of.Equal(due) {
		last.Of, last.Parts = due, nil
	}
	open, err := sendParts(ctx, w.post(s.p.err), in, channel, last.Parts, func(part string) error {
		if part == "" {
			return nil // it is all there is: see below
		}
		last.Parts = append(slices.Clone(last.Parts), part)
		return remember(last)
	})
	if open > 0 || err != nil && !errors.Is(err, alarm.ErrUnsure) {
		return err
	}
	s.log.Info("the digest was sent", "channel", channel)
	return remember(sentDigest{Due: due, Future: future})
}
