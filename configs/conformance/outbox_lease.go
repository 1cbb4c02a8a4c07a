package conformance

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"belay/configs"
)

func oneHand(t *testing.T, o office) {
	id := o.put(t, letter("acme/fw-hq", "v1"))[0].ID
	l := o.claim(t, id)
	if l.Lease == "" || l.Claim == "" {
		t.Errorf("in hand without a lease: %+v", l)
	}
	if _, ok, err := o.Claim(t.Context(), id, at(59)); ok || err != nil {
		t.Errorf("a second hand took it: %t, error %v", ok, err)
	}
	if seen := o.the(t, id); seen.Lease == "" || seen.Claim != "" {
		t.Errorf("a reader should see that it is in hand, and no more: %+v", seen)
	}
	if _, ok, err := o.Claim(t.Context(), id+1000, at(59)); ok || err != nil {
		t.Errorf("a letter that is not there was claimed: %t, error %v", ok, err)
	}
}

func claimedAtOnce(t *testing.T, o office) {
	id := o.put(t, letter("acme/fw-hq", "v1"))[0].ID
	var wg sync.WaitGroup
	won := make([]bool, 16)
	for i := range won {
		wg.Go(func() {
			var err error
			if _, won[i], err = o.Claim(t.Context(), id, at(59)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	n := 0
	for _, w := range won {
		if w {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d hands hold one letter", n)
	}
}

func leaseEnds(t *testing.T, o office) {
	id := o.put(t, letter("acme/fw-hq", "v1"))[0].ID
	first := o.claim(t, id) // for ten minutes
	o.clock.forward(10*time.Minute - time.Nanosecond)
	if err := o.Save(t.Context(), first); err != nil {
		t.Errorf("just before the end: %v", err)
	}
	o.clock.forward(time.Nanosecond)
	first.Tries = 7
	wantLost(t, "save at the end", o.Save(t.Context(), first))
	wantLost(t, "renew at the end", o.Renew(t.Context(), first, at(59)))
	second := o.claim(t, id)
	if second.Lease == first.Lease || second.Tries != 0 {
		t.Errorf("the next hand got %+v", second)
	}
	wantLost(t, "save into another's hands", o.Save(t.Context(), first))
	first.Lease = ""
	wantLost(t, "let go from another's hands", o.Save(t.Context(), first))
	wantLost(t, "renew in another's hands", o.Renew(t.Context(), first, at(59)))
	second.Tries = 1
	if err := o.Save(t.Context(), second); err != nil {
		t.Errorf("the hand that has it: %v", err)
	}
	if got := o.the(t, id); got.Tries != 1 {
		t.Errorf("%d tries, want 1", got.Tries)
	}
}

// What was written by a clock that was a year ahead holds nothing up.
func clockSetBack(t *testing.T, o office) {
	ids := []int64{o.put(t, letter("acme/fw-hq", "v1"))[0].ID, o.put(t, letter("acme/fw-hq", "v2"))[0].ID}
	const year = 365 * 24 * time.Hour
	o.clock.forward(year)
	killed, late := o.claim(t, ids[0]), o.claim(t, ids[1])
	late.Due, late.Lease = o.clock.now().Add(time.Minute), ""
	if err := o.Save(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	o.clock.forward(5*time.Minute - year)
	if due := all(t, o.Letters(t.Context(), configs.LetterFilter{DueBy: o.clock.now()})); len(due) != 2 || due[0].Lease+due[1].Lease != "" {
		t.Errorf("due and in nobody's hands: %+v, want both", due)
	}
	if next := o.claim(t, ids[0]); next.Claim == killed.Claim {
		t.Errorf("in the hands of a process that was killed: %+v", next)
	}
	wantLost(t, "save into another's hands", o.Save(t.Context(), killed))
	o.clock.forward(-time.Hour) // set back a little: a lease may well last so long
	if _, ok, err := o.Claim(t.Context(), ids[0], at(59)); ok || err != nil {
		t.Errorf("a second hand took it: %t, error %v", ok, err)
	}
}

func leaseRenewed(t *testing.T, o office) {
	id := o.put(t, letter("acme/fw-hq", "v1"))[0].ID
	l := o.claim(t, id)
	o.clock.forward(9 * time.Minute)
	if err := o.Renew(t.Context(), l, o.clock.now().Add(10*time.Minute)); err != nil {
		t.Fatal(err)
	}
	o.clock.forward(9 * time.Minute) // past the first end
	if _, ok, err := o.Claim(t.Context(), id, at(59)); ok || err != nil {
		t.Errorf("another took it: %t, error %v", ok, err)
	}
	if err := o.Save(t.Context(), l); err != nil {
		t.Error(err)
	}
	o.clock.forward(time.Minute)
	wantLost(t, "save after the second end", o.Save(t.Context(), l))
}

func letGo(t *testing.T, o office) {
	id := o.put(t, letter("acme/fw-hq", "v1"))[0].ID
	l := o.claim(t, id)
	free := l
	free.Lease = ""
	if err := o.Save(t.Context(), free); err != nil {
		t.Fatal(err)
	}
	wantLost(t, "save after letting go", o.Save(t.Context(), l))
	wantLost(t, "renew after letting go", o.Renew(t.Context(), l, at(59)))
	if seen := o.the(t, id); seen.Lease != "" {
		t.Errorf("a reader still sees it in hand: %+v", seen)
	}
	o.claim(t, id)
}

func onlyRead(t *testing.T, o office) {
	id := o.put(t, letter("acme/fw-hq", "v1"))[0].ID
	wantLost(t, "save in nobody's hands", o.Save(t.Context(), o.the(t, id)))
	o.claim(t, id)
	seen := o.the(t, id)
	wantLost(t, "save in another's hands", o.Save(t.Context(), seen))
	wantLost(t, "renew in another's hands", o.Renew(t.Context(), seen, at(59)))
	wantLost(t, "save a letter that is not there", o.Save(t.Context(), configs.Letter{ID: id + 1000, Lease: "x", Claim: "x"}))
}

func savedReadsBack(t *testing.T, o office) {
	put := o.put(t, letter("acme/fw-hq", "v1"), letter("acme/sw-1", "v1"))
	l := outcome(o.claim(t, put[0].ID))
	if err := o.Save(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	want := l
	want.Claim = ""
	if diff := cmp.Diff(want, o.the(t, l.ID)); diff != "" {
		t.Errorf("still in hand (-saved +read):\n%s", diff)
	}
	l.Lease, l.Error, l.Began = "", "", time.Time{} // and back to nothing
	if err := o.Save(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	want = l
	want.Claim = ""
	if diff := cmp.Diff(want, o.the(t, l.ID)); diff != "" {
		t.Errorf("let go (-saved +read):\n%s", diff)
	}
	if diff := cmp.Diff(put[1], o.the(t, put[1].ID), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the letter beside it (-put +read):\n%s", diff)
	}
	again := o.claim(t, l.ID)
	again.Lease, again.Claim = "", ""
	if diff := cmp.Diff(want, again); diff != "" {
		t.Errorf("as the next hand gets it (-want +got):\n%s", diff)
	}
}

func bothOrNeither(t *testing.T, o office) {
	l := o.claim(t, o.put(t, letter("acme/fw-hq", "v1"))[0].ID)
	count := func() int { return len(all(t, o.ledger.Events(t.Context(), configs.Filter{}))) }
	good, foreign := event(1, "acme/fw-hq", "attach"), event(1, "acme/fw-hq", "attach")
	foreign.Customer = "bolt"
	l.Tries = 5
	if err := o.Save(t.Context(), l, good, foreign); err == nil {
		t.Error("an event that is none was saved")
	}
	if got := o.the(t, l.ID); got.Tries != 0 || count() != 0 {
		t.Errorf("of a refused save there are %d tries and %d events", got.Tries, count())
	}
	if err := o.Save(t.Context(), l, good, event(2, "acme/fw-hq", "unattach")); err != nil {
		t.Fatal(err)
	}
	if got := o.the(t, l.ID); got.Tries != 5 || count() != 2 {
		t.Errorf("of a save with two events there are %d tries and %d events", got.Tries, count())
	}
	o.clock.forward(time.Hour)
	wantLost(t, "save with an event", o.Save(t.Context(), l, good))
	if count() != 2 {
		t.Errorf("%d events after a lost lease, want 2", count())
	}
}

func putMeanwhile(t *testing.T, o office) {
	l := o.claim(t, o.put(t, letter("acme/fw-hq", "v1"))[0].ID)
	urgent := letter("acme/fw-hq", "v1")
	urgent.Urgent, urgent.Change, urgent.Phase, urgent.Ticket = true, "T1-fw-hq", "before", "T1"
	if got := o.put(t, urgent)[0]; !got.Urgent || got.Claim != "" {
		t.Errorf("put while it is in hand: %+v", got)
	}
	l.Tries = 1
	if err := o.Save(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if got := o.the(t, l.ID); !got.Urgent || got.Change != "T1-fw-hq" || got.Phase != "before" || got.Ticket != "T1" || got.Tries != 1 {
		t.Errorf("saved over what was put: %+v", got)
	}
}

func claimWhileReading(t *testing.T, o office) {
	o.put(t, letter("acme/fw-hq", "v1"), letter("acme/fw-hq", "v2"), letter("acme/fw-hq", "v3"))
	seen := 0
	for l, err := range o.Letters(t.Context(), configs.LetterFilter{Waiting: true, DueBy: at(2)}) {
		if err != nil {
			t.Fatal(err)
		}
		seen++
		c := o.claim(t, l.ID)
		c.Due, c.Lease = at(40), ""
		if err := o.Save(t.Context(), c, event(1, l.Device, "attach")); err != nil {
			t.Fatal(err)
		}
	}
	if seen != 3 {
		t.Errorf("read %d letters, want 3", seen)
	}
	for _, err := range o.Letters(t.Context(), configs.LetterFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		break // whoever has seen enough may stop
	}
}

func canceledOutbox(t *testing.T, o office) {
	l := o.claim(t, o.put(t, letter("acme/fw-hq", "v1"))[0].ID)
	ctx := canceled(t)
	_, err := o.Put(ctx, letter("acme/fw-hq", "v2"))
	wantCanceled(t, "put", err)
	_, _, err = o.Claim(ctx, l.ID, at(59))
	wantCanceled(t, "claim", err)
	wantCanceled(t, "renew", o.Renew(ctx, l, at(59)))
	wantCanceled(t, "save", o.Save(ctx, outcome(l), event(1, l.Device, "attach")))
	wantCanceled(t, "letters", firstError(o.Letters(ctx, configs.LetterFilter{})))
	if ls := all(t, o.Letters(t.Context(), configs.LetterFilter{Waiting: true})); len(ls) != 1 || len(all(t, o.ledger.Events(t.Context(), configs.Filter{}))) != 0 {
		t.Errorf("canceled calls left: %+v", ls)
	}
}
