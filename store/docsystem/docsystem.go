// Package docsystem is the hand-written list of documentation systems. To add
// one is to add its folder beside this file and its line below.
package docsystem

import (
	"fmt"
	"strings"

	"belay/devices"
	"belay/store/docsystem/folder"
	"belay/store/docsystem/hudu"
	"belay/store/docsystem/internal/system"
	"belay/store/docsystem/itglue"
)

// A System is one product that attachments can be hung in.
type System = system.System

// Options are what the settings say of one of them.
type Options = system.Options

// All are the documentation systems, by name.
func All() []System {
	return []System{
		folder.System(),
		hudu.System(),
		itglue.System(),
	}
}

// Find is the system that the settings call kind.
func Find(kind string) (System, error) {
	var kinds []string
	for _, s := range All() {
		if s.Kind == kind {
			return s, nil
		}
		kinds = append(kinds, s.Kind)
	}
	return System{}, &devices.Error{Kind: devices.Usage, Op: "find the documentation system", Err: fmt.Errorf("there is none called %q", kind), Hint: "one of: " + strings.Join(kinds, ", ")}
}
