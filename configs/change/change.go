// Package change is the replacement, the installation and the removal of a
// device: nothing is touched before its configuration is proven to be kept, or
// its customer has agreed in writing. A change has no state of its own: each act
// is an event in the ledger, and what a change is follows from its events, which
// anybody can read again. Nothing of a closed change is ever altered.
package change

import (
	"time"

	"belay/configs"
	"belay/devices"
)

// A Kind says what is done to a device.
type Kind string

// The kinds, and what each needs before it may be closed.
const (
	Replace Kind = "replace" // the old and the new configuration
	Install Kind = "install" // the new one
	Remove  Kind = "remove"  // the old one
)

// A State is how far a change has come. It is computed, never stored.
type State string

// The states.
const (
	Open    State = "open"    // nothing of the old device may be touched
	Safe    State = "safe"    // the old configuration is verified, within this change
	Waived  State = "waived"  // it is not, and an authorised contact has agreed in writing
	Swapped State = "swapped" // the new box has been seen, its configuration is not verified
	Proven  State = "proven"  // all that the kind needs is verified or waived
	Closed  State = "closed"
)

// A Change is what its events tell, oldest first in each list. It is also what
// --json shows, and holds no secret.
type Change struct {
	ID       string         `json:"id"` // made of ticket and device: T20391-fw-hq
	Kind     Kind           `json:"kind"`
	Customer string         `json:"customer"`
	Site     string         `json:"site,omitempty"`
	Ticket   string         `json:"ticket"`
	Old      devices.ID     `json:"old,omitempty"` // the device that goes; empty for an installation
	New      devices.ID     `json:"new,omitempty"` // the one that comes; the same ID where a box takes another's place and name
	OldName  string         `json:"oldName,omitempty"`
	NewName  string         `json:"newName,omitempty"`
	Serials  []string       `json:"serials,omitempty"` // of the old device, as known when the change was opened
	By       configs.Person `json:"by"`
	At       time.Time      `json:"at"`
	Follows  string         `json:"follows,omitempty"` // a closed change of the same ticket and device

	Captures    []Capture    `json:"captures,omitempty"`
	Attests     []Attest     `json:"attests,omitempty"`
	Waivers     []Waiver     `json:"waivers,omitempty"`
	Gates       []Gate       `json:"gates,omitempty"`
	Succession  *Succession  `json:"succession,omitempty"` // the newest
	Attachments []Attachment `json:"attachments,omitempty"`
	Notices     []Notice     `json:"notices,omitempty"`
	Receipts    []Posted     `json:"receipts,omitempty"`
	Closing     *Closing     `json:"closing,omitempty"`

	// What came before what stands in the order of the ledger alone: clocks are set back.
	posted int  // receipts that were posted before the last fact that a receipt must tell
	gated  bool // the gate had been open before the succession
	words  int  // attests before the succession
}

// The phases of a capture.
const (
	Before = "before"
	After  = "after"
)

// A Capture is one taking of a configuration within a change, good or not.
type Capture struct {
	At       time.Time             `json:"at"`
	By       configs.Person        `json:"by"`
	Phase    string                `json:"phase"`
	Device   devices.ID            `json:"device"`
	Version  string                `json:"version,omitempty"` // empty where nothing was kept
	Taken    time.Time             `json:"taken"`
	Driver   string                `json:"driver,omitempty"`
	Verified bool                  `json:"verified"` // by what was proven then; an attachment may prove it later
	Grade    configs.Grade         `json:"grade"`
	Identity devices.Identity      `json:"identity,omitzero"`
	HostKey  string                `json:"hostKey,omitempty"`
	Unproven string                `json:"unproven,omitempty"` // what to say where nothing proved which device it was: read by telnet
	Files    []configs.VersionFile `json:"files,omitempty"`
	Checks   []configs.Check       `json:"checks,omitempty"`
	Proofs   []configs.Proof       `json:"proofs,omitempty"`
	Attested string                `json:"attested,omitempty"` // exported by hand: who says so, and that it is this device's
	Vouched  string                `json:"vouched,omitempty"`  // who accepted shortly before that the configuration had shrunk, and why
	Doubted  bool                  `json:"doubted,omitempty"`  // the checks were in doubt: it counts for nothing, whatever is proven later
	Error    string                `json:"error,omitempty"`
	Seconds  float64               `json:"seconds,omitempty"`
}

// An Attachment is a file that was proven to hang on an item.
type Attachment struct {
	At time.Time      `json:"at"`
	By configs.Person `json:"by"`
	configs.Arrival
}

// A Gate is an answer that was given.
type Gate struct {
	At      time.Time      `json:"at"`
	By      configs.Person `json:"by"`
	Open    bool           `json:"open"`
	Waived  bool           `json:"waived,omitempty"` // open, but not backed up
	Version string         `json:"version,omitempty"`
	Why     []string       `json:"why,omitempty"`
}

// A Succession says which box took the old one's place, and who saw it.
type Succession struct {
	At      time.Time      `json:"at"`
	By      configs.Person `json:"by"`
	Device  devices.ID     `json:"device"`
	Serials []string       `json:"serials,omitempty"`
	HostKey string         `json:"hostKey,omitempty"` // SHA256:…
	Reason  string         `json:"reason,omitempty"`  // who says that it is another box, where nothing it says tells
}

// An Attest is a person's word that a backup exists where Belay cannot read it.
// It never makes anything verified.
type Attest struct {
	At      time.Time      `json:"at"`
	By      configs.Person `json:"by"`
	Device  devices.ID     `json:"device"`
	Where   string         `json:"where"`             // where the backup is said to be
	Who     string         `json:"who"`               // who says so
	Message string         `json:"message,omitempty"` // Message-ID of the mail that says so
	Until   time.Time      `json:"until,omitzero"`    // zero: for this change
}

// A Notice is something the customer was told.
type Notice struct {
	At   time.Time      `json:"at"`
	By   configs.Person `json:"by"`
	To   string         `json:"to,omitempty"`
	Text string         `json:"text"`
}

// A Posted is a receipt that arrived on its ticket, or where receipts are filed.
type Posted struct {
	At     time.Time      `json:"at"`
	By     configs.Person `json:"by"`
	Digest string         `json:"digest"` // of the receipt's JSON form
	To     string         `json:"to"`     // the ticket system's name in the settings; "store" where there is none
	ID     string         `json:"id,omitempty"`
}

// A Closing ends a change.
type Closing struct {
	At     time.Time      `json:"at"`
	By     configs.Person `json:"by"`
	Digest string         `json:"digest,omitempty"` // of the receipt
	Reason string         `json:"reason,omitempty"` // of a change that did not take place
}
