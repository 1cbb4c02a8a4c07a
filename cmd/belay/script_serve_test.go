package main

import (
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptEventually runs a command until what it prints matches: what the service
// does in its own time is waited for, and no longer.
func scriptEventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually REGEXP COMMAND…")
	}
	re, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	var said string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		_ = ts.Exec(args[1], args[2:]...) // a failure is one of the things that are waited out
		said = ts.ReadFile("stdout") + ts.ReadFile("stderr")
		if re.MatchString(said) {
			return
		}
	}
	ts.Fatalf("it never came to match %s; the last was:\n%s", args[0], said)
}
