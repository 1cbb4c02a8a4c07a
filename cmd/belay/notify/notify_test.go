package notify_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"go.uber.org/goleak"

	"belay/cmd/belay/notify"
	"belay/configs/alarm"
	"belay/devices"
)

func TestMain(m *testing.M) {
	if os.Getenv("BELAY_NOTIFY_CHILD") != "" {
		os.Exit(m.Run()) // it ends in the midst of what services try again by themselves
	}
	goleak.VerifyTestMain(m)
}

func fixed(url string) func(context.Context) (devices.Secret, error) {
	return func(context.Context) (devices.Secret, error) { return devices.NewSecret(url), nil }
}

func to(url string) *notify.Post {
	return &notify.Post{Channels: map[string]notify.Channel{"noc": {Name: "noc", URL: fixed(url)}}}
}

var hello = notify.Message{Subject: "412 devices · 409 verified", Text: "412 devices · 409 verified\n\nacme\n  sw-1 <b>\n", HTML: "<p>409 of {{412}} verified</p>"}

// A postbox is a mail server that keeps what it is given.
type postbox struct {
	mu     sync.Mutex
	refuse map[string]bool // recipients
	mails  map[string]string
	hangUp bool // after the mail, without a word
	said   string
}

func (p *postbox) NewSession(c *smtp.Conn) (smtp.Session, error) { return &visit{p: p, c: c}, nil }

type visit struct {
	p  *postbox
	c  *smtp.Conn
	to string
}

func (v *visit) Reset()                               {}
func (v *visit) Logout() error                        { return nil }
func (v *visit) Mail(string, *smtp.MailOptions) error { return nil }
func (v *visit) Rcpt(to string, _ *smtp.RcptOptions) error {
	v.to = to
	if v.p.refuse[to] {
		return &smtp.SMTPError{Code: 550, Message: "no such mailbox " + v.p.said}
	}
	return nil
}

func (v *visit) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	v.p.mu.Lock()
	defer v.p.mu.Unlock()
	v.p.mails[v.to] += string(text)
	if v.p.hangUp {
		time.AfterFunc(20*time.Millisecond, func() { _ = v.c.Close() }) // once the answer is out
	}
	return err
}

func (p *postbox) start(t *testing.T) string { return p.startAt(t, "127.0.0.1") }

func (p *postbox) startAt(t *testing.T, host string) string {
	t.Helper()
	p.mails = map[string]string{}
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	s := smtp.NewServer(p)
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close(); _ = l.Close(); <-done })
	return l.Addr().String()
}

func TestAMailHasTheSubjectTheTextAndThePage(t *testing.T) {
	t.Parallel()
	p := &postbox{}
	url := "smtp://" + p.start(t) + "/?from=belay@example.net&to=a%2Bb@example.net,c@example.net&auth=None"
	if err := to(url).Deliver(t.Context(), "noc", hello); err != nil {
		t.Fatal(err)
	}
	if len(p.mails) != 2 {
		t.Fatalf("mails: %v", p.mails)
	}
	m, err := mail.ReadMessage(strings.NewReader(p.mails["a+b@example.net"]))
	if err != nil {
		t.Fatal(err)
	}
	if s, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil || s != "Belay: "+hello.Subject {
		t.Errorf("subject %q, %v", s, err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, want := range []string{hello.Text, hello.HTML} {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(part)
		if got := strings.ReplaceAll(string(text), "\r\n", "\n"); err != nil || strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("part %q, %v; want %q", got, err, want)
		}
	}
}

func TestWhereOneRecipientIsRefusedTheOthersHearOnce(t *testing.T) {
	t.Parallel()
	p := &postbox{refuse: map[string]bool{"gone@example.net": true}, said: "canary-answer"}
	post := to("smtp://" + p.start(t) + "/?from=belay@example.net&to=gone@example.net,c@example.net")
	var log []string
	post.Log = func(line string) { log = append(log, line) }
	if err := post.Deliver(t.Context(), "noc", hello); err != nil {
		t.Fatal(err)
	}
	if len(log) != 1 || log[0] != "channel noc: 1 of 2 recipients were not reached: channel noc: the mail server answered 550" {
		t.Errorf("log: %q", log)
	}
	p.refuse["c@example.net"] = true
	err := post.Deliver(t.Context(), "noc", hello)
	if err == nil || errors.Is(err, alarm.ErrUnsure) || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v", err)
	}
}

func TestAServerThatHangsUpAfterTheMailHasIt(t *testing.T) {
	t.Parallel()
	p := &postbox{hangUp: true}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.mails = map[string]string{}
	done := make(chan struct{})
	go func() { // as far as the end of the mail, by hand
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		buf := make([]byte, 64<<10)
		say := func(s string) { _, _ = io.WriteString(c, s+"\r\n") }
		say("220 hello")
		var all string
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			all += string(buf[:n])
			switch {
			case strings.HasSuffix(all, "\r\n.\r\n"):
				say("250 kept")
				p.mails["x"] = all
				return
			case strings.HasSuffix(all, "DATA\r\n"):
				say("354 go on")
			case strings.Contains(all, "Subject"):
			default:
				say("250 ok")
			}
		}
	}()
	err = to("smtp://"+l.Addr().String()+"/?from=a@example.net&to=b@example.net").Deliver(t.Context(), "noc", hello)
	_ = l.Close()
	<-done
	if err != nil || p.mails["x"] == "" {
		t.Errorf("got %v; the mail was kept: %v", err, p.mails["x"] != "")
	}
}

func TestNothingIsSentReadableOverTheNetwork(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"generic://hooks.example.net/x?disabletls=yes", "generic+http://hooks.example.net/canary", "gotify://push.example.net/AbcdefghijklmnO?InsecureSkipVerify=true",
		"smtp://mail.example.net/?from=a@b.c&to=d@e.f&skiptlsverify=yes", "ntfy://ntfy.example.net/canary?disabletls=1", "logger://", "telegram://canary:canary@telegram?chats=1", "canary://x", "%%canary",
		"slack://canary", "smtp://mail.example.net/?from=a@b.c", "smtp://mail.example.net/?to=a@b.c", "canary", "",
	} {
		err := to(url).Check(t.Context(), "noc")
		if devices.KindOf(err) != devices.Usage || strings.Contains(fmt.Sprintf("%+v %s", err, devices.HintOf(err)), "canary") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if err := to("x://y").Check(t.Context(), "other"); err == nil || !strings.Contains(err.Error(), "use channel other: there is none of that name") {
		t.Errorf("got %v", err)
	}
}

// address is one of this machine's that is not loopback.
func address(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	return ""
}

func TestAMailServerThatDoesNotEncryptHearsNothing(t *testing.T) {
	t.Parallel()
	host := address(t)
	if host == "" {
		t.Skip("this machine has no address but its own")
	}
	p := &postbox{}
	err := to("smtp://"+p.startAt(t, host)+"/?from=a@example.net&to=b@example.net&usestarttls=no&requirestarttls=no&encryption=None").Deliver(t.Context(), "noc", hello)
	if err == nil || !strings.Contains(err.Error(), "the mail server does not encrypt") || len(p.mails) > 0 {
		t.Errorf("got %v, mails %v", err, p.mails)
	}
}

func TestAWebhookIsGivenTitleAndText(t *testing.T) {
	t.Parallel()
	var got string
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = r.URL.Path + " " + string(body)
	}))
	defer s.Close()
	host := strings.TrimPrefix(s.URL, "http://")
	if err := to("generic://"+host+"/hook?disabletls=yes&template=json").Deliver(t.Context(), "noc", hello); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(got, "/hook ") || !strings.Contains(got, `"title":"Belay: 412 devices · 409 verified"`) || !strings.Contains(got, `"message":"412 devices`) {
		t.Errorf("got %s", got)
	}
	long := notify.Message{Subject: "s", Text: strings.Repeat("a line of it\n", 5000)}
	if err := to("mattermost://"+host+"/token?disabletls=yes").Deliver(t.Context(), "noc", long); err != nil {
		t.Fatal(err)
	}
	if len(got) > 12_000 || !strings.Contains(got, "the rest: belay digest") || !strings.Contains(got, `Belay: s\n\na line`) {
		t.Errorf("%d bytes: %.100s … %s", len(got), got, got[len(got)-100:])
	}
	// Where no title is shown the text begins with it, once.
	for _, m := range []notify.Message{hello, {Subject: "Belay: " + hello.Subject, Text: hello.Text}} {
		if err := to("mattermost://"+host+"/token?disabletls=yes").Deliver(t.Context(), "noc", m); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(got, `"Belay: 412 devices`) || strings.Count(got, "412 devices") != 1 || strings.Count(got, "Belay:") != 1 {
			t.Errorf("%+v: got %s", m, got)
		}
	}
}

func TestAServiceThatHangsHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	open := make(chan struct{})
	var once sync.Once
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-open }))
	defer s.Close()
	defer once.Do(func() { close(open) })
	post := to("generic://" + strings.TrimPrefix(s.URL, "http://") + "/canary-token?disabletls=yes")
	post.Timeout = 50 * time.Millisecond
	for i := range 7 {
		err := post.Deliver(t.Context(), "noc", hello)
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Fatalf("got %v", err)
		}
		if unsure := errors.Is(err, alarm.ErrUnsure); unsure != (i < 4) {
			t.Errorf("message %d: %v", i, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := to("generic://127.0.0.1:1/?disabletls=yes").Deliver(ctx, "noc", hello); err == nil {
		t.Error("want an error")
	}
	once.Do(func() { close(open) })
	for post.Deliver(t.Context(), "noc", hello) != nil { // until those that hung have ended
		if t.Context().Err() != nil {
			t.Fatal("it never comes back")
		}
	}
}

func TestWhoHearsOfWhom(t *testing.T) {
	t.Parallel()
	all, one := notify.Channel{}, notify.Channel{Customers: []string{"acme"}}
	for _, c := range []struct {
		channel  notify.Channel
		customer string
		want     bool
	}{{all, "acme", true}, {all, "", true}, {one, "acme", true}, {one, "globex", false}, {one, "", false}} {
		if got := c.channel.Hears(c.customer); got != c.want {
			t.Errorf("%v hears of %q: %v", c.channel.Customers, c.customer, got)
		}
	}
}
