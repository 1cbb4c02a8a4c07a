package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// built builds a program as a user does: that of the tests holds more.
func built(t testing.TB, name, source string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if said, err := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	return file
}

// start is the processor that a process takes from its beginning to its end, and how
// often it touches a page of memory that it does not have yet.
func start(b *testing.B, p *play, file string, args ...string) (processor time.Duration, faults int64) {
	b.Helper()
	c := exec.CommandContext(b.Context(), file, args...)
	c.Dir, c.Env = p.dir, p.env
	if said, err := c.CombinedOutput(); err != nil {
		b.Fatalf("%s %s: %v: %s", filepath.Base(file), strings.Join(args, " "), err, said)
	}
	if u, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
		faults = u.Minflt
	}
	return c.ProcessState.UserTime() + c.ProcessState.SystemTime(), faults
}

// BenchmarkStart is what each command costs before it does anything, and one that asks
// a service, against a Go program that only prints a line, in the same run: at most 8
// and 10 times its processor, and 6 and 7 times its page faults, most of them for what
// packages of others prepare.
func BenchmarkStart(b *testing.B) {
	c := startCrowd(b, 1, 2<<10, 0)
	p := newStation(b, c, 1, eachDay())
	p.write("bare.go", "package main\n\nimport \"os\"\n\nfunc main() { os.Stdout.WriteString(\"bare\\n\") }\n")
	bare, belay := built(b, "bare", p.path("bare.go")), built(b, "belay", ".")
	d := serveAt(p, 0)
	const starts = 20
	for _, way := range []struct {
		name string
		args []string
	}{
		{"version", []string{"version"}},
		{"ask", []string{"capture", c.device(0, 1), "--ticket", "T1"}},
	} {
		b.Run(way.name, func(b *testing.B) {
			var floor, took time.Duration
			var least, faults int64
			for range b.N {
				for range starts {
					t, n := start(b, p, bare)
					floor, least = floor+t, least+n
					t, n = start(b, p, belay, way.args...)
					took, faults = took+t, faults+n
				}
			}
			each := float64(b.N * starts)
			b.ReportMetric(took.Seconds()*1000/each, "processor-ms/start")
			b.ReportMetric(float64(faults)/each, "faults/start")
			b.ReportMetric(float64(took)/float64(floor), "x-bare")
			b.ReportMetric(float64(faults)/float64(least), "x-bare-faults")
			b.ReportMetric(0, "ns/op") // of both programs: says nothing
		})
	}
	if code := d.stop(syscall.SIGTERM, time.Minute); code != 0 {
		b.Errorf("the service ended with status %d\n%s", code, d.log())
	}
}

// TestPackagesPrepareLittleAtEveryStart has the packages of ours leave to the first use
// what takes memory to prepare, as patterns do: whoever only asks a service, or for the
// version, waits for it, too. They took 2 MB once, and half of each command's start.
func TestPackagesPrepareLittleAtEveryStart(t *testing.T) {
	t.Parallel()
	const most = 160 << 10 // in all
	c := exec.CommandContext(t.Context(), os.Args[0], "version")
	c.Args[0] = "belay"
	c.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	said, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	var list []string
	sum := 0
	for _, m := range regexp.MustCompile(`(?m)^init (belay/\S+) .* (\d+) bytes`).FindAllStringSubmatch(string(said), -1) {
		n, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
		sum += n
		list = append(list, fmt.Sprintf("%8d %s", n, m[1]))
	}
	if len(list) < 5 || sum > most {
		t.Errorf("before anything is asked for, %d packages prepare %d bytes, want at most %d:\n%s", len(list), sum, most, strings.Join(list, "\n"))
	}
}
