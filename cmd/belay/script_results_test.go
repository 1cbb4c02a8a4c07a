package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// objects is standard output as JSON objects: one a line, nothing else.
func objects(text string) ([]map[string]json.RawMessage, error) {
	var all []map[string]json.RawMessage
	for line := range strings.Lines(text) {
		d := json.NewDecoder(strings.NewReader(line))
		var o map[string]json.RawMessage
		if err := d.Decode(&o); err != nil {
			return nil, fmt.Errorf("%q is no JSON object: %w", line, err)
		}
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%q holds more than one object", line)
		}
		all = append(all, o)
	}
	return all, nil
}

// text is a field that holds a string.
func text(o map[string]json.RawMessage, name string) string {
	var s string
	if json.Unmarshal(o[name], &s) != nil {
		return ""
	}
	return s
}

// breaches is what a capture's result lacks of what scripts are promised.
func breaches(o map[string]json.RawMessage) []string {
	var wrong []string
	want := []string{"device", "result", "verified", "checks", "seconds"} // version, grade, error and hint may be empty
	for _, name := range []string{"version", "grade", "error", "hint"} {
		if o[name] == nil {
			wrong = append(wrong, name+" is not there")
		}
	}
	switch text(o, "result") {
	case "kept", "unchanged":
		want = append(want, "version", "grade")
	case "refused", "unreachable", "denied", "failed":
		want = append(want, "error")
	default:
		wrong = append(wrong, "no such result: "+string(o["result"]))
	}
	for _, name := range want {
		if len(o[name]) == 0 || string(o[name]) == "null" || string(o[name]) == `""` {
			wrong = append(wrong, name+" is missing")
		}
	}
	var checks []struct {
		Name string `json:"name"`
		OK   *bool  `json:"ok"`
	}
	if err := json.Unmarshal(o["checks"], &checks); err != nil {
		wrong = append(wrong, fmt.Sprintf("checks: %v", err))
	}
	for _, c := range checks {
		if c.Name == "" || c.OK == nil {
			wrong = append(wrong, "a check without name or verdict")
		}
	}
	return wrong
}

func scriptResults(ts *testscript.TestScript, _ bool, args []string) {
	all, err := objects(ts.ReadFile("stdout"))
	ts.Check(err)
	var got []string
	for _, o := range all {
		got = append(got, text(o, "device")+"="+text(o, "result"))
		if wrong := breaches(o); len(wrong) > 0 {
			ts.Fatalf("%s: %s", text(o, "device"), strings.Join(wrong, "; "))
		}
	}
	slices.Sort(got)
	want := slices.Sorted(slices.Values(args))
	if !slices.Equal(got, want) {
		ts.Fatalf("results %q, want %q", got, want)
	}
}

func scriptField(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: field DEVICE NAME VALUE")
	}
	all, err := objects(ts.ReadFile("stdout"))
	ts.Check(err)
	for _, o := range all {
		if text(o, "device") != args[0] {
			continue
		}
		if got := string(o[args[1]]); (got == args[2]) == neg {
			ts.Fatalf("%s of %s is %s", args[1], args[0], got)
		}
		return
	}
	ts.Fatalf("nothing is said of %s", args[0])
}
