package change

import (
	"context"
	"fmt"
	"slices"

	"belay/configs"
	"belay/configs/diff"
	"belay/devices"
)

// A Difference is what the new configuration changes, for people. The texts are
// redacted.
type Difference struct {
	Before  string `json:"before,omitempty"` // versions
	After   string `json:"after,omitempty"`
	Added   int    `json:"added"` // lines
	Removed int    `json:"removed"`
	Unified string `json:"unified,omitempty"`
	Note    string `json:"note,omitempty"` // why there is nothing to compare
}

// Differences compares the newest whole before with the newest whole after.
// Configurations of two systems are not compared line by line: it would show
// that all lines differ, and hide what matters.
func (d *Desk) Differences(ctx context.Context, c Change) (Difference, error) {
	before, ok := c.newest(Before, Capture.whole)
	after, okAfter := c.newest(After, Capture.whole)
	x := Difference{Before: before.Version, After: after.Version}
	switch {
	case !ok && !okAfter:
		x.Note = "neither the old nor the new configuration is kept"
	case !ok:
		x.Note = "the old configuration is not kept: there is nothing to compare the new one with"
	case !okAfter:
		x.Note = "the new configuration is not kept yet"
	case before.Driver != after.Driver:
		x.Note = fmt.Sprintf("the old device runs %s, the new one %s: their configurations cannot be compared line by line", before.Driver, after.Driver)
	}
	if x.Note != "" {
		return x, nil
	}
	old, err := d.texts(ctx, before)
	if err != nil {
		return x, err
	}
	now, err := d.texts(ctx, after)
	if err != nil {
		return x, err
	}
	var names []string
	for _, t := range slices.Concat(old, now) {
		if !slices.Contains(names, t.Name) {
			names = append(names, t.Name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		a, b := text(old, name), text(now, name)
		added, removed := diff.Stat(a.Clean, b.Clean)
		x.Added, x.Removed = x.Added+added, x.Removed+removed
		x.Unified += diff.Unified("before/"+name, "after/"+name, a.Clean, b.Clean, 3)
	}
	return x, nil
}

// text finds a file; one that is not there is empty.
func text(texts []configs.Text, name string) configs.Text {
	i := slices.IndexFunc(texts, func(t configs.Text) bool { return t.Name == name })
	if i < 0 {
		return configs.Text{Name: name}
	}
	return texts[i]
}

// texts reads a capture's texts back.
func (d *Desk) texts(ctx context.Context, k Capture) ([]configs.Text, error) {
	v, err := d.version(ctx, k.Device, k.Version)
	if err != nil {
		return nil, err
	}
	texts, err := d.Repository.Texts(ctx, v)
	if err != nil {
		return nil, &devices.Error{Kind: devices.KindOf(err), Op: "read back", Device: string(k.Device), Err: err, Hint: "belay verify"}
	}
	return texts, nil
}
