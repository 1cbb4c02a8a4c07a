package drivers_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"belay/configs"
	"belay/devices"
)

// unprivileged is a device that answers enable in its own way, and shows a
// configuration without privileges: the part that the account may set, with the
// same end mark.
func unprivileged(enable string) *hand {
	return &hand{play: func(_ int, k *talk) {
		sw{
			prompt: func(string) string { return "sw1>" },
			say: func(k *talk, line, _ string) bool {
				if line != "enable" {
					return false
				}
				k.say("enable\r\n" + strings.ReplaceAll(enable, "\n", "\r\n") + "sw1>")
				return true
			},
		}.play(k)
	}}
}

// TestADeviceThatRefusesEnableIsNotReadWithoutPrivileges: what it would show may be
// a part, and nothing in it tells.
func TestADeviceThatRefusesEnableIsNotReadWithoutPrivileges(t *testing.T) {
	t.Parallel()
	for answer, says := range map[string]string{
		"                   ^\n% Invalid input detected at '^' marker.\n\n": `"enable" was refused ("% Invalid"), and no password was asked for`,
		"% Authorization failed.\n\n":                                       `"enable" was refused ("% Authorization failed"), and no password was asked for`,
		"Command authorization failed.\n":                                   `"enable" was refused ("Command authorization failed"), and no password was asked for`,
		"":                                                                  `"enable" did not lead to a privileged prompt, and no password was asked for`,
		"You may look, not touch.\n":                                        `"enable" did not lead to a privileged prompt, and no password was asked for`,
	} {
		h := unprivileged(answer)
		_, err := h.puller(t).Pull(t.Context(), handDevice)
		if devices.KindOf(err) != devices.Denied || !strings.Contains(fmt.Sprint(err), says) {
			t.Errorf("%q: %v; want %s", answer, err, says)
		}
		if hint := devices.HintOf(err); !strings.Contains(hint, "belay drivers show cisco_ios") || strings.Contains(hint, "enable secret") {
			t.Errorf("%q: hint %q", answer, hint)
		}
		for _, line := range h.typed() {
			if line != "" && line != "enable" {
				t.Errorf("%q: %q was typed", answer, line)
			}
		}
	}
}

// TestARefusedEnableKeepsNothing: through every check as well.
func TestARefusedEnableKeepsNothing(t *testing.T) {
	t.Parallel()
	h := unprivileged("% Invalid input detected at '^' marker.\n\n")
	b, r := backup(h.puller(t))
	res, texts := capture(t, b, r, handDevice)
	if res.Result == configs.Kept || len(texts) > 0 {
		t.Errorf("%s: %q", res.Result, texts)
	}
	if typed := h.typed(); slices.Contains(typed, "canary-enable") || slices.Contains(typed, "show running-config") {
		t.Errorf("typed %q", typed)
	}
}
