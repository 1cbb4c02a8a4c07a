package ssh

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"belay/devices"
)

// startDropbear is Debian's dropbear, as small devices have it, for the user root.
// It has an SFTP server of OpenSSH's or none. A namespace of its own shows it a
// home with our key.
func startDropbear(t *testing.T, key keyPair, hasSFTP bool) *openSSH {
	t.Helper()
	program := part(t, "dropbear")
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("dropbear wants root to have a home of its own")
		}
		t.Skip("dropbear wants root to have a home of its own")
	}
	dir := t.TempDir()
	home := filepath.Join(dir, "home")
	for _, d := range []string{home, filepath.Join(home, ".ssh")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	file(t, filepath.Join(home, ".ssh"), "authorized_keys", key.authorized)
	hostKey := filepath.Join(dir, "host_key")
	if out, err := exec.CommandContext(t.Context(), part(t, "dropbearkey"), "-t", "ed25519", "-f", hostKey).CombinedOutput(); err != nil {
		t.Fatalf("dropbearkey: %v\n%s", err, out)
	}
	script := `mount --bind "$1" /root && `
	if !hasSFTP {
		script += `mount --bind /dev/null "$(readlink -f /usr/lib/sftp-server)" && `
	}
	script += `exec "$2" -i -s -r "$3"`
	s := &openSSH{user: "root"}
	s.address = listen(t, func(c net.Conn) {
		f, err := c.(*net.TCPConn).File()
		if err != nil {
			return
		}
		defer f.Close()
		cmd := exec.CommandContext(t.Context(), "unshare", "-m", "sh", "-c", script, "sh", home, program, hostKey)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = f, f, &s.log
		cmd.WaitDelay = time.Second
		c.Close()
		if err := cmd.Run(); err != nil {
			fmt.Fprintf(&s.log, "%v\n", err)
		}
	})
	public, err := exec.CommandContext(t.Context(), part(t, "dropbearkey"), "-y", "-f", hostKey).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(public) {
		if k, _, _, _, err := ssh.ParseAuthorizedKey(line); err == nil {
			s.hostKey = k
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("dropbear at %s said:\n%s", s.address, s.log.String())
		}
	})
	return s
}

// The servers that devices are made of: OpenSSH with SFTP and without, where scp
// is all there is, and Dropbear the same.
func TestRealServersGiveFiles(t *testing.T) {
	t.Parallel()
	key := pemKey(t, "")
	servers := map[string]func() *openSSH{
		"OpenSSH with its sftp-server":  func() *openSSH { return sshdFor(t, key, "Subsystem sftp "+sftpServer(t)) },
		"OpenSSH with its internal one": func() *openSSH { return sshdFor(t, key, "Subsystem sftp internal-sftp") },
		"OpenSSH without SFTP":          func() *openSSH { part(t, "scp"); return sshdFor(t, key) },
		"Dropbear with an sftp-server":  func() *openSSH { sftpServer(t); return startDropbear(t, key, true) },
		"Dropbear without":              func() *openSSH { part(t, "scp"); return startDropbear(t, key, false) },
	}
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			s := start()
			c, err := (&Dialer{HostKeys: trustingAll(s)}).Dial(soon(t), device(t, s.address), with(s.login(key.private)))
			if err != nil {
				t.Fatalf("%v (hint: %s)", err, devices.HintOf(err))
			}
			defer c.Close()
			dir := t.TempDir()
			for _, size := range []int{0, 1, 32768, 700_001} {
				want := make([]byte, size)
				_, _ = rand.Read(want)
				path := filepath.Join(dir, fmt.Sprint("router.backup.", size))
				if err := os.WriteFile(path, want, 0o600); err != nil {
					t.Fatal(err)
				}
				var got bytes.Buffer
				if err := c.Get(soon(t), path, &got); err != nil || !bytes.Equal(got.Bytes(), want) {
					t.Errorf("%d bytes of %d, %v", got.Len(), size, err)
				}
			}
			var declined *fs.PathError
			var got bytes.Buffer
			if err := c.Get(soon(t), filepath.Join(dir, "none"), &got); !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &declined) || got.Len() > 0 {
				t.Errorf("a file that is not there: %v", err)
			}
			if err := c.Get(soon(t), dir, &got); !errors.As(err, &declined) || got.Len() > 0 {
				t.Errorf("a folder: %v", err)
			}
			// The connection is as before.
			var out lockedBuffer
			if status, err := c.Run(soon(t), "echo still here", &out); status != 0 || err != nil || out.String() != "still here\n" {
				t.Errorf("afterwards: %d %q %v", status, out.String(), err)
			}
		})
	}
}

func sftpServer(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("sftp-server is missing: install openssh-sftp-server")
	}
	t.Skip("sftp-server is missing: install openssh-sftp-server to run this test")
	return ""
}
