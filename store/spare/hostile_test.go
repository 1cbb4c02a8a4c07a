package spare

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Whoever may write to the folder of backups puts something else in the place of
// what was copied: a pipe is not waited for, a link to a device not read for ever.
func TestWhatIsNoFileIsNotRead(t *testing.T) {
	t.Parallel()
	for name, plant := range map[string]func(path string) error{
		"no file":  func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"is no":    func(path string) error { return os.Symlink("/dev/zero", path) },
		"it has 4": func(path string) error { return os.WriteFile(path, []byte("more"), 0o600) },
	} {
		folder := t.TempDir()
		m, _ := backup(t, folder, 7, map[string]string{"a": "one"})
		path := contentOf(folder, m.Files[0].SHA256)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := plant(path); err != nil {
			t.Fatal(err)
		}
		if damaged, err := Check(t.Context(), folder, m, nil); err != nil || len(damaged) != 1 || !strings.Contains(damaged[0], name) {
			t.Errorf("%s: %q, %v", name, damaged, err)
		}
		to := filepath.Join(t.TempDir(), "data")
		if err := Restore(t.Context(), folder, m, to, nil); err == nil {
			t.Errorf("%s: it was restored", name)
		}
	}
}
