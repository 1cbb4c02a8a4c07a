package memory

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"belay/configs"
	"belay/devices"
)

// An Index answers from memory. The zero value is ready.
type Index struct {
	Faults

	mu        sync.Mutex
	customers map[string]*indexed
}

type indexed struct {
	head     string
	versions []configs.Version
	texts    map[devices.ID]configs.Indexed // the newest
}

// Head is the commit at which the index of a customer stands.
func (x *Index) Head(ctx context.Context, customer string) (string, error) {
	if err := x.check(ctx, "Head"); err != nil {
		return "", err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if c := x.customers[customer]; c != nil {
		return c.head, nil
	}
	return "", nil
}

// Standing is where the index of each customer stands.
func (x *Index) Standing(ctx context.Context) (map[string]string, error) {
	if err := x.check(ctx, "Standing"); err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	heads := map[string]string{}
	for name, c := range x.customers {
		heads[name] = c.head
	}
	return heads, nil
}

// Extend brings a customer's index from one commit to another.
func (x *Index) Extend(ctx context.Context, customer, from, to string, versions []configs.Indexed) error {
	if err := x.check(ctx, "Extend"); err != nil {
		return err
	}
	for _, v := range versions {
		if err := checkID(v.Version.ID); err != nil {
			return err
		}
		if v.Version.ID.Customer() != customer {
			return fmt.Errorf("%s is not customer %s's", v.Version.ID, customer)
		}
	}
	if err := devices.CheckName(customer); err != nil || to == "" {
		return fmt.Errorf("customer %q, to %q: want both", customer, to)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	c := x.customers[customer]
	if from != "" && (c == nil || c.head != from) {
		return configs.ErrIndexMoved
	}
	if x.customers == nil {
		x.customers = map[string]*indexed{}
	}
	if from == "" {
		c = &indexed{texts: map[devices.ID]configs.Indexed{}}
		x.customers[customer] = c
	}
	c.head = to
	for _, v := range versions {
		v.Version = cloneVersion(v.Version)
		v.Version.New, v.Version.Taken = false, v.Version.Taken.UTC()
		c.versions = append(c.versions, v.Version)
		if v.Texts != nil {
			v.Texts = slices.SortedFunc(slices.Values(v.Texts), func(a, b configs.Text) int { return strings.Compare(a.Name, b.Name) })
			c.texts[v.Version.ID] = v
		}
	}
	return nil
}

// Drop takes a customer out of the index.
func (x *Index) Drop(ctx context.Context, customer string) error {
	if err := x.check(ctx, "Drop"); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.customers, customer)
	return nil
}

// Versions are a device's versions, newest first.
func (x *Index) Versions(ctx context.Context, id devices.ID) iter.Seq2[configs.Version, error] {
	return x.sequence(ctx, "Versions", func() []configs.Version {
		var vs []configs.Version
		if c := x.customers[id.Customer()]; c != nil {
			for _, v := range slices.Backward(c.versions) {
				if v.ID == id {
					vs = append(vs, cloneVersion(v))
				}
			}
		}
		return vs
	})
}

// At is the version that stood at a time.
func (x *Index) At(ctx context.Context, id devices.ID, t time.Time) (configs.Version, bool, error) {
	if err := x.check(ctx, "At"); err != nil {
		return configs.Version{}, false, err
	}
	for v, err := range x.Versions(ctx, id) {
		if err != nil || !v.Taken.After(t) {
			return v, err == nil, err
		}
	}
	return configs.Version{}, false, nil
}

// Since are the versions taken at or after a time, the oldest first.
func (x *Index) Since(ctx context.Context, customer string, t time.Time) iter.Seq2[configs.Version, error] {
	return x.sequence(ctx, "Since", func() []configs.Version {
		var vs []configs.Version
		for name, c := range x.customers {
			for _, v := range c.versions {
				if (customer == "" || customer == name) && !v.Taken.Before(t) {
					vs = append(vs, cloneVersion(v))
				}
			}
		}
		slices.SortStableFunc(vs, func(a, b configs.Version) int { return a.Taken.Compare(b.Taken) })
		return vs
	})
}

// Search looks through the newest texts.
func (x *Index) Search(ctx context.Context, q configs.Query) iter.Seq2[configs.Found, error] {
	return func(yield func(configs.Found, error) bool) {
		if err := x.check(ctx, "Search"); err != nil {
			yield(configs.Found{}, err)
			return
		}
		x.mu.Lock()
		newest := map[devices.ID]configs.Indexed{}
		for name, c := range x.customers {
			if q.Customer == "" || q.Customer == name {
				maps.Copy(newest, c.texts)
			}
		}
		x.mu.Unlock()
		for _, id := range slices.Sorted(maps.Keys(newest)) {
			v := newest[id].Version
			for _, t := range newest[id].Texts {
				n := 0
				for line := range strings.Lines(t.Clean.String()) {
					n++
					line = strings.TrimSuffix(line, "\n")
					if q.Pattern.MatchString(line) && !yield(configs.Found{ID: id, Name: v.Name, Commit: v.Commit, File: t.Name, Line: n, Text: line}, nil) {
						return
					}
				}
			}
		}
	}
}

// sequence gives what a walk through the versions finds.
func (x *Index) sequence(ctx context.Context, op string, find func() []configs.Version) iter.Seq2[configs.Version, error] {
	return func(yield func(configs.Version, error) bool) {
		if err := x.check(ctx, op); err != nil {
			yield(configs.Version{}, err)
			return
		}
		x.mu.Lock()
		vs := find()
		x.mu.Unlock()
		for _, v := range vs {
			if !yield(v, nil) {
				return
			}
		}
	}
}
