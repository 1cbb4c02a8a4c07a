package git

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"belay/devices"
)

// A server that accepts and says nothing must not hold a push for ever.
func TestASilentRemoteEndsThePush(t *testing.T) {
	t.Parallel()
	srv := startSSHD(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := open(t, t.TempDir())
	v := commit(t, s, snapshot(t, "acme", "fw-hq", "x\n", 1))
	for _, scheme := range []string{"ssh", "https"} {
		r := srv.remote(t, "/x")
		r.URL, r.Timeout = scheme+"://git@"+l.Addr().String()+"/acme.git", 300*time.Millisecond
		s.Remotes = map[string]Remote{"default": r}
		began := time.Now()
		p, err := s.Prove(t.Context(), v)
		if p.OK || err == nil || time.Since(began) > 5*time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %+v, %v after %s", scheme, p, err, time.Since(began))
		}
	}
}

// Real git behind a web server; the token must be sent and must not be shown.
func TestARemoteBehindHTTPS(t *testing.T) {
	t.Parallel()
	dir, repo := bareRemote(t)
	git(t, "--git-dir", repo, "config", "http.receivepack", "true")
	backend := &cgi.Handler{Path: needGit(t), Args: []string{"http-backend"}, Stderr: &tail{}, Env: []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=x", "GIT_CONFIG_GLOBAL=/dev/null"}}
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "belay" || password != "canary-token" {
			w.Header().Set("WWW-Authenticate", "Basic")
			w.WriteHeader(401)
			return
		}
		backend.ServeHTTP(w, r)
	}))
	defer srv.Close()
	s := open(t, t.TempDir())
	v := commit(t, s, snapshot(t, "acme", "fw-hq", "x\n", 1))
	url := strings.Replace(srv.URL, "https://", "https://belay:canary-token@", 1) + "/{customer}.git"
	for name, r := range map[string]Remote{
		"in the settings": {URL: srv.URL + "/{customer}.git", User: "belay", Password: devices.NewSecret("canary-token")},
		"in the address":  {URL: url},
		"wrong":           {URL: srv.URL + "/acme.git", User: "belay", Password: devices.NewSecret("canary-wrong")},
		"not there":       {URL: strings.Replace(url, "{customer}", "nobody", 1)},
	} {
		one := &Store{Dir: s.Dir, Now: s.Now, Remotes: map[string]Remote{"default": r}}
		one.web = srv.Client().Transport.(*http.Transport)
		p, err := one.Prove(t.Context(), v)
		if want := strings.HasPrefix(name, "in "); p.OK != want || p.Second != true {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		if all := fmt.Sprint(p, err, devices.HintOf(err)); strings.Contains(all, "canary") {
			t.Errorf("%s: the token shows in %s", name, all)
		}
	}
	if got := strings.TrimSpace(git(t, "--git-dir", repo, "rev-parse", "main")); got != v.Commit {
		t.Errorf("the remote has %s, want %s", got, v.Commit)
	}
}

// hooked is a store whose remote runs a hook, which writes the number of the process
// that it leaves behind to $LEFT.
func hooked(t *testing.T, name, script string) *Store {
	t.Helper()
	dir, repo := bareRemote(t)
	left := filepath.Join(dir, "left")
	t.Cleanup(func() { // or it would sleep on after the test
		b, _ := os.ReadFile(left)
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	hook := filepath.Join(repo, "hooks", name)
	if err := os.MkdirAll(filepath.Dir(hook), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(hook, []byte("#!/bin/sh\nLEFT="+left+"\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := open(t, t.TempDir())
	s.Remotes = map[string]Remote{"default": {URL: repo}}
	return s
}

// It keeps git's stderr open, as a hook does that sends a mail behind its back.
func TestAPushWaitsForNothingThatAHookLeftInTheBackground(t *testing.T) {
	t.Parallel()
	s := hooked(t, "post-receive", "sleep 900 & echo $! >$LEFT")
	v := commit(t, s, snapshot(t, "acme", "fw-hq", "x\n", 1))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if p, err := s.Prove(ctx, v); err != nil || !p.OK {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestAHookThatHangsEndsThePushAndHoldsNoLock(t *testing.T) {
	t.Parallel()
	s := hooked(t, "pre-receive", "echo $$ >$LEFT; exec sleep 900")
	remote := s.Remotes["default"]
	remote.Timeout = 3 * time.Second
	s.Remotes["default"] = remote
	v := commit(t, s, snapshot(t, "acme", "fw-hq", "x\n", 1))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p, err := s.Prove(ctx, v)
	if !p.Done || p.OK || devices.KindOf(err) != devices.Unproven || !strings.Contains(p.Detail, "gave up after 3s") {
		t.Errorf("%+v, %v", p, err)
	}
	l, err := tryLock(filepath.Join(gitDir(s, "acme"), "belay-push.lock"))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.unlock(); err != nil {
		t.Error(err)
	}
}
