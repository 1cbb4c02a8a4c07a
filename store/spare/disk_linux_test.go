package spare

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"belay/devices"
)

func TestAFullDiskIsAClearErrorAndTheBackupBeforeStands(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	backup(t, folder, 7, map[string]string{"a": "one"})
	b, err := Begin(folder)
	if err != nil {
		t.Fatal(err)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	_, err = full.WriteString("x")
	err = b.failed("belay.db", err)
	if devices.KindOf(err) != devices.Broken || !strings.Contains(devices.HintOf(err), "is full") || !strings.Contains(err.Error(), "back up belay.db") {
		t.Errorf("%v; %s", err, devices.HintOf(err))
	}
	if err := full.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	err = restoreFailed(File{Path: "a"}, filepath.Join(folder, "data"), err)
	if devices.KindOf(err) != devices.Broken || !strings.Contains(devices.HintOf(err), "restore again") {
		t.Errorf("%v; %s", err, devices.HintOf(err))
	}
	restored(t, folder, 0)
}
