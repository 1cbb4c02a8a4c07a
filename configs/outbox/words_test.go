package outbox_test

import (
	"errors"
	"strings"
	"testing"

	"belay/configs"
	"belay/configs/memory"
	"belay/devices"
)

// Each adapter says what it was doing, to what. What stands around it adds who
// waits for what, and repeats nothing.
func TestWhatASystemSaysIsToldOnce(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"finditems", "items", "restrict", "attach", "attached"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.device("acme/fw-hq")
			s.place.Restrict = true
			v := s.commit("acme/fw-hq", "hostname fw-hq")
			said := "what the adapter did: it answered 500"
			seen := map[string]int{}
			s.doc.Trouble = func(at string, _ configs.Item) memory.Trouble {
				at = strings.ToLower(strings.ReplaceAll(at, " ", ""))
				seen[at]++
				if at == op {
					return memory.Trouble{Err: errors.New(said)}
				}
				return memory.Trouble{}
			}
			if op == "items" { // one that was found a moment ago is not looked at again
				item := s.device("acme/fw-hq")
				if err := s.items.Map(t.Context(), configs.Mapping{To: "itglue", Device: "acme/fw-hq", Item: item, How: "person", By: ada, At: s.Now()}); err != nil {
					t.Fatal(err)
				}
			}
			_, err := s.prove(s.office(), v)
			if err == nil {
				t.Fatalf("it worked; the system was asked for %v", seen)
			}
			if want := "deliver to " + s.doc.Name() + " for acme/fw-hq: " + said; err.Error() != want {
				t.Errorf("got  %v\nwant %v", err, want)
			}
			if devices.KindOf(err) != devices.AttachmentPending || devices.HintOf(err) == "" {
				t.Errorf("kind %v, hint %q", devices.KindOf(err), devices.HintOf(err))
			}
		})
	}
}
