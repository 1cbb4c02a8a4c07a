package configs

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrCannotRead says that a system does not give attachments back.
var ErrCannotRead = errors.New("this system does not give attachments back")

// A Documentation system (IT Glue, Hudu, a folder) keeps attachments on
// configuration items. An implementation translates; it never retries, renames,
// redacts or decides. What more it can do is in the one-method interfaces below.
type Documentation interface {
	// Name is the product's, for people: "IT Glue".
	Name() string
	// Attach hangs f on item and tells what the system says of it. An error
	// that is not Declined may have hung it all the same.
	Attach(ctx context.Context, item Item, f Attached) (Attachment, error)
	// Attached lists all that hangs on item.
	Attached(ctx context.Context, item Item) ([]Attachment, error)
}

// An ItemFinder finds configuration items by what a device says of itself.
type ItemFinder interface {
	// FindItems returns the items of w.Organization that share a serial number
	// with w, or where none does a MAC address. What it returns was compared
	// here, not over there. Several are several: the caller does not choose.
	FindItems(ctx context.Context, w Wanted) ([]Item, error)
}

// An ItemLister lists an organization's configuration items.
type ItemLister interface {
	// Items are those with the ids, in whatever organization they are now, or
	// all of the organization where ids is nil. One that is gone is left out.
	Items(ctx context.Context, organization string, ids []string) ([]Item, error)
}

// An AttachmentReader gives an attachment's bytes back.
type AttachmentReader interface {
	// ReadAttachment fails with ErrCannotRead where this system, in its version
	// and with this key, gives none.
	ReadAttachment(ctx context.Context, item Item, a Attachment) ([]byte, error)
}

// An AttachmentRemover deletes one attachment. One that is gone is no error.
type AttachmentRemover interface {
	RemoveAttachment(ctx context.Context, item Item, a Attachment) error
}

// A Restricter can hide an item from those who need not see it.
type Restricter interface {
	Restrict(ctx context.Context, item Item) error
}

// A Bounded system does not take every file.
type Bounded interface {
	Bounds() Bounds
}

// Bounds is what a system takes.
type Bounds struct {
	MaxBytes int  // of one file; 0: no bound is known
	TextOnly bool // names must end in .txt, or the system gives the file another type
}

// A Prober tells what an account can do, for people, without writing anything.
type Prober interface {
	Probe(ctx context.Context) ([]Check, error)
}

// An Item is a configuration item: a device's record in a documentation system.
// Its id alone never names it: the organization belongs to it.
type Item struct {
	Organization string   `json:"organization"`
	ID           string   `json:"id"`
	Name         string   `json:"name,omitempty"`
	Serials      []string `json:"serials,omitempty"`
	MACs         []string `json:"macs,omitempty"` // aa:bb:cc:dd:ee:ff
	Archived     bool     `json:"archived,omitempty"`
	Restricted   bool     `json:"restricted,omitempty"`
	URL          string   `json:"url,omitempty"`
}

// String names the item for people.
func (i Item) String() string {
	if i.Name == "" {
		return fmt.Sprintf("item %s of organization %s", i.ID, i.Organization)
	}
	return fmt.Sprintf("item %s (%s) of organization %s", i.ID, i.Name, i.Organization)
}

// Wanted is what is known of a device whose item is looked for. Customer and
// Device serve systems that have no items of their own, as a folder.
type Wanted struct {
	Organization string
	Customer     string
	Device       string // its name
	Serials      []string
	MACs         []string
}

// Attached is a file to attach: whole in memory, and never logged.
type Attached struct {
	Name  string
	Bytes []byte
}

// An Attachment is a file that hangs on an item, as the system describes it.
type Attachment struct {
	ID     string    `json:"id"`
	Name   string    `json:"name"`
	Bytes  int       `json:"bytes"`            // -1 where the system does not tell
	Digest string    `json:"digest,omitempty"` // SHA-256 in hexadecimal, where the system tells
	At     time.Time `json:"at,omitzero"`
	URL    string    `json:"url,omitempty"` // for people; no key is ever sent there

	// The system does not say what it hangs on: whoever looks for a name that
	// nothing else has may take it for the item's, nobody else.
	Unowned bool `json:"unowned,omitempty"`
}

// A Decline sorts the refusals of a system by what helps.
type Decline string

// The refusals.
const (
	Busy         Decline = "busy"         // too many requests, or down: later
	Unauthorized Decline = "unauthorized" // the key was refused
	Gone         Decline = "gone"         // there is no such item
	TooLarge     Decline = "too large"
	Invalid      Decline = "invalid" // it will not be taken as it is
)

// Declined says that the system has certainly not done what it was asked. Any
// other error leaves open whether it has.
type Declined struct {
	Why   Decline
	After time.Duration // not again before that; 0 where it does not say
	Err   error
}

func (d *Declined) Error() string { return d.Err.Error() }
func (d *Declined) Unwrap() error { return d.Err }
