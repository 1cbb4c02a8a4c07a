package devices

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// folder writes files and returns where.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func loadOne(t *testing.T, name, text string) (*Inventory, error) {
	t.Helper()
	return Load(folder(t, map[string]string{name: text}), []string{name})
}

// faultsOf parts a joined error.
func faultsOf(t *testing.T, err error) []*Error {
	t.Helper()
	all := []error{err}
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		all = j.Unwrap()
	}
	var faults []*Error
	for _, err := range all {
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Kind != Usage {
			t.Errorf("%v is no usage Error", err)
			continue
		}
		faults = append(faults, e)
	}
	return faults
}

var whereIgnored = cmpopts.IgnoreFields(Device{}, "Where")

func TestYAMLSaysEverythingAboutADevice(t *testing.T) {
	t.Parallel()
	key := "SHA256:" + strings.Repeat("a", 43)
	inv, err := loadOne(t, "d.yaml", `# the lab
defaults: {customer: acme, driver: ios, jump: [j1, "bob@j2:22"], zone: lab, port: 22}
devices:
  - name: fw-hq          # the one
    address: 2001:db8::1
    port: 2222
    driver: fortios
    model: FortiGate 60F
    site: Head Office
    zone: dmz
    serial: [A1, 0123]
    login: ro
    jump:
    proxy: "socks5://u:pw@p:1080"
    legacy: yes
    also: [telnet, backup-file]
    host_keys: ["`+key+`="]
    id: fw-old
  - &base
    name: beta/sw-1
    ip: 10.0.0.2
    device_type: junos
    serial: S1 S2;S3
  - <<: *base
    name: "sw-2"
    ip: 10.0.0.3
    model: EX2300
`)
	if err != nil {
		t.Fatal(err)
	}
	want := []Device{
		{Customer: "acme", Name: "fw-hq", FirstID: "fw-old", Address: "2001:db8::1", Port: 2222, Driver: "fortios", Model: "FortiGate 60F",
			Site: "Head Office", Zone: "dmz", Serials: []string{"A1", "0123"}, Login: "ro", Proxy: "socks5://u:pw@p:1080", Legacy: true, Also: []string{"telnet", "backup-file"}, HostKeys: []string{key}},
		{Customer: "beta", Name: "sw-1", Address: "10.0.0.2", Port: 22, Driver: "junos", Zone: "lab", Serials: []string{"S1", "S2", "S3"}, Jump: []string{"j1", "bob@j2:22"}},
		{Customer: "acme", Name: "sw-2", Address: "10.0.0.3", Port: 22, Driver: "junos", Model: "EX2300", Zone: "lab", Serials: []string{"S1", "S2", "S3"}, Jump: []string{"j1", "bob@j2:22"}},
	}
	if d := cmp.Diff(want, inv.Devices, whereIgnored); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"d.yaml:4:11", "d.yaml:20:11", "d.yaml:25:11"}, wheres(inv)); d != "" {
		t.Error(d)
	}
}

func wheres(inv *Inventory) []string {
	var all []string
	for _, d := range inv.Devices {
		all = append(all, d.Where.String())
	}
	return all
}

func TestABareListIsAnInventory(t *testing.T) {
	t.Parallel()
	inv, err := loadOne(t, "d.yml", "\xef\xbb\xbf- name: r1\r\n  platform: ios\r\n---\r\n- {name: r2, model: junos}\r\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []Device{
		{Customer: "default", Name: "r1", Address: "r1", Driver: "ios", Where: Position{"d.yml", 1, 9}},
		{Customer: "default", Name: "r2", Address: "r2", Driver: "junos", Where: Position{"d.yml", 4, 10}},
	}
	if d := cmp.Diff(want, inv.Devices); d != "" {
		t.Error(d)
	}
}

func TestListsFromElsewhereLoadAsTheyAre(t *testing.T) {
	t.Parallel()
	r1 := Device{Customer: "default", Name: "r1", Address: "10.0.0.1", Driver: "ios"}
	for name, c := range map[string]struct {
		text     string
		want     Device
		warnings int
	}{
		"comma":              {"name,address,driver\nr1,10.0.0.1,ios\n", r1, 0},
		"spreadsheet":        {"\xef\xbb\xbfsep=;\r\nHost Name;Management IP;Device_Type;Color\r\nr1;10.0.0.1;ios;red\r\n;;;\r\n", r1, 1},
		"tabs":               {"hostname\tip\tos\nr1\t10.0.0.1\tios", r1, 0},
		"pipes, spaced":      {"Node | IP-Address | network_os \n r1 | 10.0.0.1 | ios \n", r1, 0},
		"oxidized":           {"# router.db\nname:model:ip\n\n# core\nr1:ios:10.0.0.1\n", r1, 0},
		"model beside":       {"device,host,platform,model\nr1,10.0.0.1,,ISR\n", Device{Customer: "default", Name: "r1", Address: "10.0.0.1", Model: "ISR"}, 0},
		"two columns of one": {"hostname,name,ip,model\nx y,r1,10.0.0.1,ios\n", r1, 1},
		"everything": {"name,ip,driver,ssh port,Tenant,location,zone,serial number,credential,jump host,proxy,legacy,also,id\n" +
			`r1,10.0.0.1,ios,2022,acme,HQ,z,A1;B2,ro,"a,b",socks5://p:1,X,startup transfer,r0` + "\n",
			Device{Customer: "acme", Name: "r1", FirstID: "r0", Address: "10.0.0.1", Port: 2022, Driver: "ios", Site: "HQ", Zone: "z",
				Serials: []string{"A1", "B2"}, Login: "ro", Jump: []string{"a", "b"}, Proxy: "socks5://p:1", Legacy: true, Also: []string{"startup", "transfer"}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inv, err := loadOne(t, "l.csv", c.text)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff([]Device{c.want}, inv.Devices, whereIgnored); d != "" {
				t.Error(d)
			}
			if len(inv.Warnings) != c.warnings {
				t.Errorf("warnings %q", inv.Warnings)
			}
		})
	}
}

func TestEveryErrorNamesFileLineAndColumn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file, text string
		want       []string // the beginning of each error
		hint       string   // in the first one's hint
	}{
		"unknown key":       {"d.yaml", "- name: a\n  adress: x\n  port: 99999\n", []string{`d.yaml:2:3: unknown key "adress"`, `d.yaml:3:9: "99999" is no port`}, "address"},
		"unknown top key":   {"d.yaml", "device:\n- name: a\n", []string{`d.yaml:1:1: unknown key "device"`}, "devices"},
		"syntax":            {"d.yaml", "devices:\n  - name: a\n   bad: [\n", []string{"d.yaml:3:"}, ""},
		"no mapping":        {"d.yaml", "- a\n- [b]\n", []string{"d.yaml:1:3: expected a mapping", "d.yaml:2:3: expected a mapping"}, "name:"},
		"text":              {"d.yaml", "hello\n", []string{"d.yaml:1:1: expected a list"}, "devices:"},
		"list for a text":   {"d.yaml", "- name: [a]\n", []string{"d.yaml:1:9: name takes one value"}, ""},
		"key twice":         {"d.yaml", "- name: a\n  ip: x\n  address: y\n", []string{"d.yaml:3:3: address is given twice"}, ""},
		"no name":           {"d.yaml", "- address: 10.0.0.1\n", []string{"d.yaml:1:3: a device without a name"}, "needs a name"},
		"default name":      {"d.yaml", "defaults:\n  name: x\n", []string{"d.yaml:2:9: name cannot have a default"}, "each device"},
		"bad name":          {"d.yaml", "- name: fw hq\n", []string{`d.yaml:1:9: name: "fw hq" cannot`}, "fw-hq"},
		"bad customer":      {"d.yaml", "- name: a\n  customer: Åcme & Co\n", []string{`d.yaml:2:13: customer: "Åcme & Co" cannot`}, "cme-Co"},
		"two customers":     {"d.yaml", "- name: a/b\n  customer: c\n", []string{`d.yaml:2:13: customer "c", but the name says "a"`}, "leave out"},
		"mask":              {"d.yaml", "- name: a\n  ip: 10.0.0.1/24\n", []string{`d.yaml:2:7: "10.0.0.1/24" is no address`}, "10.0.0.1"},
		"long address":      {"d.yaml", "- name: a\n  ip: " + strings.Repeat("a", 254) + "\n", []string{`d.yaml:2:7: "aaaa`}, ""},
		"port in address":   {"d.yaml", "- name: a\n  ip: host:22\n", []string{`d.yaml:2:7: "host:22" is no address`}, "port"},
		"option as address": {"d.yaml", "- name: a\n  ip: -oProxyCommand=x\n", []string{`d.yaml:2:7:`}, "host name"},
		"option as jump":    {"d.yaml", "- name: a\n  jump: -oX\n", []string{`d.yaml:2:9:`}, "host"},
		"maybe":             {"d.yaml", "- name: a\n  legacy: maybe\n", []string{`d.yaml:2:11: "maybe" is neither`}, "true"},
		"also":              {"d.yaml", "- name: a\n  also: [telnet, everything]\n", []string{`d.yaml:2:18: "everything" is nothing that can be allowed`}, "startup"},
		"host key":          {"d.yaml", "- name: a\n  host_keys: [SHA256:abc]\n", []string{`d.yaml:2:15:`}, "ssh-keygen"},
		"control character": {"d.yaml", "- name: a\n  site: \"x\\ny\"\n", []string{`d.yaml:2:9: site holds the character '\n'`}, ""},
		"circle":            {"d.yaml", "- &a {name: x, <<: *a}\n", []string{"d.yaml:1:"}, ""},
		"no anchor":         {"d.yaml", "- *q\n", []string{"d.yaml:1:3: no anchor", "d.yaml:1:3: expected a mapping"}, ""},
		"twice":             {"d.yaml", "- name: a\n- name: A\n", []string{"d.yaml:2:9: default/A is already at d.yaml:1:9"}, "another name"},
		"customer's case":   {"d.yaml", "- name: Acme/a\n- name: acme/b\n", []string{"d.yaml:2:9: customer acme is written Acme at d.yaml:1:9"}, "one way"},
		"first name taken":  {"d.yaml", "- {name: new, id: old}\n- {name: old}\n", []string{"d.yaml:2:10: default/old and default/new at d.yaml:1:10 would share"}, "first name"},
		"csv name":          {"d.csv", "x;hostname\n1;ok\n2;\"fw (hq)\"\n", []string{`d.csv:3:3: name: "fw (hq)" cannot be a name`}, "fw-hq"},
		"csv no name":       {"d.csv", "name,ip\n,10.0.0.1\n", []string{"d.csv:2:1: a device without a name"}, "needs a name"},
		"csv no header":     {"d.csv", "r1,10.0.0.1\n", []string{"d.csv:1:1: no column for the devices' names"}, "first line"},
		"csv quote":         {"d.csv", "name,ip\na,\"x\n", []string{"d.csv:2:6: "}, "quotes"},
		"csv too many":      {"d.csv", "name,ip\na,b,c\n", []string{"d.csv:2:5: more values than the 2 columns"}, "quotes"},
		"not UTF-8":         {"d.csv", "name,ip\nfw-h\xe5,b\n", []string{"d.csv:2:5: not UTF-8"}, "UTF-8"},
		"form":              {"d.txt", "", []string{"d.txt: not a known form"}, ".csv"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := loadOne(t, c.file, c.text)
			if err == nil {
				t.Fatal("loaded")
			}
			faults := faultsOf(t, err)
			for i, f := range faults {
				if i < len(c.want) && !strings.HasPrefix(f.Err.Error(), c.want[i]) || i >= len(c.want) {
					t.Errorf("error %d: %v", i, f)
				}
			}
			if len(faults) < len(c.want) {
				t.Errorf("only %v", err)
			}
			if !strings.Contains(HintOf(err), c.hint) {
				t.Errorf("hint %q", HintOf(err))
			}
		})
	}
}

func TestNamesAreUniqueOverAllFiles(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"a.yaml": "- name: r1\n  ip: 10.0.0.1\n", "b.csv": "ip,name\n10.0.0.2,R1\n"})
	_, err := Load(dir, []string{"a.yaml", "b.csv", "c.yaml"})
	if err == nil || !strings.Contains(err.Error(), "b.csv:2:10: default/R1 is already at a.yaml:1:9") || !strings.Contains(err.Error(), "c.yaml: no such file") {
		t.Error(err)
	}
}

func TestTheSameAddressTwiceIsAWarning(t *testing.T) {
	t.Parallel()
	inv, err := loadOne(t, "d.csv", "name,ip,zone,port\na,10.0.0.1,,\nb,10.0.0.1,,\nc,10.0.0.1,z,\nd,10.0.0.1,,23\n")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"d.csv:3:1: default/b has the address of default/a at d.csv:2:1"}, inv.Warnings); d != "" {
		t.Error(d)
	}
}

func TestAtMostTwentyErrorsAreSaid(t *testing.T) {
	t.Parallel()
	_, err := loadOne(t, "d.csv", "name\n"+strings.Repeat("a b\n", 33))
	if got := len(faultsOf(t, err)); got != 21 || !strings.HasSuffix(err.Error(), "and 13 more errors") {
		t.Errorf("%d errors: %v", got, err)
	}
}

func TestNoProxyPasswordIsInAnError(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"- name: a\n  proxy: http://u:hunter2@x\n",
		"- name: a\n  proxy: \"socks5://u:hunter2%zz@x\"\n",
		"- name: a\n  proxy: socks5://u:hunter2@x\n  : [\n",
		"- name: a\n  proxy: [socks5://u:hunter2@x]\n",
		"- name: a\n  proxy: {socks5://u:hunter2@x: y}\n",
		"- name: a\n  proxy: socks5://u:hunter2@x\n   y\n z",
		"- name: a\n  proxy: 'socks5://u:hunter2@x\n",
	} {
		_, err := loadOne(t, "d.yaml", text)
		if err == nil {
			t.Errorf("%q loaded", text)
		} else if strings.Contains(fmt.Sprintf("%v %+v %s", err, err, HintOf(err)), "hunter2") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestADeviceIsFoundByNameAlone(t *testing.T) {
	t.Parallel()
	inv, err := loadOne(t, "d.yaml", "[{name: acme/fw-hq}, {name: beta/fw-hq}, {name: acme/core1}, {name: acme/edge, id: fw-old}]")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"acme/fw-hq": "acme/fw-hq", "core1": "acme/core1", "ACME/Core1": "acme/core1", "edge": "acme/edge"} {
		if d, err := inv.Find(name); err != nil || d.String() != want {
			t.Errorf("%s: %v, %v", name, d, err)
		}
	}
	for name, hint := range map[string]string{
		"fw-hq": "acme/fw-hq, beta/fw-hq", "acme/fw-hg": "acme/fw-hq", "cor1": "acme/core1", "fw-old": "renamed acme/edge", "zzzzzzzz": "devices list", "": "devices list",
	} {
		if _, err := inv.Find(name); err == nil || KindOf(err) != Usage || !strings.Contains(HintOf(err), hint) {
			t.Errorf("%q: %v, hint %q", name, err, HintOf(err))
		}
	}
}

func TestDevicesAreSelectedByCustomerAndSite(t *testing.T) {
	t.Parallel()
	inv, err := loadOne(t, "d.yaml", "[{name: acme/a, site: HQ}, {name: acme/b, site: Lab}, {name: beta/c, site: HQ}, {name: beta/d}]")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ customer, site, want, hint string }{
		{"", "", "acme/a acme/b beta/c beta/d", ""},
		{"acme", "", "acme/a acme/b", ""},
		{"Beta", "hq", "beta/c", ""},
		{"", "beta/HQ", "beta/c", ""},
		{"", "lab", "acme/b", ""},
		{"", "HQ", "", "acme/HQ or beta/HQ"},
		{"acm", "", "", "acme"},
		{"beta", "Lab", "", "devices list"},
		{"", "nowhere", "", "devices list"},
	} {
		chosen, err := inv.Select(c.customer, c.site)
		var names []string
		for _, d := range chosen {
			names = append(names, d.String())
		}
		if strings.Join(names, " ") != c.want || (err == nil) != (c.want != "") || !strings.Contains(HintOf(err), c.hint) {
			t.Errorf("%q %q: %v, %v, hint %q", c.customer, c.site, names, err, HintOf(err))
		}
	}
	if _, err := new(Inventory).Select("", ""); !strings.Contains(HintOf(err), "devices add") {
		t.Error(err)
	}
}

// FuzzLoad looks for panics, and for devices that should not have been let in.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"defaults: {customer: a}\ndevices:\n- name: x\n  serial: [1, &a 2, *a]\n", "- &a {name: x, <<: [*a, *a]}\n", "name;ip\n\"a\";1\n", "sep=,\nname\n", "a: &a\n - *a\n",
		"- !!binary x\n- ? [a]\n  : b\n", "--- |\n x\n--- >-\n y\n", "%YAML 1.2\n---\n- {name: |\n x}\n", "{", "\t- x", "*", "&", "<<: *x", "- name: &x\n", ":", "-\n-\n", "\"\\",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, name := range []string{"f.yaml", "f.csv"} {
			var r reader
			r.file(name, []byte(text))
			inv, err := r.inventory()
			if err != nil {
				faultsOf(t, err)
				continue
			}
			for _, d := range inv.Devices {
				if CheckName(d.Name) != nil || CheckName(d.Customer) != nil || d.Address == "" || d.Where.Line == 0 || slices.Contains(d.Serials, "") {
					t.Errorf("%q gave %+v", text, d)
				}
			}
		}
	})
}
