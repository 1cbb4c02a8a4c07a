package drivers_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/devices"
	"belay/drivers"
)

// withSteps is the made-up driver with more steps behind its own.
func withSteps(t *testing.T, steps ...string) string {
	t.Helper()
	last := "  - {run: show running-config, keep: running.conf}\n"
	return swap(t, plainAcme, last, last+"  - "+strings.Join(steps, "\n  - ")+"\n")
}

func TestAStepIsTakenOnlyWhereItHasAPlace(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		step, sections string
		also           []string
		texts          []string // beside the main one
		missing        []string
		grade          configs.Level
	}{
		"optional and there":       {step: "{run: show vlan, keep: vlans.txt, optional: true, missing: VLANs}", sections: "-- show vlan --\n1 default\n", texts: []string{"vlans.txt"}, grade: configs.Restore},
		"optional and unknown":     {step: "{run: show vlan, keep: vlans.txt, optional: true}", grade: configs.Restore},
		"optional and lacking":     {step: "{run: show vlan, keep: vlans.txt, optional: true, missing: VLANs}", missing: []string{"VLANs"}, grade: configs.Partial},
		"when it matches":          {step: "{run: show vlan, keep: vlans.txt, when: '^context red$'}", sections: "-- show vlan --\n1 default\n", texts: []string{"vlans.txt"}, grade: configs.Restore},
		"when it does not":         {step: "{run: show vlan, keep: vlans.txt, when: '^context green$'}", sections: "-- show vlan --\n1 default\n", grade: configs.Restore},
		"also, and given":          {step: "{run: show startup-config, keep: startup.conf, also: startup}", sections: "-- show startup-config --\nold\n", also: []string{"startup"}, texts: []string{"startup.conf"}, grade: configs.Restore},
		"also, and not given":      {step: "{run: show startup-config, keep: startup.conf, also: startup, missing: that}", sections: "-- show startup-config --\nold\n", also: []string{"telnet"}, missing: []string{"that"}, grade: configs.Partial},
		"names that nobody tells":  {step: "{run: show contexts, each: '^(\\S+) on$', pull: [{run: 'show context {each}', keep: 'context-{each}.conf'}]}", missing: []string{`what belongs to the names that "show contexts" lists: it was refused, or went unanswered`}, grade: configs.Partial},
		"names that are none":      {step: "{run: show contexts, each: '^(\\S+) on$', pull: [{run: 'show context {each}', keep: 'context-{each}.conf'}]}", sections: "-- show contexts --\nnone\n", grade: configs.Restore},
		"facts that are asked for": {step: "{run: show inventory, facts: true, optional: true}", grade: configs.Restore},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box := acmeBoxOf(t, withSteps(t, c.step), boxText("", c.sections))
			res, texts := box.kept(t, c.also...)
			delete(texts, configs.MainFile)
			var names []string
			for n := range texts {
				names = append(names, n)
			}
			if !slices.Equal(names, c.texts) || !slices.Equal(res.Missing, c.missing) || res.Grade != c.grade || len(res.Warnings) > 0 {
				t.Errorf("texts %v, missing %v, grade %s, warnings %v", names, res.Missing, res.Grade, res.Warnings)
			}
			wanted := len(c.texts) > 0 || strings.Contains(c.step, "optional") || strings.Contains(c.step, "each")
			command := strings.TrimPrefix(strings.Split(c.step, ",")[0], "{run: ")
			if strings.Contains(box.typed(), command) != wanted {
				t.Errorf("typed %q", box.typed())
			}
		})
	}
}

func TestAFurtherTextIsHeldToItsOwnEnd(t *testing.T) {
	t.Parallel()
	step := `{run: show vlan, keep: vlans.txt, complete: {ends: '^done$', sections: ['^1 ']}}`
	for text, want := range map[string]configs.Outcome{"1 default\ndone\n": configs.Kept, "1 default\n": configs.Refused, "2 x\ndone\n": configs.Refused, "% Invalid\n": configs.Refused} {
		box := acmeBoxOf(t, withSteps(t, step), boxText("", "-- show vlan --\n"+text))
		if res, texts := box.capture(t); res.Result != want || want == configs.Refused && len(texts) > 0 {
			t.Errorf("%q: %s %s", text, res.Result, res.Error)
		}
	}
}

const contexts = `run: show running-config
    keep: running.conf
    each: '^context (\S+)$'
    pull:
      - {run: 'changeto context {each}', moves: true}
      - {run: show running-config, keep: 'context-{each}.conf', complete: {ends: '^end$'}}
      - {run: changeto system, moves: true}
  - {run: show clock, optional: true}`

func withContexts(t *testing.T) string {
	t.Helper()
	return swap(t, plainAcme, "{run: show running-config, keep: running.conf}", contexts)
}

const contextBox = `-- fw/red# show running-config --
version 1.2
hostname red
password canary-red
end
-- fw/blue# show running-config --
version 1.2
hostname blue
end
`

const contextModes = "modes: {changeto context red: 'fw/red# ', changeto context blue: 'fw/blue# ', changeto system: 'fw# '}\n"

func TestEachContextIsReadAtItsOwnPrompt(t *testing.T) {
	t.Parallel()
	box := acmeBoxOf(t, withContexts(t), boxText(contextModes, contextBox))
	res, texts := box.kept(t)
	want := []string{"show version", "show running-config", "changeto context red", "show running-config", "changeto system",
		"changeto context blue", "show running-config", "changeto system", "show clock"}
	if diff := cmp.Diff(want, slices.DeleteFunc(box.d.Seen().Commands, func(c string) bool { return c == "exit" })); diff != "" {
		t.Error(diff)
	}
	if len(texts) != 3 || !strings.Contains(texts["context-red.conf"], "hostname red\npassword <redacted") || !strings.Contains(texts["context-blue.conf"], "hostname blue\nend") {
		t.Errorf("%q", texts)
	}
	if res.Identity.Hostname != "fw" || len(res.Identity.Serials) != 1 {
		t.Errorf("it took a context's name: %+v", res.Identity)
	}
}

func TestWhatIsNotMovedToIsNotKept(t *testing.T) {
	t.Parallel()
	for name, sections := range map[string]string{
		"refused":   "-- changeto context blue --\n% no such context\n" + contextBox,
		"cut short": strings.Replace(contextBox, "hostname blue\nend\n", "hostname blue\n", 1),
		"empty":     strings.Replace(contextBox, "version 1.2\nhostname blue\nend\n", "", 1),
	} {
		box := acmeBoxOf(t, withContexts(t), boxText(contextModes, sections))
		res, texts := box.capture(t)
		if res.Result != configs.Refused || len(texts) > 0 {
			t.Errorf("%s: %s %s", name, res.Result, res.Error)
		}
		if name == "refused" && box.d.Seen().Connections != 1 {
			t.Errorf("asked %d times", box.d.Seen().Connections)
		}
	}
	// Where it may be refused, the rest of that context alone is left out.
	driver := swap(t, withContexts(t), "{run: 'changeto context {each}', moves: true}", "{run: 'changeto context {each}', moves: true, optional: true, missing: a context}")
	box := acmeBoxOf(t, driver, boxText(contextModes, "-- changeto context red --\n% no such context\n"+contextBox))
	box.p.Modes["changeto context red"] = "fw# "
	res, texts := box.kept(t)
	if len(texts) != 2 || !slices.Equal(res.Missing, []string{"a context"}) || strings.Count(box.typed(), "show running-config") != 2 {
		t.Errorf("%v %v %q", texts, res.Missing, box.typed())
	}
}

// TestANameIsNeverTypedThatCouldDoMore: what a device calls its contexts is its
// own affair; what is typed is ours.
func TestANameIsNeverTypedThatCouldDoMore(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"red;reload", "-x", "red|include", "../red", "../../x", "red.lock", "$(x)", "ünder", strings.Repeat("a", 101), "tech-support"} {
		text := strings.Replace(boxText(contextModes, contextBox), "context red\n", "context "+name+"\n", 1)
		driver := withContexts(t)
		if name == "tech-support" {
			driver = swap(t, driver, "'changeto context {each}', moves: true", "'show {each}'")
			text = strings.Replace(text, "context blue\n", "", 1)
		}
		box := acmeBoxOf(t, driver, text)
		res, texts := box.kept(t)
		if strings.Contains(box.typed(), name) || len(res.Missing) != 1 || strings.Contains(res.Missing[0], name) {
			t.Errorf("%q: typed %q, missing %q", name, box.typed(), res.Missing)
		}
		if name != "tech-support" && (len(texts) != 2 || texts["context-blue.conf"] == "") {
			t.Errorf("%q: %q", name, texts)
		}
	}
}

// TestANameIsNeverThatOfASealedOriginal: those stand in the same folder.
func TestANameIsNeverThatOfASealedOriginal(t *testing.T) {
	t.Parallel()
	driver := withSteps(t, `{each: '^context (\S+)$', pull: [{run: 'show context {each}', keep: 'context-{each}'}]}`)
	text := strings.Replace(boxText("", "-- show context blue.age --\nmine\n-- show context red --\nred\n"), "context blue\n", "context blue.age\n", 1)
	box := acmeBoxOf(t, driver, text)
	if res, texts := box.kept(t); len(res.Missing) != 1 || len(texts) != 2 || texts["context-red"] == "" || strings.Contains(box.typed(), "blue") {
		t.Errorf("typed %q, missing %q, kept %v", box.typed(), res.Missing, texts)
	}
}

func TestStepsThatCannotBeRightDoNotLoad(t *testing.T) {
	t.Parallel()
	for want, step := range map[string]string{
		"pull[2].when: \"x*\" matches nothing":      `{run: show x, when: 'x*'}`,
		"also: \"telnet\" is neither":               `{run: show x, keep: x.txt, also: telnet}`,
		"missing: the step is always taken":         `{run: show x, keep: x.txt, missing: much}`,
		"complete: is for further texts":            `{run: show x, complete: {agree: 2}}`,
		"complete.balance: no such structure":       `{run: show x, keep: x.txt, complete: {balance: y}}`,
		"each and pull go together":                 `{run: show x, each: '^(x)$'}`,
		"each: wants one group":                     `{run: show x, each: '^x$', pull: [{run: 'show {each}'}]}`,
		"each: stands within another one":           `{run: show x, each: '^(x)$', pull: [{run: show y, each: '^(y)$', pull: [{run: show z}]}]}`,
		"is not one of the reading commands":        `{run: show x, each: '^(x)$', pull: [{run: 'copy {each}'}]}`,
		"wants a word before {each}":                `{run: show x, each: '^(x)$', pull: [{run: 'show {each}', keep: '{each}.conf'}]}`,
		"\"context.conf\" wants a word":             `{run: show x, each: '^(x)$', pull: [{run: 'show {each}', keep: context.conf}]}`,
		"could write":                               `{run: show x, each: '^(x)$', pull: [{run: 'show {each}; reload'}]}`,
		"\"snapshot.json\" is no file name":         `{run: show x, keep: snapshot.json}`,
		"\"x.age\" is no file name":                 `{run: show x, keep: x.age}`,
		"pull[2].keep: \"running.conf\" is no file": `{run: show x, keep: running.conf}`,
	} {
		_, err := drivers.Load(folder(t, false, map[string]string{"acme_os.yaml": withSteps(t, step)}))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want %q, got %v", step, want, err)
		}
	}
	before := swap(t, plainAcme, "{run: show version, facts: true}", "{run: show version, facts: true, when: '^x'}")
	if _, err := drivers.Load(folder(t, false, map[string]string{"acme_os.yaml": before})); err == nil || !strings.Contains(err.Error(), "which no step before it keeps") {
		t.Errorf("%v", err)
	}
}

// TestADriverThatDoesNotFitIsRefusedBeforeAnotherCommand: in one session.
func TestADriverThatDoesNotFitIsRefusedBeforeAnotherCommand(t *testing.T) {
	t.Parallel()
	fits := swap(t, plainAcme, "failure:", "identify: {fits: '^Acme OS \\d'}\nfailure:")
	box := acmeBoxOf(t, fits, boxText("", ""))
	box.kept(t)
	box.d.Say("show version", "Other OS 7\nSerial: ACME0001\n")
	res, _ := box.capture(t)
	if res.Result != configs.Refused || devices.KindOf(res.Err) != devices.Refused || !strings.Contains(res.Error, "this is no Acme OS") || !strings.Contains(res.Hint, "identify") {
		t.Errorf("%s: %s (%s)", res.Result, res.Error, res.Hint)
	}
	if got := box.d.Seen(); got.Connections != 2 || strings.Count(box.typed(), "show version") != 2 || strings.Count(box.typed(), "show running-config") != 1 {
		t.Errorf("%+v", got)
	}
	// Refused, the answer tells nothing; and only the first one must fit.
	box = acmeBoxOf(t, fits, boxText("", ""))
	box.d.Say("show version", "% not allowed\n")
	box.kept(t)
	for _, said := range []string{"-bash: show: command not found\n", "Error: Unrecognized command found at '^' position.\n", "show\n^\n% Invalid input detected at '^' marker.\n", "\nsyntax error: unknown argument\n"} {
		box = acmeBoxOf(t, fits, boxText("", "")) // nor do another system's words for it
		box.d.Say("show version", said)
		box.kept(t)
	}
	box = acmeBoxOf(t, fits, boxText("", ""))
	box.d.Say("show version", "Other OS 7\nuptime 3 days\nerrors seen: unknown\nnot found: 0\nInvalid command count 3\n")
	if res, _ := box.capture(t); res.Result != configs.Refused {
		t.Errorf("a long answer of another system: %s", res.Result)
	}
	box = acmeBoxOf(t, swap(t, fits, "{run: show version, facts: true}", "{run: show version, facts: true}\n  - {run: show clock, facts: true}"), boxText("", "-- show clock --\nnoon\n"))
	box.kept(t)
}
