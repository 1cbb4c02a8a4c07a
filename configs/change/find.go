package change

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"belay/devices"
)

// A Query says which change is meant. What is empty does not matter.
type Query struct {
	Customer string     // empty: of any customer
	Word     string     // its id, also with its customer before it, or its ticket
	Ticket   string     //
	Device   devices.ID // the old one or the new one
	Goes     bool       // the device is the old one
	Open     bool       // a closed one is not meant
}

func (q Query) String() string {
	var parts []string
	for _, p := range []string{q.Word, q.Ticket, string(q.Device)} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, ", ")
}

// Find is the one change that q means: an open one where there is one. An id
// means the very change; of a ticket there may be several, which is refused.
func (b *Book) Find(ctx context.Context, q Query) (Change, error) {
	if q.Customer == "" {
		q.Customer = q.Device.Customer()
	}
	list, err := b.find(ctx, q.Customer, func(h Change) bool {
		return (q.Word == "" || h.called(q.Word) || strings.EqualFold(h.Ticket, q.Word)) &&
			(q.Ticket == "" || strings.EqualFold(h.Ticket, q.Ticket)) &&
			(q.Device == "" || h.Old == q.Device || h.New == q.Device || h.Kind == Replace && h.New == "")
	})
	if err != nil {
		return Change{}, err
	}
	list = slices.DeleteFunc(list, func(c Change) bool {
		return q.Device != "" && c.Old != q.Device && (q.Goes || c.New != q.Device) || q.Open && c.Closing != nil
	})
	for _, better := range []func(Change) bool{
		func(c Change) bool { return q.Word != "" && c.called(q.Word) },
		func(c Change) bool { return c.Closing == nil },
	} {
		if slices.ContainsFunc(list, better) {
			list = slices.DeleteFunc(list, func(c Change) bool { return !better(c) })
		}
	}
	switch len(list) {
	case 0:
		return Change{}, none(q.String())
	case 1:
		return list[0], nil
	}
	return Change{}, several(q.String(), list)
}

// find reads the changes whose opening fits.
func (b *Book) find(ctx context.Context, customer string, fits func(head Change) bool) ([]Change, error) {
	heads, err := b.heads(ctx, customer)
	if err != nil {
		return nil, err
	}
	var list []Change
	for _, h := range heads {
		if !fits(h) {
			continue
		}
		c, err := b.Get(ctx, h.Customer, h.ID)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

// ErrNone says that there is no such change.
var ErrNone = errors.New("there is none")

func none(what string) error {
	err := ErrNone
	if what != "" {
		err = fmt.Errorf("%w for %s", ErrNone, what)
	}
	return &devices.Error{Kind: devices.Usage, Op: "find the change", Err: err, Hint: "belay before DEVICE --ticket TICKET opens one"}
}

// called tells whether word is the change's id. Two customers with a device of one
// name may be worked for on one ticket: the customer before it tells them apart.
func (c Change) called(word string) bool {
	return strings.EqualFold(c.ID, word) || strings.EqualFold(c.Customer+"/"+c.ID, word)
}

func several(what string, list []Change) error {
	var names []string
	for _, c := range list {
		id := c.ID
		if slices.ContainsFunc(list, func(o Change) bool { return o.ID == c.ID && o.Customer != c.Customer }) {
			id = c.Customer + "/" + c.ID
		}
		name := fmt.Sprintf("%s (%s, %s %s", id, c.Customer, c.Kind, c.named())
		if c.Closing != nil {
			name += ", closed"
		}
		names = append(names, name+")")
	}
	return &devices.Error{Kind: devices.Usage, Op: "find the change", Hint: "name one of them by its id",
		Err: fmt.Errorf("%s may be any of %d: %s", what, len(list), strings.Join(names, "; "))}
}

// named is the device that the change is called after, for people.
func (c Change) named() string {
	if c.Kind == Install {
		return c.Customer + "/" + c.NewName
	}
	return c.Customer + "/" + c.OldName
}

// again is the command that takes a before of the old device, or the after of an
// installed one.
func (c Change) again() string {
	if c.Kind == Install {
		return fmt.Sprintf("belay after %s --ticket %s --install", c.named(), quoted(c.Ticket))
	}
	return fmt.Sprintf("belay before %s --ticket %s", c.named(), quoted(c.Ticket))
}

// quoted is a word as a shell takes it.
func quoted(word string) string {
	if strings.ContainsFunc(word, func(r rune) bool { return !wordRune(r) && !strings.ContainsRune("._-/", r) }) {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return word
}
