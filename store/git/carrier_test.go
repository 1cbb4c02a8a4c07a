package git

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"strings"
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
