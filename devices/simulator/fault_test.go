package simulator

import (
	"bytes"
	"context"
	"errors"
	"io"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/devices"
)

func TestAFaultIsWrittenAndReadTheSameWay(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "reading=2,cut-line=12", "error=% Authorization failed.,segment=7", "lookalike=similar,split-after=$,pause=20ms",
		"empty,page-lines=20,echo-twice,ansi,noise,seed=18446744073709551615,wrong-box,bytes=200,tarpit,refuse,unreachable",
		"cut-byte=5,reset,close-channel,silence,after=9",
	} {
		f, err := ParseFault(s)
		if err != nil || f.String() != s {
			t.Errorf("%q became %q, %v", s, f, err)
		}
	}
	f, err := ParseFault(" error , lookalike")
	if err != nil || f.Error != "% Authorization failed." || f.Lookalike != "prompt" {
		t.Errorf("%+v, %v", f, err)
	}
	for _, s := range []string{"cut-lime=1", "cut-line=x", "cut-line=-1", "cut-line", "split-after", "pause=soon", "tarpit=perhaps"} {
		if f, err := ParseFault(s); err == nil {
			t.Errorf("%q became %+v", s, f)
		}
	}
}

// configured is the configuration as it is sent, with the ordered part of it.
func configured(d *Device, keep func(string) string) string {
	return config + "\r\n" + strings.ReplaceAll(keep(d.Configuration(config)), "\n", "\r\n") + d.T.Prompt
}

func TestAFaultSpoilsTheConfigurationAndNothingElse(t *testing.T) {
	t.Parallel()
	for fault, keep := range map[string]func(string) string{
		"cut-line=1":   func(s string) string { return "Building configuration...\n" },
		"cut-line=12":  func(s string) string { return strings.Join(strings.SplitAfter(s, "\n")[:12], "") },
		"cut-line=999": func(s string) string { return s },
		"cut-byte=40":  func(s string) string { return s[:40] + "\n" },
		"cut-byte=26":  func(s string) string { return s[:26] },
		"error":        func(s string) string { return "% Authorization failed.\n" },
		"error=Busy":   func(s string) string { return "Busy\n" },
		"empty":        func(s string) string { return "" },
		"lookalike": func(s string) string {
			return strings.Replace(s, "Ethernet0/4\n", "Ethernet0/4\nlab-sw-1#\n", 1)
		},
		"lookalike=similar": func(s string) string {
			return strings.Replace(s, "Ethernet0/4\n", "Ethernet0/4\nmbc-tx-2#\n", 1)
		},
	} {
		d := lab(t, fault)
		k := shellOf(t, d).privileged()
		k.typed(config + "\n")
		want := configured(d, keep)
		got := k.until(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", fault, diff)
		}
		if diff := cmp.Diff(said(d.T, "show version"), k.ask("show version")); diff != "" {
			t.Errorf("%s: another answer is spoiled too: %s", fault, diff)
		}
	}
}

func TestOneReadingAloneCanBeSpoiled(t *testing.T) {
	t.Parallel()
	d := lab(t, "cut-line=12,reading=2")
	k := shellOf(t, d).privileged()
	var sizes []int
	for range 3 {
		sizes = append(sizes, len(k.ask(config)))
	}
	if sizes[0] != sizes[2] || sizes[1] >= sizes[0] {
		t.Errorf("three readings of %v bytes: only the second is to be cut", sizes)
	}
}

func TestAnExactLookalikeEndsASegment(t *testing.T) {
	t.Parallel()
	d := lab(t, "lookalike")
	k := shellOf(t, d).privileged()
	k.typed(config + "\n")
	k.until("end\r\n\r\nlab-sw-1#")
	if n := len(k.segments); n != 4 || !strings.HasSuffix(k.segments[2], "Ethernet0/4\r\nlab-sw-1#") {
		t.Errorf("%d segments: %q", n, k.segments)
	}
}

func TestSegmentsHaveTheOrderedSize(t *testing.T) {
	t.Parallel()
	for _, size := range []string{"1", "7", "64", "536", "1460"} {
		d := lab(t, "segment="+size)
		k := shellOf(t, d).privileged()
		got := k.ask(config)
		if diff := cmp.Diff(said(d.T, config), got); diff != "" {
			t.Errorf("segment=%s: %s", size, diff)
		}
		for _, s := range k.segments {
			if len(s) > d.Fault.Segment {
				t.Errorf("segment=%s: one of %d bytes", size, len(s))
			}
		}
		if want := len(got) / d.Fault.Segment; len(k.segments) < want {
			t.Errorf("segment=%s: %d segments, at least %d expected", size, len(k.segments), want)
		}
	}
}

func TestASegmentEndsAfterAGivenByte(t *testing.T) {
	t.Parallel()
	d := lab(t, "split-after=$")
	k := shellOf(t, d).privileged()
	if diff := cmp.Diff(said(d.T, config), k.ask(config)); diff != "" {
		t.Error(diff)
	}
	ends := 0
	for _, s := range k.segments {
		if i := strings.IndexByte(s, '$'); i >= 0 && i < len(s)-1 {
			t.Errorf("a $ inside %q", s)
		}
		if strings.HasSuffix(s, "$") {
			ends++
		}
	}
	if ends != 3 {
		t.Errorf("%d segments end in $, want 3", ends)
	}
}

func TestAPagerLeftInAsksEverySoManyLines(t *testing.T) {
	t.Parallel()
	d := lab(t, "page-lines=10")
	k := shellOf(t, d).privileged()
	k.typed(config + "\n")
	text, pages := "", 0
	for {
		text += k.until(" --More-- ", "\nlab-sw-1#")
		if strings.HasSuffix(text, "#") {
			break
		}
		pages++
		k.typed(" ")
	}
	if pages != 4 {
		t.Errorf("it asked %d times", pages)
	}
	if diff := cmp.Diff(said(d.T, config), strings.ReplaceAll(text, " --More-- \r          \r", "")); diff != "" {
		t.Error(diff)
	}
}

var sequence = regexp.MustCompile(`\x1b(\[[0-9;?]*[A-Za-z]|[=>])`)

var lineStart = regexp.MustCompile(`\n\r([^\r\n])`)

func TestNoiseAndRedrawsChangeTheBytesAndNotTheText(t *testing.T) {
	t.Parallel()
	for fault, clean := range map[string]func(string) string{
		"noise,seed=7": func(s string) string {
			return strings.ReplaceAll(strings.ReplaceAll(s, "\x00", ""), "\r\r\n", "\r\n")
		},
		"echo-twice": func(s string) string { return strings.Replace(s, config+"\r\n", "", 1) },
		"ansi": func(s string) string {
			s = sequence.ReplaceAllString(s, "")
			s = strings.Replace(s, config+"\rlab-sw-1#"+config, config, 1)
			return lineStart.ReplaceAllString(s, "\n$1")
		},
	} {
		read := func() (string, string) {
			d := lab(t, fault)
			k := shellOf(t, d)
			k.typed("enable\rcanary-enable-switch\r" + config + "\rexit\r")
			text, err := k.rest()
			if err != nil {
				t.Fatalf("%s: %v", fault, err)
			}
			_, text, _ = strings.Cut(clean(text), "lab-sw-1#")
			return text, said(d.T, config) + "exit\r\n"
		}
		got, want := read()
		if fault == "noise,seed=7" {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", fault, diff)
			}
		} else if !strings.Contains(got, strings.TrimSuffix(want[len(config):], "lab-sw-1#exit\r\n")) {
			t.Errorf("%s: the text is changed: %q", fault, got)
		}
		if again, _ := read(); again != got {
			t.Errorf("%s: two runs differ", fault)
		}
	}
	k := shellOf(t, lab(t, "noise"))
	k.typed("enable\rcanary-enable-switch\r" + config + "\rexit\r")
	if raw, _ := k.rest(); !strings.Contains(raw, "\x00") || !strings.Contains(raw, "\r\r") {
		t.Error("there is no noise")
	}
	k = shellOf(t, lab(t, "ansi"))
	k.typed("show version\rexit\r")
	if raw, _ := k.rest(); !strings.Contains(raw, "\r\x1b[Klab-sw-1>show version\x1b[22G") || !strings.Contains(raw, "\x1b[1;32mlab-sw-1>\x1b[0m") {
		t.Errorf("nothing is redrawn: %q", raw)
	}
}

func TestAConnectionEndsInTheMiddleAsOrdered(t *testing.T) {
	t.Parallel()
	for fault, want := range map[string]error{"reset": syscall.ECONNRESET, "close-channel": nil} {
		d := lab(t, fault)
		k := shellOf(t, d).privileged()
		k.typed(config + "\n")
		text, err := k.rest()
		half := d.Configuration(config)
		half = strings.ReplaceAll(half[:len(half)/2], "\n", "\r\n")
		if !strings.HasSuffix(text, half) || !errors.Is(err, want) {
			t.Errorf("%s: %v after %q", fault, err, text)
		}
	}
	d := &Device{T: transcript(t, "router.txtar"), Fault: Fault{Reset: true, After: 100}}
	c := d.Conn()
	defer c.Close()
	var out bytes.Buffer
	if _, err := c.Run(t.Context(), "/export", &out); !errors.Is(err, syscall.ECONNRESET) || out.Len() != 100 {
		t.Errorf("reset of a command: %v after %d bytes", err, out.Len())
	}
	if _, err := c.Run(t.Context(), "/export", &out); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the connection works after its reset: %v", err)
	}
	d.Order(Fault{CloseChannel: true})
	c = d.Conn()
	defer c.Close()
	if status, err := c.Run(t.Context(), "/export", io.Discard); status != -1 || err != nil {
		t.Errorf("a channel closed in the middle: status %d, %v", status, err)
	}
}

func TestSilenceLastsUntilTheClientGivesUp(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"silence", "tarpit"} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			c := lab(t, fault).Conn()
			defer c.Close()
			rw, err := c.Shell(ctx, devices.Terminal{})
			if err != nil {
				t.Fatal(err)
			}
			k := &talk{t: t, rw: rw}
			k.typed("enable\rcanary-enable-switch\r" + config + "\r")
			start := time.Now()
			text, err := k.rest()
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Hour {
				t.Errorf("%s: %v after %v", fault, err, time.Since(start))
			}
			if said := text != ""; said != (fault == "silence") {
				t.Errorf("%s: it said %q", fault, text)
			}
		})
	}
}

func TestASlowLineKeepsItsSpeed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := lab(t, "bytes=100")
		d.Latency = 5 * time.Second
		c := d.Conn()
		defer c.Close()
		rw, err := c.Shell(t.Context(), devices.Terminal{})
		if err != nil {
			t.Fatal(err)
		}
		k := &talk{t: t, rw: rw}
		start := time.Now()
		k.typed("show version\rexit\r")
		text, err := k.rest()
		want := time.Duration(len(text))*10*time.Millisecond + 2*d.Latency
		if got := time.Since(start); err != nil || got != want {
			t.Errorf("%d bytes took %v, want %v (%v)", len(text), got, want, err)
		}
	})
}

func TestTheWrongBoxNamesItselfEverywhere(t *testing.T) {
	t.Parallel()
	d := lab(t, "wrong-box")
	k := shellOf(t, d)
	k.typed("enable\rcanary-enable-switch\rshow version\rshow inventory\r " + config + "\rexit\r")
	text, err := k.rest()
	if err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"lab-sw-1", "LAB0001X0AB", "LAB0001X0AC"} {
		if strings.Contains(text, gone) {
			t.Errorf("%s is still there", gone)
		}
	}
	for _, there := range []string{"mbc-tx-2>", "mbc-tx-2#", "hostname mbc-tx-2\r\n", "Serial MBC1112Y1BC\r\n", "canary-hash-switch"} {
		if !strings.Contains(text, there) {
			t.Errorf("%s is not there", there)
		}
	}
}

func TestADeviceThatLetsNobodyIn(t *testing.T) {
	t.Parallel()
	for fault, kind := range map[string]devices.Kind{"refuse": devices.Denied, "unreachable": devices.Unreachable} {
		d := lab(t, fault)
		_, err := d.Conn().Shell(t.Context(), devices.Terminal{})
		if err == nil || devices.KindOf(err) != kind {
			t.Errorf("%s: %v", fault, err)
		}
		if s := d.Seen(); s.Logins != 0 || s.Refused != map[string]int{"refuse": 1}[fault] {
			t.Errorf("%s: counted %+v", fault, s)
		}
	}
}
