package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"belay/cmd/belay/web"
	"belay/configs"
	"belay/devices"
)

// sightings is what the service has seen since it started, for its figures.
type sightings struct {
	mu         sync.Mutex
	roundEnded time.Time
	canaries   map[string]int
}

func (s *sightings) ended(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roundEnded = at
}

func (s *sightings) saw(canaries map[string]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.canaries = canaries
}

// figures is what a scrape reads.
func (s *server) figures(ctx context.Context) (web.Figures, error) {
	w, leave := s.live.use()
	defer leave()
	f := web.Figures{Customers: map[string]web.CustomerFigures{}, Messages: s.events.counts()}
	s.engineFigures(ctx, &f)
	s.seen.mu.Lock()
	f.RoundEnded, f.Canaries = s.seen.roundEnded, s.seen.canaries
	s.seen.mu.Unlock()
	free, err := freeBytes(w.settings.Data)
	f.DiskFree = float64(free)
	return f, errors.Join(err, s.customerFigures(ctx, w, &f), s.outboxFigures(ctx, w, &f), s.storeFigures(ctx, w, &f))
}

// customerFigures counts devices by the outcome of their newest readings.
func (s *server) customerFigures(ctx context.Context, w *workspace, f *web.Figures) error {
	newest := map[devices.ID]configs.Checked{}
	for c, err := range w.ledger.Newest(ctx) {
		if err != nil {
			return err
		}
		newest[c.ID] = c
	}
	now := s.p.now()
	for _, d := range w.inventory.Devices {
		k, ok := f.Customers[d.Customer]
		if !ok {
			k.Devices = map[string]int{}
		}
		c, read := newest[d.ID()]
		state := string(c.Result)
		if !read {
			state = "never"
		}
		k.Devices[state]++
		if age, ok := aged(now, c.Good); ok {
			k.Stale = max(k.Stale, age)
		}
		if age, ok := aged(now, c.Proven); ok {
			k.Oldest = max(k.Oldest, age)
		} else {
			k.Unproven++
		}
		f.Customers[d.Customer] = k
	}
	return nil
}

// aged is how long ago something was. A time well in the future was told by a clock
// that was wrong: it is no age, for it would be young for years.
func aged(now, t time.Time) (time.Duration, bool) {
	if t.IsZero() || t.After(now.Add(time.Hour)) {
		return 0, false
	}
	return now.Sub(t), true
}

// outboxFigures counts what waits.
func (s *server) outboxFigures(ctx context.Context, w *workspace, f *web.Figures) error {
	f.OutboxWaiting, f.OutboxOldest = map[string]int{}, map[string]time.Duration{}
	for system := range w.settings.Documentation { // 0 is a figure, too
		f.OutboxWaiting[system], f.OutboxOldest[system] = 0, 0
	}
	now := s.p.now()
	for l, err := range w.ledger.Letters(ctx, configs.LetterFilter{Waiting: true}) {
		if err != nil {
			return err
		}
		f.OutboxWaiting[l.To]++
		f.OutboxOldest[l.To] = max(f.OutboxOldest[l.To], now.Sub(l.Put))
	}
	return nil
}

// health is what a restart may mend.
func (s *server) health() []web.Check {
	return []web.Check{{Name: "schedule", Ask: func(context.Context) error { return s.ticks(2 * time.Minute) }}}
}

// ready is what a person must mend.
func (s *server) ready() []web.Check {
	return []web.Check{
		{Name: "ledger", Ask: func(ctx context.Context) error {
			w, leave := s.live.use()
			defer leave()
			_, err := w.ledger.Mark(ctx, "ready", "")
			return err
		}},
		{Name: "data", Ask: func(context.Context) error {
			w, leave := s.live.use()
			defer leave()
			return writable(w.settings.Data)
		}},
		{Name: "chores", Ask: func(context.Context) error {
			for name := range s.chores.failures() {
				return fmt.Errorf("%s fails; belay serve --status says why", name)
			}
			return nil
		}},
	}
}

// writable tells why nothing can be kept in a folder.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".ready-*")
	if err != nil {
		return fmt.Errorf("the data folder cannot be written: %w", errors.Unwrap(err))
	}
	// A full disk still takes an empty file.
	if _, err = f.Write(make([]byte, 4<<10)); err != nil {
		err = fmt.Errorf("the data folder cannot be written: %w", errors.Unwrap(err))
	}
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}

// freeBytes is what is left for us on the disk of a folder.
func freeBytes(dir string) (uint64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(filepath.Clean(dir), &st); err != nil {
		return 0, fmt.Errorf("look at the disk: %w", err)
	}
	return st.Bavail * uint64(st.Bsize), nil //nolint:gosec,unconvert // never negative; a uint32 elsewhere
}

// status is what a command is told.
func (s *server) status(ctx context.Context) serviceStatus {
	w, leave := s.live.use()
	defer leave()
	st := serviceStatus{Since: s.since, Devices: len(w.inventory.Devices), Refused: s.live.why(), Next: s.next(s.p.now()), Chores: s.chores.failures()}
	if began, n, ok := s.rounds.Underway(); ok {
		st.Round = &roundStatus{began, n}
	}
	var f web.Figures
	s.engineFigures(ctx, &f)
	for _, n := range f.Waiting {
		st.Waiting += n
	}
	for _, n := range f.Underway {
		st.Busy += n
	}
	st.Retries, st.Again = f.Retries, s.engine.Again()
	return st
}
