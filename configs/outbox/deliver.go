package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"belay/configs"
)

// deliver takes a letter in hand, brings it and writes down what came of it. ok
// is false where somebody else has it in hand. One that is proven already is
// returned as it stands.
func (o *Office) deliver(ctx context.Context, id int64, wanted func(configs.Letter) bool) (l configs.Letter, ok bool, err error) {
	l, ok, err = o.Outbox.Claim(ctx, id, o.Now().Add(lease))
	if err != nil || !ok {
		return l, false, err
	}
	if !l.Proven.IsZero() && l.Removed.IsZero() || !wanted(l) {
		return l, true, o.release(ctx, &l)
	}
	if !l.Removed.IsZero() { // it was taken down, and is wanted again
		l.Proven, l.Removed, l.Began, l.Attachment = time.Time{}, time.Time{}, time.Time{}, configs.Attachment{}
	}
	l.Tries++
	d := o.dock(l.To)
	var all []configs.Attachment
	err = o.inHand(ctx, &l, func(ctx context.Context) (err error) { all, err = o.bring(ctx, d, &l); return err })
	d.outcome(o, err)
	if err == nil && !l.Urgent { // who waits for an urgent one need not wait for this
		o.tidy(ctx, d, l, all)
	}
	if err == nil || errors.Is(err, configs.ErrLeaseLost) {
		return l, true, err
	}
	if _, ok := errors.AsType[*resting](err); ok || ctx.Err() != nil {
		l.Tries-- // it was not tried, or not to the end
	} else {
		l.Due = o.Now().Add(o.wait(err, l.Tries))
	}
	l.Error, l.Hint = short(err), hint(err)
	return l, true, errors.Join(err, o.release(ctx, &l))
}

// release lets a letter go, with what has become of it, also where nobody waits
// for that any more.
func (o *Office) release(ctx context.Context, l *configs.Letter, events ...configs.Event) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
	defer cancel()
	l.Lease = ""
	return o.Outbox.Save(ctx, *l, events...)
}

// inHand renews the lease of l while f runs, and ends f where it is lost: by
// then somebody else may be sending the letter.
func (o *Office) inHand(ctx context.Context, l *configs.Letter, f func(context.Context) error) error {
	ctx, lose := context.WithCancelCause(ctx)
	held, done := *l, make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(lease / 4)
		defer tick.Stop()
		end := o.Now().Add(lease)
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			until := o.Now().Add(lease)
			err := o.Outbox.Renew(ctx, held, until)
			switch {
			case err == nil:
				end = until
			case errors.Is(err, configs.ErrLeaseLost), !o.Now().Before(end):
				lose(fmt.Errorf("%w: %w", configs.ErrLeaseLost, err))
			}
		}
	}()
	err := f(ctx)
	cause := context.Cause(ctx)
	lose(nil)
	<-done
	if err != nil && errors.Is(cause, configs.ErrLeaseLost) {
		return cause
	}
	return err
}

// bring delivers a letter in hand to whichever system it is for, and returns
// what hangs on its item then.
func (o *Office) bring(ctx context.Context, d *dock, l *configs.Letter) ([]configs.Attachment, error) {
	leave, err := enter(ctx, d.seats)
	if err != nil {
		return nil, err
	}
	defer leave()
	if o.Patience == 0 { // who waits asks again, at growing distance
		if err := d.rests(o.Now()); err != nil {
			return nil, err
		}
	}
	if p, ok := o.place(l.Customer, l.To); ok {
		return o.hang(ctx, p, l)
	}
	if o.Tickets != nil && l.Form == configs.Receipt {
		if t, ok := o.Tickets(l.To); ok {
			return nil, o.post(ctx, t, l)
		}
	}
	return nil, stay(fmt.Errorf("%s has no system called %s in the settings", l.Customer, l.To))
}

// hang brings a letter to a documentation system: once, and proven.
func (o *Office) hang(ctx context.Context, p Place, l *configs.Letter) ([]configs.Attachment, error) {
	v, stands, err := o.version(ctx, *l)
	if err != nil {
		return nil, err
	}
	item, err := o.item(ctx, p, *l, v, stands)
	if err != nil {
		return nil, err
	}
	if !l.Began.IsZero() && (item.ID != l.Item.ID || item.Organization != l.Item.Organization) {
		l.Began = time.Time{} // where it was sent to is gone, and the device has another item by now
	}
	if now := o.Now(); l.Began.After(now) {
		l.Began = now // the clock was set back since: it was sent by now
	}
	if !l.Began.IsZero() {
		// It may be there: sent once more it would hang there twice.
		if all, err := o.prove(ctx, p, l, item, ""); all != nil || err != nil {
			return all, err
		}
		if until := l.Began.Add(o.settle()); o.Now().Before(until) {
			return nil, &settling{until}
		}
	}
	f, err := o.file(ctx, *l, v)
	if err != nil {
		return nil, err
	}
	before := l.Began
	l.Item, l.Began, l.Digest, l.Second = item, o.Now(), configs.Digest(f.Bytes), p.second()
	l.Attachment = configs.Attachment{Name: l.Name, Bytes: len(f.Bytes)} // what to look for
	if err := o.Outbox.Save(ctx, *l); err != nil {
		l.Began = before
		return nil, err
	}
	told, err := p.System.Attach(ctx, item, f)
	if err != nil {
		err = overThere(err)
		l.Began = o.Now() // until now it may have been under way
		if d := decline(err); d != nil {
			l.Began = before
			if d.Why == configs.Gone {
				o.forget(ctx, p, item)
			}
		}
		return nil, err
	}
	all, err := o.prove(ctx, p, l, item, told.ID)
	if err == nil && all == nil {
		err = overThere(fmt.Errorf("it was taken as attachment %s, but is not listed", told.ID))
	}
	return all, err
}

// post brings a receipt to its ticket. There is no list to look at: what a
// ticket system cannot tell is left to the note's key.
func (o *Office) post(ctx context.Context, t configs.TicketSystem, l *configs.Letter) error {
	if o.Note == nil {
		return stay(fmt.Errorf("nobody writes notes for %s", t.Name()))
	}
	n, err := o.Note(ctx, *l)
	if err != nil {
		return err
	}
	before := l.Began
	l.Began, l.Digest = o.Now(), l.Version
	if err := o.Outbox.Save(ctx, *l); err != nil {
		l.Began = before
		return err
	}
	id, err := t.Post(ctx, n)
	if err != nil {
		err = overThere(err)
		if decline(err) != nil {
			l.Began = before
		}
		return err
	}
	arrived := *l
	arrived.Attachment = configs.Attachment{ID: id, Name: l.Name, Bytes: -1}
	return o.proven(ctx, l, arrived, o.posted(arrived))
}

// proven writes down that a letter has arrived, with the events that tell of it,
// and lets it go.
func (o *Office) proven(ctx context.Context, l *configs.Letter, arrived configs.Letter, events ...configs.Event) error {
	arrived.Proven, arrived.Began, arrived.Error, arrived.Hint = o.Now(), time.Time{}, "", ""
	if err := o.release(ctx, &arrived, events...); err != nil {
		return err // nothing says that it has arrived but what is on disk
	}
	*l = arrived
	return nil
}

// short is an error as a letter keeps it.
func short(err error) string {
	const most = 500
	s := strings.ReplaceAll(err.Error(), context.Canceled.Error(), "interrupted")
	if len(s) > most {
		return s[:most] + " …"
	}
	return s
}
