package tickets

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"belay/devices"
)

// A postbox is a mail server that fails on demand. Its mails are what it took.
type postbox struct {
	address string
	ca      string
	tls     string                  // how it is spoken to
	fault   func(step string) error // "auth", "mail", "rcpt", "data" (all was read); errDrop closes the connection
	open    bool                    // it wants no login
	conns   int
	mails   []letter
	mu      sync.Mutex
}

type letter struct {
	from, to string
	body     []byte
}

// errDrop closes the connection instead of an answer.
var errDrop = errors.New("drop")

func coded(code int) error { return &smtp.SMTPError{Code: code, Message: rude} }

// listen starts a server with STARTTLS that wants a login. Opts alter it first.
func listen(t *testing.T, opts ...func(*postbox, *smtp.Server)) *postbox {
	t.Helper()
	config, ca := certificate(t)
	p := &postbox{ca: ca}
	s := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.conns++
		return &session{box: p, conn: c}, nil
	}))
	s.Domain, s.TLSConfig, s.ErrorLog = "stand-in", config, quiet()
	for _, o := range opts {
		o(p, s)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.address = l.Addr().String()
	if p.tls == "implicit" {
		l = tls.NewListener(l, config)
	}
	var wg sync.WaitGroup
	wg.Go(func() { s.Serve(l) })
	t.Cleanup(func() {
		s.Close()
		l.Close() // where the server did not know it yet
		wg.Wait()
	})
	return p
}

func faulty(step string, err error) func(*postbox, *smtp.Server) {
	return func(p *postbox, _ *smtp.Server) {
		p.fault = func(s string) error {
			if s == step {
				return err
			}
			return nil
		}
	}
}

func (p *postbox) mail() Mail {
	return Mail{Server: p.address, TLS: p.tls, CA: p.ca, User: "belay", Password: devices.NewSecret(password), From: "Belay <belay@msp.example>", To: "support@msp.example"}
}

func (p *postbox) taken() []letter {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mails
}

func (p *postbox) calls() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conns
}

type session struct {
	box    *postbox
	conn   *smtp.Conn
	in     bool
	letter letter
}

func (s *session) at(step string) error {
	if s.box.fault == nil {
		return nil
	}
	err := s.box.fault(step)
	if errors.Is(err, errDrop) {
		if step == "data" { // dropped after it was taken
			s.take()
		}
		s.conn.Conn().Close()
	}
	return err
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain, sasl.Login} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, said string) error {
		if err := s.at("auth"); err != nil {
			return err
		}
		if user != "belay" || said != password {
			return coded(535)
		}
		s.in = true
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if !s.in && !s.box.open {
		return coded(530)
	}
	s.letter.from = from
	return s.at("mail")
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.letter.to = to
	return s.at("rcpt")
}

func (s *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.letter.body = b
	if err := s.at("data"); err != nil {
		return err
	}
	s.take()
	return nil
}

func (s *session) take() {
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.mails = append(s.box.mails, s.letter)
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }
