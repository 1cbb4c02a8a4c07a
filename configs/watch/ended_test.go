package watch

import (
	"slices"
	"testing"
	"time"

	"belay/configs"
)

// slowly plays a scene in which captures are submitted that end when the test says so.
func slowly(t *testing.T, do func(s *scene, under *[]Trigger)) {
	t.Helper()
	play(t, nil, func(s *scene) {
		var under []Trigger
		s.stop()
		s.start(func(set *Settings) { set.Trigger = func(g Trigger) { under = append(under, g) } })
		do(s, &under)
	})
}

func TestACaptureThatTheServicesEndCutOffIsMadeByTheNext(t *testing.T) {
	t.Parallel()
	slowly(t, func(s *scene, cut *[]Trigger) {
		s.says("192.0.2.1", "", "changed by jm")
		s.wait(time.Hour)
		s.stop()
		if len(*cut) != 1 {
			t.Fatalf("%+v", *cut)
		}
		s.start(nil)
		s.wait(time.Hour)
		s.triggered(`1h0m0s acme/sw-1 by "jm (reported by syslog)"` + bySyslog)
		s.stop()
		s.start(nil)
		s.wait(time.Hour)
		if got := s.captures(); len(got) != 1 {
			t.Errorf("it ended, and is made again: %v", got)
		}
	})
}

func TestWhatIsHeardDuringACaptureIsNotForgottenWithIt(t *testing.T) {
	t.Parallel()
	slowly(t, func(s *scene, under *[]Trigger) {
		s.says("192.0.2.1", "", "changed by jm")
		s.wait(5 * time.Minute)
		s.says("192.0.2.1", "", "changed by ann")
		s.wait(time.Second)
		s.stop()
		for _, g := range *under {
			if err := Ended(t.Context(), s.marks, g.Mark); err != nil {
				t.Fatal(err)
			}
		}
		s.start(nil)
		s.wait(time.Hour)
		s.triggered(`7m1s acme/sw-1 by "ann (reported by syslog)"` + bySyslog)
	})
}

func TestACaptureUnderWayIsNotMadeTwiceWhenTheSettingsAreReadAgain(t *testing.T) {
	t.Parallel()
	slowly(t, func(s *scene, under *[]Trigger) {
		s.says("192.0.2.1", "", "changed by jm")
		s.says("192.0.2.2", "", "changed by ann")
		s.wait(5 * time.Minute)
		s.stop()
		s.start(func(set *Settings) {
			set.Begun = func(m configs.Mark) bool {
				return slices.ContainsFunc(*under, func(g Trigger) bool {
					return m.Key == "acme/sw-1" && m.Key == g.Mark.Key && string(m.Value) == string(g.Mark.Value)
				})
			}
		})
		s.wait(time.Hour)
		s.triggered(`7m0s acme/sw-2 by "ann (reported by syslog)"` + bySyslog)
	})
}
