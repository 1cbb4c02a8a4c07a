package memory

import (
	"context"
	"slices"
	"sync"

	"belay/configs"
)

// Alarms remembers what was raised and not cleared. The zero value is ready.
type Alarms struct {
	Faults

	mu     sync.Mutex
	raised []configs.Alarm
}

// Raise remembers an alarm whose cause is new.
func (a *Alarms) Raise(ctx context.Context, alarm configs.Alarm) error {
	if err := a.check(ctx, "Raise"); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.ContainsFunc(a.raised, func(r configs.Alarm) bool { return r.Name() == alarm.Name() }) {
		a.raised = append(a.raised, alarm)
	}
	return nil
}

// Clear forgets an alarm.
func (a *Alarms) Clear(ctx context.Context, alarm configs.Alarm) error {
	if err := a.check(ctx, "Clear"); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.raised = slices.DeleteFunc(a.raised, func(r configs.Alarm) bool { return r.Name() == alarm.Name() })
	return nil
}

// Raised are the alarms that stand, in the order they came.
func (a *Alarms) Raised() []configs.Alarm {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.raised)
}
