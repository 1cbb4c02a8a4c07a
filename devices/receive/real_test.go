package receive

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// program finds a real part, or skips at a desk and fails where all must be there.
func program(t *testing.T, name, paket string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed: apt-get install %s", name, paket)
	}
	t.Skipf("%s is not installed: apt-get install %s", name, paket)
	return ""
}

// written is a file with a text of some size.
func written(t *testing.T) (file, text string) {
	t.Helper()
	text = strings.Repeat("interface GigabitEthernet0/1\n no shutdown\n!\n", 2000) + "end\n"
	file = filepath.Join(t.TempDir(), "running-config")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, text
}

func TestTheRealTFTPClientPutsItsFile(t *testing.T) {
	t.Parallel()
	tftp := program(t, "tftp", "tftp-hpa")
	for _, mode := range []string{"octet", "netascii"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			file, text := written(t)
			r := &Receiver{}
			f := expecting(t, r)
			r.Pause = time.Second
			put := func() string {
				out, err := exec.CommandContext(t.Context(), tftp, "-m", mode, "127.0.0.1", fmt.Sprint(f.Port), "-c", "put", file, f.Name).CombinedOutput()
				return fmt.Sprintf("%s%v", out, err)
			}
			said := put()
			if got, err := arrived(t, f); err != nil || string(got) != text {
				t.Fatalf("%d bytes of %d, %v; the client said %s", len(got), len(text), err, said)
			}
			if said := put(); !strings.Contains(said, "refused") {
				t.Errorf("a second time the client said %s", said)
			}
			if n := r.Refused(); n[Twice] < 1 {
				t.Errorf("counted %v", n)
			}
		})
	}
}

// openSFTP puts a file with OpenSSH's client.
func openSFTP(t *testing.T, client string, port int, user, password string, batch ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	ask := filepath.Join(dir, "ask")
	if err := os.WriteFile(ask, []byte("#!/bin/sh\necho \"$ANSWER\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), client, "-F", "none", "-P", fmt.Sprint(port),
		"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "NumberOfPasswordPrompts=1", "-o", "PubkeyAuthentication=no",
		"-o", "BatchMode=no", "-b", "-", user+"@127.0.0.1")
	// -b asks for no password unless BatchMode says otherwise, which comes first.
	cmd.Env = append(os.Environ(), "SSH_ASKPASS="+ask, "SSH_ASKPASS_REQUIRE=force", "ANSWER="+password)
	cmd.Stdin = strings.NewReader(strings.Join(batch, "\n") + "\n")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func expectingSFTP(t *testing.T, from ...netip.Addr) (*Receiver, *File) {
	t.Helper()
	r := &Receiver{SFTP: "127.0.0.1:0"}
	f, err := r.Expect(t.Context(), SFTP, from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	t.Cleanup(f.Close)
	return r, f
}

func TestTheRealSFTPClientPutsItsFile(t *testing.T) {
	t.Parallel()
	client := program(t, "sftp", "openssh-client")
	file, text := written(t)
	r, f := expectingSFTP(t, here...)
	out, err := openSFTP(t, client, f.Port, f.User, f.Password.Reveal(), "put "+file+" "+f.Name)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got, err := arrived(t, f); err != nil || string(got) != text {
		t.Errorf("%d bytes of %d, %v", len(got), len(text), err)
	}
	for _, batch := range []string{"put " + file + " " + f.Name, "put " + file + " other", "get " + f.Name + " " + filepath.Join(t.TempDir(), "x"), "rename a b", "rm a", "mkdir a"} {
		if out, err := openSFTP(t, client, f.Port, f.User, f.Password.Reveal(), batch); err == nil {
			t.Errorf("%s was done\n%s", batch, out)
		}
	}
	if got, err := f.Text(); err != nil || string(got) != text {
		t.Errorf("the file is another one: %v", err)
	}
	if n := r.Refused(); n[Twice] != 1 || n[Unasked] != 1 || n[NotAWrite] < 3 {
		t.Errorf("counted %v", n)
	}
}

func TestTheRealSFTPClientIsLetInByTheFilesLoginAndAddressOnly(t *testing.T) {
	t.Parallel()
	client := program(t, "sftp", "openssh-client")
	file, _ := written(t)
	r, f := expectingSFTP(t, here...)
	if out, err := openSFTP(t, client, f.Port, f.User, "another password", "put "+file+" "+f.Name); err == nil {
		t.Errorf("a wrong password was good\n%s", out)
	}
	if n := r.Refused(); n[Unasked] < 1 {
		t.Errorf("counted %v", n)
	}
	r, f = expectingSFTP(t, netip.MustParseAddr("192.0.2.7"))
	if out, err := openSFTP(t, client, f.Port, f.User, f.Password.Reveal(), "put "+file+" "+f.Name); err == nil {
		t.Errorf("another device's address was let in\n%s", out)
	}
	if n := r.Refused(); n[Stranger] < 1 {
		t.Errorf("counted %v", n)
	}
}

func TestAnSFTPSessionThatIsLostLeavesNoFile(t *testing.T) {
	t.Parallel()
	client := program(t, "sftp", "openssh-client")
	dir := t.TempDir()
	file := filepath.Join(dir, "big")
	if err := os.WriteFile(file, make([]byte, 8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	_, f := expectingSFTP(t, here...)
	f.r.mu.Lock()
	f.most = 1 << 20
	f.r.mu.Unlock()
	if out, err := openSFTP(t, client, f.Port, f.User, f.Password.Reveal(), "put "+file+" "+f.Name); err == nil {
		t.Errorf("a file that is too large was taken\n%s", out)
	}
	if got, err := arrived(t, f); err == nil {
		t.Errorf("%d bytes were taken", len(got))
	}
}
