package main

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"belay/store/docsystem/itglue/standin"
)

type docsKey struct{}

// shelves are one script's stand-ins for IT Glue, by name.
type shelves map[string]*standin.Server

func shelfOf(ts *testscript.TestScript, args []string, want int, usage string) *standin.Server {
	if len(args) < want {
		ts.Fatalf("usage: %s", usage)
	}
	s := ts.Value(docsKey{}).(shelves)[args[0]]
	if s == nil {
		ts.Fatalf("there is no stand-in %s", args[0])
	}
	return s
}

// scriptExpand replaces $NAME in a file by the script's variables.
func scriptExpand(ts *testscript.TestScript, _ bool, args []string) {
	for _, file := range args {
		text := os.Expand(ts.ReadFile(file), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o600))
	}
}

func atoi(ts *testscript.TestScript, s string) int {
	n, err := strconv.Atoi(s)
	ts.Check(err)
	return n
}

// matching are the names that match one of the patterns, all without any.
func matching(ts *testscript.TestScript, names []string, pattern []string) []string {
	if len(pattern) == 0 {
		return names
	}
	re, err := regexp.Compile(strings.Join(pattern, " "))
	ts.Check(err)
	return slices.DeleteFunc(names, func(n string) bool { return !re.MatchString(n) })
}

// scriptITGlue starts a stand-in for IT Glue and tells where: $NAME is its URL.
func scriptITGlue(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: itglue NAME")
	}
	s := standin.New()
	url, err := s.Start(ownHost() + ":0")
	ts.Check(err)
	ts.Defer(s.Close)
	ts.Value(docsKey{}).(shelves)[args[0]] = s
	ts.Setenv(args[0], url)
	ts.Setenv("ITGLUE_KEY", standin.Key)
}

func scriptItem(ts *testscript.TestScript, _ bool, args []string) {
	s := shelfOf(ts, args, 5, "item NAME ORGANIZATION ID ITEM SERIAL")
	organization, id := atoi(ts, args[1]), atoi(ts, args[2])
	s.AddOrganization(standin.Organization{ID: organization, Name: "organization " + args[1]})
	s.AddConfiguration(standin.Configuration{ID: id, Organization: organization, Name: args[3], Serial: args[4]})
}

func scriptGlue(ts *testscript.TestScript, _ bool, args []string) {
	s := shelfOf(ts, args, 2, "glue NAME ORDER…")
	ts.Check(s.Order(strings.Join(args[1:], " ")))
}

func scriptHung(ts *testscript.TestScript, _ bool, args []string) {
	s := shelfOf(ts, args, 3, "hung NAME ITEM COUNT [REGEXP]")
	var names []string
	for _, a := range s.Attachments(atoi(ts, args[1])) {
		names = append(names, a.Name)
	}
	if got := matching(ts, slices.Clone(names), args[3:]); len(got) != atoi(ts, args[2]) {
		ts.Fatalf("%d attachments hang on item %s, want %s; all are %q", len(got), args[1], args[2], names)
	}
}

// scriptClean holds that nothing was asked of the stand-in that must never be.
func scriptClean(ts *testscript.TestScript, _ bool, args []string) {
	if wrong := shelfOf(ts, args, 1, "clean NAME").Violations(); len(wrong) > 0 {
		ts.Fatalf("asked of %s: %q", args[0], wrong)
	}
}
