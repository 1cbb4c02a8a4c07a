package drivers_test

import (
	"slices"
	"strings"
	"testing"

	"belay/configs"
	"belay/devices/simulator"
)

// unifi is the transcript of a controller, to be changed.
func unifi(t *testing.T) played { return controller(t, "unifi_network-udmpro.txtar") }

func controller(t *testing.T, name string) played {
	t.Helper()
	for _, p := range transcripts(t, load(t)) {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("there is no transcript %s", name)
	return played{}
}

// TestAControllersBackupFileIsMadeOnlyWhereTheInventorySaysSo, and only its
// sealed original is kept.
func TestAControllersBackupFileIsMadeOnlyWhereTheInventorySaysSo(t *testing.T) {
	t.Parallel()
	for _, of := range []struct{ transcript, ask, file, kind string }{
		{"unifi_network-udmpro.txtar", "POST /proxy/network/api/s/default/cmd/backup", "controller-9.0.108.unf", "unf"},
		{"ruckus_smartzone-vsz.txtar", "GET /wsg/api/public/v11_1/configuration", "configuration-b3f1c0de-1111-4000-8000-0000000000aa", "bak"},
	} {
		p := controller(t, of.transcript)
		for _, also := range [][]string{nil, {"backup-file"}} {
			dev := &simulator.Device{T: p.Transcript}
			pull := puller(load(t), dev)
			d := p.device()
			d.Also = also
			c, err := pull.Pull(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			asked := slices.Contains(dev.Seen().Commands, of.ask)
			i := slices.IndexFunc(c.Files, func(f configs.File) bool { return f.Name == of.file })
			lacks := strings.Contains(strings.Join(c.Grade().Missing, "; "), "(."+of.kind+")")
			if asked != (also != nil) || asked != (i >= 0) || asked == lacks {
				t.Errorf("%s %v: asked %v, kept %v, said to be missing %v", of.transcript, also, asked, i >= 0, lacks)
			}
			if i >= 0 && (!c.Files[i].Sealed || c.Files[i].Text != nil || string(c.Files[i].Raw) != "canary-in-the-"+of.kind+"-file\n") {
				t.Errorf("%+v", c.Files[i])
			}
		}
	}
}

// TestWhatALoginMayNotSeeIsNamedAsMissing, and the rest is kept.
func TestWhatALoginMayNotSeeIsNamedAsMissing(t *testing.T) {
	t.Parallel()
	p := unifi(t)
	web := *p.HTTP
	web.Statuses = map[string]int{"GET /proxy/network/api/s/default/rest/account": 403}
	tr := *p.Transcript
	tr.HTTP = &web
	b, r := backup(puller(load(t), &simulator.Device{T: &tr}))
	res, texts := capture(t, b, r, p.device())
	if _, kept := texts["accounts-default.json"]; res.Result != configs.Kept || kept || texts["wlans-default.json"] == "" {
		t.Errorf("%s %s", res.Result, res.Error)
	}
	if said := strings.Join(res.Missing, "; "); !strings.Contains(said, "may not see: GET /proxy/network/api/s/default/rest/account") {
		t.Error(said)
	}
	// What every reading needs is no matter of taste.
	web.Statuses = map[string]int{"GET /proxy/network/api/s/default/rest/wlanconf": 403}
	b, r = backup(puller(load(t), &simulator.Device{T: &tr}))
	if res, _ = capture(t, b, r, p.device()); res.Result == configs.Kept {
		t.Error("was kept")
	}
}
