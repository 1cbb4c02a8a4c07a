package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"belay/devices"
)

// HostKeys remembers which host key belongs to which server. It may be used by
// many goroutines at once.
type HostKeys interface {
	// Check tells whether key is the one expected of host: nil, or a
	// *WrongKey (Host.Compare makes one), or another error when it could not
	// tell. It may pin the key of a host that has none, and says so.
	Check(ctx context.Context, host Host, key ssh.PublicKey) (pinned bool, err error)
	// Known lists the keys pinned for host, so that their types are asked for
	// first. None is no error.
	Known(ctx context.Context, host Host) ([]ssh.PublicKey, error)
}

// A Host is a server whose key is to be checked.
type Host struct {
	Device   devices.ID // empty for a jump host
	Address  string     // host:port
	Expected []string   // "SHA256:…" fingerprints from the inventory or the settings; they outrank pinned keys
}

// Compare is the rule for every store of keys: the key must be one of those the
// inventory expects or, where it expects none, one of those pinned.
func (h Host) Compare(pinned []ssh.PublicKey, key ssh.PublicKey) error {
	want := h.Expected
	if len(want) == 0 {
		for _, k := range pinned {
			want = append(want, ssh.FingerprintSHA256(k))
		}
	}
	shown := ssh.FingerprintSHA256(key)
	if slices.Contains(want, shown) {
		return nil
	}
	return &WrongKey{Shown: shown, Want: want}
}

// A WrongKey says that a server did not show the key that was expected of it.
type WrongKey struct {
	Shown string   // "SHA256:…"
	Want  []string // empty: no key is pinned yet
}

func (e *WrongKey) Error() string {
	if len(e.Want) == 0 {
		return "its host key is not pinned yet: it shows " + e.Shown
	}
	return fmt.Sprintf("its host key has changed: it shows %s, expected is %s", e.Shown, strings.Join(e.Want, " or "))
}

// A sighting checks the host key of one connection.
type sighting struct {
	keys HostKeys
	ctx  context.Context // of the handshake
	host Host

	mu     sync.Mutex // the check runs on a goroutine of the handshake's own
	shown  ssh.PublicKey
	good   bool
	pinned bool
	err    error
}

func (s *sighting) check(_ string, _ net.Addr, key ssh.PublicKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.good {
		// New session keys in mid-session: by then the context is over, and
		// the server must be the one it was.
		if !bytes.Equal(s.shown.Marshal(), key.Marshal()) {
			return errors.New("the server showed another host key in mid-session")
		}
		return nil
	}
	s.shown = key
	s.pinned, s.err = s.keys.Check(s.ctx, s.host, key)
	s.good = s.err == nil
	return s.err
}

func (s *sighting) key() ssh.PublicKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown
}

func (s *sighting) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// HostKey fetches the key that a device shows now, and the version its server
// announces, without logging in to it. Jump hosts on the way are logged in to
// and their keys checked as ever; nothing is pinned for the device. The server
// has proven that it holds the key.
func (d *Dialer) HostKey(ctx context.Context, dev devices.Device, o Options) (ssh.PublicKey, string, error) {
	w, target, err := d.begin(ctx, dev, o)
	if err != nil {
		return nil, "", err
	}
	defer w.close()
	if target.known, err = d.HostKeys.Known(ctx, target.host); err != nil {
		return nil, "", w.failure(target, devices.KindOf(err), "look up the host key of", err)
	}
	limit, cancel := context.WithTimeout(ctx, d.handshake())
	defer cancel()
	a := &attempt{}
	a.reset(limit)
	conn, err := w.reach(limit, target.host.Address)
	if err != nil {
		return nil, "", w.unreachable(ctx, limit, target, a, err)
	}
	defer conn.Close()
	if w.root == nil {
		w.root = conn
	}
	root := w.root
	defer context.AfterFunc(limit, func() { root.Close() })()

	a.stage = "SSH handshake"
	listening := &listener{Conn: conn}
	shown := make(chan ssh.PublicKey, 1)
	config := target.config()
	config.HostKeyCallback = func(_ string, _ net.Addr, key ssh.PublicKey) error {
		shown <- key
		return errSeen
	}
	sc, _, _, err := ssh.NewClientConn(listening, target.host.Address, config)
	if err == nil {
		sc.Close()
		err = errors.New("the handshake went on without a host key")
	}
	if !errors.Is(err, errSeen) {
		return nil, "", w.judge(ctx, limit, target, a, &sighting{}, err)
	}
	return <-shown, listening.version(), nil
}

var errSeen = errors.New("the host key has been seen")

// A listener keeps the beginning of what the server says, where its version
// stands: x/crypto tells it only to those who go on to log in.
type listener struct {
	net.Conn
	mu   sync.Mutex
	head []byte
}

const longestVersion = 1024 // bytes, banner lines before it included

func (l *listener) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	l.mu.Lock()
	defer l.mu.Unlock()
	if room := longestVersion - len(l.head); room > 0 {
		l.head = append(l.head, p[:min(n, room)]...)
	}
	return n, err
}

func (l *listener) version() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range bytes.Lines(l.head) {
		if bytes.HasPrefix(line, []byte("SSH-")) {
			return string(bytes.TrimRight(line, "\r\n"))
		}
	}
	return ""
}
