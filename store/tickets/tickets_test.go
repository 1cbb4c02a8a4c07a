package tickets

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"belay/configs"
	"belay/devices"
)

// What must be in no error: the secrets, and what servers say.
const (
	password = "canary-password-7"
	token    = "canary-token-7"
	hidden   = "canary-path-7" // in the URL of the webhook
	rude     = "canary-answer-7 you sent " + password + " " + token
)

func note() configs.Note {
	return configs.Note{
		Ticket: "T20391", Key: "T20391-fw-hq/receipt/5f1d", Subject: "fw-hq: safe to replace – Zürich",
		Text: "Kept and proven.\n.\n..two dots\n", HTML: []byte("<p>Kept &amp; proven – Zürich.</p>\n"),
		Files: []configs.Attached{{Name: "T20391-fw-hq_receipt.json", Bytes: []byte("{\"a\": 1}\n")}, {Name: "odd.bin", Bytes: []byte("\x00\xff\r\n.\r\n\n\x1b")}},
		At:    time.Date(2026, 11, 21, 22, 34, 15, 0, time.UTC),
	}
}

// wantDeclined checks what came of a note that was certainly not posted; why is
// empty where that must be left open.
func wantDeclined(t *testing.T, what string, err error, why configs.Decline) {
	t.Helper()
	leaksNothing(t, err)
	d, ok := errors.AsType[*configs.Declined](err)
	switch {
	case err == nil:
		t.Errorf("%s: no error", what)
	case why == "" && ok:
		t.Errorf("%s: declined as %q (%v), want it left open", what, d.Why, err)
	case why != "" && (!ok || d.Why != why):
		t.Errorf("%s: got error %v, want it declined as %q", what, err, why)
	case devices.HintOf(err) == "" && why != configs.Invalid:
		t.Errorf("%s: no hint with %v", what, err)
	}
}

func leaksNothing(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, said := range []string{e.Error(), fmt.Sprintf("%v %+v %q", e, e, e), devices.HintOf(e)} {
			if strings.Contains(said, "canary") {
				t.Errorf("an error tells %q", said)
			}
		}
	}
}

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// certificate makes one for 127.0.0.1, and a file to trust it by.
func certificate(t *testing.T) (*tls.Config, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "stand-in"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, file
}

func TestWhatWouldBecomeAnotherHeaderOrFileIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := hear(t, answer(200, ""))
	p := listen(t)
	for what, alter := range map[string]func(*configs.Note){
		"no ticket":                        func(n *configs.Note) { n.Ticket = " " },
		"no key":                           func(n *configs.Note) { n.Key = "" },
		"a line end in the ticket":         func(n *configs.Note) { n.Ticket = "T1\r\nBcc: eve@example.net" },
		"a line end in the subject":        func(n *configs.Note) { n.Subject = "kept\nX-Eve: 1" },
		"a line end in the key":            func(n *configs.Note) { n.Key = "k\n" },
		"a line end of Unicode's own":      func(n *configs.Note) { n.Subject = "kept\u2028X-Eve: 1" },
		"a control character":              func(n *configs.Note) { n.Subject = "\x1b]0;eve\a" },
		"no text at all":                   func(n *configs.Note) { n.Ticket = "T\xff" },
		"a file that would leave":          func(n *configs.Note) { n.Files[0].Name = "../eve.txt" },
		"a file with a line end":           func(n *configs.Note) { n.Files[0].Name = "eve\r\n.txt" },
		"a file with quotes":               func(n *configs.Note) { n.Files[0].Name = `a"; filename="eve.exe` },
		"a file without a name":            func(n *configs.Note) { n.Files[0].Name = "" },
		"two files that Windows calls one": func(n *configs.Note) { n.Files[0].Name = strings.ToUpper(n.Files[1].Name) },
	} {
		for _, s := range []configs.TicketSystem{p.mail(), h.webhook(), Folder{Path: dir}} {
			n := note()
			alter(&n)
			_, err := s.Post(t.Context(), n)
			wantDeclined(t, s.Name()+", "+what, err, configs.Invalid)
		}
	}
	if entries, err := os.ReadDir(dir); len(entries) != 0 || err != nil {
		t.Errorf("files were written: %v, error %v", entries, err)
	}
	if len(h.requests()) != 0 || p.calls() != 0 {
		t.Errorf("%d requests and %d calls were made", len(h.requests()), p.calls())
	}
}

func TestPrintingASettingShowsNoSecret(t *testing.T) {
	t.Parallel()
	for _, s := range []configs.TicketSystem{
		Mail{Server: "mail.example.net", User: "belay", Password: devices.NewSecret(password), To: "support@msp.example"},
		Webhook{URL: devices.NewSecret("https://user:" + password + "@hooks.example.net/" + hidden + "?k=" + token), Token: devices.NewSecret(token)},
		Webhook{URL: devices.NewSecret("https://" + hidden + "\x00/" + token)},
	} {
		if said := fmt.Sprintf("%v %+v %#v %s %s", s, s, s, s, s.Name()); strings.Contains(said, "canary") {
			t.Errorf("%s", said)
		}
	}
}
