package spare

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/devices"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const packName = "customers/acme/history.git/objects/pack/pack-0123456789012345678901234567890123456789.pack"

// backup puts files into a folder's next backup.
func backup(t *testing.T, folder string, keep int, files map[string]string) (Manifest, *Taking) {
	t.Helper()
	b, err := Begin(folder)
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range files {
		if err := b.Put(t.Context(), path, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	b.Folder("customers/acme/empty")
	m, err := b.Finish(Manifest{Made: noon, Chains: []Chain{{"acme", 3, "ab"}}, Customers: []Customer{{"acme", "c0ffee", 7}}}, keep)
	if err := errors.Join(err, b.Close()); err != nil {
		t.Fatal(err)
	}
	return m, b
}

// content is what a folder holds, by path.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, relErr := filepath.Rel(dir, path)
		found[filepath.ToSlash(name)] = string(data)
		return errors.Join(err, relErr)
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func restored(t *testing.T, folder string, number int) map[string]string {
	t.Helper()
	m, err := Read(folder, number)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "new", "data")
	if err := Restore(t.Context(), folder, m, to, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(to, "customers", "acme", "empty")); err != nil {
		t.Error("an empty folder was not made:", err)
	}
	err = filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return content(t, to)
}

func TestEachBackupIsRestoredAsItWas(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "spare")
	one := map[string]string{"belay.db": "one", "customers/acme/key.age": "key", packName: "pack"}
	two := map[string]string{"belay.db": "two", "customers/acme/key.age": "key", packName: "pack", "signer.pub": "public"}
	backup(t, folder, 7, one)
	m, b := backup(t, folder, 7, two)
	if m.Number != 2 || m.Bytes() != int64(len("two"+"key"+"pack"+"public")) || b.Fresh() != int64(len("two"+"public")) {
		t.Errorf("number %d, %d bytes, %d written", m.Number, m.Bytes(), b.Fresh())
	}
	if d := cmp.Diff(one, restored(t, folder, 1)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(two, restored(t, folder, 0)); d != "" {
		t.Error(d)
	}
	read, err := Read(folder, 2)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m, read); d != "" {
		t.Error(d)
	}
	info, err := os.Stat(filepath.Join(folder, "manifest-000002.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
}

func TestOldBackupsGoWithWhatOnlyTheyName(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	backup(t, folder, 2, map[string]string{"a": "only in the first", "b": "in all"})
	backup(t, folder, 2, map[string]string{"a": "in two", "b": "in all"})
	backup(t, folder, 2, map[string]string{"a": "in two", "b": "in all", "c": "in the last"})
	numbers, err := Numbers(folder)
	if err != nil || !slices.Equal(numbers, []int{2, 3}) {
		t.Errorf("%v, %v", numbers, err)
	}
	var texts []string
	for name, text := range content(t, folder) {
		if strings.HasPrefix(name, "content/") {
			texts = append(texts, text)
		}
	}
	slices.Sort(texts)
	if d := cmp.Diff([]string{"in all", "in the last", "in two"}, texts); d != "" {
		t.Error(d)
	}
	restored(t, folder, 2)
	if _, err := Read(folder, 1); devices.KindOf(err) != devices.Usage {
		t.Error("the first is still there:", err)
	}
}

func TestWithADamagedManifestNothingOldIsTakenAway(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	backup(t, folder, 9, map[string]string{"a": "one"})
	backup(t, folder, 9, map[string]string{"a": "two"})
	if err := os.WriteFile(filepath.Join(folder, "manifest-000002.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, b := backup(t, folder, 2, map[string]string{"a": "three"})
	if b.Warning == "" {
		t.Error("nobody was told")
	}
	if d := cmp.Diff(map[string]string{"a": "one"}, restored(t, folder, 1)); d != "" {
		t.Error(d)
	}
	if _, err := Read(folder, 2); devices.KindOf(err) != devices.Damaged || !strings.Contains(devices.HintOf(err), "--number") {
		t.Error(err)
	}
}

func TestAnUnfinishedBackupChangesNothing(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	backup(t, folder, 7, map[string]string{"a": "one"})
	b, err := Begin(folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(b.Scratch(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := b.Put(t.Context(), "a", []byte("half")); err != nil {
		t.Fatal(err)
	}
	if _, err := Begin(folder); devices.KindOf(err) != devices.Usage || devices.HintOf(err) == "" {
		t.Error("a second one at the same time:", err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := b.Put(stopped, "b", []byte("more")); !errors.Is(err, context.Canceled) {
		t.Error("after Ctrl-C:", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"a": "one"}, restored(t, folder, 0)); d != "" {
		t.Error(d)
	}
	// What it had copied is taken away by the next one, or used.
	backup(t, folder, 7, map[string]string{"a": "two"})
	for name, text := range content(t, folder) {
		if strings.Contains(name, "tmp-") || text == "half" {
			t.Errorf("%s is left over", name)
		}
	}
}

func TestAPackIsReadAgainOnlyWhereItIsAnother(t *testing.T) {
	t.Parallel()
	folder, data := t.TempDir(), t.TempDir()
	take := func(name, text string) Manifest {
		file := filepath.Join(data, "file")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := Begin(folder)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Copy(t.Context(), name, file); err != nil {
			t.Fatal(err)
		}
		m, err := b.Finish(Manifest{Made: noon}, 9)
		if err := errors.Join(err, b.Close()); err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, c := range []struct {
		name, now string
		same      bool
	}{
		{packName, "packed", true},         // its name stands for what it holds
		{packName, "packed anew", false},   // of another size: it was cut short then or is now
		{"belay.db", "PACKED", false},      // what may change is read
		{"x/pack-1.pack", "PACKED", false}, // not one of git's
	} {
		was, now := take(c.name, "packed"), take(c.name, c.now)
		if (was.Files[0] == now.Files[0]) != c.same {
			t.Errorf("%s with %q: %v, then %v", c.name, c.now, was.Files[0], now.Files[0])
		}
	}
	was := take(packName, "packed")
	if err := os.Remove(contentOf(folder, was.Files[0].SHA256)); err != nil {
		t.Fatal(err)
	}
	take(packName, "packed") // missing in the backup: copied anew
	if damaged, err := Check(t.Context(), folder, take(packName, "packed"), nil); err != nil || len(damaged) > 0 {
		t.Error(damaged, err)
	}
}

func TestDamageIsFoundAndNotRestored(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(path string) error{
		"missing":   os.Remove,
		"altered":   func(path string) error { return os.WriteFile(path, []byte("onf"), 0o600) },
		"cut short": func(path string) error { return os.Truncate(path, 1) },
		"longer":    func(path string) error { return os.WriteFile(path, []byte("one and more"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			m, _ := backup(t, folder, 7, map[string]string{"a": "one", "b": "two"})
			if damaged, err := Check(t.Context(), folder, m, nil); err != nil || len(damaged) > 0 {
				t.Fatal(damaged, err)
			}
			if err := harm(contentOf(folder, m.Files[0].SHA256)); err != nil {
				t.Fatal(err)
			}
			damaged, err := Check(t.Context(), folder, m, nil)
			if err != nil || len(damaged) != 1 || !strings.HasPrefix(damaged[0], "a (") {
				t.Errorf("%q, %v", damaged, err)
			}
			to := filepath.Join(t.TempDir(), "data")
			if err := Restore(t.Context(), folder, m, to, nil); devices.KindOf(err) != devices.Damaged {
				t.Error("restored:", err)
			}
			for name := range content(t, to) {
				if !strings.HasPrefix(name, unfinished+"/") {
					t.Errorf("%s is in its place", name)
				}
			}
			if err := Empty(to); err != nil {
				t.Error("it cannot be tried again:", err)
			}
		})
	}
}

func TestAManifestThatWasAlteredIsNone(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	m, _ := backup(t, folder, 7, map[string]string{"a": "one"})
	path := filepath.Join(folder, nameOf(m.Number))
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		old, now string
		kind     devices.Kind
		says     string
	}{
		{`"versions": 7`, `"versions": 8`, devices.Damaged, "altered"},
		{`"path": "a"`, `"path": "../a"`, devices.Damaged, "altered"},
		{`"format": 1`, `"format": 2`, devices.Usage, "knows up to 1"},
		{`"format": 1`, `"format": 0`, devices.Usage, "format is 0"},
		{string(good), string(good[:len(good)/2]), devices.Damaged, "unexpected end"},
		{string(good), "", devices.Damaged, "unexpected end"},
	} {
		if err := os.WriteFile(path, []byte(strings.Replace(string(good), c.old, c.now, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(folder, 0); devices.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
			t.Errorf("with %.40q: %v", c.now, err)
		}
	}
	// The sum alone protects from chance only: what would leave the folder is refused all the same.
	for _, bad := range []File{{Path: "../a", SHA256: strings.Repeat("0", 64)}, {Path: "/etc/passwd", SHA256: strings.Repeat("0", 64)}, {Path: "a", SHA256: "../../etc"},
		{Path: "a/../b", SHA256: strings.Repeat("0", 64)}, {Path: "a//b", SHA256: strings.Repeat("0", 64)}} {
		m.Files = []File{bad}
		if m.Sum, err = m.sum(); err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(m)
		if err := errors.Join(err, os.WriteFile(path, data, 0o600)); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(folder, 0); devices.KindOf(err) != devices.Damaged {
			t.Errorf("%v: %v", bad, err)
		}
	}
	// One that bears another's number.
	if err := errors.Join(os.WriteFile(path, good, 0o600), os.Rename(path, filepath.Join(folder, nameOf(5)))); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(folder, 5); devices.KindOf(err) != devices.Damaged {
		t.Error(err)
	}
}

func TestAFolderOfSomethingElseIsLeftAlone(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "holiday.jpg"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Begin(folder); devices.KindOf(err) != devices.Usage || !strings.Contains(err.Error(), "holiday.jpg") {
		t.Error(err)
	}
	if found := content(t, folder); len(found) != 1 {
		t.Errorf("it holds %v now", found)
	}
}

func TestARestoreGoesOverNothing(t *testing.T) {
	t.Parallel()
	folder, to := t.TempDir(), t.TempDir()
	m, _ := backup(t, folder, 7, map[string]string{"a": "one"})
	write := func(name string) {
		t.Helper()
		path := filepath.Join(to, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("mine"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	write(unfinished + "/a") // of one that was interrupted
	write("service.lock")
	write("belay.db")
	if err := Restore(t.Context(), folder, m, to, nil); devices.KindOf(err) != devices.Usage || !strings.Contains(err.Error(), "belay.db") {
		t.Error(err)
	}
	if d := cmp.Diff(map[string]string{unfinished + "/a": "mine", "service.lock": "mine", "belay.db": "mine"}, content(t, to)); d != "" {
		t.Error(d)
	}
	if err := os.Remove(filepath.Join(to, "belay.db")); err != nil {
		t.Fatal(err)
	}
	if err := Restore(t.Context(), folder, m, to, nil); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"service.lock": "mine", "a": "one"}, content(t, to)); d != "" {
		t.Error(d)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	again := filepath.Join(t.TempDir(), "data")
	if err := Restore(stopped, folder, m, again, nil); !errors.Is(err, context.Canceled) {
		t.Error("after Ctrl-C:", err)
	}
	if err := Empty(again); err != nil {
		t.Error(err)
	}
}
