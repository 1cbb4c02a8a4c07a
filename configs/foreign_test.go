package configs_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"belay/configs"
	"belay/devices"
)

// Many customers have something at 192.168.1.1: a device of which nothing is
// known yet must not be another customer's.
func TestABoxThatIsKnownAsAnotherCustomersIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		serial, inventory string
		refused           bool
	}{
		"another customer's":                  {serial: "ZETA-0001", refused: true},
		"another device of the customer":      {serial: "ACME-0001"},
		"nobody's":                            {serial: "NEW-0001"},
		"the inventory says that it has come": {serial: "ZETA-0001", inventory: "ZETA-0001"},
		"no number at all":                    {},
		"what many machines say":              {serial: "None"},
		"what many others say":                {serial: "00000000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.Whose = func(_ context.Context, serial string) (devices.ID, bool, error) {
				id, ok := map[string]devices.ID{"ZETA-0001": "zeta/fw", "ACME-0001": "acme/other", "None": "zeta/vm", "00000000": "zeta/vm2"}[serial]
				return id, ok, nil
			}
			if c.inventory != "" {
				s.device.Serials = []string{c.inventory}
			}
			var said []string
			if c.serial != "" {
				said = []string{c.serial}
			}
			r := s.capture(configs.Order{}, says(marked, config(10), said...))
			if !c.refused {
				wantGood(t, r, configs.Kept)
				return
			}
			want(t, r, configs.Refused, devices.Refused)
			wantFailed(t, r.Checks, configs.CheckDevice)
			if !strings.Contains(r.Error, "zeta/fw") || !strings.Contains(r.Hint, "inventory") || s.versions() != 0 {
				t.Errorf("%d versions, error %q, hint %q", s.versions(), r.Error, r.Hint)
			}
		})
	}
}

func TestNothingIsKeptWhereItCannotBeToldWhoseABoxIs(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.Whose = func(context.Context, string) (devices.ID, bool, error) { return "", false, errors.New("torn") }
	if r := s.capture(configs.Order{}, says(marked, config(10), "S-1234")); r.Err == nil || s.versions() != 0 {
		t.Errorf("%d versions, error %v", s.versions(), r.Err)
	}
}

func TestAnExportOfAnotherCustomersBoxIsRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.Whose = func(context.Context, string) (devices.ID, bool, error) { return "zeta/fw", true, nil }
	c := says(marked, config(10), "ZETA-0001").capture
	c.Missing = []string{"somebody's word"}
	r := s.Import(t.Context(), s.device, c, configs.Order{By: person, Vouched: "somebody's word"})
	want(t, r, configs.Refused, devices.Refused)
	wantFailed(t, r.Checks, configs.CheckDevice)
	if s.versions() != 0 {
		t.Errorf("%d versions", s.versions())
	}
}
