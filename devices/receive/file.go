package receive

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"belay/devices"
)

// A File is one that a device was asked to send, from the asking to its end.
type File struct {
	Name     string // 26 letters and digits: some devices take no more than 31
	User     string // by SFTP
	Password devices.Secret
	Port     int // where it is waited for

	by   Protocol
	from []netip.Addr
	r    *Receiver
	life *time.Timer
	most int64
	done chan struct{}

	// The receiver's lock is over these.
	begun, ended bool
	text         []byte
	sum          int64 // bytes written, those that were written twice counted twice
	fault        *Fault
	strangers    []netip.Addr

	closing sync.Once
}

// Done is closed when the file has come, or will not.
func (f *File) Done() <-chan struct{} { return f.done }

// Text is the file, once Done. A *Fault says why it is not there.
func (f *File) Text() ([]byte, error) {
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	if !f.ended {
		return nil, &Fault{Why: "the file is still to come", Strangers: f.strangers}
	}
	if f.fault != nil {
		return nil, f.fault
	}
	return f.text, nil
}

// Size is how many bytes have come, and whether any transfer has begun.
func (f *File) Size() (bytes int, begun bool) {
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	return len(f.text), f.begun
}

// Close stops expecting the file. What is still coming goes nowhere.
func (f *File) Close() {
	f.closing.Do(func() {
		f.life.Stop()
		f.end("it is no longer waited for")
		f.r.forget(f)
	})
}

func (f *File) comesFrom(a netip.Addr) bool { return slices.Contains(f.from, a) }

// expire ends a file that has not begun to come.
func (f *File) expire() {
	f.r.mu.Lock()
	begun := f.begun
	f.r.mu.Unlock()
	if !begun {
		f.end("nothing came in time")
	}
}

// end notes how it ended, "" for well, once.
func (f *File) end(why string) {
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	if f.ended {
		return
	}
	f.ended = true
	switch {
	case f.fault != nil: // too large
	case why != "":
		f.fault = &Fault{Why: why}
	case f.sum != int64(len(f.text)):
		f.fault = &Fault{Why: "the file came with holes in it"}
	}
	if f.fault != nil {
		f.fault.Strangers, f.text = f.strangers, nil
	}
	close(f.done)
}

// WriteAt takes a piece of the file.
func (f *File) WriteAt(p []byte, at int64) (int, error) {
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	end := at + int64(len(p))
	switch {
	case f.ended || f.fault != nil:
		return 0, errRefused
	case at < 0 || end < at || end > f.most:
		f.tooLarge()
		return 0, errRefused
	}
	if more := end - int64(len(f.text)); more > 0 {
		f.text = append(f.text, make([]byte, more)...)
	}
	f.sum += int64(len(p))
	return copy(f.text[at:], p), nil
}

// tooLarge wants the receiver's lock.
func (f *File) tooLarge() {
	f.r.count(TooLarge)
	f.fault = &Fault{Why: fmt.Sprintf("the file has more than %d bytes", f.most), TooLarge: true}
}

// Write takes the next piece of the file.
func (f *File) Write(p []byte) (int, error) {
	n, _ := f.Size()
	return f.WriteAt(p, int64(n))
}
