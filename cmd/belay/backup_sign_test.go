package main

import (
	"crypto"
	"crypto/ed25519"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"belay/configs/change"
	"belay/devices"
	"belay/store/spare"
)

// A signatory has a key and the line that is known of it.
func signatory(t *testing.T) (key crypto.Signer, line, fingerprint string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	public, err := gossh.NewPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return private, strings.TrimSpace(string(gossh.MarshalAuthorizedKey(public))) + " belay-receipts\n", gossh.FingerprintSHA256(public)
}

// spareOf is a small backup, as it is read again.
func spareOf(t *testing.T, sign func(sum string) (string, error)) (folder string, m spare.Manifest) {
	t.Helper()
	folder = t.TempDir()
	b, err := spare.Begin(folder)
	if err != nil {
		t.Fatal(err)
	}
	b.Sign = sign
	err = b.Put(t.Context(), "a", []byte("one"))
	if err == nil {
		_, err = b.Finish(spare.Manifest{Made: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), From: "x<y"}, 7)
	}
	if err := errors.Join(err, b.Close()); err != nil {
		t.Fatal(err)
	}
	if m, err = spare.Read(folder, 0); err != nil {
		t.Fatal(err)
	}
	return folder, m
}

func TestASignedBackupIsHeldToTheKeyThatIsKnown(t *testing.T) {
	t.Parallel()
	key, line, print := signatory(t)
	other, _, otherPrint := signatory(t)
	by := func(k crypto.Signer) func(string) (string, error) {
		return func(sum string) (string, error) { return change.Sign([]byte(sum), k, backupNamespace) }
	}
	home := &settings{Data: t.TempDir()}
	if err := os.WriteFile(filepath.Join(home.Data, "signer.pub"), []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	fresh := &settings{Data: filepath.Join(t.TempDir(), "none")}
	forged := func(sum string) (string, error) { return change.Sign([]byte("another sum"), key, backupNamespace) }
	receipts := func(sum string) (string, error) { // the same key, for something else
		return change.Sign([]byte(sum), key, change.SignatureNamespace)
	}
	for name, c := range map[string]struct {
		sign  func(string) (string, error)
		named string
		here  *settings
		want  signed
		says  string
	}{
		"by our key":                    {by(key), "", home, signed{print, "this installation's own key"}, ""},
		"by the key that is named":      {by(other), otherPrint, home, signed{otherPrint, "the one that was named"}, ""},
		"named, on a new machine":       {by(key), print, fresh, signed{print, "the one that was named"}, ""},
		"on a new machine":              {by(key), "", fresh, signed{Key: print}, ""},
		"without settings":              {by(key), "", nil, signed{Key: print}, ""},
		"by nobody":                     {nil, "", home, signed{}, ""},
		"by nobody, where one is due":   {nil, print, fresh, signed{}, "it is not signed"},
		"by another":                    {by(other), "", home, signed{}, "is signed with " + otherPrint},
		"by another than is named":      {by(key), otherPrint, home, signed{}, "is signed with " + print},
		"of something else":             {forged, "", home, signed{}, "does not fit"},
		"of something else, unknown":    {forged, "", nil, signed{}, "does not fit"},
		"meant for a receipt":           {receipts, "", home, signed{}, "does not fit"},
		"no signature at all":           {func(string) (string, error) { return "x", nil }, "", nil, signed{}, "is none"},
		"named by what is none":         {by(key), "27dc47b8", home, signed{}, "is no fingerprint"},
		"unsigned, and named by none":   {nil, "27dc47b8", home, signed{}, "is no fingerprint"},
		"unsigned, on a new machine":    {nil, "", fresh, signed{}, ""},
		"unsigned and without settings": {nil, "", nil, signed{}, ""},
	} {
		_, m := spareOf(t, c.sign)
		got, err := checkSigned(m, c.named, c.here)
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
		kind := devices.Damaged
		if strings.Contains(c.says, "fingerprint") {
			kind = devices.Usage
		}
		if (err != nil) != (c.says != "") || err != nil && (devices.KindOf(err) != kind || !strings.Contains(err.Error(), c.says) || devices.HintOf(err) == "") {
			t.Errorf("%s: %v (%s)", name, err, devices.HintOf(err))
		}
	}
}

func TestSshKeygenVerifiesTheSignatureOfABackup(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("ssh-keygen is not installed")
		}
		t.Skip("ssh-keygen is not installed: apt-get install openssh-client")
	}
	key, line, _ := signatory(t)
	_, m := spareOf(t, func(sum string) (string, error) { return change.Sign([]byte(sum), key, backupNamespace) })
	dir := t.TempDir()
	for name, text := range map[string]string{"sum.sig": m.Signature, "allowed": "belay-receipts namespaces=\"belay-receipt,belay-backup\" " + line} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for sum, good := range map[string]bool{m.Sum: true, strings.Repeat("0", 64): false} {
		c := exec.CommandContext(t.Context(), "ssh-keygen", "-Y", "verify", "-f", filepath.Join(dir, "allowed"), "-I", "belay-receipts", "-n", backupNamespace, "-s", filepath.Join(dir, "sum.sig"))
		c.Stdin = strings.NewReader(sum)
		if out, err := c.CombinedOutput(); (err == nil) != good {
			t.Errorf("%s: %v\n%s", sum, err, out)
		}
	}
}
