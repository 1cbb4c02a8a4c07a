package ssh

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"

	"belay/devices"
)

// Every test opens, breaks and closes sessions; none may leave a goroutine.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	rightPassword = "canary-right-9c1f"
	wrongPassword = "canary-wrong-77d2"
)

// pins is a store of host keys in memory.
type pins struct {
	mu       sync.Mutex
	firstUse bool
	keys     map[string][]ssh.PublicKey
	checked  []Host
}

func (p *pins) Check(_ context.Context, h Host, key ssh.PublicKey) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.checked = append(p.checked, h)
	if p.firstUse && len(h.Expected) == 0 && len(p.keys[h.Address]) == 0 {
		if p.keys == nil {
			p.keys = map[string][]ssh.PublicKey{}
		}
		p.keys[h.Address] = []ssh.PublicKey{key}
		return true, nil
	}
	return false, h.Compare(p.keys[h.Address], key)
}

func (p *pins) Known(_ context.Context, h Host) ([]ssh.PublicKey, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys[h.Address], nil
}

// trusting is a store that already knows key for address.
func trusting(address string, keys ...ssh.PublicKey) *pins {
	return &pins{keys: map[string][]ssh.PublicKey{address: keys}}
}

func ed25519Signer(t *testing.T) ssh.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return signer(t, key, err)
}

func rsaSigner(t *testing.T, bits int) ssh.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	return signer(t, key, err)
}

func signer(t *testing.T, key any, err error) ssh.Signer {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A peer is a server made of x/crypto/ssh, for what sshd cannot be told to do.
type peer struct {
	address string
	key     ssh.Signer
	config  *ssh.ServerConfig
	session func(ch ssh.Channel, reqs <-chan *ssh.Request)
	global  func(reqs <-chan *ssh.Request)
	wrap    func(net.Conn) net.Conn // what the connections pass through; nil: nothing
	tunnels bool                    // it is a jump host: of its tunnels no byte is carried

	accepted, open atomic.Int32
	mu             sync.Mutex
	secrets        []string // passwords as they came in, whatever the method
}

func (p *peer) saw(secret string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.secrets = append(p.secrets, secret)
}

func (p *peer) seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.secrets)
}

// passwords lets in whoever has the right password.
func (p *peer) passwords(c ssh.ConnMetadata, pw []byte) (*ssh.Permissions, error) {
	p.saw(string(pw))
	if c.User() == "backup" && string(pw) == rightPassword {
		return nil, nil
	}
	return nil, errors.New("no")
}

// questions lets in whoever answers all the questions so.
func (p *peer) questions(instruction string, want map[string]string, order ...string) func(ssh.ConnMetadata, ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
	return func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
		for _, q := range order {
			answers, err := ask("", instruction, []string{q}, []bool{false})
			if err != nil {
				return nil, err
			}
			if strings.Contains(strings.ToLower(q), "password") {
				p.saw(answers[0])
			}
			if answers[0] != want[q] {
				return nil, errors.New("no")
			}
		}
		return nil, nil
	}
}

func startPeer(t *testing.T, set func(p *peer)) *peer {
	t.Helper()
	p := &peer{config: &ssh.ServerConfig{}, key: ed25519Signer(t), global: ssh.DiscardRequests}
	p.config.PasswordCallback = p.passwords
	if set != nil {
		set(p)
	}
	p.config.AddHostKey(p.key)
	p.address = listen(t, func(conn net.Conn) {
		p.accepted.Add(1)
		p.open.Add(1)
		defer p.open.Add(-1)
		if p.wrap != nil {
			conn = p.wrap(conn)
		}
		p.serve(conn)
	})
	return p
}

func (p *peer) serve(conn net.Conn) {
	sc, chans, reqs, err := ssh.NewServerConn(conn, p.config)
	if err != nil {
		return
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { p.global(reqs) })
	for c := range chans {
		if p.tunnels && c.ChannelType() == "direct-tcpip" {
			if _, reqs, err := c.Accept(); err == nil {
				wg.Go(func() { ssh.DiscardRequests(reqs) })
			}
			continue
		}
		if p.session == nil || c.ChannelType() != "session" {
			if c.Reject(ssh.Prohibited, "no") != nil {
				break
			}
			continue
		}
		ch, reqs, err := c.Accept()
		if err != nil {
			break
		}
		wg.Go(func() {
			defer ch.Close()
			p.session(ch, reqs)
		})
	}
	sc.Close()
}

// listen serves each connection on a goroutine, and ends them all with the test.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var conns []net.Conn
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().String()
}

// device is an inventory entry for an address of this machine.
func device(t *testing.T, address string) devices.Device {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return devices.Device{Customer: "acme", Name: "fw-hq", Address: host, Port: n}
}

func login(name, pw string) devices.Login {
	return devices.Login{Name: name, User: "backup", Password: devices.NewSecret(pw)}
}

func with(logins ...devices.Login) Options { return Options{Logins: logins} }

// soon is the test's own context, and ends a test that waits for what does not come.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 2*time.Minute, errors.New("the test has waited for two minutes"))
	t.Cleanup(cancel)
	return ctx
}

// open dials a peer whose key is pinned.
func open(t *testing.T, p *peer, d *Dialer, o Options) *Client {
	t.Helper()
	if d.HostKeys == nil {
		d.HostKeys = trusting(p.address, p.key.PublicKey())
	}
	c, err := d.Dial(soon(t), device(t, p.address), o)
	if err != nil {
		t.Fatalf("dial: %v (hint: %s)", err, devices.HintOf(err))
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// failsWith dials and wants an error of that kind whose text and hint hold all
// of the words, and no secret.
func failsWith(t *testing.T, d *Dialer, dev devices.Device, o Options, kind devices.Kind, words ...string) error {
	t.Helper()
	c, err := d.Dial(soon(t), dev, o)
	if err == nil {
		c.Close()
		t.Fatal("the dial succeeded")
	}
	mustSay(t, err, kind, words...)
	return err
}

func mustSay(t *testing.T, err error, kind devices.Kind, words ...string) {
	t.Helper()
	text := err.Error() + "\nhint: " + devices.HintOf(err)
	if got := devices.KindOf(err); got != kind {
		t.Errorf("kind is %d, want %d: %s", got, kind, text)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in: %s", w, text)
		}
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if strings.Contains(e.Error()+devices.HintOf(e), "canary") {
			t.Errorf("a secret is in the error: %s", text)
		}
	}
}

// eventually waits for something that another goroutine brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

// silent takes connections, says nothing, and tells when the client hangs up.
func silent(t *testing.T) (address string, hungUp chan struct{}) {
	t.Helper()
	hungUp = make(chan struct{}, 8)
	return listen(t, func(c net.Conn) {
		if _, err := io.Copy(io.Discard, c); err == nil {
			hungUp <- struct{}{}
		}
	}), hungUp
}

func waitFor(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(5 * time.Second):
		t.Fatalf("never: %s", what)
	}
}

// A lockedBuffer is a buffer that several goroutines may use.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
