package canary

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"belay/devices"
)

func TestADoubtStandsWhileItsCanariesAreNotCaught(t *testing.T) {
	t.Parallel()
	b, m, l, alarms := newBook()
	if err := errors.Join(b.Record(t.Context(), sights()), b.Record(t.Context(), []Sight{{Name: "empty: frr", Why: "it was kept"}})); err != nil {
		t.Fatal(err)
	}
	before := len(events(t, l))
	var tried [][]string
	var now []Sight
	var failed error
	b.Try = func(_ context.Context, names []string) ([]Sight, error) {
		tried = append(tried, names)
		return now, failed
	}
	for name, c := range map[string]struct {
		sights []Sight
		err    error
		says   string
	}{
		"kept":      {[]Sight{{Name: "cut: ios", Why: "it was kept: half"}, {Name: "well: eos"}}, nil, "cut: ios: it was kept: half"},
		"not tried": {[]Sight{{Name: "cut: ios", Error: "no port"}}, errors.New("no port"), "no port"},
	} {
		now, failed = c.sights, c.err
		err := b.Understood(t.Context(), "why")
		if devices.KindOf(err) != devices.Unproven || devices.HintOf(err) == "" || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if why, err := Doubt(t.Context(), m); why == "" || err != nil || len(alarms.Raised()) != 1 || len(events(t, l)) != before {
			t.Errorf("%s: doubt %q, %v", name, why, err)
		}
	}
	now, failed = []Sight{{Name: "cut: ios"}}, nil
	if err := b.Understood(t.Context(), "why"); err != nil {
		t.Error(err)
	}
	if why, err := Doubt(t.Context(), m); why != "" || err != nil {
		t.Errorf("doubt %q, %v", why, err)
	}
	if len(tried) != 3 {
		t.Errorf("tried %d times", len(tried))
	}
	for _, names := range tried {
		if !slices.Equal(names, []string{"cut: ios", "empty: frr", "well: eos"}) {
			t.Errorf("tried %q", names)
		}
	}
}

func TestACanaryIsTriedAgainByItsName(t *testing.T) {
	names := []string{"cut in the middle: cisco_ios", "well: frr", "cut in the middle: gone"}
	sights, err := Named(t.Context(), load(t), oneNight, names)
	if err != nil || len(sights) != 2 {
		t.Fatalf("%+v, %v", sights, err)
	}
	for _, s := range sights {
		if !s.Good() || !slices.Contains(names, s.Name) {
			t.Errorf("%+v", s)
		}
	}
}
