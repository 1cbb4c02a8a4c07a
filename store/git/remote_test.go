package git

import (
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"belay/configs"
	"belay/devices"
)

// A bare repository at path/acme.git, made by real git.
func bareRemote(t testing.TB) (dir, repo string) {
	t.Helper()
	dir = t.TempDir()
	repo = filepath.Join(dir, "acme.git")
	git(t, "init", "-q", "--bare", "-b", "main", repo)
	return dir, repo
}

func TestWithoutARemoteThereIsNoProof(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	v := commit(t, s, snapshot(t, "acme", "fw-hq", "x\n", 1))
	p, err := s.Prove(t.Context(), v)
	if err != nil || p.Done || p.OK || p.Name != "remote" {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestAPathCountsAsSecondPlaceOnlyWhenItIsElsewhere(t *testing.T) {
	t.Parallel()
	dir, repo := bareRemote(t)
	s := open(t, t.TempDir())
	v := commit(t, s, snapshot(t, "acme", "fw-hq", "x\n", 1))
	for _, elsewhere := range []bool{false, true} {
		s.Remotes = map[string]Remote{"default": {URL: dir + "/{customer}.git", Elsewhere: elsewhere}}
		p, err := s.Prove(t.Context(), v)
		if err != nil || !p.Done || !p.OK || p.Second != elsewhere || p.At.IsZero() {
			t.Errorf("elsewhere %t: got %+v, %v", elsewhere, p, err)
		}
	}
	if got := strings.TrimSpace(git(t, "--git-dir", repo, "rev-parse", "main")); got != v.Commit {
		t.Errorf("the remote has %s, want %s", got, v.Commit)
	}
	git(t, "--git-dir", repo, "fsck", "--full", "--strict")
}

func TestARemoteHoldsAllThatIsCommitted(t *testing.T) {
	t.Parallel()
	dir, repo := bareRemote(t)
	s := open(t, t.TempDir())
	s.Remotes = map[string]Remote{"acme": {URL: "file://" + dir + "/acme.git"}}
	old := commit(t, s, snapshot(t, "acme", "fw-hq", "0\n", 0))
	for i := range 6 {
		snap := snapshot(t, "acme", fmt.Sprintf("fw-%d", i/3), fmt.Sprintf("%d\n", i), i)
		if i > 3 { // a renamed one
			snap.Device.Name, snap.Device.FirstID = "fw-new", "fw-1"
		}
		v := commit(t, s, snap)
		if i == 2 {
			git(t, "--git-dir", gitDir(s, "acme"), "-c", "user.name=A", "-c", "user.email=a@b", "tag", "-a", "-m", "t", "change/1/before", v.Commit)
		}
		if p, err := s.Prove(t.Context(), v); err != nil || !p.OK {
			t.Errorf("%d: %+v, %v", i, p, err)
		}
		if p, err := s.Prove(t.Context(), old); err != nil || !p.OK {
			t.Errorf("an older version: %+v, %v", p, err)
		}
	}
	if out := git(t, "--git-dir", repo, "fsck", "--full", "--strict"); strings.TrimSpace(out) != "" {
		t.Errorf("git fsck: %s", out)
	}
	if a, b := git(t, "--git-dir", repo, "show-ref"), git(t, "--git-dir", gitDir(s, "acme"), "show-ref"); a != b {
		t.Errorf("references there:\n%s\nhere:\n%s", a, b)
	}
	lost := old
	lost.Commit = strings.Repeat("ab", 20)
	if p, err := s.Prove(t.Context(), lost); p.OK || devices.KindOf(err) != devices.Unproven {
		t.Errorf("a commit that is nowhere: %+v, %v", p, err)
	}
}

func TestARemoteThatMovedIsReportedAndNotOverwritten(t *testing.T) {
	t.Parallel()
	dir, repo := bareRemote(t)
	s := open(t, t.TempDir())
	s.Remotes = map[string]Remote{"default": {URL: dir + "/{customer}.git"}}
	v := commit(t, s, snapshot(t, "acme", "fw-hq", "x\n", 1))
	if p, err := s.Prove(t.Context(), v); err != nil || !p.OK {
		t.Fatalf("%+v, %v", p, err)
	}
	foreign := strings.TrimSpace(git(t, "--git-dir", repo, "-c", "user.name=E", "-c", "user.email=e@example.net",
		"commit-tree", "-m", "mine", "-p", v.Commit, v.Commit+"^{tree}"))
	git(t, "--git-dir", repo, "update-ref", "refs/heads/main", foreign)
	for i := range 2 { // with something to push, and with nothing
		if i == 0 {
			v = commit(t, s, snapshot(t, "acme", "fw-hq", "y\n", 2))
		}
		p, err := s.Prove(t.Context(), v)
		if !p.Done || p.OK || !errors.Is(err, errDiverged) || devices.KindOf(err) != devices.Unproven || !strings.Contains(devices.HintOf(err), "nothing there was overwritten") {
			t.Errorf("got %+v, %v, hint %q", p, err, devices.HintOf(err))
		}
	}
	if got := strings.TrimSpace(git(t, "--git-dir", repo, "rev-parse", "main")); got != foreign {
		t.Errorf("the remote's main is %s, want %s", got, foreign)
	}
	r, err := s.repo("acme")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.reaches(t.Context(), plumbing.NewHash(foreign), []string{v.Commit}); !errors.Is(err, errUnknown) {
		t.Errorf("a commit that is only there: %v", err)
	}
}

// Two processes that push at once: the one that comes too late looks again.
func TestTwoProcessesMayPushAtOnce(t *testing.T) {
	t.Parallel()
	dir, repo := bareRemote(t)
	remotes := map[string]Remote{"default": {URL: dir + "/{customer}.git"}}
	a := open(t, t.TempDir())
	b := &Store{Dir: a.Dir, Now: a.Now, Remotes: remotes}
	a.Remotes = remotes
	var wg sync.WaitGroup
	for n, s := range []*Store{a, b} {
		wg.Go(func() {
			for i := range 8 {
				v, err := s.Commit(t.Context(), snapshot(t, "acme", fmt.Sprint("sw-", n), fmt.Sprint(i, "\n"), i))
				if err != nil {
					t.Error(err)
					continue
				}
				if p, err := s.Prove(t.Context(), v); !p.OK {
					t.Errorf("%+v, %v", p, err)
				}
			}
		})
	}
	wg.Wait()
	if n := strings.TrimSpace(git(t, "--git-dir", repo, "rev-list", "--count", "main")); n != "16" {
		t.Errorf("%s commits there, want 16", n)
	}
}

func TestARemoteThatIsNotThereIsSaid(t *testing.T) {
	t.Parallel()
	needGit(t)
	s := open(t, t.TempDir())
	s.Remotes = map[string]Remote{"default": {URL: t.TempDir() + "/{customer}.git"}}
	v := commit(t, s, snapshot(t, "acme", "fw-hq", "x\n", 1))
	p, err := s.Prove(t.Context(), v)
	if !p.Done || p.OK || !strings.Contains(devices.HintOf(err), "git init --bare") {
		t.Errorf("got %+v, %v, hint %q", p, err, devices.HintOf(err))
	}
}

// An sshd of Debian's on the loopback, with its own configuration.
type sshServer struct {
	addr, knownHosts, key string
}

func startSSHD(t *testing.T) sshServer {
	t.Helper()
	needGit(t)
	sshd := need(t, "sshd")
	dir := t.TempDir()
	key := func(name string) (private string, public ssh.PublicKey) {
		pub, priv, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		block, err := ssh.MarshalPrivateKey(priv, "")
		if err != nil {
			t.Fatal(err)
		}
		private = filepath.Join(dir, name)
		if err := os.WriteFile(private, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if public, err = ssh.NewPublicKey(pub); err != nil {
			t.Fatal(err)
		}
		return private, public
	}
	hostKey, hostPublic := key("host")
	userKey, userPublic := key("user")
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	authorized := write("authorized_keys", string(ssh.MarshalAuthorizedKey(userPublic)))
	const host = "127.102.0.1" // where no other test has its port meanwhile
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	config := write("sshd_config", fmt.Sprintf("ListenAddress "+host+"\nPort %s\nHostKey %s\nAuthorizedKeysFile %s\nPidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n", port, hostKey, authorized))
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil && os.Geteuid() == 0 {
		t.Fatal(err)
	}
	said := &tail{}
	c := exec.Command(sshd, "-D", "-e", "-f", config)
	c.Stderr = said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	for range 1500 {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
			return sshServer{addr, write("known_hosts", knownhosts.Line([]string{addr}, hostPublic)+"\n"), userKey}
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("sshd does not answer: %s", said)
	return sshServer{}
}

func (srv sshServer) remote(t *testing.T, path string) Remote {
	t.Helper()
	user := os.Getenv("USER")
	if os.Geteuid() == 0 {
		user = "root"
	}
	return Remote{URL: "ssh://" + user + "@" + srv.addr + path, KeyFile: srv.key, KnownHosts: srv.knownHosts}
}

func TestARemoteBehindOpenSSH(t *testing.T) {
	t.Parallel()
	srv := startSSHD(t)
	dir, repo := bareRemote(t)
	s := open(t, t.TempDir())
	remote := srv.remote(t, dir+"/{customer}.git")
	s.Remotes = map[string]Remote{"default": remote}

	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			v, err := s.Commit(t.Context(), snapshot(t, "acme", fmt.Sprintf("sw-%d", i), strings.Repeat("line\n", 5000), i))
			if err != nil {
				t.Error(err)
				return
			}
			if p, err := s.Prove(t.Context(), v); err != nil || !p.OK || !p.Second {
				t.Errorf("got %+v, %v", p, err)
			}
		})
	}
	wg.Wait()
	if out := git(t, "--git-dir", repo, "fsck", "--full", "--strict"); strings.TrimSpace(out) != "" {
		t.Errorf("git fsck: %s", out)
	}
	if n := strings.TrimSpace(git(t, "--git-dir", repo, "rev-list", "--count", "main")); n != "30" {
		t.Errorf("%s commits there, want 30", n)
	}
	v, _, err := s.Newest(t.Context(), "acme/sw-1")
	if err != nil {
		t.Fatal(err)
	}

	t.Run("another host key is refused", func(t *testing.T) {
		other := startSSHD(t) // its key under the first one's address
		line, err := os.ReadFile(other.knownHosts)
		if err != nil {
			t.Fatal(err)
		}
		wrong := filepath.Join(t.TempDir(), "known_hosts")
		_, theirs, _ := net.SplitHostPort(other.addr)
		_, ours, _ := net.SplitHostPort(srv.addr)
		if err := os.WriteFile(wrong, []byte(strings.Replace(string(line), theirs, ours, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		r := remote
		r.KnownHosts = wrong
		wantUnproven(t, s, r, v, "another host key")
	})
	t.Run("an unknown host is refused", func(t *testing.T) {
		r := remote
		r.KnownHosts = filepath.Join(t.TempDir(), "empty")
		if err := os.WriteFile(r.KnownHosts, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		wantUnproven(t, s, r, v, "add the remote's host key")
	})
	t.Run("without known hosts nothing is sent", func(t *testing.T) {
		r := remote
		r.KnownHosts = filepath.Join(t.TempDir(), "none")
		wantUnproven(t, s, r, v, "make the file")
		r.KnownHosts = ""
		wantUnproven(t, s, r, v, "set known_hosts")
	})
	t.Run("a key that may not log in", func(t *testing.T) {
		r := remote
		r.KeyFile = startSSHD(t).key
		wantUnproven(t, s, r, v, "let Belay's public key log in")
	})
	t.Run("no repository there", func(t *testing.T) {
		r := remote
		r.URL += "x"
		wantUnproven(t, s, r, v, "git init --bare")
	})
	t.Run("a remote that moved", func(t *testing.T) {
		git(t, "--git-dir", repo, "update-ref", "refs/heads/main", strings.TrimSpace(git(t, "--git-dir", repo, "-c", "user.name=E", "-c", "user.email=e@example.net",
			"commit-tree", "-m", "mine", "main^{tree}")))
		wantUnproven(t, s, remote, v, "nothing there was overwritten")
	})
}

func wantUnproven(t *testing.T, s *Store, r Remote, v configs.Version, hint string) {
	t.Helper()
	one := &Store{Dir: s.Dir, Now: s.Now, Remotes: map[string]Remote{"default": r}}
	p, err := one.Prove(t.Context(), v)
	if !p.Done || p.OK || devices.KindOf(err) != devices.Unproven || !strings.Contains(devices.HintOf(err), hint) {
		t.Errorf("got %+v, %v\nhint %q, want one with %q", p, err, devices.HintOf(err), hint)
	}
}
