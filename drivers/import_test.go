package drivers_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/devices"
	"belay/devices/simulator"
	"belay/drivers"
)

// exported is what a person would have saved of a transcript's device: the text
// as it is read, with its dates and secrets.
func (p played) exported(t testing.TB, c *drivers.Catalog) string {
	t.Helper()
	got, err := puller(c, &simulator.Device{T: p.Transcript}).Pull(t.Context(), p.device())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range got.Files {
		if f.Name == configs.MainFile {
			return string(f.Text)
		}
	}
	t.Fatal("it has no configuration")
	return ""
}

func bring(t testing.TB, c *drivers.Catalog, driver string, raw []byte) configs.Capture {
	t.Helper()
	got, err := c.Import(driver, devices.Device{Customer: "acme", Name: "box"}, []drivers.Exported{{Name: "saved.txt", Raw: raw}}, time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// refusedBy are the names of the checks that a capture fails.
func refusedBy(c configs.Capture) (names []string) {
	for _, k := range c.Check() {
		if !k.OK {
			names = append(names, k.Name)
		}
	}
	return names
}

func TestAnExportedFilePassesTheChecksOfItsOwnSystemAlone(t *testing.T) {
	t.Parallel()
	c, alike := load(t), readAgreement(t)
	all := transcripts(t, c)
	var played atomic.Int64
	t.Cleanup(func() { // when all have been played
		if lines := alike.unused(); int(played.Load()) == len(all) && len(lines) > 0 {
			t.Errorf("testdata/alike.txt says what no text needs: %s", strings.Join(lines, ", "))
		}
	})
	for _, p := range all {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			defer played.Add(1)
			text := p.exported(t, c)
			got := bring(t, c, p.Driver, []byte(text))
			if bad := refusedBy(got); bad != nil {
				t.Errorf("refused by %v", bad)
			}
			if diff := cmp.Diff(text, string(got.Files[0].Text)); diff != "" {
				t.Errorf("the text is another (-file +kept):\n%s", diff)
			}
			if got.Driver != p.Driver || got.Files[0].Name != configs.MainFile || len(got.Files) != 1 || !got.Began.Equal(time.Unix(1, 0)) {
				t.Errorf("got %s, %s, %s", got.Driver, got.Files[0].Name, got.Began)
			}
			for i, m := range got.Missing { // that nobody read it, and further texts that every such device has
				if name, more := strings.CutSuffix(m, " was not among what was exported"); more != (i > 0) || name == configs.MainFile {
					t.Errorf("missing: %q", got.Missing)
				}
			}
			if l := got.Grade().Level; l == configs.Restore {
				t.Error("a copy that a person exported has the grade of one that was read")
			}
			// What the text says of the device is what the device says.
			for _, s := range got.Identity.Serials {
				if !slices.Contains(p.Facts.Serials, s) {
					t.Errorf("serial %s is none of %v", s, p.Facts.Serials)
				}
			}
			for said, want := range map[string]string{got.Identity.Hostname: p.Facts.Hostname, got.Identity.Version: p.Facts.Version, got.Identity.Model: p.Facts.Model} {
				if said != "" && said != want {
					t.Errorf("it says %q, the device %q", said, want)
				}
			}
			if p.driver.Unknown && len(got.Warnings) < 2 {
				t.Error("nobody is told that the text of another system would pass")
			}
			windows := bring(t, c, p.Driver, []byte("\xef\xbb\xbf"+strings.ReplaceAll(text, "\n", "\r\n")))
			if bad := refusedBy(windows); bad != nil || string(windows.Files[0].Text) != text || len(windows.Files[0].Raw) == len(text) {
				t.Errorf("saved by a Windows editor: refused by %v", bad)
			}
			if k := got.Rules.Complete; k.Ends != nil && k.Agree < 2 || k.Balance != configs.NoStructure {
				if cut := bring(t, c, p.Driver, []byte(text[:len(text)/2])); refusedBy(cut) == nil {
					t.Error("cut in the middle it passed")
				}
			} else if len(got.Warnings) == 0 {
				t.Error("nobody is told that a cut text would pass")
			}
			for _, other := range c.All() {
				if kin(c, other.Name) == kin(c, p.Driver) || other.Unknown && p.driver.Unknown {
					continue
				}
				as := configs.Capture{Rules: other.Rules, Files: []configs.File{{Name: configs.MainFile, Raw: []byte(text), Text: []byte(text)}}}
				if refusedBy(as) != nil || other.Unknown && refusedBy(bring(t, c, other.Name, []byte(text))) != nil {
					continue
				}
				if !alike.says(kin(c, other.Name), kin(c, p.Driver)) {
					t.Errorf("%s takes it too", other.Name)
				}
			}
		})
	}
}

func TestFactsAreFoundInAnExportedText(t *testing.T) {
	t.Parallel()
	c := load(t)
	found := map[string]devices.Identity{}
	for _, p := range transcripts(t, c) {
		found[strings.TrimSuffix(p.Name, ".txtar")] = bring(t, c, p.Driver, []byte(p.exported(t, c))).Identity
	}
	for name, want := range map[string]devices.Identity{
		"cisco_ios-classic":    {Hostname: "sw-annex-1"},
		"cisco_asa-ha":         {Hostname: "fw-branch", Model: "FPR-1120", Version: "9.16(4)57", Serials: []string{"JAD25010XYZ"}},
		"mikrotik_routeros-v7": {Hostname: "rt-orchard", Model: "RB5009UG+S+", Version: "7.16.1", Serials: []string{"HE108ABCDEF"}},
		"pfsense-plus":         {Hostname: "fw-bakery"},
	} {
		if diff := cmp.Diff(want, found[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestWhatStandsAroundAPastedConfigurationIsTakenOff(t *testing.T) {
	t.Parallel()
	c := load(t)
	text := "version 15.2\nhostname sw-1\n!\nbanner motd ^C\nsw-1#show running-config\n^C\nend\n"
	for name, pasted := range map[string]string{
		"nothing":          text,
		"echo and prompt":  "sw-1#show running-config\n" + text + "\nsw-1#",
		"in short":         "sw-1#sh run \r\n" + text + "sw-1#exit\r\n",
		"prompts below":    text + "\nsw-1#\nsw-1#\n\n",
		"a session before": "login as: ada\nPassword:\n\nsw-1>en\nPassword:\nsw-1#terminal length 0\nsw-1#sh running-config\n" + text + "sw-1#quit\n",
	} {
		got := bring(t, c, "ios", []byte(pasted))
		if kept := string(got.Files[0].Text); strings.TrimRight(kept, "\n") != strings.TrimRight(text, "\n") {
			t.Errorf("%s: kept %q", name, kept)
		}
		if bad := refusedBy(got); bad != nil || !bytes.Equal(got.Files[0].Raw, []byte(pasted)) {
			t.Errorf("%s: refused by %v, raw %q", name, bad, got.Files[0].Raw)
		}
	}
	// Another device's prompt, or text behind the prompt, is not what was pasted.
	for _, pasted := range []string{"sw-1#sh run\n" + text + "sw-2#", text + "sw-1#\nmore\n", "sw-1#sh run\n" + text[:20] + "\nsw-1#"} {
		if refusedBy(bring(t, c, "ios", []byte(pasted))) == nil {
			t.Errorf("%q passed", pasted)
		}
	}
}

func TestWhatIsNoConfigurationIsRefusedByTheChecks(t *testing.T) {
	t.Parallel()
	c := load(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	binaryHead := make([]byte, 1<<16)
	if _, err := f.Read(binaryHead); err != nil {
		t.Fatal(err)
	}
	for _, d := range c.All() {
		for name, raw := range map[string][]byte{
			"empty": nil, "blank": []byte("\r\n \n"), "mark alone": []byte("\xef\xbb\xbf"), "program": binaryHead,
			"letter": []byte("Hello Ada,\n\nhere is the backup you asked for.\n"), "login page": []byte("<!DOCTYPE html><html><body>Sign in</body></html>\n"),
		} {
			if refusedBy(bring(t, c, d.Name, raw)) == nil {
				t.Errorf("%s takes a file that is %s", d.Name, name)
			}
		}
	}
	// An archive that holds the text as it is would pass where there is no end mark.
	for _, p := range transcripts(t, c) {
		if refusedBy(bring(t, c, p.Driver, append([]byte(p.exported(t, c)), 0, 0, '\n'))) == nil {
			t.Errorf("%s: NUL bytes passed", p.Name)
		}
	}
}

func TestUTF16IsRefusedWithAWayOut(t *testing.T) {
	t.Parallel()
	c := load(t)
	text := utf16.Encode([]rune("version 15.2\nhostname sw-1\nend\n"))
	for name, order := range map[string]binary.AppendByteOrder{"little": binary.LittleEndian, "big": binary.BigEndian} {
		var raw []byte
		for _, u := range text {
			raw = order.AppendUint16(raw, u)
		}
		for _, mark := range [][]byte{order.AppendUint16(nil, 0xfeff), nil} {
			_, err := c.Import("ios", devices.Device{Customer: "acme", Name: "box"}, []drivers.Exported{{Name: filepath.Join("home", "ada", "sw.cfg"), Raw: append(mark, raw...)}}, time.Unix(1, 0))
			if devices.KindOf(err) != devices.Usage || !strings.Contains(devices.HintOf(err), "UTF-8") || !strings.Contains(err.Error(), "sw.cfg is UTF-16") || strings.Contains(err.Error(), "ada") {
				t.Errorf("%s endian, mark %x: %v, hint %q", name, mark, err, devices.HintOf(err))
			}
		}
	}
}

func TestSeveralFilesGoByTheNamesOfTheDriver(t *testing.T) {
	t.Parallel()
	builtin := load(t)
	source, ok := builtin.Source("cisco_ios")
	if !ok {
		t.Fatal("no cisco_ios")
	}
	dir := t.TempDir()
	text := strings.Replace(string(source), "  - {run: show running-config, keep: running.conf}\n", "  - {run: show running-config, keep: running.conf}\n  - {run: show vlan, keep: vlan.conf}\n", 1)
	text = regexp.MustCompile(`(?m)^aliases: .*$`).ReplaceAllString(text, "aliases: []")
	for name, data := range map[string][]byte{"two_files.yaml": []byte(text), "testdata/two_files-x.txtar": builtin.Transcripts("cisco_ios")[0].Text} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := drivers.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string) drivers.Exported {
		return drivers.Exported{Name: name, Raw: []byte("version 15.2\nhostname sw-1\nend\n")}
	}
	for _, k := range []struct {
		driver string
		names  []string
		want   string // names of the texts, or the hint
		wrong  bool
	}{
		{"two_files", []string{"vlan.conf", "x/running.conf"}, "running.conf vlan.conf", false},
		{"two_files", []string{"vlan.conf"}, "running.conf", false},
		{"two_files", []string{"running.conf", "other.conf"}, "one file, or several named running.conf, vlan.conf", true},
		{"two_files", []string{"running.conf", "a/running.conf"}, "several named", true},
		{"two_files", []string{"vlan.conf", "a/vlan.conf"}, "several named", true},
		{"perle", []string{"running.conf", "vlan.conf"}, "one file, whatever its name", true},
		{"cisco_ios", nil, "one file", true},
		{"nothing", []string{"running.conf"}, "belay drivers list", true},
	} {
		var files []drivers.Exported
		for _, n := range k.names {
			files = append(files, file(n))
		}
		got, err := c.Import(k.driver, devices.Device{Customer: "acme", Name: "box"}, files, time.Unix(1, 0))
		if k.wrong {
			if devices.KindOf(err) != devices.Usage || !strings.Contains(devices.HintOf(err), k.want) {
				t.Errorf("%s %v: %v, hint %q", k.driver, k.names, err, devices.HintOf(err))
			}
			continue
		}
		var names []string
		for _, f := range got.Files {
			names = append(names, f.Name)
		}
		if err != nil || strings.Join(names, " ") != k.want || len(got.Missing) != 3-len(got.Files) {
			t.Errorf("%s %v: %v, %v, missing %q", k.driver, k.names, names, err, got.Missing)
		}
	}
}
