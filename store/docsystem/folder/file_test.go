package folder

import (
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/devices"
)

func TestWhatIsListedIsWhatLiesThere(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	told := attach(t, f, fwHQ, "a.txt", "as it was sent")
	file := filepath.Join(f.path, "acme", "fw-hq", "a.txt")
	if err := os.WriteFile(file, []byte("as it was seNt"), 0o600); err != nil { // same size
		t.Fatal(err)
	}
	all, err := f.Attached(t.Context(), fwHQ)
	if err != nil || len(all) != 1 || all[0].Digest == told.Digest || all[0].Digest != configs.Digest([]byte("as it was seNt")) {
		t.Errorf("listed %+v after an alteration, told %+v; error %v", all, told, err)
	}
	if err := os.Truncate(file, 3); err != nil {
		t.Fatal(err)
	}
	if all, err := f.Attached(t.Context(), fwHQ); err != nil || len(all) != 1 || all[0].Bytes != 3 {
		t.Errorf("listed %+v after a cut; error %v", all, err)
	}
}

func TestAnUnsyncedFileIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		folder bool
		err    error
		hint   string
	}{
		"a full disk":     {false, syscall.ENOSPC, "make room"},
		"a quota":         {false, syscall.EDQUOT, "make room"},
		"a broken disk":   {false, syscall.EIO, "share"},
		"a broken folder": {true, syscall.EIO, "share"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t, t.TempDir())
			attach(t, f, fwHQ, "before.txt", "x")
			good := f.flush
			f.flush = func(file *os.File) error {
				if i, err := file.Stat(); err != nil || i.IsDir() == c.folder {
					return &os.PathError{Op: "sync", Path: file.Name(), Err: c.err}
				}
				return nil
			}
			_, err := f.Attach(t.Context(), fwHQ, configs.Attached{Name: "a.txt", Bytes: []byte("x")})
			if d, ok := errors.AsType[*configs.Declined](err); !errors.Is(err, c.err) || ok {
				t.Errorf("error %v (declined %v)", err, d)
			}
			if hint := devices.HintOf(err); !strings.Contains(hint, c.hint) {
				t.Errorf("hint %q, want %q in it", hint, c.hint)
			}
			if !c.folder {
				if names := lies(t, f.path, "acme", "fw-hq"); !cmp.Equal(names, []string{"before.txt", "index.csv"}) {
					t.Errorf("there lies %v", names)
				}
			}
			// The second try finds a file that may not be on disk: it has to sync it.
			if _, err := f.Attach(t.Context(), fwHQ, configs.Attached{Name: "a.txt", Bytes: []byte("x")}); err == nil {
				t.Error("the second try was acknowledged though nothing could be synced")
			}
			f.flush = good
			attach(t, f, fwHQ, "a.txt", "x")
		})
	}
}

func TestAFileThatLiesThereIsSyncedBeforeItCounts(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	attach(t, f, fwHQ, "a.txt", "x")
	var synced []string
	f.flush = func(file *os.File) error {
		synced = append(synced, filepath.Base(file.Name()))
		return nil
	}
	attach(t, f, fwHQ, "a.txt", "x")
	if !slices.Contains(synced, "a.txt") {
		t.Errorf("synced were %v: whoever put the file may have died before", synced)
	}
}

func TestAFolderThatMayNotBeWrittenSaysSo(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		// Root may write everywhere, so what the system would say is said here.
		a := act{"attach a.txt to", "acme/fw-hq"}
		err := a.failed("/mnt/share/network", &os.PathError{Op: "openat", Path: "acme", Err: syscall.EACCES})
		if !strings.Contains(devices.HintOf(err), "account that runs Belay") {
			t.Errorf("hint %q", devices.HintOf(err))
		}
		return
	}
	f := open(t, t.TempDir())
	if err := os.Chmod(f.path, 0o500); err != nil {
		t.Fatal(err)
	}
	_, err := f.Attach(t.Context(), fwHQ, configs.Attached{Name: "a.txt", Bytes: []byte("x")})
	if !errors.Is(err, os.ErrPermission) || !strings.Contains(devices.HintOf(err), "account that runs Belay") {
		t.Errorf("error %v, hint %q", err, devices.HintOf(err))
	}
}

func TestTheIndexTellsWhatLiesThere(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	home := filepath.Join(f.path, "acme", "fw-hq")
	rows := func() (names []string) {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(home, "index.csv"))
		if err != nil {
			t.Fatal(err)
		}
		all, err := csv.NewReader(strings.NewReader(string(b))).ReadAll()
		if err != nil || len(all) == 0 || len(all[0]) != 4 {
			t.Fatalf("%q, error %v", b, err)
		}
		for _, r := range all[1:] {
			names = append(names, r[1])
			if text, err := os.ReadFile(filepath.Join(home, r[1])); err == nil && r[3] != configs.Digest(text) {
				t.Errorf("the index has another digest of %s", r[1])
			}
		}
		return names
	}
	at := func(name string, minute int) {
		t.Helper()
		when := time.Date(2026, 3, 14, 2, minute, 0, 0, time.UTC)
		if err := os.Chtimes(filepath.Join(home, name), when, when); err != nil {
			t.Fatal(err)
		}
	}
	a := attach(t, f, fwHQ, "a.txt", "a")
	at("a.txt", 1)
	attach(t, f, fwHQ, "b.txt", "b, with \"quotes\"\n")
	at("b.txt", 2)
	// What a person adds is told as well, and cannot make a spreadsheet calculate.
	if err := os.WriteFile(filepath.Join(home, "=1+1.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	at("=1+1.txt", 3)
	if err := os.WriteFile(filepath.Join(home, "index.csv"), []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	attach(t, f, fwHQ, "c.txt", "c")
	if got := rows(); !cmp.Equal(got, []string{"c.txt", "'=1+1.txt", "b.txt", "a.txt"}) {
		t.Errorf("the index lists %v", got)
	}
	if err := f.RemoveAttachment(t.Context(), fwHQ, a); err != nil {
		t.Fatal(err)
	}
	if got := rows(); !cmp.Equal(got, []string{"c.txt", "'=1+1.txt", "b.txt"}) {
		t.Errorf("the index lists %v after a removal", got)
	}
	if err := errors.Join(os.Remove(filepath.Join(home, "index.csv")), os.Mkdir(filepath.Join(home, "index.csv"), 0o700)); err != nil {
		t.Fatal(err)
	}
	attach(t, f, fwHQ, "d.txt", "d") // the index cannot be written, the file hangs
	if all, err := f.Attached(t.Context(), fwHQ); err != nil || len(all) != 4 {
		t.Errorf("listed %v, error %v", all, err)
	}
	for _, name := range lies(t, home) {
		if temporary(name) {
			t.Errorf("%s was left", name)
		}
	}
}

func TestWhatAKilledProcessLeftIsSweptLater(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	attach(t, f, fwHQ, "a.txt", "a")
	home := filepath.Join(f.path, "acme", "fw-hq")
	for name, age := range map[string]time.Duration{".belay-OLD.tmp": 48 * time.Hour, ".belay-NEW.tmp": time.Minute, ".other.tmp": 48 * time.Hour, "belay-OLD.tmp": 48 * time.Hour} {
		if err := os.WriteFile(filepath.Join(home, name), []byte("half a conf"), 0o600); err != nil {
			t.Fatal(err)
		}
		when := time.Now().Add(-age)
		if err := os.Chtimes(filepath.Join(home, name), when, when); err != nil {
			t.Fatal(err)
		}
	}
	all, err := f.Attached(t.Context(), fwHQ)
	if err != nil || len(all) != 2 {
		t.Errorf("listed %v, error %v: half a file is no attachment", all, err)
	}
	attach(t, f, fwHQ, "b.txt", "b")
	if names := lies(t, home); !cmp.Equal(names, []string{".belay-NEW.tmp", ".other.tmp", "a.txt", "b.txt", "belay-OLD.tmp", "index.csv"}) {
		t.Errorf("there lies %v", names)
	}
}
