package outbox_test

import (
	"errors"
	"testing"
	"time"

	"belay/configs"
)

// The clock was a year ahead for some nights, and was set back.
const year = 365 * 24 * time.Hour

func TestTheNewestHangThoughOlderOnesWereAttachedByAClockThatWasAhead(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.place.Keep = 3
	s.device("acme/fw-hq")
	s.pass(year)
	s.nights("acme/fw-hq", 0, 3)
	s.pass(-year)
	s.nights("acme/fw-hq", 3, 8)
	s.wantOne("acme/fw-hq", night(5, 8)...)
}

func TestWhatIsGoneIsSeenThoughItWasProvenByAClockThatWasAhead(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	it := s.device("acme/fw")
	s.pass(year)
	s.mustProve(s.office(), s.commit("acme/fw", "one"))
	s.pass(-year)
	all, err := s.doc.Attached(t.Context(), it)
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	if err := s.doc.RemoveAttachment(t.Context(), it, all[0]); err != nil {
		t.Fatal(err)
	}
	if wrong := s.wrong(s.office()); len(wrong) != 1 || len(s.letters(configs.LetterFilter{Waiting: true})) != 1 {
		t.Errorf("found wrong: %v; %d wait to be sent again", wrong, len(s.letters(configs.LetterFilter{Waiting: true})))
	}
}

func TestWhatWaitsByAClockThatWasAheadGoesInTheSameNight(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{3 * time.Hour, 10 * time.Hour, 20 * time.Hour, year} {
		s := newScene(t)
		s.device("acme/fw")
		s.pass(ahead)
		s.doc.Fail = func(string) error { return &configs.Declined{Why: configs.Busy, Err: errors.New("down")} }
		if _, err := s.prove(s.office(), s.commit("acme/fw", "one")); err == nil {
			t.Fatal("it was taken while the system was down")
		}
		s.doc.Fail = nil
		s.pass(-ahead)
		waited := 0
		for ; len(s.letters(configs.LetterFilter{Waiting: true})) > 0 && waited < 24; waited++ {
			if err := s.office().Drain(t.Context(), s.Now(), nil); err != nil {
				t.Fatal(err)
			}
			s.pass(time.Hour)
		}
		if waited > 8 {
			t.Errorf("%v ahead: it waited %d hours", ahead, waited)
		}
	}
}
