package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"belay/configs"
	"belay/configs/scrub"
	"belay/devices"
)

// An attachment that a documentation system lists with its size and no digest
// passes by name and size alone. Where the system gives bytes back, as Hudu does
// from 2.41 on, every contentTurns-th of them is downloaded in a pass and held to
// its digest, each in its turn. IT Glue documents no way to get the bytes with an API
// key: its download-url is the web application's, and whether that takes a key is
// not known, so none is sent there.
const contentTurns = 4

// contentShare is how much of an account's pace the downloads may take: a part in so many.
const contentShare = 5

// contentKey is before the name of an attachment where its content is what is damaged:
// it stays so when the next look at its name and size finds nothing.
const contentKey = "content of "

// Why the content of an attachment was not read.
const (
	notItsTurn  = "attachments by name and size: the content of one in four is read in each pass"
	givesNoneOf = "attachments by name and size alone: %s gives their content back to nobody who asks with a key"
)

// askAttachments looks whether what was attached hangs there, and has some of it
// given back. Deliveries go first: while some wait, nothing is downloaded.
func (w *workspace) askAttachments(ctx context.Context, customer, after string) iter.Seq2[scrub.Piece, error] {
	if customer == "" {
		return nothing
	}
	return func(yield func(scrub.Piece, error) bool) {
		putOff := map[string]error{} // by system: why its contents are not read this time
		for r, err := range w.office.Recheck(ctx, customer, after) {
			if err != nil {
				yield(scrub.Piece{}, errors.Join(err, joined(putOff)))
				return
			}
			l := r.Letter
			p := scrub.Piece{At: r.At, Through: r.Through, Key: hungAs(l), Device: l.Device, Version: configs.Version{ID: l.Device, Commit: l.Version},
				What: fmt.Sprintf("attachment %s in %s", l.Name, l.To), Elsewhere: true}
			var content scrub.Piece
			switch {
			case r.Problem != "":
				p.Problems = []string{r.Problem}
			case l.Attachment.Digest == "" && putOff[l.To] == nil: // else it was held to its digest just now
				if content, p.Short, err = w.content(ctx, l, p); err != nil {
					putOff[l.To] = err
				}
			}
			if len(putOff) > 0 {
				p.At = "" // it is read again from here
			}
			if content.Key != "" && !yield(content, nil) || !yield(p, nil) {
				return
			}
		}
		if err := joined(putOff); err != nil {
			yield(scrub.Piece{}, err)
		}
	}
}

func joined(putOff map[string]error) error {
	var all []error
	for system, err := range putOff {
		all = append(all, fmt.Errorf("content of attachments in %s: %w", system, err))
	}
	return errors.Join(all...)
}

// content downloads an attachment if it is its turn. short is why it was not read.
func (w *workspace) content(ctx context.Context, l configs.Letter, as scrub.Piece) (p scrub.Piece, short string, err error) {
	sys, system, err := w.system(l.To)
	if err != nil {
		return p, "", err
	}
	reader, ok := system.(configs.AttachmentReader)
	if !ok {
		return p, fmt.Sprintf(givesNoneOf, system.Name()), nil
	}
	every := cmp.Or(time.Duration(w.settings.Scrub.Every), scrub.Week)
	if (l.ID+w.now().UnixNano()/int64(every))%contentTurns != 0 {
		return p, notItsTurn, nil
	}
	for waiting, err := range w.ledger.Letters(ctx, configs.LetterFilter{Waiting: true, DueBy: w.now()}) {
		if err != nil {
			return p, "", err
		}
		if waiting.To == l.To {
			return p, "", &devices.Error{Kind: devices.AttachmentPending, Op: "read " + l.Name + " back", Err: errors.New("deliveries wait, which go first")}
		}
	}
	data, err := reader.ReadAttachment(ctx, l.Item, l.Attachment)
	if errors.Is(err, configs.ErrCannotRead) {
		return p, fmt.Sprintf(givesNoneOf, system.Name()), nil
	}
	if err != nil {
		return p, "", err
	}
	p = as
	p.At, p.Key, p.Bytes, p.What = "", contentKey+as.Key, int64(len(data)), "the content of "+as.What
	if configs.Digest(data) != l.Digest {
		p.Problems = []string{fmt.Sprintf("the file on %s has the name and the size of what was sent, and not its bytes", l.Item)}
	}
	return p, "", leave(ctx, sys.PerMinute)
}

// leave waits until others have had their part of an account's pace.
func leave(ctx context.Context, perMinute int) error {
	if perMinute <= 0 {
		return nil
	}
	select {
	case <-time.After(time.Minute * contentShare / time.Duration(perMinute)):
	case <-ctx.Done():
	}
	return ctx.Err()
}

// hungAs is what an attachment is known by.
func hungAs(l configs.Letter) string { return l.To + " " + l.Name }

// stillMissing tells whether an attachment that was lost waits to be sent again,
// and whether one of other bytes hangs there as it was.
func (w *workspace) stillMissing(ctx context.Context, d scrub.Damage) (bool, error) {
	name, content := strings.CutPrefix(d.Key, contentKey)
	for l, err := range w.ledger.Letters(ctx, configs.LetterFilter{Customer: d.Customer, Waiting: !content, Hanging: content}) {
		if err != nil || hungAs(l) == name && (!content || l.Proven.Before(d.Since)) {
			return err == nil, err
		}
	}
	return false, nil
}
