package watch

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"belay/configs"
)

func TestAMinuteOfAThousandMessagesASecondIsOneCaptureAndOneAlarmAndDelaysNobody(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"of changes": "changed by jm", "of something else": "link flaps"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play(t, nil, func(s *scene) {
				for range 60 {
					for range 1000 {
						s.says("192.0.2.1", "", text)
					}
					if time.Since(s.began) == 30*time.Second {
						s.says("192.0.2.2", "", "changed by ann")
					}
					s.wait(time.Second)
				}
				if a := s.alarms.Raised(); len(a) != 1 || a[0].Cause != configs.AlarmFlood || a[0].Device != "acme/sw-1" || a[0].Customer != "acme" || !strings.HasPrefix(a[0].What, "more than ") {
					t.Errorf("alarms %+v", a)
				}
				if n := s.Counts(); n.Heard != 101 || n.Dropped != 60_000-100 {
					t.Errorf("%+v", n)
				}
				s.wait(24 * time.Hour)
				other := `2m30s acme/sw-2 by "ann (reported by syslog)"` + bySyslog
				if text == "changed by jm" {
					s.triggered(other, `2m59s acme/sw-1 by "jm (reported by syslog)"`+bySyslog)
				} else {
					s.triggered(other, `4m59s acme/sw-1 by "": one of many messages that were not looked at may have announced a change`)
				}
				if a := s.alarms.Raised(); len(a) != 0 {
					t.Errorf("it was never cleared: %+v", a)
				}
				s.says("192.0.2.1", "", "changed by jm")
				s.wait(time.Hour)
				if got := s.captures(); len(got) != 3 {
					t.Errorf("it is not listened to any more: %v", got)
				}
			})
		})
	}
}

func TestWhoSendsAsManyAsAllowedIsListenedTo(t *testing.T) {
	t.Parallel()
	play(t, func(s *Settings) { s.Flood = 10 }, func(s *scene) {
		for range 60 {
			for range 10 {
				s.says("192.0.2.1", "", "up")
			}
			s.wait(time.Minute)
		}
		if n := s.Counts(); n.Dropped != 0 || n.Heard != 600 || len(s.alarms.Raised()) != 0 {
			t.Errorf("%+v", n)
		}
	})
}

func TestAFloodThatNeverEndsIsOneAlarmAndNotACaptureEachTenMinutes(t *testing.T) {
	t.Parallel()
	play(t, func(s *Settings) { s.Flood = 10 }, func(s *scene) {
		s.says("192.0.2.1", "", "changed by jm")
		for range 12 * 60 {
			for range 2 {
				for range 10 {
					s.says("192.0.2.1", "", "changed by jm")
				}
			}
			s.wait(time.Minute)
		}
		s.triggered(`10m0s acme/sw-1 by "jm (reported by syslog)"` + bySyslog)
		if len(s.alarms.Raised()) != 1 {
			t.Error(s.alarms.Raised())
		}
		s.wait(time.Hour) // at its end, for what was said since
		if got := s.captures(); len(got) != 2 || len(s.alarms.Raised()) != 0 {
			t.Errorf("%v %v", got, s.alarms.Raised())
		}
	})
}

func TestWhoWasReadBehindAFloodIsNotReadAgainAtItsEnd(t *testing.T) {
	t.Parallel()
	play(t, func(s *Settings) { s.HoldOff = 10 * time.Second }, func(s *scene) {
		for range 200 {
			s.says("192.0.2.1", "", "changed by jm")
		}
		s.wait(time.Hour)
		s.triggered(`10s acme/sw-1 by "jm (reported by syslog)"` + bySyslog)
	})
}

func TestStrangersAreNotRememberedWhateverTheySend(t *testing.T) {
	t.Parallel()
	play(t, nil, func(s *scene) {
		for i := range 1000 {
			s.says(netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}).String(), "sw-1", "changed by jm")
		}
		if n := s.Counts(); n.Unknown != 1000 || len(s.guards) != 0 {
			t.Errorf("%+v, %d guards", n, len(s.guards))
		}
	})
}

func TestAFloodFromTwoZonesIsAnAlarmWithoutADevice(t *testing.T) {
	t.Parallel()
	play(t, func(s *Settings) { s.Flood = 10 }, func(s *scene) {
		for range 20 {
			s.says("10.0.0.1", "fw", "changed by jm")
		}
		s.wait(time.Second)
		if a := s.alarms.Raised(); len(a) != 1 || a[0].Device != "" || a[0].Key != "10.0.0.1" {
			t.Errorf("%+v", a)
		}
		s.wait(time.Hour)
		s.triggered(`2m0s beta/fw by "jm (reported by syslog)"` + bySyslog)
	})
}

func TestAnAlarmOfAFloodIsClearedThoughTheServiceWasRestartedInIt(t *testing.T) {
	t.Parallel()
	play(t, func(s *Settings) { s.Flood = 10 }, func(s *scene) {
		for range 20 {
			s.says("192.0.2.1", "", "up")
		}
		s.wait(time.Second)
		s.stop()
		s.start(nil)
		if s.Admit(netip.MustParseAddr("192.0.2.1")) {
			t.Error("it is listened to at once")
		}
		s.wait(time.Hour)
		if len(s.alarms.Raised()) != 0 || !s.Admit(netip.MustParseAddr("192.0.2.1")) {
			t.Error("it stands for ever")
		}
	})
}

func BenchmarkAdmitInAFlood(b *testing.B) {
	w := New(Settings{Devices: inventory(), Signals: signals, Now: time.Now})
	from := netip.MustParseAddr("192.0.2.1")
	for b.Loop() {
		w.Admit(from)
	}
}
