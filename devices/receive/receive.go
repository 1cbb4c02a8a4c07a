// Package receive takes the files that devices were asked to send, by TFTP and
// by SFTP, and nothing else. A file is taken once, under a name that nobody can
// guess, from the address of the device that was asked, within a minute, up to
// a size. Whatever comes unasked, and whoever wants to read, is refused and
// counted.
//
// It listens only while a file is expected: the first one expected opens the
// port and the last one closes it, so that between transfers there is nothing to
// attack, a command and the running service can take turns at one port, and
// captures at the same time share it.
//
// That a transfer ended says nothing of the text: whether it is whole, others
// decide.
package receive

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"belay/devices"
)

// A Protocol is how a device sends.
type Protocol string

const (
	TFTP Protocol = "tftp" // RFC 1350: in clear text, to port 69 with most devices
	SFTP Protocol = "sftp"
)

// A Receiver takes files from devices. Its fields are set before it is used;
// zero stands for what the comments say.
type Receiver struct {
	TFTP     string        // host:port to listen at; empty: files do not come this way
	SFTP     string        // the same
	HostKey  ssh.Signer    // of SFTP; nil: one is made, and is another one after a restart
	Life     time.Duration // a file must have begun to come after so long; 60 s
	Most     int64         // bytes of a file; 64 MB
	Pause    time.Duration // between two packets of a file, five times over; 3 s
	Patience time.Duration // for a port that is taken, perhaps by another of us; 10 s

	mu       sync.Mutex
	expected map[string]*File // by name
	refused  map[Refusal]int
	doors    map[Protocol]*door
	ending   sync.WaitGroup // what still runs behind a closed door
}

// A Refusal is why something was not taken.
type Refusal string

const (
	Unasked   Refusal = "unasked"   // no file of that name is expected
	Stranger  Refusal = "stranger"  // the name is right, but another device's address
	Twice     Refusal = "twice"     // it has come, or is coming
	Late      Refusal = "late"      // its time is over
	TooLarge  Refusal = "too large" // more than Most
	NotAWrite Refusal = "read"      // a reading, a listing, a renaming
)

// Refused counts what was refused since the Receiver was made.
func (r *Receiver) Refused() map[Refusal]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[Refusal]int{}
	for why, n := range r.refused {
		out[why] = n
	}
	return out
}

func (r *Receiver) count(why Refusal) {
	if r.refused == nil {
		r.refused = map[Refusal]int{}
	}
	r.refused[why]++
}

// Expect opens the door for one file from one of the addresses. The caller
// closes the File, whatever comes of it.
func (r *Receiver) Expect(ctx context.Context, by Protocol, from []netip.Addr) (*File, error) {
	f := &File{
		Name: strings.ToLower(rand.Text()), User: strings.ToLower(rand.Text()[:12]), Password: devices.NewSecret(rand.Text()),
		by: by, r: r, most: cmp.Or(r.Most, 64<<20), done: make(chan struct{}),
	}
	for _, a := range from {
		f.from = append(f.from, a.Unmap().WithZone(""))
	}
	d, err := r.enter(ctx, by)
	if err != nil {
		return nil, err
	}
	f.Port = d.port
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.expected == nil {
		r.expected = map[string]*File{}
	}
	r.expected[f.Name] = f
	f.life = time.AfterFunc(cmp.Or(r.Life, time.Minute), f.expire)
	return f, nil
}

// Close expects nothing any more, and returns when nothing runs. A transfer that
// hangs takes its last pauses.
func (r *Receiver) Close() {
	r.mu.Lock()
	left := slices.Collect(maps.Values(r.expected))
	r.mu.Unlock()
	for _, f := range left {
		f.Close()
	}
	r.ending.Wait()
}

// errRefused is all that who is refused is told.
var errRefused = errors.New("refused")

// begin gives the file that is expected under a name, or refuses and counts.
func (r *Receiver) begin(by Protocol, name string, from netip.Addr) (*File, error) {
	name = strings.TrimLeft(name, "./") // some devices write /name
	from = from.Unmap().WithZone("")
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.expected[name]
	refuse := func(why Refusal) (*File, error) {
		r.count(why)
		return nil, errRefused
	}
	switch {
	case f == nil || f.by != by:
		return refuse(Unasked)
	case !f.comesFrom(from):
		if len(f.strangers) < 8 {
			f.strangers = append(f.strangers, from)
		}
		return refuse(Stranger)
	case f.begun:
		return refuse(Twice)
	case f.ended:
		return refuse(Late)
	}
	f.begun = true
	return f, nil
}

// forget takes a file off the list; its name is free for nobody else.
func (r *Receiver) forget(f *File) {
	r.mu.Lock()
	delete(r.expected, f.Name)
	r.mu.Unlock()
	r.leave(f.by)
}

// A Fault is why a file that was expected is not there.
type Fault struct {
	Why       string
	Strangers []netip.Addr // who wanted to send it and is not the device
	TooLarge  bool
}

func (e *Fault) Error() string {
	if len(e.Strangers) == 0 {
		return e.Why
	}
	return fmt.Sprintf("%s; a file of the right name from %s was refused", e.Why, e.Strangers[0])
}
