package main

import (
	"errors"
	"strings"
	"testing"

	"belay/devices"
)

func TestSettingsOfReceivingAreRefusedWithWhereAndWhy(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"receive: {tftp: '69'}":                                                      `receive: tftp: "69": want HOST:PORT`,
		"receive: {sftp: ':seven'}":                                                  `receive: sftp: ":seven"`,
		"receive: {address: belay.example}":                                          `receive: address: "belay.example" is no IP address`,
		"receive: {host_key: {file: k}}":                                             "receive: host_key is for sftp",
		"receive: {sftp: ':2222', host_key: hunter2}":                                "a secret does not stand in the settings",
		"receive: {ftp: ':21'}":                                                      `unknown field "ftp"`,
		"snmp: {default: {write: {community: hunter2}}}":                             "a secret does not stand in the settings",
		"snmp: {default: {write: {write: {version: 3}}}}":                            "snmp.default.write: holds another write",
		"events: {traps: {listen: ':162', users: [{user: a, write: {version: 3}}]}}": "users[0]: traps write nothing",
	} {
		_, err := settingsOf(t, text)
		if e, ok := errors.AsType[*devices.Error](err); !ok || e.Kind != devices.Usage || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s\n: %v, want %q", text, err, want)
		}
	}
	s, err := settingsOf(t, "receive: {tftp: '127.0.0.1:6969', sftp: ':2222', address: 192.0.2.10, host_key: {file: k}}\nsnmp: {default: {version: 3, user: u, write: {version: 2c, community: {env: W}}}}")
	if err != nil || s.Receive.TFTP != "127.0.0.1:6969" || s.SNMP["default"].Write.Community.Env != "W" {
		t.Errorf("%+v, %v", s, err)
	}
}
