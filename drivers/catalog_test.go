package drivers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"belay/devices"
	"belay/drivers"
)

// folder is a user's drivers: the files given, and a transcript for each driver
// unless bare.
func folder(t *testing.T, bare bool, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "testdata"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if bare {
			continue
		}
		script := strings.TrimSuffix(name, ".yaml") + "-one.txtar"
		if err := os.WriteFile(filepath.Join(dir, "testdata", script), []byte("none\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const acme = `title: Acme OS
aliases: [acmeos]
road: shell
prompt: '^[\w.\-]+[>#] ?$'
more: {ask: '--More-- $', answer: ' '}
gates:
  - {ask: 'Press any key$', answer: "\n"}
enable: {run: enable, when: '> ?$', ask: 'Password: ?$', until: '# ?$'}
failure: ['^% Invalid']
pull:
  - {run: show running-config, keep: running.conf}
complete: {ends: '^end\n*\z', sections: ['^version ']}
grade: {level: restore}
secrets:
  - {name: password, find: '^password (?P<secret>\S+)'}
`

func TestADriverOfTheUsersIsAdded(t *testing.T) {
	t.Parallel()
	dir := folder(t, false, map[string]string{"acme_os.yaml": acme})
	c, err := drivers.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	d, err := c.Find("Acme-OS")
	if err != nil || d.Title != "Acme OS" || d.Origin != dir {
		t.Errorf("%+v %v", d, err)
	}
	if _, ok := c.Source("acme_os"); ok {
		t.Error("it counts as built in")
	}
}

func TestADriverOfTheUsersReplacesABuiltIn(t *testing.T) {
	t.Parallel()
	c, err := drivers.Load(folder(t, false, map[string]string{"cisco_ios.yaml": strings.Replace(acme, "acmeos", "ios", 1)}))
	if err != nil {
		t.Fatal(err)
	}
	if d, err := c.Find("ios"); err != nil || d.Title != "Acme OS" {
		t.Errorf("%+v %v", d, err)
	}
	if _, err := c.Find("iosxe"); err == nil {
		t.Error("an alias of the replaced driver still leads somewhere")
	}
	if _, ok := c.Source("cisco_ios"); ok {
		t.Error("it counts as built in")
	}
	if s := c.Transcripts("cisco_ios"); len(s) != 1 || s[0].Name != "cisco_ios-one.txtar" {
		t.Errorf("transcripts %v", s)
	}
}

func TestABadDriverIsRefusedWithItsPlace(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change [2]string
		want   []string
	}{
		"unknown key":             {[2]string{"road: shell", "road: shell\npromt: x"}, []string{"acme_os.yaml:4:1", `unknown field "promt"`}},
		"unknown key further in":  {[2]string{"{level: restore}", "{level: restore, misses: x}"}, []string{"acme_os.yaml:13:25", `unknown field "misses"`}},
		"no YAML":                 {[2]string{"title: Acme OS", "title: 'Acme"}, []string{"acme_os.yaml:"}},
		"bad pattern":             {[2]string{`'^% Invalid'`, `'^% (Invalid'`}, []string{"acme_os.yaml: failure[0]", "missing closing )"}},
		"pattern for everything":  {[2]string{`'^% Invalid'`, `'x*'`}, []string{"acme_os.yaml: failure[0]", "matches nothing at all"}},
		"question at everything":  {[2]string{`'Press any key$'`, `'(?:Press any key)?'`}, []string{"gates[0].ask", "matches nothing at all"}},
		"no completeness":         {[2]string{`ends: '^end\n*\z', `, ""}, []string{"acme_os.yaml: complete: says neither"}},
		"no sections":             {[2]string{`, sections: ['^version ']`, ""}, []string{"complete.sections"}},
		"a writing command":       {[2]string{"show running-config,", "write memory,"}, []string{`pull[0].run: command "write memory" is not one of the reading commands`}},
		"a command at the gate":   {[2]string{`answer: "\n"`, `answer: "reload\n"`}, []string{"gates[0].answer", "more than one key"}},
		"a command in the pager":  {[2]string{`answer: ' '`, `answer: "q\nconfigure terminal\n"`}, []string{"more[0].answer"}},
		"a command to leave with": {[2]string{"road: shell", "road: shell\nlogout: write erase"}, []string{`logout: "write erase" is not a way to leave`}},
		"a command as Enter":      {[2]string{"road: shell", "road: shell\nreturn: \"\\nreload\\n\""}, []string{"return: "}},
		"a command to enable":     {[2]string{"run: enable", "run: \"enable\\nreload\""}, []string{"enable.run"}},
		"secret without a group":  {[2]string{"?P<secret>", ""}, []string{"secrets[0].find: wants a group"}},
		"a table without rows":    {[2]string{"secrets:\n", "secrets:\n  - {name: x, table: {section: '^cd (.+)$', heading: '^tab (.+)$', secret: /key$}}\n"}, []string{"secrets[0].table.row: missing"}},
		"a table with no group":   {[2]string{"secrets:\n", "secrets:\n  - {name: x, table: {section: '^cd .+$', heading: '^tab (.+)$', row: '^add (.+)$', secret: /key$}}\n"}, []string{"secrets[0].table.section: wants one group"}},
		"a table that finds":      {[2]string{"secrets:\n", "secrets:\n  - {name: x, find: 'x(?P<secret>y)', table: {section: '^cd (.+)$', heading: '^tab (.+)$', row: '^add (.+)$', secret: /key$}}\n"}, []string{"secrets[0]: table stands alone"}},
		"alias of another":        {[2]string{"acmeos", "iosxe"}, []string{`"iosxe" names both acme_os and cisco_ios`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(acme, c.change[0], c.change[1], 1)
			if text == acme {
				t.Fatal("nothing was changed")
			}
			_, err := drivers.Load(folder(t, false, map[string]string{"acme_os.yaml": text}))
			if err == nil {
				t.Fatal("it loads")
			}
			if devices.KindOf(err) != devices.Usage {
				t.Errorf("kind %v", devices.KindOf(err))
			}
			// A clash is seen in the order of the names.
			said := strings.ReplaceAll(err.Error(), "both cisco_ios and acme_os", "both acme_os and cisco_ios")
			for _, want := range c.want {
				if !strings.Contains(said, want) {
					t.Errorf("%q\nsays nothing of %q", said, want)
				}
			}
		})
	}
}

func TestADriverWithoutATranscriptIsRefused(t *testing.T) {
	t.Parallel()
	_, err := drivers.Load(folder(t, true, map[string]string{"acme_os.yaml": acme}))
	if err == nil || !strings.Contains(err.Error(), "acme_os.yaml: no transcript: want testdata/acme_os-WHAT.txtar") {
		t.Error(err)
	}
}

func TestCommandsThatWriteDoNotLoad(t *testing.T) {
	t.Parallel()
	all := []string{
		"write memory", "copy running-config startup-config", "configure terminal", "reload", "set system host-name x",
		"show running-config | redirect flash:x", "show running-config | tee flash:x", "show running-config | append flash:x",
		"show configuration | save /var/tmp/x", "show running-config > x", "show running-config; reload", "show x && reload", "show x & reload",
		"display current-configuration > x.cfg", "display diagnostic-information x.tgz", "show tech-support", "show tech-support file disk0:x", "show tech local-file",
		"show \x15reload", "show \x08\x08\x08\x08\x08reload", "show x\x1a", "show x\u2028reload", "show x\treload", "show version\rreload", "show version\nreload",
		"show `reboot`", "show $(reboot)", "show ${x}", "show !reboot", "show \\", "show ?",
		"cat /etc/passwd /dev/watchdog", "cat /dev/watchdog", "cat /etc/../dev/watchdog", "cat /etc/{a,b}", "cat -", "cat x>y", "cat /conf/config.xml | tee x", "cat /tmp/x", "config show json x", "config set x y", "config save", "config apply", "cat /tmp/system.cfg x", "sort -o /tmp/x /tmp/system.cfg", "sort /tmp/system.cfg -o /tmp/x",
		"rm -rf / print", "/sbin/reboot print", "reload print", "/system script run print", "/interface disable print", "/user remove print", "/system identity set name= print",
		"/export file=x", "/export show-sensitive file=x", "/system resource print file=x", "/ip address print append",
		"more http://192.0.2.1/x", "more tftp:x", "more ftp://192.0.2.1/x", "more /dev/mem", "dir ftp://192.0.2.1/", "dir tftp:x", "show file ftp://192.0.2.1/x",
		"vtysh -c 'show version' -c 'configure terminal'", "vtysh -c 'configure terminal'", "vtysh -c 'show version'; reboot", "vtysh -c \"show x\"",
		`cli -c "show configuration | save /x"`, `cli -c "configure"`, `cli -c "show x" reboot`, `cli -c "show x\"; reboot"`,
		"export config to ftp", "export config to console x", "export config", "tmsh -q modify sys db x", "tmsh -q save sys config", "tmsh -q list x", "tmsh", "list x", "set clienv rows 50", "set cli mode -page ON", "set cli mode -total ON", "switch ns partition", "set virtual-system", "set virtual-system 1 x", "set clienv config-lock on", "export muvpn user to console",
		"terminal monitor", "terminal default", "set cli idle-timeout 0 x", "set cli pager off x", "no paging x", "hostname new", "uname x", "sysctl -w a=b", "kenv a=b", "kenv -q smbios.a=b",
		"nv config apply", "nv config save", "nv set system hostname x", "nv action reboot system", "net commit", "net del all", "no cli session paging enable x", "no more x",
		"admin save", "admin show tech-support", "admin show running-config x", "admin display-config x", "admin reboot", "uci set system.x=y", "uci commit", "ubus call system reboot", "ubus call file exec", "sysupgrade -b /tmp/x", "sysupgrade -n x",
		"configuration save", "configuration show x", "chassis show x", "software install", "set more off x",
		"changeto context", "changeto context a b", "changeto admin",
		"disable clipaging", "disable clipaging session x", "disable ssh2", "terminal more disable x", "readscript x", "sysinfo x", "sys reboot", "sys version x", "mca-cli-op set-default", "mca-cli-op info x",
		" show version", "show version ", "",
	}
	_, err := drivers.Load(folder(t, false, map[string]string{"acme_os.yaml": running(all)}))
	if err == nil {
		t.Fatal("it loads")
	}
	for i, command := range all {
		if !strings.Contains(err.Error(), fmt.Sprintf("pull[%d].run: command", i+1)) {
			t.Errorf("%q loads", command)
		}
	}
}

func TestCommandsThatReadLoad(t *testing.T) {
	t.Parallel()
	all := []string{
		"show", "show running-config view full", "show configuration | display set | no-more", "show running-config | include ^hostname",
		"display current-configuration", "get system status", "more system:running-config", "more nvram:startup-config", "dir flash:", "dir",
		"cat /cf/conf/config.xml", "/bin/cat /conf/config.xml", "cat /usr/local/etc/version", "/ip address print detail", "/export terse",
		"vtysh -c 'show running-config'", `cli -c "show version"`, "terminal length 0", "no page",
	}
	if _, err := drivers.Load(folder(t, false, map[string]string{"acme_os.yaml": running(all)})); err != nil {
		t.Error(err)
	}
}

// running is a driver that types all of these behind its own first command.
func running(all []string) string {
	step := "  - {run: show running-config, keep: running.conf}\n"
	var more strings.Builder
	for _, command := range all {
		more.WriteString("  - {run: " + quoted(command) + "}\n")
	}
	return strings.Replace(acme, step, step+more.String(), 1)
}

// quoted is a YAML string in double quotes.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\x15", `\x15`, "\x08", `\b`, "\x1a", `\x1a`, "\u2028", `\u2028`).Replace(s) + `"`
}

// TestOtherToolsNamesLead: whoever comes from netmiko, scrapli, Oxidized,
// RANCID or NetBox need not rename anything.
func TestOtherToolsNamesLead(t *testing.T) {
	t.Parallel()
	c := load(t)
	for driver, names := range map[string]string{
		"cisco_ios":         "cisco_ios cisco_xe ios iosxe ios-xe cisco-ios cisco_iosxe cisco_ios_ssh IOS",
		"cisco_nxos":        "nxos cisco_nxos nx-os cisco-nx-os",
		"cisco_asa":         "asa cisco_asa cisco-asa cisco_asa_ssh",
		"fortios":           "fortios fortigate fortinet fortinet-fortios",
		"juniper_junos":     "junos juniper juniper_junos juniper-junos",
		"aruba_aoscx":       "aoscx aruba_aoscx aos-cx arubaos-cx",
		"aruba_aoss":        "aoss hp_procurve procurve aruba_osswitch aruba_procurve arubaos-switch",
		"arista_eos":        "eos arista_eos arista-eos",
		"paloalto_panos":    "panos paloalto_panos palo_alto",
		"sonicwall_sonicos": "sonicos sonicwall sonicwall_sonicos",
		"mikrotik_routeros": "routeros mikrotik_routeros mikrotik mikrotik-routeros",
		"vyos":              "vyos vyatta_vyos vyatta",
		"pfsense":           "pfsense pf_sense",
		"opnsense":          "opnsense OPNsense",
		"frr":               "frr frrouting",
		"cisco_smb":         "cisco_s300 cisco_s200 ciscosmb",
		"cisco_iosxr":       "cisco_xr iosxr cisco_iosxr ios-xr",
		"cisco_aireos":      "aireos cisco_wlc cisco_wlc_ssh",
		"cisco_ftd":         "cisco_ftd firelinuxos",
		"hpe_comware":       "hp_comware comware h3c",
		"huawei_vrp":        "huawei vrp huawei_vrp huawei_vrpv8",
		"dell_os6":          "dell_os6 os6 dell_dnos6",
		"dell_os9":          "dell_os9 dell_force10 ftos dnos",
		"dell_os10":         "dell_os10 os10",
		"dell_powerconnect": "dell_powerconnect powerconnect dellx",
		"aruba_os":          "aruba_os aosw",
		"aruba_instant":     "arubainstant",
		"juniper_screenos":  "juniper_screenos screenos netscreen",
		"fs_fsos":           "fsos",
		"cumulus":           "cumulus cumulus_linux cumulus-linux nvue nclu",
		"nvidia_onyx":       "onyx mlnxos mellanox mellanox_mlnxos mellanox-onyx",
		"nokia_sros":        "sros nokia_sros alcatel_sros nokia-sros timos",
		"alcatel_aos6":      "aos aos6",
		"alcatel_aos8":      "aos7 aos8 alcatel_aos omniswitch",
		"sonic":             "sonic edgecore_sonic asternos",
		"dell_sonic":        "dell_sonic enterprise_sonic",
		"openwrt":           "openwrt OpenWrt lede",
		"tnsr":              "tnsr netgate_tnsr",
		"garderos":          "garderos garderos_grs",
		"perle":             "perle perle_iolan",
		"ciena_saos10":      "saos10 ciena_saos10",
	} {
		for name := range strings.FieldsSeq(names) {
			if d, err := c.Find(name); err != nil || d.Name != driver {
				t.Errorf("%s: %v, want %s", name, err, driver)
			}
		}
	}
	if _, err := c.Find("windows"); devices.KindOf(err) != devices.Usage || devices.HintOf(err) == "" {
		t.Error(err)
	}
	if _, err := c.Find(""); devices.KindOf(err) != devices.Usage {
		t.Error(err)
	}
}
