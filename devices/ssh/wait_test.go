package ssh

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"belay/devices"
)

// ends runs something that must end by the package's own limits.
func ends(t *testing.T, what string, run func() error) error {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- run() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(time.Minute):
		t.Fatalf("it hangs: %s", what)
		return nil
	}
}

// A deaf connection takes nothing in any more once it is told so, but the end.
// What it says goes on: so a device looks that mixes up its own sessions.
type deaf struct {
	net.Conn
	now <-chan struct{}
}

func (d deaf) Read(p []byte) (int, error) {
	for {
		n, err := d.Conn.Read(p)
		select {
		case <-d.now:
			if err == nil {
				continue
			}
		default:
		}
		return n, err
	}
}

// A reluctant agent tells its keys and does not sign, like one whose key wants to be
// touched.
type reluctant struct {
	agent.ExtendedAgent
	gone <-chan struct{}
}

func (r reluctant) SignWithFlags(ssh.PublicKey, []byte, agent.SignatureFlags) (*ssh.Signature, error) {
	<-r.gone
	return nil, errors.New("nobody touched the key")
}

func TestAnAgentThatDoesNotSignIsGivenUp(t *testing.T) {
	t.Parallel()
	key := pemKey(t, "")
	keys := agent.NewKeyring().(agent.ExtendedAgent)
	if err := keys.Add(agent.AddedKey{PrivateKey: &key.raw}); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "belay-agent-") // a socket's path may be no longer than 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	gone := make(chan struct{})
	t.Cleanup(func() {
		close(gone)
		l.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				_ = agent.ServeAgent(reluctant{keys, gone}, c)
			})
		}
	})
	p := startPeer(t, func(p *peer) {
		p.config.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }
	})
	d := &Dialer{HostKeys: trusting(p.address, p.key.PublicKey()), Handshake: 5 * time.Second}
	o := with(devices.Login{Name: "agent", User: "backup", Agent: l.Addr().String()})
	err = ends(t, "a dial", func() error {
		c, err := d.Dial(t.Context(), device(t, p.address), o)
		if err == nil {
			c.Close()
			err = errors.New("the dial succeeded")
		}
		return err
	})
	mustSay(t, err, devices.Unreachable, "no answer to the login within 5s", "does its SSH agent wait")
}

// A file that has come whole is not lost for a device that does not end the
// transfer afterwards, though it answers whether it lives.
func TestATransferThatTheDeviceDoesNotEndIsLeft(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	defer close(over) // before the peer is waited for
	now := make(chan struct{})
	p := startPeer(t, func(p *peer) {
		p.wrap = func(c net.Conn) net.Conn { return deaf{c, now} }
		p.session = func(ch ssh.Channel, reqs <-chan *ssh.Request) {
			answerAll(reqs, "subsystem")
			serveSFTP(filed{text: "vlan 7\n", size: 7})(unclosed{ch, now})
			<-over
		}
	})
	o := with(login("main", rightPassword))
	o.NoKeepalive = true
	c := open(t, p, &Dialer{}, o)
	var got strings.Builder
	err := ends(t, "a transfer", func() error { return c.Get(t.Context(), "/conf/startup", &got) })
	if err != nil || got.String() != "vlan 7\n" {
		t.Errorf("%q, %v", got.String(), err)
	}
}

// An unclosed channel is deaf once its other side has sent all.
type unclosed struct {
	ssh.Channel
	now chan<- struct{}
}

func (u unclosed) Close() error { return nil }

func (u unclosed) Read(p []byte) (int, error) {
	n, err := u.Channel.Read(p)
	if errors.Is(err, io.EOF) {
		close(u.now)
	}
	return n, err
}

// A device may go on with a session that was closed, as when it asks there for
// signs of life: the other sessions of the connection do not wait for that.
func TestRequestsOnAClosedSessionHoldNothingUp(t *testing.T) {
	t.Parallel()
	now, closed := make(chan struct{}), make(chan struct{})
	p := startPeer(t, func(p *peer) {
		var conn net.Conn
		p.wrap = func(c net.Conn) net.Conn { conn = c; return deaf{c, now} }
		p.session = func(ch ssh.Channel, reqs <-chan *ssh.Request) {
			if _, shell := answerAll(reqs, "exec")["shell"]; shell {
				return
			}
			close(now)
			_, _ = io.WriteString(ch, "x")
			<-closed
			var wg sync.WaitGroup
			wg.Go(func() { _, _ = ch.SendRequest("keepalive@openssh.com", true, nil) })
			for range 100 {
				time.Sleep(time.Millisecond)
				_, _ = ch.SendRequest("of no use", false, nil)
			}
			_ = conn.(*net.TCPConn).CloseWrite()
			wg.Wait()
		}
	})
	c := open(t, p, &Dialer{}, with(login("a", rightPassword)))
	s, err := c.Shell(t.Context(), devices.Terminal{})
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("full")
	if _, err := c.Run(t.Context(), "show", failing{full}); !errors.Is(err, full) {
		t.Fatal(err)
	}
	close(closed)
	if err := ends(t, "another session", func() error { _, err := io.ReadAll(s); return err }); err != nil {
		t.Error(err)
	}
}

// An unending connection is one of x/crypto whose Wait does not return: see cut.
type unending struct {
	ssh.Conn
	over <-chan struct{}
}

func (u unending) Wait() error { <-u.over; return nil }

func TestABrokenConnectionIsNotWaitedForWithoutEnd(t *testing.T) {
	t.Parallel()
	over, done := make(chan struct{}), make(chan struct{})
	defer close(over)
	close(done)
	c := &Client{conn: unending{over: over}, done: done}
	if err := ends(t, "asking why a connection ended", c.cut); err == nil || !strings.Contains(err.Error(), "lost") {
		t.Error(err)
	}
}

func TestAJumpHostThatDiesHoldsNobodyBehindIt(t *testing.T) {
	t.Parallel()
	now := make(chan struct{})
	hop := startPeer(t, func(p *peer) {
		p.wrap = func(c net.Conn) net.Conn { return deaf{c, now} }
		p.tunnels = true
	})
	address, _ := silent(t)
	dev := device(t, address)
	dev.Jump = []string{hop.address}
	d := &Dialer{HostKeys: trusting(hop.address, hop.key.PublicKey()), Handshake: 5 * time.Second}
	tunnel, err := d.Tunnel(t.Context(), dev, with(login("a", rightPassword)))
	if err != nil {
		t.Fatal(err)
	}
	defer tunnel.Close()
	var conns [2]net.Conn
	for i := range conns {
		if conns[i], err = tunnel.DialContext(t.Context(), "tcp", address); err != nil {
			t.Fatal(err)
		}
	}
	close(now)

	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := ends(t, "a greeting", func() error { _, err := Greet(ctx, conns[0]); return err }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	time.AfterFunc(50*time.Millisecond, func() { conns[1].Close() })
	if err := ends(t, "a read", func() error { _, err := conns[1].Read(make([]byte, 1)); return err }); err == nil {
		t.Error("something was read")
	}
	if err := ends(t, "a new connection", func() error { _, err := tunnel.DialContext(t.Context(), "tcp", address); return err }); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
