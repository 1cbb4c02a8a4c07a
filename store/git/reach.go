package git

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/go-git/go-git/v5/plumbing"

	"belay/devices"
)

// A Reached is what a customer's remote says of itself, before anything is sent.
type Reached struct {
	Place  string // for people, without logins
	Second bool   // it counts as a second place
	Main   string // where its main is; empty: it has none yet
	Behind bool   // it lacks what is here: the next push brings it
	Ahead  bool   // its main is a commit that is not in this history
}

// Reach begins a push to a customer's remote and breaks it off before anything is
// sent: so its address, host key and login are right, and who may not write there
// hears of it from most servers. Where no remote is set up ok is false.
func (s *Store) Reach(ctx context.Context, customer string) (_ Reached, ok bool, err error) {
	r, err := s.repo(customer)
	if err != nil {
		return Reached{}, false, err
	}
	remote, ok := s.remote(customer)
	if !ok {
		return Reached{}, false, nil
	}
	at, err := s.reach(ctx, r, remote)
	if err != nil {
		return at, true, unproven(customer, at.Place, err)
	}
	return at, true, nil
}

// remote is a customer's, with its name in the address.
func (s *Store) remote(customer string) (Remote, bool) {
	remote, ok := s.Remotes[customer]
	if !ok {
		remote, ok = s.Remotes["default"]
	}
	remote.URL = strings.ReplaceAll(remote.URL, "{customer}", customer)
	return remote, ok && remote.URL != ""
}

// HasSecond tells whether a customer's remote, where one is set up, is another
// place than the store.
func (s *Store) HasSecond(customer string) bool {
	remote, ok := s.remote(customer)
	if !ok {
		return false
	}
	t, err := s.transport(remote)
	return remote.Elsewhere || err == nil && !t.local()
}

func (s *Store) reach(ctx context.Context, r *repo, remote Remote) (at Reached, err error) {
	at.Place = "the remote"
	t, err := s.transport(remote)
	if err != nil {
		return at, err
	}
	at.Place, at.Second = t.place(), !t.local() || remote.Elsewhere
	defer func() { err = errors.Join(err, t.close()) }()
	session, err := t.receive(ctx)
	if err != nil {
		return at, err
	}
	theirs, err := session.AdvertisedReferencesContext(ctx)
	if err = errors.Join(err, session.Close()); err != nil {
		return at, err
	}
	if t.local() {
		if err := syscall.Access(filepath.Join(t.endpoint.Path, "objects"), 2); err != nil { // W_OK
			return at, fmt.Errorf("this user cannot write there: %w", err)
		}
	}
	main := theirs.References[mainRef]
	if !main.IsZero() {
		at.Main = main.String()
	}
	if ok, err := r.exists(); !ok || err != nil {
		at.Ahead = at.Main != ""
		return at, err
	}
	head, err := r.head()
	if err != nil || head == main {
		return at, err
	}
	if at.Ahead, err = r.lacks(ctx, head, main); err != nil {
		return at, err
	}
	at.Behind = !at.Ahead
	return at, nil
}

// lacks tells whether a commit is not in the line that ends at head.
func (r *repo) lacks(ctx context.Context, head, commit plumbing.Hash) (bool, error) {
	if commit.IsZero() {
		return false, nil
	}
	if head.IsZero() {
		return true, nil
	}
	has, err := r.reaches(ctx, head, []string{commit.String()})
	if devices.KindOf(err) == devices.Damaged {
		return false, err
	}
	return err == nil && !has[commit.String()], err
}
