package git

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"belay/configs"
	"belay/devices"
)

// meddle has somebody who may write to the remote put a commit on its history:
// change is done in a work tree of it.
func meddle(t *testing.T, repo string, change func(dir string)) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "clone")
	git(t, "clone", "-q", repo, dir)
	change(dir)
	git(t, "-C", dir, "add", "-A")
	git(t, "-C", dir, "-c", "user.name=Mallory", "-c", "user.email=mallory@example.net", "commit", "-q", "-m", "mine")
	git(t, "-C", dir, "push", "-q", "origin", "HEAD:main")
}

func TestWhatARemoteSaysOfItselfIsNotBelieved(t *testing.T) {
	t.Parallel()
	needGit(t)
	replace := func(t *testing.T, path, old, now string) {
		t.Helper()
		text, err := os.ReadFile(path)
		if err == nil && !strings.Contains(string(text), old) {
			err = errors.New(path + " has no " + old)
		}
		if err == nil {
			err = os.WriteFile(path, []byte(strings.Replace(string(text), old, now, 1)), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(t *testing.T, path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := func(t *testing.T, dir, text string) { // with a list that agrees
		t.Helper()
		replace(t, dir+"/sw/snapshot.json", configs.Digest([]byte("one\n")), configs.Digest([]byte(text)))
		write(t, dir+"/sw/running.conf", text)
	}
	for name, c := range map[string]struct {
		do   func(t *testing.T, dir string)
		want string // empty: it is taken
	}{
		"a text that agrees": {func(t *testing.T, dir string) { text(t, dir, "two\n") }, ""},
		"another text":       {func(t *testing.T, dir string) { write(t, dir+"/sw/running.conf", "two\n") }, "running.conf: text has digest"},
		"a file more":        {func(t *testing.T, dir string) { write(t, dir+"/sw/notes.txt", "the password is x") }, `"notes.txt" is there and its snapshot.json does not name it`},
		"a folder more":      {func(t *testing.T, dir string) { _ = os.Mkdir(dir+"/sw/more", 0o700); write(t, dir+"/sw/more/x", "x") }, `"more" is there`},
		"a text without digest": {func(t *testing.T, dir string) {
			replace(t, dir+"/sw/snapshot.json", configs.Digest([]byte("one\n")), "")
		}, `"running.conf" is there`},
		"a link in its place": {func(t *testing.T, dir string) {
			_ = os.Remove(dir + "/sw/running.conf")
			_ = os.Symlink("one\n", dir+"/sw/running.conf")
		}, `"running.conf" is no plain file`},
		"another customer's": {func(t *testing.T, dir string) {
			replace(t, dir+"/sw/snapshot.json", `"acme/sw"`, `"bolt/sw"`)
			replace(t, dir+"/sw/snapshot.json", `"customer": "acme"`, `"customer": "bolt"`)
		}, "it is of bolt/sw"},
		"a file at the top":      {func(t *testing.T, dir string) { write(t, dir+"/README", "x") }, `"README" is no device`},
		"a readable secret":      {func(t *testing.T, dir string) { text(t, dir, "secret canary\n") }, "running.conf: a secret is readable"},
		"an original of no seal": {func(t *testing.T, dir string) { write(t, dir+"/sw/original.age", "plain") }, "original.age: open: it is not sealed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, repo := bareRemote(t)
			s := open(t, t.TempDir())
			s.Remotes = map[string]Remote{"default": {URL: filepath.Join(dir, "{customer}.git"), Elsewhere: true}}
			ours := commit(t, s, snapshot(t, "acme", "sw", "one\n", 1))
			if p, err := s.Prove(t.Context(), ours); err != nil || !p.OK {
				t.Fatal(p, err)
			}
			meddle(t, repo, func(dir string) { c.do(t, dir) })
			n, err := s.CatchUp(t.Context(), "acme", Look{
				Open: func(sealed []byte) ([]byte, error) {
					if string(sealed) == "plain" {
						return nil, errors.New("it is not sealed")
					}
					return []byte("original of one\n"), nil
				},
				Text: func(_ configs.Version, x configs.Text) error {
					if strings.Contains(x.Clean.String(), "canary") {
						return errors.New("a secret is readable")
					}
					return nil
				},
			})
			if c.want == "" {
				if n != 1 || err != nil {
					t.Errorf("%d came, %v", n, err)
				}
				return
			}
			if n != 0 && err == nil || devices.KindOf(err) != devices.Damaged || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%d came, %v", n, err)
			}
			if v, _, err := s.Newest(t.Context(), ours.ID); err != nil || v.Commit != ours.Commit {
				t.Errorf("%v, %v", v, err)
			}
		})
	}
}
