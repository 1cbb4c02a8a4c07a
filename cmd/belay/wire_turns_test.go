package main

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
)

func TestWhoWaitsForACaptureDoesNotWaitForATurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turn := turns()
		var done []func()
		for range max(1, runtime.GOMAXPROCS(0)-1) {
			done = append(done, turn(t.Context()))
		}
		begun := false
		go func() {
			defer turn(context.Background())()
			begun = true
		}()
		synctest.Wait()
		if begun {
			t.Error("one more of the night worked than there are processors to spare")
		}
		turn(context.WithValue(t.Context(), waited{}, true))() // a deadlock where it waits
		for _, d := range done {
			d()
		}
		synctest.Wait()
		if !begun {
			t.Error("a turn that was given up went to nobody")
		}
	})
}
