package change_test

import (
	"fmt"
	"testing"
)

func TestTheKeyOfABoxThatIsNotTheNewOneIsNotTrustedAnyMore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		alter func(*box)
		want  string
	}{
		"the new box":            {func(*box) {}, "[]"},
		"the old box":            {func(b *box) { b.serials = []string{"A1"} }, "[fw-hq-new SHA256:new]"},
		"a box of another place": {func(b *box) { b.serials = []string{"X9"} }, "[fw-hq-new SHA256:new]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.known["X9"] = "acme/other"
			s.before()
			s.stands(fwNew, c.alter)
			_, r := s.after()
			if got := fmt.Sprint(s.unpinned); got != c.want || r.Verified != (c.want == "[]") {
				t.Errorf("taken back: %s, want %s; %v", got, c.want, r.Err)
			}
			s.stands(fwNew, func(b *box) { b.serials = []string{"N1"} })
			if _, r := s.after(); !r.Verified || len(s.pins) != 2 {
				t.Errorf("the right box after it: %v, pinned %q", r.Err, s.pins)
			}
		})
	}
}
