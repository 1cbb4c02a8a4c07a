package simulator

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/devices"
)

func TestAShellEchoesAnswersAndPrompts(t *testing.T) {
	t.Parallel()
	d := lab(t, "")
	k := shellOf(t, d).privileged()
	if diff := cmp.Diff(said(d.T, "show version"), k.ask("show version")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(said(d.T, config), k.ask(config)); diff != "" {
		t.Error(diff)
	}
	if got := k.ask("terminal length 0"); got != "terminal length 0\r\nlab-sw-1#" {
		t.Errorf("a silent command got %q", got)
	}
	if got := k.ask("configure terminal"); got != "configure terminal\r\n% Invalid input detected at '^' marker.\r\nlab-sw-1#" {
		t.Errorf("an unknown command got %q", got)
	}
	k.typed("\r\n")
	if got := k.until("#"); got != "\r\nlab-sw-1#" {
		t.Errorf("Enter alone got %q: CR and LF are one key", got)
	}
	k.typed("vdc one\n")
	if got := k.until("lab-sw-1-one#"); got != "vdc one\r\nlab-sw-1-one#" {
		t.Errorf("a command that changes the prompt got %q", got)
	}
	k.typed("end\n")
	k.until("\nlab-sw-1#")
	k.typed("exit\n")
	if text, err := k.rest(); text != "exit\r\n" || err != nil {
		t.Errorf("exit: %q, %v", text, err)
	}
	want := []string{"enable", "show version", config, "terminal length 0", "configure terminal", "vdc one", "end", "exit"}
	if diff := cmp.Diff(want, d.Seen().Commands); diff != "" {
		t.Error(diff)
	}
}

func TestTheConfigurationNeedsThePrivilege(t *testing.T) {
	t.Parallel()
	d := lab(t, "")
	k := shellOf(t, d)
	if got := k.until("lab-sw-1>"); got != "Lab only.\r\nlab-sw-1>" {
		t.Errorf("greeting %q", got)
	}
	k.typed(config + "\n")
	if got := k.until("lab-sw-1>"); !strings.Contains(got, "% Invalid") {
		t.Errorf("unprivileged, it said %q", got)
	}
	k.typed("enable\n")
	k.until("Password: ")
	k.typed("wrong\n")
	if got := k.until("lab-sw-1>"); got != "\r\n% Access denied\r\nlab-sw-1>" {
		t.Errorf("a wrong secret got %q", got)
	}
	if s := d.Seen(); s.RefusedEnables != 1 || strings.Contains(strings.Join(s.Commands, " "), "wrong") {
		t.Errorf("counted %+v", s)
	}
}

func TestGatesWaitForTheirKeys(t *testing.T) {
	t.Parallel()
	k := shellOf(t, &Device{T: transcript(t, "switch.txtar")})
	k.until("Lab only.\r\nPress any key to continue")
	k.typed("x")
	k.until("Accept? (yes/no) ")
	k.typed("no\r")
	if got := k.until("(yes/no) "); got != "\r\nAccept? (yes/no) " {
		t.Errorf("a wrong answer got %q", got)
	}
	k.typed("yes\r")
	if got := k.until(">"); got != "\r\nlab-sw-1>" {
		t.Errorf("after the gates %q", got)
	}
}

func TestAPagerWaitsForAKeyAndQuitsOnQ(t *testing.T) {
	t.Parallel()
	d := lab(t, "")
	k := shellOf(t, d).privileged()
	k.typed("show inventory\r\n")
	k.until("--More--")
	k.typed(" ")
	if got := k.until("lab-sw-1#"); !strings.HasPrefix(got, "\b\b\b\b\b\b\b\b        ") || !strings.HasSuffix(got, "\r\nno line endlab-sw-1#") {
		t.Errorf("second page %q", got)
	}
	k.typed("show inventory\n")
	k.until("--More--")
	k.typed("q")
	if got := k.until("lab-sw-1#"); got != "\r\nlab-sw-1#" {
		t.Errorf("after q %q", got)
	}
}

func TestEchoComesAsOrdered(t *testing.T) {
	t.Parallel()
	for echo, want := range map[string][]string{
		"char": {"sh", "ow version", "\r\n"},
		"line": {"show version", "\r\n"},
		"none": {},
	} {
		d := lab(t, "")
		d.T.Echo = echo
		k := shellOf(t, d).privileged()
		k.typed("sh")
		if echo == "char" {
			k.until("sh")
		}
		k.typed("ow version\n")
		k.until("\nlab-sw-1#")
		want = append(want, strings.ReplaceAll(d.T.Answers["show version"].Text()+"lab-sw-1#", "\n", "\r\n"))
		if diff := cmp.Diff(want, k.segments); diff != "" {
			t.Errorf("echo: %s: %s", echo, diff)
		}
	}
}

func TestTheSecondReadingIsServedWhereThereIsOne(t *testing.T) {
	t.Parallel()
	d := lab(t, "")
	d.Second = true
	k := shellOf(t, d)
	if got := k.until(">"); !strings.Contains(got, "Last login: today") {
		t.Errorf("greeting %q", got)
	}
	k.typed("enable\ncanary-enable-switch\n") // typed ahead
	k.until("\nlab-sw-1#")
	if got := k.ask(config); !strings.Contains(got, "913 bytes") {
		t.Errorf("it serves the first reading: %q", got[:80])
	}
	if got := k.ask("show version"); !strings.Contains(got, "Serial LAB0001X0AB") {
		t.Errorf("without a second answer the first is good: %q", got)
	}
}

func TestSomebodyConfiguresTheDevice(t *testing.T) {
	t.Parallel()
	d := lab(t, "")
	d.Second = true
	d.Say(config, "hostname lab-sw-1\nend\n")
	if got := shellOf(t, d).privileged().ask(config); got != config+"\r\nhostname lab-sw-1\r\nend\r\nlab-sw-1#" {
		t.Errorf("it said %q", got)
	}
	if got := d.Configuration(config); got != "hostname lab-sw-1\nend\n" {
		t.Errorf("Configuration is %q", got)
	}
}

func TestACommandRunsOnAChannelOfItsOwn(t *testing.T) {
	t.Parallel()
	d := &Device{T: transcript(t, "router.txtar")}
	c := d.Conn()
	defer c.Close()
	var out strings.Builder
	status, err := c.Run(t.Context(), "/export", &out)
	if status != 0 || err != nil || out.String() != d.T.Answers["/export"].Text() {
		t.Errorf("status %d, %v, %q", status, err, out.String())
	}
	out.Reset()
	status, err = c.Run(t.Context(), "/reboot", &out)
	if status != 1 || err != nil || out.String() != "bad command name\n" {
		t.Errorf("unknown: status %d, %v, %q", status, err, out.String())
	}
	if _, err := c.Shell(t.Context(), devices.Terminal{}); err == nil {
		t.Error("it has a shell")
	}
	if _, err := lab(t, "").Conn().Run(t.Context(), "show version", io.Discard); err == nil {
		t.Error("the switch has exec channels")
	}
}

func TestCancelAndCloseEndWhatIsGoingOn(t *testing.T) {
	t.Parallel()
	why := errors.New("the reason")
	d := lab(t, "silence")
	for what, end := range map[string]func(*Conn, io.Closer, context.CancelCauseFunc){
		"cancel":       func(_ *Conn, _ io.Closer, cancel context.CancelCauseFunc) { cancel(why) },
		"close":        func(_ *Conn, s io.Closer, _ context.CancelCauseFunc) { _ = s.Close() },
		"close of all": func(c *Conn, _ io.Closer, _ context.CancelCauseFunc) { _ = c.Close() },
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		c := d.Conn()
		rw, err := c.Shell(ctx, devices.Terminal{})
		if err != nil {
			t.Fatal(err)
		}
		k := (&talk{t: t, rw: rw}).privileged()
		k.typed(config + "\n")
		half := d.Configuration(config)
		k.until(strings.ReplaceAll(half[:len(half)/2], "\n", "\r\n"))
		done := make(chan error)
		go func() { _, err := k.rest(); done <- err }()
		time.AfterFunc(10*time.Millisecond, func() { end(c, rw, cancel) })
		err = <-done
		want := map[string]error{"cancel": why, "close": net.ErrClosed, "close of all": net.ErrClosed}[what]
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
		cancel(nil)
		_ = c.Close()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	c := (&Device{T: transcript(t, "router.txtar"), Latency: time.Hour}).Conn()
	defer c.Close()
	if _, err := c.Run(ctx, "/export", io.Discard); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run: %v", err)
	}
}

func TestAFlowThatFailedHoldsNothingBack(t *testing.T) {
	t.Parallel()
	why := errors.New("the reason")
	for what, c := range map[string]struct {
		stop func(*flow)
		want string
	}{
		"end":  {func(f *flow) { f.end(why) }, "said"},
		"fail": {func(f *flow) { f.fail(why) }, ""},
	} {
		f := newFlow()
		if _, err := io.WriteString(f, "said"); err != nil {
			t.Fatal(err)
		}
		c.stop(f)
		if got, err := io.ReadAll(f); string(got) != c.want || !errors.Is(err, why) {
			t.Errorf("%s: %q, %v", what, got, err)
		}
		if _, err := io.WriteString(f, "more"); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%s: writing on: %v", what, err)
		}
	}
}

const asking = `a device that asks in its shell
-- device.yaml --
driver: acme
facts: {hostname: fw}
login: {user: belay, password: canary-password}
sign_in: {user: "User: ", password: "Password:", denied: "Wrong.\n"}
prompt: "fw# "
modes: {changeto context a: "fw/a# ", "fw/a# leave": "fw# "}
-- show running-config --
of the system
-- fw/a# show running-config --
of context a
`

func TestADeviceAsksInItsShell(t *testing.T) {
	t.Parallel()
	tr, err := Parse("asking.txtar", []byte(asking))
	if err != nil {
		t.Fatal(err)
	}
	d := &Device{T: tr}
	k := shellOf(t, d)
	k.until("User: ")
	k.typed("belay\n")
	k.until("Password:")
	k.typed("wrong\n")
	if got := k.until("User: "); got != "\r\nWrong.\r\nUser: " {
		t.Errorf("a wrong password got %q", got)
	}
	k.typed("belay\n")
	k.until("Password:")
	k.typed("canary-password\n")
	if got := k.until("# "); got != "\r\nfw# " {
		t.Errorf("the password got %q", got)
	}
	if s := d.Seen(); s.Refused != 1 || len(s.Commands) != 0 {
		t.Errorf("counted %+v", s)
	}
	s := serve(t, &Server{Device: &Device{T: tr}})
	c, err := dial(t, s)
	if err != nil {
		t.Fatalf("SSH did not let nobody in: %v", err)
	}
	terminal(t, c).until("User: ")
}

func TestAPromptThatMovedHasAnswersOfItsOwn(t *testing.T) {
	t.Parallel()
	tr, err := Parse("asking.txtar", []byte(strings.ReplaceAll(asking, "sign_in:", "# sign_in:")))
	if err != nil {
		t.Fatal(err)
	}
	k := shellOf(t, &Device{T: tr})
	k.until("# ")
	k.typed("show running-config\n")
	if got := k.until("fw# "); !strings.Contains(got, "of the system") {
		t.Errorf("at home it said %q", got)
	}
	k.typed("changeto context a\n")
	k.until("fw/a# ")
	k.typed("show running-config\n")
	if got := k.until("fw/a# "); !strings.Contains(got, "of context a") {
		t.Errorf("in the context it said %q", got)
	}
	k.typed("leave\n")
	k.until("fw# ")
	k = shellOf(t, &Device{T: tr, Fault: Fault{WrongBox: true}})
	k.until("gx# ")
	k.typed("changeto context a\n")
	k.until("gx/a# ")
	k.typed("show running-config\n")
	if got := k.until("gx/a# "); !strings.Contains(got, "of context a") {
		t.Errorf("in the context the other box said %q", got)
	}
}
