package configs

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"belay/configs/redact"
	"belay/devices"
)

// A Person is who did something.
type Person struct {
	Name    string `json:"name"`
	Email   string `json:"email,omitempty"`
	Claimed bool   `json:"claimed,omitempty"` // said so with --as; nobody checked
}

// A Text is one redacted file of a snapshot.
type Text struct {
	Name  string
	Clean redact.Clean
}

// Digest is how bytes are named everywhere: in histories, in the ledger, on
// receipts and over there. It is their SHA-256 in hexadecimal.
func Digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Sealed is one original, compressed and encrypted to the customer's key.
type Sealed struct {
	Name   string // of the Text it belongs to
	Bytes  []byte
	Digest string // SHA-256 of the original in hexadecimal
	Size   int    // bytes of the original
	Alone  bool   // a binary artifact: no Text belongs to it
}

// A Snapshot is a capture that passed its checks and is to be kept.
type Snapshot struct {
	Device    devices.Device
	Taken     time.Time
	By        Person
	Ticket    string // the trailers of its commit; empty ones are left out
	Change    string
	Phase     string // "before" or "after"
	Reason    string // why a person accepted what a check refused
	Driver    string
	Identity  devices.Identity
	Grade     Grade
	Checks    []Check
	Texts     []Text
	Originals []Sealed
	Reached   devices.Reached
	Warnings  []string
	Gaps      int  // secrets that only the generic look found
	Salted    bool // the system salts its secrets: the newest original is kept besides
	Unsaved   bool // a restart would have lost changes
	Always    bool // commit even where no text changed
}

// A Version is a snapshot's place in history.
type Version struct {
	ID       devices.ID
	Name     string // the device's name at that time: its folder
	Commit   string // hexadecimal object id
	Taken    time.Time
	By       Person
	Subject  string
	Ticket   string
	Change   string
	Phase    string
	Driver   string
	Identity devices.Identity
	Grade    Grade
	Unsaved  bool // a restart would have lost changes when it was taken
	Files    []VersionFile
	New      bool // made by the very call that returned it
}

// A VersionFile names one file of a version and the digests recorded with it.
type VersionFile struct {
	Name           string `json:"name"`
	Digest         string `json:"digest"`         // SHA-256 of the redacted text; empty for a binary artifact, of which there is none
	Bytes          int    `json:"bytes"`          // of the redacted text
	OriginalDigest string `json:"originalDigest"` // SHA-256 of what the device sent
	OriginalBytes  int    `json:"originalBytes"`
}

// Alone tells whether the file is a binary artifact: only its sealed original is kept.
func (f VersionFile) Alone() bool { return f.Digest == "" }

// A Proof is one thing that was read again and found true, or not.
type Proof struct {
	Name   string    `json:"name"` // "read back", "remote"
	Done   bool      `json:"done"` // false: not set up, so neither true nor false
	OK     bool      `json:"ok"`
	Second bool      `json:"second,omitempty"` // made in another place than the store
	Detail string    `json:"detail,omitempty"`
	At     time.Time `json:"at"`
}

// A Refusal is a capture that a check refused, sealed.
type Refusal struct {
	ID        devices.ID
	Device    devices.Device
	Taken     time.Time
	By        Person
	Checks    []Check
	Driver    string
	Originals []Sealed
}

// Checked is the outcome of one reading.
type Checked struct {
	ID      devices.ID
	At      time.Time
	Result  Outcome
	Commit  string // the version that stands; may be empty
	Error   string // in short; empty for kept and unchanged
	Seconds float64

	Verified bool      // this reading left a version that is proven in a second place
	Good     time.Time // when a reading last was kept or unchanged; told by the log, not to it
	Proven   time.Time // when a reading last was verified; told by the log, not to it
}

// An Event is one entry of the ledger.
type Event struct {
	Seq      int64 // given by the ledger
	At       time.Time
	Customer string
	Device   devices.ID // empty where no device is concerned
	By       Person
	Act      string         // "capture", "reveal", "trust", "accept", "rename", "verify", …
	Detail   map[string]any // never a secret; what belongs to a change holds its id as "change"
}

// A Filter chooses events; zero fields choose all.
type Filter struct {
	Customer string
	Device   devices.ID
	Act      string
	Change   string // those whose Detail holds it as "change"
	Since    time.Time
}

// An Outcome is what came of capturing one device.
type Outcome string

// The outcomes, as scripts read them.
const (
	Kept        Outcome = "kept"
	Unchanged   Outcome = "unchanged"
	Refused     Outcome = "refused"
	Unreachable Outcome = "unreachable"
	Denied      Outcome = "denied"
	Failed      Outcome = "failed"
)
