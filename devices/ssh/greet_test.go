package ssh_test

import (
	"context"
	"net"
	"strings"
	"testing"

	"belay/devices/ssh"
)

func TestAServersVersionIsReadWithoutALogin(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ said, want, wrong string }{
		"plain":                {"SSH-2.0-Cisco-1.25\r\n", "SSH-2.0-Cisco-1.25", ""},
		"line feed alone":      {"SSH-1.99-OpenSSH_3.8\n", "SSH-1.99-OpenSSH_3.8", ""},
		"lines before":         {"Authorized use only\r\n\r\nSSH-2.0-x\r\n", "SSH-2.0-x", ""},
		"another server":       {"HTTP/1.1 400 Bad Request\r\n\r\n", "", "EOF"},
		"lines without end":    {strings.Repeat("x\n", 60), "", "no SSH server"},
		"one line without end": {"SSH-2.0-" + strings.Repeat("x", 4096) + "\n", "", "EOF"},
		"nothing":              {"", "", "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			us, server := net.Pipe()
			go func() {
				_, _ = server.Write([]byte(c.said)) // it may be hung up on
				_ = server.Close()
			}()
			got, err := ssh.Greet(t.Context(), us)
			if got != c.want || (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestASilentServerIsLeftWhenTheContextEnds(t *testing.T) {
	t.Parallel()
	us, server := net.Pipe()
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := ssh.Greet(ctx, us); err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("%q, %v", got, err)
	}
}
