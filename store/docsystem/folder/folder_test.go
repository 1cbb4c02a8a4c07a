package folder

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/configs/conformance"
	"belay/devices"
	"belay/store/docsystem/internal/system"
)

func open(t *testing.T, path string) *Folder {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

var fwHQ = configs.Item{Organization: "acme", ID: "acme/fw-hq"}

func attach(t *testing.T, f *Folder, item configs.Item, name, text string) configs.Attachment {
	t.Helper()
	a, err := f.Attach(t.Context(), item, configs.Attached{Name: name, Bytes: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func wantDeclined(t *testing.T, what string, err error, why configs.Decline) {
	t.Helper()
	d, ok := errors.AsType[*configs.Declined](err)
	if !ok || d.Why != why {
		t.Errorf("%s: got error %v, want it declined as %q", what, err, why)
	}
}

// lies is what lies in a folder on disk.
func lies(t *testing.T, parts ...string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestItDoesWhatEveryDocumentationSystemDoes(t *testing.T) {
	t.Parallel()
	conformance.Documentation(t, func(t *testing.T) (configs.Documentation, configs.Item) {
		root := t.TempDir()
		if err := os.MkdirAll(filepath.Join(root, "acme", "fw-hq"), 0o700); err != nil {
			t.Fatal(err)
		}
		return open(t, root), fwHQ
	})
}

func TestAPoorShareDoesAsWell(t *testing.T) {
	t.Parallel()
	for name, errno := range map[string]error{"EINVAL": syscall.EINVAL, "ENOTSUP": syscall.ENOTSUP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conformance.Documentation(t, func(t *testing.T) (configs.Documentation, configs.Item) {
				f := open(t, t.TempDir())
				if err := os.MkdirAll(filepath.Join(f.path, "acme", "fw-hq"), 0o700); err != nil {
					t.Fatal(err)
				}
				f.flush = func(file *os.File) error { return &os.PathError{Op: "sync", Path: file.Name(), Err: errno} }
				f.link = func(_ *os.Root, from, to string) error {
					return &os.LinkError{Op: "link", Old: from, New: to, Err: syscall.EPERM}
				}
				return f, fwHQ
			})
		})
	}
}

func TestTheSettingsOpenIt(t *testing.T) {
	t.Parallel()
	s := System()
	root := t.TempDir()
	doc, err := s.Open(system.Options{Path: root})
	if err != nil {
		t.Fatal(err)
	}
	if s.Kind != "folder" || s.Attach != configs.InSeal || !s.Own || s.Elsewhere || doc.Name() != s.Title {
		t.Errorf("%+v opens %s", s, doc.Name())
	}
	for _, path := range []string{"", "share", "./share"} {
		if _, err := s.Open(system.Options{Path: path}); devices.KindOf(err) != devices.Usage || devices.HintOf(err) == "" {
			t.Errorf("path %q: error %v", path, err)
		}
	}
}

func TestAFileLiesInItsDevicesFolderUnderItsName(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	f := open(t, root)
	items, err := f.FindItems(t.Context(), configs.Wanted{Organization: "2041", Customer: "acme", Device: "fw-hq", Serials: []string{"FGL2349L0AB"}})
	if err != nil || len(items) != 1 || items[0].Organization != "acme" || items[0].ID != "acme/fw-hq" {
		t.Fatalf("found %v, error %v", items, err)
	}
	if names := lies(t, root); len(names) != 0 {
		t.Errorf("looking for an item made %v", names)
	}
	if known, err := f.Items(t.Context(), "acme", []string{items[0].ID}); err != nil || !cmp.Equal(known, items) {
		t.Errorf("an item that is not made yet: %v, error %v", known, err)
	}
	if all, err := f.Attached(t.Context(), items[0]); len(all) != 0 || err != nil {
		t.Errorf("on an item that is not made yet hangs %v, error %v", all, err)
	}
	got := attach(t, f, items[0], "fw-hq_1.txt", "hostname fw-hq\n")
	b, err := os.ReadFile(filepath.Join(root, "acme", "fw-hq", "fw-hq_1.txt"))
	if string(b) != "hostname fw-hq\n" || err != nil {
		t.Errorf("read %q, error %v", b, err)
	}
	if got.Bytes != 15 || got.Digest != configs.Digest(b) || !strings.HasPrefix(got.URL, "file:///") || time.Since(got.At) > time.Hour {
		t.Errorf("told %+v", got)
	}
	attach(t, f, configs.Item{Organization: "acme", ID: "acme/sw-1"}, "sw-1.txt", "x")
	attach(t, f, configs.Item{Organization: "bolt", ID: "bolt/fw-hq"}, "fw-hq.txt", "x")
	var ids []string
	all, err := f.Items(t.Context(), "acme", nil)
	for _, it := range all {
		ids = append(ids, it.ID)
	}
	if !cmp.Equal(ids, []string{"acme/fw-hq", "acme/sw-1"}) || err != nil {
		t.Errorf("all items of acme are %v, error %v", ids, err)
	}
}

func TestTheSameBytesAgainAreTheSameAttachment(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	first := attach(t, f, fwHQ, "a.txt", "one")
	if again := attach(t, f, fwHQ, "a.txt", "one"); !cmp.Equal(first, again) {
		t.Errorf("first %+v, then %+v", first, again)
	}
	_, err := f.Attach(t.Context(), fwHQ, configs.Attached{Name: "a.txt", Bytes: []byte("two")})
	wantDeclined(t, "other bytes", err, configs.Invalid)
	_, err = f.Attach(t.Context(), fwHQ, configs.Attached{Name: "A.TXT", Bytes: []byte("one")})
	wantDeclined(t, "another spelling", err, configs.Invalid)
	if names := lies(t, f.path, "acme", "fw-hq"); !cmp.Equal(names, []string{"a.txt", "index.csv"}) {
		t.Errorf("there lies %v", names)
	}
}

func TestOneOfManyDifferentFilesOfOneNameWins(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	var mu sync.Mutex
	won := map[string]bool{}
	var wg sync.WaitGroup
	for i := range 16 {
		f := open(t, root) // as other processes would
		wg.Go(func() {
			text := strings.Repeat("x", 1000+i)
			_, err := f.Attach(t.Context(), fwHQ, configs.Attached{Name: "a.txt", Bytes: []byte(text)})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won[text] = true
			} else if d, ok := errors.AsType[*configs.Declined](err); !ok || d.Why != configs.Invalid {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	b, err := os.ReadFile(filepath.Join(root, "acme", "fw-hq", "a.txt"))
	if err != nil || len(won) != 1 || !won[string(b)] {
		t.Errorf("%d were told that theirs lies there; %d bytes do, error %v", len(won), len(b), err)
	}
}

func TestAFolderThatIsMissingIsNeverMade(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "share")
	f := open(t, root)
	_, err := f.Attach(t.Context(), fwHQ, configs.Attached{Name: "a.txt", Bytes: []byte("x")})
	wantDeclined(t, "attach", err, configs.Busy)
	if !strings.Contains(devices.HintOf(err), "mount") {
		t.Errorf("hint %q", devices.HintOf(err))
	}
	_, err = f.Attached(t.Context(), fwHQ)
	wantDeclined(t, "attached", err, configs.Busy)
	_, err = f.FindItems(t.Context(), configs.Wanted{Customer: "acme", Device: "fw-hq"})
	wantDeclined(t, "find", err, configs.Busy)
	_, err = f.Items(t.Context(), "acme", nil)
	wantDeclined(t, "items", err, configs.Busy)
	_, err = f.ReadAttachment(t.Context(), fwHQ, configs.Attachment{ID: "a.txt"})
	wantDeclined(t, "read", err, configs.Busy)
	wantDeclined(t, "remove", f.RemoveAttachment(t.Context(), fwHQ, configs.Attachment{ID: "a.txt"}), configs.Busy)
	if _, err := os.Lstat(root); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the root was made (error %v)", err)
	}
	if err := os.WriteFile(root, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = f.Attached(t.Context(), fwHQ)
	wantDeclined(t, "a root that is a file", err, configs.Invalid)
}

func TestNothingLeavesTheFolder(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	root := filepath.Join(outside, "share")
	if err := os.MkdirAll(filepath.Join(root, "bolt", "fw-hq"), 0o700); err != nil {
		t.Fatal(err)
	}
	f := open(t, root)
	for _, it := range []configs.Item{
		{}, {Organization: "acme"}, {Organization: "acme", ID: "fw-hq"}, {Organization: "acme", ID: "acme/"}, {Organization: "", ID: "/fw-hq"},
		{Organization: "..", ID: "../share"}, {Organization: "acme", ID: "acme/.."}, {Organization: "acme", ID: "acme/../bolt"},
		{Organization: "acme", ID: "acme/fw/hq"}, {Organization: "acme", ID: "bolt/fw-hq"}, {Organization: "bolt", ID: "acme/fw-hq"},
		{Organization: "acme", ID: "acme/nul"}, {Organization: "aux", ID: "aux/fw-hq"}, {Organization: "acme", ID: "acme/com1.lab"},
	} {
		_, err := f.Attach(t.Context(), it, configs.Attached{Name: "a.txt", Bytes: []byte("x")})
		wantDeclined(t, "attach to "+it.String(), err, configs.Gone)
		_, err = f.Attached(t.Context(), it)
		wantDeclined(t, "list "+it.String(), err, configs.Gone)
	}
	for _, name := range []string{
		"", ".", "..", "../a.txt", "a/b.txt", `a\b.txt`, "/a.txt", "a.txt/", "a:b.txt", "a*", "a?", `"a"`, "<a>", "a|b", "a\nb", "a\x00b", "a\x7f",
		"a.", "a ", ".hidden", ".belay-X.tmp", "NUL", "con.txt", "Com1.txt", "LPT9", "lpt².txt", "aux .txt", "index.csv", "Index.CSV", "a\xff", strings.Repeat("a", 256),
	} {
		_, err := f.Attach(t.Context(), fwHQ, configs.Attached{Name: name, Bytes: []byte("x")})
		wantDeclined(t, "the name "+name, err, configs.Invalid)
		if _, err := f.ReadAttachment(t.Context(), fwHQ, configs.Attachment{ID: name}); err == nil {
			t.Errorf("%q was read", name)
		}
	}
	for _, name := range []string{"a", "-", "com.txt", "com10.txt", "console.txt", "nul_1.txt", "a..b.txt", "Zürich 1.txt", strings.Repeat("a", 255)} {
		attach(t, f, fwHQ, name, "x")
	}
	if names := lies(t, outside); !cmp.Equal(names, []string{"share"}) {
		t.Errorf("beside the folder lies %v", names)
	}
	if names := lies(t, root, "bolt", "fw-hq"); len(names) != 0 {
		t.Errorf("with another customer lies %v", names)
	}
	_, err := f.FindItems(t.Context(), configs.Wanted{Customer: "acme", Device: "nul"})
	wantDeclined(t, "a device that Windows has no folder for", err, configs.Invalid)
}

func TestALinkIsNotFollowed(t *testing.T) {
	t.Parallel()
	outside, root := t.TempDir(), t.TempDir()
	f := open(t, root)
	bolt := configs.Item{Organization: "bolt", ID: "bolt/fw-hq"}
	attach(t, f, bolt, "b.txt", "bolt's")
	attach(t, f, fwHQ, "a.txt", "acme's")
	for link, to := range map[string]string{
		"acme/sw-1": "../bolt/fw-hq", "acme/sw-2": outside, "cora": "bolt", "acme/fw-hq/link.txt": "../../bolt/fw-hq/b.txt",
	} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, it := range []configs.Item{{Organization: "acme", ID: "acme/sw-1"}, {Organization: "acme", ID: "acme/sw-2"}, {Organization: "cora", ID: "cora/fw-hq"}} {
		_, err := f.Attach(t.Context(), it, configs.Attached{Name: "x.txt", Bytes: []byte("x")})
		wantDeclined(t, it.ID, err, configs.Invalid)
	}
	if all, err := f.Attached(t.Context(), fwHQ); err != nil || len(all) != 1 || all[0].Name != "a.txt" {
		t.Errorf("listed %v, error %v", all, err)
	}
	_, err := f.ReadAttachment(t.Context(), fwHQ, configs.Attachment{ID: "link.txt"})
	wantDeclined(t, "read through a link", err, configs.Gone)
	_, err = f.Attach(t.Context(), fwHQ, configs.Attached{Name: "link.txt", Bytes: []byte("bolt's")})
	if err == nil {
		t.Error("a link counted as the attachment")
	}
	if err := f.RemoveAttachment(t.Context(), bolt, configs.Attachment{ID: "../../acme/fw-hq/a.txt"}); err != nil {
		t.Error(err)
	}
	if names := lies(t, root, "acme", "fw-hq"); len(names) != 3 {
		t.Errorf("there lies %v", names)
	}
	if names := append(lies(t, outside), lies(t, root, "bolt", "fw-hq")...); !cmp.Equal(names, []string{"b.txt", "index.csv"}) {
		t.Errorf("beyond the links lies %v", names)
	}
}

func TestFoldersThatDifferInCaseAreRefused(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	attach(t, f, fwHQ, "a.txt", "x")
	for _, it := range []configs.Item{{Organization: "acme", ID: "acme/FW-HQ"}, {Organization: "Acme", ID: "Acme/fw-2"}} {
		_, err := f.Attach(t.Context(), it, configs.Attached{Name: "a.txt", Bytes: []byte("x")})
		wantDeclined(t, it.ID, err, configs.Invalid)
		_, err = f.Attached(t.Context(), it)
		wantDeclined(t, it.ID, err, configs.Invalid)
	}
	if names := append(lies(t, f.path), lies(t, f.path, "acme")...); !cmp.Equal(names, []string{"acme", "fw-hq"}) {
		t.Errorf("there lies %v", names)
	}
}
