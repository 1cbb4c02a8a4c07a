package round

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/devices"
)

func TestABriefResultIsRecordedAsTheWholeOne(t *testing.T) {
	t.Parallel()
	whole := configs.Result{
		Device: "acme/sw-1", ID: "acme/sw-1", Result: configs.Kept, Version: "c0ffee", Verified: true, Grade: configs.Restore,
		Checks: []configs.Check{{Name: "end mark", OK: true}}, Proofs: []configs.Proof{{Name: "remote"}}, Warnings: []string{"slow"},
		Error: "the remote is away", Err: errors.New("the remote is away"), Hint: "belay verify", Seconds: 3,
		Reached: devices.Reached{Address: "192.0.2.1:22", Weak: []string{"ssh-rsa"}},
	}
	at := time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC)
	events := func(r configs.Result) []configs.Event {
		return eventsOf("capture", configs.Person{Name: "Test"}, configs.Order{}, at, []configs.Result{r})
	}
	if d := cmp.Diff(events(whole), events(whole.Brief())); d != "" {
		t.Errorf("the record of a brief result (-whole +brief):\n%s", d)
	}
	if b := whole.Brief(); b.Checks != nil || b.Proofs != nil || b.Reached.Address != "" {
		t.Errorf("a brief result still holds the session's story: %+v", b)
	}
}
