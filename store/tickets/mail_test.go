package tickets

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/devices"
)

// parts are the leaves of a mail by file name, or by media type.
func parts(t *testing.T, header interface{ Get(string) string }, body io.Reader, into map[string]string) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(kind, "multipart/") {
		switch header.Get("Content-Transfer-Encoding") {
		case "base64":
			body = base64.NewDecoder(base64.StdEncoding, body)
		case "quoted-printable":
			body = quotedprintable.NewReader(body)
		}
		b, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		if _, d, err := mime.ParseMediaType(header.Get("Content-Disposition")); err == nil {
			kind = d["filename"]
		}
		into[kind] = string(b)
		return
	}
	for r := multipart.NewReader(body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		parts(t, p.Header, p, into)
	}
}

func TestAMailHoldsTheWholeNote(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"", "starttls", "implicit"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p := listen(t, func(p *postbox, _ *smtp.Server) { p.tls = mode })
			id, err := p.mail().Post(t.Context(), note())
			if err != nil {
				t.Fatal(err)
			}
			if len(p.taken()) != 1 {
				t.Fatalf("%d mails arrived", len(p.taken()))
			}
			l := p.taken()[0]
			m, err := netmail.ReadMessage(bytes.NewReader(l.body))
			if err != nil {
				t.Fatal(err)
			}
			subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
			if err != nil || subject != "[T20391] fw-hq: safe to replace – Zürich" {
				t.Errorf("subject %q, error %v", subject, err)
			}
			at, err := m.Header.Date()
			if err != nil || !at.Equal(note().At) {
				t.Errorf("dated %v, error %v", at, err)
			}
			if id == "" || m.Header.Get("Message-ID") != id || !strings.HasSuffix(id, "@msp.example>") {
				t.Errorf("Message-ID %q, told %q", m.Header.Get("Message-ID"), id)
			}
			if l.from != "belay@msp.example" || l.to != "support@msp.example" || m.Header.Get("To") != "<support@msp.example>" {
				t.Errorf("from %q to %q, header %q", l.from, l.to, m.Header.Get("To"))
			}
			if m.Header.Get("Auto-Submitted") != "" || m.Header.Get("Precedence") != "" {
				t.Error("a header invites the ticket system to drop it")
			}
			got := map[string]string{}
			parts(t, m.Header, m.Body, got)
			for _, kind := range []string{"text/plain", "text/html"} {
				got[kind] = strings.TrimRight(strings.ReplaceAll(got[kind], "\r\n", "\n"), "\n")
			}
			n := note()
			if diff := cmp.Diff(map[string]string{
				"text/plain": strings.TrimRight(n.Text, "\n"), "text/html": strings.TrimRight(string(n.HTML), "\n"),
				n.Files[0].Name: string(n.Files[0].Bytes), n.Files[1].Name: string(n.Files[1].Bytes),
			}, got); diff != "" {
				t.Errorf("(-sent +arrived):\n%s", diff)
			}
		})
	}
}

func TestTheMessageIDIsTheKeysAlone(t *testing.T) {
	t.Parallel()
	p := listen(t)
	post := func(n configs.Note) string {
		t.Helper()
		id, err := p.mail().Post(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	first, later, other := note(), note(), note()
	later.At, later.Text = later.At.Add(time.Hour), "said again"
	other.Key += "2"
	if a, b := post(first), post(later); a != b {
		t.Errorf("one key, Message-IDs %s and %s", a, b)
	}
	if a, b := post(first), post(other); a == b {
		t.Errorf("two keys, one Message-ID %s", a)
	}
}

func TestTheSubjectFollowsItsPattern(t *testing.T) {
	t.Parallel()
	n := note()
	n.Ticket, n.Subject = "{subject}", "kept {ticket}"
	for pattern, want := range map[string]string{
		"": "[{subject}] kept {ticket}", "Ticket#{ticket}": "Ticket#{subject}", "{subject} ({ticket})": "kept {ticket} ({subject})",
	} {
		msg, err := Mail{From: "belay@msp.example", To: "support@msp.example", Subject: pattern}.message(n)
		if err != nil || msg.GetGenHeader("Subject")[0] != want {
			t.Errorf("%q: error %v, got %q", pattern, err, msg.GetGenHeader("Subject"))
		}
	}
}

func TestAMailServersRefusalIsToldApart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what string
		step string
		err  error
		want configs.Decline
	}{
		{"the password is refused", "auth", coded(535), configs.Unauthorized},
		{"the login has to wait", "auth", coded(454), configs.Busy},
		{"the connection drops at the login", "auth", errDrop, configs.Busy},
		{"the sender is refused", "mail", coded(553), configs.Invalid},
		{"the sender has to wait", "mail", coded(451), configs.Busy},
		{"the recipient is refused", "rcpt", coded(550), configs.Invalid},
		{"the recipient is on a grey list", "rcpt", coded(450), configs.Busy},
		{"the connection drops before the mail", "rcpt", errDrop, configs.Busy},
		{"the mail is refused", "data", coded(554), configs.Invalid},
		{"the mail has to wait", "data", coded(452), configs.Busy},
		{"the mail is too large", "data", coded(552), configs.TooLarge},
		{"the connection drops after the mail", "data", errDrop, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			p := listen(t, faulty(c.step, c.err))
			id, err := p.mail().Post(t.Context(), note())
			wantDeclined(t, c.what, err, c.want)
			if id != "" {
				t.Errorf("id %q with an error", id)
			}
			if n := len(p.taken()); (c.want != "") != (n == 0) {
				t.Errorf("%d mails arrived", n)
			}
		})
	}
}

func TestWrongMailSettingsSendNothing(t *testing.T) {
	t.Parallel()
	plain := func(_ *postbox, s *smtp.Server) { s.TLSConfig, s.AllowInsecureAuth = nil, true }
	for what, c := range map[string]struct {
		server func(*postbox, *smtp.Server)
		alter  func(*Mail)
		want   configs.Decline
	}{
		"another password":          {nil, func(m *Mail) { m.Password = devices.NewSecret("canary-other") }, configs.Unauthorized},
		"no login":                  {nil, func(m *Mail) { m.User = "" }, configs.Unauthorized},
		"no STARTTLS over there":    {plain, func(*Mail) {}, configs.Invalid},
		"TLS where there is none":   {plain, func(m *Mail) { m.TLS = "implicit" }, configs.Busy},
		"none with a login":         {plain, func(m *Mail) { m.TLS = "none" }, configs.Invalid},
		"none over the network":     {nil, func(m *Mail) { m.TLS, m.Server = "none", "192.0.2.7:25" }, configs.Invalid},
		"a certificate not trusted": {nil, func(m *Mail) { m.CA = "" }, configs.Busy},
		"no file of certificates":   {nil, func(m *Mail) { m.CA += ".not" }, configs.Invalid},
		"another kind of TLS":       {nil, func(m *Mail) { m.TLS = "ssl" }, configs.Invalid},
		"no server":                 {nil, func(m *Mail) { m.Server = "" }, configs.Invalid},
		"no such port":              {nil, func(m *Mail) { m.Server = "127.0.0.1:99999" }, configs.Invalid},
		"no address":                {nil, func(m *Mail) { m.To = "support" }, configs.Invalid},
		"an address of two lines":   {nil, func(m *Mail) { m.From = "belay@msp.example\r\nBcc: eve@example.net" }, configs.Invalid},
		"a subject without ticket":  {nil, func(m *Mail) { m.Subject = "{subject}" }, configs.Invalid},
		"a subject of two lines":    {nil, func(m *Mail) { m.Subject = "{ticket}\nX-Eve: 1" }, configs.Invalid},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			var opts []func(*postbox, *smtp.Server)
			if c.server != nil {
				opts = append(opts, c.server)
			}
			p := listen(t, opts...)
			m := p.mail()
			c.alter(&m)
			_, err := m.Post(t.Context(), note())
			wantDeclined(t, what, err, c.want)
			if len(p.taken()) != 0 {
				t.Error("a mail arrived")
			}
		})
	}
}

func TestAServerOnThisMachineMayBeSpokenToWithoutTLS(t *testing.T) {
	t.Parallel()
	p := listen(t, func(p *postbox, s *smtp.Server) { s.TLSConfig, p.open = nil, true })
	m := p.mail()
	m.TLS, m.User = "none", ""
	if _, err := m.Post(t.Context(), note()); err != nil || len(p.taken()) != 1 {
		t.Errorf("%d mails arrived, error %v", len(p.taken()), err)
	}
}

func TestAMailServerThatIsNotThereIsBusy(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { // takes one call and says nothing
		if c, err := l.Accept(); err == nil {
			io.Copy(io.Discard, c)
			c.Close()
		}
	})
	m := Mail{Server: l.Addr().String(), From: "belay@msp.example", To: "support@msp.example", Timeout: 100 * time.Millisecond}
	_, err = m.Post(t.Context(), note())
	wantDeclined(t, "a silent server", err, configs.Busy)
	l.Close()
	wg.Wait()
	_, err = m.Post(t.Context(), note())
	wantDeclined(t, "no server", err, configs.Busy)
}

func TestAnEndedContextEndsTheCall(t *testing.T) {
	t.Parallel()
	for step, want := range map[string]configs.Decline{"auth": configs.Busy, "rcpt": configs.Busy, "data": ""} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			over := make(chan struct{})
			p := listen(t, func(p *postbox, _ *smtp.Server) {
				p.fault = func(s string) error {
					if s == step {
						cancel()
						<-over // no answer until the call has ended
					}
					return nil
				}
			})
			_, err := p.mail().Post(ctx, note())
			close(over)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
			if d, ok := errors.AsType[*configs.Declined](err); ok != (want != "") {
				t.Errorf("declined %v, want %q", d, want)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := listen(t)
	if _, err := p.mail().Post(ctx, note()); !errors.Is(err, context.Canceled) || p.calls() != 0 {
		t.Errorf("error %v, %d calls", err, p.calls())
	}
}
