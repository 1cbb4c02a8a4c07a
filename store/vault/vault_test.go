package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"belay/configs"
	"belay/configs/conformance"
	"belay/configs/redact"
	"belay/devices"
)

func now() time.Time { return time.Date(2026, 3, 14, 2, 0, 0, 0, time.UTC) }

// open is a vault of dir/data under the master dir/secret/master.txt.
func open(t testing.TB, dir string) *Vault {
	t.Helper()
	v, err := New(filepath.Join(dir, "data"), Master{File: filepath.Join(dir, "secret", "master.txt"), Create: true}, now)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func seal(t testing.TB, v *Vault, customer, plain string) []byte {
	t.Helper()
	sealed, err := v.Seal(t.Context(), customer, []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func wantOpens(t *testing.T, v *Vault, customer string, sealed []byte, want string) {
	t.Helper()
	if got, err := v.Open(t.Context(), customer, sealed); err != nil || string(got) != want {
		t.Errorf("opened %d bytes, error %v; want %d bytes", len(got), err, len(want))
	}
}

func TestItSealsAsThePortAsks(t *testing.T) {
	t.Parallel()
	conformance.Sealer(t, func(t *testing.T) configs.Sealer { return open(t, t.TempDir()) })
}

func TestTwoVaultsOfOneFolderAgreeOnAKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// Nothing but the files is shared, as between two processes.
	const n = 6
	keys := make(chan redact.Key, n)
	for range n {
		v := open(t, dir)
		go func() {
			k, err := v.FingerprintKey(t.Context(), "acme")
			if err != nil {
				t.Error(err)
			}
			keys <- k
		}()
	}
	first := <-keys
	for range n - 1 {
		if <-keys != first {
			t.Fatal("two vaults made two keys")
		}
	}
	sealed := seal(t, open(t, dir), "acme", "interface lo0")
	wantOpens(t, open(t, dir), "acme", sealed, "interface lo0")
	for path, mode := range map[string]os.FileMode{"secret/master.txt": 0o600, "data/customers/acme/key.age": 0o600, "data/customers/acme": 0o700, "secret": 0o700} {
		if info, err := os.Stat(filepath.Join(dir, path)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, error %v; want mode %04o", path, info, err, mode)
		}
	}
}

func TestAgeAndZstdOpenWhatIsSealed(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"age", "age-keygen", "zstd"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing: apt install age zstd", program)
			}
			t.Skipf("%s is missing: apt install age zstd", program)
		}
	}
	dir := t.TempDir()
	escrow, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	v := open(t, dir)
	v.Escrow = []age.Recipient{escrow.Recipient()}
	plain := strings.Repeat("interface GigabitEthernet0/0/1\r\n\x00", 3000)
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	run := func(in []byte, name string, args ...string) []byte {
		t.Helper()
		c := exec.CommandContext(t.Context(), name, args...)
		c.Stdin = bytes.NewReader(in)
		var stderr bytes.Buffer
		c.Stderr = &stderr
		out, err := c.Output()
		if err != nil {
			t.Fatalf("%s %q: %v: %s", name, args, err, stderr.String())
		}
		return out
	}
	original, empty := write("original.age", seal(t, v, "acme", plain)), write("empty.age", seal(t, v, "acme", ""))
	key := filepath.Join(dir, "data", "customers", "acme", "key.age")
	master := filepath.Join(dir, "secret", "master.txt")
	fromMaster := run(nil, "age", "-d", "-i", master, key)
	fromEscrow := run(nil, "age", "-d", "-i", write("escrow.txt", []byte(escrow.String()+"\n")), key)
	if !bytes.Equal(fromMaster, fromEscrow) || !bytes.HasPrefix(fromMaster, []byte("# created: 2026-03-14T02:00:00Z\n# public key: age1")) {
		t.Error("escrow and master open different keys, or they are not in the form of age-keygen")
	}
	customer := write("acme.txt", fromMaster)
	if got := run(run(nil, "age", "-d", "-i", customer, original), "zstd", "-d", "-c"); string(got) != plain {
		t.Errorf("age and zstd give %d other bytes than the %d sealed ones", len(got), len(plain))
	}
	if got := run(run(nil, "age", "-d", "-i", customer, empty), "zstd", "-d", "-c"); len(got) != 0 {
		t.Errorf("an empty original opens as %q", got)
	}
	keys, err := v.List(t.Context())
	if err != nil || len(keys) != 1 || keys[0].PublicKey != strings.TrimSpace(string(run(nil, "age-keygen", "-y", customer))) || !keys[0].Created.Equal(now()) {
		t.Errorf("keys %+v, error %v", keys, err)
	}
	// And the reverse: a master that age-keygen made.
	made := filepath.Join(dir, "made.txt")
	run(nil, "age-keygen", "-o", made)
	other, err := New(filepath.Join(dir, "other"), Master{File: made}, now)
	if err != nil {
		t.Fatal(err)
	}
	wantOpens(t, other, "acme", seal(t, other, "acme", plain), plain)
	if err := exec.CommandContext(t.Context(), "age", "-d", "-i", master, filepath.Join(dir, "other", "customers", "acme", "key.age")).Run(); err == nil {
		t.Error("the first master opens the second one's key")
	}
}

func TestTheFingerprintKeyStaysTheSameFromReleaseToRelease(t *testing.T) {
	t.Parallel()
	c, err := parseCustomer([]byte("AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX\n"))
	if err != nil {
		t.Fatal(err)
	}
	// Computed apart from this program, from the package comment.
	const want = "d984e588d9c63e320d36f794f3c5750190ef7b63c04f4bbf1ec12873fc1af392"
	if got := fmt.Sprintf("%x", [32]byte(c.fingerprint())); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAMissingKeyIsNotMadeAnewOverAHistory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	v := open(t, dir)
	sealed := seal(t, v, "acme", "x")
	packs := filepath.Join(dir, "data", "customers", "acme", "history.git", "objects", "pack")
	if err := errors.Join(os.MkdirAll(packs, 0o700), os.WriteFile(filepath.Join(packs, "pack-1.pack"), nil, 0o600), os.Remove(v.keyFile("acme"))); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, dir).Seal(t.Context(), "acme", []byte("y")); devices.KindOf(err) != devices.Damaged || !strings.Contains(err.Error(), "key.age is missing") {
		t.Errorf("seal: got %v", err)
	}
	if _, err := open(t, dir).Open(t.Context(), "bolt", sealed); devices.KindOf(err) != devices.Damaged {
		t.Errorf("open for a customer without a key: got %v", err)
	}
	if _, err := os.Stat(v.keyFile("bolt")); err == nil {
		t.Error("opening made a key")
	}
}

func TestAMissingMasterMakesNoKeyLookMissing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	seal(t, open(t, dir), "acme", "x")
	key := filepath.Join(dir, "data", "customers", "acme", "key.age")
	before, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "secret", "master.txt")); err != nil {
		t.Fatal(err)
	}
	missing, err := New(filepath.Join(dir, "data"), Master{Command: []string{filepath.Join(dir, "no-such-program")}}, now)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]*Vault{"file": open(t, dir), "command": missing} {
		for _, customer := range []string{"acme", "bolt"} {
			if _, err := v.Seal(t.Context(), customer, []byte("y")); err == nil {
				t.Errorf("%s: sealed for %s without a master", name, customer)
			} else if name == "file" && devices.HintOf(err) == "" {
				t.Errorf("%s: no hint with %v", name, err)
			}
		}
	}
	if after, err := os.ReadFile(key); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the key's file changed, error %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "secret", "master.txt")); err == nil {
		t.Error("a new master was made beside old keys")
	}
}

func TestWhatUnpacksToTooMuchIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const most = 1 << 20
	v, err := newVault(dir, Master{File: filepath.Join(dir, "master.txt"), Create: true}, now, most)
	if err != nil {
		t.Fatal(err)
	}
	just := strings.Repeat("x", most)
	wantOpens(t, v, "acme", seal(t, v, "acme", just), just)
	if got, err := v.Open(t.Context(), "acme", seal(t, v, "acme", just+"x")); devices.KindOf(err) != devices.Damaged {
		t.Errorf("a byte too much: opened %d bytes, error %v", len(got), err)
	}
	c, err := v.customer(t.Context(), "acme", false)
	if err != nil {
		t.Fatal(err)
	}
	// Many frames, one after another, are one zstd stream.
	frame := v.pack.EncodeAll([]byte(just), nil)
	sealed, err := encrypt(bytes.Repeat(frame, 50), c.recipient)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := v.Open(t.Context(), "acme", sealed); devices.KindOf(err) != devices.Damaged {
		t.Errorf("fifty frames: opened %d bytes, error %v", len(got), err)
	}
}

func BenchmarkSeal200KB(b *testing.B) {
	v := open(b, b.TempDir())
	var text strings.Builder
	for i := 0; text.Len() < 200_000; i++ {
		fmt.Fprintf(&text, "interface GigabitEthernet1/0/%d\n description uplink %x\n ip address 10.%d.%d.1 255.255.255.0\n!\n", i, i*7919, i%200, i%250)
	}
	plain := []byte(text.String())
	b.SetBytes(int64(len(plain)))
	b.ReportAllocs()
	if _, err := v.Seal(context.Background(), "acme", plain); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := v.Seal(context.Background(), "acme", plain); err != nil {
			b.Fatal(err)
		}
	}
}
