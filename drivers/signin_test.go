package drivers_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"belay/configs"
	"belay/devices"
	"belay/devices/simulator"
	"belay/drivers"
)

const asksWho = "login: {user: '^User ?[Nn]ame: ?$', password: '^Password: ?$'}\nroad: shell"

func askingBox(t *testing.T, sheet, sections string) *acmeBox {
	t.Helper()
	return acmeBoxOf(t, swap(t, plainAcme, "road: shell", asksWho), boxText(sheet, sections))
}

func TestADeviceThatAsksInItsTerminalIsLoggedInTo(t *testing.T) {
	t.Parallel()
	for name, sheet := range map[string]string{
		"user and password":  "sign_in: {user: 'User Name: ', password: 'Password: '}\n",
		"password only":      "sign_in: {password: 'Password: '}\n",
		"echoes it":          "sign_in: {user: 'Username:', password: 'Password:', echo: true}\n",
		"asks nothing":       "",
		"and a gate besides": "sign_in: {user: 'Username:', password: 'Password:'}\ngates: [{say: 'Press any key'}]\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			driver := swap(t, plainAcme, "road: shell", "gates: [{ask: 'Press any key$', answer: ' '}]\n"+asksWho)
			// The words of a banner are no question, however they come.
			box := acmeBoxOf(t, driver, boxText(sheet, "-- greeting --\nNever tell your\nPassword: \nto anybody.\nUser Name: \nbelongs to you.\n"))
			for _, f := range []simulator.Fault{{}, {Segment: 1}, {Noise: true}, {SplitAfter: ":"}} {
				box.d.Fault = f
				res, texts := box.kept(t)
				if strings.Contains(fmt.Sprintf("%+v %v", res, texts), "canary-login") {
					t.Error("the password survived")
				}
			}
			if strings.Contains(box.typed(), "canary-login") || box.d.Seen().Refused > 0 {
				t.Errorf("%+v", box.d.Seen())
			}
		})
	}
}

func TestAPasswordThatTheTerminalRefusesIsSentOnce(t *testing.T) {
	t.Parallel()
	for name, sheet := range map[string]string{
		"asks again":          "sign_in: {user: 'User Name:', password: 'Password:'}\n",
		"asks again at once":  "sign_in: {password: 'Password:', denied: \"% no\\n\"}\n",
		"falls silent":        "sign_in: {password: 'Password:', denied: '% no '}\n",
		"asks, and then ends": "sign_in: {user: 'User Name:', password: 'Password:', denied: '% no', tries: 1}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box := askingBox(t, sheet, "")
			box.d.Login = &simulator.Login{User: "belay", Password: "another"}
			res, _ := box.capture(t)
			if res.Result != configs.Denied || devices.KindOf(res.Err) != devices.Denied {
				t.Errorf("%s: %s", res.Result, res.Error)
			}
			if s := box.d.Seen(); s.Refused != 1 || s.Connections != 1 || len(s.Commands) > 0 {
				t.Errorf("%+v", s)
			}
			if strings.Contains(fmt.Sprintf("%+v %v", res, res.Err), "canary-login") {
				t.Error("the password is shown")
			}
		})
	}
}

// TestADeviceThatHangsUpWithoutAWordHasRefusedThePassword: it would be tried again
// if that were called unreachable, until the account is locked.
func TestADeviceThatHangsUpWithoutAWordHasRefusedThePassword(t *testing.T) {
	t.Parallel()
	h := &hand{play: func(_ int, k *talk) {
		k.say("Password: ")
		k.line()
	}}
	box := askingBox(t, "", "")
	pull := h.puller(t)
	pull.Catalog = box.c
	b, r := backup(pull)
	if res, _ := capture(t, b, r, box.p.device()); res.Result != configs.Denied || !slices.Equal(h.typed(), []string{"canary-login"}) {
		t.Errorf("%s %s, typed %q", res.Result, res.Error, h.typed())
	}
}

// TestAPasswordIsTypedOnlyWhereItIsAskedFor: not in the middle of a session,
// whatever an answer looks like, and not while the device goes on talking.
func TestAPasswordIsTypedOnlyWhereItIsAskedFor(t *testing.T) {
	t.Parallel()
	h := &hand{play: func(_ int, k *talk) {
		k.say("Your\r\nPassword: ")
		time.Sleep(5 * time.Millisecond)
		k.say("is yours alone.\r\nfw# ")
		for {
			line, ok := k.line()
			if !ok || line == "exit" {
				return
			}
			text := map[string]string{"show version": "Serial: ACME0001\r\nPassword: ", "show running-config": "version 1.2\r\nhostname fw\r\nPassword: \r\nend\r\n"}[line]
			k.say(line + "\r\n" + text)
			if line == "show version" {
				time.Sleep(120 * time.Millisecond)
				k.say("\r\n")
			}
			k.say("fw# ")
		}
	}}
	box := askingBox(t, "", "")
	pull := h.puller(t)
	pull.Catalog = box.c
	b, r := backup(pull)
	res, _ := capture(t, b, r, box.p.device())
	if res.Result != configs.Kept {
		t.Errorf("%s %s", res.Result, res.Error)
	}
	if slices.ContainsFunc(h.typed(), func(line string) bool { return strings.Contains(line, "canary-login") }) {
		t.Errorf("typed %q", h.typed())
	}
}

// TestADeviceThatTakesNoneIsLoggedInToOverSSH: SSH lets everybody in, the device
// asks then.
func TestADeviceThatTakesNoneIsLoggedInToOverSSH(t *testing.T) {
	t.Parallel()
	box := askingBox(t, "sign_in: {user: 'User Name:', password: 'Password:'}\n", "")
	pull, dev := overSSH(t, box.c, box.p, simulator.Fault{})
	b, r := backup(pull)
	if res, _ := capture(t, b, r, dev); res.Result != configs.Kept {
		t.Errorf("%s %s", res.Result, res.Error)
	}
	pull, dev = overSSH(t, box.c, box.p, simulator.Fault{RefuseLogin: true})
	b, r = backup(pull)
	if res, _ := capture(t, b, r, dev); res.Result != configs.Denied {
		t.Errorf("%s %s", res.Result, res.Error)
	}
}

// TestNoEnterIsTypedBeforeASlowDeviceAsks: it would be an empty user, and a wrong
// login.
func TestNoEnterIsTypedBeforeASlowDeviceAsks(t *testing.T) {
	t.Parallel()
	h := &hand{play: func(_ int, k *talk) {
		time.Sleep(3300 * time.Millisecond)
		k.say("User Name: ")
		if user, _ := k.line(); user != "belay" {
			k.say("\r\nno such user")
			return
		}
		k.say("\r\nPassword: ")
		time.Sleep(3300 * time.Millisecond)
		if password, _ := k.line(); password != "canary-login" {
			return
		}
		time.Sleep(3300 * time.Millisecond) // it asks a RADIUS server
		k.say("\r\nfw# ")
		for {
			line, ok := k.line()
			if !ok || line == "exit" {
				return
			}
			k.say(line + "\r\n" + map[string]string{"show version": "Serial: ACME0001\r\n", "show running-config": "version 1.2\r\nhostname fw\r\nend\r\n"}[line] + "fw# ")
		}
	}}
	box := askingBox(t, "", "")
	pull := h.puller(t)
	pull.Catalog, pull.Idle = box.c, 20*time.Second
	b, r := backup(pull)
	if res, _ := capture(t, b, r, box.p.device()); res.Result != configs.Kept {
		t.Errorf("%s %s, typed %d lines", res.Result, res.Error, len(h.typed()))
	}
}

// TestWhenSomebodyLoggedInLastIsNoQuestion: a device says so right behind the
// password, and where the line has come so far it ends as a question does.
func TestWhenSomebodyLoggedInLastIsNoQuestion(t *testing.T) {
	t.Parallel()
	for _, said := range []string{"Last login: Tue Apr 21 09:14:02 2026 from 192.0.2.7", "Last successful login: Tue Apr 21", "Previous failed login : none", "Failed login: 3"} {
		box := acmeBoxOf(t, plainAcme, boxText("", ""))
		pull, dev, server := overTelnet(t, box.c, box.p, simulator.Fault{})
		dial := pull.Dial
		pull.Dial = func(ctx context.Context, d devices.Device, with *drivers.Driver) (drivers.Conn, devices.Login, error) {
			c, l, err := dial(ctx, d, with)
			return greeter{c, said}, l, err
		}
		b, r := backup(pull)
		if res, _ := capture(t, b, r, dev); res.Result != configs.Kept || server.Device.Seen().Refused > 0 {
			t.Errorf("%s: %s %s", said, res.Result, res.Error)
		}
	}
}

// A greeter is a connection on which every byte comes alone, and a text behind the
// password.
type greeter struct {
	drivers.Conn
	says string
}

func (greeter) AsksInTerminal() bool { return true }

func (g greeter) Shell(ctx context.Context, t devices.Terminal) (io.ReadWriteCloser, error) {
	rw, err := g.Conn.Shell(ctx, t)
	return &oneByOne{ReadWriteCloser: rw, says: g.says}, err
}

type oneByOne struct {
	io.ReadWriteCloser
	says string
	mu   sync.Mutex
	next string
}

func (o *oneByOne) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "canary-login") {
		o.mu.Lock()
		o.next = "\r\n" + o.says + "\r\n"
		o.mu.Unlock()
	}
	return o.ReadWriteCloser.Write(p)
}

func (o *oneByOne) Read(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.next == "" {
		o.mu.Unlock()
		n, err := o.ReadWriteCloser.Read(p[:1])
		o.mu.Lock()
		if o.next == "" || n == 0 {
			return n, err
		}
		o.next += string(p[:n]) // it came behind the password
	}
	p[0], o.next = o.next[0], o.next[1:]
	return 1, nil
}
