package git

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/conformance"
	"belay/configs/redact"
	"belay/devices"
)

func TestItKeepsWhatEveryRepositoryKeeps(t *testing.T) {
	t.Parallel()
	conformance.Repository(t, func(t *testing.T) configs.Repository { return open(t, t.TempDir()) })
}

// open is a store in dir whose repositories real git looks through at the end.
func open(t testing.TB, dir string) *Store {
	s := &Store{Dir: dir, Now: func() time.Time { return at(0) }}
	t.Cleanup(func() { fsck(t, dir) })
	return s
}

func at(minute int) time.Time {
	return time.Date(2026, 3, 14, 2, minute, 0, 0, time.FixedZone("", 3600))
}

// needGit is git's path. Without it a test skips at a desk and fails in CI.
func needGit(t testing.TB) string { return need(t, "git") }

func need(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed", program)
		}
		t.Skipf("%s is not installed: this test needs the real one", program)
	}
	return path
}

// git runs the real one and returns what it says.
func git(t testing.TB, args ...string) string {
	t.Helper()
	out, err := runGit(t, args...)
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func runGit(t testing.TB, args ...string) (string, error) {
	t.Helper()
	c := exec.Command(needGit(t), append([]string{"-c", "safe.directory=*"}, args...)...)
	c.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "LC_ALL=C", "GIT_PAGER=cat")
	out, err := c.CombinedOutput()
	return string(out), err
}

// fsck has real git look through every repository below dir.
func fsck(t testing.TB, dir string) {
	t.Helper()
	repos, err := filepath.Glob(filepath.Join(dir, "customers", "*", "history.git"))
	if err != nil {
		t.Error(err)
	}
	for _, r := range repos {
		if head, err := (&repo{dir: r}).head(); err == nil && head.IsZero() {
			continue
		}
		out, err := runGit(t, "--git-dir", r, "fsck", "--full", "--strict")
		out = strings.ReplaceAll(out, "notice: HEAD points to an unborn branch (main)\n", "")
		for _, line := range strings.Split(out, "\n") {
			if line != "" && !strings.HasPrefix(line, "dangling ") {
				t.Errorf("git fsck %s: %s", r, line)
			}
		}
		if err != nil {
			t.Errorf("git fsck %s: %v", r, err)
		}
	}
}

func gitDir(s *Store, customer string) string {
	return filepath.Join(s.Dir, "customers", customer, "history.git")
}

func text(t testing.TB, name, s string) configs.Text {
	t.Helper()
	sum := sha256.Sum256([]byte(s))
	c, err := redact.Restore([]byte(s), hex.EncodeToString(sum[:]))
	if err != nil {
		t.Fatal(err)
	}
	return configs.Text{Name: name, Clean: c}
}

func sealed(name, original string) configs.Sealed {
	sum := sha256.Sum256([]byte(original))
	return configs.Sealed{Name: name, Bytes: []byte("sealed\x00" + original), Digest: hex.EncodeToString(sum[:]), Size: len(original)}
}

func snapshot(t testing.TB, customer, name, s string, minute int) configs.Snapshot {
	t.Helper()
	return configs.Snapshot{
		Device: devices.Device{Customer: customer, Name: name}, Taken: at(minute),
		By: configs.Person{Name: "Ada Example", Email: "ada@example.net"}, Driver: "cisco_ios",
		Identity: devices.Identity{Hostname: name, Serials: []string{"FGL2349L0AB", "FGL2349L0AC"}},
		Grade:    configs.Grade{Level: configs.Restore}, Checks: []configs.Check{{Name: "end mark", OK: true}},
		Texts:     []configs.Text{text(t, configs.MainFile, s)},
		Originals: []configs.Sealed{sealed(configs.MainFile, "original of "+s)},
	}
}

func commit(t testing.TB, s *Store, snap configs.Snapshot) configs.Version {
	t.Helper()
	v, err := s.Commit(t.Context(), snap)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestPlainGitReadsTheHistory(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	commit(t, s, snapshot(t, "acme", "fw-hq", "hostname fw-hq\nntp server 192.0.2.1\n", 1))
	snap := snapshot(t, "acme", "fw-hq", "hostname fw-hq\nntp server 192.0.2.2\n", 2)
	snap.By = configs.Person{Name: "Zoë <O'Neil>\nTicket: forged"}
	snap.Ticket, snap.Change, snap.Phase = "T20391\nPhase: forged", "c-17", "before"
	snap.Texts = append(snap.Texts, text(t, "vlan.conf", "vlan 7\n"))
	snap.Originals = append(snap.Originals, sealed("vlan.conf", "vlan 7\r\n"))
	commit(t, s, snap)
	dir := gitDir(s, "acme")

	log := git(t, "--git-dir", dir, "log", "-p", "--format=%an <%ae> %aI by %cn: %s", "main", "--", "fw-hq/running.conf")
	for _, want := range []string{
		"-ntp server 192.0.2.1\n+ntp server 192.0.2.2\n",
		"Ada Example <ada@example.net> 2026-03-14T02:01:00+01:00 by Belay: fw-hq: first capture\n",
		"Zoë O'Neil Ticket: forged <zo--o-neil-ticket--forged@belay.invalid> 2026-03-14T02:02:00+01:00 by Belay: fw-hq: before, ticket T20391 Phase: forged\n",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("git log -p lacks %q:\n%s", want, log)
		}
	}
	c := exec.Command(needGit(t), "interpret-trailers", "--parse")
	c.Stdin = strings.NewReader(git(t, "--git-dir", dir, "log", "-1", "--format=%B", "main"))
	trailers, err := c.Output()
	want := "Ticket: T20391 Phase: forged\nChange: c-17\nPhase: before\nDriver: cisco_ios\nDevice-Serial: FGL2349L0AB\nDevice-Serial: FGL2349L0AC\n" +
		"Original-Digest: " + snap.Originals[0].Digest + "\nOriginal-Digest: " + snap.Originals[1].Digest + " vlan.conf\n"
	if err != nil || string(trailers) != want {
		t.Errorf("trailers: %v\n%s\nwant\n%s", err, trailers, want)
	}
	clone := filepath.Join(t.TempDir(), "clone")
	git(t, "clone", "-q", dir, clone)
	names, err := listing(filepath.Join(clone, "fw-hq"))
	if err != nil || strings.Join(names, " ") != "original.age running.conf snapshot.json vlan.conf vlan.original.age" {
		t.Errorf("files in the clone: %v, %v", names, err)
	}
	b, err := os.ReadFile(filepath.Join(clone, "fw-hq", "vlan.original.age"))
	if err != nil || !bytes.Equal(b, snap.Originals[1].Bytes) {
		t.Errorf("the sealed original in the clone: %q, %v", b, err)
	}
}

func TestNothingIsReadableByOthers(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "belay-data"))
	for i := range 3 {
		snap := snapshot(t, "acme", "fw-hq", fmt.Sprintf("%d\n", i/2), i)
		snap.Salted = true
		snap.Originals = []configs.Sealed{sealed(configs.MainFile, fmt.Sprint("salt ", i))}
		commit(t, s, snap)
	}
	needGit(t)
	if _, err := s.Maintain(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	n := 0
	err := filepath.WalkDir(s.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err == nil && fi.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %s", path, fi.Mode())
		}
		n++
		return err
	})
	if err != nil || n < 15 {
		t.Errorf("%d files, %v", n, err)
	}
}

func TestARenamedDeviceMovesItsFolder(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	commit(t, s, snapshot(t, "acme", "fw-hq", "one\n", 1))
	snap := snapshot(t, "acme", "fw-zurich", "one\n", 2) // only the name is another
	snap.Device.FirstID = "fw-hq"
	v := commit(t, s, snap)
	if !v.New || v.Subject != "fw-zurich: renamed from fw-hq" {
		t.Errorf("got %+v", v)
	}
	tree := git(t, "--git-dir", gitDir(s, "acme"), "ls-tree", "--name-only", "main")
	if tree != "fw-zurich\n" {
		t.Errorf("tree: %q", tree)
	}
}

// Two devices that change names, one after the other, must not wait for each
// other nor lose a history.
func TestDevicesThatSwapNamesKeepTheirHistories(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	named := func(first, name, text string, minute int) configs.Snapshot {
		snap := snapshot(t, "acme", name, text, minute)
		if first != name {
			snap.Device.FirstID = first
		}
		return snap
	}
	a1 := commit(t, s, named("a", "a", "a one\n", 1))
	b1 := commit(t, s, named("b", "b", "b one\n", 2))
	a2 := commit(t, s, named("a", "b", "a two\n", 3))
	check := func(when string, id devices.ID, want ...configs.Version) {
		t.Helper()
		for name, s := range map[string]*Store{"knowing": s, "new": open(t, s.Dir)} {
			var got, commits []string
			for v, err := range s.History(t.Context(), id) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, v.Commit)
			}
			for _, v := range want {
				commits = append(commits, v.Commit)
			}
			if strings.Join(got, " ") != strings.Join(commits, " ") {
				t.Errorf("%s, %s store: history of %s is %v, want %v", when, name, id, got, commits)
			}
			newest, ok, err := s.Newest(t.Context(), id)
			if err != nil || !ok || newest.Commit != want[0].Commit || newest.Subject != want[0].Subject {
				t.Errorf("%s, %s store: newest of %s is %+v, %t, %v", when, name, id, newest, ok, err)
			}
		}
	}
	check("between", "acme/a", a2, a1)
	check("between", "acme/b", b1)
	b2 := commit(t, s, named("b", "a", "b two\n", 4))
	check("after", "acme/a", a2, a1)
	check("after", "acme/b", b2, b1)
}

func TestTheNewestSealedOriginalIsKeptWhereSecretsAreSalted(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	keep := func(text, original string, minute int) configs.Version {
		snap := snapshot(t, "acme", "fw-hq", text, minute)
		snap.Salted, snap.Originals = true, []configs.Sealed{sealed(configs.MainFile, original)}
		return commit(t, s, snap)
	}
	want := func(original string) {
		t.Helper()
		got, err := open(t, s.Dir).Latest(t.Context(), "acme/fw-hq")
		w := sealed(configs.MainFile, original)
		if err != nil || len(got) != 1 || !bytes.Equal(got[0].Bytes, w.Bytes) || got[0].Digest != w.Digest || got[0].Size != w.Size {
			t.Errorf("latest: %+v, %v; want %+v", got, err, w)
		}
	}
	dir := filepath.Join(s.Dir, "customers", "acme", "latest", "fw-hq")
	keep("one\n", "salt 1", 1)
	want("salt 1")
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("latest/ is there beside a version that holds it: %v", err)
	}
	if v := keep("one\n", "salt 2", 2); v.New {
		t.Error("a salt made a version")
	}
	want("salt 2")
	keep("one\n", "salt 3", 3)
	want("salt 3")
	stale, err := os.ReadFile(filepath.Join(dir, "latest.json"))
	if err != nil {
		t.Fatal(err)
	}
	keep("two\n", "salt 4", 4)
	want("salt 4")
	// Killed before the old one was removed: it is void.
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "latest.json"), stale, 0o600); err != nil {
		t.Fatal(err)
	}
	want("salt 4")
}

// The commands that the comment of package store gives a stranger.
func TestAStrangerOpensAnOriginalWithGitAgeAndZstd(t *testing.T) {
	t.Parallel()
	needGit(t)
	need(t, "age")
	need(t, "zstd")
	dir := t.TempDir()
	sh := func(script string) string {
		t.Helper()
		c := exec.Command("sh", "-ec", script)
		c.Dir = dir
		out, err := c.Output()
		if err != nil {
			t.Fatalf("%s: %v", script, err)
		}
		return string(out)
	}
	s := open(t, dir)
	snap := snapshot(t, "acme", "fw-hq", "hostname fw-hq\n", 1)
	snap.Originals[0].Bytes = []byte(sh(`age-keygen -o key 2>/dev/null; printf 'hostname fw-hq\r\n' | zstd -q | age -r "$(age-keygen -y key)"`))
	commit(t, s, snap)
	if got := sh("cd customers/acme; git -C history.git show main:fw-hq/original.age | age -d -i ../../key | zstd -d -q"); got != "hostname fw-hq\r\n" {
		t.Errorf("got %q", got)
	}
}
