package history_test

import (
	"context"
	"errors"
	"testing"

	"belay/configs"
	"belay/configs/history"
)

var errHeld = errors.New("another process holds it")

// A held index takes nothing, and counts who tried.
type held struct {
	configs.Index
	tried int
}

func (h *held) Extend(context.Context, string, string, string, []configs.Indexed) error {
	h.tried++
	return errHeld
}

func (h *held) Drop(context.Context, string) error {
	h.tried++
	return errHeld
}

func TestAnIndexThatTakesNothingIsTriedOnceAndNotForEachCustomer(t *testing.T) {
	t.Parallel()
	s := set(t)
	for i, customer := range []string{"acme", "bolt", "cord"} {
		s.keepAs(customer+"/sw", "sw", i, "one\n")
	}
	for name, ask := range map[string]func(h *history.History) error{
		"a round": func(h *history.History) error { return h.RefreshAll(t.Context()) },
		"anew":    func(h *history.History) error { return h.Rebuild(t.Context(), "") },
	} {
		h, index := s.another(), &held{Index: s.ledger}
		h.Index = index
		if err := ask(h); !errors.Is(err, errHeld) || index.tried != 1 {
			t.Errorf("%s: tried %d times, %v", name, index.tried, err)
		}
	}
	if err := s.RefreshAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	gone := s.another()
	index := &held{Index: s.ledger}
	gone.Index, gone.Walk = index, &without{Walker: s.store}
	if err := gone.RefreshAll(t.Context()); !errors.Is(err, errHeld) || index.tried != 1 {
		t.Errorf("histories that are gone: tried %d times, %v", index.tried, err)
	}
}

// without has no histories.
type without struct{ history.Walker }

func (without) Customers() ([]string, error) { return nil, nil }

func (without) Head(context.Context, string) (string, error) { return "", nil }

// shut cannot look at one customer's history.
type shut struct{ history.Walker }

var errShut = errors.New("no permission")

func (s shut) Head(ctx context.Context, customer string) (string, error) {
	if customer == "acme" {
		return "", errShut
	}
	return s.Walker.Head(ctx, customer)
}

func TestAHistoryThatCannotBeLookedAtKeepsNoOtherFromTheIndex(t *testing.T) {
	t.Parallel()
	s := set(t)
	for i, customer := range []string{"acme", "bolt"} {
		s.keepAs(customer+"/sw", "sw", i, "one\n")
	}
	s.Walk = shut{s.store}
	if err := s.RefreshAll(t.Context()); !errors.Is(err, errShut) {
		t.Error(err)
	}
	standing, err := s.ledger.Standing(t.Context())
	if err != nil || standing["bolt"] == "" {
		t.Errorf("the index stands at %v, %v", standing, err)
	}
}
