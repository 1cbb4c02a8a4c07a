package change

import (
	"time"
)

// DefaultMaxAge is how old a before may be where the settings do not say.
const DefaultMaxAge = 4 * time.Hour

// A Policy is what the settings ask of one customer's changes.
type Policy struct {
	MaxAge      time.Duration // of a before that opens the gate; 0: DefaultMaxAge
	OnePlace    bool          // a whole copy without a second place is enough; it is never called verified
	Attest      bool          // a person's word for a device that Belay cannot read is enough
	NoticeAfter time.Duration // how long a before may take until the customer is told; 0: they never are
	Systems     []string      // the documentation systems that are owed an attachment, as the settings name them
	TicketTo    string        // the ticket system that is owed the receipt; empty: it is filed beside the attachments
	Contacts    []Contact     // who may agree to go on without a backup
	Wording     Wording       // what they agree to

	// Doubt is why no backup may be called verified at this moment: see
	// Desk.Doubt. The settings do not say; whoever judges asks.
	Doubt string
}

func (p Policy) maxAge() time.Duration {
	if p.MaxAge > 0 {
		return p.MaxAge
	}
	return DefaultMaxAge
}
