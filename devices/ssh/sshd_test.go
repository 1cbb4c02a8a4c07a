package ssh

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"belay/devices"
)

// An openSSH is Debian's sshd with a configuration of its own: one process for
// each connection, as inetd would start it, so that no port is raced for and
// nothing is left behind.
type openSSH struct {
	address string
	user    string
	hostKey ssh.PublicKey
	log     lockedBuffer
}

// part finds a program of Debian's.
func part(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range []string{"", "/usr/sbin/", "/usr/bin/"} {
		if path, err := exec.LookPath(dir + name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: install openssh-server, openssh-client and dropbear-bin", name)
	}
	t.Skipf("%s is missing: install openssh-server, openssh-client and dropbear-bin to run this test", name)
	return ""
}

// startSSHD lets in the keys that authorized names, one a line.
func startSSHD(t *testing.T, host ssh.Signer, hostPEM, authorized string, lines ...string) *openSSH {
	t.Helper()
	program := part(t, "sshd")
	if os.Geteuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // sshd wants it for its unprivileged half
			t.Fatal(err)
		}
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := append(lines,
		"HostKey "+file(t, dir, "host_key", hostPEM),
		"AuthorizedKeysFile "+file(t, dir, "authorized_keys", authorized),
		"PidFile none", "UsePAM no", "StrictModes no", "PasswordAuthentication no",
		"KbdInteractiveAuthentication no", "PermitRootLogin yes", "PrintMotd no", "LogLevel VERBOSE")
	path := file(t, dir, "sshd_config", strings.Join(config, "\n")+"\n")
	s := &openSSH{user: me.Username, hostKey: host.PublicKey()}
	s.address = listen(t, func(c net.Conn) {
		f, err := c.(*net.TCPConn).File()
		if err != nil {
			return
		}
		defer f.Close()
		cmd := exec.CommandContext(t.Context(), program, "-i", "-e", "-f", path) // it ends with the test
		cmd.Stdin, cmd.Stdout, cmd.Stderr = f, f, &s.log
		cmd.WaitDelay = time.Second
		c.Close()
		if err := cmd.Run(); err != nil {
			fmt.Fprintf(&s.log, "%v\n", err)
		}
	})
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("sshd at %s said:\n%s", s.address, s.log.String())
		}
	})
	return s
}

func file(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A keyPair is a key as people keep it.
type keyPair struct {
	private    string // OpenSSH form
	authorized string
	signer     ssh.Signer
	raw        ed25519.PrivateKey
}

func pemKey(t *testing.T, passphrase string) keyPair {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k := keyPair{signer: signer(t, key, nil), raw: key}
	block, err := ssh.MarshalPrivateKey(key, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	k.private = string(pem.EncodeToMemory(block))
	k.authorized = string(ssh.MarshalAuthorizedKey(k.signer.PublicKey()))
	return k
}

// sshdFor lets in the holder of key.
func sshdFor(t *testing.T, key keyPair, lines ...string) *openSSH {
	t.Helper()
	host := pemKey(t, "")
	return startSSHD(t, host.signer, host.private, key.authorized, lines...)
}

// trustingAll knows the keys of these servers.
func trustingAll(servers ...*openSSH) *pins {
	p := &pins{keys: map[string][]ssh.PublicKey{}}
	for _, s := range servers {
		p.keys[s.address] = []ssh.PublicKey{s.hostKey}
	}
	return p
}

func (s *openSSH) login(key string) devices.Login {
	return devices.Login{Name: "key", User: s.user, Key: devices.NewSecret(key)}
}

// says runs a command on the server and wants its output.
func (s *openSSH) says(t *testing.T, d *Dialer, o Options, dev devices.Device) *Client {
	t.Helper()
	c, err := d.Dial(soon(t), dev, o)
	if err != nil {
		t.Fatalf("dial: %v (hint: %s)", err, devices.HintOf(err))
	}
	t.Cleanup(func() { c.Close() })
	var out lockedBuffer
	status, err := c.Run(soon(t), "echo it works", &out)
	if err != nil || status != 0 || out.String() != "it works\n" {
		t.Errorf("status %d, output %q, %v", status, out.String(), err)
	}
	return c
}
