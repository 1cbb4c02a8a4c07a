package conformance

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"belay/configs"
	"belay/devices"
)

// Repository holds an implementation of configs.Repository to its contract.
// Open gives an empty one each time.
func Repository(t *testing.T, open func(t *testing.T) configs.Repository) {
	for name, f := range map[string]func(*testing.T, configs.Repository){
		"what is kept reads back as it was":          keptReadsBack,
		"the same text keeps nothing":                sameTextKeepsNothing,
		"always makes a version of the same text":    alwaysMakesAVersion,
		"any file that differs makes a version":      anyFileCounts,
		"a version keeps its own originals":          ownOriginals,
		"an artifact has no text":                    artifactHasNoText,
		"a newer artifact alone makes no version":    artifactAlone,
		"a version tells what was unsaved":           toldUnsaved,
		"what brings nothing new is told before":     unchangedIsTold,
		"what stands is read back":                   standingIsReadBack,
		"history is newest first":                    historyIsNewestFirst,
		"a version is told like any other later":     versionsAreTold,
		"a renamed device keeps its history":         renamedKeepsHistory,
		"two customers do not mix":                   customersDoNotMix,
		"concurrent commits are all kept":            concurrentCommits,
		"captures of one device at once make a line": oneDeviceAtOnce,
		"what was never kept is not there":           neverKept,
		"a name that is no folder is refused":        badNamesAreRefused,
		"a canceled context is its error":            canceledRepository,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

// ignored is what may differ between the version Commit returned and the same one read later.
var ignored = cmp.Options{cmpopts.IgnoreFields(configs.Version{}, "New"), cmpopts.EquateEmpty(),
	cmp.Comparer(bytes.Equal), // cmp by itself walks byte by byte
	cmpopts.SortSlices(func(a, b configs.VersionFile) bool { return a.Name < b.Name }),
	cmpopts.SortSlices(func(a, b configs.Sealed) bool { return a.Name < b.Name })}

// snapshot is one of customer/name with this text, taken at this minute.
func snapshot(t *testing.T, customer, name, s string, minute int) configs.Snapshot {
	return configs.Snapshot{
		Device:    devices.Device{Customer: customer, Name: name, Address: "192.0.2.7", Driver: "ios"},
		Taken:     at(minute),
		By:        configs.Person{Name: "Ada Example", Email: "ada@example.net"},
		Driver:    "ios",
		Identity:  devices.Identity{Hostname: name, Model: "C1111-8P", Version: "17.9.4a", Serials: []string{"FGL2349L0AB"}, ObjectID: ".1.3.6.1.4.1.9.1.2660"},
		Grade:     configs.Grade{Level: configs.Restore},
		Checks:    []configs.Check{{Name: "end mark", OK: true}},
		Texts:     []configs.Text{text(t, configs.MainFile, s)},
		Originals: []configs.Sealed{sealed(configs.MainFile, "original of "+s)},
	}
}

func keptReadsBack(t *testing.T, r configs.Repository) {
	long := strings.Repeat("interface GigabitEthernet0/0/1\n description Zürich – uplink\n!\n", 4000)
	s := snapshot(t, "acme", "fw-hq", long, 1)
	s.Texts = append(s.Texts, text(t, "vlan.txt", "no newline at the end"), text(t, "empty.txt", ""))
	s.Originals = append(s.Originals, sealed("vlan.txt", "\r\nvlan\x00"), sealed("empty.txt", ""))
	v := must[configs.Version](t)(r.Commit(t.Context(), s))
	if !v.New || v.Commit == "" || v.Subject == "" {
		t.Errorf("the first version: got New %t, Commit %q, Subject %q", v.New, v.Commit, v.Subject)
	}
	wantTexts(t, r, v, s.Texts)
	got := must[[]configs.Sealed](t)(r.Originals(t.Context(), v))
	if diff := cmp.Diff(s.Originals, got, ignored); diff != "" {
		t.Errorf("originals (-kept +read):\n%s", diff)
	}
}

func sameTextKeepsNothing(t *testing.T, r configs.Repository) {
	first := must[configs.Version](t)(r.Commit(t.Context(), snapshot(t, "acme", "fw-hq", "hostname fw-hq\n", 1)))
	again := snapshot(t, "acme", "fw-hq", "hostname fw-hq\n", 2)
	again.Originals = []configs.Sealed{sealed(configs.MainFile, "another clock in the original")}
	second := must[configs.Version](t)(r.Commit(t.Context(), again))
	if second.New {
		t.Error("the same text made a version")
	}
	if diff := cmp.Diff(first, second, ignored); diff != "" {
		t.Errorf("not the version that stands (-first +second):\n%s", diff)
	}
	if n := len(all(t, r.History(t.Context(), first.ID))); n != 1 {
		t.Errorf("%d versions in history, want 1", n)
	}
}

func alwaysMakesAVersion(t *testing.T, r configs.Repository) {
	first := must[configs.Version](t)(r.Commit(t.Context(), snapshot(t, "acme", "fw-hq", "hostname fw-hq\n", 1)))
	s := snapshot(t, "acme", "fw-hq", "hostname fw-hq\n", 2)
	s.Always, s.Ticket, s.Phase = true, "T20391", "before"
	second := must[configs.Version](t)(r.Commit(t.Context(), s))
	if !second.New || second.Commit == first.Commit || second.Ticket != "T20391" {
		t.Errorf("always: got %+v, want a version of its own", second)
	}
	wantTexts(t, r, second, s.Texts)
	// After it, the same text keeps nothing again.
	third := must[configs.Version](t)(r.Commit(t.Context(), snapshot(t, "acme", "fw-hq", "hostname fw-hq\n", 3)))
	if third.New || third.Commit != second.Commit {
		t.Errorf("after always: got version %s (new %t), want %s", third.Commit, third.New, second.Commit)
	}
}

func anyFileCounts(t *testing.T, r configs.Repository) {
	files := func(minute int, main, vlans string) configs.Snapshot {
		s := snapshot(t, "acme", "sw-1", main, minute)
		if vlans != "" {
			s.Texts = append(s.Texts, text(t, "vlan.txt", vlans))
			s.Originals = append(s.Originals, sealed("vlan.txt", vlans))
		}
		return s
	}
	for i, step := range []struct {
		main, vlans string
		isNew       bool
	}{
		{"a\n", "1\n", true},
		{"a\n", "1\n", false},
		{"a\n", "1\n2\n", true}, // only the second file differs
		{"b\n", "1\n2\n", true}, // only the first
		{"b\n", "", true},       // a file is gone
		{"b\n", "", false},
		{"b\n", "1\n2\n", true}, // and back
	} {
		s := files(i, step.main, step.vlans)
		v := must[configs.Version](t)(r.Commit(t.Context(), s))
		if v.New != step.isNew {
			t.Errorf("step %d: New is %t, want %t", i, v.New, step.isNew)
		}
		if len(v.Files) != len(s.Texts) {
			t.Errorf("step %d: %d files, want %d", i, len(v.Files), len(s.Texts))
		}
		wantTexts(t, r, v, s.Texts)
	}
}

// ownOriginals: where a device salts its secrets, a later reading of the same
// text brings another original, which is not the version's.
func ownOriginals(t *testing.T, r configs.Repository) {
	s := snapshot(t, "acme", "fw-hq", "hostname fw-hq\n", 1)
	s.Salted = true
	first := must[configs.Version](t)(r.Commit(t.Context(), s))
	later := s
	later.Originals = []configs.Sealed{sealed(configs.MainFile, "the same with other salt")}
	if v := must[configs.Version](t)(r.Commit(t.Context(), later)); v.New || v.Commit != first.Commit {
		t.Errorf("the same text made version %s, New %t; want %s to stand", v.Commit, v.New, first.Commit)
	}
	got := must[[]configs.Sealed](t)(r.Originals(t.Context(), first))
	if diff := cmp.Diff(s.Originals, got, ignored); diff != "" {
		t.Errorf("originals of the first version (-committed +read):\n%s", diff)
	}
}

func historyIsNewestFirst(t *testing.T, r configs.Repository) {
	var want []string
	for i := range 5 {
		// All in one second: the order is that of the commits, not of the clock.
		v := must[configs.Version](t)(r.Commit(t.Context(), snapshot(t, "acme", "fw-hq", fmt.Sprintf("version %d\n", i), 1)))
		want = append([]string{v.Commit}, want...)
		must[configs.Version](t)(r.Commit(t.Context(), snapshot(t, "acme", "sw-1", fmt.Sprintf("beside %d\n", i), 1)))
	}
	var got []string
	for i, v := range all(t, r.History(t.Context(), "acme/fw-hq")) {
		got = append(got, v.Commit)
		wantTexts(t, r, v, []configs.Text{text(t, configs.MainFile, fmt.Sprintf("version %d\n", 4-i))})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	for v, err := range r.History(t.Context(), "acme/fw-hq") {
		if err != nil || v.Commit != want[0] {
			t.Errorf("first of history: %s, %v; want %s", v.Commit, err, want[0])
		}
		break // whoever has seen enough may stop
	}
}

func versionsAreTold(t *testing.T, r configs.Repository) {
	s := snapshot(t, "acme", "fw-hq", "hostname fw-hq\n", 1)
	s.By.Claimed = true
	s.Ticket, s.Change, s.Phase = "T20391", "c-17", "after"
	s.Grade = configs.Grade{Level: configs.Partial, Missing: []string{"VLANs live in vlan.dat", "licenses"}}
	s.Identity.Serials = []string{"FGL2349L0AB", "FGL2349L0AC"}
	v := must[configs.Version](t)(r.Commit(t.Context(), s))
	file := configs.VersionFile{Name: configs.MainFile, Digest: s.Texts[0].Clean.Digest(), Bytes: s.Texts[0].Clean.Len(),
		OriginalDigest: s.Originals[0].Digest, OriginalBytes: s.Originals[0].Size}
	want := configs.Version{ID: "acme/fw-hq", Name: "fw-hq", Commit: v.Commit, Taken: s.Taken, By: s.By, Subject: v.Subject,
		Ticket: s.Ticket, Change: s.Change, Phase: s.Phase, Driver: s.Driver, Identity: s.Identity, Grade: s.Grade,
		Files: []configs.VersionFile{file}}
	newest, ok, err := r.Newest(t.Context(), "acme/fw-hq")
	if err != nil || !ok || newest.New {
		t.Fatalf("newest: ok %t, new %t, error %v", ok, newest.New, err)
	}
	history := all(t, r.History(t.Context(), "acme/fw-hq"))
	if len(history) != 1 || history[0].New {
		t.Fatalf("history: %+v", history)
	}
	for name, got := range map[string]configs.Version{"commit": v, "newest": newest, "history": history[0]} {
		if diff := cmp.Diff(want, got, ignored); diff != "" {
			t.Errorf("as %s tells it (-want +got):\n%s", name, diff)
		}
	}
}

func renamedKeepsHistory(t *testing.T, r configs.Repository) {
	first := must[configs.Version](t)(r.Commit(t.Context(), snapshot(t, "acme", "fw-hq", "one\n", 1)))
	s := snapshot(t, "acme", "fw-zurich", "two\n", 2)
	s.Device.FirstID = "fw-hq"
	second := must[configs.Version](t)(r.Commit(t.Context(), s))
	if second.ID != "acme/fw-hq" || second.Name != "fw-zurich" {
		t.Errorf("after the new name: ID %s, name %s", second.ID, second.Name)
	}
	history := all(t, r.History(t.Context(), "acme/fw-hq"))
	if len(history) != 2 || history[0].Commit != second.Commit || history[1].Commit != first.Commit || history[1].Name != "fw-hq" {
		t.Fatalf("history over the new name: %+v", history)
	}
	wantTexts(t, r, history[0], s.Texts)
	wantTexts(t, r, history[1], []configs.Text{text(t, configs.MainFile, "one\n")})
	if newest, ok, err := r.Newest(t.Context(), "acme/fw-hq"); err != nil || !ok || newest.Commit != second.Commit {
		t.Errorf("newest: %s, %t, %v; want %s", newest.Commit, ok, err, second.Commit)
	}
	if _, ok, err := r.Newest(t.Context(), "acme/fw-zurich"); err != nil || ok {
		t.Errorf("the new name became an ID: ok %t, error %v", ok, err)
	}
	again := s
	again.Taken = at(3)
	if v := must[configs.Version](t)(r.Commit(t.Context(), again)); v.New || v.Commit != second.Commit {
		t.Errorf("the same text under the new name: got %s (new %t), want %s", v.Commit, v.New, second.Commit)
	}
}

func customersDoNotMix(t *testing.T, r configs.Repository) {
	a := must[configs.Version](t)(r.Commit(t.Context(), snapshot(t, "acme", "fw-hq", "same\n", 1)))
	b := must[configs.Version](t)(r.Commit(t.Context(), snapshot(t, "bolt", "fw-hq", "same\n", 1)))
	if !b.New || b.ID != "bolt/fw-hq" {
		t.Errorf("the second customer's first version: %+v", b)
	}
	must[configs.Version](t)(r.Commit(t.Context(), snapshot(t, "bolt", "fw-hq", "changed\n", 2)))
	if h := all(t, r.History(t.Context(), a.ID)); len(h) != 1 {
		t.Errorf("acme has %d versions, want 1", len(h))
	}
	if h := all(t, r.History(t.Context(), b.ID)); len(h) != 2 {
		t.Errorf("bolt has %d versions, want 2", len(h))
	}
	wantTexts(t, r, a, []configs.Text{text(t, configs.MainFile, "same\n")})
}

func concurrentCommits(t *testing.T, r configs.Repository) {
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			customer, name := []string{"acme", "bolt"}[i%2], fmt.Sprintf("sw-%d", i)
			for j := range 2 {
				if v, err := r.Commit(t.Context(), snapshot(t, customer, name, fmt.Sprintf("%s %d\n", name, j), j)); err != nil || !v.New {
					t.Errorf("%s: New %t, error %v", name, v.New, err)
				}
			}
		})
	}
	wg.Wait()
	for i := range 24 {
		id := devices.ID(fmt.Sprintf("%s/sw-%d", []string{"acme", "bolt"}[i%2], i))
		h := all(t, r.History(t.Context(), id))
		if len(h) != 2 {
			t.Errorf("%s: %d versions, want 2", id, len(h))
			continue
		}
		for j, v := range h {
			wantTexts(t, r, v, []configs.Text{text(t, configs.MainFile, fmt.Sprintf("sw-%d %d\n", i, 1-j))})
		}
	}
}

func oneDeviceAtOnce(t *testing.T, r configs.Repository) {
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			s := snapshot(t, "acme", "fw-hq", fmt.Sprintf("text %d\n", i), i)
			v, err := r.Commit(t.Context(), s)
			if err != nil {
				t.Error(err)
				return
			}
			wantTexts(t, r, v, s.Texts)
		})
	}
	wg.Wait()
	h := all(t, r.History(t.Context(), "acme/fw-hq"))
	seen := map[string]bool{}
	for _, v := range h {
		seen[v.Commit] = true
	}
	if len(h) != 12 || len(seen) != 12 {
		t.Errorf("%d versions, %d of them different; want 12", len(h), len(seen))
	}
}

func neverKept(t *testing.T, r configs.Repository) {
	for range 2 { // before the customer has anything, and after
		if v, ok, err := r.Newest(t.Context(), "acme/ghost"); ok || err != nil {
			t.Errorf("newest: %+v, %t, %v; want none", v, ok, err)
		}
		if h := all(t, r.History(t.Context(), "acme/ghost")); len(h) != 0 {
			t.Errorf("history: %+v; want none", h)
		}
		v := configs.Version{ID: "acme/ghost", Name: "ghost", Commit: strings.Repeat("0a", 20), Files: []configs.VersionFile{{Name: configs.MainFile}}}
		if texts, err := r.Texts(t.Context(), v); err == nil {
			t.Errorf("texts of a version nobody kept: %v", texts)
		}
		if originals, err := r.Originals(t.Context(), v); err == nil {
			t.Errorf("originals of a version nobody kept: %v", originals)
		}
		must[configs.Version](t)(r.Commit(t.Context(), snapshot(t, "acme", "fw-hq", "x\n", 1)))
	}
}

func badNamesAreRefused(t *testing.T, r configs.Repository) {
	for _, id := range noNames {
		_, name, _ := strings.Cut(string(id), "/")
		if v, err := r.Commit(t.Context(), snapshot(t, id.Customer(), name, "x\n", 1)); err == nil {
			t.Errorf("%q was kept as %+v", id, v)
		}
	}
	s := snapshot(t, "acme", "fw-hq", "x\n", 1)
	s.Texts = nil
	if v, err := r.Commit(t.Context(), s); err == nil {
		t.Errorf("a snapshot without a text was kept as %+v", v)
	}
}

func canceledRepository(t *testing.T, r configs.Repository) {
	v := must[configs.Version](t)(r.Commit(t.Context(), snapshot(t, "acme", "fw-hq", "x\n", 1)))
	ctx := canceled(t)
	_, err := r.Commit(ctx, snapshot(t, "acme", "fw-hq", "y\n", 2))
	wantCanceled(t, "commit", err)
	_, _, err = r.Newest(ctx, v.ID)
	wantCanceled(t, "newest", err)
	_, err = r.Texts(ctx, v)
	wantCanceled(t, "texts", err)
	_, err = r.Originals(ctx, v)
	wantCanceled(t, "originals", err)
	wantCanceled(t, "history", firstError(r.History(ctx, v.ID)))
}

func wantTexts(t *testing.T, r configs.Repository, v configs.Version, want []configs.Text) {
	t.Helper()
	got, err := r.Texts(t.Context(), v)
	if err != nil {
		t.Errorf("texts of %s: %v", v.Commit, err)
		return
	}
	sorted := cmpopts.SortSlices(func(a, b configs.Text) bool { return a.Name < b.Name })
	if diff := cmp.Diff(want, got, sorted, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("texts of %s (-kept +read):\n%s", v.Commit, diff)
	}
}
