package git

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"belay/configs"
	"belay/devices"
)

// mirrored is a store with versions and a tag, all of it proven in a bare
// repository of real git; then, where packed, packed by a person over there.
func mirrored(t *testing.T, packed bool) (s *Store, repo string) {
	t.Helper()
	dir, repo := bareRemote(t)
	git(t, "--git-dir", repo, "config", "http.receivepack", "true")
	s = &Store{Dir: t.TempDir(), Now: func() time.Time { return at(0) }}
	s.Remotes = map[string]Remote{"default": {URL: dir + "/{customer}.git"}}
	random := rand.New(rand.NewPCG(1, 2))
	lines := make([]string, 200)
	var last configs.Version
	for i := range 12 { // texts that are changes of each other, and do not compress to nothing
		for k := range lines {
			if i == 0 || k%40 == i {
				lines[k] = fmt.Sprintf("ip route 192.0.2.%d %x\n", k, random.Uint64())
			}
		}
		snap := snapshot(t, "acme", fmt.Sprint("sw-", i%2), strings.Join(lines, ""), i)
		if i == 5 {
			snap.Change, snap.Phase = "T1", "before"
		}
		last = commit(t, s, snap)
	}
	if p, err := s.Prove(t.Context(), last); err != nil || !p.OK {
		t.Fatal(p, err)
	}
	if packed {
		git(t, "--git-dir", repo, "repack", "-qadf")
	}
	return s, repo
}

// regained is what the scrub says of what the remote gives.
func regained(ctx context.Context, s *Store) (last Part, err error) {
	for p, err := range s.RereadRemote(ctx, "acme") {
		if err != nil {
			return p, err
		}
		last = p
	}
	return last, nil
}

// looseFile is the file of an object that another git left outside of packs.
func looseFile(t *testing.T, repo, revision string) string {
	t.Helper()
	h := trimmed(git(t, "--git-dir", repo, "rev-parse", revision))
	path := filepath.Join(repo, "objects", h[:2], h[2:])
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func thePack(t *testing.T, repo string) string {
	t.Helper()
	packs, err := filepath.Glob(filepath.Join(repo, "objects", "pack", "*.pack"))
	if err != nil || len(packs) != 1 {
		t.Fatal(packs, err)
	}
	if err := os.Chmod(packs[0], 0o600); err != nil {
		t.Fatal(err)
	}
	return packs[0]
}

func rewrite(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, change(b), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// What rots in a remote: it names all that it ever had, and gives it no more.
func TestARemoteThatCannotGiveWhatItNamesIsFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		packed bool
		harm   func(t *testing.T, repo string)
		want   string
	}{
		"whole, loose":  {false, nil, ""},
		"whole, packed": {true, nil, ""},
		"a bit of a pack": {true, func(t *testing.T, repo string) {
			rewrite(t, thePack(t, repo), func(b []byte) []byte { b[len(b)/2] ^= 4; return b })
		}, `what it gives is damaged, at object \d+ of \d+: .*; \d+ of the \d+ that it names came whole before|could not give them all`},
		"a bit of the last object of a pack": {true, func(t *testing.T, repo string) {
			rewrite(t, thePack(t, repo), func(b []byte) []byte { b[len(b)-23] ^= 1; return b })
		}, `what it gives is damaged`},
		"a pack that lacks its end": {true, func(t *testing.T, repo string) {
			path := thePack(t, repo)
			rewrite(t, path, func(b []byte) []byte { // the size is right, as after a crash of a file system
				return append(b[:len(b)/2], make([]byte, len(b)-len(b)/2)...)
			})
		}, `could not give them all: it ended after \d+ and said ".+"|what it gives is damaged`},
		"a file that is gone": {false, func(t *testing.T, repo string) {
			if err := os.Remove(looseFile(t, repo, "main~4:sw-1/running.conf")); err != nil {
				t.Fatal(err)
			}
		}, `it names \d+ objects and could not give them all: it ended after \d+ and said ".*unable to read [0-9a-f]{40}`},
		"a commit that is gone": {false, func(t *testing.T, repo string) {
			if err := os.Remove(looseFile(t, repo, "main~4")); err != nil {
				t.Fatal(err)
			}
		}, `could not give them all.*(Could not read|bad object|Failed to traverse)`},
		"a commit of a tag that is gone": {false, func(t *testing.T, repo string) {
			if err := os.Remove(looseFile(t, repo, "change/T1/before~0^{tree}")); err != nil {
				t.Fatal(err)
			}
		}, `could not give them all`},
		"a bit of a file": {false, func(t *testing.T, repo string) {
			rewrite(t, looseFile(t, repo, "main~4:sw-1/running.conf"), func(b []byte) []byte { b[len(b)/2] ^= 4; return b })
		}, `could not give them all.*(corrupt|inflate)`},
		"another file in its place": {false, func(t *testing.T, repo string) {
			other, err := os.ReadFile(looseFile(t, repo, "main:sw-1/running.conf"))
			if err != nil {
				t.Fatal(err)
			}
			rewrite(t, looseFile(t, repo, "main~4:sw-1/running.conf"), func([]byte) []byte { return other })
		}, `it did not give 1 of the \d+ objects that it names: sw-1/running.conf of version [0-9a-f]{12}$`},
		"a history that was cut off": {false, func(t *testing.T, repo string) {
			if err := os.WriteFile(filepath.Join(repo, "shallow"), []byte(git(t, "--git-dir", repo, "rev-parse", "main~3")), 0o600); err != nil {
				t.Fatal(err)
			}
			git(t, "--git-dir", repo, "update-ref", "-d", "refs/tags/change/T1/before")
			git(t, "--git-dir", repo, "prune", "--expire=now")
		}, `it did not give \d+ of the \d+ objects that it names: sw-\d\S* of version [0-9a-f]{12}, .* and more$`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, repo := mirrored(t, c.packed)
			if c.harm != nil {
				c.harm(t, repo)
			}
			said, _, err := s.Ask(t.Context(), "acme", at(60))
			if err != nil || len(said.Missing) > 0 && name != "a history that was cut off" {
				t.Fatalf("asked for its references, it tells: %q, %v", said.Missing, err)
			}
			before := git(t, "--git-dir", gitDir(s, "acme"), "count-objects", "-v")
			part, err := regained(t.Context(), s)
			if err != nil || part.Name != "objects" || part.Bytes == 0 && c.want == "" {
				t.Fatalf("%+v, %v", part, err)
			}
			if got := strings.Join(part.Problems, "; "); (c.want == "") != (got == "") || !regexp.MustCompile(c.want).MatchString(got) {
				t.Errorf("problems %q, want one like %s", got, c.want)
			}
			if after := git(t, "--git-dir", gitDir(s, "acme"), "count-objects", "-v"); before != after {
				t.Errorf("it wrote here:\n%s%s", before, after)
			}
		})
	}
}

// The words of what happens over there must come through, whatever lies between.
func TestARemoteFarAwayThatCannotGiveWhatItNamesIsFound(t *testing.T) {
	t.Parallel()
	s, repo := mirrored(t, false)
	srv := startSSHD(t)
	backend := &cgi.Handler{Path: needGit(t), Args: []string{"http-backend"}, Stderr: &tail{}, Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(repo), "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_GLOBAL=/dev/null"}}
	cut := &scissors{next: backend}
	web := httptest.NewTLSServer(cut)
	defer web.Close()
	s.web = web.Client().Transport.(*http.Transport)
	far := map[string]Remote{"ssh": srv.remote(t, repo), "https": {URL: web.URL + "/{customer}.git"}}
	for name, remote := range far {
		s.Remotes = map[string]Remote{"default": remote}
		if part, err := regained(t.Context(), s); err != nil || part.Name == "" || len(part.Problems) > 0 {
			t.Errorf("%s: %+v, %v", name, part, err)
		}
	}
	s.Remotes = map[string]Remote{"default": far["https"]}
	for after, want := range map[int]string{1: "", 2: "it ended after"} { // a connection that breaks once says nothing of the remote, nor twice
		cut.times = after
		part, err := regained(t.Context(), s)
		if len(part.Problems) > 0 || (err == nil) != (want == "") || want != "" && (devices.KindOf(err) != devices.Unproven || !strings.Contains(err.Error(), want)) {
			t.Errorf("broken %d times: %+v, %v", after, part, err)
		}
	}
	cut.times = 0
	if err := os.Remove(looseFile(t, repo, "main~4:sw-1/running.conf")); err != nil {
		t.Fatal(err)
	}
	for name, remote := range far {
		s.Remotes = map[string]Remote{"default": remote}
		part, err := regained(t.Context(), s)
		if got := strings.Join(part.Problems, "; "); err != nil || !strings.Contains(got, "unable to read") {
			t.Errorf("%s: problems %q, %v", name, got, err)
		}
	}
}

// scissors break the connection in the middle of a pack, so many times.
type scissors struct {
	next  http.Handler
	times int
}

func (c *scissors) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || c.times == 0 {
		c.next.ServeHTTP(w, r)
		return
	}
	c.times--
	whole := httptest.NewRecorder()
	c.next.ServeHTTP(whole, r)
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	body := whole.Body.Bytes()
	fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-result\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:len(body)/2])
	_ = conn.Close()
}

// Damage on this side is no word on the remote.
func TestWhatIsDamagedHereIsNotSaidOfTheRemote(t *testing.T) {
	t.Parallel()
	s, _ := mirrored(t, true)
	packs, err := filepath.Glob(filepath.Join(gitDir(s, "acme"), "objects", "pack", "*.pack"))
	if err != nil || len(packs) == 0 {
		t.Fatal(err)
	}
	for _, p := range packs {
		if err := os.Chmod(p, 0o600); err != nil {
			t.Fatal(err)
		}
		rewrite(t, p, func(b []byte) []byte { b[len(b)/2] ^= 4; return b })
	}
	part, err := regained(t.Context(), s)
	if err == nil || devices.KindOf(err) == devices.Damaged || len(part.Problems) > 0 {
		t.Errorf("%+v, %v of kind %v", part, err, devices.KindOf(err))
	}
}

func TestAFetchEndsWhenNobodyWaitsForItAndWhenTheRemoteIsSilent(t *testing.T) {
	t.Parallel()
	s, _ := mirrored(t, false)
	random := rand.New(rand.NewPCG(3, 4))
	lines := make([]string, 400_000) // a few stretches
	for i := range lines {
		lines[i] = fmt.Sprintf("%x\n", random.Uint64())
	}
	v := commit(t, s, snapshot(t, "acme", "sw-9", strings.Join(lines, ""), 20))
	if p, err := s.Prove(t.Context(), v); err != nil || !p.OK {
		t.Fatal(p, err)
	}
	parts := 0
	for p, err := range s.RereadRemote(t.Context(), "acme") {
		if parts++; err != nil || p.Name != "" || p.Bytes < stretch || p.Through < 0 || p.Through >= 1 {
			t.Errorf("%+v, %v", p, err)
		}
		break // the night is over
	}
	if parts != 1 {
		t.Errorf("%d parts", parts)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, err := range s.RereadRemote(ctx, "acme") {
		if cancel(); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		parts++
	}
	if parts != 3 {
		t.Errorf("%d parts, want one before Ctrl-C and its error", parts)
	}
	real := needGit(t)
	s.Git = program(t, `case "$*" in *upload-pack*) exec sleep 600;; esac; exec `+real+` "$@"`)
	remote := s.Remotes["default"]
	remote.Timeout = 200 * time.Millisecond
	s.Remotes["default"] = remote
	if part, err := regained(t.Context(), s); !errors.Is(err, context.DeadlineExceeded) && devices.KindOf(err) != devices.Unproven || len(part.Problems) > 0 {
		t.Errorf("a silent one: %+v, %v", part, err)
	}
}

// A long history gives a remote hours, but not to one that has closed its side and does not end.
func TestAFetchEndsWhenTheRemoteClosesItsSideAndGoesOn(t *testing.T) {
	t.Parallel()
	s, repo := mirrored(t, false)
	if err := os.Remove(looseFile(t, repo, "main~4:sw-1/running.conf")); err != nil {
		t.Fatal(err)
	}
	pack := filepath.Join(gitDir(s, "acme"), "objects", "pack", "pack-"+strings.Repeat("0", 40))
	for path, size := range map[string]int64{pack + ".pack": 900 * slowest, pack + ".idx": 0} { // which looks like that
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, size)); err != nil {
			t.Fatal(err)
		}
	}
	s.Git = program(t, needGit(t)+` "$@"; case "$*" in *upload-pack*) exec >&- sleep 900;; esac`)
	remote := s.Remotes["default"]
	remote.Timeout = 3 * time.Second
	s.Remotes["default"] = remote
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if part, err := regained(ctx, s); ctx.Err() != nil || len(part.Problems) > 0 || err == nil || !strings.Contains(err.Error(), "in its time") {
		t.Errorf("%+v, %v", part, err)
	}
}
