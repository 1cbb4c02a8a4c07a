package drivers_test

import (
	"strings"
	"testing"
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
