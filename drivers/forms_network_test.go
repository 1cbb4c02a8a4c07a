package drivers_test

import (
	"slices"
	"testing"

	"belay/configs/redact"
)

// TestPromptsOfNetworkDevicesAreKnownInEveryForm: privileges, modes, members of a
// stack, contexts, and what else stands beside a name.
func TestPromptsOfNetworkDevicesAreKnownInEveryForm(t *testing.T) {
	t.Parallel()
	c := load(t)
	for name, prompts := range map[string][]string{
		"cisco_ios":            {"sw1>", "sw1#", "sw1(config-if)#", "R1-stby#", "sw_1.acme.example#", "r1(tcl)#", "Core~1%2#"},
		"cisco_iosxr":          {"RP/0/RSP0/CPU0:r1#", "RP/0/RP0/CPU0:r1(admin)#", "sysadmin-vm:0_RP0#"},
		"cisco_nxos":           {"n5k-1# ", "n7k-vdc2# ", "sw(boot)# ", "sw(config-if)# ", "sw%management# ", "tech@sw# "},
		"cisco_asa":            {"fw> ", "fw# ", "fw/pri/act# ", "fw/act/ctx-1# ", "fw/ctx-1(config)# "},
		"cisco_ftd":            {"> ", "firepower> ", "firepower# "},
		"cisco_smb":            {"switch0a1b2c#", "SG300-10>", "sw(config)#"},
		"cisco_aireos":         {"(Cisco Controller) >", "(wlc-1) config>"},
		"arista_eos":           {"leaf1>", "leaf1#", "leaf1(s1)#", "leaf1.14:57:42#", "leaf1(config-if-Et1)#"},
		"aruba_aoscx":          {"6300# ", "sw-1(config)# ", "sw> "},
		"aruba_aoss":           {"HP-2530-24# ", "ProCurve Switch 2650> ", "sw(vlan-10)# "},
		"aruba_os":             {"AP-1# ", "(vmc) [mynode] #", "(wlc) ^[mynode] #", "(wlc) *[/] #", "(wlc) [mm] (config) #", "(Aruba3400) >"},
		"aruba_instant":        {"ap-1# ", "IAP 2 > ", "ap-1 (config) # "},
		"hpe_comware":          {"<H3C>", "[H3C]", "<core sw>", "RBM_P<fw-1>", "[sw-Vlan-interface1]"},
		"huawei_vrp":           {"<HUAWEI>", "[HUAWEI]", "[~CE1]", "[*CE1-aaa]", "HRP_M<fw-1>", "HRP_S[fw-1]"},
		"dell_os6":             {"console>", "N2048 rack 1#", "sw(config)#"},
		"dell_os9":             {"Dell#", "Force10>", "sw(conf-if-te-0/1)#"},
		"dell_os10":            {"OS10# ", "leaf-1(config)# "},
		"dell_powerconnect":    {"console#", "PC 5524> "},
		"fs_fsos":              {"FS>", "S5860-20SQ#", "sw(config)#", "Switch_config#"},
		"juniper_screenos":     {"ssg5-> ", "fw(M)-> ", "fw(vsys1)-> ", "fw:acme(M)-> "},
		"ruckus_icx":           {"SSH@icx>", "SSH@ICX7150-48 Router#", "telnet@mlx(config)#", "icx#"},
		"brocade_nos":          {"sw0# ", "VDX6740-1(config)# "},
		"extreme_exos":         {"X440-24t.1 # ", "* sw.23 # ", "* Slot-1 Stack.12 # ", "! sw.4 # ", "(pacman debug-mode) sw.5 # ", "sw:3 > "},
		"extreme_voss":         {"VSP-4850:1>", "vsp:1#", "vsp:1(config)#"},
		"extreme_boss":         {"ERS4850>", "4850GTS#", "sw(config)#"},
		"netgear_managed":      {"(M4300-8X8F) >", "(GS748T -+.v4)#", "10sw011# ", "(sw 1) (Config)#"},
		"netgear_smart":        {"GS752TPP# ", "sw-1> "},
		"tplink_jetstream":     {"TL-SG3210#", "T2600G-28TS>", "sw(config-if)#"},
		"dlink_old":            {"DES-3526:admin#", "DGS-3627:5#", "DGS-3100# ", "sw 1:4#"},
		"dlink_new":            {"Switch>", "DGS-1510#", "sw(config)#"},
		"alliedtelesis_awplus": {"awplus>", "awplus#", "x510-1(config)#"},
		"zyxel_switch":         {"XGS4600#", "GS1900# ", "sw 1> "},
		"zyxel_zld":            {"Router>", "usg40#", "Router(config)#"},
		"ubnt_edgeswitch":      {"(UBNT EdgeSwitch) >", "(sw-1) #", "(sw) (Config)#"},
	} {
		for _, p := range prompts {
			if !find(t, c, name).IsPrompt(p) {
				t.Errorf("%s: %q is no prompt", name, p)
			}
		}
	}
}

// TestTheFirstAnswerOfRareModelsFits: nothing is read of a box whose does not.
func TestTheFirstAnswerOfRareModelsFits(t *testing.T) {
	t.Parallel()
	c := load(t)
	for name, said := range map[string]string{
		"cisco_asa":   "FWSM Firewall Version 4.1(5) <context>\nDevice Manager Version 6.2(2)F\n",
		"cisco_ftd":   "-------------------[ fw-1 ]--------------------\nModel                     : Cisco ASA5506-X Threat Defense (75) Version 6.2.2 (Build 81)\nUUID                      : 0c5a1e00\n",
		"fs_fsos":     "System description : Data Center Switch(N5860-48SC)\nSystem uptime      : 12:01:11:33\n",
		"hpe_comware": "3Com Corporation\nSwitch 4500 26-Port Software Version 3Com OS V3.03.02s168p05\n",
		"ruckus_icx":  "  Copyright (c) Ruckus Networks, Inc. All rights reserved.\n    UNIT 1: compiled on Jan 1 2023\n",
	} {
		if !find(t, c, name).Fits([]byte(said)) {
			t.Errorf("%s: %q is refused", name, said)
		}
	}
	for name, said := range map[string]string{
		"cisco_asa": "Cisco IOS Software, C2960X Software\n",
		"cisco_ftd": "Cisco Adaptive Security Appliance Software Version 9.12(4)67\n",
		"fs_fsos":   "Cisco IOS Software, C2960X Software\n",
	} {
		if find(t, c, name).Fits([]byte(said)) {
			t.Errorf("%s: %q passes", name, said)
		}
	}
}

// TestSmallAndOddConfigurationsAreWhole: as little as a device may have, with the
// header of another release or a line that others do not write.
func TestSmallAndOddConfigurationsAreWhole(t *testing.T) {
	t.Parallel()
	c := load(t)
	const junos = "version \"12.3R6.6 [builder]\";\nsystem {\n    host-name r1;\n}\npoe {\n    interface all;\n}\n"
	for name, texts := range map[string][]string{
		"cisco_iosxr": {
			"!! IOS XR Configuration 6.1.4\n!\nhostname r1\nend\n",
			"Tue Sept  3 10:10:10.123 UTC\n\n!! IOS XR Configuration version = 5.3.3\nhostname r1\nend\n\n",
			"Tue Sept  3 10:10:10.123 GMT +2\nBuilding configuration...\n\n!! IOS XR Configuration 7.9.2\n!! Last configuration change at Tue Sep  3 10:10:10 2024 by a\ninterface preconfigure Hu0/0/0/0\n!\nend\n",
		},
		"cisco_nxos":       {"\n!Command: show running-config\n!No configuration change since last restart\n!Time: Tue Sep  3 10:10:10 2024\n\nversion 9.3(8) Bios:version\nhostname sw\n\ninterface mgmt0\n  vrf member management\n"},
		"hpe_comware":      {"#\n version 5.20, Release 1808P06\n#\n sysname H3C\n#\nvlan 1\n#\n\nreturn\n\n"},
		"huawei_vrp":       {"[V200R009C00SPC500]\n#\n sysname AR\n#\naaa \n#\ninterface Vlanif1\n#\nreturn\n"},
		"juniper_junos":    {junos, "{master:0}\n" + junos, "## Last changed: 2024-09-03 10:10:10 UTC by root\n/* site:\n * hq */\n" + junos + "\n{master:0}\n", junos + "{primary:node0}"},
		"fs_fsos":          {"!<stackingDB>00</stackingDB>\n!<stackingMac>01_00-00-5e-00-53-01_00</stackingMac>\n!\nhostname sw\n!\ninterface ethernet 1/1\n!\nend\n"},
		"ruckus_icx":       {"!Building configuration...\n!Current configuration : 1234 bytes\n!\nver 12.4.00T403\n!\nend\n"},
		"dell_os6":         {"!Current Configuration:\n!System Description \"PCT6248, 3.3.14.2, VxWorks 6.5\"\n!System Software Version 3.3.14.2\n!\nconfigure\nvlan database\nexit\nexit\n"},
		"cisco_asa":        {": Saved\n:\nASA Version 9.1(2) <context>\n!\nhostname ctx-1\nCryptochecksum:00\n: end\n", "FWSM Version 4.1(5)\n!\nhostname fw\n: end\n"},
		"cisco_ftd":        {"NGFW Version 6.2.3.10 \n!\ninterface GigabitEthernet0/0\nCryptochecksum:00\n: end\n\n"},
		"dell_os9":         {"! Version 7.8.1.0\nhostname Force10\nend\n"},
		"extreme_voss":     {"Preparing to Display Configuration...\n#\n# Tue Sep 03 10:10:10 2024 UTC\n# box type             : VSP-4850GTS\n# software version     : 8.1.0.0\n#\nconfig terminal\nend\n"},
		"zyxel_switch":     {"\n  Building configuration...\n\n  Current configuration:\n\nvlan 1\n  name 1\nexit\n"},
		"cisco_smb":        {"vlan database\nexit\nip ssh server\n"},
		"tplink_jetstream": {"!TL-SG3210\n#\ninterface gigabitEthernet 1/0/1\n#\nend\n"},
	} {
		for _, text := range texts {
			if bad := refusedBy(bring(t, c, name, []byte(text))); bad != nil {
				t.Errorf("%s: %q is refused by %q", name, text, bad)
			}
		}
	}
}

// TestWhatNetworkDevicesWriteByThemselvesIsNoChange: each pair is one
// configuration at two times.
func TestWhatNetworkDevicesWriteByThemselvesIsNoChange(t *testing.T) {
	t.Parallel()
	c := load(t)
	oneSetting(t, c, [][3]string{
		{"cisco_ios", "No time source, *10:10:10.123 UTC Tue Sep 3 2024\nhostname r1\n", "Time source is NTP, 11:11:11.111 UTC Wed Sep 4 2024\nhostname r1\n"},
		{
			"cisco_ios", "interface Tunnel1\n tunnel mpls traffic-eng bandwidth 1200\n tunnel mpls traffic-eng path-option 1 dynamic\n tunnel mpls traffic-eng auto-bw frequency 900\n",
			"interface Tunnel1\n tunnel mpls traffic-eng bandwidth 800\n tunnel mpls traffic-eng path-option 1 dynamic\n tunnel mpls traffic-eng auto-bw frequency 900\n",
		},
		{"cisco_iosxr", "Tue Sep  3 10:10:10.123 UTC \nhostname r1\n", "Wed Sept  4 11:11:11.111 UTC\nhostname r1\n"},
		{"cisco_nxos", "!No configuration change since last restart\n!Time: Tue Sep  3 10:10:10 2024\nhostname sw\n", "!Running configuration last done at: Wed Sep  4 10:10:10 2024\n!Time: Wed Sep  4 11:11:11 2024\nhostname sw\n"},
		{"cisco_aireos", " interface nat-address management set -1073745272.18.0.0\n sysname wlc\n", " interface nat-address management set 1073745001.18.0.0\n sysname wlc\n"},
		{"juniper_junos", "version 20.4R3;\nsystem {\n}\n{master:0}\n", "version 20.4R3;\nsystem {\n}\n{backup:1}\n"},
		{"ruckus_icx", "!Current configuration : 1234 bytes\nver 12.4.00T403\n", "!Current configuration : 1240 bytes\nver 12.4.00T403\n"},
		{"netgear_managed", "!Current SNTP Syncronized Time: Tue\nconfigure\n", "!Current SNTP Syncronized Time: Wed\nconfigure\n"},
		{"extreme_exos", "create account admin hivemanager encrypted \"$5$ab12cd$ef34ghijklmn\"\n", "create account admin hivemanager encrypted \"$5$zz98yy$xx76wvutsrqp\"\n"},
	})
	// A bandwidth that a person set stays.
	tunnel := "interface Tunnel1\n tunnel mpls traffic-eng bandwidth 1200\n!\ninterface Tunnel2\n tunnel mpls traffic-eng auto-bw frequency 900\n"
	if kept, _ := find(t, c, "cisco_ios").Rules.Redact.Apply([]byte(tunnel), redact.Key{1}); kept.String() != tunnel {
		t.Errorf("cisco_ios: kept %q", kept)
	}
}

// TestAConfigurationAloneTellsWhoItIs: where the other commands are not understood.
func TestAConfigurationAloneTellsWhoItIs(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, p := range []struct{ driver, text, hostname, model, version string }{
		{"cisco_nxos", "version 9.3(8) Bios:version 05.39\nhostname leaf-1\n", "leaf-1", "", "9.3(8)"},
		{"cisco_iosxr", "!! IOS XR Configuration 7.9.2\nhostname pe-1\n", "pe-1", "", "7.9.2"},
		{"cisco_aireos", " sysname wlc 1\n", "wlc 1", "", ""},
		{"arista_eos", "! device: leaf-1 (DCS-7050TX-64, EOS-4.28.9M)\n", "leaf-1", "DCS-7050TX-64", "4.28.9M"},
		{"aruba_aoscx", "!Version ArubaOS-CX FL.10.10.1070\nhostname acc-1\n", "acc-1", "", "FL.10.10.1070"},
		{"aruba_aoss", "; J9775A Configuration Editor; Created on release #YA.16.10.0014\nhostname \"SW 1\"\n", "SW 1", "J9775A", "YA.16.10.0014"},
		{"tplink_jetstream", "hostname \"sw-1\"\n", "sw-1", "", ""},
		{"dell_os10", "! Version 10.5.2.3\nhostname leaf-1\n", "leaf-1", "", "10.5.2.3"},
		{"juniper_junos", "version 13.2X51-D35.3;\nsystem {\n    host-name ex-1;\n}\n", "ex-1", "", "13.2X51-D35.3"},
	} {
		got := bring(t, c, p.driver, []byte(p.text)).Identity
		if got.Hostname != p.hostname || got.Model != p.model || got.Version != p.version {
			t.Errorf("%s: %q tells of %+v", p.driver, p.text, got)
		}
	}
	if got := bring(t, c, "cisco_ios", []byte("Processor board ID FHK102K1K1K, with hardware revision 0000\n")).Identity; !slices.Equal(got.Serials, []string{"FHK102K1K1K"}) {
		t.Errorf("cisco_ios: %q", got.Serials)
	}
}
