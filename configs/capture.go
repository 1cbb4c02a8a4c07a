// Package configs is the centre of Belay: the configurations of network devices
// (never the program's own settings, which are in cmd/belay). It takes a
// device's configuration, checks that it is whole, redacts it, keeps it and
// proves that it is kept. It knows no vendor, no git, no database: it asks for
// those through the ports in ports.go.
package configs

import (
	"regexp"
	"time"

	"belay/configs/redact"
	"belay/devices"
)

// MainFile is the name of a device's (first) text, in every system.
const MainFile = "running.conf"

// A Capture is one reading of a device, whole or not, in memory.
type Capture struct {
	Device   devices.Device
	Driver   string // the driver's own name
	Identity devices.Identity
	Files    []File
	Rules    Rules
	Reached  devices.Reached
	Missing  []string // what this reading could not see, beyond the driver's grade
	Faults   []string // what the device itself reported as failed: refused
	Warnings []string // what went wrong without harm: a fact command unanswered
	Unsaved  bool     // the device says that a restart would lose changes
	Began    time.Time
	Took     time.Duration
}

// A File is one text as the device sent it, or a binary artifact.
type File struct {
	Name string // MainFile, or another name within the snapshot
	Raw  []byte // byte-true: line ends, terminal sequences and all
	Text []byte // the same as a person would read it: see Plain

	Sealed   bool          // a binary artifact: only Raw, of which nobody sees anything but its size and digest
	Saved    bool          // the saved configuration: where it differs from MainFile's, changes are unsaved
	Complete *Completeness // when it is whole; MainFile's is in Rules, and a further text without one must merely be there
}

// original is what is to be sealed of the file, without the sealed bytes.
func (f File) original() Sealed {
	return Sealed{Name: f.Name, Digest: Digest(f.Raw), Size: len(f.Raw), Alone: f.Sealed}
}

// Rules are what the driver knows of a system's texts: when they are whole,
// what is secret, what moves by itself, what is missing for a restore.
type Rules struct {
	Redact   redact.Rules
	Complete Completeness
	Grading  Grading

	search *redact.Search         // see Prepare
	at     map[*regexp.Regexp]int // their place in search
}

// A Level says what a copy is good for.
type Level string

// The levels, best first.
const (
	Restore Level = "restore" // enough to bring a replacement to the same state
	Partial Level = "partial" // something that a restore needs is missing
	Audit   Level = "audit"   // for reading and comparing only
)

// A Grade is the level of one copy, with what is missing and what to switch on.
type Grade struct {
	Level   Level    `json:"level"`
	Missing []string `json:"missing,omitempty"`
}

// A Check is one condition that a capture was held to.
type Check struct {
	Name   string `json:"name"`             // "end mark", "sections", …
	OK     bool   `json:"ok"`               //
	Detail string `json:"detail,omitempty"` // what was found; never a line of the configuration
}
