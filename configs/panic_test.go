package configs_test

import (
	"context"
	"regexp"
	"testing"

	"belay/configs"
)

// A fault in a check, which the service survives, holds up nobody: neither the next
// capture of the device nor, with the only turn there is, all others.
func TestAFaultInACheckHoldsNoTurnAndNoDevice(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	places := make(chan struct{}, 1)
	faults := 0
	s.Turn = func(context.Context) func() {
		select {
		case places <- struct{}{}:
		default:
			t.Error("the turn of before was not given up")
		}
		return func() { <-places }
	}
	whole := says(marked, config(20), "A1")
	bad := whole
	bad.capture.Rules.Complete.Sections = []*regexp.Regexp{nil}
	func() {
		defer func() {
			if recover() != nil {
				faults++
			}
		}()
		s.capture(configs.Order{}, bad)
	}()
	if faults != 1 {
		t.Fatal("nothing brought the check down")
	}
	wantGood(t, s.capture(configs.Order{}, whole), configs.Kept)
}
