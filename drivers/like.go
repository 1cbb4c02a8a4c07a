package drivers

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// A shelf holds the specs of one folder while they are made into drivers.
type shelf struct {
	written map[string]*spec // as the files have them
	known   map[string]*spec // of the folders before, complete
}

// complete is a spec with what it takes from the driver that it is like.
func (h shelf) complete(name string, by ...string) (*spec, error) {
	s := h.written[name]
	if s.Like == "" {
		return s, nil
	}
	if slices.Contains(by, name) {
		return nil, fmt.Errorf("like: %s goes round in a circle", strings.Join(append(by, name), " is like "))
	}
	base, old := h.known[s.Like]
	// A user's driver may be like the built-in one of its own name, which it replaces.
	if _, here := h.written[s.Like]; here && (s.Like != name || !old) {
		var err error
		if base, err = h.complete(s.Like, append(by, name)...); err != nil {
			return nil, err
		}
	}
	if base == nil {
		return nil, fmt.Errorf("like: there is no driver %q", s.Like)
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
