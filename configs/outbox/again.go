package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"belay/configs"
	"belay/devices"
)

// How long a letter waits for its next try.
const (
	soon    = 30 * time.Second // doubled with each try
	later   = 15 * time.Minute // the most of that, and where the key was refused
	someday = 6 * time.Hour    // where nothing helps but a person
	asked   = time.Hour        // the most that a system's own wish is heeded; it may wish again then
)

// A remote error came from the system, not from here.
type remote struct{ error }

func (r *remote) Unwrap() error { return r.error }

func overThere(err error) error {
	if err == nil {
		return nil
	}
	return &remote{err}
}

// A lasting error stays until a person does something about it.
type lasting struct{ error }

func (l *lasting) Unwrap() error { return l.error }

func stay(err error) error { return &lasting{err} }

// A settling letter was sent and is not there yet.
type settling struct{ until time.Time }

func (s *settling) Error() string {
	return "it was sent, without a clear answer, and is not there yet; it is not sent again before " + s.until.UTC().Format(time.RFC3339)
}

// errTaken says that somebody else is delivering the letter at this moment.
var errTaken = errors.New("another process has it in hand")

// A resting system has failed several times in a row.
type resting struct {
	until time.Time
	err   error
}

func (r *resting) Error() string {
	return fmt.Sprintf("not asked before %s: %v", r.until.UTC().Format(time.RFC3339), r.err)
}

func (r *resting) Unwrap() error { return r.err }

// decline is the system's refusal in err, nil where it did not refuse.
func decline(err error) *configs.Declined {
	if _, ok := errors.AsType[*remote](err); !ok {
		return nil
	}
	d, _ := errors.AsType[*configs.Declined](err)
	return d
}

// wait tells how long a letter rests after its tries have ended in err.
func (o *Office) wait(err error, tries int) time.Duration {
	if _, ok := errors.AsType[*lasting](err); ok {
		return someday
	}
	if s, ok := errors.AsType[*settling](err); ok {
		return min(o.doubled(tries), max(s.until.Sub(o.Now()), time.Second))
	}
	switch d := decline(err); {
	case d == nil:
		return o.doubled(tries)
	case d.Why == configs.Unauthorized:
		return max(later, min(d.After, asked))
	case d.Why == configs.Busy && d.After > 0:
		after := min(d.After, asked)
		return after + o.jitter(after)
	case d.Why == configs.Busy:
		return o.doubled(tries)
	}
	return someday // gone, too large, invalid: the same try ends the same way
}

func (o *Office) doubled(tries int) time.Duration {
	d := min(later, soon<<min(max(tries-1, 0), 10))
	return d + o.jitter(d)
}

// jitter is up to a quarter of d.
func (o *Office) jitter(d time.Duration) time.Duration {
	if o.Jitter == nil {
		return 0
	}
	return time.Duration(float64(d) / 4 * o.Jitter())
}

// passing tells whether err may be over in a moment, for somebody who waits.
func passing(err error) bool {
	if _, ok := errors.AsType[*lasting](err); ok {
		return false
	}
	if _, ok := errors.AsType[*settling](err); ok || errors.Is(err, errTaken) {
		return true
	}
	if _, ok := errors.AsType[*resting](err); ok {
		return true
	}
	if d := decline(err); d != nil {
		return d.Why == configs.Busy
	}
	_, ok := errors.AsType[*remote](err)
	return ok
}

// outcome remembers how a system did: several failures in a row and it is left
// alone for a while, whoever asks.
func (d *dock) outcome(o *Office, err error) {
	why := decline(err)
	_, there := errors.AsType[*remote](err)
	_, unasked := errors.AsType[*resting](err)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err != nil && !there, unasked, errors.Is(err, context.Canceled):
		return // it was not asked, or not heard
	case err == nil, why != nil && why.Why != configs.Busy && why.Why != configs.Unauthorized:
		d.failures, d.rest, d.why = 0, time.Time{}, nil
		return
	}
	if d.failures++; d.failures >= bearable {
		d.rest, d.why = o.Now().Add(o.wait(err, d.failures-bearable+1)), err
	}
}

// rests tells why the system is left alone at this moment.
func (d *dock) rests(now time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now.Before(d.rest) {
		return &resting{d.rest, d.why}
	}
	return nil
}

// wake forgets how the system did and what was seen there.
func (d *dock) wake(ctx context.Context) error {
	leave, err := enter(ctx, d.look)
	if err != nil {
		return err
	}
	defer leave()
	clear(d.items)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failures, d.rest, d.why = 0, time.Time{}, nil
	return nil
}

// pending is what a person reads of a letter that has not arrived.
func pending(system string, l configs.Letter, err error) error {
	if _, there := errors.AsType[*remote](err); !there && devices.KindOf(err) == devices.Damaged {
		return err // here, not over there
	}
	op := "deliver to " + system
	if l.Device != "" {
		op += " for"
	}
	return &devices.Error{Kind: devices.AttachmentPending, Op: op, Device: string(l.Device), Err: err, Hint: hint(err)}
}

// hint is the next thing to do about err.
func hint(err error) string {
	if h := devices.HintOf(err); h != "" {
		return h
	}
	if d := decline(err); d != nil {
		switch d.Why {
		case configs.Unauthorized:
			return "the key was refused: put a valid one in place, then belay docs queue --send"
		case configs.Gone:
			return "belay docs match shows which item each device has"
		case configs.TooLarge:
			return "attach it by hand, or attach another form"
		}
	}
	return "nothing is lost: belay docs queue shows what waits and when it is tried again"
}
