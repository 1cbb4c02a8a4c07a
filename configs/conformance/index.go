package conformance

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/devices"
)

// Index holds an implementation of configs.Index to its contract. Open gives an
// empty one each time.
func Index(t *testing.T, open func(t *testing.T) configs.Index) {
	for name, f := range map[string]func(*testing.T, configs.Index){
		"an index goes from commit to commit":       extendIndex,
		"of many who extend it one does":            concurrentExtends,
		"a version comes back as it was":            wholeVersion,
		"what stood at a time":                      versionAt,
		"what was taken since":                      versionsSince,
		"the newest texts are searched":             searchIndex,
		"who looks through it may write":            writeWhileReading,
		"what is no customer's device is refused":   badVersions,
		"an index that ended its context says that": canceledIndex,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

// sum makes the name of a commit or a digest.
func sum(s string, length int) string { return configs.Digest([]byte(s))[:length] }

func commitOf(n int) string { return sum(fmt.Sprint("commit ", n), 40) }

// indexedAt is version n of a device, taken at a minute.
func indexedAt(t *testing.T, id devices.ID, n, minute int, newest ...string) configs.Indexed {
	v := configs.Indexed{Version: configs.Version{ID: id, Name: string(id)[len(id.Customer())+1:], Commit: commitOf(n), Taken: at(minute), Subject: fmt.Sprint("version ", n),
		By: configs.Person{Name: "Ada Example", Email: "ada@example.net"}, Driver: "ios", Grade: configs.Grade{Level: configs.Restore}}}
	for i, s := range newest {
		x := text(t, []string{configs.MainFile, "vlan.conf", "a.conf"}[i], s)
		v.Texts = append(v.Texts, x)
		v.Version.Files = append(v.Version.Files, configs.VersionFile{Name: x.Name, Digest: x.Clean.Digest(), Bytes: x.Clean.Len()})
	}
	return v
}

func extend(t *testing.T, x configs.Index, customer, from, to string, versions ...configs.Indexed) {
	t.Helper()
	if err := x.Extend(t.Context(), customer, from, to, versions); err != nil {
		t.Fatal(err)
	}
}

func wantVersions(t *testing.T, x configs.Index, id devices.ID, want ...int) {
	t.Helper()
	var got, commits []string
	for _, v := range all(t, x.Versions(t.Context(), id)) {
		got = append(got, v.Commit)
	}
	for _, n := range want {
		commits = append(commits, commitOf(n))
	}
	if !slices.Equal(got, commits) {
		t.Errorf("versions of %s: got %q, want %q", id, got, commits)
	}
}

func wantHead(t *testing.T, x configs.Index, customer, want string) {
	t.Helper()
	got, err := x.Head(t.Context(), customer)
	if err != nil || got != want {
		t.Errorf("%s stands at %q, error %v; want %q", customer, got, err, want)
	}
	standing, err := x.Standing(t.Context())
	if there, ok := standing[customer]; err != nil || there != want || ok != (want != "") {
		t.Errorf("of all %s stands at %q, error %v; want %q", customer, there, err, want)
	}
}

func extendIndex(t *testing.T, x configs.Index) {
	wantHead(t, x, "acme", "")
	wantVersions(t, x, "acme/sw")
	extend(t, x, "acme", "", commitOf(2), indexedAt(t, "acme/sw", 1, 1), indexedAt(t, "acme/fw", 2, 2))
	extend(t, x, "bolt", "", commitOf(9), indexedAt(t, "bolt/sw", 9, 9))
	wantHead(t, x, "acme", commitOf(2))
	for _, from := range []string{commitOf(1), commitOf(3)} {
		if err := x.Extend(t.Context(), "acme", from, commitOf(4), []configs.Indexed{indexedAt(t, "acme/sw", 4, 4)}); !errors.Is(err, configs.ErrIndexMoved) {
			t.Errorf("from another commit: %v", err)
		}
	}
	if err := x.Extend(t.Context(), "none", commitOf(1), commitOf(4), nil); !errors.Is(err, configs.ErrIndexMoved) {
		t.Errorf("from a commit, where there is nothing: %v", err)
	}
	extend(t, x, "acme", commitOf(2), commitOf(4), indexedAt(t, "acme/sw", 4, 4), indexedAt(t, "acme/sw", 3, 3)) // the order counts, not the time
	wantHead(t, x, "acme", commitOf(4))
	wantVersions(t, x, "acme/sw", 3, 4, 1)
	wantVersions(t, x, "acme/fw", 2)
	extend(t, x, "acme", commitOf(4), commitOf(5)) // nothing but a new head
	wantHead(t, x, "acme", commitOf(5))
	wantVersions(t, x, "acme/sw", 3, 4, 1)
	extend(t, x, "acme", "", commitOf(6), indexedAt(t, "acme/fw", 6, 6)) // anew
	wantVersions(t, x, "acme/sw")
	wantVersions(t, x, "acme/fw", 6)
	wantVersions(t, x, "bolt/sw", 9)
	for range 2 {
		if err := x.Drop(t.Context(), "acme"); err != nil {
			t.Fatal(err)
		}
		wantHead(t, x, "acme", "")
		wantVersions(t, x, "acme/fw")
	}
	wantHead(t, x, "bolt", commitOf(9))
	wantVersions(t, x, "bolt/sw", 9)
}

func concurrentExtends(t *testing.T, x configs.Index) {
	extend(t, x, "acme", "", commitOf(0))
	var wg sync.WaitGroup
	var won atomic.Int32
	for i := range 12 {
		wg.Go(func() {
			err := x.Extend(t.Context(), "acme", commitOf(0), commitOf(i+1), []configs.Indexed{indexedAt(t, "acme/sw", i+1, i)})
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, configs.ErrIndexMoved) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(all(t, x.Versions(t.Context(), "acme/sw"))); won.Load() != 1 || n != 1 {
		t.Errorf("%d of them did, and there are %d versions; want 1", won.Load(), n)
	}
}

func wholeVersion(t *testing.T, x configs.Index) {
	bare := indexedAt(t, "acme/bare", 1, 1)
	full := indexedAt(t, "acme/fw", 2, 2, "one\n", "two\n")
	v := &full.Version
	v.Taken = at(2).Add(7).In(time.FixedZone("CET", 3600))
	v.By.Claimed, v.Name, v.Ticket, v.Change, v.Phase, v.New = true, "fw-hq", "T7", "c7", "after", true
	v.Identity = devices.Identity{Hostname: "fw", Model: "m", Version: "1", Serials: []string{"a", "b"}}
	v.Grade.Missing, v.Unsaved = []string{"a key"}, true
	v.Files = append(v.Files, configs.VersionFile{Name: "backup.backup", OriginalDigest: sum("artifact", 64), OriginalBytes: 7})
	v.Files[0].OriginalDigest, v.Files[0].OriginalBytes = sum("original", 64), 1<<33
	other := full
	other.Version.Commit, other.Version.Ticket, other.Version.Change, other.Version.Phase = commitOf(3), "T8", "", ""
	extend(t, x, "acme", "", commitOf(3), bare, full, other)
	want := []configs.Version{other.Version, full.Version}
	for i := range want {
		want[i].New = false // made by no call of ours
		want[i].Taken = want[i].Taken.UTC()
	}
	if diff := cmp.Diff(want, all(t, x.Versions(t.Context(), "acme/fw"))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]configs.Version{bare.Version}, all(t, x.Versions(t.Context(), "acme/bare"))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func versionAt(t *testing.T, x configs.Index) {
	// The third was taken by a clock that had fallen back.
	extend(t, x, "acme", "", commitOf(5), indexedAt(t, "acme/sw", 1, 10), indexedAt(t, "acme/sw", 2, 20), indexedAt(t, "acme/sw", 3, 15), indexedAt(t, "acme/sw", 4, 30), indexedAt(t, "acme/fw", 5, 12))
	for minute, want := range map[int]int{9: 0, 10: 1, 14: 1, 15: 3, 20: 3, 29: 3, 30: 4, 59: 4} {
		v, ok, err := x.At(t.Context(), "acme/sw", at(minute))
		if err != nil || ok != (want > 0) || ok && v.Commit != commitOf(want) {
			t.Errorf("minute %d: %s, %t, %v; want version %d", minute, v.Subject, ok, err, want)
		}
	}
	if _, ok, err := x.At(t.Context(), "acme/none", at(59)); ok || err != nil {
		t.Errorf("of no device: %t, %v", ok, err)
	}
}

func versionsSince(t *testing.T, x configs.Index) {
	extend(t, x, "acme", "", commitOf(4), indexedAt(t, "acme/sw", 1, 10), indexedAt(t, "acme/fw", 2, 30), indexedAt(t, "acme/sw", 4, 20))
	extend(t, x, "bolt", "", commitOf(3), indexedAt(t, "bolt/sw", 3, 25))
	for _, c := range []struct {
		customer string
		minute   int
		want     string
	}{{"", 0, "[version 1 version 4 version 3 version 2]"}, {"", 20, "[version 4 version 3 version 2]"}, {"", 21, "[version 3 version 2]"},
		{"acme", 20, "[version 4 version 2]"}, {"bolt", 0, "[version 3]"}, {"none", 0, "[]"}, {"", 31, "[]"}} {
		var got []string
		for _, v := range all(t, x.Since(t.Context(), c.customer, at(c.minute))) {
			got = append(got, v.Subject)
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%q since %d: got %s, want %s", c.customer, c.minute, got, c.want)
		}
	}
}

func writeWhileReading(t *testing.T, x configs.Index) {
	const many = 1200 // more than is read at once
	var versions []configs.Indexed
	for n := range many {
		versions = append(versions, indexedAt(t, "acme/sw", n, n))
	}
	versions = append(versions, indexedAt(t, "acme/sw", many, 1, "one\ntwo\n"))
	extend(t, x, "acme", "", commitOf(many), versions...)
	n := 0
	for v, err := range x.Versions(t.Context(), "acme/sw") {
		if err != nil || v.Commit != commitOf(many-n) {
			t.Fatalf("version %d: %s, %v", n, v.Subject, err)
		}
		if n++; n%500 == 1 {
			extend(t, x, "bolt", "", commitOf(n))
		}
	}
	if n != many+1 {
		t.Errorf("%d versions, want %d", n, many+1)
	}
	for range 2 {
		for _, err := range x.Search(t.Context(), configs.Query{Pattern: regexp.MustCompile("o")}) {
			if err != nil {
				t.Error(err)
			}
			extend(t, x, "bolt", "", commitOf(n))
			break // and may stop
		}
	}
}

func badVersions(t *testing.T, x configs.Index) {
	for _, id := range append(noNames, "bolt/sw") {
		v := indexedAt(t, "acme/sw", 1, 1)
		v.Version.ID = id
		if err := x.Extend(t.Context(), "acme", "", commitOf(1), []configs.Indexed{v}); err == nil {
			t.Errorf("a version of %q was taken for one of acme's", id)
		}
	}
	for _, c := range []struct{ customer, to string }{{"acme", ""}, {"", commitOf(1)}, {"..", commitOf(1)}} {
		if err := x.Extend(t.Context(), c.customer, "", c.to, nil); err == nil {
			t.Errorf("customer %q was brought to %q", c.customer, c.to)
		}
	}
	wantHead(t, x, "acme", "")
}

func canceledIndex(t *testing.T, x configs.Index) {
	extend(t, x, "acme", "", commitOf(1), indexedAt(t, "acme/sw", 1, 1, "one\n"))
	ctx := canceled(t)
	_, err := x.Head(ctx, "acme")
	wantCanceled(t, "head", err)
	_, err = x.Standing(ctx)
	wantCanceled(t, "standing", err)
	wantCanceled(t, "extend", x.Extend(ctx, "acme", commitOf(1), commitOf(2), nil))
	wantCanceled(t, "drop", x.Drop(ctx, "acme"))
	wantCanceled(t, "versions", firstError(x.Versions(ctx, "acme/sw")))
	_, _, err = x.At(ctx, "acme/sw", at(1))
	wantCanceled(t, "at", err)
	wantCanceled(t, "since", firstError(x.Since(ctx, "", at(0))))
	wantCanceled(t, "search", firstError(x.Search(ctx, configs.Query{Pattern: regexp.MustCompile("o")})))
	wantHead(t, x, "acme", commitOf(1))
}
