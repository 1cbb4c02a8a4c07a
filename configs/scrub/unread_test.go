package scrub_test

import (
	"errors"
	"testing"
)

// A shelf that errors for ever is carried from pass to pass: none of them has
// read all that is kept, however far it has come.
func TestAPassThatCouldNotReadAShelfIsNoWholeOne(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]int{"acme": 10, "globex": 10})
	for range 8 {
		s.step()
		s.now = s.now.Add(night)
	}
	good := s.progress().Completed
	if good.IsZero() {
		t.Fatal("no pass was whole")
	}
	s.shelves[1].fails = errors.New("no key")
	for n := range 30 {
		s.step()
		if p := s.progress(); n > 8 && p.Unread["acme/versions"] == "" {
			t.Errorf("night %d says nothing of the shelf: %v", n, p.Unread)
		}
		s.now = s.now.Add(night)
	}
	p := s.progress()
	if len(p.Unread) != 3 || p.Completed.Sub(good) > 8*night {
		t.Errorf("the last whole pass is told to have ended %s, %d nights after the shelf was last read; unread: %v", p.Completed, int(p.Completed.Sub(good)/night), p.Unread)
	}
	s.shelves[1].fails = nil
	for range 9 {
		s.step()
		s.now = s.now.Add(night)
	}
	if p = s.progress(); len(p.Unread) != 0 || s.now.Sub(p.Completed) > 8*night {
		t.Errorf("it was read again, and the last whole pass ended %s; unread %v", p.Completed, p.Unread)
	}
}
