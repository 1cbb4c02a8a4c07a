package outbox_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"belay/configs"
	"belay/configs/memory"
	"belay/devices"
)

// once gives trouble to the first call of an operation alone.
func once(op string, trouble ...memory.Trouble) func(string, configs.Item) memory.Trouble {
	return func(asked string, _ configs.Item) memory.Trouble {
		if asked != op || len(trouble) == 0 {
			return memory.Trouble{}
		}
		next := trouble[0]
		trouble = trouble[1:]
		return next
	}
}

var errLost = errors.New("connection lost")

func TestWhatWasSentWithoutAnAnswerIsLookedForBeforeItIsSentAgain(t *testing.T) {
	t.Parallel()
	busy := memory.Trouble{Err: &configs.Declined{Why: configs.Busy, Err: errors.New("429")}}
	for name, c := range map[string]struct {
		trouble []memory.Trouble // of the uploads, one after the other
		after   []time.Duration  // when it is tried again
		sent    int              // uploads in all
		proven  int              // the try that proves it
		hang    int              // files that hang there in the end
	}{
		"it had arrived":               {[]memory.Trouble{{Err: errLost, Done: true}}, []time.Duration{time.Second}, 1, 2, 1},
		"it arrives within its time":   {[]memory.Trouble{{Err: errLost, Late: 2 * time.Minute}}, []time.Duration{time.Minute, 90 * time.Second}, 1, 3, 1},
		"it never arrives":             {[]memory.Trouble{{Err: errLost}}, []time.Duration{time.Minute, time.Minute, 61 * time.Second}, 2, 4, 1},
		"it arrives but is not listed": {[]memory.Trouble{{Late: time.Minute}}, []time.Duration{time.Second, 2 * time.Minute}, 1, 3, 1},
		"the clock is set back a year": {[]memory.Trouble{{Err: errLost}}, []time.Duration{-365 * 24 * time.Hour, 4 * time.Minute}, 2, 3, 1},
		"it is refused the second time": { // what was sent first may still be there: it is looked for before the third
			[]memory.Trouble{{Err: errLost, Late: 10 * time.Minute}, busy}, []time.Duration{4 * time.Minute, 7 * time.Minute}, 2, 3, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.device("acme/fw-hq")
			s.doc.Trouble = once("Attach", c.trouble...)
			v := s.commit("acme/fw-hq", "one")
			_, err := s.prove(s.office(), v)
			proven := 1
			for _, d := range c.after {
				if err == nil {
					t.Fatalf("proven by try %d, want %d", proven, c.proven)
				}
				s.pass(d)
				_, err = s.prove(s.office(), v)
				proven++
			}
			if err != nil || proven != c.proven {
				t.Errorf("try %d: error %v, want it proven by try %d", proven, err, c.proven)
			}
			if n := s.doc.Calls()["Attach"]; n != c.sent {
				t.Errorf("sent %d times, want %d", n, c.sent)
			}
			s.wantOne("acme/fw-hq", slices.Repeat([]string{"one"}, c.hang)...)
			s.wantNoneTwice()
		})
	}
}

func TestWhatLandsLaterThanExpectedIsTakenDownWithTheNextOne(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.device("acme/fw-hq")
	s.doc.Trouble = once("Attach", memory.Trouble{Err: errLost, Late: time.Hour})
	first := s.commit("acme/fw-hq", "one")
	s.prove(s.office(), first)
	s.pass(4 * time.Minute)
	s.mustProve(s.office(), first)
	s.pass(2 * time.Hour)
	s.wantOne("acme/fw-hq", "one", "one") // nobody can know yet
	s.mustProve(s.office(), s.commit("acme/fw-hq", "two"))
	s.wantOne("acme/fw-hq", "one", "two")
	es := s.events("unattach")
	if len(es) != 1 || es[0].Detail["why"] != "it landed twice" || es[0].Detail["attachment"] == s.letters(configs.LetterFilter{})[0].Attachment.ID {
		t.Errorf("events %+v, want one of the attachment that nobody proved", es)
	}
}

func TestAFileOfOurNameThatAPersonAddedStays(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	it := s.device("acme/fw-hq")
	s.mustProve(s.office(), s.commit("acme/fw-hq", "one"))
	if _, err := s.doc.Attach(t.Context(), it, configs.Attached{Name: s.names(it.ID)[0], Bytes: []byte(original("one"))}); err != nil {
		t.Fatal(err)
	}
	s.mustProve(s.office(), s.commit("acme/fw-hq", "two"))
	s.wantOne("acme/fw-hq", "one", "one", "two")
}

func TestWhatArrivedSpoiledIsTakenDownAndSentAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]func(*scene){
		"seen by its size":    func(*scene) {},
		"seen by its content": func(s *scene) { s.doc.NoSize = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			c(s)
			s.device("acme/fw-hq")
			s.doc.Trouble = once("Attach", memory.Trouble{Cut: 3})
			v := s.commit("acme/fw-hq", "one")
			_, err := s.prove(s.office(), v)
			if devices.KindOf(err) != devices.AttachmentPending || len(s.names("ci-acme-fw-hq")) != 0 {
				t.Errorf("error %v, and there hang %v", err, s.names("ci-acme-fw-hq"))
			}
			s.mustProve(s.office(), v)
			s.wantOne("acme/fw-hq", "one")
			if es := s.events("unattach"); len(es) != 1 || es[0].Detail["why"] != "not what was sent" {
				t.Errorf("events %+v, want one of the spoiled file", es)
			}
			s.wantNoSecret(err)
		})
	}
}

func TestWithoutASizeTheContentIsComparedOrItSaysSo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		noRead bool
		how    string
	}{"read back": {false, "id, name and content"}, "not given back": {true, "id and name"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.doc.NoSize, s.doc.NoRead = true, c.noRead
			s.device("acme/fw-hq")
			v := s.commit("acme/fw-hq", "one")
			for range 2 { // the recorded proof says the same
				if p := s.mustProve(s.office(), v); !strings.HasSuffix(p.Detail, "by "+c.how) {
					t.Errorf("detail %q, want it by %s", p.Detail, c.how)
				}
			}
			e := s.events("attach")[0]
			if e.Detail["how"] != c.how || e.Detail["bytes"] != float64(len(original("one"))) {
				t.Errorf("the ledger has %v", e.Detail)
			}
		})
	}
}

func TestWhoIsPatientWaitsForABusySystem(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		patience, busy, after, want time.Duration
		ok                          bool
	}{
		"one try":               {0, 10 * time.Second, 0, 0, false},
		"long enough":           {time.Minute, 10 * time.Second, 0, 15 * time.Second, true},
		"as long as it is told": {time.Minute, 20 * time.Second, 25 * time.Second, 25 * time.Second, true},
		"not long enough":       {time.Minute, time.Hour, 0, 0, false},
		"told to wait longer":   {time.Minute, time.Hour, 2 * time.Minute, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t)
				began := time.Now()
				s.doc.Now, s.outbox.Now = time.Now, time.Now
				s.device("acme/fw-hq")
				s.doc.Fail = func(op string) error {
					if op == "Attach" && time.Since(began) < c.busy {
						return &configs.Declined{Why: configs.Busy, After: c.after, Err: errors.New("429")}
					}
					return nil
				}
				o := s.office()
				o.Now, o.Patience = time.Now, c.patience
				_, err := s.prove(o, s.commit("acme/fw-hq", "one"))
				if (err == nil) != c.ok {
					t.Errorf("error %v", err)
				}
				if d := time.Since(began); c.ok && d != c.want || d > c.patience {
					t.Errorf("waited %v, want %v", d, c.want)
				}
			})
		})
	}
}

// slow holds an upload until its context ends, and says so.
type slow struct {
	*memory.Documentation
	ended chan error
}

func (d slow) Attach(ctx context.Context, it configs.Item, f configs.Attached) (configs.Attachment, error) {
	select {
	case <-ctx.Done():
		d.ended <- context.Cause(ctx)
		return configs.Attachment{}, ctx.Err()
	case <-time.After(5 * time.Minute):
		d.ended <- nil
		return d.Documentation.Attach(ctx, it, f)
	}
}

func TestALeaseIsRenewedDuringALongUploadAndTheUploadEndsWithIt(t *testing.T) {
	t.Parallel()
	for name, stolen := range map[string]bool{"renewed": false, "lost": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t)
				var slept atomic.Int64
				s.doc.Now, s.outbox.Now = time.Now, func() time.Time { return time.Now().Add(time.Duration(slept.Load())) }
				s.device("acme/fw-hq")
				d := slow{s.doc, make(chan error, 1)}
				s.place.System = d
				o := s.office()
				o.Now = time.Now
				v := s.commit("acme/fw-hq", "one")
				result := make(chan error, 1)
				go func() {
					_, err := s.prove(o, v)
					result <- err
				}()
				time.Sleep(time.Minute)
				synctest.Wait()
				if stolen {
					slept.Store(int64(time.Hour)) // as if this process had
				}
				time.Sleep(3 * time.Minute)
				synctest.Wait()
				_, taken, err := s.outbox.Claim(t.Context(), 1, time.Now().Add(2*time.Hour))
				if err != nil || taken != stolen {
					t.Errorf("another could take it: %t, %v; want %t", taken, err, stolen)
				}
				if ended := <-d.ended; errors.Is(ended, configs.ErrLeaseLost) != stolen || !stolen && ended != nil {
					t.Errorf("the upload ended with %v", ended)
				}
				if err := <-result; (err != nil) != stolen {
					t.Errorf("error %v", err)
				}
				if l := s.letters(configs.LetterFilter{})[0]; stolen && l.Error != "" {
					t.Errorf("whoever lost the letter wrote to it: %+v", l)
				}
			})
		})
	}
}

func TestACanceledDeliveryLetsTheLetterGoAndCountsNoTry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.doc.Now, s.outbox.Now = time.Now, time.Now
		s.device("acme/fw-hq")
		d := slow{s.doc, make(chan error, 1)}
		s.place.System = d
		o := s.office()
		o.Now = time.Now
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		_, err := o.Prover("itglue").Prove(ctx, s.commit("acme/fw-hq", "one"))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want that it was canceled", err)
		}
		l := s.letters(configs.LetterFilter{})[0]
		if l.Lease != "" || l.Tries != 0 || l.Began.IsZero() || l.Due.After(time.Now()) {
			t.Errorf("letter %+v: want it let go, due, and perhaps sent", l)
		}
		if strings.Contains(l.Error, "context") || !strings.Contains(l.Error, "interrupted") {
			t.Errorf("it waits because %q: want the word that a person knows", l.Error)
		}
	})
}

func TestWhereTheItemIsGoneTheLetterGoesToTheOneThatWasMatchedInstead(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	it := s.device("acme/fw-hq")
	s.doc.Trouble = once("Attach", memory.Trouble{Err: errLost, Done: true})
	o := s.office()
	v := s.commit("acme/fw-hq", "one")
	s.prove(o, v)
	s.doc.Drop(it.ID)
	s.pass(time.Second)
	if _, err := s.prove(o, v); err == nil || s.letters(configs.LetterFilter{})[0].Began.IsZero() {
		t.Errorf("error %v, and it counts as never sent", err)
	}
	other := configs.Item{Organization: "org-acme", ID: "9"}
	s.doc.Add(other)
	if err := s.items.Map(t.Context(), configs.Mapping{To: "itglue", Device: "acme/fw-hq", Item: other, How: "person", By: ada, At: s.Now()}); err != nil {
		t.Fatal(err)
	}
	s.mustProve(o, v)
	if n := len(s.names("9")); n != 1 {
		t.Errorf("%d files hang on the item that was matched", n)
	}
}

func TestAnItemThatIsGoneAtTheUploadIsLookedAtAnew(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	it := s.device("acme/fw-hq")
	o := s.office()
	s.mustProve(o, s.commit("acme/fw-hq", "one"))
	s.doc.Drop(it.ID)
	v := s.commit("acme/fw-hq", "two")
	for _, says := range []string{"there is no item", "not there any more"} { // over there; then by a look
		if _, err := s.prove(o, v); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v, want that it says %q", err, says)
		}
	}
	if c := s.doc.Calls(); c["Attach"] != 2 || c["Items"] != 1 {
		t.Errorf("calls %v", c)
	}
}

func TestASlowAnswerHasItsTimeFromWhenItWasGivenUp(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.device("acme/fw-hq")
	lose := once("Attach", memory.Trouble{Err: errLost, Late: 150 * time.Second})
	s.doc.Trouble = func(op string, it configs.Item) memory.Trouble {
		trouble := lose(op, it)
		if trouble.Err != nil {
			s.pass(110 * time.Second) // that long it was waited for
		}
		return trouble
	}
	v := s.commit("acme/fw-hq", "one")
	for range 2 {
		if _, err := s.prove(s.office(), v); err == nil {
			t.Fatal("proven, but it is not there")
		}
		s.pass(85 * time.Second)
	}
	s.mustProve(s.office(), v)
	s.wantOne("acme/fw-hq", "one")
	s.wantNoneTwice()
}
