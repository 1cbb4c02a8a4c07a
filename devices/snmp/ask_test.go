package snmp

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"belay/devices"
)

func TestAFewObjectsAreAskedForWithTheDevicesTime(t *testing.T) {
	t.Parallel()
	port, _ := startAgent(t, system+"rocommunity "+community+"\n"+
		"override .1.3.6.1.4.1.9.9.43.1.1.1.0 timeticks 123456\noverride .1.3.6.1.4.1.9.9.43.1.1.3.0 timeticks 0\noverride .1.3.6.1.4.1.1916.1.42.1.2.1.2.1 octet_str Tue-Mar-3\n"+
		"createUser good SHA-256 \""+authSecret+"\" AES \""+privSecret+"\"\nrouser good priv\n")
	const changed, saved, lacks, date = "1.3.6.1.4.1.9.9.43.1.1.1.0", "1.3.6.1.4.1.9.9.43.1.1.3.0", "1.3.6.1.4.1.9.9.43.1.1.2.0", "1.3.6.1.4.1.1916.1.42.1.2.1.2.1"
	for _, c := range []Credentials{v2c(community), v3("good", "SHA256", "AES")} {
		got, err := probe(c).Ask(t.Context(), "127.0.0.1", port, changed, saved, lacks, date)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]Value{changed: {Ticks: true, Number: 123456}, saved: {Ticks: true}, date: {Text: "Tue-Mar-3"}}
		if d := cmp.Diff(want, got.Values); d != "" || got.UpTime == 0 || got.UpTime > 6000 {
			t.Error(got.UpTime, d)
		}
	}
	_, err := probe(v2c(wrongSecret)).Ask(t.Context(), "127.0.0.1", port, changed)
	refused(t, err, devices.Unreachable, "community")
	_, err = probe().Ask(t.Context(), "127.0.0.1", port, changed)
	refused(t, err, devices.Usage, "settings")
}

func TestAnAgentThatHidesItsTimeIsNotBelieved(t *testing.T) {
	t.Parallel()
	port, _ := standIn(t, 60, 0, map[string]string{sysName: "sw"})
	_, err := probe(v2c(community)).Ask(t.Context(), "127.0.0.1", port, sysName)
	refused(t, err, devices.Denied, "system group")
}
