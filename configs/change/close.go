package change

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"belay/configs"
	"belay/devices"
)

// A Lack is one thing that a change cannot be closed without.
type Lack struct {
	Kind devices.Kind // GateShut, or AttachmentPending where waiting helps
	What string
	Next string

	Receipt bool // it is the receipt
}

// Lacks is what the change cannot be closed without, in the order in which it
// must be done. receipt is the digest of the receipt of what is recorded now;
// empty: any that was posted since.
func (c Change) Lacks(now time.Time, p Policy, receipt string) []Lack {
	var lacks []Lack
	lack := func(kind devices.Kind, next, format string, args ...any) {
		lacks = append(lacks, Lack{Kind: kind, What: fmt.Sprintf(format, args...), Next: next})
	}
	if c.Kind != Install && c.Standing(Before, now, p) == WordDoubted || c.Kind != Remove && c.Standing(After, now, p) == WordDoubted {
		lack(devices.GateShut, configs.AfterDoubt, "%s", doubtWords(p.Doubt))
	}
	if c.Kind != Install && c.Standing(Before, now, p) == WordNothing {
		next := c.again()
		if c.Succession != nil && c.Succession.Device == c.Old {
			next = "nothing can prove it any more: tell whoever answers for the work"
		}
		lack(devices.GateShut, next, "the old configuration of %s is neither verified nor waived", c.named())
	}
	if c.Kind != Remove && c.Standing(After, now, p) == WordNothing {
		name := "NEW"
		if c.NewName != "" {
			name = c.Customer + "/" + c.NewName
		}
		lack(devices.GateShut, fmt.Sprintf("belay after %s --ticket %s", name, quoted(c.Ticket)), "the new configuration is not verified")
	}
	for _, phase := range []string{Before, After} {
		k, ok := c.Counts(phase, p)
		for _, system := range p.Systems {
			if ok && !c.hangs(k, system) {
				lack(devices.AttachmentPending, "belay docs queue", "version %.10s of %s, the %s, is not proven to be attached in %s", k.Version, k.Device, phase, system)
			}
		}
	}
	if !slices.ContainsFunc(c.Receipts[c.posted:], func(r Posted) bool {
		return (receipt == "" || r.Digest == receipt) && (p.TicketTo == "" || r.To == p.TicketTo)
	}) {
		lack(devices.AttachmentPending, "belay docs queue", "the receipt is not posted")
		lacks[len(lacks)-1].Receipt = true
	}
	return lacks
}

// hangs tells whether all files of a capture are proven to hang in a system.
func (c Change) hangs(k Capture, system string) bool {
	return len(k.Files) > 0 && len(c.unattached(k, func(a Attachment) bool { return a.System == system })) == 0
}

// Close ends a change that lacks nothing; see Change.Lacks for receipt. Where it
// does lack something the error names all of it, and is of the first one's kind.
func (d *Desk) Close(ctx context.Context, c Change, by configs.Person, receipt string) (Change, error) {
	c, err := d.Book.Get(ctx, c.Customer, c.ID)
	if err == nil {
		err = c.writable(actClose)
	}
	if err != nil {
		return c, err
	}
	now, p := d.Now(), d.Policy(c.Customer)
	if d.Doubt != nil {
		if p.Doubt, err = d.Doubt(ctx); err != nil {
			return c, err
		}
	}
	lacks := c.Lacks(now, p, receipt)
	word := c.Standing(Before, now, p)
	if c.Kind != Install && word == WordWaived {
		w, ok, why, err := d.waived(ctx, c)
		if err != nil {
			return c, err
		}
		if ok {
			d.tell("%s", waivedWords(w))
		} else {
			lacks = append([]Lack{{Kind: devices.GateShut, What: strings.Join(why, "; "), Next: c.again()}}, lacks...)
		}
	} else if c.Kind != Install && word != WordVerified {
		d.tell("the old configuration is %s", word)
	}
	if len(lacks) > 0 {
		var what []string
		for _, l := range lacks {
			what = append(what, l.What)
		}
		return c, &devices.Error{Kind: lacks[0].Kind, Op: "close " + c.ID, Err: errors.New(strings.Join(what, "; ")), Hint: lacks[0].Next}
	}
	return d.end(ctx, c, Closing{By: by, Digest: receipt})
}

// Abandon ends a change that did not take place: the old device stays.
func (d *Desk) Abandon(ctx context.Context, c Change, by configs.Person, reason string) (Change, error) {
	c, err := d.Book.Get(ctx, c.Customer, c.ID)
	if err != nil {
		return c, err
	}
	reason = strings.TrimSpace(reason)
	switch {
	case reason == "":
		err = &devices.Error{Kind: devices.Usage, Op: "give up " + c.ID, Err: errors.New("a reason is needed: it is recorded"), Hint: "belay close " + c.ID + " --abandon REASON"}
	case c.Closing == nil && c.Succession != nil:
		err = &devices.Error{Kind: devices.NotAllowed, Op: "give up " + c.ID, Err: fmt.Errorf("the new box was seen %s by %s: it did take place", moment(c.Succession.At), c.Succession.By.Name),
			Hint: "belay close " + c.ID}
	}
	if err != nil {
		return c, err
	}
	return d.end(ctx, c, Closing{By: by, Reason: reason})
}

func (d *Desk) end(ctx context.Context, c Change, k Closing) (Change, error) {
	if err := d.Book.RecordClosing(ctx, c, k); err != nil {
		return c, err
	}
	return d.Book.Get(ctx, c.Customer, c.ID)
}
