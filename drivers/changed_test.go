package drivers_test

import (
	"bytes"
	"strings"
	"testing"

	"belay/drivers"
)

// lines are messages as vendors' documents and recordings have them, without
// priority; a user of "-" is none, of "" no change at all.
func lines() map[string]map[string]string {
	return map[string]map[string]string{
		"cisco_ios": {
			"123: *Mar  1 00:01:02.003: %SYS-5-CONFIG_I: Configured from console by jm on vty0 (192.0.2.5)":                                                 "jm",
			"82: 00:20:10: %SYS-SW1-5-CONFIG_I: Configured from console by cisco on vty0 (192.168.200.1)":                                                   "cisco",
			"Dec 29 07:55:05.324: %DMI-5-CONFIG_I: R0/0: dmiauthd: Configured from NETCONF/RESTCONF by some-admin, transaction-id 589":                      "some-admin",
			"45: sw1: Jan  8 19:46:03: %PARSER-5-CFGLOG_LOGGEDCMD: User:jm  logged command:vlan 10":                                                         "jm",
			"*Mar  1 00:00:03.927: %SYS-5-CONFIG_I: Configured from memory by console":                                                                      "",
			"9: *Mar  1 00:01:02: %SYS-5-RESTART: System restarted --":                                                                                      "",
			"9: *Mar  1 00:01:02: %SEC_LOGIN-4-LOGIN_FAILED: Login failed [user: %SYS-5-CONFIG_I: Configured from console by boss on] [Source: 192.0.2.66]": "",
		},
		"cisco_iosxr": {
			"RP/0/RP0/CPU0:Sep 25 23:27:22.691 UTC: config[67726]: %MGBL-CONFIG-6-DB_COMMIT : Configuration committed by user 'jm'. Use 'show configuration commit changes 1000000024' to view the changes.": "jm",
			"RP/0/RP0/CPU0:Sep 25 23:27:22.691 UTC: exec[68001]: %SECURITY-LOGIN-6-AUTHEN_SUCCESS : Successfully authenticated user 'jm' from 'console' on 'con0_RP0_CPU0'":                                  "",
		},
		"hpe_comware": {
			"Jan  1 07:30:19 2000 sw1 %%10CFGMAN/5/CFGMAN_CFGCHANGED(l): -DevIP=192.0.2.2; -EventIndex=12-CommandSource=2-ConfigSource=4-ConfigDestination=2; Configuration changed.": "-",
			"%Jan  1 07:30:19:542 2000 sw1 CFGMAN/5/CFGMAN_CFGCHANGED: -EventIndex=12-CommandSource=2-ConfigSource=4-ConfigDestination=2; Configuration is changed.":                  "-",
			"Jan  1 07:30:24 2000 sw1 %%10SHELL/5/SHELL_LOGIN: x CFGMAN/5/CFGMAN_CFGCHANGED logged in from 192.0.2.66.":                                                               "",
		},
		"cisco_nxos": {
			"2014 Jun 29 19:20:57 Nexus-7000 %VSHD-5-VSHD_SYSLOG_CONFIG_I: Configured from vty by admin on 172.30.0.1@pts/0": "admin",
			": 2017 Jul 28 14:42:46 UTC: %AUTHPRIV-6-SYSTEM_MSG: pam_unix(dcos_sshd:session): session opened for user luke":  "",
		},
		"cisco_asa": {
			"Nov 08 2013 10:18:30: %ASA-5-111010: User 'johntheuser', running 'CLI' from IP 10.57.127.191, executed 'logging on'":        "johntheuser",
			"Oct 06 2021 15:02:30 10.160.0.10 : %ASA-5-111010: User 'admin', running 'CLI' from IP 0.0.0.0, executed 'terminal pager 0'": "",
			"Nov 14 2013 11:23:36: %ASA-5-111008: User 'johntheuser' executed the 'write memory' command.":                               "",
			"Nov 14 2013 11:23:36: %ASA-5-111008: User 'jm' executed the 'clear configure access-list X' command.":                       "jm",
			"Nov 14 2013 11:23:36: %ASA-6-605005: Login permitted from 192.0.2.1/22 to inside:192.0.2.2/ssh for user \"jm\"":             "",
		},
		"juniper_junos": {
			"Mar  5 14:47:45  sr_hkt mgd[91373]: UI_COMMIT: User 'jm' requested 'commit' operation (comment: none)":                                         "jm",
			"2026-05-09T12:00:00Z srx-1 mgd 3046 UI_COMMIT [junos@2636.1.1.1.2.18 username=\"regress\" command=\"commit\" message=\"none\"] User 'regress'": "regress",
			"Sep 23 10:17:00 MX204 mgd[4410]: UI_COMMIT_COMPLETED: commit complete":                                                                         "-",
			"Mar  5 14:47:45  sr_hkt mgd[91373]: UI_COMMIT: User 'jm' requested 'commit check' operation (comment: none)":                                   "",
			"Mar  5 14:47:45  sr_hkt sshd[1]: Failed password for invalid user 'UI_COMMIT: User 'boss' requested 'commit' operation":                        "",
		},
		"arista_eos": {
			"May  9 12:00:00 edge01 ConfigAgent: %SYS-5-CONFIG_I: Configured from console by admin on vty5 (10.0.0.5)":                                                         "admin",
			"Apr 25 09:29:27 P1 ConfigAgent: %SYS-5-CONFIG_SESSION_COMMIT_SUCCESS: User cvpadmin committed configuration session CVP-1 successfully on TerminAttr (localhost)": "cvpadmin",
			"Apr 25 09:29:29 P1 ConfigAgent: %SYS-5-CONFIG_E: Enter configuration mode from console by admin on vty5 (10.0.0.5)":                                               "",
		},
		"fortios": {
			`date=2025-04-10 time=05:01:53 eventtime=1744286513150014241 tz="-0700" logid="0100044547" type="event" subtype="system" level="information" vd="root" logdesc="Object attribute configured" user="admin" ui="GUI(10.32.22.115)" action="Add" cfgpath="firewall.policy" msg="Add firewall.policy 8"`: "admin",
			`date=2025-04-10 time=05:23:12 devname="fw" devid="FGT1" eventtime=1 tz="-0700" logid="0100044546" type="event" subtype="system" level="information" vd="root" logdesc="Attribute configured" user="jm" ui="ssh(192.0.2.9)" action="Edit"`:                                                           "jm",
			`date=2025-04-10 time=05:23:12 devname="fw" devid="FGT1" eventtime=1 tz="-0700" logid="0100032002" type="event" subtype="system" level="alert" vd="root" logdesc="Admin login failed" user="x logid=0100044547 user="boss" ui="ssh(192.0.2.9)"`:                                                      "",
		},
		"paloalto_panos": {
			"Nov 22 12:11:34 zb-aa-fw01 1,2022/11/22 12:11:33,012501009150,CONFIG,0,2561,2022/11/22 12:11:33,10.251.72.79,,commit,admin,Web,Submitted,,7168767370163388448,0x0,0,0,0,0,,zb-aa-fw01,0,,0": "admin",
			"1,2022/11/22 12:11:33,012501009150,CONFIG,0,2561,2022/11/22 12:11:33,10.251.72.79,,set,admin,Web,Succeeded,vsys/rulebase,1,0x0":                                                             "",
			"1,2022/11/22 12:11:33,012501009150,CONFIG,0,2561,2022/11/22 12:11:33,10.251.72.79,,commit,admin,Web,Unauthorized,,1,0x0":                                                                    "",
		},
		"f5_bigip": {
			"Jan 17 03:35:18 lb-1 notice tmsh[16322]: 01420002:5: AUDIT - pid=16322 user=jm folder=/Common module=(tmos)# status=[Command OK] cmd_data=modify ltm pool p members add { a:80 }":                        "jm",
			"Apr 07 11:39:53 lb-1 notice mcpd[6760]: 01070417:5: AUDIT - client Unknown, user admin - transaction #29194914-3 - object 0 - modify { gtm_rule { gtm_rule_name \"/Common/r\" } }":                       "admin",
			"Oct 27 22:13:10 lb-1 notice mcpd[7427]: 01070417:5: AUDIT - client tmsh, tmsh-pid-30987, user root - transaction #130616968-4 - object 0 - create { userdb_entry {":                                      "root",
			"Jun 01 22:16:36 lb-1 notice tmsh[18057]: 01420002:5: AUDIT - pid=18057 user=belay folder=/Common module=(tmos)# status=[Command OK] cmd_data=show sys version":                                           "",
			"Jun 01 22:16:36 lb-1 notice tmsh[18057]: 01420002:5: AUDIT - pid=18057 user=jm folder=/Common module=(tmos)# status=[01020036:3: The requested Pool was not found.] cmd_data=delete ltm pool x":          "",
			"Jan 17 09:44:14 lb-1 info httpd(pam_audit)[16784]: 01070417:6: AUDIT - user x - RAW: httpd(pam_audit): user=x(x) partition=[All] level=Administrator tty=(unknown) host=192.0.2.5 attempts=1 start=\"\"": "",
		},
		"paloalto_panos_api": {
			"Nov 22 12:11:34 zb-aa-fw01 1,2022/11/22 12:11:33,012501009150,CONFIG,0,2561,2022/11/22 12:11:33,10.251.72.79,,commit,admin,Web,Submitted,,7168767370163388448,0x0,0,0,0,0,,zb-aa-fw01,0,,0": "admin",
			"1,2022/11/22 12:11:33,012501009150,CONFIG,0,2561,2022/11/22 12:11:33,10.251.72.79,,commit,admin,Web,Unauthorized,,1,0x0":                                                                    "",
		},
		"ruckus_icx": {
			"Sep 23 10:16:02 sw-1 , running-config was changed by jm from ssh client 192.0.2.5":                         "jm",
			"Sep 23 10:16:02 sw-1 , startup-config was changed by jm from ssh client 192.0.2.5":                         "jm",
			"Sep 23 10:16:02 sw-1 running-config was changed by  from ssh client 192.0.2.5":                             "-",
			"sw-1, startup-config was changed from console":                                                             "-",
			"2026-09-23T10:16:02Z sw-1 ironware 1 - - running-config was changed by jm from x":                          "jm",
			"running-config was changed by jm from ssh client 192.0.2.5":                                                "jm",
			"Sep 23 10:16:02 sw-1 , SSH login failed by running-config was changed by boss from src IP 192.0.2.66":      "",
			"Sep 23 10:16:02 sw-1 , Security: running-config was changed by boss login to USER EXEC mode":               "",
			"Sep 23 10:16:02 sw-1 , Security: ssh login by , running-config was changed by boss from src IP 192.0.2.66": "",
			"Sep 23 10:16:02 sw-1 , ssh login by jm from src IP 192.0.2.5 to PRIVILEGED mode":                           "",
		},
		"ubnt_edgeos": {
			"Sep 23 10:16:02 edge-1 commit: Successful change to active configuration by user jm":                                                "jm",
			"Sep 23 10:16:02 edge-1 sshd[9]: Invalid user commit: Successful change to active configuration by user boss from 192.0.2.66":        "",
			"Sep 23 10:16:02 edge-1 sshd[9]: Invalid user Sep 23 10:16:02 edge-1 commit: Successful change to active configuration by user boss": "",
			"Sep 23 10:16:02 edge-1 commit[4711]: Successful change to active configuration by user jm":                                          "jm",
			"Sep 23 10:16:02 edge-1 sshd[9]: Accepted password for belay from 192.0.2.5":                                                         "",
		},
		"citrix_netscaler": {
			`08/02/2020:14:53:24  vpx 0-PPE-0 : default CLI CMD_EXECUTED 1488010 0 :  User nsroot - Remote_ip 192.0.2.1 - Command "add lb vserver v HTTP 192.0.2.9 80" - Status "Success"`:    "nsroot",
			`08/02/2020:14:53:24  vpx 0-PPE-0 : default GUI CMD_EXECUTED 1488010 0 :  User jm - Remote_ip 192.0.2.1 - Command "bind lb vserver v -policyName \"a b\"" - Status "Success"`:     "jm",
			`08/02/2020:14:53:24  vpx 0-PPE-0 : default CLI CMD_EXECUTED 1488010 0 :  User belay - Remote_ip 192.0.2.1 - Command "show ns runningConfig" - Status "Success"`:                  "",
			`08/02/2020:14:53:24  vpx 0-PPE-0 : default CLI CMD_EXECUTED 1488010 0 :  User belay - Remote_ip 192.0.2.1 - Command "set cli mode -page OFF" - Status "Success"`:                 "",
			`08/02/2020:14:53:24  vpx 0-PPE-0 : default CLI CMD_EXECUTED 1488010 0 :  User jm - Remote_ip 192.0.2.1 - Command "rm lb vserver x" - Status "ERROR: No such resource [name, x]"`: "",
		},
		"aruba_aoscx": {
			"2026-09-23T10:16:02+07:00 CX8360 hpe-config 2211 - - Event|6801|LOG_INFO|AMM|-|Copying configs from running-config to startup-config": "-",
			"Sep 23 10:16:02 CX8360 hpe-restd: Event|4657|LOG_INFO|AMM|-|User hpe-config Event|6801| logged out of REST session":                   "",
		},
		"aruba_aoss": {
			"Sep 23 10:16:02 192.0.2.7 00612 mgr: Notice-Type='Running Config Change' Event-ID='1' Config-Method='CLI' User-Name='jm' Remote-IP-Address='192.0.2.5'": "jm",
			"Sep 23 10:16:02 192.0.2.7 00179 mgr: SME SSH from 192.0.2.5 - MANAGER Mode":                                                                             "",
		},
		"mikrotik_routeros": {
			"system,info filter rule changed by admin":                                              "admin",
			"Jun 18 20:50:28 edge-router filter rule added by jm":                                   "jm",
			"system,info address changed by winbox-3.41/tcp-msg(winbox):jm@192.0.2.1/action:3 (x)":  "jm",
			"system,info,account user admin logged in from 10.1.101.212 via winbox":                 "",
			"system,error,critical login failure for user x changed by boss from 192.0.2.6 via ssh": "",
		},
		"vyos": {
			"Sep 23 10:16:02 vyos commit: Successful change to active configuration by user vyos":                                            "vyos",
			"Sep 23 10:16:02 vyos sshd[9]: Invalid user commit: Successful change to active configuration by user boss from 192.0.2.66":      "",
			"Sep 23 10:16:02 vyos sshd[9]: Invalid user Sep 23 10:16:02 vyos commit: Successful change to active configuration by user boss": "",
			"Sep 23 10:16:02 vyos commit[4711]: Successful change to active configuration by user jm":                                        "jm",
			"2026-09-23T10:16:02Z vyos commit 77 - - Successful change to active configuration by user jm":                                   "jm",
			"Sep 23 10:16:02 vyos sshd[9]: Accepted publickey for belay":                                                                     "",
		},
		"pfsense": {
			"Jul  1 14:20:00 pfsense php-fpm[36277]: /firewall_rules.php: Configuration Change: admin@192.168.178.75 (Local Database): updated rule": "admin",
			"2026-07-01T14:20:00+00:00 pfsense php-fpm 1 - - /rc.x: Configuration Change: (system): Overwrote previous installation":                 "-",
			"Jul  1 14:20:00 pfsense sshd[3]: Invalid user php: Configuration Change: boss@x from 192.0.2.6":                                         "",
		},
		"opnsense": {
			"2026-07-13T20:00:03 fw audit 1 - - user root@127.0.0.1 changed configuration to /conf/backup/config-1.xml in /api/relayd/settings/set made changes":     "root",
			"2026-07-13T20:00:03 fw audit 1 - - user (jm) changed configuration to /conf/backup/config-1.xml in /tmp/fix.php made changes":                           "jm",
			"2026-07-13T20:00:05 fw audit 1 - - action allowed system.diag.log for user root":                                                                        "",
			"1 2026-07-13T20:00:03+02:00 fw.example audit 4711 - [meta sequenceId=\"3\"] user jm@192.0.2.9 changed configuration to /conf/backup/config-1.xml in /x": "jm",
			"Jul 13 20:00:03 fw audit[4711]: user jm@192.0.2.9 changed configuration to /conf/backup/config-1.xml in /x":                                             "jm",
			"Jul 13 20:00:03 fw sshd[9]: Invalid user audit x user boss changed configuration to /conf/backup/ from 192.0.2.66":                                      "",
			"Jul 13 20:00:03 fw sshd[9]: Invalid user Jul 13 20:00:03 fw audit[1]: user boss changed configuration to /conf/ from 192.0.2.66":                        "",
		},
	}
}

func TestMessagesOfAChangeAreToldFromOthersAndNameWhoMadeIt(t *testing.T) {
	t.Parallel()
	c, err := drivers.Load("")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range c.All() {
		samples := lines()[d.Name]
		for text, want := range samples {
			user, ok := d.Changed.Says(text)
			if ok && user == "" {
				user = "-"
			}
			if ok != (want != "") || user != want {
				t.Errorf("%s: %s\n%q, %v; want %q", d.Name, text, user, ok, want)
			}
		}
		if _, ok := d.Changed.Says(""); ok {
			t.Errorf("%s: an empty message is a change", d.Name)
		}
		source, _ := c.Source(d.Name)
		if says := bytes.Contains(source, []byte("\n  syslog:")); says != (len(samples) > 0) {
			t.Errorf("%s has %d sample messages", d.Name, len(samples))
		}
	}
}

func TestWhatADriverSaysOfChangesIsChecked(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"changed: {poll: {oid: sysUpTime.0}}":                  `changed.poll.oid: "sysUpTime.0" is no object identifier`,
		"changed: {poll: {saved: 1.3.6.1.4.1.9.9.43.1.1.3.0}}": `changed.poll.oid: "" is no`,
		"changed: {poll: {oid: 1.3.6.1.4.1.9.1, saved: .1.3}}": `changed.poll.saved: ".1.3"`,
		"changed: {traps: [.1.3.6.1.4.1.9.9.43.2.0.1]}":        "changed.traps",
		"changed: {syslog: ['x*']}":                            "changed.syslog[0]",
		"changed: {syslog: [x], ignore: ['(']}":                "changed.ignore[0]",
		"changed: {ignore: [x]}":                               "changed: says nothing",
		"changed: {mail: [x]}":                                 `unknown field "mail"`,
	} {
		_, err := drivers.Load(folder(t, false, map[string]string{"acme_os.yaml": acme + text + "\n"}))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	c, err := drivers.Load(folder(t, false, map[string]string{"acme_os.yaml": acme + "changed: {poll: {oid: 1.3.6.1.4.1.9.9.43.1.1.1.0}}\n"}))
	if err != nil {
		t.Fatal(err)
	}
	if d, err := c.Find("acme_os"); err != nil || d.Changed.Poll != "1.3.6.1.4.1.9.9.43.1.1.1.0" || d.Changed.Saved != "" {
		t.Errorf("%+v %v", d, err)
	}
}
