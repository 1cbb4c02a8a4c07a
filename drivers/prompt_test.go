package drivers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"belay/devices"
)

// TestADeviceThatIsRenamedWhileItIsReadIsReadToItsEnd: behind the configuration
// the prompt has another name.
func TestADeviceThatIsRenamedWhileItIsReadIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	box := acmeBoxOf(t, plainAcme, boxText("modes: {show running-config: \"another-9# \"}\n", ""))
	plain := acmeBoxOf(t, plainAcme, boxText("", ""))
	_, want := plain.kept(t)
	_, got := box.kept(t)
	if got["running.conf"] != want["running.conf"] || strings.Contains(got["running.conf"], "another-9") {
		t.Errorf("kept %q, want %q", got["running.conf"], want["running.conf"])
	}
}

// TestWhatStandsAboveThePromptBelongsToIt: some systems write two lines.
func TestWhatStandsAboveThePromptBelongsToIt(t *testing.T) {
	t.Parallel()
	two := swap(t, plainAcme, "prompt:", "above: '^\\[/[^\\]]*\\]$'\nprompt:")
	_, want := acmeBoxOf(t, plainAcme, boxText("", "")).kept(t)
	sheet := boxText("", "")
	at := strings.Index(sheet, "prompt: \"") + len("prompt: \"")
	_, got := acmeBoxOf(t, two, sheet[:at]+"\\n[/configure]\\n"+sheet[at:]).kept(t)
	if strings.TrimSpace(got["running.conf"]) != strings.TrimSpace(want["running.conf"]) {
		t.Errorf("kept %q, want %q", got["running.conf"], want["running.conf"])
	}
}

// TestAPromptMayTellTheTime: NetScalers' may be set to "user@host-time>".
func TestAPromptMayTellTheTime(t *testing.T) {
	t.Parallel()
	said := map[string]string{
		"show ns version":       "\tNetScaler NS13.0: Build 84.11.nc\n Done\n",
		"show ns runningConfig": "#NS13.0 Build 84.11\n# Last modified Fri Dec  31 12:00:01 2021\nset ns config -IPAddress 192.0.2.5 -netmask 255.255.255.0\nenable ns feature LB\n Done\n",
	}
	second := 0
	h := &hand{play: func(_ int, k *talk) {
		prompt := func() string { second++; return fmt.Sprintf("nsroot@adc-15:04:%02d> ", second%60) }
		k.say(prompt())
		for {
			line, ok := k.line()
			if !ok {
				return
			}
			text := said[line]
			if text == "" && line != "" {
				text = "ERROR: No such command\n"
			}
			k.say(line + "\r\n" + strings.ReplaceAll(text, "\n", "\r\n") + prompt())
		}
	}}
	p := h.puller(t)
	p.Idle = 3 * time.Second
	c, err := p.Pull(t.Context(), devices.Device{Customer: "acme", Name: "adc", Driver: "citrix_netscaler", Address: "192.0.2.5"})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(c.Files[0].Text); got != said["show ns runningConfig"] {
		t.Errorf("read %q", got)
	}
}
