package drivers_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"belay/configs"
	"belay/devices"
	"belay/drivers"
)

const logMessage = "*Mar  1 00:12:34.567: %SYS-5-CONFIG_I: Configured from console by vty0 (192.0.2.9)\n"

// TestOddDevicesAreReadWhole: each of them does something that devices do.
func TestOddDevicesAreReadWhole(t *testing.T) {
	t.Parallel()
	config := func(line string) bool { return line == "show running-config" }
	for name, s := range map[string]sw{
		"plain":                    {},
		"echoes nothing":           {echo: func(string) string { return "" }},
		"echoes line ends only":    {echo: func(string) string { return "\n" }},
		"shows two prompts":        {prompt: func(line string) string { return map[bool]string{true: "sw1#\r\nsw1#", false: "sw1#"}[line == ""] }},
		"shows every prompt twice": {prompt: func(string) string { return "sw1#\r\nsw1#" }},
		"colors its prompt":        {prompt: func(string) string { return "\x1b[1msw1#\x1b[0m\x1b[K" }},
		"greets like a prompt":     {greeting: "Welcome to sw9#\nRouters only> \nsw1#\n"},
		"message behind the prompt of an answer": {prompt: func(line string) string {
			if line == "show version" {
				return "sw1#\r\n" + logMessage + "sw1#"
			}
			return "sw1#"
		}},
		"message after the prompt": {say: func(k *talk, line, text string) bool {
			if line != "show version" && line != "terminal length 0" {
				return false
			}
			k.say(text + "sw1#")
			time.Sleep(20 * time.Millisecond)
			k.say("\r\n" + strings.TrimSpace(logMessage) + "\r\nsw1#")
			return true
		}},
		"prompt late": {say: func(k *talk, line, text string) bool {
			k.say(text)
			time.Sleep(60 * time.Millisecond)
			k.say("sw")
			time.Sleep(60 * time.Millisecond)
			k.say("1#")
			return true
		}},
		"pager in pieces": {say: func(k *talk, line, text string) bool {
			if !config(line) {
				return false
			}
			half := len(text) / 2
			for _, part := range []string{text[:strings.LastIndex(text[:half], "\n")+1], " --Mo", "re--", " "} {
				k.say(part)
				time.Sleep(10 * time.Millisecond)
			}
			if c, ok := k.key(); !ok || c != ' ' {
				return true
			}
			k.say("\b\b\b\b\b\b\b\b\b        \b\b\b\b\b\b\b\b\b" + text[strings.LastIndex(text[:half], "\n")+1:] + "sw1#")
			return true
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &hand{play: func(_ int, k *talk) { s.play(k) }}
			h.kept(t)
		})
	}
}

// TestEnterTypedBeforeTheFirstPromptLeavesNothingBehind: a shell that takes long
// to start answers every Enter that was pressed meanwhile, when it is there.
func TestEnterTypedBeforeTheFirstPromptLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	h := &hand{play: func(_ int, k *talk) {
		time.Sleep(6500 * time.Millisecond)
		sw{say: func(k *talk, line, text string) bool {
			if line != "" {
				return false
			}
			time.Sleep(150 * time.Millisecond)
			k.say(text + "sw1#")
			return true
		}}.play(k)
	}}
	b, r := backup(func() *drivers.Puller { p := h.puller(t); p.Idle = 20 * time.Second; return p }())
	res, texts := capture(t, b, r, handDevice)
	if res.Result != configs.Kept || texts[configs.MainFile] != handKept || len(res.Warnings) > 0 {
		t.Errorf("%s %s %q: %q\ntyped %q", res.Result, res.Error, res.Warnings, texts[configs.MainFile], h.typed())
	}
	if len(res.Identity.Serials) != 1 {
		t.Errorf("serial numbers %q", res.Identity.Serials)
	}
}

// TestAMessageBehindTheConfigurationIsNotKept: without another prompt.
func TestAMessageBehindTheConfigurationIsNotKept(t *testing.T) {
	t.Parallel()
	var readings atomic.Int32
	h := &hand{play: func(_ int, k *talk) {
		sw{say: func(k *talk, line, text string) bool {
			if line != "show running-config" || readings.Add(1) > 1 {
				return false
			}
			k.say(text + "sw1#\r\n" + strings.TrimSpace(logMessage) + "\r\n")
			return true
		}}.play(k)
	}}
	b, r := backup(func() *drivers.Puller { p := h.puller(t); p.Idle = 10 * time.Second; return p }())
	res, texts := capture(t, b, r, handDevice)
	if res.Result != configs.Kept || texts[configs.MainFile] != handKept {
		t.Errorf("%s %s: %q", res.Result, res.Error, texts[configs.MainFile])
	}
}

// TestAMessageWithinTheConfigurationIsNotKept: it must read the same twice.
func TestAMessageWithinTheConfigurationIsNotKept(t *testing.T) {
	t.Parallel()
	var readings atomic.Int32
	h := &hand{play: func(_ int, k *talk) {
		sw{answer: func(line, text string) string {
			if line == "show running-config" && readings.Add(1) == 1 {
				return strings.Replace(text, "interface Vl", "interface Vl\n"+logMessage, 1)
			}
			return text
		}}.play(k)
	}}
	h.kept(t)
	if readings.Load() != 2 {
		t.Errorf("%d readings", readings.Load())
	}
}

func TestBytesThatAreNoUTF8AreKept(t *testing.T) {
	t.Parallel()
	h := &hand{play: func(_ int, k *talk) {
		sw{answer: func(_, text string) string {
			return strings.Replace(text, "interface Vlan1\n", "interface Vlan1\n description caf\xe9 \xff\xfe 東京 ｗｉｄｅ#\n", 1)
		}}.play(k)
	}}
	b, r := backup(h.puller(t))
	res, texts := capture(t, b, r, handDevice)
	if want := " description caf\xe9 \xff\xfe 東京 ｗｉｄｅ#\n"; !strings.Contains(texts[configs.MainFile], want) {
		t.Errorf("%s %s: %q", res.Result, res.Error, texts[configs.MainFile])
	}
}

// TestAPromptThatChangesIsNotKeptInTheText: a failover renames the box.
func TestAPromptThatChangesIsNotKeptInTheText(t *testing.T) {
	t.Parallel()
	h := &hand{play: func(_ int, k *talk) {
		sw{prompt: func(line string) string {
			if line == "(greeting)" || line == "terminal length 0" || line == "show version" {
				return "sw1#"
			}
			return "sw1-standby#"
		}}.play(k)
	}}
	p := h.puller(t)
	p.Idle = 300 * time.Millisecond
	if c, err := p.Pull(t.Context(), handDevice); err == nil && strings.Contains(string(c.Files[0].Text), "standby") {
		t.Errorf("read %q", c.Files[0].Text)
	} else if err != nil && devices.KindOf(err) != devices.Unreachable {
		t.Error(err)
	}
}

func TestAWrongEnableSecretCostsOneAttemptAndIsDenied(t *testing.T) {
	t.Parallel()
	attempts := make(chan string, 16)
	for name, again := range map[string]int{"asks again": 3, "goes back to the prompt": 1, "hangs up": 0} {
		h := &hand{play: func(_ int, k *talk) {
			k.say("sw1>")
			for {
				line, ok := k.line()
				switch {
				case !ok:
					return
				case line != "enable":
					k.say(line + "\r\nsw1>")
					continue
				}
				k.say("enable\r\nPassword: ")
				for range max(1, again) {
					secret, ok := k.line()
					if ok {
						attempts <- secret
					}
					if !ok || again == 0 {
						return
					}
					k.say("\r\nPassword: "[:2+10*min(1, again-1)])
				}
				k.say("% Access denied\r\n\r\nsw1>")
			}
		}}
		_, err := h.puller(t).Pull(t.Context(), handDevice)
		if devices.KindOf(err) != devices.Denied || !strings.Contains(devices.HintOf(err), "enable secret") {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(fmt.Sprintf("%+v", err), "canary") {
			t.Errorf("%s: the error shows the secret: %v", name, err)
		}
		h.wait.Wait()
		if n := len(attempts); n != 1 {
			t.Errorf("%s: %d attempts", name, n)
		}
		for len(attempts) > 0 {
			if secret := <-attempts; secret != "canary-enable" {
				t.Errorf("%s: %q was typed as a password", name, secret)
			}
		}
	}
}

func TestAnEnableSecretOfTwoLinesIsNotTyped(t *testing.T) {
	t.Parallel()
	h := &hand{play: func(_ int, k *talk) { sw{prompt: func(string) string { return "sw1>" }}.play(k) }}
	p := h.puller(t)
	dial := p.Dial
	p.Dial = func(ctx context.Context, d devices.Device, with *drivers.Driver) (drivers.Conn, devices.Login, error) {
		c, l, err := dial(ctx, d, with)
		l.Enable = devices.NewSecret("canary\nreload")
		return c, l, err
	}
	_, err := p.Pull(t.Context(), handDevice)
	if devices.KindOf(err) != devices.Usage || strings.Contains(err.Error(), "canary") {
		t.Error(err)
	}
	if slices.Contains(h.typed(), "reload") {
		t.Error("reload was typed")
	}
}

// TestAFactThatGoesUnansweredIsAWarning: the next session goes without it.
func TestAFactThatGoesUnansweredIsAWarning(t *testing.T) {
	t.Parallel()
	h := &hand{play: func(_ int, k *talk) {
		sw{say: func(k *talk, line, text string) bool { return line == "show version" }}.play(k)
	}}
	b, r := backup(func() *drivers.Puller { p := h.puller(t); p.Idle = 3 * time.Second; return p }()) // all else is answered in time
	res, texts := capture(t, b, r, handDevice)
	if res.Result != configs.Kept || texts[configs.MainFile] != handKept {
		t.Errorf("%s %s: %q", res.Result, res.Error, texts[configs.MainFile])
	}
	if len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], `"show version" went unanswered`) {
		t.Errorf("warnings %q", res.Warnings)
	}
}

// TestADeviceThatGivesNoRestIsGivenUp: each of these would go on for ever.
func TestADeviceThatGivesNoRestIsGivenUp(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for name, play := range map[string]func(k *talk){
		"says nothing": func(k *talk) { <-k.quit },
		"never the same prompt": func(k *talk) {
			n := 0
			sw{prompt: func(string) string {
				n++
				return "sw1(" + strings.Repeat("x", n) + ")#"
			}}.play(k)
		},
		"drips": func(k *talk) {
			for {
				select {
				case <-k.quit:
					return
				case <-time.After(20 * time.Millisecond):
					k.say(".")
				}
			}
		},
	} {
		h := &hand{play: func(_ int, k *talk) { play(k) }}
		p := h.puller(t)
		p.Idle, p.Most = 300*time.Millisecond, 2*time.Second
		began := time.Now()
		_, err := p.Pull(t.Context(), handDevice)
		if devices.KindOf(err) != devices.Unreachable {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
		h.wait.Wait()
	}
}

func TestAGateThatNeverOpensIsGivenUp(t *testing.T) {
	t.Parallel()
	h := &hand{play: func(_ int, k *talk) {
		for {
			k.say("\r\nPress any key to continue")
			if _, ok := k.key(); !ok {
				return
			}
		}
	}}
	dev := handDevice
	dev.Driver = "aruba_aoss"
	if _, err := h.puller(t).Pull(t.Context(), dev); err == nil || !strings.Contains(err.Error(), "questions in a row") {
		t.Error(err)
	}
}

// TestALongAnswerWithoutLineEndsTakesLittleTime: nothing looks at all of it
// again with each piece.
func TestALongAnswerWithoutLineEndsTakesLittleTime(t *testing.T) {
	if raced {
		t.Skip("it measures, which the race detector makes pointless")
	}
	part := strings.Repeat("x", 4096)
	h := &hand{play: func(_ int, k *talk) {
		sw{say: func(k *talk, line, text string) bool {
			if line != "show running-config" {
				return false
			}
			for range 20 << 20 / len(part) {
				k.say(part)
			}
			return true
		}}.play(k)
	}}
	p := h.puller(t)
	began := processor()
	if _, err := p.Pull(t.Context(), handDevice); err == nil {
		t.Error("there was no prompt")
	}
	if took := processor() - began; took > 6*time.Second {
		t.Errorf("took %v of processor", took)
	} else {
		t.Logf("took %v of processor", took)
	}
}
