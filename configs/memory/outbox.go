package memory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"sync"
	"time"

	"belay/configs"
	"belay/devices"
)

// An Outbox remembers letters in memory. The zero value is ready.
type Outbox struct {
	Faults
	Ledger *Ledger          // is told the events of Save; nil: nobody is
	Now    func() time.Time // by which leases end; nil: they never do

	mu      sync.Mutex
	letters []posted // a letter's ID is its place, from 1
	ids     map[key]int64
	leases  int
}

// posted is a letter with the end of its lease.
type posted struct {
	configs.Letter
	until time.Time
}

// A key is what no two letters share. Where there is a device, the customer
// follows from it.
type key struct {
	customer, to string
	device       devices.ID
	version      string
	file         string
	form         configs.Form
}

func keyOf(l configs.Letter) key {
	return key{l.Customer, l.To, l.Device, l.Version, l.File, l.Form}
}

// Put adds letters, or returns those that stand.
func (o *Outbox) Put(ctx context.Context, letters ...configs.Letter) ([]configs.Letter, error) {
	if err := o.check(ctx, "Put"); err != nil {
		return nil, err
	}
	fresh := slices.Clone(letters)
	for i := range fresh {
		if err := address(&fresh[i]); err != nil {
			return nil, fmt.Errorf("put a letter in the outbox: %w", err)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ids == nil {
		o.ids = map[key]int64{}
	}
	stand := make([]configs.Letter, 0, len(fresh))
	for _, f := range fresh {
		id, stands := o.ids[keyOf(f)]
		if !stands {
			id = int64(len(o.letters)) + 1
			o.ids[keyOf(f)] = id
			// What becomes of it is Save's alone: a letter that was copied from a
			// proven one is not proven.
			o.letters = append(o.letters, posted{Letter: configs.Letter{
				ID: id, To: f.To, Customer: f.Customer, Device: f.Device, Version: f.Version, File: f.File, Form: f.Form,
				Name: f.Name, Change: f.Change, Phase: f.Phase, Ticket: f.Ticket, Urgent: f.Urgent, By: f.By, Put: f.Put, Due: f.Due, Second: f.Second,
			}})
		}
		p := &o.letters[id-1]
		p.Urgent = p.Urgent || f.Urgent
		if p.Change == "" && f.Change != "" {
			p.Change, p.Phase, p.Ticket = f.Change, f.Phase, f.Ticket
		}
		stand = append(stand, o.seen(*p))
	}
	return stand, nil
}

// address refuses a letter that says not enough, and names its customer.
func address(l *configs.Letter) error {
	if l.Device != "" {
		if err := checkID(l.Device); err != nil {
			return err
		}
		if l.Customer == "" {
			l.Customer = l.Device.Customer()
		}
		if l.Customer != l.Device.Customer() {
			return fmt.Errorf("device %s is not customer %s's", l.Device, l.Customer)
		}
	}
	if err := devices.CheckName(l.Customer); err != nil {
		return err
	}
	if l.To == "" || l.Version == "" || l.File == "" || l.Form == "" {
		return errors.New("a letter needs to say what goes where: system, version, file and form")
	}
	return nil
}

// Claim takes a letter in hand.
func (o *Outbox) Claim(ctx context.Context, id int64, until time.Time) (configs.Letter, bool, error) {
	if err := o.check(ctx, "Claim"); err != nil {
		return configs.Letter{}, false, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if id < 1 || id > int64(len(o.letters)) || o.inHand(o.letters[id-1]) {
		return configs.Letter{}, false, nil
	}
	o.leases++
	p := &o.letters[id-1]
	p.Lease, p.until = "lease "+strconv.Itoa(o.leases), until
	l := o.seen(*p)
	l.Lease, l.Claim = p.Lease, p.Lease
	return l, true, nil
}

// Renew keeps a letter in hand for longer.
func (o *Outbox) Renew(ctx context.Context, l configs.Letter, until time.Time) error {
	if err := o.check(ctx, "Renew"); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	p, err := o.mine(l)
	if err != nil {
		return err
	}
	p.until = until
	return nil
}

// Save writes what has become of a letter in hand, and tells the events.
func (o *Outbox) Save(ctx context.Context, l configs.Letter, events ...configs.Event) error {
	if err := o.check(ctx, "Save"); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	p, err := o.mine(l)
	if err != nil {
		return err
	}
	if o.Ledger != nil {
		if err := o.Ledger.appendAll(ctx, events); err != nil {
			return err
		}
	}
	l = cloneLetter(l)
	p.Name, p.Due, p.Tries, p.Began, p.Error, p.Hint = l.Name, l.Due, l.Tries, l.Began, l.Error, l.Hint
	p.Proven, p.Second, p.Item, p.Attachment, p.Digest, p.Removed = l.Proven, l.Second, l.Item, l.Attachment, l.Digest, l.Removed
	if l.Lease == "" {
		p.Lease, p.until = "", time.Time{}
	}
	return nil
}

// mine is the letter as it stands, if l's claim to it still holds.
func (o *Outbox) mine(l configs.Letter) (*posted, error) {
	if l.ID < 1 || l.ID > int64(len(o.letters)) || l.Claim == "" || o.letters[l.ID-1].Lease != l.Claim || !o.lasts(o.letters[l.ID-1]) {
		return nil, fmt.Errorf("letter %d: %w", l.ID, configs.ErrLeaseLost)
	}
	return &o.letters[l.ID-1], nil
}

func (o *Outbox) inHand(p posted) bool {
	return o.lasts(p) && (o.Now == nil || !p.until.After(o.Now().Add(configs.FarAhead)))
}

// lasts tells that the lease of whoever has p in hand has not ended.
func (o *Outbox) lasts(p posted) bool {
	return p.Lease != "" && (o.Now == nil || p.until.After(o.Now()))
}

// seen is a letter as those see it who do not have it in hand.
func (o *Outbox) seen(p posted) configs.Letter {
	l := cloneLetter(p.Letter)
	if !o.inHand(p) {
		l.Lease = ""
	}
	return l
}

// Letters are those that f chooses, as they are when the reading begins.
func (o *Outbox) Letters(ctx context.Context, f configs.LetterFilter) iter.Seq2[configs.Letter, error] {
	return func(yield func(configs.Letter, error) bool) {
		if err := o.check(ctx, "Letters"); err != nil {
			yield(configs.Letter{}, err)
			return
		}
		var chosen []configs.Letter
		o.mu.Lock()
		for _, p := range o.letters {
			if l := o.seen(p); chooses(f, l) {
				chosen = append(chosen, l)
			}
		}
		o.mu.Unlock()
		slices.SortFunc(chosen, func(a, b configs.Letter) int {
			if a.Urgent != b.Urgent {
				if a.Urgent {
					return -1
				}
				return 1
			}
			return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.ID, b.ID))
		})
		for _, l := range chosen {
			if !yield(l, nil) {
				return
			}
		}
	}
}

func chooses(f configs.LetterFilter, l configs.Letter) bool {
	waiting := l.Proven.IsZero()
	return (f.To == "" || l.To == f.To) && (f.Customer == "" || l.Customer == f.Customer) && (f.Device == "" || l.Device == f.Device) &&
		(f.Version == "" || l.Version == f.Version) && (f.Change == "" || l.Change == f.Change) &&
		(!f.Waiting || waiting) &&
		(f.DueBy.IsZero() || waiting && l.IsDue(f.DueBy) && l.Lease == "") &&
		(!f.Hanging || !waiting && l.Removed.IsZero())
}

func cloneLetter(l configs.Letter) configs.Letter {
	l.Item = cloneItem(l.Item)
	l.Claim = ""
	return l
}
