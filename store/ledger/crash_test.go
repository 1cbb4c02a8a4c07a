package ledger

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/devices"
)

// childFolder tells this test's own program, started anew, to append there
// until it is killed.
const childFolder = "BELAY_LEDGER_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		if err := appendUntilKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// appendUntilKilled says each mark on standard output once it is acknowledged.
func appendUntilKilled(dir string) error {
	ctx := context.Background()
	l, err := Open(ctx, dir)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	var out sync.Mutex
	for worker := range 4 {
		wg.Go(func() {
			for i := range 1_000_000 {
				mark := fmt.Sprintf("%d-%d-%d", os.Getpid(), worker, i)
				e := event([]string{"acme", "bolt"}[worker%2], "capture")
				e.Detail = map[string]any{"mark": mark}
				err := l.Append(ctx, e)
				if err == nil {
					err = send(ctx, l, mark)
				}
				if err == nil {
					err = l.Checked(ctx, configs.Checked{ID: devices.ID("acme/sw-" + mark), At: e.At, Result: configs.Unchanged})
				}
				out.Lock()
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
				} else {
					fmt.Println(mark)
				}
				out.Unlock()
			}
		})
	}
	wg.Wait()
	return nil
}

// send takes a letter through the outbox; that it was proven is also an event.
func send(ctx context.Context, l *Ledger, mark string) error {
	ps, err := l.Put(ctx, letter(devices.ID("acme/sw-"+mark), mark))
	if err != nil {
		return err
	}
	p, ok, err := l.Claim(ctx, ps[0].ID, time.Now().Add(time.Hour))
	if err != nil || !ok {
		return fmt.Errorf("letter %s: claimed %t, error %w", mark, ok, err)
	}
	p.Proven, p.Lease = time.Now(), ""
	e := event("acme", "attach")
	e.Detail = map[string]any{"mark": mark}
	return l.Save(ctx, p, e)
}

func TestNothingAcknowledgedIsLostToAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var acknowledged []string
	for range 40 {
		// Two at once now and then: the other's lock must not outlive a kill either.
		marks := make(chan []string, 2)
		processes := 1 + rand.IntN(2)
		for range processes {
			go func() { marks <- runAndKill(t, dir) }()
		}
		for range processes {
			acknowledged = append(acknowledged, <-marks...)
		}
	}
	l := open(t, dir)
	if err := l.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for e, err := range l.Events(t.Context(), configs.Filter{Act: "capture"}) {
		if err != nil {
			t.Fatal(err)
		}
		there[e.Detail["mark"].(string)] = true
	}
	for _, mark := range acknowledged {
		_, checked, err := l.LastChecked(t.Context(), devices.ID("acme/sw-"+mark))
		if !there[mark] || !checked || err != nil {
			t.Errorf("%s was acknowledged: event there %t, reading there %t, error %v", mark, there[mark], checked, err)
		}
	}
	// A letter that was saved is told, and what is told was saved, also of those
	// that nobody had acknowledged yet.
	told := map[string]bool{}
	for e, err := range l.Events(t.Context(), configs.Filter{Act: "attach"}) {
		if err != nil {
			t.Fatal(err)
		}
		if told[e.Detail["mark"].(string)] {
			t.Errorf("%s was told twice", e.Detail["mark"])
		}
		told[e.Detail["mark"].(string)] = true
	}
	proven := map[string]bool{}
	for _, p := range allLetters(t, l, configs.LetterFilter{}) {
		if !p.Proven.IsZero() {
			proven[p.Version] = true
		}
	}
	if diff := cmp.Diff(told, proven); diff != "" {
		t.Errorf("letters and their events differ (-told +proven):\n%s", diff)
	}
	for _, mark := range acknowledged {
		if !proven[mark] {
			t.Errorf("letter %s was acknowledged, and is not proven", mark)
		}
	}
	if len(acknowledged) < 40 {
		t.Errorf("only %d events were acknowledged: the test saw too little", len(acknowledged))
	}
	t.Logf("%d acknowledged, %d there", len(acknowledged), len(there))
}

// runAndKill starts a process that appends, and kills it soon after its first
// acknowledgement. It returns all that was acknowledged.
func runAndKill(t *testing.T, dir string) []string {
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), childFolder+"="+dir)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Error(err)
		return nil
	}
	var marks []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if marks = append(marks, lines.Text()); len(marks) == 1 {
			time.AfterFunc(time.Duration(rand.IntN(30_000))*time.Microsecond, func() {
				if err := c.Process.Kill(); err != nil {
					t.Error(err)
				}
			})
		}
	}
	if err := c.Wait(); err == nil || c.ProcessState.ExitCode() != -1 {
		t.Errorf("the process ended by itself: %v", err)
	}
	return marks
}
