package ssh

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
)

// Greet reads the version line that an SSH server begins with (RFC 4253, section
// 4.2), such as "SSH-2.0-Cisco-1.25", and goes away: nobody logs in, and no host
// key is believed.
func Greet(ctx context.Context, conn net.Conn) (string, error) {
	defer conn.Close()
	// Not by a deadline: what comes through a jump host has none.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	const most = 50 // lines that a server may send before its version
	lines := bufio.NewReaderSize(conn, 1024)
	for range most {
		line, cut, err := lines.ReadLine()
		if err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return "", fmt.Errorf("read the SSH server's version: %w", err)
		}
		if text := string(line); strings.HasPrefix(text, "SSH-") && !cut {
			// A server that is told nothing may count a broken login.
			_, _ = conn.Write([]byte("SSH-2.0-Belay\r\n"))
			return text, nil
		}
	}
	return "", errors.New("what listens there is no SSH server")
}
