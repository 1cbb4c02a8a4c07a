package drivers_test

import (
	"bytes"
	"io"
	"net"
	"sync"
	"time"

	gossh "golang.org/x/crypto/ssh"
)

// A bare session reads the same bytes with x/crypto/ssh and nothing else.
type bare struct {
	client *gossh.Client
	in     io.WriteCloser
	out    io.Reader
	buf    []byte
}

func dialBare(addr string) (*bare, error) {
	t := benchTranscriptOnce()
	c, err := gossh.Dial("tcp", addr, &gossh.ClientConfig{
		Timeout: 10 * time.Second,
		User:    t.Login.User, Auth: []gossh.AuthMethod{gossh.Password(t.Login.Password)},
		HostKeyCallback: func(string, net.Addr, gossh.PublicKey) error { return nil },
	})
	if err != nil {
		return nil, err
	}
	s, err := c.NewSession()
	if err != nil {
		return nil, err
	}
	b := &bare{client: c}
	if b.in, err = s.StdinPipe(); err != nil {
		return nil, err
	}
	if b.out, err = s.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := s.RequestPty("vt100", 1000, 511, gossh.TerminalModes{}); err != nil {
		return nil, err
	}
	return b, s.Shell()
}

var benchTranscriptOnce = sync.OnceValue(benchTranscript)

// until reads to a tail.
func (b *bare) until(tail string) error {
	b.buf = b.buf[:0]
	chunk := make([]byte, 32<<10)
	for !bytes.HasSuffix(b.buf, []byte(tail)) {
		n, err := b.out.Read(chunk)
		b.buf = append(b.buf, chunk[:n]...)
		if err != nil {
			return err
		}
	}
	return nil
}

// login types what the driver types, but for the last command.
func (b *bare) login() error {
	t := benchTranscriptOnce()
	if err := b.until(t.UserPrompt); err != nil {
		return err
	}
	for _, step := range [][2]string{{"enable", t.Enable.Ask}, {t.Login.Enable, t.Prompt}, {"terminal length 0", t.Prompt}, {"show version", t.Prompt}} {
		if _, err := io.WriteString(b.in, step[0]+"\n"); err != nil {
			return err
		}
		if err := b.until(step[1]); err != nil {
			return err
		}
	}
	return nil
}

// read is one whole reading, bare: from dial to text.
func readBare(addr string) (int, error) {
	b, err := dialBare(addr)
	if err != nil {
		return 0, err
	}
	defer b.client.Close()
	if err := b.login(); err != nil {
		return 0, err
	}
	if _, err := io.WriteString(b.in, "show running-config\n"); err != nil {
		return 0, err
	}
	if err := b.until("\r\nend\r\n\r\n" + benchTranscriptOnce().Prompt); err != nil {
		return 0, err
	}
	return len(b.buf), nil
}
