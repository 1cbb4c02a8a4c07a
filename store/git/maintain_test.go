package git

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"belay/configs"
	"belay/devices"
)

// Maintain packs a customer's history into one pack, which Maintenance does only
// where all packs are small ones.
func (s *Store) Maintain(ctx context.Context, customer string) (Report, error) {
	r, err := s.repo(customer)
	if err != nil {
		return Report{}, err
	}
	rep, err := r.maintain(ctx, s.git(), everything)
	return rep, unpacked(customer, err)
}

func TestMaintenanceLeavesOnePackAndLetsCapturesGoOn(t *testing.T) {
	t.Parallel()
	needGit(t)
	s := open(t, t.TempDir())
	var all []configs.Version
	for i := range 40 {
		all = append(all, commit(t, s, snapshot(t, "acme", "fw-hq", strings.Repeat("common line\n", 500)+fmt.Sprint(i, "\n"), i)))
	}
	r, err := s.repo("acme")
	if err != nil {
		t.Fatal(err)
	}
	before, err := r.packs()
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	longest := make(chan time.Duration)
	go func() {
		var worst time.Duration
		for i := 0; ; i++ {
			select {
			case <-stop:
				longest <- worst
				return
			default:
			}
			began := time.Now()
			if _, err := s.Commit(t.Context(), snapshot(t, "acme", "beside", fmt.Sprint(i, "\n"), 1)); err != nil {
				t.Error(err)
			}
			worst = max(worst, time.Since(began))
		}
	}()
	s2 := &Store{Dir: s.Dir, Now: time.Now} // as another process has it
	rep, err := s2.Maintain(t.Context(), "acme")
	close(stop)
	worst := <-longest
	if err != nil || rep.Packs < 40 || rep.Spare <= 0 || rep.Skipped != "" {
		t.Errorf("got %+v, %v", rep, err)
	}
	after, err := r.packs()
	if err != nil {
		t.Fatal(err)
	}
	for stem := range before { // those of captures meanwhile stay
		if after[stem] != nil {
			t.Errorf("%s was left", stem)
		}
	}
	if worst > time.Second || rep.Locked > time.Second {
		t.Errorf("a capture waited %s, of that locked %s", worst, rep.Locked)
	}
	t.Logf("%+v, longest commit %s", rep, worst)
	for _, v := range all {
		if _, err := s.Texts(t.Context(), v); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Maintain(t.Context(), "acme"); err != nil {
		t.Error(err)
	}
	if rep, err := s.Maintain(t.Context(), "acme"); err != nil || rep.Skipped == "" {
		t.Errorf("with one pack: %+v, %v", rep, err)
	}
	s.Git = "no-such-git"
	commit(t, s, snapshot(t, "acme", "fw-hq", "more\n", 1))
	if _, err := s.Maintain(t.Context(), "acme"); devices.HintOf(err) == "" || err == nil {
		t.Errorf("without git: %v", err)
	}
}

// What maintenance notes for the next process must tell the same as history does.
func TestANewProcessFindsTheNewestVersions(t *testing.T) {
	t.Parallel()
	needGit(t)
	s := open(t, t.TempDir())
	want := map[devices.ID]configs.Version{}
	keep := func(name, text string, minute int) {
		v := commit(t, s, snapshot(t, "acme", name, text, minute))
		v.New = false
		want[v.ID] = v
	}
	check := func(when string) {
		t.Helper()
		for id, w := range want {
			v, ok, err := open(t, s.Dir).Newest(t.Context(), id)
			if err != nil || !ok || v.Commit != w.Commit || v.Subject != w.Subject || v.Files[0] != w.Files[0] {
				t.Errorf("%s: newest of %s is %+v, %t, %v; want %+v", when, id, v, ok, err, w)
			}
		}
	}
	for i := range 12 {
		keep(fmt.Sprintf("sw-%d", i%5), fmt.Sprint(i, "\n"), i)
	}
	check("before maintenance")
	if _, err := s.Maintain(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	check("after it")
	keep("sw-1", "changed\n", 20)
	keep("new", "new\n", 21)
	check("with commits after it")
	data, err := os.ReadFile(filepath.Join(gitDir(s, "acme"), "belay-newest.json"))
	if err != nil || !strings.Contains(string(data), want["acme/sw-2"].Commit) {
		t.Errorf("the note: %s, %v", data, err)
	}
	// A bit of it turns: it counts for nothing.
	bad := strings.Replace(string(data), want["acme/sw-2"].Commit, want["acme/sw-3"].Commit, 1)
	if err := os.WriteFile(filepath.Join(gitDir(s, "acme"), "belay-newest.json"), []byte(bad), 0o600); err != nil {
		t.Fatal(err)
	}
	check("with a damaged note")
}

func TestARelativeFolderIsMaintained(t *testing.T) {
	needGit(t)
	t.Chdir(t.TempDir())
	s := &Store{Dir: "./belay-data", Now: time.Now}
	for i := range 3 {
		commit(t, s, snapshot(t, "acme", "fw-hq", fmt.Sprint(i, "\n"), i))
	}
	if rep, err := s.Maintain(t.Context(), "acme"); err != nil || rep.Left != 1 {
		t.Errorf("%+v, %v", rep, err)
	}
	fsck(t, s.Dir)
}
