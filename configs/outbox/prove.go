package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"belay/configs"
)

// prove looks for a letter's file on its item and compares it with what was
// sent. It returns all that hangs there, nil where the file does not. The id is
// the one that the system told, empty where no answer came.
func (o *Office) prove(ctx context.Context, p Place, l *configs.Letter, item configs.Item, id string) ([]configs.Attachment, error) {
	all, err := p.System.Attached(ctx, item)
	if err != nil {
		err = overThere(err)
		if d := decline(err); d != nil && d.Why == configs.Gone {
			o.forget(ctx, p, item)
		}
		return nil, err
	}
	var whole, spoiled []configs.Attachment
	for _, a := range named(all, l.Name) {
		good, err := o.compare(ctx, p, l, item, &a)
		if err != nil {
			return nil, err
		}
		if good {
			whole = append(whole, a)
		} else {
			spoiled = append(spoiled, a)
		}
	}
	switch {
	case len(whole) == 0 && len(spoiled) > 0:
		return nil, o.spoiled(ctx, p, l, item, spoiled)
	case len(whole) == 0:
		return nil, nil
	}
	arrived := *l
	arrived.Item, arrived.Attachment, arrived.Second = item, whole[0], p.second()
	if i := slices.IndexFunc(whole, func(a configs.Attachment) bool { return a.ID == id }); i >= 0 {
		arrived.Attachment = whole[i]
	}
	events := []configs.Event{o.attached(arrived, l.Attachment.Bytes)}
	if l.Form == configs.Receipt {
		events = append(events, o.posted(arrived))
	}
	if err := o.proven(ctx, l, arrived, events...); err != nil {
		return nil, err
	}
	return all, nil
}

// named are the attachments of that name, the oldest first.
func named(all []configs.Attachment, name string) []configs.Attachment {
	var found []configs.Attachment
	for _, a := range slices.Backward(all) { // systems list the newest first
		if a.Name == name {
			found = append(found, a)
		}
	}
	slices.SortStableFunc(found, func(a, b configs.Attachment) int { return a.At.Compare(b.At) })
	return found
}

// compare holds a listed file to what was sent: by its digest or its size, and
// where the system tells neither by its bytes, if it gives them back.
func (o *Office) compare(ctx context.Context, p Place, l *configs.Letter, item configs.Item, a *configs.Attachment) (bool, error) {
	switch {
	case a.Bytes >= 0 && a.Bytes != l.Attachment.Bytes:
		return false, nil
	case a.Digest != "":
		return strings.EqualFold(a.Digest, l.Digest), nil
	case a.Bytes >= 0:
		return true, nil
	}
	r, ok := p.System.(configs.AttachmentReader)
	if !ok {
		return true, nil
	}
	data, err := r.ReadAttachment(ctx, item, *a)
	switch {
	case errors.Is(err, configs.ErrCannotRead):
		return true, nil
	case err != nil:
		return false, overThere(err)
	}
	a.Digest = configs.Digest(data)
	return a.Digest == l.Digest, nil
}

// how tells what of an attachment was compared.
func how(a configs.Attachment) string {
	switch {
	case a.Digest != "":
		return "id, name and content"
	case a.Bytes >= 0:
		return "id, name and size"
	}
	return "id and name"
}

// spoiled takes down what arrived under a letter's name with other bytes, so
// that it can be sent again.
func (o *Office) spoiled(ctx context.Context, p Place, l *configs.Letter, item configs.Item, bad []configs.Attachment) error {
	err := fmt.Errorf("attachment %s on %s is not what was sent: it has %d bytes, want %d", bad[0].ID, item, bad[0].Bytes, l.Attachment.Bytes)
	r, ok := p.System.(configs.AttachmentRemover)
	if !ok {
		return stay(fmt.Errorf("%w; %s removes nothing: take it down by hand", err, p.System.Name()))
	}
	for _, a := range bad {
		if err := r.RemoveAttachment(ctx, item, a); err != nil {
			return overThere(fmt.Errorf("it is not what was sent: %w", err))
		}
		if err := o.Outbox.Save(ctx, *l, o.unattached(*l, a, "not what was sent")); err != nil {
			return err
		}
	}
	l.Began = l.Began.Add(-o.settle()) // it has landed: before the next one the item is listed, but not waited for
	if l.Tries > bearable {
		return stay(fmt.Errorf("%w; it was taken down", err))
	}
	return overThere(fmt.Errorf("%w; it was taken down", err))
}

// event makes an entry of the ledger about a letter.
func (o *Office) event(l configs.Letter, act string, fields any) configs.Event {
	e := configs.Event{At: o.Now(), Customer: l.Customer, Device: l.Device, By: l.By, Act: act, Detail: map[string]any{}}
	text, err := json.Marshal(fields)
	if err == nil {
		err = json.Unmarshal(text, &e.Detail)
	}
	if err != nil { // strings and numbers only: it cannot be
		e.Detail["error"] = err.Error()
	}
	if l.Change != "" {
		e.Detail["change"] = l.Change
	}
	return e
}

// attached tells of a proven attachment.
func (o *Office) attached(l configs.Letter, size int) configs.Event {
	return o.event(l, "attach", configs.Arrival{
		System: l.To, Phase: l.Phase, Version: l.Version, File: l.File, Form: l.Form, Item: l.Item, Attachment: l.Attachment.ID,
		Name: l.Name, Bytes: size, Digest: l.Digest, Second: l.Second, How: how(l.Attachment),
	})
}

// unattached tells of one that was taken down.
func (o *Office) unattached(l configs.Letter, a configs.Attachment, why string) configs.Event {
	return o.event(l, "unattach", struct {
		System     string       `json:"system"`
		Version    string       `json:"version"`
		File       string       `json:"file"`
		Form       configs.Form `json:"form"`
		Item       configs.Item `json:"item"`
		Attachment string       `json:"attachment"`
		Name       string       `json:"name"`
		Why        string       `json:"why"`
	}{l.To, l.Version, l.File, l.Form, l.Item, a.ID, a.Name, why})
}

// posted tells of a receipt that arrived, in the fields of change.Posted.
func (o *Office) posted(l configs.Letter) configs.Event {
	return o.event(l, "post receipt", struct {
		Digest string `json:"digest"`
		To     string `json:"to"`
		ID     string `json:"id,omitempty"`
	}{l.Version, l.To, l.Attachment.ID})
}
