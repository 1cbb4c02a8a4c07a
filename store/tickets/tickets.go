// Package tickets puts notes on tickets, three ways: by mail to the ticket
// system's address (Mail), by a request to it (Webhook), or as files that
// something else picks up (Folder). Each is a plain struct that the settings
// fill; it sends once and says whether that was done, was certainly not done
// (*configs.Declined), or may have been. Trying again is the outbox's, and a
// note that arrives twice carries the same key: as Message-ID, as
// Idempotency-Key, as file name.
//
// No error holds a password, a token, the path of a webhook or what a server
// said: servers like to repeat what they were sent.
package tickets

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"belay/configs"
	"belay/devices"
)

// postTime is how long a server may take over one note, where nothing else is
// set: mail servers look for viruses while we wait.
const postTime = 2 * time.Minute

// An act is the posting of one note, for errors.
type act struct{ ticket string }

func (a act) wrong(kind devices.Kind, err error, hint string) *devices.Error {
	return &devices.Error{Kind: kind, Op: fmt.Sprintf("post to ticket %.60q", a.ticket), Err: err, Hint: hint}
}

// open leaves open whether the note was posted.
func (a act) open(err error, hint string) error { return a.wrong(devices.Broken, err, hint) }

// declined says that it was not.
func (a act) declined(why configs.Decline, err error, hint string) error {
	kind := devices.Broken
	if why == configs.Invalid {
		kind = devices.Usage
	}
	return &configs.Declined{Why: why, Err: a.wrong(kind, err, hint)}
}

// ended is the end of ctx before anything was done.
func (a act) ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return a.open(err, "")
	}
	return nil
}

// check refuses what would become another header, another line or another file.
func (a act) check(n configs.Note) error {
	for what, s := range map[string]string{"ticket": n.Ticket, "key": n.Key} {
		if strings.TrimSpace(s) == "" {
			return a.declined(configs.Invalid, fmt.Errorf("the note has no %s", what), "")
		}
	}
	for what, s := range map[string]string{"ticket": n.Ticket, "key": n.Key, "subject": n.Subject} {
		if !utf8.ValidString(s) || strings.ContainsFunc(s, breaks) {
			return a.declined(configs.Invalid, fmt.Errorf("the note's %s holds a line end or a control character", what), "")
		}
	}
	var names []string
	for _, f := range n.Files {
		low := strings.ToLower(f.Name)
		if len(f.Name) > 150 || f.Name == "" || strings.HasSuffix(f.Name, ".") || strings.HasSuffix(f.Name, " ") || !utf8.ValidString(f.Name) ||
			strings.ContainsAny(f.Name, `<>:"/\|?*`) || strings.ContainsFunc(f.Name, breaks) || slices.Contains(names, low) {
			return a.declined(configs.Invalid, fmt.Errorf("%.60q cannot be the name of a file, or is that of two", f.Name), "")
		}
		names = append(names, low)
	}
	return nil
}

// breaks tells whether r ends a line or steers a terminal. Unicode has line ends
// of its own that are no control characters.
func breaks(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }

// trusted are the certificates of the system, and those in file besides.
func trusted(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil // the system's
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the certificates to trust: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // then those in the file alone
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("the certificates to trust: there is none in %s", file)
	}
	return pool, nil
}

// trustHint is what to do where trusted fails or a certificate is not trusted.
const trustHint = "ca: names a file with the certificate that signed the server's, in PEM form"

// distrusted tells whether err is that of a certificate.
func distrusted(err error) bool {
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, host := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	return authority || host || invalid
}

// loopback tells whether host is this very machine by its name alone.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
