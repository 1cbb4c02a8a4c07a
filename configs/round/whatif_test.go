package round

import (
	"context"
	"errors"
	"slices"
	"testing"

	"belay/configs"
)

// A shut ledger takes no event but after so many.
type shut struct {
	configs.Ledger
	takes int
}

func (l *shut) Append(ctx context.Context, e configs.Event) error {
	if l.takes--; l.takes < 0 {
		return errors.New("the database is locked")
	}
	return l.Ledger.Append(ctx, e)
}

func acts(t *testing.T, s *scene) (list []string) {
	t.Helper()
	for _, e := range events(t, s) {
		list = append(list, e.Customer+" "+e.Act)
	}
	slices.Sort(list)
	return list
}

func TestARoundThatALockedLedgerDidNotTakeIsRecordedOnceItDoes(t *testing.T) {
	t.Parallel()
	s := open("fw", "sw")
	s.fleet[1].Customer = "globex"
	l := &shut{Ledger: s.ledger}
	s.Ledger = l
	s.tick(t, day(1, 12, 0))
	s.tick(t, day(2, 2, 0))
	s.answer("fw", configs.Kept, nil)
	s.told["sw"](configs.Result{Device: "globex/sw", ID: "globex/sw", Result: configs.Kept, Verified: true})
	for i, takes := range []int{0, 1, 2} { // one event after the other finds its way
		l.takes = takes
		s.now = day(2, 2, 1+i)
		if err := s.Tick(t.Context()); (err == nil) != (i == 2) {
			t.Errorf("try %d: %v", i, err)
		}
	}
	l.takes = 100
	s.tick(t, day(2, 2, 5))
	s.tick(t, day(2, 2, 6))
	if got := acts(t, s); !slices.Equal(got, []string{" round", "acme capture", "globex capture"}) {
		t.Errorf("recorded %q", got)
	}
	if len(s.ended) != 1 {
		t.Errorf("it ended %d times", len(s.ended))
	}
}

func TestAServiceThatStopsRecordsTheRoundUnderWay(t *testing.T) {
	t.Parallel()
	s := open("fw", "sw", "rt")
	s.tick(t, day(1, 12, 0))
	s.tick(t, day(2, 2, 0))
	s.answer("fw", configs.Kept, nil)
	s.answer("rt", configs.Failed, context.Canceled)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.answer("sw", configs.Unchanged, nil) // it took longer than the service waits
	if got := acts(t, s); !slices.Equal(got, []string{" round", "acme capture"}) {
		t.Errorf("recorded %q", got)
	}
	s.again()
	s.tick(t, day(2, 2, 5))
	s.wantAsked(t, "sw", "rt")
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(events(t, s)); n != 2 {
		t.Errorf("a round in which nothing was captured made an event: %d", n)
	}
}

func TestADeviceThatNeverAnswersDoesNotKeepARoundOpen(t *testing.T) {
	t.Parallel()
	s := open("fw", "sw")
	s.tick(t, day(1, 12, 0))
	s.tick(t, day(2, 2, 0))
	s.answer("fw", configs.Unchanged, nil)
	s.tick(t, day(2, 13, 59))
	if len(s.ended) > 0 {
		t.Fatal("it ended within half a day")
	}
	s.tick(t, day(2, 14, 0))
	if len(s.ended) != 1 || s.ended[0].Devices() != 1 {
		t.Errorf("ended: %+v", s.ended)
	}
	hung := s.told["sw"]
	s.wantAsked(t, "fw", "sw")
	s.tick(t, day(3, 2, 0))
	s.wantAsked(t, "fw")
	if s.began != 2 {
		t.Errorf("%d rounds began, want one for each night", s.began)
	}
	s.answer("fw", configs.Unchanged, nil)
	hung(configs.Result{Device: "acme/sw", ID: "acme/sw", Result: configs.Unchanged, Verified: true})
	s.tick(t, day(3, 2, 1)) // it was captured for the night before
	s.wantAsked(t, "sw")
}

func TestAnEventThatTheLedgerNeverTakesHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	s := open("fw", "sw")
	s.fleet[0].Customer = "gone"
	s.Ledger = &choosy{s.ledger}
	s.tick(t, day(1, 12, 0))
	s.tick(t, day(2, 2, 0))
	s.told["fw"](configs.Result{Device: "gone/fw", ID: "gone/fw", Result: configs.Kept})
	s.answer("sw", configs.Kept, nil)
	for i := range 3 {
		s.now = day(2, 2, 1+i)
		if err := s.Tick(t.Context()); err == nil {
			t.Error("nobody is told that it cannot be recorded")
		}
	}
	if got := acts(t, s); !slices.Equal(got, []string{" round", "acme capture"}) {
		t.Errorf("recorded %q", got)
	}
}

// A choosy ledger takes no event of one customer.
type choosy struct{ configs.Ledger }

func (l *choosy) Append(ctx context.Context, e configs.Event) error {
	if e.Customer == "gone" {
		return errors.New("no more of that customer")
	}
	return l.Ledger.Append(ctx, e)
}
