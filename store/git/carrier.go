package git

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	"golang.org/x/crypto/ssh"

	"belay/devices"
)

// A carrier opens git's conversations with one remote. Over ssh and to a path it
// is our own, because go-git's ignores the context while it connects; over https
// it is go-git's.
type carrier struct {
	remote   Remote
	endpoint *transport.Endpoint
	git      string
	http     *http.Transport // so that its connections end with the push
	ssh      *ssh.Client
	hangUp   func() bool // stops watching the context
}

func (s *Store) transport(remote Remote) (*carrier, error) {
	ep, err := transport.NewEndpoint(remote.URL)
	if err != nil {
		// Its text would show the address with a password in it.
		return nil, usage(errors.New("the remote's address cannot be read"), "write it as ssh://git@host/path/{customer}.git, https://… or a path")
	}
	c := &carrier{remote: remote, endpoint: ep, git: s.git()}
	switch ep.Protocol {
	case "ssh", "file":
	case "https":
		if c.http = s.web; c.http == nil {
			c.http = &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
		}
	default:
		return nil, usage(fmt.Errorf("%s:// is no address to push to", ep.Protocol), "use ssh://, https:// or a path")
	}
	return c, nil
}

func usage(err error, hint string) error {
	return &devices.Error{Kind: devices.Usage, Op: "open remote", Err: err, Hint: hint}
}

// local tells whether the remote is a path, which may be on this machine.
func (c *carrier) local() bool { return c.endpoint.Protocol == "file" }

// place names the remote for people, without logins.
func (c *carrier) place() string {
	if c.local() {
		return c.endpoint.Path
	}
	return c.endpoint.Protocol + "://" + c.endpoint.Host + "/" + strings.TrimPrefix(c.endpoint.Path, "/")
}

// receive begins a push.
func (c *carrier) receive(ctx context.Context) (transport.ReceivePackSession, error) {
	if c.http != nil {
		t, auth := c.web()
		return t.NewReceivePackSession(c.endpoint, auth)
	}
	return c.wire(ctx, "receive-pack")
}

// ask is where the remote says that its references are.
func (c *carrier) ask(ctx context.Context) (at map[string]plumbing.Hash, err error) {
	var session transport.Session
	if c.http != nil {
		t, auth := c.web()
		session, err = t.NewUploadPackSession(c.endpoint, auth)
	} else {
		session, err = c.wire(ctx, "upload-pack")
	}
	if err != nil {
		return nil, err
	}
	refs, err := session.AdvertisedReferencesContext(ctx)
	if err = errors.Join(err, session.Close()); err != nil {
		return nil, err
	}
	return refs.References, nil
}

func (c *carrier) web() (transport.Transport, transport.AuthMethod) {
	auth := &githttp.BasicAuth{Username: c.remote.User, Password: c.remote.Password.Reveal()}
	if auth.Username == "" {
		auth.Username = c.endpoint.User
	}
	if auth.Username == "" {
		auth.Username = "git"
	}
	if auth.Password == "" {
		auth.Password = c.endpoint.Password
	}
	c.endpoint.User, c.endpoint.Password = "", "" // or they would stand in addresses, and so in errors
	c.remote.User, c.remote.Password = auth.Username, devices.NewSecret(auth.Password)
	t := githttp.NewClientWithOptions(&http.Client{Transport: c.http}, &githttp.ClientOptions{RedirectPolicy: githttp.NoFollowRedirects})
	if auth.Password == "" {
		return t, nil
	}
	return t, auth
}

// wire runs git's receive-pack or upload-pack over there.
func (c *carrier) wire(ctx context.Context, service string) (*wire, error) {
	if c.local() {
		return c.program(ctx, service)
	}
	if c.ssh == nil {
		if err := c.dial(ctx); err != nil {
			return nil, err
		}
	}
	return c.channel(service)
}

// program runs git on this machine, on a path.
func (c *carrier) program(ctx context.Context, service string) (*wire, error) {
	if _, err := os.Stat(c.endpoint.Path); err != nil {
		return nil, fmt.Errorf("%w: %w", transport.ErrRepositoryNotFound, err)
	}
	// safe.directory: a mounted folder often belongs to somebody else, and the
	// settings name this one.
	cmd := exec.CommandContext(ctx, c.git, "-c", "safe.directory=*", "-c", "core.fsync=all", "-c", "receive.autogc=false", service, c.endpoint.Path)
	cmd.Env = []string{"LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "PATH=" + execPath(c.git)}
	w := &wire{}
	// A hook may leave something in the background that keeps git's stderr open, and
	// one that hangs outlives git: neither must be waited for.
	cmd.Stderr, cmd.WaitDelay = &w.said, 2*time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return nil, usage(err, "install git: a remote that is a path needs it")
		}
		return nil, err
	}
	w.in, w.out = in, out
	w.wait = func() error {
		if err := cmd.Wait(); !errors.Is(err, exec.ErrWaitDelay) {
			return err
		}
		return nil // git itself has ended well
	}
	return w, nil
}

// channel runs git on the other side of the connection.
func (c *carrier) channel(service string) (*wire, error) {
	session, err := c.ssh.NewSession()
	if err != nil {
		return nil, err
	}
	w := &wire{}
	session.Stderr = &w.said
	in, err := session.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := session.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := session.Start("git-" + service + " '" + strings.ReplaceAll(c.endpoint.Path, "'", `'\''`) + "'"); err != nil {
		return nil, errors.Join(err, session.Close())
	}
	w.in, w.out, w.wait = in, out, session.Wait
	return w, nil
}

func (c *carrier) close() error {
	if c.http != nil {
		c.http.CloseIdleConnections()
	}
	if c.ssh == nil {
		return nil
	}
	if !c.hangUp() {
		return nil // the context has closed it already
	}
	return c.ssh.Close()
}
