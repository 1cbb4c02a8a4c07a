package change

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"belay/devices"
)

func key(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func signatory(t testing.TB, name string, n byte) []Signatory {
	t.Helper()
	list, err := ReadSignatories(name + " " + publicLine(t, n))
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	return list
}

func publicLine(t testing.TB, n byte) string {
	t.Helper()
	public, err := ssh.NewPublicKey(key(n).Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(ssh.MarshalAuthorizedKey(public))
}

func signedReceipt(t testing.TB, c Change) []byte {
	t.Helper()
	file, err := receiptOf(t, c).Sign(key(1))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestASignedReceiptIsReadAgain(t *testing.T) {
	t.Parallel()
	c := replaced()
	c.Site = "Zürich <hq> & \"more\""
	file := signedReceipt(t, c)
	r, who, err := VerifyReceipt(file, append(signatory(t, "others", 2), signatory(t, "belay", 1)...))
	if diff := cmp.Diff(receiptOf(t, c), r); err != nil || diff != "" || who.Name != "belay" || !strings.HasPrefix(who.Fingerprint(), "SHA256:") {
		t.Errorf("%v, %q\n%s", err, who.Name, diff)
	}
	if !bytes.Equal(file, signedReceipt(t, c)) {
		t.Error("the same receipt was written twice in two ways")
	}
	if !bytes.HasPrefix(file, []byte("{\n  \"belay\": \"receipt 1\",\n  \"receipt\": {\n    \"change\": \"T20391-fw-hq\",\n")) || !bytes.Contains(file, []byte(`Zürich <hq> & \"more\"`)) {
		t.Errorf("no file for people:\n%.300s", file)
	}
}

func TestAnyChangedByteOfAReceiptFails(t *testing.T) {
	t.Parallel()
	file, trusted := signedReceipt(t, waivedAway(t)), signatory(t, "belay", 1)
	if _, _, err := VerifyReceipt(file, trusted); err != nil {
		t.Fatal(err)
	}
	armor := bytes.Index(file, []byte("-----BEGIN"))
	for i := range file {
		flips := []byte{0x01}
		if i < 40 || i >= armor { // where no signature reaches
			flips = []byte{0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80}
			if _, _, err := VerifyReceipt(append(bytes.Clone(file[:i]), file[i+1:]...), trusted); err == nil {
				t.Fatalf("byte %d taken out", i)
			}
		}
		for _, flip := range flips {
			changed := bytes.Clone(file)
			changed[i] ^= flip
			if _, _, err := VerifyReceipt(changed, trusted); devices.KindOf(err) != devices.Refused {
				t.Fatalf("byte %d, %q made %q: %v", i, file[i], changed[i], err)
			}
		}
	}
	for name, changed := range map[string][]byte{
		"a space at the end": append(bytes.Clone(file), ' '),
		"another format":     bytes.Replace(file, []byte("receipt 1"), []byte("receipt 2"), 1),
		"a field more":       bytes.Replace(file, []byte("{\n"), []byte("{\n  \"verified\": true,\n"), 1),
		"a field twice":      bytes.Replace(file, []byte("  \"signature\""), []byte("  \"belay\": \"receipt 1\",\n  \"signature\""), 1),
		"compact":            compacted(t, file),
		"other line ends":    bytes.ReplaceAll(file, []byte(`SIGNATURE-----\n`), []byte(`SIGNATURE-----\r\n`)),
		"words behind it":    bytes.Replace(file, []byte(`END SSH SIGNATURE-----\n`), []byte(`END SSH SIGNATURE-----\nand more`), 1),
		"nothing":            nil,
	} {
		if _, _, err := VerifyReceipt(changed, trusted); devices.KindOf(err) != devices.Refused || devices.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func compacted(t *testing.T, file []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, file); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestASignatureOfNobodyKnownIsNotBelieved(t *testing.T) {
	t.Parallel()
	file := signedReceipt(t, replaced())
	for name, trusted := range map[string][]Signatory{"nobody": nil, "another": signatory(t, "belay", 2)} {
		r, _, err := VerifyReceipt(file, trusted)
		if devices.KindOf(err) != devices.Refused || !strings.Contains(fmt.Sprint(err), "SHA256:") || r.Change != "" {
			t.Errorf("%s: %q, %v", name, r.Change, err)
		}
	}
	// A signature of the right key on something else.
	message, err := compactJSON(receiptOf(t, replaced()))
	if err != nil {
		t.Fatal(err)
	}
	signature, err := Sign([]byte(`{"change":"another"}`), key(1), SignatureNamespace)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := receiptFile{receiptMark, message, signature}.written()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := VerifyReceipt(forged, signatory(t, "belay", 1)); devices.KindOf(err) != devices.Refused {
		t.Errorf("forged: %v", err)
	}
}

func TestSignatoriesAreReadAsOpenSSHReadsThem(t *testing.T) {
	t.Parallel()
	line := strings.TrimSpace(publicLine(t, 1))
	for text, want := range map[string][]string{
		"# nobody\n\n": nil,
		"belay@msp.example " + line + " a comment\n" + line + " belay-receipts\n": {"belay@msp.example", "belay-receipts"},
		`belay namespaces="file,belay-*" ` + line:                                 {"belay"},
		`belay namespaces="git,file" ` + line:                                     nil,
	} {
		list, err := ReadSignatories(text)
		var names []string
		for _, s := range list {
			names = append(names, s.Name)
		}
		if diff := cmp.Diff(want, names); err != nil || diff != "" {
			t.Errorf("%q: %v\n%s", text, err, diff)
		}
	}
	for _, text := range []string{"belay", "belay ssh-ed25519 AAAA", "belay cert-authority " + line, `belay valid-before="20200101" ` + line} {
		if _, err := ReadSignatories(text); devices.KindOf(err) != devices.Usage || devices.HintOf(err) == "" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestOpenSSHVerifiesWhatJqPrints(t *testing.T) {
	t.Parallel()
	need(t, "ssh-keygen", "openssh-client")
	c := replaced()
	c.Site = "Zürich <hq> & \"more\" 日本\t\\ \u2028"
	file := signedReceipt(t, c)
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := write("receipt.json", file)
	var message, signature []byte
	var err error
	if _, missing := exec.LookPath("jq"); missing == nil {
		if message, err = exec.CommandContext(t.Context(), "jq", "-cj", ".receipt", path).Output(); err == nil {
			signature, err = exec.CommandContext(t.Context(), "jq", "-r", ".signature", path).Output()
		}
	} else {
		need(t, "python3", "jq")
		const program = `import json,sys; r=json.load(open(sys.argv[1],encoding="utf-8")); v=r[sys.argv[2]]; sys.stdout.buffer.write((v if isinstance(v,str) else json.dumps(v,ensure_ascii=False,separators=(",",":"))).encode())`
		if message, err = exec.CommandContext(t.Context(), "python3", "-c", program, path, "receipt").Output(); err == nil {
			signature, err = exec.CommandContext(t.Context(), "python3", "-c", program, path, "signature").Output()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	allowed := write("allowed_signers", []byte("belay@msp.example "+publicLine(t, 1)))
	verify := func(message []byte, namespace string) error {
		c := exec.CommandContext(t.Context(), "ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "belay@msp.example", "-n", namespace, "-s", write("receipt.sig", signature))
		c.Stdin = bytes.NewReader(message)
		out, err := c.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	if err := verify(message, SignatureNamespace); err != nil {
		t.Error(err)
	}
	if verify(append(message, '\n'), SignatureNamespace) == nil || verify(message, "file") == nil {
		t.Error("ssh-keygen takes anything")
	}
}
