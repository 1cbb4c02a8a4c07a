package tickets

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"belay/configs"
	"belay/devices"
)

// Mail sends notes to the address of a ticket system, which finds the ticket by
// the subject.
type Mail struct {
	Server   string // host, or host:port; without a port 587, or 465 where TLS is implicit
	TLS      string // "starttls", also where empty; "implicit"; "none", with a server on this machine alone
	CA       string // file with certificates to trust besides the system's
	User     string // empty: the server wants no login
	Password devices.Secret
	From     string        // an address the server may send for
	To       string        // the ticket system's
	Subject  string        // in which {ticket} and {subject} are replaced; empty: "[{ticket}] {subject}"
	Timeout  time.Duration // for one note; 0: two minutes
}

var _ configs.TicketSystem = Mail{}

// Name is for people.
func (m Mail) Name() string {
	if to, err := netmail.ParseAddress(m.To); err == nil {
		return "mail to " + to.Address
	}
	return "mail to " + m.To
}

// Post sends n and returns its Message-ID, which is made of n.Key alone: a
// ticket system that gets the mail twice can tell.
func (m Mail) Post(ctx context.Context, n configs.Note) (string, error) {
	a := act{n.Ticket}
	if err := a.ended(ctx); err != nil {
		return "", err
	}
	if err := a.check(n); err != nil {
		return "", err
	}
	msg, err := m.message(n)
	if err != nil {
		return "", a.declined(configs.Invalid, err, "set from:, to: and subject: of the ticket system, as subject: '"+usualSubject+"'")
	}
	limit, cancel := context.WithTimeout(ctx, cmp.Or(m.Timeout, postTime))
	defer cancel()
	c := &call{mail: m, act: a}
	defer c.hangUp()
	if err := c.dial(limit); err != nil {
		return "", c.ended(ctx, err)
	}
	if err := c.send(msg); err != nil {
		return "", c.ended(ctx, err)
	}
	return msg.GetMessageID(), nil
}

const (
	usualSubject = "[{ticket}] {subject}"
	goodbye      = 3 * time.Second // how long a server may take over it: the mail is delivered
)

// message is n as a mail. Nothing in it depends on when it is sent.
func (m Mail) message(n configs.Note) (*mail.Msg, error) {
	pattern := cmp.Or(m.Subject, usualSubject)
	if !strings.Contains(pattern, "{ticket}") || strings.ContainsFunc(pattern, breaks) {
		return nil, fmt.Errorf("the subject %.60q does not say {ticket}, or holds a line end", pattern)
	}
	from, err := netmail.ParseAddress(m.From)
	if err != nil {
		return nil, fmt.Errorf("from: %w", err)
	}
	to, err := netmail.ParseAddress(m.To)
	if err != nil {
		return nil, fmt.Errorf("to: %w", err)
	}
	// No header says that a program wrote this: ticket systems drop such mail
	// for fear of two programs writing to each other.
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	msg.FromMailAddress(from)
	msg.ToMailAddress(to)
	msg.Subject(strings.NewReplacer("{ticket}", n.Ticket, "{subject}", n.Subject).Replace(pattern))
	msg.SetMessageIDWithValue(configs.Digest([]byte(n.Key))[:40] + "@" + from.Address[strings.LastIndex(from.Address, "@")+1:])
	if !n.At.IsZero() {
		msg.SetDateWithValue(n.At)
	}
	msg.SetBodyString(mail.TypeTextPlain, n.Text)
	if len(n.HTML) > 0 {
		msg.AddAlternativeString(mail.TypeTextHTML, string(n.HTML))
	}
	for _, f := range n.Files {
		msg.AttachReadSeeker(f.Name, bytes.NewReader(f.Bytes))
	}
	return msg, nil
}

// server is the host and port of Server, and how to speak TLS with it.
func (m Mail) server() (string, string, error) {
	usual := map[string]string{"": "587", "starttls": "587", "implicit": "465", "none": "25"}[m.TLS]
	if usual == "" {
		return "", "", fmt.Errorf("tls: %q is none of starttls, implicit and none", m.TLS)
	}
	host, port, bad := net.SplitHostPort(m.Server)
	if bad != nil {
		host, port = strings.Trim(m.Server, "[]"), usual
	}
	if n, bad := strconv.Atoi(port); bad != nil || n < 1 || n > 65535 || host == "" || strings.ContainsAny(host, " /@") {
		return "", "", errors.New("server: wants a host or host:port")
	}
	if m.TLS == "none" && !loopback(host) {
		return "", "", errors.New("tls: none would send the note readable over the network")
	}
	return host, port, nil
}

// A call is one connection with the mail server.
type call struct {
	mail   Mail
	act    act
	conn   net.Conn // the bare one: closing it ends all, whatever is under way
	stop   func() bool
	client *mail.Client
	line   *smtp.Client
}

// dial connects, encrypts and logs in. Nothing of a note is sent before that, so
// whatever fails here is declined. Go-mail could do it in one call, but then its
// errors would not say which step failed.
func (c *call) dial(ctx context.Context) error {
	host, port, err := c.mail.server()
	if err != nil {
		return c.act.declined(configs.Invalid, err, "set server: mail.example.net:587 and tls: starttls or implicit")
	}
	roots, err := trusted(c.mail.CA)
	if err != nil {
		return c.act.declined(configs.Invalid, err, trustHint)
	}
	secure := &tls.Config{ServerName: host, RootCAs: roots, MinVersion: tls.VersionTLS12}
	c.client, err = mail.NewClient(host, mail.WithTLSPolicy(mail.NoTLS), mail.WithoutNoop(), mail.WithoutRset(), mail.WithTimeout(cmp.Or(c.mail.Timeout, postTime)),
		mail.WithDialContextFunc(func(dialing context.Context, network, _ string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(dialing, network, net.JoinHostPort(host, port))
			if err != nil {
				return nil, err
			}
			// Go-mail's deadlines end a call; only closing the connection ends it early.
			c.conn, c.stop = conn, context.AfterFunc(ctx, func() { _ = conn.Close() })
			if c.mail.TLS != "implicit" {
				return conn, nil
			}
			encrypted := tls.Client(conn, secure)
			return encrypted, encrypted.HandshakeContext(dialing)
		}))
	if err != nil {
		return c.act.declined(configs.Invalid, errors.New("the mail server's settings cannot be used"), "")
	}
	if c.line, err = c.client.DialToSMTPClientWithContext(ctx); err != nil {
		return c.refused("connect to "+host, err)
	}
	if c.mail.TLS == "" || c.mail.TLS == "starttls" {
		if ok, _ := c.line.Extension("STARTTLS"); !ok {
			return c.act.declined(configs.Invalid, fmt.Errorf("the mail server %s does not offer STARTTLS", host), "try tls: implicit with port 465; nothing is sent without encryption")
		}
		if err := c.line.StartTLS(secure); err != nil {
			return c.refused("encrypt to "+host, err)
		}
	}
	return c.logIn(host)
}

func (c *call) logIn(host string) error {
	if c.mail.User == "" {
		return nil
	}
	if c.mail.TLS == "none" {
		return c.act.declined(configs.Invalid, errors.New("tls: none has no login"), "leave user: and password: out, or set tls: starttls")
	}
	_, offered := c.line.Extension("AUTH")
	user, password := c.mail.User, c.mail.Password.Reveal()
	for _, way := range []struct {
		name string
		auth smtp.Auth
	}{
		{"PLAIN", smtp.PlainAuth("", user, password, host, false)},
		{"LOGIN", smtp.LoginAuth(user, password, host, false)},
		{"SCRAM-SHA-256", smtp.ScramSHA256Auth(user, password)},
		{"CRAM-MD5", smtp.CRAMMD5Auth(user, password)},
	} {
		if !slices.Contains(strings.Fields(offered), way.name) {
			continue
		}
		if err := c.line.Auth(way.auth); err != nil {
			return c.refused("log in to "+host, err)
		}
		return nil
	}
	return c.act.declined(configs.Unauthorized, fmt.Errorf("the mail server %s offers no login that Belay knows", host), "let the server take PLAIN or LOGIN, or set up a relay that takes mail from this machine without a login")
}

// send hands the mail over. From the end of its content on, only the server's
// answer tells whether it was taken.
func (c *call) send(msg *mail.Msg) error {
	err := c.client.SendWithSMTPClient(c.line, msg)
	if err == nil || msg.IsDelivered() { // what fails from here on is courtesy
		_ = c.line.UpdateDeadline(goodbye)
		_ = c.line.Quit()
		return nil
	}
	e, ok := errors.AsType[*mail.SendError](err)
	if !ok {
		return c.lost()
	}
	step := map[mail.SendErrReason]string{
		mail.ErrConnCheck: "begin", mail.ErrSMTPMailFrom: "name the sender " + c.mail.From, mail.ErrSMTPRcptTo: "name the recipient " + c.mail.To, mail.ErrSMTPData: "send the mail",
	}[e.Reason]
	switch {
	case step != "":
		return c.answered(step, e.ErrorCode())
	case e.Reason == mail.ErrSMTPDataClose && e.ErrorCode() >= 400:
		return c.answered("deliver the mail", e.ErrorCode())
	}
	return c.lost()
}

// lost is the end of a connection on which the mail may have arrived.
func (c *call) lost() error {
	return c.act.open(errors.New("the mail server did not say whether it took the mail"), "look at the ticket; what waits is sent again under the same Message-ID")
}

// refused is the failure of a step before anything was sent.
func (c *call) refused(step string, err error) error {
	if e, ok := errors.AsType[*textproto.Error](err); ok {
		return c.answered(step, e.Code)
	}
	if distrusted(err) {
		return c.act.declined(configs.Busy, fmt.Errorf("%s: its certificate is not trusted", step), trustHint)
	}
	_, network := errors.AsType[*net.OpError](err)
	if !network && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		err = errors.New("the connection broke, or the answer makes no sense") // its text may quote the server
	}
	return c.act.declined(configs.Busy, fmt.Errorf("%s: %w", step, err), "see whether server: and tls: are right and the server is up")
}

// answered is a refusal by the server, of which only the code is told.
func (c *call) answered(step string, code int) error {
	err := fmt.Errorf("%s: the mail server answered %d", step, code)
	switch {
	case code == 530, code == 534, code == 535, code == 538:
		return c.act.declined(configs.Unauthorized, err, "check user: and password:; the account must be allowed to send mail by SMTP")
	case code == 523, code == 552:
		return c.act.declined(configs.TooLarge, err, "let the mail server take larger mails")
	case code >= 500:
		return c.act.declined(configs.Invalid, err, fmt.Sprintf("see whether the server may send from %s to %s", c.mail.From, c.mail.To))
	case code == 0:
		err = fmt.Errorf("%s: the connection broke", step)
	}
	return c.act.declined(configs.Busy, err, "nothing to do now: what waits is sent again")
}

// ended says instead that ctx has ended, where that is why.
func (c *call) ended(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if d, ok := errors.AsType[*configs.Declined](err); ok {
		return &configs.Declined{Why: d.Why, Err: c.act.open(ctx.Err(), "")}
	}
	return c.act.open(ctx.Err(), "")
}

// hangUp ends the call without a word. To a server that was cut off in the middle
// of a mail, any further command would look like its end.
func (c *call) hangUp() {
	if c.stop != nil {
		c.stop()
	}
	if c.conn != nil {
		_ = c.conn.Close()
	}
}
