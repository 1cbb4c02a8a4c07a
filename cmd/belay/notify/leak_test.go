package notify_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"belay/configs/alarm"
)

// services are one URL of each common service, with a canary wherever it holds a secret.
var services = []string{
	"slack://hook:CANARYAAA-CANARYBBB-CANARYCCCCANARYDDDCANARY@webhook",
	"slack://xoxb:123456789012-1234567890123-CANARYDDDCANARYEEECANAR1@C001CH4NN3L",
	"teams://ca4a41e5-ca4a-41e5-ca4a-41e5ca4a41e5@ca4a41e5-ca4a-41e5-ca4a-41e5ca4a41e5/ca4a41e5ca4a41e5ca4a41e5ca4a41e5/ca4a41e5-ca4a-41e5-ca4a-41e5ca4a41e5/CANARYEXTRA?host=example.webhook.office.com",
	"discord://CANARYtoken@123456789012345678",
	"generic://user:CANARYpass@hooks.example.net/CANARYpath?@authorization=CANARYheader",
	"generic+https://hooks.example.net/CANARYpath?token=CANARYquery",
	"mattermost://belay@chat.example.net/CANARYtoken",
	"rocketchat://belay@chat.example.net/CANARYtokena/CANARYtokenb/channel",
	"gotify://push.example.net/ACANARYtokenAAA",
	"ntfy://user:CANARYpass@ntfy.example.net/CANARYtopic",
	"pushover://shoutrrr:CANARYtoken@CANARYuser/?devices=device1",
	"pushbullet://CANARYCANARYCANARYCANARYCANARYCANA",
	"opsgenie://api.opsgenie.com/CANARY00-0000-4000-8000-000000000000",
	"pagerduty://events.pagerduty.com/ca4a41e5ca4a41e5ca4a41e5ca4a41e5",
	"googlechat://chat.googleapis.com/v1/spaces/FOO/messages?key=CANARYkey&token=CANARYtoken",
	"matrix://user:CANARYpass@matrix.example.net/?rooms=!room1",
	"zulip://bot%40example.net:CANARYpass@zulip.example.net/?stream=noc&topic=belay",
	"ifttt://CANARYkey/?events=event1",
	"join://shoutrrr:CANARYkey@join/?devices=device1",
	"smtp://user:CANARYpass@mail.example.net:465/?from=a@example.net&to=b@example.net",
	"bark://:CANARYkey@bark.example.net",
	"lark://open.larksuite.com/CANARYtoken?secret=CANARYsecret",
	"wecom://CANARYkey",
}

// TestNoServicesErrorTellsItsToken sends to each service through a stand-in for
// the whole internet, which answers wrongly in every way and repeats what it was
// told. It runs as a process of its own, whose proxy and certificates it is.
func TestNoServicesErrorTellsItsToken(t *testing.T) {
	t.Parallel()
	if os.Getenv("BELAY_NOTIFY_CHILD") != "" {
		t.Skip("this is the other process")
	}
	for _, fault := range []string{"ok", "500", "404", "garbage", "hang up", "no proxy", "mistrust"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, fault)
			defer w.close()
			//nolint:gosec // this very test
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$", "-test.v")
			cmd.Env = append(os.Environ(), "BELAY_NOTIFY_CHILD="+fault, "HTTPS_PROXY=http://"+w.listener.Addr().String(), "HTTP_PROXY=", "NO_PROXY=",
				"https_proxy=", "no_proxy=", "SSL_CERT_FILE="+w.trust, "SSL_CERT_DIR="+t.TempDir())
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if strings.Contains(strings.ToUpper(string(out)), "CANARY") || strings.Contains(string(out), "ca4a41e5") {
				t.Errorf("a token is told:\n%s", out)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			if fault == "ok" && (len(w.heard) < 12 || !strings.Contains(w.heard["hooks.slack.com"], "409 verified") || !strings.Contains(w.heard["example.webhook.office.com"], "409 verified")) {
				t.Errorf("only these were reached: %v\n%s", w.heard, out)
			}
		})
	}
}

// TestChild is the other process: it says what became of each message.
func TestChild(t *testing.T) {
	fault := os.Getenv("BELAY_NOTIFY_CHILD")
	if fault == "" {
		t.Skip("only in a process of its own")
	}
	took := 0
	for _, url := range services {
		post := to(url)
		post.Timeout = 5 * time.Second
		scheme, _, _ := strings.Cut(url, ":")
		if err := post.Check(t.Context(), "noc"); err != nil {
			t.Errorf("%s: %v", scheme, err)
			continue
		}
		err := post.Send(t.Context(), "noc", alarm.Message{Subject: hello.Subject, Text: hello.Text})
		t.Logf("%s: %v %+v", scheme, err, err)
		if err == nil {
			took++
		}
	}
	if fault != "ok" && fault != "garbage" && took > 0 || fault == "ok" && took < 10 {
		t.Errorf("%d services are said to have taken it", took)
	}
	http.DefaultClient.CloseIdleConnections()
}

// A world is every server there is, behind one proxy.
type world struct {
	listener net.Listener
	fault    string
	trust    string // file with the certificate that it signs with
	config   *tls.Config

	wg    sync.WaitGroup
	mu    sync.Mutex
	heard map[string]string // by host
	conns []net.Conn
}

func newWorld(t *testing.T, fault string) *world {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	root, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{fault: fault, trust: filepath.Join(t.TempDir(), "ca.pem"), heard: map[string]string{}}
	signed := root
	if fault == "mistrust" {
		ca.SerialNumber, ca.Subject.CommonName = big.NewInt(2), "another"
		other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if signed, err = x509.CreateCertificate(rand.Reader, ca, ca, other.Public(), other); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(w.trust, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}), 0o600); err != nil {
		t.Fatal(err)
	}
	w.config = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		leaf := &x509.Certificate{SerialNumber: big.NewInt(3), DNSNames: []string{h.ServerName}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, leaf, &x509.Certificate{Subject: pkix.Name{CommonName: "test"}, Raw: root, RawSubject: mustSubject(root)}, key.Public(), key)
		return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
	}}
	if w.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	w.wg.Go(func() {
		for {
			c, err := w.listener.Accept()
			if err != nil {
				return
			}
			w.mu.Lock()
			w.conns = append(w.conns, c)
			w.mu.Unlock()
			w.wg.Go(func() { w.serve(c) })
		}
	})
	return w
}

func mustSubject(der []byte) []byte {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return c.RawSubject
}

func (w *world) close() {
	_ = w.listener.Close()
	w.mu.Lock()
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.mu.Unlock()
	w.wg.Wait()
}

func (w *world) serve(c net.Conn) {
	defer c.Close()
	req, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil || req.Method != http.MethodConnect {
		return
	}
	if w.fault == "no proxy" {
		_, _ = io.WriteString(c, "HTTP/1.1 403 CANARYproxy\r\n\r\n")
		return
	}
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	t := tls.Server(c, w.config)
	defer t.Close()
	r := bufio.NewReader(t)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		body, _ := io.ReadAll(req.Body)
		host, _, _ := net.SplitHostPort(req.Host + ":443")
		w.mu.Lock()
		w.heard[host] += req.URL.String() + " " + string(body)
		w.mu.Unlock()
		echo := req.URL.String() + " " + req.Header.Get("Authorization") + " " + string(body)
		status, answer := "200 OK", `{"ok":true,"status":1,"id":1,"iden":"x","code":200,"StatusCode":0,"errcode":0,"success":true,"result":"success","access_token":"CANARYgiven","flows":[{"type":"m.login.password"}],"room_id":"x"}`
		if strings.Contains(host, "slack.com") && strings.Contains(host, "hooks") {
			answer = "ok"
		}
		switch w.fault {
		case "500":
			status, answer = "500 Internal Server Error", `{"error":"`+echo+`","message":"`+echo+`"}`
		case "404":
			status, answer = "404 CANARYreason "+req.URL.Path, echo
		case "garbage":
			answer = "CANARYgarbage " + echo
		case "hang up":
			return
		}
		fmt.Fprintf(t, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, len(answer), answer)
	}
}
