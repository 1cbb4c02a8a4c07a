package vault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/google/go-cmp/cmp"

	"belay/devices"
)

func TestLoginsAreKeptSealed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	v := open(t, dir)
	if _, ok, err := v.Get(t.Context(), "backup"); ok || err != nil {
		t.Errorf("before the first: %t, %v", ok, err)
	}
	var wg sync.WaitGroup
	for i := range 8 { // vaults that share only the files
		other := open(t, dir)
		wg.Go(func() {
			if err := other.Set(t.Context(), fmt.Sprintf("site-%d", i), "password", devices.NewSecret(fmt.Sprintf("canary-%d", i))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, step := range []struct{ name, field, value string }{
		{"site-0", "user", "ada"}, {"site-0", "enable", "canary-enable"}, {"site-1", "password", ""},
	} {
		if err := v.Set(t.Context(), step.name, step.field, devices.NewSecret(step.value)); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Remove(t.Context(), "site-7"); err != nil {
		t.Fatal(err)
	}
	names, err := v.Names(t.Context())
	if diff := cmp.Diff([]string{"site-0", "site-1", "site-2", "site-3", "site-4", "site-5", "site-6"}, names); err != nil || diff != "" {
		t.Errorf("error %v, names:\n%s", err, diff)
	}
	f, ok, err := open(t, dir).Get(t.Context(), "site-0")
	l := f.Login("site-0")
	if err != nil || !ok || l.User != "ada" || l.Password.Reveal() != "canary-0" || l.Enable.Reveal() != "canary-enable" {
		t.Errorf("login: %t, %v, user %q", ok, err, l.User)
	}
	if f, _, err := v.Get(t.Context(), "site-1"); err != nil || len(f) != 0 {
		t.Errorf("a field that was emptied: %v, %v", f, err)
	}
	for _, bad := range [][2]string{{"", "password"}, {"a b", "password"}, {"a", ""}, {"a", "Pass Word"}} {
		if err := v.Set(t.Context(), bad[0], bad[1], devices.NewSecret("x")); devices.KindOf(err) != devices.Usage {
			t.Errorf("%q: got %v", bad, err)
		}
	}
	sealed, err := os.ReadFile(filepath.Join(dir, "data", "logins.age"))
	if err != nil || bytes.Contains(sealed, []byte("canary")) || bytes.Contains(sealed, []byte("site-0")) {
		t.Errorf("the file tells what is in it, or cannot be read: %v", err)
	}
}

func TestAMasterThatOthersCanReadIsRefused(t *testing.T) {
	t.Parallel()
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660} {
		dir := t.TempDir()
		sealed := seal(t, open(t, dir), "acme", "x")
		master := filepath.Join(dir, "secret", "master.txt")
		if err := os.Chmod(master, mode); err != nil {
			t.Fatal(err)
		}
		_, err := open(t, dir).Open(t.Context(), "acme", sealed)
		if devices.KindOf(err) != devices.NotAllowed || devices.HintOf(err) != "chmod 600 "+master {
			t.Errorf("%04o: got %v with hint %q", mode, err, devices.HintOf(err))
		}
	}
}

func TestTheMasterComesFromAValueOrACommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	made := 0
	v := open(t, dir)
	v.Made = func(string) { made++ }
	sealed := seal(t, v, "acme", "x")
	seal(t, v, "bolt", "x")
	if made != 1 {
		t.Errorf("told %d times of a new master, want once", made)
	}
	file := filepath.Join(dir, "secret", "master.txt")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]Master{
		"value": {Value: devices.NewSecret(string(text))}, "command": {Command: []string{"cat", file}}, "file": {File: file},
	} {
		other, err := New(filepath.Join(dir, "data"), m, now)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { wantOpens(t, other, "acme", sealed, "x") })
	}
}

// secondMaster is a second master beside the vault's own.
func secondMaster(t *testing.T, dir string) Master {
	return Master{File: filepath.Join(dir, "secret", "second.txt"), Create: true}
}

func TestAReplacedMasterOpensAllAndTheOldOneNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	v, running := open(t, dir), open(t, dir)
	sealed := map[string][]byte{}
	for _, customer := range []string{"acme", "bolt", "cord"} {
		sealed[customer] = seal(t, v, customer, "of "+customer)
	}
	if err := v.Set(t.Context(), "backup", "password", devices.NewSecret("canary")); err != nil {
		t.Fatal(err)
	}
	wantOpens(t, running, "acme", sealed["acme"], "of acme")

	// An earlier attempt was killed after its first file.
	second := secondMaster(t, dir)
	if err := newIdentityFile(second.File, now()); err != nil {
		t.Fatal(err)
	}
	target, err := second.read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	plain, err := os.ReadFile(v.keyFile("acme"))
	if err == nil {
		plain, err = v.openWithMaster(t.Context(), plain)
	}
	if err = errors.Join(err, v.writeKey("acme", plain, target.recipient)); err != nil {
		t.Fatal(err)
	}
	wantOpens(t, open(t, dir), "bolt", sealed["bolt"], "of bolt") // not yet done: the old master serves

	if err := v.ReplaceMaster(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	for customer := range sealed {
		fresh, err := New(filepath.Join(dir, "data"), second, now)
		if err != nil {
			t.Fatal(err)
		}
		wantOpens(t, fresh, customer, sealed[customer], "of "+customer)
		wantOpens(t, v, customer, sealed[customer], "of "+customer)
		if _, err := open(t, dir).Open(t.Context(), customer, sealed[customer]); devices.KindOf(err) != devices.Damaged {
			t.Errorf("%s still opens with the old master: %v", customer, err)
		}
		if f, _, err := fresh.Get(t.Context(), "backup"); err != nil || f["password"].Reveal() != "canary" {
			t.Errorf("the login: %v", err)
		}
	}
	wantOpens(t, running, "acme", sealed["acme"], "of acme") // it has the key in memory
}

func TestAnExportedKeyOpensWithWhatItWasExportedTo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	v := open(t, dir)
	sealed := seal(t, v, "acme", "interface lo0")
	auditor, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	to, err := Recipient(auditor.Recipient().String())
	if err != nil {
		t.Fatal(err)
	}
	typed, err := Passphrase(devices.NewSecret("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	typed.(*age.ScryptRecipient).SetWorkFactor(10) // quick, for the test
	types, err := age.NewScryptIdentity("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		to   age.Recipient
		with age.Identity
	}{"recipient": {to, auditor}, "passphrase": {typed, types}} {
		text, err := v.Export(t.Context(), "acme", c.to)
		if err != nil {
			t.Fatal(err)
		}
		r, err := age.Decrypt(armor.NewReader(bytes.NewReader(text)), c.with)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		file, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		key, err := parseCustomer(file)
		if err != nil {
			t.Fatal(err)
		}
		if packed, err := decrypt(sealed, key.identity()); err != nil || len(packed) == 0 {
			t.Errorf("%s: the exported key does not open: %v", name, err)
		}
	}
	master, err := v.ExportMaster(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(master)), auditor)
	if err != nil {
		t.Fatal(err)
	}
	file, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	other, err := New(filepath.Join(dir, "data"), Master{Value: devices.NewSecret(string(file))}, now)
	if err != nil {
		t.Fatal(err)
	}
	wantOpens(t, other, "acme", sealed, "interface lo0")
	if _, err := v.Export(t.Context(), "ghost", to); err == nil {
		t.Error("a key that is not there was exported")
	}
	if _, err := Recipient(auditor.String()); err == nil || strings.Contains(err.Error(), auditor.String()) {
		t.Errorf("an identity given for a recipient: %v", err)
	}
}

func TestNewEscrowReachesOldKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sealed := seal(t, open(t, dir), "acme", "x")
	escrow, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	v := open(t, dir)
	v.Escrow = []age.Recipient{escrow.Recipient()}
	if err := v.Reseal(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantOpens(t, open(t, dir), "acme", sealed, "x")
	wantOpens(t, v, "acme", sealed, "x")
	file, err := os.ReadFile(v.keyFile("acme"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decrypt(file, escrow); err != nil {
		t.Errorf("escrow does not open an old key: %v", err)
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	v := open(t, dir)
	seal(t, v, "acme", "x")
	if err := v.Set(t.Context(), "backup", "password", devices.NewSecret("kanarienvogel")); err != nil {
		t.Fatal(err)
	}
	fields, _, err := v.Get(t.Context(), "backup")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := v.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	master, err := os.ReadFile(filepath.Join(dir, "secret", "master.txt"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(master)), "\n")
	key := v.known["acme"].fingerprint()
	secrets := []string{"kanarienvogel", "AGE-SECRET-KEY-1", lines[len(lines)-1], fmt.Sprintf("%x", key[:]), strings.Trim(fmt.Sprint(key[:8]), "[]")}

	// A master whose text is garbage with a secret in it, every way it can come.
	garbage := "AGE-SECRET-KEY-1KANARIENVOGEL"
	path := filepath.Join(dir, "garbage.txt")
	if err := os.WriteFile(path, []byte(garbage+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	said := map[string]any{"vault": v, "vault inside": struct{ v *Vault }{v}, "customer": v.known["acme"], "identities": v.master, "fields": fields, "keys": keys, "login": fields.Login("x"),
		"master": Master{Value: devices.NewSecret(string(master))}}
	for name, m := range map[string]Master{"file": {File: path}, "value": {Value: devices.NewSecret(garbage)}, "command": {Command: []string{"cat", path}},
		"failing": {Command: []string{"sh", "-c", "cat " + path + "; cat " + path + " >&2; exit 1"}}, "none": {}} {
		other, err := New(filepath.Join(dir, "data"), m, now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = other.Seal(t.Context(), "acme", []byte("kanarienvogel")); err == nil {
			t.Errorf("%s: sealed with garbage for a master", name)
		}
		said["error "+name] = err
	}
	if _, err := v.Open(t.Context(), "acme", []byte("kanarienvogel")); err == nil {
		t.Error("opened what is not sealed")
	} else {
		said["error open"] = err
	}
	for name, x := range said {
		text := fmt.Sprintf("%v %+v %#v %s", x, x, x, x)
		if b, err := json.Marshal(x); err == nil {
			text += string(b)
		}
		for _, secret := range secrets {
			if strings.Contains(text, secret) || strings.Contains(strings.ToLower(text), "1kanarienvogel") {
				t.Errorf("%s shows a secret: %s", name, text)
			}
		}
	}
}
