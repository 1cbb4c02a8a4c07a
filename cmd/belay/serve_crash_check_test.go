package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"belay/configs"
	"belay/store/docsystem/itglue/standin"
)

// end lets the service live, and holds all that there is to what was promised.
func (s *storm) end(t *testing.T) {
	s.porch.settle(t)
	s.glue.Clear()
	for try := 1; !s.everything(t); try++ {
		if try == 3 {
			t.Fatal("no round came to keep all")
		}
	}
	s.empty(t)
	s.look(t)
	s.wants(0, "verify")
	s.history(t)
	s.attachments(t)
}

// everything is a round in which each switch has changed. It tells whether all were
// kept and verified.
func (s *storm) everything(t *testing.T) bool {
	s.next(t, true)
	d := serveAt(s.play, s.ahead)
	if !d.says("the round ended.*devices="+strconv.Itoa(len(s.crowd.now)), 5*time.Minute) {
		t.Fatalf("the last round does not end, or is not whole\n%.8000s", d.log())
	}
	eventually(t, func() bool { return len(s.finished(t)) == len(s.crowd.now) })
	if code := d.stop(syscall.SIGTERM, 30*time.Second); code != 0 {
		t.Errorf("it ended with status %d\n%.8000s", code, d.log())
	}
	if said := d.log(); strings.Contains(said, "panic") || strings.Contains(said, "canary") {
		t.Errorf("its log: %.8000s", said)
	}
	s.look(t)
	bad := 0
	for i := range s.crowd.now {
		if row := s.rows[s.id(i)]; row.Result != configs.Kept || !row.Verified || row.At.Before(s.due()) {
			t.Logf("%s: %s, verified %t, at %s in the last round", s.id(i), row.Result, row.Verified, row.At)
			bad++
		}
	}
	return bad == 0
}

// empty starts the service until nothing waits in the outbox: it sends what waits
// by itself, when it may. The switches are read no more for it.
func (s *storm) empty(t *testing.T) {
	waiting := func() (n int) {
		l := openLedger(s.play)
		defer l.Close()
		for _, err := range l.Letters(t.Context(), configs.LetterFilter{Waiting: true}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		return n
	}
	for try := 0; try == 0 || waiting() > 0; try++ {
		if try > 9 {
			t.Fatalf("%d attachments still wait", waiting())
		}
		s.porch.settle(t)
		s.ahead += 20 * time.Minute
		d := serveAt(s.play, s.ahead)
		for end := time.Now().Add(15 * time.Second); time.Now().Before(end) && waiting() > 0; {
			time.Sleep(100 * time.Millisecond)
		}
		if code := d.stop(syscall.SIGTERM, 30*time.Second); code != 0 {
			t.Errorf("it ended with status %d\n%.8000s", code, d.log())
		}
	}
}

// history holds each repository to git, to the remote, and to the promises.
func (s *storm) history(t *testing.T) {
	byCustomer := map[string][]promise{}
	for _, a := range s.acked {
		customer, _, _ := strings.Cut(a.device, "/")
		byCustomer[customer] = append(byCustomer[customer], a)
	}
	for c := range s.customers {
		customer := fmt.Sprintf("c%02d", c)
		here, there := "belay-data/customers/"+customer+"/history.git", "remotes/"+customer+".git"
		s.whole(here)
		s.whole(there)
		if n := strings.TrimSpace(s.git(here, "rev-list", "--count", "--merges", "main")); n != "0" {
			t.Errorf("%s: %s merges in its history", customer, n)
		}
		if a, b := s.git(here, "rev-parse", "main"), s.git(there, "rev-parse", "main"); a != b {
			t.Errorf("%s: here main is %sthere it is %s", customer, a, b)
		}
		s.twice(t, here)
		s.keeps(t, here, there, byCustomer[customer])
	}
}

// twice looks for commits that keep what the commit before had kept.
func (s *storm) twice(t *testing.T, repo string) {
	last := map[string]string{}
	commit := ""
	touched := map[string]string{}
	look := func() {
		for file, blob := range touched {
			if name, ok := strings.CutSuffix(file, "/snapshot.json"); ok && touched[name+"/running.conf"] == "" {
				t.Errorf("%s: commit %s keeps %s once more", repo, commit, name)
			}
			if last[file] == blob && strings.HasSuffix(file, "running.conf") {
				t.Errorf("%s: commit %s holds the text of %s that stood", repo, commit, file)
			}
			last[file] = blob
		}
		clear(touched)
	}
	for line := range strings.Lines(s.git(repo, "log", "--reverse", "--raw", "--no-abbrev", "--root", "--no-renames", "--format=%H", "main")) {
		line = strings.TrimSpace(line)
		switch fields := strings.Fields(line); {
		case strings.HasPrefix(line, ":"):
			touched[fields[5]] = fields[3]
		case line != "":
			look()
			commit = line
		}
	}
	look()
}

// keeps looks for what was promised: it is in history with its text, and what was
// called verified is in the remote's history too.
func (p *play) keeps(t *testing.T, here, there string, list []promise) {
	t.Helper()
	commits := func(repo string) map[string]bool {
		set := map[string]bool{}
		for _, c := range strings.Fields(p.git(repo, "rev-list", "main")) {
			set[c] = true
		}
		return set
	}
	kept, proven := commits(here), commits(there)
	var ask strings.Builder
	for _, a := range list {
		_, name, _ := strings.Cut(a.device, "/")
		fmt.Fprintf(&ask, "%s:%s/running.conf\n", a.version, name)
		if !kept[a.version] {
			t.Errorf("version %s of %s was acknowledged and is not in history", a.version, a.device)
		}
		if a.verified && !proven[a.version] {
			t.Errorf("version %s of %s was called verified and is not in the remote", a.version, a.device)
		}
	}
	c := exec.CommandContext(t.Context(), "git", "-C", p.path(here), "cat-file", "--batch")
	c.Stdin = strings.NewReader(ask.String())
	said, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		head, rest, _ := bytes.Cut(said, []byte("\n"))
		var name, kind string
		var size int
		if _, err := fmt.Sscan(string(head), &name, &kind, &size); err != nil || kind != "blob" || len(rest) <= size {
			t.Fatalf("the text of %s at %s: git says %q", a.device, a.version, head)
		}
		if !bytes.Contains(rest[:size], []byte(a.marker+"\n")) {
			t.Errorf("version %s of %s holds another text than was acknowledged: no %q", a.version, a.device, a.marker)
		}
		said = rest[size+1:]
	}
}

// attachments holds what hangs on the items to the letters.
func (s *storm) attachments(t *testing.T) {
	there := map[string]standin.Attachment{}
	for _, a := range s.glue.AllAttachments() {
		if other, twice := there[a.Name]; twice {
			t.Errorf("%s hangs twice: on %d and on %d", a.Name, other.Configuration, a.Configuration)
		}
		there[a.Name] = a
	}
	l := openLedger(s.play)
	defer l.Close()
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
	hung := map[string]bool{}
	for p, err := range l.Letters(t.Context(), configs.LetterFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		a, ok := there[p.Name]
		sum := sha256.Sum256(a.Bytes)
		if !ok || p.Proven.IsZero() || hex.EncodeToString(sum[:]) != p.Digest || p.Item.ID != strconv.Itoa(a.Configuration) {
			t.Errorf("%s: hangs there %t on item %d, proven %s on item %s, error %q", p.Name, ok, a.Configuration, p.Proven, p.Item, p.Error)
		}
		delete(there, p.Name)
		hung[string(p.Device)+" "+p.Version] = true
	}
	for name, a := range there {
		t.Errorf("%s hangs on item %d and no letter tells of it", name, a.Configuration)
	}
	for key, a := range s.acked {
		if strings.HasPrefix(a.device, "c00/") && !hung[key] {
			t.Errorf("version %s of %s was acknowledged, and was never attached", a.version, a.device)
		}
	}
	if wrong := s.glue.Violations(); len(wrong) > 0 {
		t.Errorf("asked of IT Glue: %q", wrong)
	}
	t.Logf("%d attachments", len(hung))
}
