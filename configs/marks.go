package configs

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
)

// A Mark is something small that the service has to know again after a restart:
// which slot of the schedule a device was last captured for, how far a pass of
// the scrub has come, which alarm was told. Its value is JSON and never a secret.
type Mark struct {
	Key   string
	Value []byte
}

// Marks remember marks by kind and key. What a method has done is on disk.
type Marks interface {
	// Mark is the value of one mark, nil where there is none.
	Mark(ctx context.Context, kind, key string) ([]byte, error)
	// Marks are all marks of a kind, by key.
	Marks(ctx context.Context, kind string) iter.Seq2[Mark, error]
	// SetMarks writes marks of a kind, all or none of them. A nil value takes
	// the mark away.
	SetMarks(ctx context.Context, kind string, marks ...Mark) error
	// SwapMark writes one mark if its value is still old (nil: there is none),
	// and tells whether it was. So of several processes one does the work.
	SwapMark(ctx context.Context, kind, key string, old, value []byte) (bool, error)
}

// ReadMark is what one mark holds; ok is false where there is none.
func ReadMark[T any](ctx context.Context, m Marks, kind, key string) (value T, ok bool, err error) {
	text, err := m.Mark(ctx, kind, key)
	if err != nil || text == nil {
		return value, false, err
	}
	if err := json.Unmarshal(text, &value); err != nil {
		return value, true, fmt.Errorf("the mark %s of %s: %w", kind, key, err)
	}
	return value, true, nil
}

// WriteMark writes one mark.
func WriteMark[T any](ctx context.Context, m Marks, kind, key string, value T) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("the mark %s of %s: %w", kind, key, err)
	}
	return m.SetMarks(ctx, kind, Mark{Key: key, Value: text})
}
