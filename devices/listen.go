package devices

import (
	"context"
	"errors"
	"syscall"
	"time"
)

// Listen opens an address, and tries again for a second where it is taken
// (syscall.EADDRINUSE). It may have been ours until just now: a child process that is
// being started holds what its parent closes until it executes its program. The error
// is that of the last try, also where ctx ends before.
func Listen[T any](ctx context.Context, open func() (T, error)) (T, error) {
	for tries := 1; ; tries++ {
		l, err := open()
		if !errors.Is(err, syscall.EADDRINUSE) || tries == listenTries {
			return l, err
		}
		select {
		case <-ctx.Done():
			return l, err
		case <-time.After(listenPause):
		}
	}
}

// A second in all.
const (
	listenTries = 50
	listenPause = 20 * time.Millisecond
)
