package telnet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"belay/devices"
	"belay/devices/telnet"
)

// A peer is a device that a test plays by hand.
type peer struct {
	t *testing.T
	net.Conn
	client *telnet.Client
	rw     io.ReadWriteCloser
}

func play(t *testing.T, term devices.Terminal) *peer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	host, port, _ := net.SplitHostPort(l.Addr().String())
	d := telnet.Dialer{Via: (&net.Dialer{}).DialContext, Passed: []string{"hop"}}
	c, err := d.Dial(t.Context(), devices.Device{Customer: "acme", Name: "sw", Address: host, Port: atoi(port)}, devices.Login{Name: "night"})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	rw, err := c.Shell(t.Context(), term)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rw.Close(); _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	return &peer{t, conn, c, rw}
}

func atoi(s string) (n int) {
	for _, c := range s {
		n = n*10 + int(c-'0')
	}
	return n
}

// says sends bytes, in segments of so many.
func (p *peer) says(text string, every int) {
	p.t.Helper()
	for len(text) > 0 {
		n := min(every, len(text))
		if _, err := io.WriteString(p, text[:n]); err != nil {
			p.t.Fatal(err)
		}
		text = text[n:]
	}
}

// shows wants the client to read that, however the segments fall.
func (p *peer) shows(want string) {
	p.t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(p.rw, got); err != nil || string(got) != want {
		p.t.Fatalf("read %q %v, want %q", got, err, want)
	}
}

// hears wants the client to have sent that.
func (p *peer) hears(want string) {
	p.t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(p, got); err != nil || string(got) != want {
		p.t.Fatalf("heard %q %v, want %q", got, err, want)
	}
}

func TestOnlyATerminalsOptionsAreTakenOn(t *testing.T) {
	t.Parallel()
	for _, every := range []int{1, 2, 3, 1000} {
		p := play(t, devices.Terminal{})
		// WILL echo, suppress-go-ahead, status; DO echo, suppress-go-ahead, linemode, encrypt, new-environ.
		p.says("a\xff\xfb\x01\xff\xfb\x03\xff\xfb\x05\xff\xfd\x01\xff\xfd\x03\xff\xfd\x22\xff\xfd\x26\xff\xfd\x27b", every)
		p.shows("ab")
		p.hears("\xff\xfd\x01\xff\xfd\x03\xff\xfe\x05\xff\xfc\x01\xff\xfb\x03\xff\xfc\x22\xff\xfc\x26\xff\xfc\x27")
		// What stands is not confirmed again; what goes is.
		p.says("\xff\xfb\x01\xff\xfd\x03\xff\xfe\x26\xff\xfc\x05\xff\xfc\x01c", every)
		p.shows("c")
		p.hears("\xff\xfe\x01")
		// Environment and types that were not taken on are not told.
		p.says("\xff\xfa\x27\x01\xff\xf0\xff\xfa\x18\x01\xff\xf0d\xff\xfa\x22\x03\xff\xff\xff\xf0\xff\xf1\xff\xf9e", every)
		p.shows("de")
		p.says("\xff\xfd\x18\xff\xfa\x18\x01\xff\xf0\xff\xfd\x1ff", every)
		p.shows("f")
		p.hears("\xff\xfb\x18\xff\xfa\x18\x00VT100\xff\xf0\xff\xfb\x1f\xff\xfa\x1f\x01\xff\xff\x03\xe8\xff\xf0")
	}
}

func TestTextPassesAsItIs(t *testing.T) {
	t.Parallel()
	p := play(t, devices.Terminal{Type: "xterm", Width: 80, Height: 24})
	p.says("caf\xff\xff\r\nx\r\x00y\x00z\r\n", 1)
	p.shows("caf\xff\r\nx\ry\x00z\r\n")
	p.says("\xff\xfd\x18\xff\xfa\x18\x01\xff\xf0\xff\xfd\x1f.", 4)
	p.shows(".")
	p.hears("\xff\xfb\x18\xff\xfa\x18\x00XTERM\xff\xf0\xff\xfb\x1f\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0")
}

func TestEnterIsWhatTheDeviceTakesForIt(t *testing.T) {
	t.Parallel()
	p := play(t, devices.Terminal{})
	typed := func(keys string) {
		t.Helper()
		if n, err := io.WriteString(p.rw, keys); n != len(keys) || err != nil {
			t.Fatal(n, err)
		}
	}
	typed("a\nb\rc\r\nd\xff")
	p.hears("a\r\nb\r\x00c\r\nd\xff\xff")
	p.says("\xff\xfb\x03.", 9)
	p.shows(".")
	p.hears("\xff\xfd\x03")
	typed("a\nb\rc\r\n")
	p.hears("a\r\x00b\r\x00c\r\n")
}

func TestADeviceThatNegotiatesForEverIsLeft(t *testing.T) {
	t.Parallel()
	p := play(t, devices.Terminal{})
	go func() { _, _ = io.Copy(io.Discard, p.Conn) }()
	go func() {
		for {
			if _, err := p.Write([]byte("\xff\xfd\x22\xff\xfe\x22\xff\xfb\x01\xff\xfc\x01")); err != nil {
				return
			}
		}
	}()
	if _, err := io.Copy(io.Discard, p.rw); err == nil || !strings.Contains(err.Error(), "options") {
		t.Error(err)
	}
	long := play(t, devices.Terminal{})
	go func() { _, _ = io.WriteString(long.Conn, "\xff\xfa\x18"+strings.Repeat("x", 1<<20)+"\xff\xf0after") }()
	long.shows("after")
}

func TestItIsSaidThatNothingProvesWhichDeviceItIs(t *testing.T) {
	t.Parallel()
	p := play(t, devices.Terminal{})
	r := p.client.Reached()
	if r.Unproven != telnet.Caution || !strings.Contains(r.Unproven, "unencrypted") || len(r.Weak) != 1 || r.HostKey != "" || r.Login != "night" || len(r.Via) != 1 {
		t.Errorf("%+v", r)
	}
	if _, err := p.client.Shell(t.Context(), devices.Terminal{}); devices.KindOf(err) != devices.Usage {
		t.Errorf("a second terminal: %v", err)
	}
	if _, err := p.client.Run(t.Context(), "show", io.Discard); devices.KindOf(err) != devices.Usage {
		t.Errorf("a command beside it: %v", err)
	}
	d := telnet.Dialer{Via: (&net.Dialer{}).DialContext}
	for name, dev := range map[string]devices.Device{"no address": {}, "a host key": {Address: "192.0.2.1", HostKeys: []string{"SHA256:x"}}} {
		if _, err := d.Dial(t.Context(), dev, devices.Login{}); devices.KindOf(err) != devices.Usage {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheEndOfASessionSaysWhy(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	read := func(rw io.Reader) error {
		_, err := io.Copy(io.Discard, io.MultiReader(rw, bytes.NewReader(nil)))
		return err
	}
	t.Run("closed by the device", func(t *testing.T) {
		p := play(t, devices.Terminal{})
		_ = p.Close()
		if _, err := p.rw.Read(make([]byte, 9)); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	})
	t.Run("closed by us", func(t *testing.T) {
		p := play(t, devices.Terminal{})
		_ = p.client.Close()
		if err := read(p.rw); err == nil || err.Error() != "the session was closed" {
			t.Error(err)
		}
	})
	t.Run("canceled", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		host, port, _ := net.SplitHostPort(l.Addr().String())
		d := telnet.Dialer{Via: (&net.Dialer{}).DialContext}
		c, err := d.Dial(t.Context(), devices.Device{Address: host, Port: atoi(port)}, devices.Login{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		rw, err := c.Shell(ctx, devices.Terminal{})
		if err != nil {
			t.Fatal(err)
		}
		cancel(errors.New("enough"))
		if err := read(rw); err == nil || err.Error() != "enough" {
			t.Error(err)
		}
		if _, err := rw.Write([]byte("x")); err == nil || err.Error() != "enough" {
			t.Error(err)
		}
		_ = rw.Close()
	})
	t.Run("nobody there", func(t *testing.T) {
		const host = "127.0.0.1"
		d := telnet.Dialer{Via: (&net.Dialer{}).DialContext}
		_, err := d.Dial(t.Context(), devices.Device{Address: host, Port: 1}, devices.Login{})
		if devices.KindOf(err) != devices.Unreachable || !strings.Contains(devices.HintOf(err), "telnet enabled") {
			t.Error(err)
		}
		d.Via = func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
		d.Timeout = time.Millisecond
		if _, err = d.Dial(t.Context(), devices.Device{Address: host}, devices.Login{}); devices.KindOf(err) != devices.Unreachable || !strings.Contains(err.Error(), "no TCP connection within 1ms") {
			t.Error(err)
		}
	})
}
