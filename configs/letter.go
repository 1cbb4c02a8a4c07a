package configs

import (
	"context"
	"errors"
	"iter"
	"time"

	"belay/devices"
)

// A Form is what of a version is attached.
type Form string

// The forms.
const (
	Original Form = "original" // as the device gave it, with its secrets
	Redacted Form = "redacted" // the text with its secrets replaced
	InSeal   Form = "sealed"   // the original, encrypted to the customer's key
	Receipt  Form = "receipt"  // of a change: for its ticket, or beside its attachments
)

// A Letter is one file on its way to a documentation or ticket system: what and
// where to, never the bytes. It stands in the outbox until it is proven to have
// arrived, and afterwards as the record that it did.
type Letter struct {
	ID       int64
	To       string // the system's name in the settings
	Customer string
	Device   devices.ID // whose item it hangs on; empty for a ticket
	Version  string     // commit of the version; for a receipt the digest of its paper
	File     string     // of the version: MainFile, …; for a receipt its format
	Form     Form
	Name     string // the file's name over there, of this letter alone
	Change   string // id of the change, where it belongs to one
	Phase    string
	Ticket   string
	Urgent   bool // somebody waits: before all that is not
	By       Person
	Put      time.Time

	Due   time.Time // not to be tried before; see FarAhead
	Tries int
	Began time.Time // when it was last sent without a clear answer: it may be there. Zero: it is not
	Error string    // of the last try; empty once proven
	Hint  string

	Proven     time.Time // when it was read again over there; zero: not yet
	Second     bool      // over there is another place than the store
	Item       Item
	Attachment Attachment
	Digest     string    // SHA-256 of the bytes that were sent
	Removed    time.Time // taken down again: newer ones hang there
	Lease      string    // who has it in hand; the outbox's own. Empty it to let go
	Claim      string    // the lease that Claim gave, by which Renew and Save know the letter; the outbox's own
}

// An Arrival is a file that was proven to hang on an item: the detail of an
// "attach" event, which the outbox writes and a change reads.
type Arrival struct {
	System     string `json:"system"` // its name in the settings
	Phase      string `json:"phase,omitempty"`
	Version    string `json:"version"`
	File       string `json:"file"`
	Form       Form   `json:"form"`
	Item       Item   `json:"item"`
	Attachment string `json:"attachment"` // its id over there
	Name       string `json:"name"`
	Bytes      int    `json:"bytes"`
	Digest     string `json:"digest"` // SHA-256 of what was sent, in hexadecimal
	Second     bool   `json:"second"` // over there is another place than the store
	How        string `json:"how"`    // what was compared: "id, name and size", "id, name and content"
}

// ErrLeaseLost says that a letter is in somebody else's hands by now.
var ErrLeaseLost = errors.New("the lease of this letter has ended")

// An Outbox remembers letters. What a method has done is on disk.
type Outbox interface {
	// Put adds letters. One with the same To, Device, Version, File and Form
	// stands already: it is returned as it stands, but becomes urgent if the
	// new one is, and takes its change where it has none.
	Put(ctx context.Context, letters ...Letter) ([]Letter, error)
	// Claim takes a letter in hand until a time. ok is false where another
	// has it.
	Claim(ctx context.Context, id int64, until time.Time) (l Letter, ok bool, err error)
	// Renew keeps it in hand for longer, or fails with ErrLeaseLost.
	Renew(ctx context.Context, l Letter, until time.Time) error
	// Save writes what has become of a letter in hand, with the events that
	// tell of it, both or neither; ErrLeaseLost where it is no longer in hand.
	// It stays in hand unless l.Lease is emptied: then it is let go.
	Save(ctx context.Context, l Letter, events ...Event) error
	// Letters are those that f chooses: urgent ones first, then by Due, then
	// by ID. With DueBy those come last that are due because they are FarAhead.
	Letters(ctx context.Context, f LetterFilter) iter.Seq2[Letter, error]
}

// FarAhead is further ahead than any letter is put off (six hours, where only a
// person helps) or taken in hand (two minutes). What seems to be was written before
// the clock was set back: the letter is due, and in nobody's hands.
const FarAhead = 7 * time.Hour

// never is the first year in which a letter is due that is not to be tried again.
const never = 2262

// IsDue tells whether a letter may be tried at a time.
func (l Letter) IsDue(at time.Time) bool {
	return !l.Due.After(at) || l.Due.After(at.Add(FarAhead)) && l.Due.Year() < never
}

// A LetterFilter chooses letters; zero fields choose all.
type LetterFilter struct {
	To       string
	Customer string
	Device   devices.ID
	Version  string
	Change   string
	Waiting  bool      // not proven
	DueBy    time.Time // of those waiting, what is due by then and in nobody's hands
	Hanging  bool      // proven and not removed
}

// A Mapping remembers which item a device has in a documentation system.
type Mapping struct {
	To      string // the system's name in the settings
	Device  devices.ID
	Item    Item
	How     string   // "serial", "mac", "person", "folder"
	Serials []string // the device's when it was matched; another box is matched anew
	By      Person
	At      time.Time
}

// Items remembers mappings.
type Items interface {
	// Mapped is the mapping of a device.
	Mapped(ctx context.Context, to string, id devices.ID) (Mapping, bool, error)
	// Map remembers m in place of what was, with a "map" event.
	Map(ctx context.Context, m Mapping) error
	// Mappings are all of a system.
	Mappings(ctx context.Context, to string) iter.Seq2[Mapping, error]
}

// A Paper is a document of a change that must be had again byte for byte: a
// receipt, the message of a waiver, a scan.
type Paper struct {
	Customer string
	Change   string
	Kind     string // "receipt", "message", "scan"
	Digest   string // SHA-256 of the document in hexadecimal
	Sealed   bool   // Bytes are encrypted to the customer's key
	Bytes    []byte
	By       Person
	At       time.Time
}

// Papers keeps documents by their digest.
type Papers interface {
	// FilePaper keeps p; one of the same customer and digest stays as it is.
	FilePaper(ctx context.Context, p Paper) error
	// Paper finds one of a customer's again.
	Paper(ctx context.Context, customer, digest string) (Paper, bool, error)
	// Papers are those of a change, in the order they were filed.
	Papers(ctx context.Context, customer, change string) ([]Paper, error)
}

// A TicketSystem takes notes on tickets: by mail, by webhook, into a file.
type TicketSystem interface {
	// Name is for people: "mail to support@msp.example". It holds no secret.
	Name() string
	// Post puts n on its ticket. Where it cannot tell whether that was done
	// before, it leaves it to n.Key. Errors are as those of Attach.
	Post(ctx context.Context, n Note) (id string, err error)
}

// A Note is what goes to a ticket.
type Note struct {
	Ticket  string
	Key     string // of this note alone, the same at every try
	Subject string
	Text    string
	HTML    []byte
	Files   []Attached
	At      time.Time
}
