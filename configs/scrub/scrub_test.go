package scrub_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"belay/configs/scrub"
	"belay/devices"
)

func TestAWeekReadsEverythingOnceAShareANight(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]int{"acme": 140, "globex": 70, "initech": 35})
	for week := range 3 {
		s.forget()
		for n := range 7 {
			r := s.step()
			if want := float64(n+1) / 7; math.Abs(r.Done-want) > 0.02 {
				t.Errorf("week %d, night %d: %.3f is done, want %.3f", week, n, r.Done, want)
			}
			if r.Completed != (n == 6) || r.Late {
				t.Errorf("week %d, night %d: completed %t, late %t", week, n, r.Completed, r.Late)
			}
			if again := s.step(); again.Items != 0 {
				t.Errorf("week %d, night %d: %d more were read though nothing was due", week, n, again.Items)
			}
			s.now = s.now.Add(night - time.Duration(n%2)*time.Minute) // nights do not begin to the second
		}
		s.now = s.now.Add(3 * time.Minute)
		s.wantReads(1, 1)
	}
	p := s.progress()
	if p.Done != 1 || p.Items != 490 || p.Bytes != 490_000 || p.Completed.IsZero() || p.Ended.IsZero() || s.now.Sub(p.Oldest) > 8*night || s.now.Sub(p.Oldest) < 6*night {
		t.Errorf("progress is %+v at %s", p, s.now)
	}
	if n := len(s.events("scrub")); n != 21 {
		t.Errorf("%d events tell of 21 nights", n)
	}
}

// The service was down: the next nights read more, but not all at once.
func TestNightsThatWereMissedAreMadeUpFor(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]int{"acme": 350, "globex": 350})
	s.step()
	s.now = s.now.Add(3 * night)
	if r := s.step(); math.Abs(r.Done-4.0/7) > 0.02 || r.Late {
		t.Errorf("after three nights %.3f is done, late %t", r.Done, r.Late)
	}
	s = newScene(t, map[string]int{"acme": 350, "globex": 350})
	s.step()
	s.now = s.now.Add(6 * night)
	if !s.progress().Late {
		t.Error("it does not say that it is late")
	}
	if r := s.step(); math.Abs(r.Done-4.0/7) > 0.02 || !r.Late {
		t.Errorf("after six nights %.3f is done, late %t: want 4/7 and late", r.Done, r.Late)
	}
	s.now = s.now.Add(night)
	if r := s.step(); !r.Completed || r.Late {
		t.Errorf("the night after: %+v", r)
	}
	s.wantReads(1, 1)
}

func TestAPassOfANightIsReadAtOnce(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]int{"acme": 30})
	for range 3 {
		s.forget()
		if r := s.step(func(sc *scrub.Scrub) { sc.Every = night }); !r.Completed || r.Late {
			t.Errorf("%+v", r)
		}
		s.wantReads(1, 1)
		s.now = s.now.Add(night)
	}
}

// Killed at any point, or asked to stop at any point, while versions are added:
// what was there when the pass began is read in it, and hardly anything twice.
func TestWhateverInterruptsAPassNothingIsSkipped(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(seed, 1))
			s := newScene(t, map[string]int{"acme": 40 + rnd.IntN(400), "globex": rnd.IntN(300), "initech": 3, "zulu": 0})
			stops, kills, added := 0, 0, 0
			for try := 0; ; try++ {
				ctx, cancel := context.WithCancel(t.Context())
				left := 1 + rnd.IntN(250)
				kill := rnd.IntN(2) == 0
				for _, b := range s.shelves {
					b.after = func(it string) {
						if rnd.IntN(20) == 0 && added < 200 {
							added++
							for c := range b.items {
								if strings.HasPrefix(it, c+"-") {
									b.items[c] = append(b.items[c], fmt.Sprintf("%s-new-%s-%d", c, b.name, added))
								}
							}
						}
						if left--; left == 0 {
							s.dead = kill
							cancel()
						}
					}
				}
				r, err := s.scrub().Step(ctx, time.Time{})
				cancel()
				s.dead = false
				switch {
				case err == nil:
					s.now = s.now.Add(night)
				case kill:
					kills++
				default:
					stops++
				}
				if r.Completed {
					break
				}
				if try > 300 {
					t.Fatalf("the pass does not end: %+v %+v %v", s.progress(), r, err)
				}
			}
			// Stopped, it reads the piece in hand again; killed, what was not saved.
			most, total := 0, 0
			for _, b := range s.shelves {
				b.after = nil
				for _, items := range b.items {
					for _, it := range items {
						if b.reads[it] == 0 && !strings.Contains(it, "-new-") {
							t.Errorf("%s was skipped", it)
						}
						most, total = max(most, b.reads[it]), total+b.reads[it]
					}
				}
			}
			all := s.progress()
			if extra := total - len(items(s)); extra > stops+201*kills {
				t.Errorf("%d were read again in %d stops and %d kills", extra, stops, kills)
			}
			if all.Items < len(items(s))-added {
				t.Errorf("%d of %d were counted", all.Items, len(items(s)))
			}
			// What was added behind the place has its turn in the next pass, within its time.
			s.forget()
			for s.now = all.Began.Add(7 * night); ; s.now = s.now.Add(night) {
				if s.step().Completed {
					break
				}
			}
			s.wantReads(1, 1)
		})
	}
}

func items(s *scene) (all []string) {
	for _, b := range s.shelves {
		for _, its := range b.items {
			all = append(all, its...)
		}
	}
	return all
}

// What was read is noted now and then: a process that is killed late in a long
// night loses little of it.
func TestAProcessThatIsKilledLosesLittle(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]int{"acme": 5000})
	n := 0
	ctx, cancel := context.WithCancel(t.Context())
	s.shelves[0].after = func(string) {
		if n++; n == 1990 {
			s.dead = true
			cancel()
		}
	}
	if _, err := s.scrub().All(ctx); err == nil {
		t.Fatal("it was not killed")
	}
	s.dead, s.shelves[0].after = false, nil
	for range 7 {
		s.step()
		s.now = s.now.Add(night)
	}
	twice := 0
	for _, n := range s.shelves[0].reads {
		twice += n - 1
	}
	if twice > 200 {
		t.Errorf("%d were read twice", twice)
	}
	s.wantReads(1, 2)
}

func TestTheOldestByteIsThatOfTheCustomerWhoWaitsLongest(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]int{"acme": 70, "globex": 70})
	began := s.now
	if s.step(); !s.progress().Oldest.Equal(began) {
		t.Errorf("nothing was read yet to its end: %s", s.progress().Oldest)
	}
	for range 13 {
		s.now = s.now.Add(night)
		s.step()
	}
	// Twice read: acme since the first night of the week, globex since the fourth.
	if got, want := s.progress().Oldest, began.Add(7*night); !got.Equal(want) {
		t.Errorf("the oldest byte is of %s, want %s", got, want)
	}
	for range 4 { // acme a third time; globex is the oldest
		s.now = s.now.Add(night)
		s.step()
	}
	if got, want := s.progress().Oldest, began.Add(10*night); !got.Equal(want) {
		t.Errorf("the oldest byte is of %s, want %s", got, want)
	}
}

func TestADeadlineEndsAStepAndTheNextMakesUpForIt(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]int{"acme": 70})
	end := s.now.Add(5 * time.Minute)
	s.shelves[0].after = func(string) { s.now = s.now.Add(time.Minute) }
	r, err := s.scrub().Step(t.Context(), end)
	if err != nil || r.Items != 5 {
		t.Errorf("%d pieces in 5 minutes of one each, %v", r.Items, err)
	}
	s.shelves[0].after = nil
	if r := s.step(); math.Abs(r.Done-1.0/7) > 0.02 {
		t.Errorf("the next one came to %.3f", r.Done)
	}
}

func TestAClockThatJumpsNeitherStopsThePassNorReadsAllAtOnce(t *testing.T) {
	t.Parallel()
	for name, jump := range map[string]time.Duration{"a year back": -365 * night, "an hour back": -time.Hour, "a year on": 365 * night} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, map[string]int{"acme": 350})
			s.step()
			s.now = s.now.Add(night)
			s.step()
			s.now = s.now.Add(night + jump)
			r := s.step()
			if r.Done > 2.0/7+3.0/7+0.02 {
				t.Errorf("%.3f is done after the jump", r.Done)
			}
			steps := 3
			for ; !r.Completed && steps < 20; steps++ {
				s.now = s.now.Add(night)
				r = s.step()
			}
			if !r.Completed || steps > 9 {
				t.Errorf("the pass took %d nights", steps)
			}
			s.wantReads(1, 1)
			s.now = s.now.Add(-jump)
			s.forget()
			for range 15 {
				s.now = s.now.Add(night)
				s.step()
			}
			s.wantReads(1, 3)
		})
	}
}

func TestAllIsAPassOfItsOwn(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]int{"acme": 70, "globex": 7})
	s.step()
	s.forget()
	r, err := s.scrub().All(t.Context())
	if err != nil || !r.Completed || r.Items != 154 {
		t.Errorf("%+v, %v", r, err)
	}
	s.wantReads(1, 1)
	s.now = s.now.Add(night)
	if r := s.step(); r.Items != 0 {
		t.Errorf("the night after all was read, %d were read again", r.Items)
	}
}

func TestOfTwoProcessesOneReads(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]int{"acme": 3000})
	var inner error
	met := false
	s.shelves[0].after = func(string) {
		if !met {
			met = true
			_, inner = s.scrub().Step(t.Context(), time.Time{})
		}
	}
	_, err := s.scrub().Step(t.Context(), time.Time{})
	if inner != nil || !errors.Is(err, scrub.ErrElsewhere) {
		t.Errorf("the second: %v; the first, which was overtaken: %v", inner, err)
	}
	for range 7 {
		s.now = s.now.Add(night)
		s.step()
	}
	s.wantReads(1, 3)
}

func TestWhatCannotBeReadIsTriedAgainAndTold(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]int{"acme": 10, "globex": 10})
	s.shelves[1].fails = &devices.Error{Kind: devices.Unreachable, Op: "ask", Err: errors.New("no route")}
	r, err := s.scrub().All(t.Context())
	if err != nil || len(r.Unread) != 3 || !r.Completed || !strings.Contains(r.Unread[1], "versions of acme: ask: no route") {
		t.Errorf("%+v, %v", r, err)
	}
	if p := s.progress(); len(p.Unread) != 3 || p.Unread["acme/versions"] == "" {
		t.Errorf("progress is %+v", p)
	}
	if raised := s.alarms.Raised(); len(raised) != 0 {
		t.Errorf("a system that is down is no damage: %+v", raised)
	}
	s.shelves[1].fails = nil
	s.now = s.now.Add(night)
	s.step()
	if p := s.progress(); len(p.Unread) != 0 {
		t.Errorf("it was read, and still %+v", p)
	}
	s.wantReads(1, 1)
}

func TestWhatIsDueIsRememberedAcrossAnotherSetOfShelves(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]int{"acme": 70, "globex": 70})
	s.step()
	s.now = s.now.Add(night)
	// An upgrade names a shelf anew, and a customer at which the pass was has left.
	delete(s.shelves[0].items, "acme")
	delete(s.shelves[1].items, "acme")
	s.shelves[0].name = "bundles"
	for range 7 {
		s.step()
		s.now = s.now.Add(night)
	}
	s.wantReads(1, 2)
}
