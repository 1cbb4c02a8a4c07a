package tickets

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/devices"
)

// lies is what lies in a folder, by name.
func lies(t *testing.T, parts ...string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range entries {
		if e.IsDir() {
			got[e.Name()] = "a folder"
			continue
		}
		b, err := os.ReadFile(filepath.Join(append(parts, e.Name())...))
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = string(b)
	}
	return got
}

func TestANoteIsFiledOnceUnderItsTicket(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	f := Folder{Path: root}
	n := note()
	n.Key = "receipt-5f1d"
	id, err := f.Post(t.Context(), n)
	if err != nil || id != "T20391/receipt-5f1d" {
		t.Fatalf("id %q, error %v", id, err)
	}
	got := lies(t, root, "T20391")
	var note filed
	if err := json.Unmarshal([]byte(got["receipt-5f1d.json"]), &note); err != nil {
		t.Fatal(err)
	}
	if note.Ticket != n.Ticket || note.Key != n.Key || note.Subject != n.Subject || note.At != "2026-11-21T22:34:15Z" || len(note.Files) != 2 {
		t.Errorf("%+v", note)
	}
	for _, file := range note.Files {
		if b := []byte(got[file.File]); len(b) != file.Bytes || configs.Digest(b) != file.Digest {
			t.Errorf("%+v does not describe %q", file, b)
		}
	}
	want := map[string]string{
		"receipt-5f1d.txt": n.Subject + "\n\n" + n.Text, "receipt-5f1d.html": string(n.HTML), "receipt-5f1d.json": got["receipt-5f1d.json"],
		"receipt-5f1d_" + n.Files[0].Name: string(n.Files[0].Bytes), "receipt-5f1d_" + n.Files[1].Name: string(n.Files[1].Bytes),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-sent +lies):\n%s", diff)
	}
	again := n
	again.Text = "said in other words"
	if id2, err := f.Post(t.Context(), again); id2 != id || err != nil {
		t.Errorf("the second time: id %q, error %v", id2, err)
	}
	if diff := cmp.Diff(want, lies(t, root, "T20391")); diff != "" {
		t.Errorf("after the second time (-before +after):\n%s", diff)
	}
}

func TestAHalfWrittenNoteIsWrittenAnew(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	n := note()
	n.Key = "k"
	if err := os.Mkdir(filepath.Join(root, n.Ticket), 0o700); err != nil {
		t.Fatal(err)
	}
	theirs := ".belay-k-" + strings.Repeat("B", 10) + "-" + strings.Repeat("A", 26) // of another note that is under way
	for name, text := range map[string]string{"k.txt": "half", ".belay-k-" + strings.Repeat("A", 26): "ha", theirs: "other"} {
		if err := os.WriteFile(filepath.Join(root, n.Ticket, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := (Folder{Path: root}).Post(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	got := lies(t, root, n.Ticket)
	if got["k.txt"] != n.Subject+"\n\n"+n.Text || len(got) != 6 || got[theirs] != "other" {
		t.Errorf("there lies %q", got)
	}
}

func TestOddTicketsAndKeysBecomeNames(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, s := range []string{
		"T20391", "T/1", "T-1", "T_1", "T 1", "../T1", "..", ".", "...", "a/../../b", "#12345", "CON", "nul.txt", "com1", "Zürich", "ticket.", "日本", strings.Repeat("x", 500), `\\srv\c$`, "-rf", ".hidden",
	} {
		f := fit(s)
		if other, twice := seen[f]; twice {
			t.Errorf("%q and %q are both %q", s, other, f)
		}
		seen[f] = s
		if !fits().MatchString(f) || kept().MatchString(f) || !filepath.IsLocal(f) || strings.Contains(f, "/") {
			t.Errorf("%q became %q", s, f)
		}
		if fits().MatchString(s) && !kept().MatchString(s) && !strings.HasSuffix(s, ".") && f != s {
			t.Errorf("%q became %q for no reason", s, f)
		}
	}
	root := filepath.Join(t.TempDir(), "share")
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	n := note()
	n.Ticket, n.Key = "../../eve", "../eve"
	if _, err := (Folder{Path: root}).Post(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if got := lies(t, filepath.Dir(root)); len(got) != 1 {
		t.Errorf("beside the folder lies %v", got)
	}
}

func TestAFolderThatIsMissingIsNotMade(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "share")
	_, err := Folder{Path: root}.Post(t.Context(), note())
	wantDeclined(t, "no folder", err, configs.Busy)
	if _, err := os.Lstat(root); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder was made (error %v)", err)
	}
}

func TestWhatIsNotThisNotesIsLeftAlone(t *testing.T) {
	t.Parallel()
	root, outside := t.TempDir(), t.TempDir()
	n := note()
	n.Key = "k"
	if err := os.Mkdir(filepath.Join(root, n.Ticket), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, n.Ticket, "k.json"), []byte(`{"ticket": "T20391", "key": "other"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Folder{Path: root}.Post(t.Context(), n)
	wantDeclined(t, "another's file", err, configs.Invalid)
	if got := lies(t, root, n.Ticket); len(got) != 1 || got["k.json"] != `{"ticket": "T20391", "key": "other"}` {
		t.Errorf("there lies %q", got)
	}
	n.Key = "k2"
	for i, to := range []string{outside, n.Ticket} { // out of the root, and to another ticket
		n.Ticket = []string{"L0", "L1"}[i]
		if err := os.Symlink(to, filepath.Join(root, n.Ticket)); err != nil {
			t.Fatal(err)
		}
		if _, err := (Folder{Path: root}).Post(t.Context(), n); err == nil {
			t.Errorf("a link to %s was followed", to)
		}
	}
	if got := lies(t, outside); len(got) != 0 {
		t.Errorf("beyond the link lies %q", got)
	}
}

func TestAFullShareSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for errno, want := range map[syscall.Errno]string{syscall.ENOSPC: "make room", syscall.EDQUOT: "make room", syscall.EACCES: "account that runs Belay", syscall.EROFS: "account that runs Belay", syscall.EIO: "share"} {
		err := act{"T1"}.unwritten("/mnt/share/tickets", &os.PathError{Op: "openat", Path: "T1", Err: errno})
		if hint := devices.HintOf(err); !strings.Contains(hint, want) || !errors.Is(err, errno) {
			t.Errorf("%v: hint %q, error %v", errno, hint, err)
		}
	}
}
