package outbox

import (
	"cmp"
	"context"
	"slices"
	"time"

	"belay/configs"
)

// tidy takes down what is not needed any more now that a letter has arrived:
// what landed twice, and what is older than the newest that stay. It touches
// nothing that the outbox has not recorded on this very item. What fails is left
// for the next letter.
func (o *Office) tidy(ctx context.Context, d *dock, l configs.Letter, all []configs.Attachment) {
	p, ok := o.place(l.Customer, l.To)
	if !ok {
		return // a ticket
	}
	remover, ok := p.System.(configs.AttachmentRemover)
	if !ok || p.Keep <= 0 && !repeated(all) {
		return
	}
	leave, err := enter(ctx, d.seats)
	if err != nil {
		return
	}
	defer leave()
	var mine []configs.Letter // on this item, the oldest first
	for h, err := range o.Outbox.Letters(ctx, configs.LetterFilter{To: l.To, Device: l.Device, Hanging: true}) {
		if err != nil {
			o.log("tidy %s in %s: %v", l.Item, p.System.Name(), err)
			return
		}
		if h.Item.ID == l.Item.ID && h.Item.Organization == l.Item.Organization {
			mine = append(mine, h)
		}
	}
	slices.SortFunc(mine, func(a, b configs.Letter) int { return cmp.Compare(a.ID, b.ID) }) // clocks are set back
	for _, h := range mine {
		o.single(ctx, remover, h, all)
	}
	for _, h := range beyond(mine, p.Keep) {
		if h.ID != l.ID { // somebody has just asked for it
			o.retire(ctx, remover, h, all)
		}
	}
}

func repeated(all []configs.Attachment) bool {
	seen := map[string]bool{}
	return slices.ContainsFunc(all, func(a configs.Attachment) bool {
		was := seen[a.Name]
		seen[a.Name] = true
		return was
	})
}

// single takes down what hangs there under the name of a letter beside the one
// that was proven. A letter that was tried once cannot have landed twice: another
// file of its name is a person's.
func (o *Office) single(ctx context.Context, remover configs.AttachmentRemover, h configs.Letter, all []configs.Attachment) {
	twins := named(all, h.Name)
	if h.Tries < 2 || len(twins) < 2 || !slices.ContainsFunc(twins, func(a configs.Attachment) bool { return a.ID == h.Attachment.ID }) {
		return
	}
	for _, a := range twins {
		if a.ID == h.Attachment.ID {
			continue
		}
		o.down(ctx, h.ID, func(l *configs.Letter) (configs.Event, error) {
			return o.unattached(*l, a, "it landed twice"), remover.RemoveAttachment(ctx, l.Item, a)
		})
	}
}

// beyond are the letters of the versions that are older than the newest ones
// that stay. Those of a change and receipts do not count and always stay.
func beyond(mine []configs.Letter, keep int) []configs.Letter {
	if keep <= 0 {
		return nil
	}
	var plain []configs.Letter
	stays := map[string]bool{}
	for _, h := range mine {
		if h.Change == "" && h.Form != configs.Receipt {
			plain = append(plain, h)
		}
	}
	for _, h := range slices.Backward(plain) {
		if len(stays) < keep {
			stays[h.Version] = true
		}
	}
	return slices.DeleteFunc(plain, func(h configs.Letter) bool { return stays[h.Version] })
}

// retire takes one letter's attachment down, if it is still the one that was
// recorded: one that a person has renamed since is the person's.
func (o *Office) retire(ctx context.Context, remover configs.AttachmentRemover, h configs.Letter, all []configs.Attachment) {
	i := slices.IndexFunc(all, func(a configs.Attachment) bool { return a.ID == h.Attachment.ID })
	if i >= 0 && all[i].Name != h.Name {
		return
	}
	o.down(ctx, h.ID, func(l *configs.Letter) (configs.Event, error) {
		why, err := "it was gone", error(nil)
		if i >= 0 {
			why, err = "newer ones hang there", remover.RemoveAttachment(ctx, l.Item, l.Attachment)
		}
		l.Removed = o.Now()
		return o.unattached(*l, l.Attachment, why), err
	})
}

// down removes something of a letter that hangs, with the letter in hand, and
// records it.
func (o *Office) down(ctx context.Context, id int64, remove func(l *configs.Letter) (configs.Event, error)) {
	l, ok, err := o.Outbox.Claim(ctx, id, o.Now().Add(lease))
	if err != nil || !ok {
		return // whoever has it in hand leaves it to the next letter
	}
	if l.Proven.IsZero() || !l.Removed.IsZero() {
		err = o.release(ctx, &l)
	} else {
		stands := l
		var e configs.Event
		err = o.inHand(ctx, &stands, func(ctx context.Context) (err error) { e, err = remove(&l); return err })
		if err == nil {
			err = o.release(ctx, &l, e)
		} else {
			o.log("%v; it is tried again with the next attachment", err)
			err = o.release(ctx, &stands)
		}
	}
	if err != nil {
		o.log("%s: %v", l.Name, err)
	}
}

// Retry makes the waiting letters that f chooses due at once: when a person has
// matched an item, or put a new key in place. It tells how many they are.
func (o *Office) Retry(ctx context.Context, f configs.LetterFilter) (int, error) {
	f.Waiting, f.DueBy = true, time.Time{}
	n := 0
	for l, err := range o.Outbox.Letters(ctx, f) {
		if err != nil {
			return n, err
		}
		if err := o.dock(l.To).wake(ctx); err != nil {
			return n, err
		}
		if n++; !l.Due.After(o.Now()) {
			continue
		}
		l, ok, err := o.Outbox.Claim(ctx, l.ID, o.Now().Add(lease))
		if err != nil {
			return n, err
		}
		if ok {
			l.Due = o.Now()
			if err := o.release(ctx, &l); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}
