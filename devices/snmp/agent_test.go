package snmp

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gosnmp/gosnmp"
)

// A log gathers what the agent writes.
type log struct {
	sync.Mutex
	b bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.Lock()
	defer l.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.Lock()
	defer l.Unlock()
	return l.b.String()
}

// startAgent runs net-snmp's own agent with a configuration and returns its port
// and what it says of the configuration.
func startAgent(t *testing.T, config string) (int, *log) {
	t.Helper()
	path, err := exec.LookPath("snmpd")
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/snmpd")
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("net-snmp's agent is not installed: apt-get install snmpd")
		}
		t.Skip("net-snmp's agent is not installed: apt-get install snmpd")
	}
	// Another process may take the port between our giving it up and the agent's taking it.
	for range 3 {
		if port, said, ok := tryAgent(t, path, config); ok {
			return port, said
		}
	}
	t.Fatal("the agent did not start")
	return 0, nil
}

func tryAgent(t *testing.T, path, config string) (int, *log, bool) {
	t.Helper()
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	port := socket.LocalAddr().(*net.UDPAddr).Port
	if err := socket.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "snmpd.conf")
	config = fmt.Sprintf("agentaddress udp:127.0.0.1:%d\nrocommunity areyouthere 127.0.0.1 .1.3.6.1.2.1.1.3\n%s", port, config)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	said := new(log)
	agent := exec.Command(path, "-f", "-r", "-Lo", "-C", "-c", file, "-p", filepath.Join(dir, "pid"), "-I", "-smux")
	agent.Env = append(os.Environ(), "SNMP_PERSISTENT_DIR="+dir, "MIBS=", "MIBDIRS="+dir)
	agent.Stdout, agent.Stderr = said, said
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- agent.Wait() }()
	t.Cleanup(func() {
		if err := agent.Process.Kill(); err != nil {
			t.Log(err)
		}
		if err := <-ended; err == nil {
			t.Error("the agent ended by itself")
		}
	})
	asker := &gosnmp.GoSNMP{Target: "127.0.0.1", Port: uint16(port), Community: "areyouthere", Version: gosnmp.Version2c, Timeout: 200 * time.Millisecond}
	if err := asker.Connect(); err != nil {
		t.Fatal(err)
	}
	defer asker.Close()
	for range 50 {
		if _, err := asker.Get([]string{sysUpTime}); err == nil {
			return port, said, true
		}
		select {
		case err := <-ended:
			t.Logf("the agent ended: %v\n%s", err, said)
			ended <- err
			return 0, nil, false
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Logf("the agent does not answer\n%s", said)
	return 0, nil, false
}

// system is what every agent of these tests says of itself.
const system = `
sysDescr Cisco IOS Software, C2960X Software (C2960X-UNIVERSALK9-M), Version 15.2(4)E10, RELEASE SOFTWARE (fc2)
sysObjectID .1.3.6.1.4.1.9.1.1208
sysName sw-hq
sysLocation Rack 1
`

// row is a row of the table of parts.
func row(index, class, in int, serial, model, version string) string {
	var b strings.Builder
	set := func(column, kind, value string) {
		if value != "" {
			fmt.Fprintf(&b, "override %s%s.%d %s %s\n", entPhysical, column, index, kind, value)
		}
	}
	set("4", "integer", fmt.Sprint(in))
	set("5", "integer", fmt.Sprint(class))
	set("10", "octet_str", version)
	set("11", "octet_str", serial)
	set("13", "octet_str", model)
	return b.String()
}
