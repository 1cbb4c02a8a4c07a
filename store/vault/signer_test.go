package vault

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"belay/devices"
)

// signs holds a vault to a signer that makes good signatures, and returns its
// public key.
func signs(t *testing.T, v *Vault) string {
	t.Helper()
	s, err := v.Signer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	public, ok := s.Public().(ed25519.PublicKey)
	signature, err := s.Sign(rand.Reader, []byte("message"), crypto.Hash(0))
	if err != nil || !ok || !ed25519.Verify(public, []byte("message"), signature) {
		t.Fatalf("a bad signature: %v", err)
	}
	line, err := v.SignerKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func TestTheSignerIsMadeOnceAndStays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var wg sync.WaitGroup
	lines := make([]string, 6)
	for i := range lines { // vaults that share only the files
		v := open(t, dir)
		wg.Go(func() { lines[i], _ = v.SignerKey(t.Context()) })
	}
	wg.Wait()
	want := signs(t, open(t, dir))
	for _, l := range lines {
		if l != want {
			t.Errorf("another key: %q, want %q", l, want)
		}
	}
	if file, err := os.ReadFile(filepath.Join(dir, "data", "signer.pub")); err != nil || string(file) != want+"\n" {
		t.Errorf("signer.pub: %q, %v", file, err)
	}
	if sealed, err := os.ReadFile(filepath.Join(dir, "data", "signer.age")); err != nil || bytes.Contains(sealed, []byte("PRIVATE")) {
		t.Errorf("the key is not sealed, or cannot be read: %v", err)
	}
}

func TestOpenSSHReadsThePublicKey(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("ssh-keygen is missing: apt install openssh-client")
		}
		t.Skip("ssh-keygen is missing: apt install openssh-client")
	}
	dir := t.TempDir()
	signs(t, open(t, dir))
	out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-l", "-f", filepath.Join(dir, "data", "signer.pub")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "256 SHA256:") || !strings.Contains(string(out), "belay-receipts (ED25519)") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestALostSignerIsNotMadeAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	want := signs(t, open(t, dir))
	file := func(name string) string { return filepath.Join(dir, "data", name) }

	// Killed between the two files: the next one finishes.
	if err := os.Remove(file("signer.pub")); err != nil {
		t.Fatal(err)
	}
	if got := signs(t, open(t, dir)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := os.Stat(file("signer.pub")); err != nil {
		t.Error(err)
	}

	sealed, err := os.ReadFile(file("signer.age"))
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func() error{
		"lost":        func() error { return os.Remove(file("signer.age")) },
		"cut short":   func() error { return os.WriteFile(file("signer.age"), sealed[:len(sealed)-1], 0o600) },
		"another's":   func() error { return os.WriteFile(file("signer.pub"), []byte("ssh-ed25519 AAAA x\n"), 0o600) },
		"the logins'": func() error { return os.Rename(file("logins.age"), file("signer.age")) },
	} {
		v := open(t, dir)
		if err := v.Set(t.Context(), "a", "password", devices.NewSecret("x")); err != nil {
			t.Fatal(err)
		}
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Signer(t.Context()); devices.KindOf(err) != devices.Damaged || devices.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
		if err := errors.Join(os.WriteFile(file("signer.age"), sealed, 0o600), os.WriteFile(file("signer.pub"), []byte(want+"\n"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheSignerFollowsTheMaster(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	want := signs(t, open(t, dir))
	next := Master{File: filepath.Join(dir, "secret", "next.txt"), Create: true}
	if err := open(t, dir).ReplaceMaster(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	v, err := New(filepath.Join(dir, "data"), next, now)
	if err != nil {
		t.Fatal(err)
	}
	if got := signs(t, v); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := open(t, dir).Signer(t.Context()); devices.KindOf(err) != devices.Damaged {
		t.Errorf("the old master opens it: %v", err)
	}
}

func TestAMissingMasterIsNotMadeAnewOverASigner(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	signs(t, open(t, dir))
	master := filepath.Join(dir, "secret", "master.txt")
	if err := os.Remove(master); err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func(*Vault) error{
		"signing": func(v *Vault) error { _, err := v.Signer(t.Context()); return err },
		"sealing": func(v *Vault) error { _, err := v.Seal(t.Context(), "acme", nil); return err },
		"its replacing": func(v *Vault) error {
			return v.ReplaceMaster(t.Context(), Master{File: filepath.Join(dir, "other.txt"), Create: true})
		},
		"keeping logins": func(v *Vault) error { return v.Set(t.Context(), "a", "user", devices.NewSecret("x")) },
	} {
		if err := do(open(t, dir)); err == nil || devices.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(master); err == nil {
			t.Fatalf("%s made a new master", name)
		}
	}
}

func TestNothingPrintsTheSigner(t *testing.T) {
	t.Parallel()
	s, err := open(t, t.TempDir()).Signer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	private := s.(*signer).key()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		if out := fmt.Sprintf(verb, s); strings.Contains(out, fmt.Sprintf(verb, private.Seed())) || strings.Contains(out, fmt.Sprintf("%x", private.Seed())) {
			t.Errorf("%s prints it", verb)
		}
	}
}

func TestThePublicKeyIsKnownWithoutTheMaster(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if line, err := KnownSigner(dir); line != "" || err != nil {
		t.Errorf("of none: %q, %v", line, err)
	}
	v, err := New(dir, Master{File: filepath.Join(dir, "master.age"), Create: true}, func() time.Time { return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC) })
	if err != nil {
		t.Fatal(err)
	}
	want := signs(t, v)
	if err := os.Remove(filepath.Join(dir, "master.age")); err != nil {
		t.Fatal(err)
	}
	if line, err := KnownSigner(dir); line != want+"\n" || err != nil {
		t.Errorf("%q, %v; want %q", line, err, want)
	}
}
