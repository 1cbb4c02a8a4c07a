package git

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/devices"
)

// within is a snapshot that belongs to a change.
func within(t testing.TB, change, phase, name, text string, minute int) configs.Snapshot {
	t.Helper()
	snap := snapshot(t, "acme", name, text, minute)
	snap.Ticket, snap.Change, snap.Phase, snap.Always = "T20391", change, phase, true
	return snap
}

func tagNames(t testing.TB, s *Store, change string) (names []string) {
	t.Helper()
	tags, err := s.Tags(t.Context(), "acme", change)
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range tags {
		names = append(names, tag.Name+" "+tag.Version)
	}
	return names
}

func trimmed(s string) string { return strings.TrimSpace(s) }

// What DESIGN.md promises an engineer with a clone: old and new compared by the
// tags of the change, and a history that goes from the new device into the old one's.
func TestTagsOfAChangeCompareTheOldDeviceWithTheNew(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	common := strings.Repeat("access-list inside permit ip any any\n", 20)
	commit(t, s, snapshot(t, "acme", "sw-1", "hostname sw-1\n", 0))
	first := commit(t, s, snapshot(t, "acme", "fw-hq", "hostname fw-hq\nntp 1\n"+common, 1))
	old := within(t, "T20391-fw-hq", "before", "fw-hq", "hostname fw-hq\nntp 2\n"+common, 2)
	old.Texts = append(old.Texts, text(t, "vlan.conf", "vlan 7\n"))
	before := commit(t, s, old)
	commit(t, s, snapshot(t, "acme", "sw-1", "hostname sw-1\nntp 2\n", 3))
	commit(t, s, snapshot(t, "acme", "fw-hq-new", "factory default\n", 4))
	fresh := within(t, "T20391-fw-hq", "after", "fw-hq-new", "hostname fw-hq-new\nntp 2\n"+common, 5)
	fresh.By = configs.Person{Name: "Grace Example", Email: "grace@example.net"}
	afterwards := commit(t, s, fresh)
	clone := filepath.Join(t.TempDir(), "clone.git")
	git(t, "clone", "-q", "--bare", gitDir(s, "acme"), clone)
	in := func(args ...string) string { return git(t, append([]string{"--git-dir", clone}, args...)...) }

	if got := in("ls-tree", "--name-only", "change/T20391-fw-hq/before"); got != "original.age\nrunning.conf\nsnapshot.json\nvlan.conf\n" {
		t.Errorf("files of the tag: %q", got)
	}
	if diff := in("diff", "change/T20391-fw-hq/before", "change/T20391-fw-hq/after", "--", "running.conf"); !strings.Contains(diff, "-hostname fw-hq\n+hostname fw-hq-new\n ntp 2\n") {
		t.Errorf("old against new:\n%s", diff)
	}
	log := in("log", "--follow", "--format=%an: %s", "change/T20391-fw-hq/after", "--", "running.conf")
	want := "Grace Example: fw-hq-new: after, ticket T20391\n" +
		"Ada Example: fw-hq: before, ticket T20391\n" + // the tag's, where the file moves to the root
		"Ada Example: fw-hq: before, ticket T20391\n" +
		"Ada Example: fw-hq: first capture\n"
	if diff := cmp.Diff(want, log); diff != "" {
		t.Errorf("history of the new device's file (-want +got):\n%s", diff)
	}
	lines := strings.Split(in("blame", "-s", "-l", "change/T20391-fw-hq/after", "--", "running.conf"), "\n")
	if !strings.Contains(lines[1], before.Commit) || !strings.Contains(lines[2], first.Commit) {
		t.Errorf("blame does not go on into the old device's history: %q", lines[:3])
	}
	for tag, c := range map[string]struct{ version, parent string }{
		"change/T20391-fw-hq/before": {before.Commit, before.Commit},
		"change/T20391-fw-hq/after":  {afterwards.Commit, trimmed(in("rev-parse", "change/T20391-fw-hq/before"))},
	} {
		if got := trimmed(in("log", "-1", "--format=%P %(trailers:key=Version,valueonly,separator=)", tag)); got != c.parent+" "+c.version {
			t.Errorf("%s has parent and version %s, want %s %s", tag, got, c.parent, c.version)
		}
		if got := trimmed(in("cat-file", "-t", tag)); got != "commit" {
			t.Errorf("%s names a %s", tag, got)
		}
	}
	// Main is the line it was, and each device has its own history.
	if n := trimmed(in("rev-list", "--count", "main")); n != "6" {
		t.Errorf("%s commits in main, want 6", n)
	}
	for id, n := range map[devices.ID]int{"acme/fw-hq": 2, "acme/fw-hq-new": 2, "acme/sw-1": 2} {
		for _, err := range s.History(t.Context(), id) {
			if n--; err != nil {
				t.Error(err)
			}
		}
		if n != 0 {
			t.Errorf("history of %s is %d off", id, n)
		}
	}
}

func TestTagsNeverMoveAndTheNewestNumberCounts(t *testing.T) {
	t.Parallel()
	needGit(t)
	s := open(t, t.TempDir())
	var want []string
	keep := func(phase, name string, minute int) {
		t.Helper()
		v := commit(t, s, within(t, "c-1", phase, name, "the same\n", minute))
		tag := "change/c-1/" + phase
		for n := 2; strings.Contains(strings.Join(want, " ")+" ", tag+" "); n++ {
			tag = fmt.Sprintf("change/c-1/%s-%d", phase, n)
		}
		want = append(want, tag+" "+v.Commit)
	}
	for i := range 11 {
		keep("before", "fw-hq", i)
		if i == 3 { // another git may do this at any time
			git(t, "--git-dir", gitDir(s, "acme"), "pack-refs", "--all")
		}
	}
	commit(t, s, within(t, "c-10", "before", "fw-hq", "of another change\n", 20))
	keep("after", "fw-new", 30)
	keep("after", "fw-new", 31)
	if diff := cmp.Diff(want, tagNames(t, s, "c-1")); diff != "" {
		t.Error(diff)
	}
	newest := trimmed(git(t, "--git-dir", gitDir(s, "acme"), "rev-parse", "change/c-1/before-11"))
	for _, tag := range []string{"after", "after-2"} {
		if got := trimmed(git(t, "--git-dir", gitDir(s, "acme"), "rev-parse", "change/c-1/"+tag+"^")); got != newest {
			t.Errorf("%s stands on %s, want before-11, %s", tag, got, newest)
		}
	}
	// An installation has nothing before it.
	v := commit(t, s, within(t, "c-2", "after", "fw-new", "the same\n", 40))
	if got := trimmed(git(t, "--git-dir", gitDir(s, "acme"), "rev-parse", "change/c-2/after^")); got != v.Commit {
		t.Errorf("after without before stands on %s, want %s", got, v.Commit)
	}
	if got := tagNames(t, s, "nothing"); got != nil {
		t.Errorf("a change without tags has %v", got)
	}
	if got, err := s.Tags(t.Context(), "nobody", "c-1"); err != nil || got != nil {
		t.Errorf("a customer without history has %v, %v", got, err)
	}
}

func TestOnlyAProperChangeIsATag(t *testing.T) {
	t.Parallel()
	needGit(t)
	s := open(t, t.TempDir())
	for _, c := range []struct{ change, phase string }{{"../../heads/x", "before"}, {"a/b", "before"}, {"a.lock", "after"}, {"c-1", "during"}, {"c-1", "../main"}, {"a b", "after"}} {
		if _, err := s.Commit(t.Context(), within(t, c.change, c.phase, "fw-hq", "x\n", 1)); devices.KindOf(err) != devices.Usage {
			t.Errorf("%q %q: %v", c.change, c.phase, err)
		}
		if _, err := s.Tags(t.Context(), "acme", c.change); devices.KindOf(err) != devices.Usage && c.change != "c-1" {
			t.Errorf("tags of %q: %v", c.change, err)
		}
	}
	for i, c := range []struct{ change, phase string }{{"", "before"}, {"c-1", ""}} {
		commit(t, s, within(t, c.change, c.phase, "fw-hq", "x\n", i))
	}
	// What is in the way refuses that one capture, before anything is written.
	git(t, "--git-dir", gitDir(s, "acme"), "tag", "change/c-1", "main")
	git(t, "--git-dir", gitDir(s, "acme"), "tag", "change/c-2", "main")
	git(t, "--git-dir", gitDir(s, "acme"), "tag", "change/c-4/before", "main")
	git(t, "--git-dir", gitDir(s, "acme"), "pack-refs", "--all")
	git(t, "--git-dir", gitDir(s, "acme"), "tag", "change/c-3", "main")
	for _, id := range []string{"c-1", "c-3"} {
		if _, err := s.Commit(t.Context(), within(t, id, "before", "fw-hq", "y\n", 3)); err == nil {
			t.Errorf("%s: kept, with a tag of that name in the way", id)
		}
	}
	v := commit(t, s, within(t, "c-4", "before", "fw-hq", "z\n", 4))
	if diff := cmp.Diff([]string{"change/c-4/before-2 " + v.Commit}, tagNames(t, s, "c-4")); diff != "" {
		t.Error(diff)
	}
	if n := trimmed(git(t, "--git-dir", gitDir(s, "acme"), "rev-list", "--count", "main")); n != "3" {
		t.Errorf("%s commits in main, want 3", n)
	}
}

func TestTheRemotesProofIncludesTheTag(t *testing.T) {
	t.Parallel()
	_, repo := bareRemote(t)
	s := open(t, t.TempDir())
	s.Remotes = map[string]Remote{"acme": {URL: repo}}
	var all []configs.Version
	for i, c := range []struct{ phase, name string }{{"before", "fw-hq"}, {"before", "fw-hq"}, {"after", "fw-new"}, {"after", "fw-new"}} {
		commit(t, s, snapshot(t, "acme", "sw-1", fmt.Sprint(i, "\n"), 2*i))
		all = append(all, commit(t, s, within(t, "c-1", c.phase, c.name, fmt.Sprint(i, "\n"), 2*i+1)))
		if i%2 == 0 {
			continue // two tags, one standing on the other, in one push
		}
		if p, err := s.Prove(t.Context(), all[i]); err != nil || !p.OK || !strings.HasSuffix(p.Detail, "and the tag change/c-1/"+c.phase+"-2") {
			t.Errorf("%d: %+v, %v", i, p, err)
		}
	}
	git(t, "--git-dir", repo, "fsck", "--full", "--strict")
	if here, there := git(t, "--git-dir", gitDir(s, "acme"), "show-ref"), git(t, "--git-dir", repo, "show-ref"); here != there {
		t.Errorf("references here:\n%s\nthere:\n%s", here, there)
	}
	// One that is gone over there comes back with the next push.
	git(t, "--git-dir", repo, "tag", "-d", "change/c-1/before")
	if p, err := s.Prove(t.Context(), all[0]); err != nil || !p.OK {
		t.Errorf("after the tag was deleted there: %+v, %v", p, err)
	}
	// A remote that does not show it is no proof of this version, but of others.
	git(t, "--git-dir", repo, "config", "uploadpack.hideRefs", "refs/tags/change/c-2")
	v := commit(t, s, within(t, "c-2", "before", "fw-hq", "x\n", 50))
	if p, err := s.Prove(t.Context(), v); p.OK || devices.KindOf(err) != devices.Unproven || !strings.Contains(p.Detail, "does not have the tag change/c-2/before") {
		t.Errorf("without the tag: %+v, %v", p, err)
	}
	if p, err := s.Prove(t.Context(), all[1]); err != nil || !p.OK {
		t.Errorf("another version: %+v, %v", p, err)
	}
	// Nor is one whose tag is gone here.
	git(t, "--git-dir", gitDir(s, "acme"), "tag", "-d", "change/c-1/before-2")
	if p, err := s.Prove(t.Context(), all[1]); p.OK || devices.KindOf(err) != devices.Damaged {
		t.Errorf("without the tag here: %+v, %v", p, err)
	}
	// But what it stood upon goes along to a remote that never had it.
	_, fresh := bareRemote(t)
	s.Remotes = map[string]Remote{"acme": {URL: fresh}}
	if p, err := s.Prove(t.Context(), all[3]); err != nil || !p.OK {
		t.Errorf("to a fresh remote: %+v, %v", p, err)
	}
}

// One flush may hold both phases of a change, and one that cannot have its tag.
func TestTagsOfOneFlushStandOnEachOther(t *testing.T) {
	t.Parallel()
	needGit(t)
	s := open(t, t.TempDir())
	commit(t, s, snapshot(t, "acme", "sw-1", "x\n", 0))
	git(t, "--git-dir", gitDir(s, "acme"), "tag", "change/c-2", "main")
	r, err := s.repo("acme")
	if err != nil {
		t.Fatal(err)
	}
	var batch []*request
	for i, snap := range []configs.Snapshot{
		within(t, "c-1", "before", "fw-hq", "one\n", 1), within(t, "c-2", "before", "fw-hq", "two\n", 2),
		within(t, "c-1", "before", "fw-hq", "three\n", 3), within(t, "c-1", "after", "fw-new", "four\n", 4),
	} {
		q, err := prepare(snap)
		if err != nil {
			t.Fatal(i, err)
		}
		batch = append(batch, q)
	}
	answers, err := r.flush(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range answers {
		if (a.err != nil) != (i == 1) || a.version.New == (i == 1) {
			t.Errorf("%d: %+v", i, a)
		}
	}
	want := []string{"change/c-1/before " + answers[0].version.Commit, "change/c-1/before-2 " + answers[2].version.Commit, "change/c-1/after " + answers[3].version.Commit}
	if diff := cmp.Diff(want, tagNames(t, s, "c-1")); diff != "" {
		t.Error(diff)
	}
	if a, b := git(t, "--git-dir", gitDir(s, "acme"), "rev-parse", "change/c-1/after^"), git(t, "--git-dir", gitDir(s, "acme"), "rev-parse", "change/c-1/before-2"); a != b {
		t.Errorf("after stands on %s, want before-2, %s", a, b)
	}
}

func TestMaintenanceKeepsWhatTagsName(t *testing.T) {
	t.Parallel()
	needGit(t)
	s := open(t, t.TempDir())
	for i := range 4 {
		commit(t, s, within(t, "c-1", []string{"before", "after"}[i/2], fmt.Sprint("fw-", i/2), fmt.Sprint(i, "\n"), i))
	}
	want := tagNames(t, s, "c-1")
	for range 2 {
		if rep, err := s.Maintain(t.Context(), "acme"); err != nil || rep.Left != 1 {
			t.Fatalf("%+v, %v", rep, err)
		}
		if diff := cmp.Diff(want, tagNames(t, open(t, s.Dir), "c-1")); len(want) != 4 || diff != "" {
			t.Errorf("%d tags, %s", len(want), diff)
		}
		git(t, "--git-dir", gitDir(s, "acme"), "diff", "--stat", "change/c-1/before-2", "change/c-1/after-2")
		commit(t, s, snapshot(t, "acme", "fw-0", "more\n", 9))
	}
}
