package outbox

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

// Send puts letters in the outbox and brings them now. Those that have arrived
// before cost nothing. An error is of Kind devices.AttachmentPending where the
// letter stays in the outbox and is tried again later.
func (o *Office) Send(ctx context.Context, letters ...configs.Letter) ([]configs.Letter, error) {
	now := o.Now()
	letters = slices.Clone(letters)
	for i := range letters {
		letters[i].Put, letters[i].Due = now, now
	}
	stand, err := o.Outbox.Put(ctx, letters...)
	if err != nil {
		return nil, err
	}
	for i := range stand {
		if stand[i], err = o.send(ctx, stand[i]); err != nil {
			return stand, err
		}
	}
	return stand, nil
}

// send brings one letter, as long as there is patience.
func (o *Office) send(ctx context.Context, l configs.Letter) (configs.Letter, error) {
	if !l.Proven.IsZero() && l.Removed.IsZero() {
		return l, nil
	}
	end := o.Now().Add(o.Patience)
	for pause := time.Second; ; pause *= 2 {
		got, ok, err := o.deliver(ctx, l.ID, func(configs.Letter) bool { return true })
		if ok {
			l = got
		} else if err == nil {
			if l, err = o.reread(ctx, l); err == nil && l.Proven.IsZero() {
				err = errTaken
			}
		}
		if err == nil {
			return l, nil
		}
		wait := pause
		if d := decline(err); d != nil {
			wait = max(wait, d.After)
		}
		if r, ok := errors.AsType[*resting](err); ok {
			wait = max(time.Millisecond, r.until.Sub(o.Now()))
		}
		if ctx.Err() != nil || !passing(err) || o.Now().Add(wait).After(end) {
			return l, pending(o.title(l), l, err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return l, pending(o.title(l), l, err)
		}
	}
}

// reread is a letter as it stands by now.
func (o *Office) reread(ctx context.Context, l configs.Letter) (configs.Letter, error) {
	for now, err := range o.Outbox.Letters(ctx, configs.LetterFilter{To: l.To, Customer: l.Customer, Device: l.Device, Version: l.Version}) {
		if err != nil || now.ID == l.ID {
			return now, err
		}
	}
	return l, nil
}

// title names a letter's system for people.
func (o *Office) title(l configs.Letter) string {
	if p, ok := o.place(l.Customer, l.To); ok {
		return p.System.Name()
	}
	if o.Tickets != nil {
		if t, ok := o.Tickets(l.To); ok {
			return t.Name()
		}
	}
	return l.To
}

// Prover proves versions by hanging their files in the documentation system
// that the settings call name.
func (o *Office) Prover(name string) configs.Prover { return &prover{o, name} }

type prover struct {
	office *Office
	name   string
}

// Prove brings a letter for each file of v, unless it has arrived before.
func (p *prover) Prove(ctx context.Context, v configs.Version) (configs.Proof, error) {
	place, ok := p.office.place(v.ID.Customer(), p.name)
	if !ok {
		return configs.Proof{Name: p.name}, nil
	}
	proof := configs.Proof{Name: place.System.Name(), Done: true, Second: place.second()}
	letters, err := p.office.letters(context.WithoutCancel(ctx), place, v) // whoever has gone away, it is owed
	if err != nil {
		return proof, pending(proof.Name, configs.Letter{Device: v.ID}, err)
	}
	var details []string
	for _, l := range letters {
		if l, err = p.office.send(ctx, l); err != nil {
			return proof, err
		}
		size := ""
		if l.Attachment.Bytes >= 0 {
			size = fmt.Sprintf(", %d bytes", l.Attachment.Bytes)
		}
		details = append(details, fmt.Sprintf("%s: attachment %s%s, by %s", l.Item, l.Attachment.ID, size, how(l.Attachment)))
		proof.Second = proof.Second && l.Second
		if l.Proven.After(proof.At) {
			proof.At = l.Proven
		}
	}
	proof.OK, proof.Detail = true, strings.Join(details, "; ")
	return proof, nil
}

// letters are those of a version for a place: those that stand, or new ones.
func (o *Office) letters(ctx context.Context, p Place, v configs.Version) ([]configs.Letter, error) {
	if len(v.Files) == 0 {
		return nil, &devices.Error{Kind: devices.Damaged, Op: "attach version " + head(v.Commit) + " of", Device: string(v.ID), Err: errors.New("it names no file"), Hint: "belay verify"}
	}
	standing := map[string]configs.Letter{}
	for l, err := range o.Outbox.Letters(ctx, configs.LetterFilter{To: p.Name, Device: v.ID, Version: v.Commit}) {
		if err != nil {
			return nil, err
		}
		if l.Form == p.Form {
			standing[l.File] = l
		}
	}
	now := o.Now()
	var fresh, all []configs.Letter
	for _, f := range v.Files {
		if f.Alone() && p.Form == configs.Redacted {
			continue // there is nothing of it that may be seen
		}
		if l, ok := standing[f.Name]; ok {
			all = append(all, l)
			continue
		}
		digest, err := o.digest(ctx, v, f, p.Form)
		if err != nil {
			return nil, err
		}
		fresh = append(fresh, configs.Letter{
			To: p.Name, Customer: v.ID.Customer(), Device: v.ID, Version: v.Commit, File: f.Name, Form: p.Form,
			Name: fileName(v, f.Name, p.Form, digest, textOnly(p)), Change: v.Change, Phase: v.Phase, Ticket: v.Ticket,
			Urgent: v.Change != "", By: v.By, Put: now, Due: now, Second: p.second(),
		})
	}
	if len(fresh) == 0 {
		return all, nil
	}
	put, err := o.Outbox.Put(ctx, fresh...)
	return append(all, put...), err
}

// digest is that of the bytes that will be sent.
func (o *Office) digest(ctx context.Context, v configs.Version, f configs.VersionFile, form configs.Form) (string, error) {
	switch form {
	case configs.Original:
		return f.OriginalDigest, nil
	case configs.Redacted:
		return f.Digest, nil
	}
	sealed, err := o.sealed(ctx, v, f.Name)
	return configs.Digest(sealed.Bytes), err
}
