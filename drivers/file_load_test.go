package drivers_test

import (
	"strings"
	"testing"

	"belay/configs"
	"belay/devices/simulator"
	"belay/drivers"
)

const (
	mikrotikSave   = `{run: /system backup save name=belay dont-encrypt=yes, also: backup-file}`
	mikrotikRemove = `{run: /file remove belay.backup, also: backup-file}`
)

func TestOnlyBackupFilesThatAreRemovedAgainAreWritten(t *testing.T) {
	t.Parallel()
	load := func(steps ...string) error {
		_, err := drivers.Load(folder(t, false, map[string]string{"acme_os.yaml": withSteps(t, strings.Join(steps, "\n  - "))}))
		return err
	}
	get := `{get: /belay.backup, keep: x.backup, sealed: true, also: backup-file}`
	for _, good := range [][]string{
		{mikrotikSave, get, mikrotikRemove}, {mikrotikSave, mikrotikRemove}, {mikrotikRemove},
		{`{run: [tmsh -q save sys ucs belay.ucs, save sys ucs belay.ucs], also: backup-file}`, `{run: [tmsh delete sys ucs belay.ucs, delete sys ucs belay.ucs], also: backup-file}`},
		{`{get: [/a/b.cfg, b.cfg], keep: x.txt, optional: true}`}, {`{run: show x, keep: s.txt, unsaved: true}`},
		{`{get: x.bin, keep: x.bin, sealed: true, complete: {starts: '\x88', balance: gzip}}`},
	} {
		if err := load(good...); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []struct {
		says  string
		steps []string
	}{
		{"not one of the reading commands", []string{`{run: /system backup save name=belay dont-encrypt=yes}`, mikrotikRemove}},
		{"not one of the reading commands", []string{`{run: /system backup save name=belay dont-encrypt=yes, also: startup}`, mikrotikRemove}},
		{"not one of the reading commands", []string{mikrotikSave, `{run: /file remove belay.backup}`}},
		{"no step behind it removes", []string{mikrotikSave, get}},
		{"no step behind it removes", []string{mikrotikRemove, mikrotikSave}},
		{"no step behind it removes", []string{mikrotikSave, `{run: delete sys ucs belay.ucs, also: backup-file}`}},
		{"not one of the reading commands", []string{`{run: /file remove autosupout.rif, also: backup-file}`}},
		{"not one of the reading commands", []string{`{run: /system backup save name=other dont-encrypt=yes, also: backup-file}`, mikrotikRemove}},
		{"not one of the reading commands", []string{`{run: /system backup load name=belay, also: backup-file}`}},
		{"not one of the reading commands", []string{`{run: load sys ucs belay.ucs, also: backup-file}`}},
		{"could write", []string{`{run: "/file remove belay.backup; /system reset-configuration", also: backup-file}`}},
		{"is no plain path", []string{`{get: "/a b", keep: x.txt}`}},
		{"is no plain path", []string{`{get: "/a/../b", keep: x.txt}`}},
		{"is no plain path", []string{`{get: "-r", keep: x.txt}`}},
		{"is no plain path", []string{`{get: "/a;reboot", keep: x.txt}`}},
		{"is no plain path", []string{`{get: "$(x)", keep: x.txt}`}},
		{"wants keep besides", []string{`{get: /a}`}},
		{"are two steps", []string{`{get: /a, run: show x, keep: x.txt}`}},
		{"unsaved: is for the saved", []string{`{run: show x, unsaved: true}`}},
		{"unsaved: is for the saved", []string{`{run: show x, keep: x.bin, sealed: true, unsaved: true}`}},
	} {
		if err := load(bad.steps...); err == nil || !strings.Contains(err.Error(), bad.says) {
			t.Errorf("%q: want %q, got %v", bad.steps, bad.says, err)
		}
	}
}

func TestFilesAndWrappedFilesStandBesideAShell(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		step, section string
		result        configs.Outcome
		text          string // of x.txt
		says          string
	}{
		"a text":             {`{get: /cfg/x, keep: x.txt}`, "-- file /cfg/x --\none\ntwo\n", configs.Kept, "one\ntwo\n", ""},
		"the second path":    {`{get: [/cfg/y, /cfg/x], keep: x.txt}`, "-- file /cfg/x --\none\n", configs.Kept, "one\n", ""},
		"not there":          {`{get: /cfg/y, keep: x.txt}`, "", configs.Refused, "", "does not give the file /cfg/y"},
		"not there, no harm": {`{get: /cfg/y, keep: x.txt, optional: true, missing: much}`, "", configs.Kept, "", ""},
		"a binary as text":   {`{get: /cfg/x, keep: x.txt}`, "-- file /cfg/x --\nbase64:\nAAEC\n", configs.Refused, "", "NUL bytes"},
		"base64":             {`{run: show x, keep: x.txt, as: base64}`, "-- show x --\nb25l\nCg==\n", configs.Kept, "one\n", ""},
		"base64, cut":        {`{run: show x, keep: x.txt, as: base64}`, "-- show x --\nb25lC\n", configs.Refused, "", "not whole base64"},
		"base64, empty":      {`{run: show x, keep: x.txt, as: base64}`, "-- show x --\n\n", configs.Refused, "", "not whole base64"},
	} {
		box := acmeBoxOf(t, withSteps(t, c.step), boxText("", c.section))
		res, texts := box.capture(t)
		if res.Result != c.result || texts["x.txt"] != c.text || !strings.Contains(res.Error, c.says) {
			t.Errorf("%s: %s, %q, %s", name, res.Result, texts["x.txt"], res.Error)
		}
	}
}

func TestAPromptOrAFactsAnswerTellsOfUnsavedChanges(t *testing.T) {
	t.Parallel()
	c := load(t)
	for name, want := range map[string]bool{"nokia_sros-7750.txtar": true, "extreme_exos-x440.txtar": true, "cisco_ios-classic.txtar": false} {
		for _, p := range transcripts(t, c) {
			if p.Name != name {
				continue
			}
			got, err := puller(c, &simulator.Device{T: p.Transcript}).Pull(t.Context(), p.device())
			if err != nil || got.Unsaved != want {
				t.Errorf("%s: unsaved %t, %v; want %t", name, got.Unsaved, err, want)
			}
		}
	}
}
