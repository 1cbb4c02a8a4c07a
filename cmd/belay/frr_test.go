package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"
)

// TestARealRouterIsCaptured takes the configuration of FRR's own vtysh through
// Debian's OpenSSH, directly and through a jump host that is OpenSSH too.
func TestARealRouterIsCaptured(t *testing.T) {
	t.Parallel()
	sockets := startFRR(t)
	key, authorized := sshKey(t)
	router, jump := startSSHD(t, authorized, "SetEnv PATH="+vtysh(t, sockets)+":/usr/bin:/bin"), startSSHD(t, authorized, "AllowTcpForwarding yes")
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(router.address)
	entry := "{name: %s, customer: acme, address: " + host + ", port: " + port + ", driver: frr%s}\n"
	p := newPlay(t, `
inventory: [devices.yaml]
logins: {default: {user: `+me.Username+`, key: {file: id}}}
jump_hosts: {bastion: {address: "`+jump.address+`", login: default, host_keys: ["`+jump.fingerprint+`"]}}
`, "devices:\n  - "+fmt.Sprintf(entry, "edge", "")+"  - "+fmt.Sprintf(entry, "behind", ", jump: bastion"))
	p.write("id", key)

	p.wants(7, "capture", "acme/edge")
	p.wants(0, "devices", "trust", "acme/edge", "acme/behind", "--fingerprint", router.fingerprint)
	results, err := objects(p.wants(0, "capture", "--all", "--json").out)
	if err != nil || len(results) != 2 {
		t.Fatalf("%d results, %v", len(results), err)
	}
	for _, r := range results {
		if text(r, "result") != "kept" || text(r, "grade") != "restore" {
			t.Errorf("%s: %s, grade %s: %s", text(r, "device"), text(r, "result"), text(r, "grade"), text(r, "error"))
		}
	}
	for _, name := range []string{"acme/edge", "acme/behind"} {
		// All that vtysh shows is there, in order, but the secrets.
		kept := p.wants(0, "show", name).out
		vty, err := exec.Command("vtysh", "--vty_socket", sockets, "-c", "show running-config").Output()
		if err != nil {
			t.Fatal(err)
		}
		rest := kept
		for line := range strings.Lines(string(vty)) {
			if line = strings.TrimRight(line, "\n"); strings.Contains(line, "canary") || strings.HasSuffix(line, "...") {
				continue
			}
			at := strings.Index(rest, line)
			if at < 0 {
				t.Fatalf("%s: %q is not kept, or not in its place:\n%s", name, line, kept)
			}
			rest = rest[at+len(line):]
		}
		if strings.Contains(kept, "canary") || strings.Count(kept, "<redacted:") != 2 {
			t.Errorf("%s: the secrets are not replaced:\n%s", name, kept)
		}
		if original := p.wants(0, "reveal", name, "--reason", "test").out; original != string(vty) {
			t.Errorf("%s: the original is not what vtysh said:\n%s", name, original)
		}
	}
	if s := p.wants(0, "drivers", "try", "acme/behind"); !strings.Contains(s.out, "SHA256:") || strings.Contains(s.out, "REFUSED") {
		t.Errorf("try: %s", s.out)
	}

	// Somebody configures the router; the change is there, and nothing else.
	if out, err := exec.Command("vtysh", "--vty_socket", sockets, "-c", "configure terminal", "-c", "router bgp 65001", "-c", "neighbor 192.0.2.2 description the new uplink").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p.wants(0, "capture", "acme/edge", "--ticket", "T20391")
	if diff := p.wants(0, "diff", "acme/edge", "-U", "0").out; !strings.Contains(diff, "+ neighbor 192.0.2.2 description the new uplink\n") || strings.Count(diff, "\n") != 4 {
		t.Errorf("diff:\n%s", diff)
	}
	p.wants(0, "verify")
	p.whole("belay-data/customers/acme/history.git")

	// With its daemons down vtysh says so, and that is no configuration.
	entries, err := filepath.Glob(filepath.Join(sockets, "*.vty"))
	if err != nil || len(entries) == 0 {
		t.Fatal("no sockets", err)
	}
	for _, e := range entries {
		if err := os.Remove(e); err != nil {
			t.Fatal(err)
		}
	}
	if s := p.wants(4, "capture", "acme/edge", "--json"); !strings.Contains(s.out, `"result":"refused"`) {
		t.Errorf("daemons down: %s", s.out)
	}
}

// startFRR starts FRR's daemons on sockets of their own: nothing of the
// machine's is used, no port is opened and no route installed.
func startFRR(t *testing.T) (sockets string) {
	t.Helper()
	bgpd, staticd := part(t, "bgpd", "frr"), part(t, "staticd", "frr")
	part(t, "vtysh", "frr")
	// A socket's path may be no longer than 108 bytes.
	dir, err := os.MkdirTemp("", "belay-frr-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	start := func(program, config string, args ...string) {
		name := filepath.Base(program)
		file := filepath.Join(dir, name+".conf")
		if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-f", file, "-i", filepath.Join(dir, name+".pid"), "-z", filepath.Join(dir, "zserv.api"), "-P", "0", "--vty_socket", dir, "--log", "stdout")
		var log bytes.Buffer
		c := exec.Command(program, args...)
		c.Stdout, c.Stderr, c.WaitDelay = &log, &log, time.Second
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = c.Process.Kill()
			_ = c.Wait()
			if t.Failed() {
				t.Logf("%s said:\n%s", name, log.String())
			}
		})
		for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
			if _, err := os.Stat(filepath.Join(dir, name+".vty")); err == nil {
				return
			}
			if time.Since(began) > 15*time.Second {
				t.Fatalf("%s does not listen", name)
			}
		}
	}
	// staticd wants to be FRR's own user, which only root can make it.
	if frr, err := user.Lookup("frr"); err == nil && os.Geteuid() == 0 {
		uid, _ := strconv.Atoi(frr.Uid)
		gid, _ := strconv.Atoi(frr.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
		start(staticd, "ip route 198.51.100.0/24 Null0\nip route 203.0.113.0/24 192.0.2.9 200\n", "-u", "frr", "-g", "frr")
	}
	start(bgpd, `hostname rt-real
password canary-vty-password
!
router bgp 65001
 bgp router-id 192.0.2.1
 no bgp default ipv4-unicast
 neighbor 192.0.2.2 remote-as 65002
 neighbor 192.0.2.2 passive
 neighbor 192.0.2.2 password canary-bgp-password
!
`, "-S", "-Z", "-n", "-p", "0")
	return dir
}

// vtysh is a folder with a vtysh that knows these sockets.
func vtysh(t *testing.T, sockets string) string {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\nexec " + part(t, "vtysh", "frr") + " --vty_socket " + sockets + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, "vtysh"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// sshKey is a key pair as ssh-keygen would write it.
func sshKey(t *testing.T) (private, authorized string) {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := gossh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	signed, err := gossh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), string(gossh.MarshalAuthorizedKey(signed))
}

// An openSSH is Debian's sshd with a configuration of its own.
type openSSH struct{ address, fingerprint string }

// startSSHD starts one sshd for each connection, as inetd would: no port is
// raced for and nothing is left behind.
func startSSHD(t *testing.T, authorized string, lines ...string) openSSH {
	t.Helper()
	program := part(t, "sshd", "openssh-server")
	if os.Geteuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // sshd wants it for its unprivileged half
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	hostKey, hostPublic := sshKey(t)
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config := file("sshd_config", strings.Join(slices.Concat(lines, []string{
		"HostKey " + file("host_key", hostKey), "AuthorizedKeysFile " + file("authorized_keys", authorized),
		"PidFile none", "UsePAM no", "StrictModes no", "PasswordAuthentication no", "KbdInteractiveAuthentication no",
		"PermitRootLogin yes", "PrintMotd no",
	}), "\n")+"\n")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				f, err := c.(*net.TCPConn).File()
				if err != nil {
					return
				}
				defer f.Close()
				cmd := exec.Command(program, "-i", "-e", "-f", config)
				cmd.Stdin, cmd.Stdout = f, f
				_ = c.Close()
				_ = cmd.Run() // it ends as its client does
			}()
		}
	}()
	public, _, _, _, err := gossh.ParseAuthorizedKey([]byte(hostPublic))
	if err != nil {
		t.Fatal(err)
	}
	return openSSH{l.Addr().String(), gossh.FingerprintSHA256(public)}
}
