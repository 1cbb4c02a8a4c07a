package memory

import (
	"bytes"
	"context"
	"iter"
	"maps"
	"slices"
	"sync"

	"belay/configs"
)

// Marks remembers marks in memory. The zero value is ready.
type Marks struct {
	Faults

	mu    sync.Mutex
	kinds map[string]map[string][]byte
}

// Mark is the value of one mark.
func (m *Marks) Mark(ctx context.Context, kind, key string) ([]byte, error) {
	if err := m.check(ctx, "Mark"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.kinds[kind][key]), nil
}

// Marks are all marks of a kind, by key.
func (m *Marks) Marks(ctx context.Context, kind string) iter.Seq2[configs.Mark, error] {
	return func(yield func(configs.Mark, error) bool) {
		if err := m.check(ctx, "Marks"); err != nil {
			yield(configs.Mark{}, err)
			return
		}
		m.mu.Lock()
		all := maps.Clone(m.kinds[kind])
		m.mu.Unlock()
		for _, key := range slices.Sorted(maps.Keys(all)) {
			if !yield(configs.Mark{Key: key, Value: bytes.Clone(all[key])}, nil) {
				return
			}
		}
	}
}

// SetMarks writes marks; a nil value takes one away.
func (m *Marks) SetMarks(ctx context.Context, kind string, marks ...configs.Mark) error {
	if err := m.check(ctx, "SetMarks"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range marks {
		m.set(kind, k.Key, k.Value)
	}
	return nil
}

// SwapMark writes a mark that still has the old value.
func (m *Marks) SwapMark(ctx context.Context, kind, key string, old, value []byte) (bool, error) {
	if err := m.check(ctx, "SwapMark"); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now, there := m.kinds[kind][key]
	if there != (old != nil) || !bytes.Equal(now, old) {
		return false, nil
	}
	m.set(kind, key, value)
	return true, nil
}

func (m *Marks) set(kind, key string, value []byte) {
	if value == nil {
		delete(m.kinds[kind], key)
		return
	}
	if m.kinds == nil {
		m.kinds = map[string]map[string][]byte{}
	}
	if m.kinds[kind] == nil {
		m.kinds[kind] = map[string][]byte{}
	}
	m.kinds[kind][key] = bytes.Clone(value)
}
