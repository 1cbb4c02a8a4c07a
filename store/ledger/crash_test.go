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
