package drivers_test

import (
	"strings"
	"testing"

	"belay/configs/redact"
	"belay/drivers"
)

// find gives one built-in driver, or ends the test.
func find(t *testing.T, c *drivers.Catalog, name string) *drivers.Driver {
	t.Helper()
	d, err := c.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestPromptsAreKnownInEveryForm: what people call their boxes, which of a pair
// answers, whose context a session is in.
func TestPromptsAreKnownInEveryForm(t *testing.T) {
	t.Parallel()
	c := load(t)
	for name, prompts := range map[string][]string{
		"fortios":           {"fw1 # ", "fw1 $ ", "fw1 (global) # ", "fw-1(Primary) (global) # ", "(M) lb-01 $ ", "fw (vdom-a) #"},
		"fortimanager":      {"FMG-VM64 # ", "faz $ "},
		"sonicwall_sonicos": {"admin@18B169AABBCC> ", "admin@Branch Office 2> ", `CORP\tech@fw>`, "admin@fw(Active)> ", "admin@fw> (Non-Config) "},
		"paloalto_panos":    {"tech@acme.example@fw> ", `corp\tech@fw(active-primary)> `, "admin@PA-5250-vsys2> ", "admin@Panorama(primary-active)>"},
		"checkpoint_gaia":   {"gw-1> ", "gw-1:2> ", "gw-1:2:TACP-0> ", "[Global] gw-ch01-01> ", "[Global:1] gw-s01-01:1 > "},
		"vyos":              {"vyos@vyos:~$ ", `ACME\tech@r1:~$ `, "op@r1> ", "admin@r1# "},
		"ubnt_edgeos":       {"ubnt@ubnt:~$ ", `ACME\tech@edge:~$ `},
		"cumulus":           {"cumulus@leaf01:mgmt:~$ ", "root@leaf01:mgmt-vrf:~# ", `ACME\tech@leaf01:~$ `},
		"nvidia_onyx":       {"sw-1 [standalone: master] > ", "sw-1 [my-vip: master] (config interface ethernet 1/1) # ", "switch > "},
		"nokia_sros":        {"*A:r1>config>router$ ", "A:PE 1 Vilnius# ", "B:pe-1.site# "},
		"nokia_sros_md":     {"*A:admin@r1# ", "A:admin@PE 1# "},
		"alcatel_aos6":      {"-> ", "sw1-> ", "SW_1==> "},
		"alcatel_aos8":      {"-> ", "sw1*-> ", "SW1 #-> ", "admin@sw:~# "},
		"ciena_saos10":      {"sw> ", "sw*> ", "diag@sw> ", "sw (config)*> "},
		"citrix_netscaler":  {"> ", "adc-1-Primary> ", "nsroot@192.0.2.5 ADC 1 Primary> "},
		"a10":               {"vThunder(NOLICENSE)#", "TH-Active-vMaster[1/1][p1](config)#", "lb-Active-gslb:Master#"},
		"cambium_epmp":      {"ap 1> ", "admin@ap1> ", "O'Hara #2> ", "Büro> "},
		"tnsr":              {"edge tnsr# ", "edge tnsr(config)# "},
	} {
		d := find(t, c, name)
		for _, p := range prompts {
			if !d.IsPrompt(p) {
				t.Errorf("%s: %q is no prompt", name, p)
			}
		}
		for _, p := range []string{"", "interface one", "  \"key\": \"value\"", "</profile>", "    edit \"port1\""} {
			if d.IsPrompt(p) {
				t.Errorf("%s: %q is a prompt", name, p)
			}
		}
	}
}

// TestTheFirstAnswerOfOldReleasesFits: nothing is read of a box that does not.
func TestTheFirstAnswerOfOldReleasesFits(t *testing.T) {
	t.Parallel()
	c := load(t)
	for name, said := range map[string]string{
		"fortios":     "Version:                         Fortigate-60B 3.00,build0415,070817\nHostname: fw\n",
		"fortiswitch": "Version:                  FortiSwitch-548B v3.0\n",
		"vyos":        "Version:      1801z\nDescription:  AT&T vRouter 5600 1801z\n",
	} {
		if d := find(t, c, name); !d.Fits([]byte(said)) {
			t.Errorf("%s: %q is refused", name, said)
		}
	}
	for name, said := range map[string]string{
		"fortios":     "Version: FortiSwitch-124E v7.2.3\n",
		"fortiswitch": "Version: FortiGate-60F v7.2.3\n",
		"vyos":        "Cisco IOS Software\n",
	} {
		if d := find(t, c, name); d.Fits([]byte(said)) {
			t.Errorf("%s: %q passes", name, said)
		}
	}
}

// oneSetting holds each pair, a driver and what it reads at two times, to be one text.
func oneSetting(t *testing.T, c *drivers.Catalog, pairs [][3]string) {
	t.Helper()
	for _, p := range pairs {
		rules := find(t, c, p[0]).Rules.Redact
		one, _ := rules.Apply([]byte(p[1]), redact.Key{1})
		other, _ := rules.Apply([]byte(p[2]), redact.Key{1})
		if one.String() != other.String() {
			t.Errorf("%s: %q and %q differ", p[0], one, other)
		}
	}
}

// TestClocksAndNoticesInTheTextAreNoChange: each pair is one setting at two times.
func TestClocksAndNoticesInTheTextAreNoChange(t *testing.T) {
	t.Parallel()
	c := load(t)
	oneSetting(t, c, [][3]string{
		{"sonicwall_sonicos", "time\n    date 2026:02:11\n    time 09:14:27\n    exit\n", "time\n    date 2026:02:12\n    time 02:00:01\n    exit\n"},
		{"fortios", "    set comments \"Error (No order found for account ID 1001) on 2026-02-11 02:00:01\"\n", "    set comments \"Error (No order found for account ID 1001) on 2026-02-12 02:00:07\"\n"},
		{"fortios", "#private-encryption-key=Ab12Cd34Ef56\n", "#private-encryption-key=Zz98Yy76Xx54\n"},
		{"mikrotik_routeros", "\n/ipv6 settings\n# IPv6 - please restart the device in order to apply the new setting\nset a=b\n", "\n/ipv6 settings\nset a=b\n"},
		{"mikrotik_routeros", "\n/interface wifi\n# SSID: acme, channel: 5180/ax/Ceee\nset a=b\n", "\n/interface wifi\n# no connection to CAPsMAN\nset a=b\n"},
		{"mikrotik_routeros", "# 2026-09-21 by RouterOS 7.24\n", "# 2026-09-22 by RouterOS 7.24\n"},
		{
			"pfsense", "\t\t\t<created>\n\t\t\t\t<time>1700000001</time>\n\t\t\t\t<username><![CDATA[Auto]]></username>\n\t\t\t</created>\n",
			"\t\t\t<created>\n\t\t\t\t<time>1700003601</time>\n\t\t\t\t<username><![CDATA[Auto]]></username>\n\t\t\t</created>\n",
		},
		{"citrix_netscaler", "#NS13.0 Build 84.11\n# Last modified Fri Dec  31 12:00:01 2021\n", "#NS13.0 Build 84.11\n# Last modified by `save config`, Sat May  7 12:22:28 2022\n"},
		{"opnsense", "  <revision uuid=\"1\">\n    <time>1.2</time>\n  </revision>\n", "  <revision uuid=\"2\">\n    <time>3.4</time>\n  </revision>\n"},
		{"f5_bigip", "sys disk logical-disk HD1 {\n    size 76800\n    vg-free 20480\n    vg-in-use 43000\n}\n", "sys disk logical-disk HD1 {\n    size 76800\n    vg-free 480\n    vg-in-use 63000\n}\n"},
	})
	// Who made a rule by hand, and when, is told once and stays.
	rule := "\t\t\t<created>\n\t\t\t\t<time>1700000001</time>\n\t\t\t\t<username><![CDATA[tech@192.0.2.7]]></username>\n\t\t\t</created>\n"
	if kept, _ := find(t, c, "pfsense").Rules.Redact.Apply([]byte(rule), redact.Key{1}); kept.String() != rule {
		t.Errorf("pfsense: kept %q", kept)
	}
}

// TestMenusThatRouterOSCouldNotExportLowerTheGrade, and do not refuse the rest: a
// virtual one never can export those of a RouterBOARD.
func TestMenusThatRouterOSCouldNotExportLowerTheGrade(t *testing.T) {
	t.Parallel()
	c := load(t)
	export := "# 2026-02-11 09:14:27 by RouterOS 7.16.1\n# software id = ABCD-EFGH\n#\n/interface bridge\nadd name=lan\n/system identity\nset name=rt\n"
	board := "#error exporting \"/system/routerboard/mode-button\"\n#error exporting \"/system/routerboard/reset-button\"\n#error exporting \"/system/routerboard/wps-button\"\n"
	menu := "#error exporting \"/interface/wifi\" (timeout)\n"
	old := "#error exporting /ip socks\n"
	for text, want := range map[string]int{export: 0, export + board: 0, export + menu: 1, export + old: 1, strings.Replace(export, "/system", menu+"/system", 1): 1} {
		got := bring(t, c, "mikrotik_routeros", []byte(text))
		if bad := refusedBy(got); bad != nil {
			t.Errorf("%q is refused by %v", text, bad)
		}
		n := 0
		for _, m := range got.Grade().Missing {
			if strings.Contains(m, "could not export") {
				n++
			}
		}
		if n != want {
			t.Errorf("%q lacks %q", text, got.Grade().Missing)
		}
	}
	if refusedBy(bring(t, c, "mikrotik_routeros", []byte(export+"#interrupted\n"))) == nil {
		t.Error("an export that was interrupted passes")
	}
}
