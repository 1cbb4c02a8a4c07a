package main

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

func TestTheDoctorTriesEveryPortThatTheServiceIsToListenAt(t *testing.T) {
	t.Parallel()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close() //nolint:errcheck // a test's own
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close() //nolint:errcheck // likewise
	held := map[string]string{"listen": tcp.Addr().String(), "events.syslog.udp": udp.LocalAddr().String(), "events.syslog.tcp": tcp.Addr().String(),
		"events.syslog.tls": tcp.Addr().String(), "events.traps": udp.LocalAddr().String()}
	for _, word := range []string{"", "listen", "events.syslog.udp", "events.syslog.tcp", "events.syslog.tls", "events.traps"} {
		at := func(name string) string {
			if name == word {
				return held[name]
			}
			return "127.0.0.1:0"
		}
		s, err := settingsOf(t, fmt.Sprintf("listen: '%s'\nevents:\n  syslog: {udp: '%s', tcp: '%s', tls: {listen: '%s', certificate: a, key: {file: b}}}\n  traps: {listen: '%s', communities: [{file: c}]}\n",
			at("listen"), at("events.syslog.udp"), at("events.syslog.tcp"), at("events.syslog.tls"), at("events.traps")))
		if err != nil {
			t.Fatal(err)
		}
		s.Data = t.TempDir()
		found := checkPorts(t.Context(), &patient{workspace: &workspace{settings: s}})
		if len(found) != len(held) {
			t.Errorf("%d ports were tried: %v", len(found), found)
		}
		for _, f := range found {
			wrong := word != "" && strings.HasPrefix(f.Detail, word+": ")
			if wrong != (f.State == failed) || wrong && !strings.Contains(f.Detail, "in use") {
				t.Errorf("with %q held: %+v", word, f)
			}
		}
	}
	s, err := settingsOf(t, "inventory: []\n")
	if err != nil {
		t.Fatal(err)
	}
	if found := checkPorts(t.Context(), &patient{workspace: &workspace{settings: s}}); len(found) != 1 || found[0].State != well {
		t.Errorf("without any: %v", found)
	}
}
