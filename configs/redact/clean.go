// Package redact turns a device's configuration into text that may be seen:
// volatile lines go, secrets become fingerprints. It is pure: no clock, no
// files, no network. Clean is the only form in which text may reach git, a
// screen, a notification or a log.
package redact

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Clean is text whose secrets have been replaced. Only this package makes one.
type Clean struct{ text []byte }

// String is the text itself.
func (c Clean) String() string { return string(c.text) }

// Bytes is a copy of the text.
func (c Clean) Bytes() []byte { return append([]byte(nil), c.text...) }

// Len is the number of bytes.
func (c Clean) Len() int { return len(c.text) }

// Equal tells whether both are the same text.
func (c Clean) Equal(d Clean) bool { return string(c.text) == string(d.text) }

// Digest is the SHA-256 of the text in hexadecimal, which is kept beside it.
func (c Clean) Digest() string {
	sum := sha256.Sum256(c.text)
	return hex.EncodeToString(sum[:])
}

// Restore makes a Clean of text that was redacted before it was kept. It takes
// the digest that was recorded then, and refuses any other text: what was
// altered since, or never passed through here, cannot become Clean.
func Restore(text []byte, digest string) (Clean, error) {
	c := Clean{append([]byte(nil), text...)}
	if c.Digest() != digest {
		return Clean{}, fmt.Errorf("text has digest %s, not the recorded %s", c.Digest(), digest)
	}
	return c, nil
}
