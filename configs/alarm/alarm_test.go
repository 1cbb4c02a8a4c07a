package alarm_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/configs/alarm"
	"belay/configs/memory"
)

// A mailbox is a Messenger that remembers, and fails while it is told to.
type mailbox struct {
	mu   sync.Mutex
	fail func(channel string) error
	got  map[string][]alarm.Message
}

func (m *mailbox) Send(ctx context.Context, channel string, msg alarm.Message) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		if err := m.fail(channel); err != nil {
			return err
		}
	}
	if m.got == nil {
		m.got = map[string][]alarm.Message{}
	}
	m.got[channel] = append(m.got[channel], msg)
	return nil
}

// subjects are what a channel was told, in order.
func (m *mailbox) subjects(channel string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := []string{}
	for _, msg := range m.got[channel] {
		list = append(list, msg.Subject)
	}
	return list
}

type setting struct {
	*alarm.Bell
	box    *mailbox
	marks  *memory.Marks
	ledger *memory.Ledger
	clock  time.Time
}

func start() *setting {
	s := &setting{box: &mailbox{}, marks: &memory.Marks{}, ledger: &memory.Ledger{}, clock: time.Date(2026, 11, 21, 22, 0, 0, 0, time.UTC)}
	s.Bell = s.another()
	return s
}

// another is the bell of another process.
func (s *setting) another() *alarm.Bell {
	return &alarm.Bell{
		Marks: s.marks, Ledger: s.ledger, Messenger: s.box, By: configs.Person{Name: "belay"},
		To:  func(configs.Alarm) []string { return []string{"noc"} },
		Now: func() time.Time { return s.clock },
	}
}

func (s *setting) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *setting) heard(t *testing.T, want ...string) {
	t.Helper()
	if want == nil {
		want = []string{}
	}
	if d := cmp.Diff(want, s.box.subjects("noc")); d != "" {
		t.Fatalf("the channel heard (-want +got):\n%s", d)
	}
}

func shut(n int) configs.Alarm {
	return configs.Alarm{Cause: configs.AlarmGate, Customer: "acme", Device: "acme/fw-hq", Key: fmt.Sprintf("c-%d", n),
		What: "no copy of it is verified", Hint: "belay before acme/fw-hq --ticket T1"}
}

var key = configs.Alarm{Cause: configs.AlarmHostKey, Customer: "acme", Device: "acme/sw-1", Key: "SHA256:x", What: "it shows SHA256:x"}

func TestACauseIsToldOnceHoweverOftenItIsRaised(t *testing.T) {
	t.Parallel()
	s := start()
	for range 5 {
		s.must(t, s.Raise(t.Context(), shut(1)))
		s.must(t, s.another().Raise(t.Context(), shut(1)))
		s.must(t, s.Deliver(t.Context()))
		s.must(t, s.another().Deliver(t.Context()))
		s.clock = s.clock.Add(2 * time.Hour)
	}
	s.heard(t, "gate refused: acme/fw-hq")
	text := s.box.got["noc"][0].Text
	for _, want := range []string{"no copy of it is verified", "next: belay before acme/fw-hq --ticket T1", "2026-11-21 22:00 UTC"} {
		if !strings.Contains(text, want) {
			t.Errorf("the message does not say %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "told before") {
		t.Errorf("a first telling says that it may be a repeat:\n%s", text)
	}
}

func TestWhatIsOverIsToldOnceAndOnlyToThoseWhoWereTold(t *testing.T) {
	t.Parallel()
	s := start()
	s.must(t, s.Raise(t.Context(), key))
	s.must(t, s.Deliver(t.Context()))
	s.clock = s.clock.Add(3 * time.Hour)
	for range 3 {
		s.must(t, s.Clear(t.Context(), key))
		s.must(t, s.Deliver(t.Context()))
	}
	s.heard(t, "host key changed: acme/sw-1", "over: host key changed: acme/sw-1")
	if text := s.box.got["noc"][1].Text; !strings.Contains(text, "stood for 3 hours") {
		t.Errorf("the end does not say how long it was:\n%s", text)
	}

	s.must(t, s.Raise(t.Context(), shut(1))) // and gone before anybody was told
	s.must(t, s.Clear(t.Context(), shut(1)))
	s.must(t, s.Deliver(t.Context()))
	s.heard(t, "host key changed: acme/sw-1", "over: host key changed: acme/sw-1")
	for m, err := range s.marks.Marks(t.Context(), "alarm") {
		t.Errorf("mark %s stays, %v", m.Key, err)
	}

	s.must(t, s.Raise(t.Context(), key)) // the next time it is told again
	s.must(t, s.Deliver(t.Context()))
	s.heard(t, "host key changed: acme/sw-1", "over: host key changed: acme/sw-1", "host key changed: acme/sw-1")
}

func TestACauseThatComesAndGoesWithinAMessageIsOne(t *testing.T) {
	t.Parallel()
	s := start()
	s.must(t, s.Raise(t.Context(), key))
	s.must(t, s.Deliver(t.Context()))
	for range 10 {
		s.must(t, s.Clear(t.Context(), key))
		s.must(t, s.Raise(t.Context(), key))
		s.must(t, s.Deliver(t.Context()))
	}
	s.heard(t, "host key changed: acme/sw-1")
}

func TestWhatIsRaisedAnewWhileItsEndIsToldIsTold(t *testing.T) {
	t.Parallel()
	s := start()
	s.must(t, s.Raise(t.Context(), key))
	s.must(t, s.Deliver(t.Context()))
	s.must(t, s.Clear(t.Context(), key))
	s.clock = s.clock.Add(time.Minute)
	other := s.another()
	s.box.fail = func(string) error { return other.Raise(t.Context(), key) }
	s.must(t, s.Deliver(t.Context()))
	s.box.fail = nil
	s.must(t, s.Deliver(t.Context()))
	s.heard(t, "host key changed: acme/sw-1", "over: host key changed: acme/sw-1", "host key changed: acme/sw-1")
}

func TestTheEndOfWhatIsBeingToldIsToldToo(t *testing.T) {
	t.Parallel()
	s := start()
	s.must(t, s.Raise(t.Context(), key))
	other := s.another()
	s.box.fail = func(string) error { return errors.Join(other.Clear(t.Context(), key), other.Deliver(t.Context())) }
	s.must(t, s.Deliver(t.Context()))
	s.box.fail = nil
	s.must(t, s.Deliver(t.Context()))
	s.heard(t, "host key changed: acme/sw-1", "over: host key changed: acme/sw-1")
}

func TestAMailServerDownForADayIsWaitedForAndAllThatWaitsIsOneMessage(t *testing.T) {
	t.Parallel()
	s := start()
	tries := 0
	s.box.fail = func(string) error { tries++; return errors.New("the mail server is down") }
	s.must(t, s.Raise(t.Context(), shut(1)))
	for i := range 24 * 60 {
		if i == 700 {
			s.must(t, s.Raise(t.Context(), shut(2)))
			s.must(t, s.Raise(t.Context(), key))
		}
		if err := s.Deliver(t.Context()); err != nil && !strings.Contains(err.Error(), "tell noc: the mail server is down") {
			t.Fatal(err)
		}
		s.clock = s.clock.Add(time.Minute)
	}
	if tries < 100 || tries > 160 {
		t.Errorf("%d tries in a day, want one every ten minutes once it has gone on for a while", tries)
	}
	s.box.fail = nil
	for range 11 {
		s.must(t, s.Deliver(t.Context()))
		s.clock = s.clock.Add(time.Minute)
	}
	s.heard(t, "3 alarms: 2 gate refused, 1 host key changed")
	if text := s.box.got["noc"][0].Text; strings.Contains(text, "told before") {
		t.Errorf("what was certainly not told is said to be a repeat:\n%s", text)
	}
}

func TestNoMoreThanSoManyMessagesAnHour(t *testing.T) {
	t.Parallel()
	s := start()
	for i := range 60 {
		s.must(t, s.Raise(t.Context(), shut(i)))
		s.must(t, s.Deliver(t.Context()))
		s.clock = s.clock.Add(time.Minute)
	}
	if got := s.box.subjects("noc"); len(got) != 6 {
		t.Fatalf("%d messages in an hour, want 6: %q", len(got), got)
	}
	s.must(t, s.Deliver(t.Context()))
	got := s.box.subjects("noc")
	if want := "54 alarms: 54 gate refused"; got[len(got)-1] != want || len(got) != 7 {
		t.Fatalf("then it heard %q, want %q", got, want)
	}
	if text := s.box.got["noc"][6].Text; !strings.Contains(text, "and 14 more: belay alarms") || strings.Count(text, "next:") != 40 {
		t.Errorf("the message spells out too much or too little:\n%s", text)
	}
}

func TestEachChannelHasItsOwnFateAndHearsOnlyWhatIsForIt(t *testing.T) {
	t.Parallel()
	s := start()
	s.To = func(a configs.Alarm) []string {
		if a.Cause == configs.AlarmGate {
			return []string{"noc", "oncall"}
		}
		return []string{"noc"}
	}
	s.box.fail = func(c string) error {
		if c == "oncall" {
			return errors.New("no")
		}
		return nil
	}
	s.must(t, s.Raise(t.Context(), shut(1)))
	s.must(t, s.Raise(t.Context(), key))
	if err := s.Deliver(t.Context()); err == nil || err.Error() != "tell oncall: no" {
		t.Errorf("got error %v", err)
	}
	s.box.fail = nil
	s.clock = s.clock.Add(time.Minute)
	s.must(t, s.Deliver(t.Context()))
	s.heard(t, "2 alarms: 1 gate refused, 1 host key changed")
	if d := cmp.Diff([]string{"gate refused: acme/fw-hq"}, s.box.subjects("oncall")); d != "" {
		t.Error(d)
	}
}

func TestWithoutAChannelAlarmsStandAndAreClearedAllTheSame(t *testing.T) {
	t.Parallel()
	s := start()
	s.To = nil
	s.must(t, s.Raise(t.Context(), shut(1)))
	s.clock = s.clock.Add(time.Second)
	s.must(t, s.Raise(t.Context(), key))
	s.must(t, s.Deliver(t.Context()))
	all, err := s.Standing(t.Context())
	s.must(t, err)
	if len(all) != 2 || all[0].Name() != shut(1).Name() || all[1].What != key.What || all[0].ID() == all[1].ID() || len(all[0].ID()) != 8 {
		t.Errorf("standing: %+v", all)
	}
	s.must(t, s.ClearAll(t.Context(), configs.AlarmGate, "acme/fw-hq"))
	if all, err = s.Standing(t.Context()); err != nil || len(all) != 1 || all[0].Cause != configs.AlarmHostKey {
		t.Errorf("standing: %+v, %v", all, err)
	}
	s.heard(t)
}

func TestAllThatWasToldStandsInTheLedger(t *testing.T) {
	t.Parallel()
	s := start()
	s.must(t, s.Raise(t.Context(), key))
	s.must(t, s.Raise(t.Context(), configs.Alarm{Cause: configs.AlarmDisk, What: "2 % of the disk are free"}))
	s.must(t, s.Deliver(t.Context()))
	s.must(t, s.Clear(t.Context(), key))
	s.must(t, s.Deliver(t.Context()))
	var got []string
	for e, err := range s.ledger.Events(t.Context(), configs.Filter{Act: "alarm"}) {
		s.must(t, err)
		got = append(got, fmt.Sprint(e.Customer, " ", e.Device, " ", e.By.Name, " ", e.Detail))
	}
	slices.Sort(got)
	want := []string{
		"  belay map[cause:disk channel:noc what:2 % of the disk are free]",
		"acme acme/sw-1 belay map[cause:host key changed channel:noc key:SHA256:x over:true what:it shows SHA256:x]",
		"acme acme/sw-1 belay map[cause:host key changed channel:noc key:SHA256:x what:it shows SHA256:x]",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestAnAlarmWithoutACauseOrASentenceIsRefused(t *testing.T) {
	t.Parallel()
	s := start()
	for _, a := range []configs.Alarm{{Cause: "x"}, {What: "x"}} {
		if s.Raise(t.Context(), a) == nil {
			t.Errorf("raised %+v", a)
		}
	}
	if s.Rung() {
		t.Error("nothing was raised, yet it rang")
	}
}

func TestTheClockSetBackHoldsNothingUp(t *testing.T) {
	t.Parallel()
	s := start()
	s.box.fail = func(string) error { return errors.New("no") }
	s.must(t, s.Raise(t.Context(), key))
	if s.Deliver(t.Context()) == nil {
		t.Fatal("want an error")
	}
	s.box.fail = nil
	s.clock = s.clock.Add(-48 * time.Hour)
	s.must(t, s.Deliver(t.Context()))
	s.heard(t, "host key changed: acme/sw-1")
}
