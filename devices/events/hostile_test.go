package events

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/devices"
	"belay/devices/snmp"
)

func TestAMessageIsNeverLostForItsForm(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string][2]string{ // host, text
		"<189>123: *Mar  1 00:01:02.003: %SYS-5-CONFIG_I: Configured from console by jm":                {"", "123: *Mar  1 00:01:02.003: %SYS-5-CONFIG_I: Configured from console by jm"},
		"<189>123: 000485: sw-1: *Jan  8 19:46:03.295: %SYS-5-CONFIG_I: Configured":                     {"sw-1", "123: 000485: sw-1: *Jan  8 19:46:03.295: %SYS-5-CONFIG_I: Configured"},
		"<189>44: sw-1: Jan  8 2026 19:46:03 CET: %SYS-5-CONFIG_I: Configured":                          {"sw-1", "44: sw-1: Jan  8 2026 19:46:03 CET: %SYS-5-CONFIG_I: Configured"},
		"<189>: 2026 Jul 28 14:42:46 UTC: %VSHD-5-VSHD_SYSLOG_CONFIG_I: Configured from vty by admin":   {"", ": 2026 Jul 28 14:42:46 UTC: %VSHD-5-VSHD_SYSLOG_CONFIG_I: Configured from vty by admin"},
		"<165>Nov 08 2013 10:18:30: %ASA-5-111010: User 'jm', running 'CLI'":                            {"", "Nov 08 2013 10:18:30: %ASA-5-111010: User 'jm', running 'CLI'"},
		"<30>Jun 18 20:50:28 edge-1 filter rule changed by admin":                                       {"edge-1", "Jun 18 20:50:28 edge-1 filter rule changed by admin"},
		"<30>Jun 08 20:50:28 edge-1 filter rule changed by admin":                                       {"edge-1", "Jun 08 20:50:28 edge-1 filter rule changed by admin"},
		"<165>1 2026-05-09T12:00:00.1Z srx-1 mgd 3046 UI_COMMIT [junos@2636 username=\"jm\"] User 'jm'": {"srx-1", `2026-05-09T12:00:00.1Z srx-1 mgd 3046 UI_COMMIT [junos@2636 username="jm"] User 'jm'`},
		"<165>1 2026-05-09T12:00:00Z - - - - - commit":                                                  {"", "2026-05-09T12:00:00Z - - - - - commit"},
		"<189>date=2026-04-10 time=05:01:53 devname=\"fw\" logid=\"0100044547\"":                        {"", `date=2026-04-10 time=05:01:53 devname="fw" logid="0100044547"`},
		"no priority at all":              {"", "no priority at all"},
		"<999999>odd":                     {"", "<999999>odd"},
		"<13>esc\x1b[2J\x00 \x07bell\r\n": {"", "esc[2J bell"},
		"<13>bad \xff\xfe text":           {"", "bad \ufffd text"},
		"<":                               {"", "<"},
	} {
		if d := cmp.Diff(want, [2]string{host([]byte(raw)), text(bytes.Trim([]byte(raw), "\x00\r\n\t "))}); d != "" {
			t.Errorf("%q: %s", raw, d)
		}
	}
}

func TestMessagesOfAStreamAreToldApartHoweverTheyAreFramed(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", longest+1000)
	for name, c := range map[string]struct {
		stream string
		want   []string
		err    error
	}{
		"line ends":                {"<1>a\n<2>b\r\n\n<3>c", []string{"<1>a", "<2>b\r", "<3>c"}, io.EOF},
		"NULs":                     {"<1>a\x00<2>b\x00", []string{"<1>a", "<2>b"}, io.EOF},
		"counts":                   {"4 <1>a6 <2>b\nc4 <3>d", []string{"<1>a", "<2>b\nc", "<3>d"}, io.EOF},
		"counts and line ends":     {"4 <1>a\n<2>b\n4 <3>c\n", []string{"<1>a", "<2>b", "<3>c"}, io.EOF},
		"digits that are no count": {"12:34 up\n007 <1>x\n123 abc\n2026 Jan\n1\n", []string{"12:34 up", "007 <1>x", "123 abc", "2026 Jan", "1"}, io.EOF},
		"a long line":              {long + "\n<2>b\n", []string{long[:longest], "<2>b"}, io.EOF},
		"a long count":             {fmt.Sprintf("%d <%s4 <1>a", len(long)+1, long), []string{("<" + long)[:longest], "<1>a"}, io.EOF},
		"an impossible count":      {"9999999 <1>a", nil, errCount},
		"more digits than a count": {"99999999 <1>a\n", []string{"99999999 <1>a"}, io.EOF},
		"a count cut short":        {"10 <1>a", []string{"<1>a"}, io.ErrUnexpectedEOF},
		"a count and no more":      {"10 <", []string{"<"}, io.ErrUnexpectedEOF},
	} {
		f := frames{r: bufio.NewReaderSize(strings.NewReader(c.stream), 16)}
		var got []string
		var err error
		for err == nil {
			var m []byte
			if m, err = f.next(); len(m) > 0 {
				got = append(got, string(m))
			}
			if cap(f.text) > 2*longest {
				t.Errorf("%s: %d bytes are held", name, cap(f.text))
			}
		}
		if d := cmp.Diff(c.want, got); d != "" || err != c.err { //nolint:errorlint // these very ones
			t.Errorf("%s: %v %s", name, err, d)
		}
	}
}

func TestWhatOverflowsIsCountedAndNobodyWaits(t *testing.T) {
	t.Parallel()
	l, err := Open(t.Context(), Ears{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for range waiting + 7 {
		l.message(netip.Addr{}, []byte("<13>x"))
	}
	if n := l.Counts(); n.Heard != waiting || n.Overflow != 7 {
		t.Errorf("%+v", n)
	}
}

func TestWhoIsNotAdmittedIsNotLookedAt(t *testing.T) {
	t.Parallel()
	var asked []netip.Addr
	l := hear(t, Ears{UDP: local, Traps: local, Receiver: receiver(t), Admit: func(a netip.Addr) bool { asked = append(asked, a); return len(asked) > 2 }})
	c, err := net.Dial("udp", l.Addresses()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, m := range []string{"<13>one", "<13>two", "<13>three"} {
		if _, err := io.WriteString(c, m); err != nil {
			t.Fatal(err)
		}
	}
	if e := next(t, l); e.Text != "three" {
		t.Errorf("%+v", e)
	}
	if n := l.Counts(); n.Refused != 2 || asked[0] != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("%+v of %v", n, asked)
	}
}

func TestNobodyTakesAllConnections(t *testing.T) {
	t.Parallel()
	l := hear(t, Ears{TCP: local})
	at := l.Addresses()[0].String()
	ended := func(c net.Conn) bool {
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, err := c.Read(make([]byte, 1))
		return err != nil && !strings.Contains(err.Error(), "timeout")
	}
	var all []net.Conn
	dial := func() net.Conn {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	for range fromOne {
		c := dial()
		fmt.Fprint(c, "<13>here\n")
		next(t, l) // it was taken
		all = append(all, c)
	}
	if !ended(dial()) {
		t.Error("one more is taken")
	}
	all[0].Close()
	for range 100 { // until it is seen
		c := dial()
		fmt.Fprint(c, "<13>again\n")
		select {
		case <-l.Events():
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Error("a connection that ended still counts")
}

func TestAStrangersConnectionIsNotTaken(t *testing.T) {
	t.Parallel()
	l := hear(t, Ears{TCP: local, Known: func(a netip.Addr) bool { return a != netip.MustParseAddr("127.0.0.1") }})
	c, err := net.Dial("tcp", l.Addresses()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) || l.Counts().Closed != 1 {
		t.Errorf("%v, %+v", err, l.Counts())
	}
	if a := plain(netip.MustParseAddr("::ffff:127.0.0.1%eth0")); a != netip.MustParseAddr("127.0.0.1") {
		t.Error(a)
	}
}

func TestWhatIsNoNoticeIsAnsweredByNothing(t *testing.T) {
	t.Parallel()
	r := receiver(t)
	good := []byte("\x30\x27\x02\x01\x01\x04\x06second\xa7\x1a\x02\x01\x01\x02\x01\x00\x02\x01\x00\x30\x0f\x30\x0d\x06\x08\x2b\x06\x01\x02\x01\x01\x03\x00\x43\x01\x05")
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		bad := bytes.Clone(good)
		for range 1 + random.IntN(4) {
			bad[random.IntN(len(bad))] = byte(random.Uint32())
		}
		bad = bad[:random.IntN(len(bad)+1)]
		if _, answer, err := r.Read(bad); answer != nil && err != nil {
			t.Fatalf("%x: %v, answered %x", bad, err, answer)
		}
	}
	if _, answer, err := r.Read(nil); err == nil || answer != nil {
		t.Error(err)
	}
}

func TestPortsAreGivenBackAndTakenAnew(t *testing.T) {
	t.Parallel()
	e := Ears{UDP: local, TCP: local, Traps: local, Receiver: receiver(t), Now: time.Now}
	for range 3 {
		l, err := Open(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		a := l.Addresses()
		e.UDP, e.TCP, e.Traps = a[0].String(), a[1].String(), a[2].String()
		_, err = Open(t.Context(), Ears{TCP: e.TCP, Now: time.Now})
		if devices.KindOf(err) != devices.Usage || !strings.Contains(devices.HintOf(err), "another program") {
			t.Errorf("%v, hint %q", err, devices.HintOf(err))
		}
		c, err := net.Dial("tcp", e.TCP)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, "<13>a message\n<13>half a mess")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		next(t, l) // the connection stands
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		for range l.Events() { // it ends
		}
		c.Close()
	}
}

func TestUsersOfTrapsAreChecked(t *testing.T) {
	t.Parallel()
	engine := []byte("engine")
	user := snmp.Credentials{Version: "3", User: "a"}
	for name, c := range map[string]func() error{
		"engine":    func() error { _, err := snmp.NewReceiver(nil, nil, nil); return err },
		"community": func() error { _, err := snmp.NewReceiver([]devices.Secret{{}}, nil, engine); return err },
		"version": func() error {
			_, err := snmp.NewReceiver(nil, []snmp.Credentials{{Version: "2c", User: "a"}}, engine)
			return err
		},
		"twice":    func() error { _, err := snmp.NewReceiver(nil, []snmp.Credentials{user, user}, engine); return err },
		"nameless": func() error { _, err := snmp.NewReceiver(nil, []snmp.Credentials{{Version: "3"}}, engine); return err },
	} {
		if err := c(); devices.KindOf(err) != devices.Usage || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
