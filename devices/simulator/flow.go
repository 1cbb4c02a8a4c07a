package simulator

import (
	"io"
	"sync"
)

// A flow is one direction of a connection in memory. One Write is one Read, or
// several where the reader's buffer is small, and never part of a later one.
type flow struct {
	mu    sync.Mutex
	moved sync.Cond
	queue [][]byte
	err   error // set when it has ended: what the reader gets after the queue
}

// flowLimit is how many segments wait unread before the writer has to.
const flowLimit = 256

func newFlow() *flow {
	f := &flow{}
	f.moved.L = &f.mu
	return f
}

func (f *flow) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.queue) >= flowLimit && f.err == nil {
		f.moved.Wait()
	}
	if f.err != nil {
		return 0, io.ErrClosedPipe
	}
	f.queue = append(f.queue, append([]byte(nil), p...))
	f.moved.Broadcast()
	return len(p), nil
}

func (f *flow) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.queue) == 0 && f.err == nil {
		f.moved.Wait()
	}
	if len(f.queue) == 0 {
		return 0, f.err
	}
	n := copy(p, f.queue[0])
	if n < len(f.queue[0]) {
		f.queue[0] = f.queue[0][n:]
	} else {
		f.queue[0] = nil
		f.queue = f.queue[1:]
	}
	f.moved.Broadcast()
	return n, nil
}

// end lets the reader have what is there, then err. The first end counts.
func (f *flow) end(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
	f.moved.Broadcast()
}

// fail gives the reader err at once.
func (f *flow) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue, f.err = nil, err
	f.moved.Broadcast()
}
