package ledger

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAKeyThatWasTakenBackLeavesWhatWasTrustedBefore(t *testing.T) {
	t.Parallel()
	const host = "acme/fw-hq"
	first, second, wrong, later := pin(host, "one"), pin(host, "two"), pin(host, "wrong"), pin(host, "later")
	for name, c := range map[string]struct {
		before, now, want []Pin
	}{
		"two":                   {[]Pin{first, second}, []Pin{wrong}, []Pin{first, second}},
		"none":                  {nil, []Pin{wrong}, nil},
		"somebody came between": {[]Pin{first}, []Pin{later}, []Pin{later}},
		"somebody trusts both":  {[]Pin{first}, []Pin{wrong, later}, []Pin{wrong, later}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := open(t, t.TempDir())
			if err := l.ReplacePins(t.Context(), host, c.now); err != nil {
				t.Fatal(err)
			}
			n := len(trusted(t, l))
			back := wrong
			back.Reason = "no successor after all"
			if err := l.TakeBackPin(t.Context(), back, c.before); err != nil {
				t.Fatal(err)
			}
			got, err := l.Pins(t.Context(), host)
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("%v, pins (-want +got):\n%s", err, diff)
			}
			events := trusted(t, l)[n:]
			if moved := len(c.now) == 1 && c.now[0].Fingerprint == wrong.Fingerprint; moved != (len(events) == 1) {
				t.Fatalf("%d events", len(events))
			} else if moved && (events[0].Detail["before"] != wrong.Fingerprint || events[0].Detail["after"] != fingerprints(c.want) || events[0].Detail["reason"] != back.Reason) {
				t.Errorf("the event: %+v", events[0])
			}
		})
	}
}
