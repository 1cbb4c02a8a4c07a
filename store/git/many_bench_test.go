package git

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"
)

// BenchmarkManyRepositories keeps one device for each of 7,000 customers (700 by
// default), reads each and has each proven, all in one process: it stays under
// 300 MB and opens few files, however many there are.
func BenchmarkManyRepositories(b *testing.B) {
	n := 700
	if full() {
		n = 7000
	}
	dir := b.TempDir()
	w := &world{customers: n, devices: n, changed: make([]int, n), day: time.Date(2026, 1, 1, 1, 15, 0, 0, time.UTC)}
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	s := &Store{Dir: dir, Now: time.Now}
	each := func(b *testing.B, s *Store, workers int, f func(context.Context, *Store, int) error) {
		b.Helper()
		g := watch()
		began := time.Now()
		took := make([]time.Duration, n)
		atOnce(workers, n, func(i int) {
			began := time.Now()
			if err := f(b.Context(), s, i); err != nil {
				b.Error(err)
			}
			took[i] = time.Since(began)
		})
		b.ReportMetric(time.Since(began).Seconds(), "s/all")
		slices.Sort(took)
		b.ReportMetric(float64(took[n*95/100].Microseconds())/1000, "ms-p95")
		g.end(b)
	}
	commit := func(ctx context.Context, s *Store, i int) error {
		snap, err := w.snapshot(i, w.day)
		if err == nil {
			_, err = s.Commit(ctx, snap)
		}
		return err
	}
	read := func(ctx context.Context, s *Store, i int) error {
		v, ok, err := s.Newest(ctx, w.id(i))
		if err == nil && !ok {
			err = fmt.Errorf("%s is not there", w.id(i))
		}
		if err == nil {
			_, err = s.Texts(ctx, v)
		}
		return err
	}
	newest := func(ctx context.Context, s *Store, i int) error { _, _, err := s.Newest(ctx, w.id(i)); return err }
	history := func(ctx context.Context, s *Store, i int) error {
		for _, err := range s.History(ctx, w.id(i)) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	for _, step := range []struct {
		name    string
		workers int
		f       func(context.Context, *Store, int) error
		change  bool
	}{
		{"first night", 100, commit, false}, {"unchanged night", 100, commit, false}, {"all change", 100, commit, true},
		{"read and prove", 100, read, false}, {"history", 100, history, false},
	} {
		b.Run(step.name, func(b *testing.B) {
			for b.Loop() {
				if step.change {
					for i := range w.changed {
						w.changed[i]++
					}
				}
				each(b, s, step.workers, step.f)
			}
		})
	}
	maintain := func(b *testing.B) {
		g := watch()
		for b.Loop() {
			if _, err := s.Maintenance(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		g.end(b)
	}
	b.Run("maintenance that writes notes", maintain)
	b.Run("maintenance, nothing due", maintain)
	b.Run("start of the next process", func(b *testing.B) {
		for b.Loop() {
			each(b, &Store{Dir: dir, Now: time.Now}, 1, newest)
		}
	})
}
