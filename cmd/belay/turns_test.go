package main

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhoWaitsForACaptureDoesNotWaitForATurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		var done []func()
		for range max(1, runtime.GOMAXPROCS(0)-1) {
			done = append(done, turns.wait(t.Context()))
		}
		begun := false
		go func() {
			defer turns.wait(t.Context())()
			begun = true
		}()
		synctest.Wait()
		if begun {
			t.Error("one more of the night worked than there are processors to spare")
		}
		ctx, ended := turns.aPerson(t.Context())
		turns.wait(ctx)() // a deadlock where it waits
		ended()
		for _, d := range done {
			d()
		}
		synctest.Wait()
		if !begun {
			t.Error("a turn that was given up went to nobody")
		}
	})
}

func TestTheNightStepsBackWhileSomebodyWaitsAndNotForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		_, one := turns.aPerson(t.Context())
		_, other := turns.aPerson(t.Context())
		began := time.Now()
		waited := func() time.Duration { return time.Since(began) }
		turns.wait(t.Context())()
		if waited() != courtesy {
			t.Errorf("while two waited it began after %v", waited())
		}
		began = time.Now()
		time.AfterFunc(courtesy/4, one)
		time.AfterFunc(courtesy/2, other)
		turns.wait(t.Context())()
		if waited() != courtesy/2 {
			t.Errorf("the last of those who waited had its answer after %v, and it began after %v", courtesy/2, waited())
		}
		began = time.Now()
		turns.wait(t.Context())()
		if waited() != 0 {
			t.Errorf("nobody waited, and it began after %v", waited())
		}
	})
}

func TestThoseWhoSteppedBackGoOnOneByOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		_, ended := turns.aPerson(t.Context())
		began := time.Now()
		var mu sync.Mutex
		var after []time.Duration
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				turns.wait(t.Context())()
				mu.Lock()
				defer mu.Unlock()
				after = append(after, time.Since(began))
			})
		}
		time.AfterFunc(courtesy/2, ended)
		all.Wait()
		for i, d := range after {
			if want := courtesy/2 + time.Duration(i)*turns.spacing; d != want {
				t.Errorf("the %dth went on after %v, want %v", i+1, d, want)
			}
		}
	})
}
