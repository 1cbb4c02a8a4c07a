package drivers

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// A shelf is a folder of driver files, read as they are asked for.
type shelf struct {
	fsys  fs.FS
	files map[string]bool // by the driver's name
	below *shelf          // where a driver may be like one that is not here
}

func newShelf(fsys fs.FS, below *shelf) (*shelf, error) {
	files, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, errors.New("no *.yaml there")
	}
	h := &shelf{fsys: fsys, files: map[string]bool{}, below: below}
	for _, f := range files {
		h.files[strings.TrimSuffix(f, ".yaml")] = true
	}
	return h, nil
}

// spec is a driver file as it is written.
func (h *shelf) spec(name string) (*spec, error) {
	return read(h.fsys, name+".yaml")
}

// driver makes the driver of that name, with what it takes from others.
func (h *shelf) driver(name string) (*Driver, error) {
	s, err := h.complete(name)
	if err != nil {
		return nil, err
	}
	return compile(name, s)
}

// complete is a spec with what it takes from the driver that it is like.
func (h *shelf) complete(name string, by ...string) (*spec, error) {
	s, err := h.spec(name)
	if err != nil || s.Like == "" {
		return s, err
	}
	if slices.Contains(by, name) {
		return nil, fmt.Errorf("like: %s goes round in a circle", strings.Join(append(by, name), " is like "))
	}
	old := h.below != nil && h.below.files[s.Like]
	var base *spec
	switch {
	// A user's driver may be like the built-in one of its own name, which it replaces.
	case h.files[s.Like] && (s.Like != name || !old):
		base, err = h.complete(s.Like, append(by, name)...)
	case old:
		base, err = h.below.complete(s.Like)
	default:
		err = fmt.Errorf("like: there is no driver %q", s.Like)
	}
	if err != nil {
		return nil, err
	}
	return s.over(base), nil
}

// over is the spec with all that base says where s is silent. What base is called,
// what its claims rest on and what it asks for stay its own; how a session goes
// is that of one road.
func (s *spec) over(base *spec) *spec {
	all := *s
	inherit(&all.Road, base.Road)
	inherit(&all.Identify, base.Identify)
	inherit(&all.Unsaved, base.Unsaved)
	inherit(&all.Complete, base.Complete)
	inherit(&all.Changed, base.Changed)
	inherit(&all.Account, base.Account)
	inherit(&all.Grade.Level, base.Grade.Level)
	inherit(&all.Grade.Missing, base.Grade.Missing)
	all.Grade.Lower = slices.Concat(base.Grade.Lower, s.Grade.Lower)
	all.Failure = slices.Concat(base.Failure, s.Failure)
	all.Masks = slices.Concat(base.Masks, s.Masks)
	all.Volatile = slices.Concat(base.Volatile, s.Volatile)
	all.Secrets = slices.Concat(base.Secrets, s.Secrets)
	all.Harmless = slices.Concat(base.Harmless, s.Harmless)
	all.Facts = maps.Clone(base.Facts)
	if all.Facts == nil {
		all.Facts = map[string]string{}
	}
	maps.Copy(all.Facts, s.Facts)
	if all.Road != base.Road {
		return &all
	}
	inherit(&all.Port, base.Port)
	inherit(&all.Terminal, base.Terminal)
	inherit(&all.Return, base.Return)
	inherit(&all.Auth, base.Auth)
	inherit(&all.Keepalive, base.Keepalive)
	inherit(&all.HTTP, base.HTTP)
	if all.Road == "https" { // another way in, or another base, to the same API
		inherit(&all.Pull, base.Pull)
	}
	inherit(&all.Transfer, base.Transfer)
	inherit(&all.Login, base.Login)
	inherit(&all.Gates, base.Gates)
	inherit(&all.Prompt, base.Prompt)
	inherit(&all.Enable, base.Enable)
	inherit(&all.More, base.More)
	inherit(&all.Questions, base.Questions)
	inherit(&all.Logout, base.Logout)
	return &all
}

// inherit takes the other's value where there is none.
func inherit[T any](mine *T, other T) {
	if reflect.ValueOf(mine).Elem().IsZero() {
		*mine = other
	}
}
