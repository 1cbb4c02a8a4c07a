package drivers_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"belay/configs"
	"belay/devices"
	"belay/drivers"
)

// A talk is one session of a device that a test plays by hand, where the
// simulator's manners will not do.
type talk struct {
	typed chan byte
	quit  chan struct{}
	once  sync.Once
	said  *io.PipeWriter
	heard *io.PipeReader

	mu    sync.Mutex
	lines []string // every line typed, secrets included
}

// say writes one segment.
func (k *talk) say(text string) {
	_, _ = io.WriteString(k.said, text) // a client that has gone shows in key
}

// key waits for one byte; ok is false when the client has gone and all it typed
// is read.
func (k *talk) key() (c byte, ok bool) {
	select {
	case c := <-k.typed:
		return c, true
	default:
	}
	select {
	case c := <-k.typed:
		return c, true
	case <-k.quit:
		return 0, false
	}
}

// line reads to Enter.
func (k *talk) line() (string, bool) {
	var line []byte
	for {
		c, ok := k.key()
		switch {
		case !ok:
			return "", false
		case c == '\n' || c == '\r':
			k.mu.Lock()
			k.lines = append(k.lines, string(line))
			k.mu.Unlock()
			return string(line), true
		}
		line = append(line, c)
	}
}

func (k *talk) Read(p []byte) (int, error) { return k.heard.Read(p) }

func (k *talk) Write(p []byte) (int, error) {
	for _, c := range p {
		select {
		case k.typed <- c:
		case <-k.quit:
			return 0, io.ErrClosedPipe
		}
	}
	return len(p), nil
}

func (k *talk) Close() error {
	k.once.Do(func() { close(k.quit) })
	return errors.Join(k.heard.Close(), k.said.Close())
}

// A played-by-hand device: every session is play.
type hand struct {
	play func(session int, k *talk)

	mu    sync.Mutex
	talks []*talk
	wait  sync.WaitGroup
}

func (h *hand) Shell(context.Context, devices.Terminal) (io.ReadWriteCloser, error) {
	k := &talk{typed: make(chan byte, 4096), quit: make(chan struct{})}
	k.heard, k.said = io.Pipe()
	h.mu.Lock()
	h.talks = append(h.talks, k)
	n := len(h.talks)
	h.mu.Unlock()
	h.wait.Go(func() {
		h.play(n, k)
		_ = k.said.Close()
	})
	return k, nil
}

func (h *hand) Run(context.Context, string, io.Writer) (int, error) {
	return -1, errors.New("no exec here")
}
func (h *hand) Reached() devices.Reached { return devices.Reached{Address: "by hand"} }
func (h *hand) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range h.talks {
		_ = k.Close()
	}
	return nil
}

// typed is every line that was typed in all sessions.
func (h *hand) typed() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []string
	for _, k := range h.talks {
		k.mu.Lock()
		all = append(all, k.lines...)
		k.mu.Unlock()
	}
	return all
}

var handDevice = devices.Device{Customer: "acme", Name: "box", Driver: "cisco_ios", Address: "192.0.2.1"}

func (h *hand) puller(t testing.TB) *drivers.Puller {
	t.Cleanup(h.wait.Wait)
	login := devices.Login{User: "belay", Password: devices.NewSecret("canary-login"), Enable: devices.NewSecret("canary-enable")}
	return &drivers.Puller{
		Catalog: load(t), Idle: 2 * time.Second, Now: time.Now,
		Dial: func(context.Context, devices.Device, *drivers.Driver) (drivers.Conn, devices.Login, error) {
			return h, login, nil
		},
	}
}

const (
	handVersion = "Cisco IOS Software, C2960X Software (C2960X-UNIVERSALK9-M), Version 15.2(7)E7, RELEASE SOFTWARE (fc2)\nProcessor board ID FOC1111X111\n"
	handConfig  = "Building configuration...\n\nCurrent configuration : 99 bytes\n!\nversion 15.2\nhostname sw1\n!\nvtp mode off\n!\ninterface Vlan1\n no ip address\n!\nline vty 0 4\nend\n\n"
	handKept    = "\n!\nversion 15.2\nhostname sw1\n!\nvtp mode off\n!\ninterface Vlan1\n no ip address\n!\nline vty 0 4\nend\n\n"
)

// A switch answers like Cisco IOS. The zero one does nothing unusual.
type sw struct {
	greeting string
	echo     func(line string) string              // what Enter prints after a line; nil: the line and a line end
	answer   func(line, text string) string        // changes an answer
	prompt   func(line string) string              // the prompt behind the answer to a line
	say      func(k *talk, line, text string) bool // says all of it another way
}

func (s sw) play(k *talk) {
	crlf := func(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }
	prompt := func(line string) string {
		if s.prompt != nil {
			return s.prompt(line)
		}
		return "sw1#"
	}
	k.say(crlf(s.greeting) + prompt("(greeting)"))
	for {
		line, ok := k.line()
		if !ok || line == "exit" {
			return
		}
		text := map[string]string{"show version": handVersion, "show running-config": handConfig}[line]
		if s.answer != nil {
			text = s.answer(line, text)
		}
		echo := line + "\n"
		if s.echo != nil {
			echo = s.echo(line)
		}
		if s.say != nil && s.say(k, line, crlf(echo+text)) {
			continue
		}
		k.say(crlf(echo + text + prompt(line)))
	}
}

// read captures a device played by hand, and wants the whole text.
func (h *hand) kept(t *testing.T) configs.Result {
	t.Helper()
	b, r := backup(h.puller(t))
	res, texts := capture(t, b, r, handDevice)
	if res.Result != configs.Kept {
		t.Fatalf("%s: %s %+v\ntyped: %q", res.Result, res.Error, res.Checks, h.typed())
	}
	if texts[configs.MainFile] != handKept {
		t.Errorf("kept %q", texts[configs.MainFile])
	}
	for _, w := range res.Warnings {
		t.Errorf("warning: %s", w)
	}
	if len(res.Identity.Serials) != 1 || res.Identity.Serials[0] != "FOC1111X111" {
		t.Errorf("serial numbers %q", res.Identity.Serials)
	}
	return res
}
