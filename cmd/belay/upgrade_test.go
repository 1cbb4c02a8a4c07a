package main

import (
	"archive/tar"
	"compress/gzip"
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"belay/devices/simulator"
	"belay/store/spare"
)

// older opens a data folder that an earlier version wrote, with its device served
// as it was when it was captured last.
func older(t *testing.T, name string) (*play, *box) {
	t.Helper()
	part(t, "git", "git")
	p := &play{t: t, dir: t.TempDir()}
	p.env = append(os.Environ(), "HOME="+p.dir, "XDG_CONFIG_HOME=", "GORACE=atexit_sleep_ms=0", "BELAY_PASSWORD="+boxPassword)
	unpack(t, filepath.Join("testdata", "older", name+".tar.gz"), p.dir)
	text, err := sourceOf("frr-edge")
	if err != nil {
		t.Fatal(err)
	}
	tr, err := simulator.Parse("frr-edge.txtar", []byte(strings.ReplaceAll(text, "log syslog informational", "log syslog debugging")))
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(p.path("host.key"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := gossh.ParsePrivateKey(pem)
	if err != nil {
		t.Fatal(err)
	}
	b := &box{dev: &simulator.Device{T: tr, Login: &simulator.Login{User: boxUser, Password: boxPassword}}}
	b.server = &simulator.Server{Device: b.dev, HostKey: key}
	if err := b.server.Start(ownHost() + ":0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.server.Close() })
	b.address = b.server.Address()
	p.write("devices.yaml", "devices:\n"+b.entry("acme", "rt"))
	return p, b
}

func unpack(t *testing.T, file, to string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil || !filepath.IsLocal(h.Name) {
			t.Fatal(h, err)
		}
		path := filepath.Join(to, h.Name)
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, 0o700)
		} else {
			var data []byte
			if data, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, data, os.FileMode(h.Mode)&0o700)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// schemaOf is the number of a ledger's schema.
func schemaOf(t *testing.T, file, set string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if set != "" {
		if _, err := db.Exec("PRAGMA user_version = " + set); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.QueryRow("PRAGMA user_version").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDataOfEveryEarlierVersionIsBroughtForward(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name             string
		schema, versions int
		change           bool
	}{{"issue2", 1, 2, false}, {"issue3", 2, 3, true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, b := older(t, c.name)
			if n := schemaOf(t, p.path("belay-data/belay.db"), ""); n != c.schema {
				t.Fatalf("the file is of schema %d", n)
			}
			if c.change {
				p.wants(0, "changes")
				if s := p.wants(0, "receipt", "T2"); !strings.Contains(s.out, "T2") {
					t.Errorf("the receipt says %q", s.out)
				}
			}
			if s := p.wants(0, "log", "acme/rt"); strings.Count(s.out, "acme") == 0 && strings.Count(s.out, "\n") < c.versions {
				t.Errorf("the log has %q", s.out)
			}
			if n := schemaOf(t, p.path("belay-data/belay.db"), ""); n <= c.schema {
				t.Errorf("the schema is still %d", n)
			}
			if s := p.wants(0, "show", "acme/rt"); !strings.Contains(s.out, "log syslog debugging") || strings.Contains(s.out, "canary") {
				t.Errorf("the newest text is %q", s.out)
			}
			if s := p.wants(0, "reveal", "acme/rt", "--reason", "T9"); !strings.Contains(s.out, "canary") {
				t.Errorf("the original is %q", s.out)
			}
			wantVerified(t, p, c.versions)
			if c.change { // attachments that waited then
				if err := os.Mkdir(p.path("papers"), 0o700); err != nil {
					t.Fatal(err)
				}
				p.wants(6, "docs", "queue")
				p.wants(0, "docs", "queue", "--send")
			}
			// Equal texts are one version over the change of the program: the keys of
			// the fingerprints and the rules of redaction are what they were.
			if s := p.wants(0, "capture", "acme/rt", "--json"); !strings.Contains(s.out, `"result":"unchanged"`) {
				t.Errorf("captured anew: %s", s.out)
			}
			if err := b.change("log syslog debugging", "log syslog errors"); err != nil {
				t.Fatal(err)
			}
			if s := p.wants(0, "capture", "acme/rt", "--json"); !strings.Contains(s.out, `"result":"kept"`) {
				t.Errorf("captured: %s", s.out)
			}
			wantVerified(t, p, c.versions+1)
			p.whole(historyFolder)
		})
	}
}

func wantVerified(t *testing.T, p *play, versions int) {
	t.Helper()
	if s := p.wants(0, "verify", "--json"); !strings.Contains(s.out, `"versions":`+string(rune('0'+versions))) || !strings.Contains(s.out, `"damaged":0`) {
		t.Errorf("verify says %q, want %d versions", s.out, versions)
	}
}

func TestABackupOfAnOlderFormatIsRestoredAndBroughtForward(t *testing.T) {
	t.Parallel()
	p, _ := older(t, "issue2")
	backup, err := spare.Begin(p.path("spare"))
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(p.path("belay-data"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".lock") {
			return err
		}
		name, err := filepath.Rel(p.path("belay-data"), path)
		if err != nil {
			return err
		}
		return backup.Copy(t.Context(), filepath.ToSlash(name), path)
	})
	if err == nil {
		_, err = backup.Finish(spare.Manifest{Made: time.Now()}, 1)
	}
	if err := errors.Join(err, backup.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(p.path("belay-data")); err != nil {
		t.Fatal(err)
	}
	p.wants(0, "restore", "spare")
	if n := schemaOf(t, p.path("belay-data/belay.db"), ""); n < 2 {
		t.Errorf("the schema is still %d", n)
	}
	wantVerified(t, p, 2)
}

func TestDataOfANewerVersionIsRefusedByEveryCommand(t *testing.T) {
	t.Parallel()
	p, _ := older(t, "issue3")
	p.wants(0, "log", "acme/rt")
	schemaOf(t, p.path("belay-data/belay.db"), "99")
	before, err := os.ReadFile(p.path("belay-data/belay.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{
		"capture acme/rt", "log acme/rt", "show acme/rt", "diff acme/rt", "search log", "reveal acme/rt --reason T1", "verify", "doctor", "backup spare",
		"before acme/rt --ticket T3", "gate T2", "after acme/rt --ticket T2", "close T2", "receipt T2", "changes", "docs queue", "docs match",
		"keys list", "keys signer", "devices list", "accept acme/rt --reason T1", "attest acme/rt --ticket T2 --who Ada --where there",
	} {
		s := p.belay(strings.Fields(command)...)
		if said := s.out + s.err; s.status == 0 || !strings.Contains(said, "version 99, and this belay knows up to") || !strings.Contains(said, "use the newer belay") {
			t.Errorf("belay %s: exit status %d, %s", command, s.status, said)
		}
	}
	if _, err := os.Stat(p.path("spare")); err == nil {
		t.Error("a backup was begun")
	}
	after, err := os.ReadFile(p.path("belay-data/belay.db"))
	if err != nil || string(after) != string(before) {
		t.Errorf("the file was written to (%v)", err)
	}
}
