package simulator

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
)

func serve(t *testing.T, s *Server) *Server {
	t.Helper()
	if err := s.Start("127.12.0.5:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if n := s.Device.Seen().Open; n != 0 {
			t.Errorf("%d sessions are still open", n)
		}
	})
	return s
}

func dial(t *testing.T, s *Server, auth ...ssh.AuthMethod) (*ssh.Client, error) {
	t.Helper()
	c, err := ssh.Dial("tcp", s.Address(), &ssh.ClientConfig{
		User: "belay", Auth: auth, HostKeyCallback: ssh.FixedHostKey(s.HostKey.PublicKey()), Timeout: 5 * time.Second,
	})
	if err == nil {
		t.Cleanup(func() { _ = c.Close() })
	}
	return c, err
}

func overSSH(t *testing.T, s *Server, password string) *ssh.Client {
	t.Helper()
	c, err := dial(t, s, ssh.Password(password))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// terminal opens a shell over SSH.
func terminal(t *testing.T, c *ssh.Client) *talk {
	t.Helper()
	session, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	in, err := session.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := session.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.RequestPty("vt100", 1000, 511, nil); err != nil {
		t.Fatal(err)
	}
	if err := session.Shell(); err != nil {
		t.Fatal(err)
	}
	return &talk{t: t, rw: struct {
		io.Reader
		io.WriteCloser
	}{out, in}}
}

func TestAShellOverSSHSaysWhatOneInMemorySays(t *testing.T) {
	t.Parallel()
	d := lab(t, "")
	c := overSSH(t, serve(t, &Server{Device: d}), "canary-login-switch")
	k := terminal(t, c).privileged()
	if diff := cmp.Diff(said(d.T, config), k.ask(config)); diff != "" {
		t.Error(diff)
	}
	k.typed("exit\n")
	if text, err := k.rest(); text != "exit\r\n" || err != nil {
		t.Errorf("exit: %q, %v", text, err)
	}
	if session, err := c.NewSession(); err != nil || session.Run("show version") == nil {
		t.Errorf("the switch runs commands without a shell (%v)", err)
	}
}

func TestACommandRunsOverSSH(t *testing.T) {
	t.Parallel()
	d := &Device{T: transcript(t, "router.txtar")}
	c := overSSH(t, serve(t, &Server{Device: d}), "canary-login-router")
	run := func(command string) (string, error) {
		session, err := c.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		out, err := session.Output(command)
		return string(out), err
	}
	out, err := run("/export")
	if err != nil || out != d.T.Answers["/export"].Text() {
		t.Errorf("%v, %q", err, out)
	}
	if out, err = run("/reboot"); out != "bad command name\n" || exitStatus(err) != 1 {
		t.Errorf("unknown: %v, %q", err, out)
	}
	d.Order(Fault{CloseChannel: true})
	if _, err = run("/export"); !errors.As(err, new(*ssh.ExitMissingError)) {
		t.Errorf("a channel closed in the middle: %v", err)
	}
	if diff := cmp.Diff([]string{"/export", "/reboot", "/export"}, d.Seen().Commands); diff != "" {
		t.Error(diff)
	}
}

func exitStatus(err error) int {
	if e, ok := errors.AsType[*ssh.ExitError](err); ok {
		return e.ExitStatus()
	}
	return -1
}

func TestAWrongPasswordCostsOneAttempt(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		auth            []ssh.AuthMethod
		fault           Fault
		offered         []string
		logins, refused int
	}{
		"a good password": {[]ssh.AuthMethod{ssh.Password("canary-login-switch")}, Fault{}, nil, 1, 0},
		"a good answer":   {[]ssh.AuthMethod{answering("canary-login-switch")}, Fault{}, []string{"keyboard-interactive"}, 1, 0},
		"a bad password":  {[]ssh.AuthMethod{ssh.Password("x")}, Fault{}, nil, 0, 1},
		"a bad answer":    {[]ssh.AuthMethod{answering("x")}, Fault{}, nil, 0, 1},
		"bad, then good":  {[]ssh.AuthMethod{ssh.Password("x"), answering("canary-login-switch")}, Fault{}, nil, 1, 1},
		"nobody gets in":  {[]ssh.AuthMethod{ssh.Password("canary-login-switch")}, Fault{RefuseLogin: true}, nil, 0, 1},
		"not offered":     {[]ssh.AuthMethod{ssh.Password("canary-login-switch")}, Fault{}, []string{"keyboard-interactive"}, 0, 0},
	} {
		d := lab(t, "")
		d.Order(c.fault)
		s := serve(t, &Server{Device: d, Auth: c.offered})
		_, err := dial(t, s, c.auth...)
		seen := d.Seen()
		if c.logins == 1 && err == nil { // the server may count it after the client knows
			for i := 0; i < 100 && d.Seen().Logins == 0; i++ {
				time.Sleep(time.Millisecond)
			}
			seen = d.Seen()
		}
		if (err == nil) != (c.logins == 1) || seen.Logins != c.logins || seen.Refused != c.refused {
			t.Errorf("%s: %v, counted %+v", what, err, seen)
		}
	}
	d := lab(t, "")
	d.Login = &Login{User: "belay", Password: "another"}
	if _, err := dial(t, serve(t, &Server{Device: d}), ssh.Password("another")); err != nil {
		t.Errorf("a login of its own: %v", err)
	}
}

func answering(password string) ssh.AuthMethod {
	return ssh.KeyboardInteractive(func(_, _ string, questions []string, _ []bool) ([]string, error) {
		answers := make([]string, len(questions))
		for i := range answers {
			answers[i] = password
		}
		return answers, nil
	})
}

func TestAnSSHConnectionEndsInTheMiddleAsOrdered(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"reset", "close-channel"} {
		c := overSSH(t, serve(t, &Server{Device: lab(t, fault)}), "canary-login-switch")
		k := terminal(t, c).privileged()
		k.typed(config + "\n")
		text, _ := k.rest()
		if !strings.Contains(text, "Building configuration") || strings.Contains(text, "\r\nend") {
			t.Errorf("%s: it said %q", fault, text)
		}
		_, err := c.NewSession()
		if lost := err != nil; lost != (fault == "reset") {
			t.Errorf("%s: the connection afterwards: %v", fault, err)
		}
	}
}

func TestATarpitAcceptsAndSaysNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, &Server{Device: lab(t, "tarpit")})
	c, err := net.Dial("tcp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
		t.Errorf("%d bytes, %v", n, err)
	}
	if s := s.Device.Seen(); s.Connections != 1 || s.Logins != 0 {
		t.Errorf("counted %+v", s)
	}
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

func TestAnUnreachableDeviceRefusesConnections(t *testing.T) {
	t.Parallel()
	s := serve(t, &Server{Device: lab(t, "unreachable")})
	if _, err := net.Dial("tcp", s.Address()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v", err)
	}
}

func TestCloseEndsSessionsThatAreStuck(t *testing.T) {
	t.Parallel()
	s := &Server{Device: lab(t, "silence")}
	if err := s.Start("127.12.0.6:0"); err != nil {
		t.Fatal(err)
	}
	k := terminal(t, overSSH(t, s, "canary-login-switch")).privileged()
	k.typed(config + "\n")
	half := s.Device.Configuration(config)
	k.until(strings.ReplaceAll(half[:len(half)/2], "\n", "\r\n"))
	idle := terminal(t, overSSH(t, s, "canary-login-switch"))
	idle.until(">")
	done := make(chan error)
	go func() { done <- s.Close() }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("Close hangs")
	}
	if err := s.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

func TestSegmentsArriveOverSSH(t *testing.T) {
	t.Parallel()
	d := &Device{T: transcript(t, "router.txtar"), Fault: Fault{Segment: 7}}
	session, err := overSSH(t, serve(t, &Server{Device: d}), "canary-login-router").NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	var out bytes.Buffer
	session.Stdout = &out
	if err := session.Run("/export"); err != nil || out.String() != d.T.Answers["/export"].Text() {
		t.Errorf("%v, %q", err, out.String())
	}
}
