package main

import (
	"fmt"
	"net"
	"net/http"
	"testing"
)

// TestAnotherAddressForPrometheusNeedsNoRestart moves it, also to where only the
// host is another, to one that is taken, and away.
func TestAnotherAddressForPrometheusNeedsNoRestart(t *testing.T) {
	t.Parallel()
	const rest = "inventory: [devices.yaml]\nmaster: {file: ./master.age}\nlogins: {default: {user: belay, password: {file: password}}}\n"
	first, second := freePort(t), freePort(t)
	b := setBench(t, fmt.Sprintf("listen: 127.0.0.1:%d\n", first), "fw")
	b.work(t)
	answers := func(host string, port int) bool {
		t.Helper()
		r, err := http.Get(fmt.Sprintf("http://%s:%d/healthz", host, port))
		if err != nil {
			return false
		}
		return r.Body.Close() == nil && r.StatusCode == http.StatusOK
	}
	move := func(to string) {
		t.Helper()
		b.write(t, "belay.yaml", rest+"listen: \""+to+"\"\n")
		b.reload(t.Context())
	}
	if !answers("127.0.0.1", first) {
		t.Fatal("it does not answer at first")
	}
	move(fmt.Sprintf("127.0.0.1:%d", second))
	if answers("127.0.0.1", first) || !answers("127.0.0.1", second) {
		t.Error("it did not move to another port")
	}
	move(fmt.Sprintf("0.0.0.0:%d", second))
	if !answers("127.0.0.2", second) {
		t.Errorf("it did not move to another host\n%s", b.said())
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close() //nolint:errcheck // a test's own
	move(taken.Addr().String())
	if !answers("127.0.0.2", second) {
		t.Errorf("it gave up its address for one that is taken\n%s", b.said())
	}
	move("")
	if answers("127.0.0.1", second) {
		t.Error("it answers where nothing is to listen")
	}
}
