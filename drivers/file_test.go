package drivers_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"belay/configs"
	"belay/devices"
	"belay/devices/simulator"
	"belay/drivers"
)

const (
	saveBackup   = "/system backup save name=belay dont-encrypt=yes"
	fileBackup   = "file /belay.backup"
	removeBackup = "/file remove belay.backup"
)

// mikrotik is a router whose inventory entry lists words, and whose transcript a
// test may alter.
func mikrotik(t *testing.T, c *drivers.Catalog, also ...string) (played, devices.Device) {
	t.Helper()
	for _, p := range transcripts(t, c) {
		if p.Name == "mikrotik_routeros-v7.txtar" {
			p.Answers = maps.Clone(p.Answers)
			dev := p.device()
			dev.Also = also
			return p, dev
		}
	}
	t.Fatal("there is no such transcript")
	return played{}, devices.Device{}
}

// wantTidy wants that the last thing a device was told is to remove the file.
func wantTidy(t *testing.T, what string, d *simulator.Device) {
	t.Helper()
	said := d.Seen().Commands
	if n := len(said); n == 0 || said[n-1] != removeBackup {
		t.Errorf("%s: the file is left on the device: %q", what, said)
	}
}

// artifacts are the binary artifacts of the newest version, opened.
func artifacts(t *testing.T, b *configs.Backup, dev devices.Device) map[string]string {
	t.Helper()
	found := map[string]string{}
	v, ok, err := b.Repository.Newest(t.Context(), dev.ID())
	if err != nil || !ok {
		t.Fatalf("nothing is kept: %v", err)
	}
	originals, err := b.Repository.Originals(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range originals {
		if !o.Alone {
			continue
		}
		plain, err := b.Sealer.Open(t.Context(), dev.Customer, o.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		found[o.Name] = string(plain)
	}
	return found
}

func TestABackupFileIsMadeFetchedAndRemovedWhereThePersonAllowsIt(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, by := range []string{"memory", "sftp", "scp"} {
		p, dev := mikrotik(t, c, "backup-file")
		d := &simulator.Device{T: p.Transcript}
		pull := puller(c, d)
		if by != "memory" {
			p.Files = by
			pull, dev = overSSH(t, c, p, simulator.Fault{})
			dev.Also = []string{"backup-file"}
		}
		b, r := backup(pull)
		res, texts := capture(t, b, r, dev)
		if res.Result != configs.Kept || res.Grade != configs.Restore || len(texts) != 1 {
			t.Fatalf("%s: %s, grade %s, %d texts: %s %+v", by, res.Result, res.Grade, len(texts), res.Error, res.Checks)
		}
		if got := artifacts(t, b, dev); len(got) != 1 || got["router.backup"] != p.Answers[fileBackup].Text() {
			t.Errorf("%s: not the artifact byte for byte: %q", by, got)
		}
		if by != "memory" {
			continue
		}
		wantTidy(t, by, d)
		d.Second = true
		if res, _ := capture(t, b, r, dev); res.Result != configs.Unchanged {
			t.Errorf("another artifact came to %s: %s", res.Result, res.Error)
		}
	}
}

func TestNothingIsWrittenOnADeviceThatDoesNotAllowIt(t *testing.T) {
	t.Parallel()
	c := load(t)
	p, dev := mikrotik(t, c, "startup")
	d := &simulator.Device{T: p.Transcript}
	b, r := backup(puller(c, d))
	res, _ := capture(t, b, r, dev)
	if res.Result != configs.Kept || res.Grade != configs.Partial || !strings.Contains(strings.Join(res.Missing, " "), "backup-file") {
		t.Errorf("%s, grade %s, missing %q", res.Result, res.Grade, res.Missing)
	}
	for _, said := range d.Seen().Commands {
		if said == saveBackup || said == removeBackup || said == fileBackup {
			t.Errorf("%q was sent", said)
		}
	}
}

// Whatever becomes of the file on its way, a bad one is not kept, and none stays
// on the device.
func TestABackupFileIsRemovedWhateverHappensToIt(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, over := range []string{"memory", "sftp", "scp"} {
		for _, fault := range []simulator.Fault{{CutByte: 100}, {CutByte: 399}, {Empty: true}, {Reset: true}, {CloseChannel: true}, {Reset: true, After: 400}, {Error: "input/output error"}} {
			what := fmt.Sprint(over, " ", fault)
			p, dev := mikrotik(t, c, "backup-file")
			p.Config = []string{fileBackup}
			d := &simulator.Device{T: p.Transcript, Fault: fault}
			pull := puller(c, d)
			if over != "memory" {
				p.Files = over
				pull, dev = overSSHWith(t, c, p, d)
				dev.Also = []string{"backup-file"}
			}
			b, r := backup(pull)
			res, texts := capture(t, b, r, dev)
			if fault.Error != "" { // the device gives none: the text is good without it
				if res.Result != configs.Kept || res.Grade != configs.Partial {
					t.Errorf("%s: %s, grade %s: %s", what, res.Result, res.Grade, res.Error)
				}
			} else if len(texts) > 0 {
				t.Errorf("%s: was kept", what)
			}
			if over == "memory" {
				wantTidy(t, what, d)
			} else if said := d.Seen().Commands; said[len(said)-1] != removeBackup {
				t.Errorf("%s: the file is left on the device: %q", what, said)
			}
		}
	}
}

func TestABackupFileIsRemovedAfterCtrlC(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, at := range []string{saveBackup, fileBackup} {
		p, dev := mikrotik(t, c, "backup-file")
		p.Config = []string{at}
		d := &simulator.Device{T: p.Transcript, Fault: simulator.Fault{Silence: true, After: 1, Reading: 1}}
		ctx, cancel := context.WithCancel(t.Context())
		stop := make(chan struct{})
		go func() {
			defer close(stop)
			for !slices.Contains(d.Seen().Commands, at) {
				select {
				case <-t.Context().Done():
					return
				default:
				}
			}
			cancel()
		}()
		_, err := puller(c, d).Pull(ctx, dev)
		<-stop
		if !errors.Is(err, context.Canceled) {
			t.Errorf("at %q: %v", at, err)
		}
		wantTidy(t, at, d)
	}
}

func TestAnOlderBackupFileIsNotTakenForThisOne(t *testing.T) {
	t.Parallel()
	c := load(t)
	p, dev := mikrotik(t, c, "backup-file")
	p.Answers[saveBackup] = simulator.Answer{"failure: not enough permissions (9)\n"}
	d := &simulator.Device{T: p.Transcript}
	b, r := backup(puller(c, d))
	res, _ := capture(t, b, r, dev)
	if res.Result != configs.Kept || res.Grade != configs.Partial || len(artifacts(t, b, dev)) > 0 || slices.Contains(d.Seen().Commands, fileBackup) {
		t.Errorf("%s, grade %s, artifacts %q, after %q", res.Result, res.Grade, artifacts(t, b, dev), d.Seen().Commands)
	}
	wantTidy(t, "refused", d)
}

func TestABackupFileThatCannotBeRemovedIsTold(t *testing.T) {
	t.Parallel()
	c := load(t)
	p, dev := mikrotik(t, c, "backup-file")
	p.Answers[removeBackup] = simulator.Answer{"failure: not enough permissions (9)\n"}
	b, r := backup(puller(c, &simulator.Device{T: p.Transcript}))
	res, _ := capture(t, b, r, dev)
	if res.Result != configs.Kept || !strings.Contains(strings.Join(res.Warnings, " "), "still be on the device") {
		t.Errorf("%s, warnings %q", res.Result, res.Warnings)
	}
}
