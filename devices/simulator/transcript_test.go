package simulator

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestATranscriptIsDecoded(t *testing.T) {
	t.Parallel()
	tr := transcript(t, "switch.txtar")
	want := Answer{
		"\x1b[1mNAME: \"1\"\x1b[m\nSN: LAB0001X0AB\n--More--",
		strings.Repeat("\b", 8) + "        " + strings.Repeat("\b", 8) + "SN: LAB0001X0AC\n-- not a section --\nno line end",
	}
	if diff := cmp.Diff(want, tr.Answers["show inventory"]); diff != "" {
		t.Error(diff)
	}
	if tr.Facts.Version != "15.20" {
		t.Errorf("version %q: YAML has made a number of it", tr.Facts.Version)
	}
	if diff := cmp.Diff([]string{config}, tr.Configurations()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"canary-hash-switch", "canary-login-switch"}, tr.Gone); diff != "" {
		t.Error(diff)
	}
	if !strings.HasSuffix(tr.Kept["running.conf"], "\nend\n") || tr.Again[config] == nil || tr.More.Erase != "\r          \r" {
		t.Errorf("kept, again or more is wrong: %+v", tr)
	}
	if router := transcript(t, "router.txtar"); !router.HasExec() || router.Again["/export"] == nil {
		t.Error("the router has no exec channel, or its second export is lost")
	}
}

func TestFormatGivesAnUnchangedTranscriptBackByteForByte(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"switch.txtar", "router.txtar"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(data), string(transcript(t, name).Format())); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestFormatWritesOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	tr := transcript(t, "switch.txtar")
	before := string(tr.Format())
	tr.Kept["running.conf"] = "hostname x\nend\n"
	tr.Kept["vlan.dat"] = "no line end"
	after := string(tr.Format())
	if !strings.Contains(after, "# A comment that must survive") {
		t.Error("the comment in device.yaml is gone")
	}
	if strings.Contains(after, "interface GigabitEthernet0/8\n description port 8\n switchport mode access\n!\nline vty 0 4\n transport input ssh\n!\nend\n-- gone") {
		t.Error("the kept text is still the old one")
	}
	for _, want := range []string{"-- kept/running.conf --\nhostname x\nend\n-- gone --", "-- kept/vlan.dat --\nno line end␄\n"} {
		if !strings.Contains(after, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if before == after {
		t.Error("nothing changed")
	}
}

func TestATranscriptMadeByHandSurvivesFormatAndParse(t *testing.T) {
	t.Parallel()
	tr := transcript(t, "switch.txtar")
	tr.source = nil
	tr.Prompt, tr.Newline = "\x1b[32mlab 1# ", "\r\r\n"
	then := "\x1b[2J"
	tr.Gates[0].Then = &then
	tr.Answers["odd"] = Answer{"", "\x00\x07\x7f\ttab\n", ""}
	tr.Answers["empty"] = Answer{""}
	tr.Answers["latin"] = Answer{"caf\xe9 é\n"}
	got, err := Parse(tr.Name, tr.Format())
	if err != nil {
		t.Fatalf("%v in\n%s", err, tr.Format())
	}
	if diff := cmp.Diff(tr, got, cmpopts.IgnoreUnexported(Transcript{})); diff != "" {
		t.Error(diff)
	}
}

func TestABadTranscriptIsRefusedWithFileAndSection(t *testing.T) {
	t.Parallel()
	sheet := "-- device.yaml --\ndriver: x\nlogin: {user: u, password: canary-in-sheet}\nprompt: \"x#\"\n"
	for what, c := range map[string]struct{ text, want string }{
		"no sheet":            {"-- show version --\nx\n", "bad.txtar: device.yaml: is missing"},
		"an unknown key":      {sheet + "promt: x\n", "bad.txtar: device.yaml: [4:1]"},
		"a section twice":     {sheet + "-- a --\n-- a --\n", "bad.txtar: a: stands there twice"},
		"an early end mark":   {sheet + "-- a --\nx␄\ny\n", "bad.txtar: a: ␄ stands before the end"},
		"a wait in kept text": {sheet + "-- kept/a --\nx␅y\n", "bad.txtar: kept/a: "},
		"again without first": {sheet + "-- again/a --\nx\n", "bad.txtar: again/a: there is no first"},
		"no driver":           {"-- device.yaml --\nprompt: x\n", "bad.txtar: device.yaml: driver is missing"},
		"a bad echo":          {sheet + "echo: loud\n", `echo is char, line or none, not "loud"`},
		"no way to enable":    {sheet + "user_prompt: x\n", "no way to the prompt"},
		"no such config":      {sheet + "config: [show run]\n", `there is no answer to "show run"`},
		"a bad OID":           {sheet + "snmp: {sysName.0: x}\n", "no object identifier"},
		"bad ticks":           {sheet + "snmp: {.1.3.6.1: \"TimeTicks: long\"}\n", "snmp: .1.3.6.1"},
	} {
		_, err := Parse("bad.txtar", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the error shows a secret: %v", what, err)
		}
	}
}
