package ssh

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"belay/devices"
)

func TestOpenSSHLetsInAKeyWithAPassphrase(t *testing.T) {
	t.Parallel()
	key := pemKey(t, "canary-passphrase")
	s := sshdFor(t, key)
	d := &Dialer{HostKeys: trustingAll(s)}
	l := s.login(key.private)
	failsWith(t, d, device(t, s.address), with(l), devices.Usage, "has a passphrase")
	l.Passphrase = devices.NewSecret("canary-other")
	failsWith(t, d, device(t, s.address), with(l), devices.Usage, "read its key")
	l.Passphrase = devices.NewSecret("canary-passphrase")
	c := s.says(t, d, with(l), device(t, s.address))
	if r := c.Reached(); !strings.HasPrefix(r.Server, "SSH-2.0-OpenSSH_") || len(r.Weak) != 0 || r.Login != "key" {
		t.Errorf("reached: %+v", r)
	}
}

func TestOpenSSHRefusesAnotherKey(t *testing.T) {
	t.Parallel()
	s := sshdFor(t, pemKey(t, ""))
	failsWith(t, &Dialer{HostKeys: trustingAll(s)}, device(t, s.address), with(s.login(pemKey(t, "").private)), devices.Denied, "refused publickey", `"key"`)
}

func TestOpenSSHLetsInACertificate(t *testing.T) {
	t.Parallel()
	authority, key := pemKey(t, ""), pemKey(t, "")
	s := sshdFor(t, pemKey(t, ""), "TrustedUserCAKeys "+file(t, t.TempDir(), "ca.pub", authority.authorized))
	now := time.Now()
	cert := &ssh.Certificate{Key: key.signer.PublicKey(), CertType: ssh.UserCert, KeyId: "backup", ValidPrincipals: []string{s.user},
		ValidAfter: uint64(now.Add(-time.Hour).Unix()), ValidBefore: uint64(now.Add(time.Hour).Unix()),
		Permissions: ssh.Permissions{Extensions: map[string]string{"permit-pty": ""}}}
	if err := cert.SignCert(rand.Reader, authority.signer); err != nil {
		t.Fatal(err)
	}
	l := s.login(key.private)
	l.Certificate = devices.NewSecret(string(ssh.MarshalAuthorizedKey(cert)))
	s.says(t, &Dialer{HostKeys: trustingAll(s), Now: time.Now}, with(l), device(t, s.address))

	later := func() time.Time { return now.Add(2 * time.Hour) }
	failsWith(t, &Dialer{HostKeys: trustingAll(s), Now: later}, device(t, s.address), with(l), devices.Denied, "expired")
	l.Key = devices.NewSecret(pemKey(t, "").private)
	failsWith(t, &Dialer{HostKeys: trustingAll(s)}, device(t, s.address), with(l), devices.Usage, "another key")
}

func TestOpenSSHLetsInAKeyOfTheAgent(t *testing.T) {
	t.Parallel()
	// A socket's path may be no longer than 108 bytes.
	dir, err := os.MkdirTemp("", "belay-agent-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	cmd := exec.Command(part(t, "ssh-agent"), "-D", "-a", socket)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	var conn net.Conn
	eventually(t, "the agent answers", func() bool {
		conn, err = net.Dial("unix", socket)
		return err == nil
	})
	key := pemKey(t, "")
	err = agent.NewClient(conn).Add(agent.AddedKey{PrivateKey: &key.raw})
	conn.Close()
	if err != nil {
		t.Fatal(err)
	}
	s := sshdFor(t, key)
	d := &Dialer{HostKeys: trustingAll(s)}
	s.says(t, d, with(devices.Login{Name: "agent", User: s.user, Agent: socket}), device(t, s.address))
	failsWith(t, d, device(t, s.address), with(devices.Login{Name: "agent", User: s.user, Agent: socket + "-gone"}), devices.Denied, "agent does not answer")
}

func TestOpenSSHJumpHostsAreChained(t *testing.T) {
	t.Parallel()
	key := pemKey(t, "")
	first := sshdFor(t, key, "AllowTcpForwarding yes")
	second := sshdFor(t, key, "AllowTcpForwarding yes")
	last := sshdFor(t, key)
	d := &Dialer{HostKeys: trustingAll(first, second, last), Hosts: map[string]Hop{"bastion": {Address: first.address, Login: []devices.Login{first.login(key.private)}}}}
	dev := device(t, last.address)
	dev.Jump = []string{"bastion", second.user + "@" + second.address}
	l := last.login(key.private)
	c := last.says(t, d, with(l), dev)
	if got := c.Reached().Via; !slices.Equal(got, dev.Jump) {
		t.Errorf("via %v", got)
	}
	got, version, err := d.HostKey(soon(t), dev, with(l))
	if err != nil || !bytes.Equal(got.Marshal(), last.hostKey.Marshal()) || !strings.HasPrefix(version, "SSH-2.0-OpenSSH_") {
		t.Errorf("host key through jump hosts: %q, %v", version, err)
	}

	// The key of each jump host is checked like any other.
	failsWith(t, &Dialer{HostKeys: trustingAll(first, last), Hosts: d.Hosts}, dev, with(l), devices.NotAllowed, "jump host "+dev.Jump[1], ssh.FingerprintSHA256(second.hostKey))

	// What lies behind a jump host can fail, too.
	address, hungUp := silent(t)
	beyond := device(t, address)
	beyond.Jump = dev.Jump
	quick := &Dialer{HostKeys: d.HostKeys, Hosts: d.Hosts, Handshake: 5 * time.Second} // which the jump hosts must keep
	failsWith(t, quick, beyond, with(l), devices.Unreachable, "no SSH handshake")
	waitFor(t, "the tunnel is closed", hungUp)
	ctx, cancel := context.WithCancel(soon(t))
	time.AfterFunc(300*time.Millisecond, cancel)
	if _, err := d.Dial(ctx, beyond, with(l)); !errors.Is(err, context.Canceled) {
		t.Errorf("a canceled dial through jump hosts: %v", err)
	}
	beyond.Port = 1
	failsWith(t, quick, beyond, with(l), devices.Unreachable, "cannot reach "+beyond.Address+":1")
}

func TestOpenSSHThatForbidsForwardingIsNamed(t *testing.T) {
	t.Parallel()
	key := pemKey(t, "")
	hop := sshdFor(t, key, "AllowTcpForwarding no")
	dev := device(t, hop.address)
	dev.Jump = []string{hop.address}
	failsWith(t, &Dialer{HostKeys: trustingAll(hop)}, dev, with(hop.login(key.private)), devices.Unreachable, "does not allow forwarding")
}

func TestOpenSSHShell(t *testing.T) {
	t.Parallel()
	key := pemKey(t, "")
	s := sshdFor(t, key)
	c, err := (&Dialer{HostKeys: trustingAll(s)}).Dial(soon(t), device(t, s.address), with(s.login(key.private)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sh, err := c.Shell(soon(t), devices.Terminal{})
	if err != nil {
		t.Fatal(err)
	}
	defer sh.Close()
	if _, err := io.WriteString(sh, "stty size; echo $TERM; echo oops >&2; exit\n"); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(sh)
	if err != nil {
		t.Errorf("read ends with %v", err)
	}
	for _, want := range []string{"1000 511", "vt100", "oops"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
}

func TestOpenSSHCommands(t *testing.T) {
	t.Parallel()
	key := pemKey(t, "")
	s := sshdFor(t, key)
	c := s.says(t, &Dialer{HostKeys: trustingAll(s)}, with(s.login(key.private)), device(t, s.address))
	for command, want := range map[string]struct {
		status int
		length int
	}{
		"head -c 300000 /dev/zero; echo warning >&2": {0, 300000},
		"echo no >&2; exit 3":                        {3, 3},
	} {
		var out lockedBuffer
		if status, err := c.Run(soon(t), command, &out); err != nil || status != want.status || len(out.String()) != want.length {
			t.Errorf("%s: status %d, %d bytes, %v", command, status, len(out.String()), err)
		}
	}
	if status, err := c.Run(soon(t), "echo half; kill -9 $$", io.Discard); err == nil || status != -1 {
		t.Errorf("a killed command: status %d, %v", status, err)
	}
}

func TestOpenSSHWithAChangedHostKeyIsRefused(t *testing.T) {
	t.Parallel()
	key := pemKey(t, "")
	before, after := sshdFor(t, key), sshdFor(t, key)
	failsWith(t, &Dialer{HostKeys: trusting(after.address, before.hostKey)}, device(t, after.address), with(after.login(key.private)),
		devices.NotAllowed, ssh.FingerprintSHA256(before.hostKey), ssh.FingerprintSHA256(after.hostKey), "belay devices trust acme/fw-hq")
	if strings.Contains(after.log.String(), "Accepted") {
		t.Error("a login was offered")
	}
}

func TestOpenSSHWithOldAlgorithmsIsReachedOnlyWhereTheInventorySaysSo(t *testing.T) {
	t.Parallel()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	host := signer(t, rsaKey, err)
	hostPEM := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)}))
	key := pemKey(t, "")
	for _, kex := range []string{"diffie-hellman-group1-sha1", "diffie-hellman-group14-sha1"} {
		s := startSSHD(t, host, hostPEM, key.authorized, "KexAlgorithms "+kex, "Ciphers aes128-cbc", "MACs hmac-sha1", "HostKeyAlgorithms ssh-rsa")
		d := &Dialer{HostKeys: trustingAll(s)}
		dev := device(t, s.address)
		failsWith(t, d, dev, with(s.login(key.private)), devices.Unreachable, "only offers "+kex, "`legacy: true`", "inventory")
		dev.Legacy = true
		c := s.says(t, d, with(s.login(key.private)), dev)
		if want := []string{kex, "ssh-rsa", "aes128-cbc", "hmac-sha1"}; !slices.Equal(c.Reached().Weak, want) {
			t.Errorf("weak: %v, want %v", c.Reached().Weak, want)
		}
	}
}

func TestALegacyDeviceWithModernAlgorithmsUsesThose(t *testing.T) {
	t.Parallel()
	key := pemKey(t, "")
	s := sshdFor(t, key, "Ciphers aes128-cbc,aes256-ctr", "MACs hmac-sha1")
	dev := device(t, s.address)
	dev.Legacy = true
	r := s.says(t, &Dialer{HostKeys: trustingAll(s)}, with(s.login(key.private)), dev).Reached()
	if r.Cipher != "aes256-ctr" || !slices.Equal(r.Weak, []string{"hmac-sha1"}) {
		t.Errorf("cipher %s, weak %v", r.Cipher, r.Weak)
	}
}

// An RSA key signs with SHA-2; a server that can only SHA-1 is a legacy one.
func TestOpenSSHTakesAnRSAKeyWithSHA2(t *testing.T) {
	t.Parallel()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	k := signer(t, rsaKey, err)
	private := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)}))
	authorized := keyPair{authorized: string(ssh.MarshalAuthorizedKey(k.PublicKey()))}
	modern := sshdFor(t, authorized)
	modern.says(t, &Dialer{HostKeys: trustingAll(modern)}, with(modern.login(private)), device(t, modern.address))
	old := sshdFor(t, authorized, "PubkeyAcceptedAlgorithms ssh-rsa")
	d := &Dialer{HostKeys: trustingAll(old)}
	dev := device(t, old.address)
	failsWith(t, d, dev, with(old.login(private)), devices.Denied)
	dev.Legacy = true
	old.says(t, d, with(old.login(private)), dev)
}
