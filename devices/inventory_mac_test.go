package devices

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMACAddressesAreReadHoweverTheyAreWritten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ file, text, want string }{
		{"d.yaml", "- name: a\n  mac: AA:bb:CC:00:01:02\n", "aa:bb:cc:00:01:02"},
		{"d.yaml", "- name: a\n  mac: 00-11-22-33-44-55\n", "00:11:22:33:44:55"},
		{"d.yaml", "- name: a\n  mac: 00:11:22:33:44:55\n", "00:11:22:33:44:55"},
		{"d.yaml", "- name: a\n  mac: 001122334455\n", "00:11:22:33:44:55"},
		{"d.yaml", "- name: a\n  mac: 0011.2233.4455\n", "00:11:22:33:44:55"},
		{"d.yaml", "- name: a\n  MAC Address: 12e234567890\n", "12:e2:34:56:78:90"},
		{"d.yaml", "- name: a\n  mac: [001122-334455, '0011-2233-4456', 0011:2233:4457, 00:11:22:33:44:55]\n", "00:11:22:33:44:55 00:11:22:33:44:56 00:11:22:33:44:57"},
		{"d.yaml", "- name: a\n  mac:\n", ""},
		{"d.csv", "name,MAC Address\na,00-11-22-33-44-55; 0011.2233.4456\n", "00:11:22:33:44:55 00:11:22:33:44:56"},
		{"d.csv", "name;primary_mac;ip\na;00:11:22:33:44:55;x\n", "00:11:22:33:44:55"},
		{"d.csv", "name,ip,mac\na,x\n", ""},
	} {
		inv, err := loadOne(t, c.file, c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
		} else if got := strings.Join(inv.Devices[0].MACs, " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.text, got, c.want)
		}
	}
}

func TestWhatIsNoDevicesMACAddressIsSaid(t *testing.T) {
	t.Parallel()
	for _, mac := range []string{
		"aa:bb:cc:dd:ee", "aa:bb:cc:dd:ee:ff:00", "aa:bb:cc:dd:ee:fg", "aa:bb-cc:dd:ee:ff", "aabb.ccdd-eeff", "n/a", "00:00:00:00:00:00",
		"ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "aa bb cc dd ee ff",
	} {
		_, err := loadOne(t, "d.yaml", "- name: a\n  mac: \""+mac+"\"\n")
		if err == nil || KindOf(err) != Usage || !strings.Contains(err.Error(), "d.yaml:2:8") || !strings.Contains(HintOf(faultsOf(t, err)[0]), "aa:bb:cc:dd:ee:ff") {
			t.Errorf("%s: %v", mac, err)
		}
	}
	if _, err := loadOne(t, "d.yaml", "defaults: {mac: 00:11:22:33:44:55}\ndevices: [{name: a}]\n"); err == nil || !strings.Contains(err.Error(), "mac cannot have a default") {
		t.Error(err)
	}
}

func TestADeviceIsAppendedWithItsMACAddresses(t *testing.T) {
	t.Parallel()
	d := Device{Customer: "acme", Name: "x", Address: "y", MACs: []string{"00:11:22:33:44:55", "00:11:22:33:44:56"}}
	for file, text := range map[string]string{"d.yaml": "- name: a\n", "d.csv": "name\na\n", "e.csv": "name:mac\na:\n"} {
		dir := folder(t, map[string]string{file: text})
		if err := Append(filepath.Join(dir, file), d); err != nil {
			t.Error(err)
			continue
		}
		inv, err := Load(dir, []string{file})
		if err != nil {
			t.Error(err)
		} else if diff := cmp.Diff(d, inv.Devices[1], whereIgnored); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
		// And what renames or replaces leaves them.
		if err := Rename(filepath.Join(dir, file), d, "z"); err != nil {
			t.Error(err)
		}
	}
}

func TestOfAMACAddressOnlyTheDigitsCount(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"00 09 0F AA 10 2B": "00:09:0f:aa:10:2b", "00:09-0f.aa102b": "00:09:0f:aa:10:2b", "02:00:00:00:00:01": "02:00:00:00:00:01",
		"": "", "00090faa102": "", "00:09:0f:aa:10:2b:00:01": "", "00:09:0f:aa:10:2g": "", "00_09_0f_aa_10_2b": "",
		"0000.0000.0000": "", "ffff.ffff.ffff": "", "01:00:5e:00:00:01": "",
	} {
		if got := MAC(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}
