package snmp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gosnmp/gosnmp"

	"belay/devices"
)

// The canaries: secrets that must be in no error.
const (
	community   = "canary-community"
	authSecret  = "canary-auth-password"
	privSecret  = "canary-privacy-password"
	wrongSecret = "canary-wrong-password"
)

func v2c(community string) Credentials {
	return Credentials{Version: "2c", Community: devices.NewSecret(community)}
}

func v3(user, auth, privacy string) Credentials {
	return Credentials{Version: "3", User: user, AuthProtocol: auth, AuthPassword: devices.NewSecret(authSecret),
		PrivacyProtocol: privacy, PrivacyPassword: devices.NewSecret(privSecret)}
}

func probe(c ...Credentials) Probe {
	return Probe{Credentials: c, Timeout: 400 * time.Millisecond, Retries: 1}
}

// refused checks an error of Identify's: its kind, its hint, and that it holds no
// secret however it is printed.
func refused(t *testing.T, err error, kind devices.Kind, hint string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if devices.KindOf(err) != kind || !strings.Contains(devices.HintOf(err), hint) {
		t.Errorf("kind %d, %v, hint %q", devices.KindOf(err), err, devices.HintOf(err))
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if text := fmt.Sprintf("%v %+v %#v %s", e, e, e, devices.HintOf(e)); strings.Contains(text, "canary") {
			t.Errorf("a secret in %s", text)
		}
	}
}

func TestTheAgentSaysWhoTheStackIs(t *testing.T) {
	t.Parallel()
	config := system + "rocommunity " + community + "\n" + row(1, 11, 0, "", "", "") +
		row(1001, 3, 1, "FOC1A", "WS-C2960X-48", "15.2(4)E10") + row(1002, 10, 1001, "PORT", "x", "") +
		row(2001, 3, 1, "FOC2B", "WS-C2960X-24", "15.2(4)E10") + row(2002, 5, 2001, "", "", "") + row(2003, 3, 2002, "BLADE", "", "") +
		"override .1.3.6.1.4.1.9.3.6.3.0 octet_str typed-by-a-person\n"
	port, _ := startAgent(t, config)
	got, err := probe(v2c(community)).Identify(t.Context(), "127.0.0.1", port)
	if err != nil {
		t.Fatal(err)
	}
	if got.UpTime <= 0 || got.UpTime > time.Minute {
		t.Errorf("up for %v", got.UpTime)
	}
	got.UpTime = 0
	want := Answer{
		Identity:    devices.Identity{Hostname: "sw-hq", Model: "WS-C2960X-48", Version: "15.2(4)E10", Serials: []string{"FOC1A", "FOC2B"}, ObjectID: ".1.3.6.1.4.1.9.1.1208"},
		Description: "Cisco IOS Software, C2960X Software (C2960X-UNIVERSALK9-M), Version 15.2(4)E10, RELEASE SOFTWARE (fc2)", Location: "Rack 1",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestTheVendorsOwnObjectsAreUsed(t *testing.T) {
	t.Parallel()
	port, _ := startAgent(t, "sysDescr the firewall, version 2 of it\nsysObjectID .1.3.6.1.4.1.12356.101.1.644\nsysName fw-hq\nrocommunity "+community+"\n"+
		"override .1.3.6.1.4.1.12356.100.1.1.1.0 octet_str FGT60F\noverride .1.3.6.1.4.1.12356.101.4.1.1.0 octet_str v7.2.8,build1639\n"+
		row(1, 3, 0, "FGT60F", "FGT_60F", "other"))
	got, err := probe(v2c("not-this"), v2c(community)).Identify(t.Context(), "localhost", port)
	if err != nil {
		t.Fatal(err)
	}
	want := devices.Identity{Hostname: "fw-hq", Model: "FGT_60F", Version: "v7.2.8,build1639", Serials: []string{"FGT60F"}, ObjectID: ".1.3.6.1.4.1.12356.101.1.644"}
	if d := cmp.Diff(want, got.Identity); d != "" {
		t.Error(d)
	}
}

var unknownProtocol = regexp.MustCompile(`line (\d+): Error: (.*)`)

func TestEveryAuthAndPrivacyProtocolIsSpoken(t *testing.T) {
	t.Parallel()
	auths := []string{"", "MD5", "SHA", "SHA224", "SHA256", "SHA384", "SHA512"}
	privacies := []string{"", "DES", "AES", "AES192", "AES256", "AES192C", "AES256C"}
	theirs := map[string]string{"SHA224": "SHA-224", "SHA256": "SHA-256", "SHA384": "SHA-384", "SHA512": "SHA-512"}
	config, users := system, map[string]Credentials{}
	lines := map[string]int{}
	for _, auth := range auths {
		for _, privacy := range privacies {
			if auth == "" && privacy != "" {
				continue
			}
			name, level := "u"+auth+"x"+privacy, "priv"
			create := "createUser " + name
			c := Credentials{Version: "3", User: name, AuthProtocol: auth, PrivacyProtocol: privacy}
			if auth != "" {
				protocol := auth
				if p, ok := theirs[auth]; ok {
					protocol = p
				}
				create += fmt.Sprintf(" %s %q", protocol, authSecret)
				c.AuthPassword = devices.NewSecret(authSecret)
			}
			switch {
			case privacy != "":
				create += fmt.Sprintf(" %s %q", privacy, privSecret)
				c.PrivacyPassword = devices.NewSecret(privSecret)
			case auth == "":
				level = "noauth"
			default:
				level = "auth"
			}
			config += create + "\nrouser " + name + " " + level + "\n"
			users[name] = c
			lines[name] = 2 + strings.Count(config, "\n") - 1 // two lines stand before config, one of its own behind
		}
	}
	port, said := startAgent(t, config)
	unknown := map[int]string{}
	for _, m := range unknownProtocol.FindAllStringSubmatch(said.String(), -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		unknown[n] = m[2]
	}
	for name, c := range users {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if why, ok := unknown[lines[name]]; ok {
				t.Skipf("this build of net-snmp: %s", why)
			}
			got, err := Probe{Credentials: []Credentials{c}, Timeout: 2 * time.Second, Retries: 1}.Identify(t.Context(), "127.0.0.1", port)
			if err != nil || got.Hostname != "sw-hq" {
				t.Errorf("%q, %v, hint %q", got.Hostname, err, devices.HintOf(err))
			}
		})
	}
}

func TestTheErrorSaysWhichCredentialIsWrong(t *testing.T) {
	t.Parallel()
	port, _ := startAgent(t, system+"rocommunity "+community+"\n"+
		fmt.Sprintf("createUser good SHA-256 %q AES %q\nrouser good priv\n", authSecret, privSecret)+
		fmt.Sprintf("createUser plain SHA-256 %q\nrouser plain auth\n", authSecret)+
		fmt.Sprintf("createUser blind SHA-256 %q AES %q\n", authSecret, privSecret))
	with := func(change func(*Credentials)) Credentials {
		c := v3("good", "SHA256", "AES")
		change(&c)
		return c
	}
	for name, c := range map[string]struct {
		credentials Credentials
		kind        devices.Kind
		hint        string
	}{
		"community":        {v2c(wrongSecret), devices.Unreachable, "community"},
		"community's view": {v2c("areyouthere"), devices.Denied, "system group"},
		"user":             {with(func(c *Credentials) { c.User = "bad" }), devices.Denied, "user"},
		"auth password":    {with(func(c *Credentials) { c.AuthPassword = devices.NewSecret(wrongSecret) }), devices.Denied, "auth password"},
		"auth protocol":    {with(func(c *Credentials) { c.AuthProtocol = "SHA512" }), devices.Denied, "auth protocol"},
		"privacy password": {with(func(c *Credentials) { c.PrivacyPassword = devices.NewSecret(wrongSecret) }), devices.Unreachable, "privacy password"},
		"privacy protocol": {with(func(c *Credentials) { c.PrivacyProtocol = "AES256" }), devices.Unreachable, "privacy password"},
		"no privacy":       {v3("plain", "SHA256", "AES"), devices.Denied, "no such auth or privacy"},
		"context":          {with(func(c *Credentials) { c.Context = "vlan-9" }), devices.Unreachable, "context"},
		"user's view":      {v3("blind", "SHA256", "AES"), devices.Denied, "system group"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := probe(c.credentials).Identify(t.Context(), "127.0.0.1", port)
			refused(t, err, c.kind, c.hint)
			t.Logf("%v; %s", err, devices.HintOf(err))
		})
	}
	t.Run("several", func(t *testing.T) {
		t.Parallel()
		_, err := probe(v2c(wrongSecret), with(func(c *Credentials) { c.User = "bad" }), v2c(wrongSecret)).Identify(t.Context(), "127.0.0.1", port)
		refused(t, err, devices.Denied, "user")
		if _, err := probe(v2c(wrongSecret), v3("good", "SHA256", "AES")).Identify(t.Context(), "127.0.0.1", port); err != nil {
			t.Error(err)
		}
	})
}

func TestWithoutAnAgentThereIsAHint(t *testing.T) {
	t.Parallel()
	silent, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	port := silent.LocalAddr().(*net.UDPAddr).Port

	_, err = probe(v2c(community)).Identify(t.Context(), "127.0.0.1", port)
	refused(t, err, devices.Unreachable, "community")
	_, err = probe(v3("u", "SHA", "AES")).Identify(t.Context(), "127.0.0.1", port)
	refused(t, err, devices.Unreachable, "SNMPv3")
	_, err = probe(v2c(community)).Identify(t.Context(), "no-such-host.invalid", port)
	refused(t, err, devices.Unreachable, "")
	_, err = probe().Identify(t.Context(), "127.0.0.1", port)
	refused(t, err, devices.Usage, "settings")
	_, err = probe(v2c(community)).Identify(t.Context(), "127.0.0.1", 70000)
	refused(t, err, devices.Usage, "")

	if err := silent.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = probe(v2c(community)).Identify(t.Context(), "127.0.0.1", port)
	refused(t, err, devices.Unreachable, "switch SNMP on")
}

func TestTheContextEndsTheWaiting(t *testing.T) {
	t.Parallel()
	silent, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	port := silent.LocalAddr().(*net.UDPAddr).Port
	patient := Probe{Credentials: []Credentials{v2c(community), v2c(community)}, Timeout: time.Minute, Retries: 5}

	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	began := time.Now()
	_, err = patient.Identify(ctx, "127.0.0.1", port)
	refused(t, err, devices.Unreachable, "")
	if !errors.Is(err, context.Canceled) || time.Since(began) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err = patient.Identify(ctx, "127.0.0.1", port); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// standIn answers Get requests of version 2c for few objects at a time only, as
// small agents do; net-snmp's agent has no such limit.
func standIn(t *testing.T, most int, fault gosnmp.SNMPError, objects map[string]string) (port int, asked *[]int) {
	t.Helper()
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked = new([]int)
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = socket.Close()
		<-done
	})
	go func() {
		defer close(done)
		buffer := make([]byte, 65535)
		for {
			n, from, err := socket.ReadFrom(buffer)
			if err != nil {
				return
			}
			decoder := &gosnmp.GoSNMP{Version: gosnmp.Version2c}
			p, err := decoder.SnmpDecodePacket(buffer[:n])
			if err != nil {
				t.Error(err)
				return
			}
			*asked = append(*asked, len(p.Variables))
			if p.PDUType == gosnmp.GetBulkRequest {
				p.Variables[0].Type = gosnmp.EndOfMibView
			} else if len(p.Variables) > most {
				p.Error, p.ErrorIndex = fault, 0
			} else {
				for i, v := range p.Variables {
					p.Variables[i].Type = gosnmp.NoSuchObject
					if text, ok := objects[v.Name]; ok {
						p.Variables[i].Type, p.Variables[i].Value = gosnmp.OctetString, text
					}
				}
			}
			p.PDUType = gosnmp.GetResponse
			answer, err := p.MarshalMsg()
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := socket.WriteTo(answer, from); err != nil {
				return
			}
		}
	}()
	return socket.LocalAddr().(*net.UDPAddr).Port, asked
}

func TestATooBigQuestionIsSplit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		most  int
		fault gosnmp.SNMPError
		want  string
	}{
		"too big":       {4, gosnmp.TooBig, "sw"},
		"error":         {1, gosnmp.GenErr, "sw"},
		"always":        {0, gosnmp.NoSuchName, ""},
		"all at a time": {60, gosnmp.NoError, "sw"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port, _ := standIn(t, c.most, c.fault, map[string]string{sysName: "sw\x1b[2J\x00\xff\r\n"})
			got, err := probe(v2c(community)).Identify(t.Context(), "127.0.0.1", port)
			if c.want == "" {
				refused(t, err, devices.Denied, "system group")
			} else if err != nil || got.Hostname != "sw[2J�" {
				t.Errorf("%q, %v", got.Hostname, err)
			}
		})
	}
}

func TestTheVersionIsFoundInDescriptions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Arista Networks EOS version 4.28.3M running on an Arista Networks DCS-7050": "4.28.3M",
		"Juniper Networks, Inc. srx300 internet router, kernel JUNOS 20.2R3-S2.5, B": "20.2R3-S2.5",
		"Aruba JL255A 2930F-24G-PoE+ Switch, revision WC.16.10.0009, ROM WC.16.01":   "WC.16.10.0009",
		"Cisco NX-OS(tm) n9000, Software (n9000-dk9), Version 9.3(5), RELEASE":       "9.3(5)",
		"RouterOS CCR1009": "",
	} {
		got := understand(values{sysDescr: {Value: []byte(text), Type: gosnmp.OctetString}}, nil)
		if got.Version != want {
			t.Errorf("%q: %q", text, got.Version)
		}
	}
}
