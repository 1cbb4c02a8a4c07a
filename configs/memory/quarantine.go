package memory

import (
	"context"
	"sync"

	"belay/configs"
	"belay/devices"
)

// A Quarantine holds refusals in memory. The zero value is ready.
type Quarantine struct {
	Faults

	mu   sync.Mutex
	held map[devices.ID]configs.Refusal
}

// Hold puts r in the place of what was held of its device.
func (q *Quarantine) Hold(ctx context.Context, r configs.Refusal) error {
	if err := q.check(ctx, "Hold"); err != nil {
		return err
	}
	if err := checkID(r.ID); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held == nil {
		q.held = map[devices.ID]configs.Refusal{}
	}
	r.Originals = cloneSealed(r.Originals)
	q.held[r.ID] = r
	return nil
}

// Held is what is held of a device.
func (q *Quarantine) Held(ctx context.Context, id devices.ID) (configs.Refusal, bool, error) {
	if err := q.check(ctx, "Held"); err != nil {
		return configs.Refusal{}, false, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	r, ok := q.held[id]
	r.Originals = cloneSealed(r.Originals)
	return r, ok, nil
}

// Release lets go of what is held; nothing held is no error.
func (q *Quarantine) Release(ctx context.Context, id devices.ID) error {
	if err := q.check(ctx, "Release"); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.held, id)
	return nil
}
