package fleet

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

func TestADeviceRestsAfterARefusedLogin(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.wrong["hq-0"] = devices.Denied
	w.want("first", w.night(), "hq-0 depot-0 hq-1 hq-2 hq-3 / ")
	w.want("rests", w.rests(), "device acme/hq-0")
	w.clock.pass(time.Hour)
	w.want("an hour later", w.night(), "hq-1 depot-0 hq-2 hq-3 / hq-0")
	f := w.finals[0]
	for _, part := range []string{"acme/hq-0", "2026-03-04 01:15", "until 2026-03-04 21:15", "no luck"} {
		if !strings.Contains(f.Error, part) {
			t.Errorf("%q does not say %q", f.Error, part)
		}
	}
	if !strings.Contains(f.Hint, "belay capture acme/hq-0") {
		t.Errorf("hint %q", f.Hint)
	}
	w.restart(t)
	w.want("after a restart", w.night(), "hq-1 depot-0 hq-2 hq-3 / hq-0")
	if n, m := w.Rests.count(); n != 1 || m != 0 || w.Stats().RestingDevices != 1 || w.Stats().RestingSites != 0 {
		t.Errorf("%d devices and %d sites are counted", n, m)
	}
	w.clock.pass(19*time.Hour + time.Second)
	w.want("rests after 20 hours", w.rests(), "")
	w.want("and is tried, last of all", w.night(), "hq-1 depot-0 hq-2 hq-3 hq-0 / ")
	delete(w.wrong, "hq-0")
	w.clock.pass(21 * time.Hour)
	w.want("with the right password", w.night(), "hq-1 depot-0 hq-2 hq-3 hq-0 / ")
	w.want("it is forgotten", w.night(), "hq-0 depot-0 hq-1 hq-2 hq-3 / ")
}

func TestASiteRestsWhenTwoOfItsDevicesRefuseInOneRun(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	for i := range 4 {
		w.wrong[fmt.Sprint("hq-", i)] = devices.Denied
	}
	w.want("first", w.night(), "hq-0 depot-0 hq-1 / hq-2 hq-3")
	w.want("rests", w.rests(), "device acme/hq-0, device acme/hq-1, site acme/hq")
	i := slices.IndexFunc(w.finals, func(f Final) bool { return f.Job.Device.Name == "hq-3" })
	for _, part := range []string{"site acme/hq", "acme/hq-0 and acme/hq-1", "01:15", "no luck"} {
		if !strings.Contains(w.finals[i].Error, part) {
			t.Errorf("%q does not say %q", w.finals[i].Error, part)
		}
	}
	w.clock.pass(time.Hour)
	w.restart(t)
	w.want("after a restart", w.night(), "depot-0 / hq-0 hq-1 hq-2 hq-3")
	w.clock.pass(23 * time.Hour)
	w.want("the next night: one is enough", w.night(), "hq-2 depot-0 / hq-0 hq-1 hq-3")
	clear(w.wrong)
	w.clock.pass(24 * time.Hour)
	w.want("with the right password", w.night(), "hq-3 depot-0 hq-0 hq-1 hq-2 / ")
	w.want("all is well", w.night(), "hq-0 depot-0 hq-1 hq-2 hq-3 / ")
}

func TestRefusalsOfTwoNightsDoNotMakeASiteRest(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.wrong["hq-0"] = devices.Denied
	w.night()
	w.clock.pass(12 * time.Hour)
	w.wrong["hq-1"] = devices.Denied
	w.night()
	w.want("rests", w.rests(), "device acme/hq-0, device acme/hq-1")
	w.want("nor the same device twice", func() string {
		w.Do(t.Context(), Job{Why: Asked, Device: w.jobs[1].Device})
		return w.rests()
	}(), "device acme/hq-0, device acme/hq-1")
	w.clock.pass(time.Hour)
	w.restart(t) // in the middle of a run
	w.wrong["hq-2"] = devices.Denied
	w.night()
	w.want("but over a restart", w.rests(), "device acme/hq-0, device acme/hq-1, device acme/hq-2, site acme/hq")
}

func TestOnlyARefusedLoginMakesADeviceRest(t *testing.T) {
	t.Parallel()
	for _, k := range []devices.Kind{devices.NotAllowed, devices.Unreachable, devices.Refused, devices.Broken, devices.Usage, devices.Damaged, devices.Unproven} {
		w := newWard(t)
		w.wrong["hq-0"], w.wrong["hq-1"] = k, k
		w.night()
		w.want(fmt.Sprint("after kind ", k), w.rests(), "")
	}
}

func TestWhatAPersonAsksForIsTriedAlthoughItRests(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.wrong["hq-0"], w.wrong["hq-1"] = devices.Denied, devices.Denied
	w.night()
	w.begun()
	asked := w.jobs[0]
	asked.Why = Asked
	if r := w.Do(t.Context(), asked); r.Err == nil || len(w.begun()) != 1 {
		t.Errorf("a person was told %+v", r)
	}
	triggered := w.jobs[0]
	triggered.Why = Triggered
	if r := w.Do(t.Context(), triggered); r.Result != configs.Denied || len(w.begun()) != 0 {
		t.Errorf("a message made it try: %+v", r)
	}
	clear(w.wrong)
	w.wrong["hq-0"] = devices.Refused // by a check: it was let in
	w.Do(t.Context(), asked)
	w.want("rests after it was let in", w.rests(), "device acme/hq-1")
	w.begun()
	w.want("then", w.night(), "hq-0 depot-0 hq-2 hq-3 / hq-1")
	if err := w.Rests.End(t.Context(), DeviceKey("acme/hq-1"), SiteKey("acme/hq")); err != nil {
		t.Error(err)
	}
	w.want("ended by hand", w.night(), "hq-0 depot-0 hq-1 hq-2 hq-3 / ")
}

func TestAfterARefusalASiteGoesOneByOneUntilOneIsLetIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, Limits{Site: 3}).resting(&memory.Marks{})
		under := 0
		var most []int
		s.answer = func(_ context.Context, j Job) configs.Result {
			s.mu.Lock()
			under++
			most = append(most, under)
			s.mu.Unlock()
			switch j.Device.Name {
			case "hq-0":
				time.Sleep(time.Second)
			case "hq-1", "hq-2":
				time.Sleep(2 * time.Second) // neither lets us in
			default:
				time.Sleep(time.Minute)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			under--
			switch j.Device.Name {
			case "hq-0":
				return failing(devices.Denied)
			case "hq-1", "hq-2", "hq-3":
				return failing(devices.Unreachable)
			}
			return kept()
		}
		s.Run(t.Context(), jobsOf(Nightly, 9, "acme", "hq"), s.told)
		if want := []int{1, 2, 3, 1, 1, 1, 2, 3}; !slices.Equal(most[:8], want) { // the last ones end together
			t.Errorf("under way as each began: %v, want %v", most, want)
		}
	})
}

func TestASiteThatRefusedTheNightBeforeBeginsOneByOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, Limits{Site: 3}).resting(&memory.Marks{})
		if err := s.Rests.Refused(t.Context(), job(Nightly, "acme", "hq", 9).Device, errors.New("no")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		s.slow()
		go s.Run(t.Context(), jobsOf(Nightly, 5, "acme", "hq"), s.told)
		for _, want := range []int{1, 3} {
			synctest.Wait()
			if n := s.Stats().UnderWay[Nightly]; n != want {
				t.Errorf("%d under way, want %d", n, want)
			}
			time.Sleep(time.Minute + time.Millisecond)
		}
		s.wait()
	})
}

func TestARetryDoesNotTryWhatRestsMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, Limits{All: 1}).resting(&memory.Marks{})
		s.Retry = []time.Duration{time.Hour}
		s.answer = func(_ context.Context, j Job) configs.Result {
			if j.Device.Name == "hq-0" {
				return failing(devices.Unreachable)
			}
			return failing(devices.Denied)
		}
		s.Run(t.Context(), jobsOf(Nightly, 3, "acme", "hq"), s.told)
		f := s.finals[2]
		if _, rests := errors.AsType[*Resting](f.Err); !rests || f.Tries != 1 || f.Device != "acme/hq-0" {
			t.Errorf("told %+v", f)
		}
		if read := s.begun(); len(read) != 3 {
			t.Errorf("read %q", read)
		}
	})
}

func TestAPersonIsNotAnsweredByARest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		marks := &memory.Marks{}
		s := newScene(t, Limits{All: 1}).resting(marks).slow()
		d := job(Nightly, "acme", "hq", 0)
		stop := make(chan bool)
		marks.Fail = func(op string) error {
			if op == "Mark" {
				<-stop // the look whether it still rests takes its time
			}
			return nil
		}
		s.Submit(t.Context(), job(Nightly, "acme", "depot", 0), s.told)
		s.Submit(t.Context(), d, s.told) // waits for the other
		synctest.Wait()
		if err := s.Rests.Refused(t.Context(), d.Device, errors.New("no")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(61 * time.Second) // its turn has come
		asked := d
		asked.Why = Asked
		go func() {
			time.Sleep(time.Second)
			close(stop)
		}()
		if r := s.Do(t.Context(), asked); r.Result != configs.Kept {
			t.Errorf("a person was told %+v", r)
		}
		s.wait()
		if _, rests := errors.AsType[*Resting](s.finals[1].Err); !rests {
			t.Errorf("the run was told %+v", s.finals[1])
		}
	})
}

func TestAnotherProcessMayEndARest(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.wrong["hq-0"] = devices.Denied
	w.night()
	delete(w.wrong, "hq-0")
	other := &Rests{Marks: w.marks, Now: w.clock.now}
	if err := other.Worked(t.Context(), w.jobs[0].Device); err != nil {
		t.Fatal(err)
	}
	w.want("at once", w.night(), "hq-1 depot-0 hq-2 hq-3 hq-0 / ")
	if err := other.Refused(t.Context(), w.jobs[1].Device, errors.New("no")); err != nil {
		t.Fatal(err)
	}
	w.clock.pass(time.Minute)
	w.want("and begin one, which is seen in a minute", w.night(), "hq-0 depot-0 hq-2 hq-3 / hq-1")
}

func TestMarksThatCannotBeReadOrWrittenLockNoAccount(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk on fire")
	w := newWard(t)
	w.marks.Fail = onMarks("Marks", broken).Fail
	w.want("unread", w.night(), " / ")
	for _, f := range w.finals {
		if !errors.Is(f.Err, broken) || f.Result.Result != configs.Failed || f.Error == "" || f.Tries != 0 {
			t.Errorf("told %+v", f)
		}
	}
	w.marks.Fail = onMarks("SetMarks", broken).Fail
	w.wrong["hq-0"] = devices.Denied
	w.want("unwritten", w.night(), "hq-0 depot-0 hq-1 hq-2 hq-3 / ")
	if f := w.finals[0]; len(f.Warnings) != 1 || !strings.Contains(f.Warnings[0], "disk on fire") {
		t.Errorf("warnings %q", f.Warnings)
	}
	w.clock.pass(2 * time.Minute)
	w.want("known all the same", w.night(), "hq-1 depot-0 hq-2 hq-3 / hq-0")
	w.marks.Fail = nil
	w.clock.pass(2 * time.Minute)
	w.night()
	w.want("and written when it can be", w.rests(), "device acme/hq-0")
	w.marks.Fail = func(string) error { return broken }
	w.clock.pass(2 * time.Minute)
	w.want("what was known stands", w.night(), "hq-1 depot-0 hq-2 hq-3 / hq-0")
}

func TestAClockThatWasSetBackMakesNothingRestForEver(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.clock.pass(365 * 24 * time.Hour)
	w.wrong["hq-0"] = devices.Denied
	w.night()
	w.clock.pass(-365 * 24 * time.Hour)
	w.want("rests", w.rests(), "")
	w.want("a year before", w.night(), "hq-1 depot-0 hq-2 hq-3 hq-0 / ")
	w.clock.pass(-time.Hour)
	w.want("an hour before", w.night(), "hq-1 depot-0 hq-2 hq-3 / hq-0")
	w.clock.pass(-10 * time.Hour)
	w.want("half a day before", w.rests(), "")
}

func TestADamagedMarkIsTold(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	if err := w.marks.SetMarks(t.Context(), restMarks, configs.Mark{Key: "device acme/hq-1", Value: []byte(`{"device":"acme/hq-2"}`)}, configs.Mark{Key: "site acme/hq", Value: []byte("{")}); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range w.Rests.All(t.Context()) {
		if devices.KindOf(err) == devices.Damaged {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d damaged marks, want 2", n)
	}
	w.want("and stops nobody", w.night(), "hq-0 depot-0 hq-1 hq-2 hq-3 / ")
}

func TestRestsOfDevicesThatAreGoneAreForgotten(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.wrong["hq-0"] = devices.Denied
	w.night()
	w.jobs = w.jobs[4:]
	w.wrong["depot-0"] = devices.Denied
	w.clock.pass(40 * 24 * time.Hour)
	w.night()
	value, err := w.marks.Mark(t.Context(), restMarks, DeviceKey("acme/hq-0"))
	if err != nil || value != nil {
		t.Errorf("after 40 days it is %q, %v", value, err)
	}
}
