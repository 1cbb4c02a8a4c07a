package watch

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/configs/memory"
	"belay/devices"
)

// A scene is a Watch over a small inventory, what it is told and what it asks for.
type scene struct {
	*Watch
	t        *testing.T
	messages chan Message
	marks    *memory.Marks
	alarms   *memory.Alarms
	mu       sync.Mutex
	got      []string // triggers: how long after the start, device, by, why
	began    time.Time
	failures []error
	stop     func()
}

func inventory() []devices.Device {
	return []devices.Device{
		{Customer: "acme", Name: "sw-1", Address: "192.0.2.1", Driver: "os"},
		{Customer: "acme", Name: "sw-2", Address: "192.0.2.2", Driver: "os"},
		{Customer: "acme", Name: "fw-hq", Address: "10.0.0.1", Driver: "os", Zone: "a"},
		{Customer: "beta", Name: "fw", Address: "10.0.0.1", Driver: "os", Zone: "b"},
		{Customer: "acme", Name: "twin", Address: "10.0.0.2", Driver: "os", Zone: "a"},
		{Customer: "beta", Name: "twin", Address: "10.0.0.2", Driver: "os", Zone: "b"},
		{Customer: "beta", Name: "named", Address: "sw.beta.example", Driver: "os"},
		{Customer: "beta", Name: "mute", Address: "192.0.2.9", Driver: "unknown"},
	}
}

func signals(d devices.Device) *Signals {
	if d.Driver != "os" {
		return nil
	}
	return &Signals{Poll: "1.1", Saved: "1.2", Traps: []string{"1.3.6.1"}, Says: func(text string) (string, bool) {
		return strings.CutPrefix(text, "changed by ")
	}}
}

// play runs a Watch in a bubble of its own time.
func play(t *testing.T, change func(*Settings), do func(s *scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &scene{t: t, marks: &memory.Marks{}, alarms: &memory.Alarms{}, began: time.Now()}
		s.start(change)
		do(s)
		s.stop()
	})
}

func (s *scene) start(change func(*Settings)) {
	settings := Settings{
		Devices: inventory(), Signals: signals, Marks: s.marks, Alarms: s.alarms, Now: time.Now,
		Resolve: func(_ context.Context, host string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("192.0.2.77")}, nil
		},
		Trigger: func(g Trigger) {
			if g.By.Claimed != (g.By.Name != "") {
				s.t.Errorf("by %+v", g.By)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.got = append(s.got, fmt.Sprintf("%v %s by %q: %s", time.Since(s.began), g.Device, g.By.Name, g.Why))
			_ = Ended(s.t.Context(), s.marks, g.Mark) // what is not forgotten is done once more
		},
		Failed: func(err error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.failures = append(s.failures, err)
		},
	}
	if change != nil {
		change(&settings)
	}
	s.Watch = New(settings)
	s.messages = make(chan Message, 1000)
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, s.messages) }()
	s.stop = func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	}
	synctest.Wait()
}

// captures are the triggers up to now.
func (s *scene) captures() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// says has an address send a message, as the listeners would pass it on.
func (s *scene) says(from, host, text string) {
	if a := netip.MustParseAddr(from); s.Admit(a) {
		s.messages <- Message{From: a, Host: host, Text: text}
	}
}

func (s *scene) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (s *scene) triggered(want ...string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := cmp.Diff(want, s.got); d != "" {
		s.t.Error(d)
	}
}

const bySyslog = ": a syslog message announced a change"

func TestManyMessagesAreOneCaptureWhenTheDeviceIsQuiet(t *testing.T) {
	t.Parallel()
	play(t, nil, func(s *scene) {
		s.says("192.0.2.1", "", "changed by jm")
		s.wait(time.Minute)
		s.says("192.0.2.1", "", "a fan spins")
		s.says("::ffff:192.0.2.1", "", "changed by ann")
		s.wait(time.Minute)
		s.says("192.0.2.1", "", "changed by jm")
		s.says("192.0.2.2", "", "nothing of interest")
		s.wait(119 * time.Second)
		s.triggered()
		s.wait(time.Hour)
		s.triggered(`4m0s acme/sw-1 by "jm, ann (reported by syslog)"` + bySyslog)
		if n := s.Counts(); n != (Counts{Heard: 5, Announced: 3, Triggered: 1}) {
			t.Errorf("%+v", n)
		}
	})
}

func TestADeviceThatIsNeverQuietIsReadAfterTenMinutes(t *testing.T) {
	t.Parallel()
	play(t, nil, func(s *scene) {
		for range 15 {
			s.says("192.0.2.1", "", "changed by jm")
			s.wait(time.Minute)
		}
		s.wait(time.Hour)
		s.triggered(`10m0s acme/sw-1 by "jm (reported by syslog)"`+bySyslog, `16m0s acme/sw-1 by "jm (reported by syslog)"`+bySyslog)
	})
}

func TestNoDeviceIsReadMoreThanSixTimesAnHourForItsMessages(t *testing.T) {
	t.Parallel()
	play(t, nil, func(s *scene) {
		for range 20 {
			s.says("192.0.2.1", "", "changed by jm")
			s.wait(3 * time.Minute)
		}
		if got := s.captures(); len(got) != 6 {
			t.Errorf("%d captures: %v", len(got), got)
		}
		s.wait(time.Hour)
		if got := s.captures(); len(got) != 7 || !strings.HasPrefix(got[6], "1h2m0s ") {
			t.Errorf("the seventh is lost, or early: %v", got)
		}
		for range 20 {
			s.says("192.0.2.1", "", "changed by jm")
			s.wait(30 * time.Minute)
		}
		if n := len(s.fired["acme/sw-1"]); n > s.PerHour {
			t.Errorf("%d captures are remembered", n)
		}
	})
}

func TestWhoSpokeIsFoundByAddressAndOnlyThenByName(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ from, host, want string }{
		"an address":                     {"192.0.2.1", "anything", "acme/sw-1"},
		"another one's name":             {"192.0.2.1", "sw-2", "acme/sw-1"},
		"a stranger":                     {"192.0.2.200", "sw-1", ""},
		"two zones":                      {"10.0.0.1", "", ""},
		"two zones, a name":              {"10.0.0.1", "FW-HQ", "acme/fw-hq"},
		"two zones, a long name":         {"10.0.0.1", "fw.beta.example", "beta/fw"},
		"two zones, the name of a third": {"10.0.0.1", "sw-1", ""},
		"two zones, the name of both":    {"10.0.0.2", "twin", ""},
		"a host name's address":          {"192.0.2.77", "", "beta/named"},
		"a system that tells nothing":    {"192.0.2.9", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play(t, nil, func(s *scene) {
				s.says(c.from, c.host, "changed by jm")
				s.wait(time.Hour)
				if c.want == "" {
					s.triggered()
				} else {
					s.triggered("2m0s " + c.want + ` by "jm (reported by syslog)"` + bySyslog)
				}
				n := s.Counts()
				if (n.Ambiguous == 1) != (strings.HasPrefix(c.from, "10.") && c.want == "") || (n.Unknown == 1) != (name == "a stranger") {
					t.Errorf("%+v", n)
				}
			})
		})
	}
}

func TestATrapAnnouncesAChangeAndNamesNobody(t *testing.T) {
	t.Parallel()
	play(t, nil, func(s *scene) {
		s.messages <- Message{From: netip.MustParseAddr("192.0.2.1"), Trap: "1.3.6.1"}
		s.messages <- Message{From: netip.MustParseAddr("192.0.2.2"), Trap: "1.3.6.2", Text: "changed by jm"}
		s.wait(time.Hour)
		s.triggered(`2m0s acme/sw-1 by "": a trap announced a change`)
	})
}

func TestAHostNameIsAskedForOnceAndAgainWhereItHadNoAnswer(t *testing.T) {
	t.Parallel()
	asked := 0
	play(t, func(s *Settings) {
		s.Resolve = func(context.Context, string) ([]netip.Addr, error) {
			if asked++; asked < 3 {
				return nil, errors.New("no such host")
			}
			return []netip.Addr{netip.MustParseAddr("192.0.2.77")}, nil
		}
	}, func(s *scene) {
		if s.Known(netip.MustParseAddr("192.0.2.77")) {
			t.Error("known before it was found")
		}
		s.wait(24 * time.Hour)
		if asked != 3 || !s.Known(netip.MustParseAddr("192.0.2.77")) {
			t.Errorf("asked %d times", asked)
		}
	})
}

func TestWhatIsPendingWhenTheServiceEndsIsDoneByTheNext(t *testing.T) {
	t.Parallel()
	play(t, nil, func(s *scene) {
		s.says("192.0.2.1", "", "changed by jm")
		s.says("192.0.2.2", "", "changed by ann")
		s.wait(time.Second)
		s.stop()
		s.wait(9 * time.Minute) // down
		s.start(func(s *Settings) { s.Devices = s.Devices[:1] })
		s.wait(time.Hour)
		s.triggered(`10m0s acme/sw-1 by "jm (reported by syslog)"` + bySyslog)
		s.stop()
		s.start(nil)
		s.wait(time.Hour)
		if got := s.captures(); len(got) != 1 || len(s.failures) != 0 {
			t.Errorf("it is done twice: %v, %v", got, s.failures)
		}
	})
}

func TestWhatIsTriggeredAsTheServiceEndsIsTriggeredOnce(t *testing.T) {
	t.Parallel()
	play(t, nil, func(s *scene) {
		s.stop()
		s.start(func(set *Settings) {
			trigger := set.Trigger
			set.Trigger = func(g Trigger) {
				trigger(g)
				go s.stop()
				time.Sleep(time.Second)
			}
		})
		s.says("192.0.2.1", "", "changed by jm")
		s.wait(time.Hour)
		s.start(nil)
		s.wait(time.Hour)
		s.triggered(`2m0s acme/sw-1 by "jm (reported by syslog)"` + bySyslog)
	})
}

func TestWhatWasHeardAsTheServiceEndsIsRemembered(t *testing.T) {
	t.Parallel()
	play(t, nil, func(s *scene) {
		s.stop()
		d, err := New(Settings{Devices: inventory()}).book.find(netip.MustParseAddr("192.0.2.1"), "")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(s.t.Context())
		cancel()
		w := New(Settings{Devices: inventory(), Signals: signals, Marks: s.marks, Alarms: s.alarms, Now: time.Now})
		w.mu.Lock()
		w.touch(d, netip.Addr{}, "jm", "a")
		w.mu.Unlock()
		w.flush(ctx)
		s.start(nil)
		s.wait(time.Hour)
		s.triggered(`2m0s acme/sw-1 by "jm (reported by syslog)": a`)
	})
}

func TestAPendingCaptureOfTheFutureIsMadeAllTheSame(t *testing.T) {
	t.Parallel()
	play(t, nil, func(s *scene) {
		s.stop()
		first := time.Now().Add(time.Hour).Format(time.RFC3339)
		if err := s.marks.SetMarks(s.t.Context(), markPending, configs.Mark{Key: "acme/sw-1", Value: []byte(`{"first":"` + first + `","why":["a"]}`)}, configs.Mark{Key: "acme/sw-2", Value: []byte("{")}); err != nil {
			t.Fatal(err)
		}
		s.start(nil)
		for range 11 {
			s.says("192.0.2.1", "", "changed by jm")
			s.wait(time.Minute)
		}
		s.triggered(`10m0s acme/sw-1 by "jm (reported by syslog)": a; a syslog message announced a change`)
		if left, err := s.marks.Mark(s.t.Context(), markPending, "acme/sw-2"); left != nil || err != nil {
			t.Errorf("%s, %v", left, err)
		}
	})
}

func TestMarksThatCannotBeWrittenStopNothing(t *testing.T) {
	t.Parallel()
	play(t, func(s *Settings) {
		s.Marks.(*memory.Marks).Fail = func(method string) error {
			if method == "SetMarks" {
				return errors.New("the disk is full")
			}
			return nil
		}
	}, func(s *scene) {
		s.says("192.0.2.1", "", "changed by jm")
		s.wait(time.Hour)
		s.triggered(`2m0s acme/sw-1 by "jm (reported by syslog)"` + bySyslog)
		if len(s.failures) == 0 {
			t.Error("nobody was told")
		}
	})
}

func TestANameOfAMessageIsMadeFitForACommit(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"jm": "jm", "": "", "  j \t m\n": "j m", "jm <root@x>": "jm root@x", "\x1b[31mjm\x00": "[31mjm", "\u202ejm\u2066": "jm",
		"CORP\\jm": "CORP\\jm", "jm@corp.example": "jm@corp.example", "\xffjm": "jm", "Zoë": "Zoë", "'; rm -rf /": "rm -rf /", "...": "",
		strings.Repeat("é", 100): strings.Repeat("é", longestName),
	} {
		if got := cleanName(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if p := author([]string{"a", "b"}); p != (configs.Person{Name: "a, b (reported by syslog)", Claimed: true}) {
		t.Errorf("%+v", p)
	}
}
