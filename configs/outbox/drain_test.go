package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"belay/configs"
	"belay/configs/memory"
	"belay/devices"
)

func TestUrgentLettersGoFirstAndADrainStopsWhenItIsAsked(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.doc.Fail = func(string) error { return &configs.Declined{Why: configs.Busy, Err: errors.New("down")} }
	for _, n := range []string{"a", "b", "c", "d"} {
		id := devices.ID("acme/fw-" + n)
		s.device(id)
		var also []func(*configs.Snapshot)
		if n == "d" {
			also = append(also, inChange("C1", "before"))
		}
		s.prove(s.office(), s.commit(id, n, also...))
	}
	s.doc.Fail = nil
	s.pass(time.Hour)
	var order []string
	ctx, cancel := context.WithCancel(t.Context())
	s.doc.Trouble = func(op string, it configs.Item) memory.Trouble {
		if op == "Attach" {
			order = append(order, it.Name)
		}
		return memory.Trouble{}
	}
	o := s.office()
	o.Parallel = 1
	var told []int
	err := o.Drain(ctx, s.Now(), func(done, left int) {
		told = append(told, done, left)
		if done == 2 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || !slices.Equal(order, []string{"fw-d", "fw-a"}) || !slices.Equal(told, []int{1, 3, 2, 2}) {
		t.Errorf("error %v, order %v, told %v", err, order, told)
	}
	s.drain(o)
	if len(order) != 4 || len(s.letters(configs.LetterFilter{Waiting: true})) != 0 {
		t.Errorf("order %v", order)
	}
}

func TestADrainLeavesALetterThatWasPutOffMeanwhile(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.doc.Fail = func(string) error { return &configs.Declined{Why: configs.Busy, Err: errors.New("down")} }
	for _, id := range []devices.ID{"acme/fw-a", "acme/fw-b"} {
		s.device(id)
		s.prove(s.office(), s.commit(id, string(id)))
	}
	s.doc.Fail = nil
	s.pass(time.Hour)
	o := s.office()
	o.Parallel = 1
	err := o.Drain(t.Context(), s.Now(), func(done, _ int) {
		if done > 1 {
			return
		}
		l, ok, err := s.outbox.Claim(t.Context(), 2, s.Now().Add(time.Minute)) // another process has tried it just now
		if err != nil || !ok {
			t.Errorf("claimed %t, %v", ok, err)
		}
		l.Due, l.Lease = s.Now().Add(time.Minute), ""
		if err := s.outbox.Save(t.Context(), l); err != nil {
			t.Error(err)
		}
	})
	if n := s.doc.Calls()["Attach"]; err != nil || n != 1 {
		t.Errorf("error %v, sent %d letters, want 1", err, n)
	}
}

func TestASystemThatIsLeftAloneIsAskedAgainWhenAPersonSaysSo(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	refused := true
	s.doc.Fail = func(string) error {
		if refused {
			return &configs.Declined{Why: configs.Unauthorized, Err: errors.New("the key has ended")}
		}
		return nil
	}
	o := s.office()
	for i := range 10 {
		id := devices.ID(fmt.Sprintf("acme/fw-%d", i))
		s.device(id)
		if _, err := s.prove(o, s.commit(id, string(id))); devices.KindOf(err) != devices.AttachmentPending || !strings.Contains(err.Error(), "the key has ended") || !strings.Contains(devices.HintOf(err), "key") {
			t.Errorf("error %v with hint %q", err, devices.HintOf(err))
		}
	}
	if n := s.doc.Calls()["FindItems"]; n != 3 {
		t.Errorf("asked %d times", n)
	}
	refused = false
	s.drain(o)
	if n := s.doc.Calls()["Attach"]; n != 0 {
		t.Errorf("asked %d times while it is left alone", n)
	}
	if n, err := o.Retry(t.Context(), configs.LetterFilter{To: "itglue"}); n != 10 || err != nil {
		t.Errorf("%d letters, error %v", n, err)
	}
	s.drain(o)
	if n := len(s.letters(configs.LetterFilter{Waiting: true})); n != 0 {
		t.Errorf("%d letters still wait", n)
	}
}

func TestABacklogDrainsAtThePaceOfTheAccount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const boxes, each, perMinute = 500, 20, 468
		s := newScene(t)
		s.doc.Now, s.outbox.Now = time.Now, time.Now
		var letters []configs.Letter
		for i := range boxes * each {
			id := devices.ID(fmt.Sprintf("acme/fw-%03d", i%boxes))
			if i < boxes {
				s.device(id)
			}
			v := s.commit(id, fmt.Sprint(i))
			letters = append(letters, configs.Letter{To: "itglue", Device: id, Version: v.Commit, File: configs.MainFile, Form: configs.Original,
				Name: fmt.Sprintf("%d_sha256-%s.txt", i, v.Files[0].OriginalDigest[:8])})
		}
		if _, err := s.outbox.Put(t.Context(), letters...); err != nil {
			t.Fatal(err)
		}
		tick := time.NewTicker(time.Minute / perMinute)
		defer tick.Stop()
		s.doc.Pace = func(context.Context) error { <-tick.C; return nil }
		o := s.office()
		o.Now = time.Now
		began := time.Now()
		if err := o.Drain(t.Context(), time.Now(), nil); err != nil {
			t.Fatal(err)
		}
		if left := s.letters(configs.LetterFilter{Waiting: true}); len(left) != 0 {
			t.Errorf("%d letters are left, the first: %+v", len(left), left[0])
		}
		calls := s.doc.Calls()
		took, most := time.Since(began), time.Duration(2*boxes*each+boxes)*time.Minute/perMinute // each is found once
		if took > most || calls["Attach"] != boxes*each || calls["Attached"] != boxes*each || calls["FindItems"] != boxes {
			t.Errorf("took %v and %v, want at most %v", took, calls, most)
		}
	})
}
