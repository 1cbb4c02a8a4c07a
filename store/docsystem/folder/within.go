package folder

import (
	"context"
	"errors"
	"fmt"
	"time"

	"belay/configs"
)

const (
	// patience is for one operation: listing reads every file, maybe over a slow line.
	patience = 2 * time.Minute

	// Each operation that hangs keeps a thread of this process.
	tooMany = 4
)

// within runs body beside its caller, who leaves with ctx or after f.limit: what
// a share whose server is gone was asked does not return, and nothing breaks it
// off. Its result is nobody's then. It may be done all the same, as when the
// server comes back, so that error is no refusal. Body's own context tells it
// that the caller has left; it must not hold on to what is still the caller's.
func within[T any](ctx context.Context, f *Folder, a act, body func(context.Context) (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, a.failed(f.path, err)
	}
	if f.hang.Load() >= tooMany {
		return none, a.declined(configs.Busy, fmt.Errorf("%d operations before it hang", tooMany), "see whether the share that "+f.path+" is in can be reached")
	}
	limit, cancel := context.WithTimeout(ctx, f.limit)
	defer cancel()
	type result struct {
		value T
		err   error
	}
	ended, left := make(chan result), make(chan struct{})
	go func() {
		value, err := body(limit)
		select {
		case ended <- result{value, err}:
		case <-left:
			f.hang.Add(-1)
		}
	}()
	select {
	case r := <-ended:
		return r.value, r.err
	case <-limit.Done():
	}
	f.hang.Add(1)
	close(left)
	err := ctx.Err()
	if err == nil {
		err = errors.New("no answer in " + f.limit.String())
	}
	return none, a.failed(f.path, err)
}
