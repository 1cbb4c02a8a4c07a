package devices

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// edited writes a file, changes it and returns what it then holds.
func edited(t *testing.T, name, text string, change func(file string) error) (string, error) {
	t.Helper()
	dir := folder(t, map[string]string{name: text})
	err := change(filepath.Join(dir, name))
	data, readErr := os.ReadFile(filepath.Join(dir, name))
	if readErr != nil {
		t.Fatal(readErr)
	}
	if left, globErr := filepath.Glob(filepath.Join(dir, ".belay-*")); globErr != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, globErr)
	}
	return string(data), err
}

func TestADeviceIsAppendedAndTheRestStays(t *testing.T) {
	t.Parallel()
	plain := Device{Customer: "acme", Name: "sw9", Address: "10.0.0.9", Driver: "ios"}
	full := Device{Customer: "acme", Name: "12", FirstID: "old", Address: "2001:db8::1", Port: 22, Driver: "ios", Model: "C9300, 48p", Site: "Head \"Office\"", Zone: "z",
		Serials: []string{"A", "B"}, Login: "no", Jump: []string{"a@b:22", "c"}, Proxy: "socks5://u:p@x:1", Legacy: true, HostKeys: []string{"SHA256:" + strings.Repeat("a", 43)}}
	for name, c := range map[string]struct {
		file, text string
		d          Device
		want       string
	}{
		"block": {"d.yaml", "# head\ndefaults: {customer: acme}\n\ndevices:\n    # one\n    - name: a # x\n      ip: b\n      # more\n\n# tail\nother: &x\n", plain, ""},
		"before other keys": {"d.yaml", "devices:\n  # one\n  - name: a # x\n    ip: b\n    # more\n\n# tail\ndefaults:\n  customer: acme\n", plain,
			"devices:\n  # one\n  - name: a # x\n    ip: b\n    # more\n  - name: sw9\n    address: 10.0.0.9\n    driver: ios\n\n# tail\ndefaults:\n  customer: acme\n"},
		"bare list, no end":  {"d.yaml", "- name: a", plain, "- name: a\n- name: sw9\n  customer: acme\n  address: 10.0.0.9\n  driver: ios\n"},
		"bare list, dots":    {"d.yaml", "---\n- name: a\n...\n", plain, "---\n- name: a\n- name: sw9\n  customer: acme\n  address: 10.0.0.9\n  driver: ios\n...\n"},
		"not indented":       {"d.yaml", "devices:\r\n- name: a\r\ndefaults:\r\n  port: 22\r\n", plain, "devices:\r\n- name: a\r\n- name: sw9\r\n  customer: acme\r\n  address: 10.0.0.9\r\n  driver: ios\r\ndefaults:\r\n  port: 22\r\n"},
		"empty file":         {"d.yaml", "", plain, "devices:\n  - name: sw9\n    customer: acme\n    address: 10.0.0.9\n    driver: ios\n"},
		"only comments":      {"d.yaml", "# none yet\n", plain, "# none yet\ndevices:\n  - name: sw9\n    customer: acme\n    address: 10.0.0.9\n    driver: ios\n"},
		"no devices":         {"d.yaml", "defaults: {customer: acme}", plain, "defaults: {customer: acme}\ndevices:\n  - name: sw9\n    address: 10.0.0.9\n    driver: ios\n"},
		"null":               {"d.yaml", "devices:\n# tail\n", plain, "devices:\n  - name: sw9\n    customer: acme\n    address: 10.0.0.9\n    driver: ios\n# tail\n"},
		"empty list":         {"d.yaml", "devices: [] # ü\n", plain, "devices: [{name: sw9, customer: acme, address: 10.0.0.9, driver: ios}] # ü\n"},
		"flow":               {"d.yaml", "devices: [{name: ab, site: \"ü]\"}]\n", plain, "devices: [{name: ab, site: \"ü]\"}, {name: sw9, customer: acme, address: 10.0.0.9, driver: ios}]\n"},
		"block scalar":       {"d.yaml", "- name: a\n  site: >-\n    x\n    # y\n    z\n", plain, "- name: a\n  site: >-\n    x\n    # y\n    z\n- name: sw9\n  customer: acme\n  address: 10.0.0.9\n  driver: ios\n"},
		"everything":         {"d.yaml", "- name: a\n", full, "-"},
		"csv":                {"d.csv", "name,ip,model,customer\n# x\na,b,c,acme", plain, "name,ip,model,customer\n# x\na,b,c,acme\nsw9,10.0.0.9,ios,acme\n"},
		"csv columns added":  {"d.csv", "\xef\xbb\xbfip;name\r\nb;a\r\n", plain, "\xef\xbb\xbfip;name;customer;driver\r\nb;a\r\n10.0.0.9;sw9;acme;ios\r\n"},
		"csv default":        {"d.csv", "name,ip\n", Device{Name: "x", Address: "y"}, "name,ip\nx,y\n"},
		"csv empty":          {"d.csv", "", plain, "name,customer,address,driver\nsw9,acme,10.0.0.9,ios\n"},
		"csv everything":     {"d.csv", "name\na\n", full, "n"},
		"csv with the model": {"d.csv", "name,model\na,ios\n", Device{Name: "b", Address: "b", Driver: "ios", Model: "ISR"}, ""},
		"taken":              {"d.csv", "name,customer\nSW9,acme\n", plain, ""},
		"customer's case":    {"d.csv", "name,customer\nx,Acme\n", plain, ""},
		"broken file":        {"d.yaml", "- nam: x\n", plain, ""},
		"bad name":           {"d.csv", "name\nx\n", Device{Name: "a b", Address: "x"}, ""},
		"bad address":        {"d.yaml", "- name: x\n", Device{Name: "a", Address: "x y\n"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := edited(t, c.file, c.text, func(file string) error { return Append(file, c.d) })
			if c.want == "" {
				if err == nil || got != c.text || KindOf(err) != Usage {
					t.Errorf("%v\n%s", err, got)
				}
				return
			}
			if err != nil || len(c.want) > 1 && got != c.want {
				t.Errorf("%v\n%s", err, got)
			}
		})
	}
}

func TestARenamedDeviceKeepsItsFirstName(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, text, old, renamed, want string }{
		"block":          {"d.yaml", "# é\n- ip: b\n  name: fw-hq   # the one\n\n  # more\n- name: x\n", "default/fw-hq", "fw-new", "# é\n- ip: b\n  name: fw-new   # the one\n  id: fw-hq\n\n  # more\n- name: x\n"},
		"no line end":    {"d.yaml", "- name: a", "default/a", "b", "- name: b\n  id: a\n  address: a"},
		"last, CRLF":     {"d.yaml", "devices:\r\n  - name: x\r\n  - name: a\r\n", "default/a", "b", "devices:\r\n  - name: x\r\n  - name: b\r\n    id: a\r\n    address: a\r\n"},
		"customer, flow": {"d.yaml", "- {site: Åland, name: acme/a, ip: x}\n", "acme/a", "acme/b", "- {site: Åland, name: acme/b, id: a, ip: x}\n"},
		"quoted":         {"d.yaml", "- name: 'a'\n- name: \"b\"\n", "default/b", "c", "- name: 'a'\n- name: \"c\"\n  id: b\n  address: b\n"},
		"number":         {"d.yaml", "- name: a\n", "default/a", "0x12", "- name: \"0x12\"\n  id: a\n  address: a\n"},
		"again":          {"d.yaml", "- name: b\n  id: a\n", "default/b", "c", "- name: c\n  address: b\n  id: a\n"},
		"anchor":         {"d.yaml", "- name: &n a\n", "default/a", "b", "- name: &n b\n  id: a\n  address: a\n"},
		"csv":            {"d.csv", "ip,name,site\n1.1.1.1,\"a\",\"x,\"\"y\"\n2.2.2.2,c\n", "default/a", "b", "ip,name,site,id\n1.1.1.1,b,\"x,\"\"y\",a\n2.2.2.2,c\n"},
		"csv short row":  {"d.csv", "\xef\xbb\xbfname;site\r\n# no\r\n\r\nc\r\na", "default/a", "b", "\xef\xbb\xbfname;site;id;address\r\n# no\r\n\r\nc\r\nb;;a;a"},
		"csv id":         {"d.csv", "id\tname\n\ta\n", "default/a", "b", "id\tname\taddress\na\tb\ta\n"},
		"csv customer":   {"d.csv", "sep=|\nname|ip\nacme/a|x\n", "acme/a", "acme/b", "sep=|\nname|ip|id\nacme/b|x|a\n"},
		"alias":          {"d.yaml", "- site: &n a\n  name: *n\n", "default/a", "b", ""},
		"escaped":        {"d.yaml", "- name: \"\\x61\"\n", "default/a", "b", ""},
		"taken":          {"d.yaml", "- name: a\n- name: b\n", "default/a", "b", ""},
		"not there":      {"d.yaml", "- name: a\n", "default/z", "b", ""},
		"bad name":       {"d.yaml", "- name: a\n", "default/a", "b c", ""},
		"other customer": {"d.yaml", "- name: a\n", "default/a", "acme/b", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			customer, first, _ := strings.Cut(c.old, "/")
			got, err := edited(t, c.file, c.text, func(file string) error { return Rename(file, Device{Customer: customer, Name: first}, c.renamed) })
			if c.want == "" {
				if err == nil || got != c.text || KindOf(err) != Usage {
					t.Errorf("%v\n%s", err, got)
				}
			} else if err != nil || got != c.want {
				t.Errorf("%v\n%q", err, got)
			}
		})
	}
}

func TestAnEditKeepsModeAndLink(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"real.yaml": "- name: a\n"})
	if err := os.Chmod(filepath.Join(dir, "real.yaml"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real.yaml", filepath.Join(dir, "link.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := Append(filepath.Join(dir, "link.yaml"), Device{Name: "b", Address: "b"}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(filepath.Join(dir, "real.yaml"))
	if err != nil || info.Mode() != 0o640 {
		t.Error(info.Mode(), err)
	}
	if inv, err := Load(dir, []string{"link.yaml"}); err != nil || len(inv.Devices) != 2 {
		t.Error(inv, err)
	}
	if link, err := os.Readlink(filepath.Join(dir, "link.yaml")); err != nil || link != "real.yaml" {
		t.Error(link, err)
	}
}

func TestSeveralDevicesAreAppendedAtOnceOrNone(t *testing.T) {
	t.Parallel()
	two := []Device{{Customer: "acme", Name: "x", Address: "1.1.1.1"}, {Name: "y", Address: "2.2.2.2", Driver: "ios", Model: "ISR"}}
	for _, c := range []struct{ file, text, want string }{
		{"d.csv", "name\na\n", "name,customer,address,driver,model\na\nx,acme,1.1.1.1,,\ny,default,2.2.2.2,ios,ISR\n"},
		{"d.csv", "", "name,customer,address,driver,model\nx,acme,1.1.1.1,,\ny,default,2.2.2.2,ios,ISR\n"},
		{"d.yaml", "- name: a\n", "- name: a\n- name: x\n  customer: acme\n  address: 1.1.1.1\n- name: \"y\"\n  address: 2.2.2.2\n  driver: ios\n  model: ISR\n"},
		{"d.yaml", "[]", "[{name: x, customer: acme, address: 1.1.1.1}, {name: \"y\", address: 2.2.2.2, driver: ios, model: ISR}]"},
		{"d.yaml", "- name: y\n", ""},
	} {
		got, err := edited(t, c.file, c.text, func(file string) error { return Append(file, two...) })
		if c.want == "" && (err == nil || got != c.text) || c.want != "" && (err != nil || got != c.want) {
			t.Errorf("%v\n%s", err, got)
		}
	}
}

func TestAppendMakesAMissingFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"new.yaml", "new.csv"} {
		if err := Append(filepath.Join(dir, name), Device{Customer: "acme", Name: name, Address: "x"}); err != nil {
			t.Error(err)
		}
	}
	if inv, err := Load(dir, []string{"new.yaml", "new.csv"}); err != nil || len(inv.Devices) != 2 {
		t.Error(inv, err)
	}
	if err := Rename(filepath.Join(dir, "none.yaml"), Device{Customer: "a", Name: "b"}, "c"); err == nil {
		t.Error("renamed in a missing file")
	}
}
