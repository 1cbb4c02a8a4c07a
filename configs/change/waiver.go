package change

import (
	"time"
)

// A Contact is a person at the customer's.
type Contact struct {
	Name       string    `json:"name"`
	Email      string    `json:"email"`
	Authorised bool      `json:"authorised"` // may agree to go on without a backup
	From       time.Time `json:"from"`       // the authority's first moment
	To         time.Time `json:"to"`         // its last moment
}

// A Wording is what an authorised contact agrees to, word for word.
type Wording struct {
	Version  string   `json:"version"`
	Language string   `json:"language"`
	Clauses  []string `json:"clauses"` // each must stand in what the contact wrote or initialled
}

// A Waiver is written permission to go on without a backup.
type Waiver struct {
	At       time.Time `json:"at"`   // when it was recorded
	By       Actor     `json:"by"`   // who recorded it
	Kind     string    `json:"kind"` // "email" or "ossr"
	Contact  Contact   `json:"contact"`
	Given    time.Time `json:"given"` // the message's date, or the time of the initials
	Serials  []string  `json:"serials"`
	Wording  Wording   `json:"wording"`
	Digest   string    `json:"digest"`   // SHA-256 of the text that holds the clauses
	Compared bool      `json:"compared"` // the serial numbers were compared with what the device said

	MessageID string `json:"messageID,omitempty"`
	Sender    string `json:"sender,omitempty"`
	Paper     string `json:"paper,omitempty"` // digest of the raw message, kept sealed

	Form     string `json:"form,omitempty"` // number of the OSSR form
	Initials string `json:"initials,omitempty"`
	Scan     string `json:"scan,omitempty"` // digest of the scan, kept sealed
}
