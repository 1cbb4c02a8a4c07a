package receive

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"belay/devices"
)

func (r *Receiver) openSFTP(at string) (int, func(), error) {
	if r.HostKey == nil {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return 0, nil, err
		}
		if r.HostKey, err = ssh.NewSignerFromKey(key); err != nil {
			return 0, nil, err
		}
	}
	listener, err := devices.Listen(context.Background(), func() (net.Listener, error) { return net.Listen("tcp", at) })
	if err != nil {
		return 0, nil, err
	}
	key := r.HostKey
	ctx, cancel := context.WithCancel(context.Background())
	r.ending.Go(func() {
		room := make(chan struct{}, 64)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			select {
			case room <- struct{}{}:
				r.ending.Go(func() {
					defer func() { <-room }()
					r.talkSFTP(ctx, c, key)
				})
			default:
				_ = c.Close()
			}
		}
	})
	return portOf(listener.Addr()), func() {
		_ = listener.Close()
		// Who has sent its file may say goodbye.
		time.AfterFunc(time.Second, cancel)
	}, nil
}

// talkSFTP serves one connection.
func (r *Receiver) talkSFTP(ctx context.Context, c net.Conn, key ssh.Signer) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	peer, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return
	}
	from := peer.Addr()
	var user string
	config := &ssh.ServerConfig{MaxAuthTries: 3, ServerVersion: "SSH-2.0-receiver"}
	config.AddHostKey(key)
	admit := func(m ssh.ConnMetadata, password string) (*ssh.Permissions, error) {
		if !r.admits(m.User(), password, from) {
			return nil, errRefused
		}
		user = m.User()
		return nil, nil
	}
	config.PasswordCallback = func(m ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) { return admit(m, string(password)) }
	config.KeyboardInteractiveCallback = func(m ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
		answers, err := ask("", "", []string{"Password: "}, []bool{false})
		if err != nil || len(answers) != 1 {
			return nil, errRefused
		}
		return admit(m, answers[0])
	}
	login := time.AfterFunc(20*time.Second, func() { _ = c.Close() })
	conn, channels, requests, err := ssh.NewServerConn(c, config)
	login.Stop()
	if err != nil {
		return
	}
	defer conn.Close()
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { ssh.DiscardRequests(requests) })
	busy := false
	for offered := range channels {
		if offered.ChannelType() != "session" || busy {
			_ = offered.Reject(ssh.Prohibited, "one file")
			continue
		}
		busy = true
		ch, requests, err := offered.Accept()
		if err != nil {
			return
		}
		running.Go(func() { r.sessionSFTP(ch, requests, user, from) })
	}
}

// admits tells whether a file is expected from that user.
func (r *Receiver) admits(user, password string, from netip.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.expected {
		if f.by == SFTP && f.User == user && subtle.ConstantTimeCompare([]byte(f.Password.Reveal()), []byte(password)) == 1 {
			if !f.comesFrom(from.Unmap().WithZone("")) {
				r.count(Stranger)
				if len(f.strangers) < 8 {
					f.strangers = append(f.strangers, from)
				}
				return false
			}
			return true
		}
	}
	r.count(Unasked)
	return false
}

func (r *Receiver) sessionSFTP(ch ssh.Channel, requests <-chan *ssh.Request, user string, from netip.Addr) {
	defer ch.Close()
	for req := range requests {
		var subsystem struct{ Name string }
		if req.Type != "subsystem" || ssh.Unmarshal(req.Payload, &subsystem) != nil || subsystem.Name != "sftp" {
			_ = req.Reply(req.Type == "env", nil)
			continue
		}
		_ = req.Reply(true, nil)
		h := &visitor{r, user, from}
		s := sftp.NewRequestServer(ch, sftp.Handlers{FileGet: h, FilePut: h, FileCmd: h, FileList: h})
		var rest sync.WaitGroup
		rest.Go(func() { ssh.DiscardRequests(requests) })
		_ = s.Serve() // until the device leaves; how its file fared is noted there
		_ = s.Close()
		_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{0}))
		_ = ch.Close()
		rest.Wait()
		return
	}
}

// A visitor is a device that was let in. It may write its file.
type visitor struct {
	r    *Receiver
	user string
	from netip.Addr
}

func (v *visitor) refuse() error {
	v.r.mu.Lock()
	defer v.r.mu.Unlock()
	v.r.count(NotAWrite)
	return sftp.ErrSSHFxPermissionDenied
}

func (v *visitor) Fileread(*sftp.Request) (io.ReaderAt, error) { return nil, v.refuse() }

// Filelist says of every name that it is not there: clients ask before they write.
func (v *visitor) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	if r.Method == "Stat" || r.Method == "Lstat" {
		return nil, os.ErrNotExist
	}
	return nil, v.refuse()
}

// Filecmd lets modes and times be set, which nobody keeps.
func (v *visitor) Filecmd(r *sftp.Request) error {
	if r.Method == "Setstat" {
		return nil
	}
	return v.refuse()
}

func (v *visitor) Filewrite(r *sftp.Request) (io.WriterAt, error) {
	f, err := v.r.begin(SFTP, strings.TrimPrefix(r.Filepath, "/"), v.from)
	if err != nil {
		return nil, sftp.ErrSSHFxPermissionDenied
	}
	if f.User != v.user {
		f.end("it came by another file's login")
		return nil, sftp.ErrSSHFxPermissionDenied
	}
	return upload{f}, nil
}

// An upload ends its file when the device closes it, and as broken off where
// the connection was lost before.
type upload struct{ *File }

var _ sftp.TransferError = upload{}

func (u upload) TransferError(err error) {
	if err != nil && !errors.Is(err, io.EOF) {
		u.end("the device broke off sending the file")
	}
}

func (u upload) Close() error {
	u.end("")
	return nil
}
