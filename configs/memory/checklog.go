package memory

import (
	"context"
	"slices"
	"sync"

	"belay/configs"
	"belay/devices"
)

// A CheckLog remembers readings in memory. The zero value is ready.
type CheckLog struct {
	Faults

	mu     sync.Mutex
	newest map[devices.ID]configs.Checked
	rows   []configs.Checked
}

// Checked remembers one reading.
func (l *CheckLog) Checked(ctx context.Context, c configs.Checked) error {
	if err := l.check(ctx, "Checked"); err != nil {
		return err
	}
	if err := checkID(c.ID); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows = append(l.rows, c)
	if last, ok := l.newest[c.ID]; ok && c.At.Before(last.At) {
		return nil
	}
	if l.newest == nil {
		l.newest = map[devices.ID]configs.Checked{}
	}
	l.newest[c.ID] = c
	return nil
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

// Rows are all readings, in the order they came.
func (l *CheckLog) Rows() []configs.Checked {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.rows)
}
