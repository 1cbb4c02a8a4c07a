package git

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"belay/configs"
	"belay/devices"
)

// fill keeps so many versions, each in a pack of its own.
func fill(t testing.TB, s *Store, customer, device string, from, n int) (vs []configs.Version) {
	t.Helper()
	for i := from; i < from+n; i++ {
		snap := snapshot(t, customer, device, strings.Repeat("a line that all have\n", 300)+fmt.Sprint(i, "\n"), i)
		// Originals as sealing makes them share nothing; these do, to see that git
		// does not look.
		snap.Originals[0].Bytes = []byte(strings.Repeat("sealed", 500) + fmt.Sprint(i))
		vs = append(vs, commit(t, s, snap))
	}
	return vs
}

// bulk keeps what makes a big pack.
func bulk(t testing.TB, s *Store) (vs []configs.Version) {
	t.Helper()
	r := rand.NewChaCha8([32]byte{1})
	for i := range 10 {
		snap := snapshot(t, "acme", "bulk", fmt.Sprint(i, "\n"), i)
		snap.Originals[0].Bytes = make([]byte, 60_000)
		if _, err := r.Read(snap.Originals[0].Bytes); err != nil {
			t.Fatal(err)
		}
		vs = append(vs, commit(t, s, snap))
	}
	return vs
}

func (r *repo) packNames(t testing.TB) []string {
	t.Helper()
	packs, err := r.packs()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(packs))
}

// A big pack stays as it is until the small ones come to half of it: a history of
// years is not written again each month.
func TestOnlySmallPacksArePackedTogether(t *testing.T) {
	t.Parallel()
	needGit(t)
	s := open(t, t.TempDir())
	vs := fill(t, s, "acme", "fw-hq", 0, 20)
	vs = append(vs, bulk(t, s)...)
	r, err := s.repo("acme")
	if err != nil {
		t.Fatal(err)
	}
	if round, err := s.Maintenance(t.Context()); err != nil || round.Packed != 0 || round.Histories != 1 {
		t.Errorf("30 packs: %+v, %v", round, err)
	}
	if _, err := s.Maintain(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	big := r.packNames(t)
	vs = append(vs, fill(t, s, "acme", "fw-hq", 5, 1)...) // back to what is in the big one
	vs = append(vs, fill(t, s, "acme", "fw-hq", 20, 29)...)
	round, err := s.Maintenance(t.Context())
	now := r.packNames(t)
	if err != nil || round.Packed != 1 || round.Spare <= 0 || round.Memory <= 0 || len(now) != 2 || !slices.Contains(now, big[0]) {
		t.Errorf("31 packs became %d, %+v, %v", len(now), round, err)
	}
	if round, err := s.Maintenance(t.Context()); err != nil || round.Packed != 0 {
		t.Errorf("again: %+v, %v", round, err)
	}
	for _, v := range vs {
		if _, err := s.Texts(t.Context(), v); err != nil {
			t.Error(err)
		}
	}
	// No time is spent on originals: none is a delta, though these would make good ones.
	sealed := map[string]bool{}
	for line := range strings.Lines(git(t, "--git-dir", r.dir, "rev-list", "--objects", "main")) {
		if sum, name, _ := strings.Cut(strings.TrimSpace(line), " "); strings.HasSuffix(name, ".age") {
			sealed[sum] = true
		}
	}
	texts := 0
	for _, p := range now {
		for line := range strings.Lines(git(t, "--git-dir", r.dir, "verify-pack", "-v", filepath.Join(r.dir, "objects", "pack", p+".idx"))) {
			if f := strings.Fields(line); len(f) == 7 && sealed[f[0]] {
				t.Errorf("an original is a delta: %s", line)
			} else if len(f) == 7 && f[1] == "blob" {
				texts++
			}
		}
	}
	if texts < 40 {
		t.Errorf("only %d texts are deltas", texts)
	}
}

func TestWhatIsWorthPacking(t *testing.T) {
	t.Parallel()
	for sizes, want := range map[string]int{
		"":                0,
		"10":              0,
		"10 10":           2,
		"10 30":           0,
		"10 10 10 10":     4,
		"10 10 100":       2,
		"10 10 39":        3,
		"10 10 40":        2,
		"1 1 1 5 15 1000": 5,
		"1 1 1 5 16 1000": 4,
		"1 3 9 27":        0,
	} {
		packs := map[string]os.FileInfo{}
		for i, f := range strings.Fields(sizes) {
			n, err := strconv.ParseInt(f, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			packs[fmt.Sprint("pack-", i)] = sized(n)
		}
		if got := smallOnes(packs); len(got) != want {
			t.Errorf("of %s: %v, want %d", sizes, got, want)
		}
	}
}

type sized int64

func (s sized) Name() string       { return "" }
func (s sized) Size() int64        { return int64(s) }
func (s sized) Mode() os.FileMode  { return 0 }
func (s sized) ModTime() time.Time { return time.Time{} }
func (s sized) IsDir() bool        { return false }
func (s sized) Sys() any           { return nil }

// What killed processes left goes with the next round, though nobody writes.
func TestARoundClearsAwayWhatWasLeft(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	commit(t, s, snapshot(t, "acme", "fw-hq", "one\n", 1))
	dir := gitDir(s, "acme")
	var left []string
	for _, name := range []string{"belay-pack-77/half.pack", "tmp_belay_pack_1", "objects/pack/tmp_pack_old"} {
		path := filepath.Join(dir, name)
		left = append(left, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := writeSynced(path, []byte("half")); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(-time.Hour)
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if round, err := s.Maintenance(t.Context()); err != nil || round.Swept != 1 {
		t.Errorf("%+v, %v", round, err)
	}
	for _, path := range left {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if round, err := s.Maintenance(t.Context()); err != nil || round.Swept != 0 {
		t.Errorf("again: %+v, %v", round, err)
	}
}

// One history that is not as it was keeps none of the others from its turn.
func TestARoundGoesOnBehindADamagedHistory(t *testing.T) {
	t.Parallel()
	needGit(t)
	s := open(t, t.TempDir())
	for _, c := range []string{"acme", "bolt", "coil"} {
		fill(t, s, c, "fw-hq", 0, 32)
	}
	git(t, "--git-dir", gitDir(s, "bolt"), "update-ref", mainRef, mainRef+"~3")
	round, err := s.Maintenance(t.Context())
	if devices.KindOf(err) != devices.Damaged || !strings.Contains(err.Error(), "bolt") || round.Histories != 3 || round.Packed != 2 {
		t.Errorf("%+v, %v", round, err)
	}
	if round, err := s.Maintenance(t.Context(), "coil"); err != nil || round.Histories != 1 {
		t.Errorf("one alone: %+v, %v", round, err)
	}
}

// program is a git of our making.
func program(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "git")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nPATH=/usr/bin:/bin\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// The service stops while git packs: git is gone, and so is what it had made.
func TestPackingEndsWithTheContext(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	fill(t, s, "acme", "fw-hq", 0, 32)
	began := filepath.Join(t.TempDir(), "began")
	s.Git = program(t, "echo $$ > "+began+".part; mv "+began+".part "+began+"; exec sleep 600")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error)
	go func() { _, err := s.Maintenance(ctx); ended <- err }()
	var pid int
	for pid == 0 {
		select {
		case err := <-ended:
			t.Fatalf("ended by itself: %v", err)
		case <-time.After(time.Millisecond):
		}
		if data, err := os.ReadFile(began); err == nil {
			if pid, err = strconv.Atoi(strings.TrimSpace(string(data))); err != nil {
				t.Fatal(err)
			}
		}
	}
	commit(t, s, snapshot(t, "acme", "fw-hq", "beside\n", 1))
	cancel()
	if err := <-ended; err == nil {
		t.Error("no error")
	}
	if err := syscall.Kill(pid, 0); err == nil {
		t.Error("git is still there")
	}
	if left, err := filepath.Glob(filepath.Join(gitDir(s, "acme"), "belay-pack-*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestPackingIsNotUrgent(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	fill(t, s, "acme", "fw-hq", 0, 32)
	s.Git = program(t, fmt.Sprintf(`i=0
while [ "$(nice)" != %d ]; do i=$((i+1)); if [ $i = 200 ]; then echo "urgency $(nice)" >&2; exit 1; fi; done
exec %s "$@"`, niceness, needGit(t)))
	if round, err := s.Maintenance(t.Context()); err != nil || round.Packed != 1 {
		t.Errorf("%+v, %v", round, err)
	}
}

// A person has packs without .keep, and his repack takes them away in the middle of
// our packing: that is his matter, and no reason to call anybody.
func TestAnotherGitPacksAtTheSameTime(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	vs := fill(t, s, "acme", "fw-hq", 0, 32)
	s.Git = program(t, fmt.Sprintf(`unset GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
rm %[2]s/objects/pack/*.keep; %[1]s --git-dir %[2]s repack -ad --quiet; exit 1`, needGit(t), gitDir(s, "acme")))
	if round, err := s.Maintenance(t.Context()); err != nil || round.Packed != 0 {
		t.Errorf("%+v, %v", round, err)
	}
	for _, v := range vs {
		if _, err := s.Texts(t.Context(), v); err != nil {
			t.Error(err)
		}
	}
}

// A pack that lacks something is not put in the place of those that have it.
func TestAPackThatLacksSomethingIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	bulk(t, s)
	if _, err := s.Maintain(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	vs := fill(t, s, "acme", "sw", 0, 32)
	r, err := s.repo("acme")
	if err != nil {
		t.Fatal(err)
	}
	before := r.packNames(t)
	s.Git = program(t, fmt.Sprintf(`grep -v '^^' | sed 3d | %s "$@"`, needGit(t)))
	_, err = s.Maintenance(t.Context())
	if err == nil || !strings.Contains(err.Error(), "does not hold") {
		t.Errorf("got %v", err)
	}
	if after := r.packNames(t); !slices.Equal(before, after) {
		t.Errorf("packs were %v, are %v", before, after)
	}
	for _, v := range vs {
		if _, err := s.Texts(t.Context(), v); err != nil {
			t.Error(err)
		}
	}
}

// A person's git maintenance leaves an index over many packs, which git believes:
// it goes with the packs that it names.
func TestAnIndexOverManyPacksGoesWithThem(t *testing.T) {
	t.Parallel()
	needGit(t)
	s := open(t, t.TempDir())
	fill(t, s, "acme", "fw-hq", 0, 32)
	git(t, "--git-dir", gitDir(s, "acme"), "multi-pack-index", "write")
	if round, err := s.Maintenance(t.Context()); err != nil || round.Packed != 1 {
		t.Errorf("%+v, %v", round, err)
	}
	git(t, "--git-dir", gitDir(s, "acme"), "multi-pack-index", "verify")
	if left, err := filepath.Glob(filepath.Join(gitDir(s, "acme"), "objects", "pack", "multi-pack-index*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestMaintenanceTellsOfAHistoryThatCannotBeReadAndGoesOn(t *testing.T) {
	t.Parallel()
	needGit(t)
	s := open(t, t.TempDir())
	for _, customer := range []string{"acme", "beta"} {
		for i := range 3 {
			commit(t, s, snapshot(t, customer, "sw-1", fmt.Sprint(i, "\n"), i))
		}
	}
	dir := filepath.Join(gitDir(s, "acme"), "objects", "pack")
	packs, err := listing(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range packs {
		if err := os.Rename(filepath.Join(dir, n), filepath.Join(s.Dir, n)); err != nil {
			t.Fatal(err)
		}
	}
	round, err := (&Store{Dir: s.Dir}).Maintenance(t.Context())
	if devices.KindOf(err) != devices.Damaged || !strings.Contains(err.Error(), "acme") || round.Histories != 2 || round.Noted != 1 {
		t.Errorf("round %+v, %v", round, err)
	}
	for _, n := range packs {
		if err := os.Rename(filepath.Join(s.Dir, n), filepath.Join(dir, n)); err != nil {
			t.Fatal(err)
		}
	}
}
