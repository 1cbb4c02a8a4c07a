package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"belay/configs"
	"belay/devices"
)

// A Recheck is one attachment that was looked for again.
type Recheck struct {
	Letter  configs.Letter
	At      string  // Recheck goes on behind it; empty: there is more on the same item
	Through float64 // of all
	Problem string  // why it is no longer proven; empty: it hangs there as it did
}

// Recheck asks again for what was proven to hang on the items of a customer's
// devices, one list for each item, in an order that stands and from the item
// behind after on. What is gone or differs is not proven any more: the letter
// waits to be sent again, and the ledger tells. A file that differs is left where
// it is, for a person to look at. A system that does not answer is an error, of
// Kind devices.AttachmentPending: what hangs there is neither proven nor lost.
func (o *Office) Recheck(ctx context.Context, customer, after string) iter.Seq2[Recheck, error] {
	return func(yield func(Recheck, error) bool) {
		items, err := o.hanging(ctx, customer)
		if err != nil {
			yield(Recheck{}, err)
			return
		}
		deaf := map[string]error{} // systems that did not answer, which are not asked about more
		for i, it := range items {
			system := it.letters[0].To
			if it.key <= after || deaf[system] != nil {
				continue
			}
			checked, err := o.recheck(ctx, it)
			if err != nil {
				if ctx.Err() != nil {
					yield(Recheck{}, ctx.Err())
					return
				}
				deaf[system] = fmt.Errorf("%s: %w", o.title(it.letters[0]), err)
				continue
			}
			for k, r := range checked {
				if r.Through = float64(i+1) / float64(len(items)); k == len(checked)-1 && len(deaf) == 0 {
					r.At = it.key
				}
				if !yield(r, nil) {
					return
				}
			}
		}
		if len(deaf) > 0 {
			yield(Recheck{}, &devices.Error{Kind: devices.AttachmentPending, Op: "look for what is attached for", Device: customer, Err: errors.Join(slices.Collect(maps.Values(deaf))...)})
		}
	}
}

// A bough is what should hang on one item.
type bough struct {
	key     string
	letters []configs.Letter
}

// hanging are the items on which something of a customer's should hang, in
// systems that the settings still name.
func (o *Office) hanging(ctx context.Context, customer string) ([]bough, error) {
	at := map[string][]configs.Letter{}
	for l, err := range o.Outbox.Letters(ctx, configs.LetterFilter{Customer: customer, Hanging: true}) {
		if err != nil {
			return nil, err
		}
		if _, ok := o.place(l.Customer, l.To); ok && l.Item.ID != "" {
			key := strings.Join([]string{l.To, l.Item.Organization, l.Item.ID}, "\x00")
			at[key] = append(at[key], l)
		}
	}
	var all []bough
	for key, letters := range at {
		slices.SortFunc(letters, func(a, b configs.Letter) int { return cmp.Compare(a.ID, b.ID) })
		all = append(all, bough{key, letters})
	}
	slices.SortFunc(all, func(a, b bough) int { return cmp.Compare(a.key, b.key) })
	return all, nil
}

// recheck lists one item and compares all that should hang there.
func (o *Office) recheck(ctx context.Context, it bough) ([]Recheck, error) {
	first := it.letters[0]
	p, _ := o.place(first.Customer, first.To)
	d := o.dock(first.To)
	leave, err := enter(ctx, d.seats)
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := d.rests(o.Now()); err != nil {
		return nil, err
	}
	all, err := p.System.Attached(ctx, first.Item)
	err = overThere(err)
	d.outcome(o, err)
	if why := decline(err); why != nil && why.Why == configs.Gone {
		o.forget(ctx, p, first.Item)
		all, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	var checked []Recheck
	for _, l := range it.letters {
		problem, err := o.problem(ctx, p, l, all)
		if err == nil && problem != "" {
			problem, err = o.lost(ctx, l, problem)
		}
		if err != nil {
			return nil, err
		}
		checked = append(checked, Recheck{Letter: l, Problem: problem})
	}
	return checked, nil
}

// Hangs looks again whether an attachment hangs where it was proven, and changes
// nothing.
func (o *Office) Hangs(ctx context.Context, l configs.Letter) (bool, error) {
	p, ok := o.place(l.Customer, l.To)
	if !ok || l.Item.ID == "" || l.Proven.IsZero() {
		return false, nil
	}
	d := o.dock(l.To)
	leave, err := enter(ctx, d.seats)
	if err != nil {
		return false, err
	}
	defer leave()
	if err := d.rests(o.Now()); err != nil {
		return false, err
	}
	all, err := p.System.Attached(ctx, l.Item)
	if err != nil {
		return false, overThere(err)
	}
	problem, err := o.problem(ctx, p, l, all)
	return problem == "" && err == nil, err
}

// problem tells why an attachment is not the one that was proven.
func (o *Office) problem(ctx context.Context, p Place, l configs.Letter, all []configs.Attachment) (string, error) {
	other := false
	for _, a := range named(all, l.Name) {
		want := l
		if want.Attachment.Bytes < 0 { // it was not told then
			want.Attachment.Bytes = a.Bytes
		}
		good, err := o.compare(ctx, p, &want, l.Item, &a)
		if err != nil || good {
			return "", err
		}
		other = true
	}
	if other {
		return fmt.Sprintf("what hangs on %s as %s is not what was sent", l.Item, l.Name), nil
	}
	return fmt.Sprintf("it does not hang on %s any more", l.Item), nil
}

// lost takes back that a letter has arrived, so that it is sent again. One that
// was proven or taken down since it was read is as it should be.
func (o *Office) lost(ctx context.Context, was configs.Letter, problem string) (string, error) {
	l, ok, err := o.Outbox.Claim(ctx, was.ID, o.Now().Add(lease))
	if err != nil {
		return "", err
	}
	if !ok {
		return "", &resting{o.Now().Add(lease), errTaken} // tidied or sent in this moment
	}
	if !l.Proven.Equal(was.Proven) || !l.Removed.IsZero() {
		return "", o.release(ctx, &l)
	}
	e := o.unattached(l, l.Attachment, problem)
	l.Proven, l.Began, l.Attachment, l.Tries, l.Due = time.Time{}, time.Time{}, configs.Attachment{}, 0, o.Now()
	l.Error, l.Hint = short(errors.New(problem)), "it is sent again"
	return problem, o.release(ctx, &l, e)
}
