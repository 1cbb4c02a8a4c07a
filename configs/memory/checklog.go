package memory

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"belay/configs"
	"belay/devices"
)

// A CheckLog remembers readings in memory. The zero value is ready.
type CheckLog struct {
	Faults

	mu     sync.Mutex
	newest map[devices.ID]configs.Checked
	rows   []configs.Checked
	of     map[devices.ID][]configs.Checked // the same, by device
}

// Checked remembers one reading.
func (l *CheckLog) Checked(ctx context.Context, c configs.Checked) error {
	if err := l.check(ctx, "Checked"); err != nil {
		return err
	}
	if err := checkID(c.ID); err != nil {
		return err
	}
	c.Good, c.Proven = time.Time{}, time.Time{}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows = append(l.rows, c)
	if l.newest == nil {
		l.newest, l.of = map[devices.ID]configs.Checked{}, map[devices.ID][]configs.Checked{}
	}
	l.of[c.ID] = append(l.of[c.ID], c)
	newest := c
	if last, ok := l.newest[c.ID]; ok && last.At.After(c.At) && !last.At.After(c.At.Add(ahead)) {
		newest = last // c is an older reading that came late
	}
	newest.Good = l.last(c, func(r configs.Checked) bool { return r.Result == configs.Kept || r.Result == configs.Unchanged })
	newest.Proven = l.last(c, func(r configs.Checked) bool { return r.Verified })
	l.newest[c.ID] = newest
	return nil
}

// ahead is by how much a reading may be dated later than one that is told after it.
const ahead = time.Hour

// last is when a reading of c's device last was what is tells, as of c.
func (l *CheckLog) last(c configs.Checked, is func(configs.Checked) bool) (at time.Time) {
	for _, r := range l.of[c.ID] {
		if is(r) && r.At.After(at) && !r.At.After(c.At.Add(ahead)) {
			at = r.At
		}
	}
	return at
}

// LastChecked is a device's newest reading.
func (l *CheckLog) LastChecked(ctx context.Context, id devices.ID) (configs.Checked, bool, error) {
	if err := l.check(ctx, "LastChecked"); err != nil {
		return configs.Checked{}, false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.newest[id]
	return c, ok, nil
}

// Newest is the newest reading of every device, by id.
func (l *CheckLog) Newest(ctx context.Context) iter.Seq2[configs.Checked, error] {
	return func(yield func(configs.Checked, error) bool) {
		if err := l.check(ctx, "Newest"); err != nil {
			yield(configs.Checked{}, err)
			return
		}
		l.mu.Lock()
		all := maps.Clone(l.newest)
		l.mu.Unlock()
		for _, id := range slices.Sorted(maps.Keys(all)) {
			if !yield(all[id], nil) {
				return
			}
		}
	}
}

// Rows are all readings, in the order they came.
func (l *CheckLog) Rows() []configs.Checked {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.rows)
}
