package diff

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs/redact"
)

func clean(t testing.TB, text string) redact.Clean {
	t.Helper()
	c, _ := redact.Rules{}.Apply([]byte(text), redact.Key{})
	if c.String() != text {
		t.Fatalf("the test's own text was redacted: %q", c)
	}
	return c
}

const (
	before = "hostname a\n!\ninterface 1\n shutdown\n!\nline 5\nline 6\nline 7\nline 8\nline 9\nend\n"
	after  = "hostname b\n!\ninterface 1\n!\nline 5\nline 6\nline 7\nline 8\nline 9\nntp\nend"
)

func TestUnifiedReadsAsGitWritesIt(t *testing.T) {
	t.Parallel()
	want := `--- old
+++ new
@@ -1,5 +1,4 @@
-hostname a
+hostname b
 !
 interface 1
- shutdown
 !
@@ -10,2 +9,3 @@
 line 9
-end
+ntp
+end
\ No newline at end of file
`
	if d := cmp.Diff(want, Unified("old", "new", clean(t, before), clean(t, after), 1)); d != "" {
		t.Error(d)
	}
	if got := Unified("a", "b", clean(t, before), clean(t, before), 3); got != "" {
		t.Errorf("equal texts differ: %s", got)
	}
	colored := Options{Color: true}.Unified("a", "b", clean(t, "x\n"), clean(t, "y\n"))
	if want := "\x1b[1m--- a\x1b[m\n\x1b[1m+++ b\x1b[m\n\x1b[36m@@ -1 +1 @@\x1b[m\n\x1b[31m-x\x1b[m\n\x1b[32m+y\x1b[m\n"; colored != want {
		t.Errorf("colored %q", colored)
	}
}

func TestSideBySideShowsBothColumns(t *testing.T) {
	t.Parallel()
	o := Options{Context: 3, Width: 31}
	got := o.SideBySide(clean(t, before), clean(t, after))
	want := strings.Join([]string{
		"@@ -1,11 +1,11 @@",
		"hostname a     | hostname b",
		"!                !",
		"interface 1      interface 1",
		" shutdown      <",
		"!                !",
		"line 5           line 5",
		"line 6           line 6",
		"line 7           line 7",
		"line 8           line 8",
		"line 9           line 9",
		"end            | ntp",
		"               > end",
		"",
	}, "\n")
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	folded := o.SideBySide(clean(t, "\tdescription abcdefghijkl x\n"), clean(t, "\tdescription abcdefghijkl y\n"))
	if want := "@@ -1 +1 @@\n        descri |         descri\nption abcdefgh | ption abcdefgh\nijkl x         | ijkl y\n"; folded != want {
		t.Errorf("folded:\n%s", folded)
	}
}

func TestStatCountsLines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b           string
		added, removed int
	}{{before, after, 3, 3}, {"", "a\nb\n", 2, 0}, {"a\nb\n", "", 0, 2}, {"a\n", "a", 1, 1}, {"a\n", "a\n", 0, 0}} {
		if added, removed := Stat(clean(t, c.a), clean(t, c.b)); added != c.added || removed != c.removed {
			t.Errorf("%q to %q: +%d -%d", c.a, c.b, added, removed)
		}
	}
}

// The changes must turn the old text into the new one, whatever they are.
func TestChangesLeadFromOneTextToTheOther(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		a, b := lines(rnd), lines(rnd)
		var got []string
		at := 0
		for _, c := range changes(a, b) {
			got = append(append(got, a[at:c.a0]...), b[c.b0:c.b1]...)
			at = c.a1
		}
		got = append(got, a[at:]...)
		if strings.Join(got, "") != strings.Join(b, "") {
			t.Fatalf("%q to %q gave %q", a, b, got)
		}
	}
}

func lines(rnd *rand.Rand) []string {
	out := make([]string, rnd.IntN(30))
	for i := range out {
		out[i] = fmt.Sprintf("%d\n", rnd.IntN(20))
	}
	return out
}

func TestPatchAcceptsUnified(t *testing.T) {
	t.Parallel()
	git, err := exec.LookPath("git")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("git is not installed")
		}
		t.Skip("git is not installed: apt-get install git")
	}
	rnd := rand.New(rand.NewPCG(5, 5))
	for context := range 3 {
		a, b := strings.Join(lines(rnd), "")+"x", strings.Join(lines(rnd), "")+"y\n"
		dir := t.TempDir()
		file := filepath.Join(dir, "f")
		if err := os.WriteFile(file, []byte(a), 0o600); err != nil {
			t.Fatal(err)
		}
		apply := exec.CommandContext(t.Context(), git, "apply", "--unidiff-zero", "-p0")
		apply.Dir = dir
		apply.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
		apply.Stdin = strings.NewReader(Unified("f", "f", clean(t, a), clean(t, b), context))
		if out, err := apply.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != b {
			t.Errorf("%v: got %q, want %q", err, got, b)
		}
	}
}

func TestALargeTextWithManyChangesIsComparedExactly(t *testing.T) {
	t.Parallel()
	var a, b strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&a, "set firewall policy %d action accept comment x\n!\n", i)
		if i%100 == 0 {
			fmt.Fprintf(&b, "set firewall policy %d action deny comment x\n!\n", i)
		} else {
			fmt.Fprintf(&b, "set firewall policy %d action accept comment x\n!\n", i)
		}
	}
	old, now := clean(t, a.String()), clean(t, b.String())
	began := time.Now()
	added, removed := Stat(old, now)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
	if added != 1000 || removed != 1000 {
		t.Errorf("+%d -%d, want 1000 each", added, removed)
	}
}

func BenchmarkUnified5MB(b *testing.B) {
	var text strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&text, "set firewall policy %d action accept comment x\n!\n", i)
	}
	old := clean(b, text.String())
	now := clean(b, strings.Replace(text.String(), "policy 50000 action accept", "policy 50000 action deny", 1))
	b.ReportAllocs()
	for b.Loop() {
		Unified("a", "b", old, now, 3)
	}
}
