package outbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"belay/configs"
)

// The steps of Try, in the order they are taken.
const (
	TryLook   = "look"   // the item is there, and nothing of that name hangs on it
	TryUpload = "upload" // a small file is attached
	TryList   = "list"   // it is listed, under its id and name
	TrySize   = "size"   // with its size, or its digest
	TryRead   = "read"   // it is given back byte for byte
	TryDelete = "delete" // it is removed
	TryGone   = "gone"   // and listed no more
)

// Try attaches a small file to a scratch item of a real system, finds it, reads
// it, removes it, and tells how each step went. The steps after one that failed
// are left out, but the file is taken down whatever happens. A step that this
// system has no way of taking is OK and says so: it is no fault of the account.
// Name must be one that nothing on the item has; it should end in .txt.
func Try(ctx context.Context, doc configs.Documentation, item configs.Item, name string) []configs.Check {
	t := &trial{doc: doc, item: item, file: configs.Attached{Name: name, Bytes: []byte("Belay tries this account: " + name + "\n")}}
	defer t.clear(ctx)
	for _, step := range []struct {
		name string
		take func(context.Context) (string, error)
	}{
		{TryLook, t.look}, {TryUpload, t.upload}, {TryList, t.list}, {TrySize, t.size}, {TryRead, t.read}, {TryDelete, t.remove}, {TryGone, t.gone},
	} {
		detail, err := step.take(ctx)
		if err != nil {
			return append(t.checks, configs.Check{Name: step.name, Detail: err.Error()})
		}
		t.checks = append(t.checks, configs.Check{Name: step.name, OK: true, Detail: detail})
	}
	return t.checks
}

// A trial is one run of Try.
type trial struct {
	doc    configs.Documentation
	item   configs.Item
	file   configs.Attached
	checks []configs.Check

	sent   bool // the file may hang there
	told   configs.Attachment
	listed configs.Attachment
}

func (t *trial) named(ctx context.Context) ([]configs.Attachment, error) {
	all, err := t.doc.Attached(ctx, t.item)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(all), func(a configs.Attachment) bool { return a.Name != t.file.Name }), nil
}

func (t *trial) look(ctx context.Context) (string, error) {
	found, err := t.named(ctx)
	if err == nil && len(found) > 0 {
		err = fmt.Errorf("%d files called %s hang there already", len(found), t.file.Name)
	}
	return t.item.String(), err
}

func (t *trial) upload(ctx context.Context) (_ string, err error) {
	t.sent = true
	t.told, err = t.doc.Attach(ctx, t.item, t.file)
	if _, ok := errors.AsType[*configs.Declined](err); ok {
		t.sent = false
	}
	if err == nil && t.told.ID == "" {
		err = errors.New("taken, but no id was told")
	}
	return fmt.Sprintf("%d bytes, attachment %s", len(t.file.Bytes), t.told.ID), err
}

func (t *trial) list(ctx context.Context) (string, error) {
	found, err := t.named(ctx)
	switch {
	case err != nil:
		return "", err
	case len(found) != 1:
		return "", fmt.Errorf("%d files called %s are listed, want 1", len(found), t.file.Name)
	case found[0].ID != t.told.ID:
		return "", fmt.Errorf("listed as attachment %s, but told to be %s", found[0].ID, t.told.ID)
	}
	t.listed = found[0]
	return "by id and name", nil
}

func (t *trial) size(context.Context) (string, error) {
	digest := configs.Digest(t.file.Bytes)
	switch a := t.listed; {
	case a.Bytes >= 0 && a.Bytes != len(t.file.Bytes):
		return "", fmt.Errorf("listed with %d bytes, want %d", a.Bytes, len(t.file.Bytes))
	case a.Digest != "" && !strings.EqualFold(a.Digest, digest):
		return "", errors.New("listed with another digest than that of what was sent")
	case a.Digest != "":
		return "size and digest are listed", nil
	case a.Bytes >= 0:
		return "the size is listed", nil
	}
	return "this system tells no size", nil
}

func (t *trial) read(ctx context.Context) (string, error) {
	r, ok := t.doc.(configs.AttachmentReader)
	if !ok {
		return configs.ErrCannotRead.Error(), nil
	}
	got, err := r.ReadAttachment(ctx, t.item, t.listed)
	switch {
	case errors.Is(err, configs.ErrCannotRead):
		return configs.ErrCannotRead.Error(), nil
	case err != nil:
		return "", err
	case !bytes.Equal(got, t.file.Bytes):
		return "", fmt.Errorf("%d bytes came back that are not the %d sent", len(got), len(t.file.Bytes))
	}
	return "byte for byte", nil
}

func (t *trial) remove(ctx context.Context) (string, error) {
	r, ok := t.doc.(configs.AttachmentRemover)
	if !ok {
		return "this system removes nothing: take " + t.file.Name + " down by hand", nil
	}
	return "", r.RemoveAttachment(ctx, t.item, t.listed)
}

func (t *trial) gone(ctx context.Context) (string, error) {
	found, err := t.named(ctx)
	if err != nil {
		return "", err
	}
	if _, removes := t.doc.(configs.AttachmentRemover); removes && len(found) > 0 {
		return "", errors.New("removed, but still listed")
	}
	t.sent = false
	return "", nil
}

// clear takes down what a trial that ended early may have left. It found nothing
// of that name before, so whatever has it is its own.
func (t *trial) clear(ctx context.Context) {
	r, ok := t.doc.(configs.AttachmentRemover)
	if !t.sent || !ok {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	left, err := t.named(ctx)
	for _, a := range left {
		err = errors.Join(err, r.RemoveAttachment(ctx, t.item, a))
	}
	if err != nil {
		t.checks = append(t.checks, configs.Check{Name: TryDelete, Detail: "it may still hang there: " + err.Error()})
	}
}
