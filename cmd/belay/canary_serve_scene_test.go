package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"belay/devices/simulator"
	"belay/store/docsystem/itglue/standin"
)

// The secrets of what the service talks to.
const (
	canaryDigest    = "canary-digest-channel-1a2b"
	canaryRude      = "canary-rude-channel-3c4d"
	canaryDeadMan   = "canary-dead-man-path-5e6f"
	canaryAsks      = "canary-snmp-community-7a8b"
	canaryTrap      = "canary-trap-community-9c0d"
	canaryTrapAuth  = "canary-trap-user-auth-e1f2"
	canaryTrapPriv  = "canary-trap-user-priv-a3b4"
	canaryPush      = "canary-remote-password-c5d6"
	canaryGuess     = "canary-wrong-community-e7f8" // what a stranger tries
	canaryInSyslog  = "canary-in-a-syslog-message-a9b0"
	canaryFromAPass = "canary-from-a-program-c1d2"
)

const serveSettings = `inventory: [devices.yaml]
host_keys: first-use
logins:
  default: {user: belay, password: {env: BELAY_PASSWORD}, enable: {env: BELAY_ENABLE}}
  acme/asked: {user: belay, password: {command: [./print-password]}}
snmp: {default: {version: 2c, community: {env: ASKS}}}
remotes:
  default: {url: 'remotes/{customer}.git', elsewhere: true}
  initech: {url: '%[1]s/initech.git', user: belay, password: {env: PUSH}}
documentation: {itglue: {itglue: {url: '%[2]s', key: {env: ITGLUE_KEY}, ca: ca.pem, attach: original}}}
customers: {acme: {documentation: itglue, organization: 2041}}
schedules: [{every: '%[3]s', zone: UTC}]
listen: 127.0.0.1:%[4]d
events:
  syslog: {udp: '127.0.0.1:%[5]d', tcp: '127.0.0.1:%[6]d', tls: {listen: '127.0.0.1:%[7]d', certificate: syslog.pem, key: {env: SYSLOG_KEY}}}
  traps: {listen: '127.0.0.1:%[8]d', communities: [{env: TRAP}], users: [{user: watcher, auth: {protocol: SHA256, password: {env: TRAP_AUTH}}, privacy: {protocol: AES, password: {env: TRAP_PRIV}}}]}
  hold_off: 100ms
tell:
  channels: {noc: {url: {env: NOC}}, rude: {url: {env: RUDE}}, mail: {url: {env: MAIL}}}
  digest: {at: "%[9]s", zone: UTC, to: [noc, rude, mail]}
  alarms: {to: [noc, rude, mail]}
  dead_man: {url: {env: DEAD_MAN}, every: 1s}
`

// A watchHerd is a service with everything that it can have, between systems that say
// aloud what they were told.
type watchHerd struct {
	*herd
	docs, rude *gossip
	noc        *gossip // behaves: what it hears people read
	ahead      time.Duration
	syslog     string
	traps      string
	site       string
}

func plainGossip(t *testing.T, next http.Handler) *gossip {
	g := &gossip{next: next}
	g.Server = httptest.NewServer(g)
	t.Cleanup(g.Close)
	return g
}

func newWatchHerd(t *testing.T) *watchHerd {
	t.Helper()
	glue := standin.New()
	at, err := glue.Start(ownHost() + ":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(glue.Close)
	to, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	fine := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	w := &watchHerd{docs: newGossip(t, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}), rude: plainGossip(t, fine), noc: plainGossip(t, fine)}
	w.rude.does("401")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	private := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	self := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, self, self, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	w.herd = &herd{boxes: map[string]*box{}, canaries: map[string]string{
		standin.Key: "the key of IT Glue", canaryDigest: "a channel", canaryRude: "a channel", canaryMail: "the mail server", canaryDeadMan: "the dead man",
		canaryAsks: "snmp", canaryTrap: "traps", canaryTrapAuth: "traps", canaryTrapPriv: "traps", canaryPush: "a remote", canaryGuess: "a stranger's trap",
		canaryInSyslog: "a syslog message", canaryFromAPass: "a program that prints a password", boxPassword: "the login", boxEnable: "the login",
		strings.Split(private, "\n")[1]: "the key of the syslog listener",
	}}
	var ports [5]int
	for i := range ports {
		ports[i] = freePort(t)
	}
	w.syslog, w.traps = fmt.Sprintf("127.0.0.1:%d", ports[1]), fmt.Sprintf("127.0.0.1:%d", ports[4])
	w.site = fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	hook := func(g *gossip, path string) string {
		return "generic://" + strings.TrimPrefix(g.URL, "http://") + "/" + path + "?disabletls=yes"
	}
	settings := fmt.Sprintf(serveSettings, w.rude.URL, w.docs.URL, inHalfADay(), ports[0], ports[1], ports[2], ports[3], ports[4], time.Now().UTC().Add(13*time.Hour).Format("15:04"))
	w.play = newPlay(t, settings, w.inventory(), "BELAY_PASSWORD="+boxPassword, "BELAY_ENABLE="+boxEnable, "ASKS="+canaryAsks, "TRAP="+canaryTrap, "TRAP_AUTH="+canaryTrapAuth,
		"TRAP_PRIV="+canaryTrapPriv, "PUSH="+canaryPush, "ITGLUE_KEY="+standin.Key, "SYSLOG_KEY="+private, "NOC="+hook(w.noc, canaryDigest), "RUDE="+hook(w.rude, canaryRude),
		"MAIL=smtp://belay:"+canaryMail+"@"+rudeMail(t, nil)+"/?fromaddress=belay@msp.example&toaddresses=noc@msp.example&auth=Plain&encryption=None",
		"DEAD_MAN="+w.rude.URL+"/"+canaryDeadMan)
	w.write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.docs.Certificate().Raw})))
	w.write("syslog.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})))
	for _, customer := range []string{"acme", "globex"} {
		w.bare("remotes/" + customer + ".git")
	}
	glue.AddOrganization(standin.Organization{ID: 2041, Name: "acme"})
	glue.AddConfiguration(standin.Configuration{ID: 88121, Organization: 2041, Name: "fw", Serial: w.boxes["acme/fw"].dev.T.Facts.Serials[0]})
	w.children(t)
	return w
}

// inventory serves the devices and plants their secrets.
func (w *watchHerd) inventory() string {
	text := "devices:\n"
	for _, d := range [][2]string{{"acme/fw", "fortios-60f"}, {"acme/asked", "cisco_ios-stack"}, {"globex/sw", "cisco_ios-classic"}, {"globex/tor", "arista_eos-tor"}, {"initech/srx", "juniper_junos-srx-cluster"}} {
		source, err := sourceOf(d[1])
		if err != nil {
			panic(err)
		}
		tr, err := simulator.Parse(d[1]+".txtar", []byte(source))
		if err != nil {
			panic(err)
		}
		b, err := startBox(tr, "")
		if err != nil {
			panic(err)
		}
		customer, name, _ := strings.Cut(d[0], "/")
		w.names, w.boxes[d[0]] = append(w.names, d[0]), b
		text += b.entry(customer, name)
		for _, secret := range tr.Gone {
			if len(secret) >= 6 && secret != "canary" {
				w.canaries[secret] = d[1]
			}
		}
	}
	b := w.boxes["acme/asked"]
	b.dev.Login = &simulator.Login{User: boxUser, Password: canaryFromAPass, Enable: canaryFromAPass}
	return text
}

// children has every program that Belay starts write down what it was given.
func (w *watchHerd) children(t *testing.T) {
	note := "{ " + part(t, "tr", "coreutils") + ` '\0' '\n' </proc/$$/environ; printf '%s\n' "$0" "$@"; } >>` + w.path("children.log") + "\n"
	git := part(t, "git", "git")
	if err := os.Mkdir(w.path("bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"bin/git": `exec ` + git + ` "$@"`, "print-password": "echo " + canaryFromAPass} {
		if err := os.WriteFile(w.path(name), []byte("#!/bin/sh\n"+note+text+"\n"), 0o700); err != nil { //nolint:gosec // it is run
			t.Fatal(err)
		}
	}
	w.env = append(w.env, "PATH="+w.path("bin")+":"+os.Getenv("PATH"))
}

// does runs a command by the service's clock and remembers what it said.
func (w *watchHerd) does(args ...string) said {
	w.t.Helper()
	var out, errs strings.Builder
	c := exec.CommandContext(w.t.Context(), "belay-ahead", append([]string{w.ahead.String()}, args...)...)
	c.Dir, c.Env, c.Stdout, c.Stderr = w.dir, w.env, &out, &errs
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	_ = c.Wait() // its status is in what was said
	s := said{args, out.String(), errs.String(), c.ProcessState.ExitCode()}
	w.all = append(w.all, s)
	return s
}

// asks takes what the service answers over HTTP and over its socket.
func (w *watchHerd) asks() {
	w.t.Helper()
	for _, from := range []struct {
		client *http.Client
		url    string
	}{{http.DefaultClient, w.site + "/metrics"}, {http.DefaultClient, w.site + "/readyz"}, {http.DefaultClient, w.site + "/healthz"}, {overSocket(w.path("belay-data")), "http://service/status"}} {
		resp, err := from.client.Get(from.url)
		if err != nil {
			w.t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.Body.Close() != nil || len(body) == 0 {
			w.t.Fatalf("%s: %q, %v", from.url, body, err)
		}
		w.all = append(w.all, said{args: []string{from.url}, out: string(body)})
	}
}

// hostOf is the address that a device speaks from.
func (w *watchHerd) hostOf(name string) string {
	host, _, _ := net.SplitHostPort(w.boxes[name].address)
	return host
}

// hears sends what a device says, or somebody in its place.
func (w *watchHerd) hears(messages ...string) {
	w.t.Helper()
	from := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(w.hostOf("globex/sw"))}}
	c, err := from.DialContext(w.t.Context(), "udp", w.syslog)
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	for _, m := range messages {
		if _, err := io.WriteString(c, m); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *watchHerd) traps2c(community string) {
	w.t.Helper()
	trap := exec.CommandContext(w.t.Context(), part(w.t.(*testing.T), "snmptrap", "snmp"), "-v2c", "-c", community, "--clientaddr="+w.hostOf("globex/sw"), w.traps, "", "1.3.6.1.4.1.9.9.43.2.0.1")
	if out, err := trap.CombinedOutput(); err != nil {
		w.t.Fatalf("snmptrap: %v\n%s", err, out)
	}
}

// searches looks through all that was said, and written into folders.
func (w *watchHerd) searches(folders ...string) []string {
	w.t.Helper()
	w.known = nil
	found := w.look()
	for _, folder := range folders {
		if err := filepath.WalkDir(w.path(folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(path)
			found = append(found, w.holds(path, append(data, path...))...)
			return err
		}); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, s := range w.all {
		if strings.ContainsAny(s.out+s.err, "\x1b\x07\r") {
			found = append(found, fmt.Sprintf("belay %s says something to the terminal: %.2000q", strings.Join(s.args, " "), s.out+s.err))
		}
	}
	return found
}

// said is what a command said the last time.
func (w *watchHerd) said(command string) (last string) {
	for _, s := range w.all {
		if s.args[0] == command {
			last = s.out + s.err
		}
	}
	return last
}
