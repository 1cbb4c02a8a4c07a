package drivers_test

import (
	"slices"
	"strings"
	"testing"

	"belay/configs"
	"belay/devices/simulator"
)

// unifi is the transcript of a controller, to be changed.
func unifi(t *testing.T) played {
	t.Helper()
	for _, p := range transcripts(t, load(t)) {
		if p.Name == "unifi_network-udmpro.txtar" {
			return p
		}
	}
	t.Fatal("there is no transcript of a UniFi controller")
	return played{}
}

// TestAControllersBackupFileIsMadeOnlyWhereTheInventorySaysSo, and only its
// sealed original is kept.
func TestAControllersBackupFileIsMadeOnlyWhereTheInventorySaysSo(t *testing.T) {
	t.Parallel()
	p := unifi(t)
	for _, also := range [][]string{nil, {"backup-file"}} {
		dev := &simulator.Device{T: p.Transcript}
		pull := puller(load(t), dev)
		d := p.device()
		d.Also = also
		c, err := pull.Pull(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		made := slices.Contains(dev.Seen().Commands, "POST /proxy/network/api/s/default/cmd/backup")
		i := slices.IndexFunc(c.Files, func(f configs.File) bool { return f.Name == "controller-9.0.108.unf" })
		lacks := strings.Contains(strings.Join(c.Grade().Missing, "; "), ".unf")
		if made != (also != nil) || made != (i >= 0) || made == lacks {
			t.Errorf("%v: made %v, kept %v, said to be missing %v", also, made, i >= 0, lacks)
		}
		if i >= 0 && (!c.Files[i].Sealed || c.Files[i].Text != nil || string(c.Files[i].Raw) != "canary-in-the-unf-file\n") {
			t.Errorf("%+v", c.Files[i])
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
