package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"belay/configs"
	"belay/store/ledger"
)

// scriptDamage flips a bit of an object inside its pack, as a failing disk would.
func scriptDamage(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: damage REPOSITORY REVISION")
	}
	repo := ts.MkAbs(args[0])
	ts.Check(flip(repo, args[1]))
}

func flip(repo, revision string) error {
	name, err := exec.Command("git", "-C", repo, "rev-parse", revision).Output()
	if err != nil {
		return err
	}
	indexes, err := filepath.Glob(filepath.Join(repo, "objects", "pack", "*.idx"))
	if err != nil {
		return err
	}
	for _, index := range indexes {
		list, err := exec.Command("git", "-C", repo, "verify-pack", "-v", index).Output()
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(list)) {
			// name type size size-in-pack offset
			f := strings.Fields(line)
			if len(f) < 5 || f[0] != strings.TrimSpace(string(name)) {
				continue
			}
			size, _ := strconv.Atoi(f[3])
			offset, _ := strconv.Atoi(f[4])
			pack := strings.TrimSuffix(index, ".idx") + ".pack"
			data, err := os.ReadFile(pack)
			if err != nil {
				return err
			}
			data[offset+size/2] ^= 0x10
			if err := os.Chmod(pack, 0o600); err != nil {
				return err
			}
			return os.WriteFile(pack, data, 0o600)
		}
	}
	return fmt.Errorf("%s is in no pack", revision)
}

func scriptNowhere(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: nowhere FOLDER TEXT")
	}
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil && bytes.Contains(data, []byte(args[1])) {
			err = fmt.Errorf("%s holds %s", path, args[1])
		}
		return err
	}))
}

func scriptPlantedNot(ts *testscript.TestScript, _ bool, args []string) {
	b := boxOf(ts, args, 2, "plantednot NAME FILE")
	data := ts.ReadFile(args[1])
	for _, secret := range append(slices.Clone(b.dev.T.Gone), boxPassword, boxEnable) {
		if strings.Contains(data, secret) {
			ts.Fatalf("%s holds %s", args[1], secret)
		}
	}
}

// scriptMeddle changes a reason in the ledger's file, as somebody without SQLite
// might: the length stays.
func scriptMeddle(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: meddle FILE")
	}
	file := ts.MkAbs(args[0])
	data, err := os.ReadFile(file)
	ts.Check(err)
	changed := bytes.ReplaceAll(data, []byte(`"kept":1`), []byte(`"kept":2`))
	if bytes.Equal(changed, data) {
		ts.Fatalf("%s holds no entry of a capture", args[0])
	}
	ts.Check(os.WriteFile(file, changed, 0o600))
}

// scriptSQL carries out a statement that must change something.
func scriptSQL(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: sql FILE STATEMENT")
	}
	db, err := sql.Open("sqlite", ts.MkAbs(args[0])) // the ledger brings the driver
	ts.Check(err)
	defer db.Close()
	r, err := db.Exec(args[1])
	ts.Check(err)
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		ts.Fatalf("it changed nothing: %v", err)
	}
}

func scriptRevealed(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: revealed CUSTOMER N REASON")
	}
	l, err := ledger.Open(context.Background(), ts.MkAbs("belay-data"))
	ts.Check(err)
	defer l.Close()
	n, found := 0, false
	for e, err := range l.Events(context.Background(), configs.Filter{Customer: args[0], Act: "reveal"}) {
		ts.Check(err)
		n++
		found = found || e.Detail["reason"] == args[2]
	}
	if strconv.Itoa(n) != args[1] || !found {
		ts.Fatalf("%d reveals stand in the ledger, the reason among them: %v", n, found)
	}
}
