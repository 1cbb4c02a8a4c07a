// Package devices knows which devices there are, how to reach them and who they
// say they are. It knows nothing of configurations, of vendors' commands or of
// where anything is kept, and imports nothing else of Belay.
package devices

import (
	"fmt"
	"slices"
	"strings"
)

// An ID names a device for ever, as customer/first-name. It stays when the
// device is renamed, so that history continues.
type ID string

// Customer is the part before the slash.
func (id ID) Customer() string { c, _, _ := strings.Cut(string(id), "/"); return c }

// A Device is one thing with a configuration, as the inventory describes it. A
// stack or a high-availability pair is one Device with several serials and host
// keys.
type Device struct {
	Customer string   // letters, digits, '.', '_' and '-'; never empty
	Name     string   // unique within the customer; the same characters
	FirstID  string   // the name it was first kept under, where it has been renamed
	Address  string   // host name or IP address, no port
	Port     int      // TCP port; 0 is the driver's own
	Driver   string   // as the inventory says it: our name or an alias; may be unknown
	Site     string   // empty: a site of its own
	Zone     string   // addresses are unique within a zone only
	Serials  []string // expected serial numbers; empty: whatever it says first
	MACs     []string // hardware addresses, aa:bb:cc:dd:ee:ff; to find its configuration item by
	Model    string   // as the inventory says it; for people
	Login    string   // name of a login in the settings; empty: by customer and site
	Jump     []string // jump hosts in the order they are passed, [user@]host[:port] or a name in the settings
	Proxy    string   // socks5://[user:password@]host:port, used for the first hop
	Legacy   bool     // may be spoken to with algorithms that are no longer safe
	Also     []string // what else may be done with it: see AlsoWords
	HostKeys []string // expected host keys, "SHA256:…" fingerprints; empty: the pinned ones
	Where    Position // where the inventory says so
}

// AlsoWords are what a person can allow for a device beyond reading it by its
// driver's road: to speak telnet, to ask it by SNMP to send its configuration
// (which needs the right to write), to let it write a backup file that is fetched,
// and to read the saved configuration beside the running one.
func AlsoWords() []string { return []string{"telnet", "transfer", "backup-file", "startup"} }

// May tells whether a word stands among Also.
func (d Device) May(word string) bool { return slices.Contains(d.Also, word) }

// ID is the permanent name: that of the first day.
func (d Device) ID() ID {
	if d.FirstID != "" {
		return ID(d.Customer + "/" + d.FirstID)
	}
	return ID(d.Customer + "/" + d.Name)
}

// String is customer/name, as people say it.
func (d Device) String() string { return d.Customer + "/" + d.Name }

// SiteKey names the site within everything: a device without a site is a site
// of its own.
func (d Device) SiteKey() string {
	if d.Site == "" {
		return d.Customer + "//" + d.Name
	}
	return d.Customer + "/" + d.Site
}

// A Position is a place in a file that a person wrote.
type Position struct {
	File         string
	Line, Column int // from 1; 0 where unknown
}

func (p Position) String() string {
	switch {
	case p.File == "":
		return ""
	case p.Line == 0:
		return p.File
	default:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
}

var nameForm = Pattern(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// CheckName tells why s cannot name a customer or a device: both become folder
// names, parts of references and parts of addresses.
func CheckName(s string) error {
	if !nameForm().MatchString(s) || strings.Contains(s, "..") || strings.HasSuffix(s, ".") || strings.HasSuffix(s, ".lock") || strings.HasSuffix(s, ".git") {
		return fmt.Errorf("%q cannot be a name: use letters, digits, '.', '_' and '-', beginning with a letter or digit", s)
	}
	return nil
}

// Shared tells whether two lists of serial numbers, or of addresses in one
// spelling, have one in common as people write them: neither case nor the blanks
// around count, and what is blank is none.
func Shared(a, b []string) bool {
	return slices.ContainsFunc(a, func(x string) bool {
		x = strings.TrimSpace(x)
		return x != "" && slices.ContainsFunc(b, func(y string) bool { return strings.EqualFold(x, strings.TrimSpace(y)) })
	})
}

// An Identity is who a device says it is.
type Identity struct {
	Hostname string   `json:"hostname,omitempty"`
	Model    string   `json:"model,omitempty"`
	Version  string   `json:"version,omitempty"`
	Serials  []string `json:"serials,omitempty"`
	ObjectID string   `json:"sysObjectID,omitempty"` // SNMPv2-MIB sysObjectID, with a leading dot
}
