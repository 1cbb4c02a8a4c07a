package main

import (
	"os"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptTakeDown removes all that hangs on an item, as somebody over there might.
func scriptTakeDown(ts *testscript.TestScript, _ bool, args []string) {
	s := shelfOf(ts, args, 2, "takedown NAME ITEM")
	for _, c := range s.Configurations() {
		if c.ID == atoi(ts, args[1]) {
			s.Remove(c.ID)
			s.AddConfiguration(c)
			return
		}
	}
	ts.Fatalf("there is no item %s", args[1])
}

// scriptFlip flips a bit in the middle of a file.
func scriptFlip(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: flip FILE")
	}
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	data[len(data)/2] ^= 1
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}
