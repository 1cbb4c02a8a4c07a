package redact_test

import (
	"testing"

	"belay/configs/redact"
)

// TestOnlyWhatMovesInALineIsLeftOut: a group named moves goes, the line stays.
func TestOnlyWhatMovesInALineIsLeftOut(t *testing.T) {
	t.Parallel()
	r, err := redact.Compile([]string{`^(\d+) (?:\w+) up(?P<moves> .*)$`, `^uptime .*\n`}, nil)
	if err != nil {
		t.Fatal(err)
	}
	clean, report := r.Apply([]byte("1 a up Gi1, Gi2\n2 b up\nuptime 3 days\n3 c up \n"), redact.Key{})
	if got := clean.String(); got != "1 a up\n2 b up\n3 c up\n" || report.Volatile != 3 {
		t.Errorf("%q, %d left out", got, report.Volatile)
	}
}
