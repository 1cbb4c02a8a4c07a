package simulator

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// A Server serves a device over real SSH: password and keyboard-interactive,
// shells and exec channels. The fields are set before Start.
type Server struct {
	Device   *Device
	HostKey  ssh.Signer // nil: Start makes one
	Auth     []string   // "password", "keyboard-interactive"; empty: both
	MaxTries int        // wrong passwords before it hangs up; 0: 3
	Version  string     // empty: "SSH-2.0-simulator"
	Config   ssh.Config // algorithms; empty: the library's

	service
}

// Start listens on an address such as 127.12.0.5:2222; port 0 takes a free one.
// A device that is ordered to be unreachable takes an address and leaves it.
func (s *Server) Start(address string) error {
	config, err := s.config()
	if err != nil {
		return fmt.Errorf("serve %s: %w", s.Device.T.Name, err)
	}
	return s.accept(s.Device, address, func(c net.Conn) { s.connection(c, config) })
}

var errDenied = errors.New("permission denied")

func (s *Server) config() (*ssh.ServerConfig, error) {
	if s.HostKey == nil {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		if s.HostKey, err = ssh.NewSignerFromKey(key); err != nil {
			return nil, err
		}
	}
	config := &ssh.ServerConfig{Config: s.Config, MaxAuthTries: s.MaxTries, ServerVersion: s.Version, NoClientAuth: s.Device.T.SignIn != nil}
	if config.MaxAuthTries == 0 {
		config.MaxAuthTries = 3
	}
	if config.ServerVersion == "" {
		config.ServerVersion = "SSH-2.0-simulator"
	}
	config.AddHostKey(s.HostKey)
	if len(s.Auth) == 0 || slices.Contains(s.Auth, "password") {
		config.PasswordCallback = func(m ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if !s.Device.admits(m.User(), string(password)) {
				return nil, errDenied
			}
			return nil, nil
		}
	}
	if len(s.Auth) == 0 || slices.Contains(s.Auth, "keyboard-interactive") {
		config.KeyboardInteractiveCallback = func(m ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask("", "", []string{"Password: "}, []bool{false})
			if err != nil {
				return nil, err
			}
			if len(answers) != 1 || !s.Device.admits(m.User(), answers[0]) {
				return nil, errDenied
			}
			return nil, nil
		}
	}
	return config, nil
}

func (s *Server) connection(c net.Conn, config *ssh.ServerConfig) {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	s.Device.count(func(seen *Seen) { seen.Connections++ })
	if s.Device.fault().Tarpit {
		_, _ = io.Copy(io.Discard, c) // until one side has had enough
		return
	}
	conn, channels, requests, err := ssh.NewServerConn(c, config)
	if err != nil {
		return // the client sees why; the device has counted it
	}
	s.Device.count(func(seen *Seen) { seen.Logins++; seen.Open++ })
	defer s.Device.count(func(seen *Seen) { seen.Open-- })
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { ssh.DiscardRequests(requests) })
	for offered := range channels {
		if offered.ChannelType() != "session" {
			_ = offered.Reject(ssh.UnknownChannelType, "sessions only")
			continue
		}
		ch, requests, err := offered.Accept()
		if err != nil {
			break
		}
		running.Go(func() { s.channel(ctx, ch, requests, c) })
	}
	_ = conn.Close()
}

// channel serves one session; c is the connection under it.
func (s *Server) channel(ctx context.Context, ch ssh.Channel, requests <-chan *ssh.Request, c net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	var playing sync.WaitGroup
	defer playing.Wait()
	defer cancel() // the client has closed the channel
	busy := false
	play := func(session func() (uint32, error)) {
		busy = true
		playing.Go(func() {
			status, err := session()
			s.finish(ctx, ch, c, status, err)
		})
	}
	for r := range requests {
		var exec struct{ Command string }
		switch {
		case r.Type == "pty-req", r.Type == "env", r.Type == "window-change":
			_ = r.Reply(true, nil)
		case r.Type == "shell" && !busy && s.Device.T.Prompt != "":
			_ = r.Reply(true, nil)
			play(func() (uint32, error) { return 0, s.Device.Shell(ctx, ch) })
		case r.Type == "subsystem" && !busy && s.Device.gives("sftp") && ssh.Unmarshal(r.Payload, &exec) == nil && exec.Command == "sftp":
			_ = r.Reply(true, nil)
			play(func() (uint32, error) { return 0, s.sftp(ctx, ch) })
		case r.Type == "exec" && !busy && s.Device.gives("scp") && ssh.Unmarshal(r.Payload, &exec) == nil && strings.HasPrefix(exec.Command, "scp -f "):
			_ = r.Reply(true, nil)
			play(func() (uint32, error) {
				status, err := s.Device.scp(ctx, strings.TrimPrefix(exec.Command, "scp -f "), ch)
				return uint32(status), err //nolint:gosec // 0 or 1
			})
		case r.Type == "exec" && !busy && s.Device.T.HasExec() && ssh.Unmarshal(r.Payload, &exec) == nil:
			_ = r.Reply(true, nil)
			play(func() (uint32, error) {
				status, err := s.Device.run(ctx, exec.Command, ch)
				return uint32(status), err //nolint:gosec // 0 or 1
			})
		default:
			_ = r.Reply(false, nil)
		}
	}
}

// finish ends a session the way the device was ordered to.
func (s *Server) finish(ctx context.Context, ch ssh.Channel, c net.Conn, status uint32, err error) {
	switch {
	case errors.Is(err, ErrReset):
		// What was written is to arrive before the reset overtakes it.
		if wait(ctx, 50*time.Millisecond) != nil {
			return
		}
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0)
		}
		_ = c.Close()
		return
	case err == nil:
		_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
	}
	_ = ch.Close()
}
