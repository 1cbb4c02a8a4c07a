package conformance

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/devices"
)

// Quarantine holds an implementation of configs.Quarantine to its contract.
// Open gives an empty one each time.
func Quarantine(t *testing.T, open func(t *testing.T) configs.Quarantine) {
	for name, f := range map[string]func(*testing.T, configs.Quarantine){
		"the newest refusal is held":      newestRefusal,
		"a name that is none is refused":  badRefusals,
		"a canceled context is its error": canceledQuarantine,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

func refusal(id devices.ID, minute int) configs.Refusal {
	return configs.Refusal{
		ID: id, Device: devices.Device{Customer: id.Customer(), Name: "fw-hq", Address: "192.0.2.7", Port: 22, Driver: "ios",
			Serials: []string{"FGL2349L0AB"}, Jump: []string{"ada@jump.example.net:22"}, Where: devices.Position{File: "devices.yaml", Line: 7, Column: 3}},
		Taken: at(minute), By: configs.Person{Name: "Ada Example", Claimed: true}, Driver: "ios",
		Checks:    []configs.Check{{Name: "end mark", Detail: "none"}, {Name: "sections", OK: true}},
		Originals: []configs.Sealed{sealed(configs.MainFile, fmt.Sprintf("cut short at minute %d", minute)), sealed("vlan.txt", ""), alone("backup.backup", "\x88\xac")},
	}
}

func newestRefusal(t *testing.T, q configs.Quarantine) {
	wantHeld := func(id devices.ID, want configs.Refusal, wantOK bool) {
		t.Helper()
		got, ok, err := q.Held(t.Context(), id)
		if err != nil || ok != wantOK {
			t.Fatalf("%s: held %t, error %v; want %t", id, ok, err, wantOK)
		}
		if diff := cmp.Diff(want, got, ignored); ok && diff != "" {
			t.Errorf("%s (-held +read):\n%s", id, diff)
		}
	}
	wantHeld("acme/fw-hq", configs.Refusal{}, false)
	if err := q.Release(t.Context(), "acme/fw-hq"); err != nil {
		t.Errorf("release of nothing: %v", err)
	}
	first, second, other := refusal("acme/fw-hq", 1), refusal("acme/fw-hq", 2), refusal("bolt/fw-hq", 3)
	second.Originals = second.Originals[:1] // what the first held besides must be gone
	for _, r := range []configs.Refusal{first, other, second} {
		if err := q.Hold(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	wantHeld("acme/fw-hq", second, true)
	wantHeld("bolt/fw-hq", other, true)
	if err := q.Release(t.Context(), "acme/fw-hq"); err != nil {
		t.Fatal(err)
	}
	wantHeld("acme/fw-hq", configs.Refusal{}, false)
	wantHeld("bolt/fw-hq", other, true)
}

func badRefusals(t *testing.T, q configs.Quarantine) {
	for _, id := range noNames {
		if err := q.Hold(t.Context(), refusal(id, 1)); err == nil {
			t.Errorf("a refusal of %q was held", id)
		}
	}
}

func canceledQuarantine(t *testing.T, q configs.Quarantine) {
	ctx := canceled(t)
	wantCanceled(t, "hold", q.Hold(ctx, refusal("acme/fw-hq", 1)))
	_, _, err := q.Held(ctx, "acme/fw-hq")
	wantCanceled(t, "held", err)
	wantCanceled(t, "release", q.Release(ctx, "acme/fw-hq"))
	if _, ok, err := q.Held(t.Context(), "acme/fw-hq"); ok || err != nil {
		t.Errorf("held %t, error %v after a canceled hold", ok, err)
	}
}
