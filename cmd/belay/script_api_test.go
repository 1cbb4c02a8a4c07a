package main

import (
	"crypto/sha256"
	"encoding/base64"
	"net"

	"github.com/rogpeppe/go-internal/testscript"

	"belay/devices/simulator"
)

// scriptAPI serves the API of a device: at a free port, or where another stood,
// which then shows another key.
func scriptAPI(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: api NAME TRANSCRIPT")
	}
	t, err := transcriptOf(args[1])
	ts.Check(err)
	at := ownHost() + ":0"
	shelf := ts.Value(apisKey{}).(map[string]*simulator.WebServer)
	if old := shelf[args[0]]; old != nil {
		at = old.Address()
		ts.Check(old.Close())
	}
	s := &simulator.WebServer{Device: &simulator.Device{T: t, Login: &simulator.Login{User: boxUser, Password: boxPassword}}}
	ts.Check(s.Start(at))
	ts.Defer(func() { _ = s.Close() })
	shelf[args[0]] = s
	sum := sha256.Sum256(s.Certificate.Leaf.RawSubjectPublicKeyInfo)
	_, port, err := net.SplitHostPort(s.Address())
	ts.Check(err)
	ts.Setenv(args[0], s.Address())
	ts.Setenv(args[0]+"_port", port)
	ts.Setenv(args[0]+"_key", "SHA256:"+base64.RawStdEncoding.EncodeToString(sum[:]))
}

// apisKey is where a script's APIs are.
type apisKey struct{}
