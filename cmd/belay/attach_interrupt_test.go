package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestCtrlCDoesNotWaitForASlowDocumentation interrupts a fleet that is being hung in
// an IT Glue that takes its time: the program ends soon, and what was kept and is
// not hung waits in the outbox.
func TestCtrlCDoesNotWaitForASlowDocumentation(t *testing.T) {
	t.Parallel()
	const boxes = 8
	h := newHanging(t, boxes)
	if err := h.glue.Order("slow 8s"); err != nil {
		t.Fatal(err)
	}
	came := make(chan struct{}, 1000)
	h.porch.listen(func(string) { came <- struct{}{} })
	c := h.later("capture", "--all", "--json")
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	<-came // the first is kept, and looked for over there
	began := time.Now()
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	select {
	case <-ended:
		t.Logf("it ended after %v", time.Since(began))
	case <-time.After(15 * time.Second):
		_ = c.Process.Kill()
		<-ended
		t.Fatal("it waits for IT Glue")
	}
	h.acknowledge(out.String())
	if code := c.ProcessState.ExitCode(); code <= 0 || len(h.acked) == 0 {
		t.Errorf("exit status %d, %d versions kept\n%s%s", code, len(h.acked), out.String(), errs.String())
	}
	h.porch.listen(nil)
	status, queue := h.ends(t, "docs", "queue", "--json")
	if status != 6 {
		t.Errorf("the outbox: exit status %d", status)
	}
	for v := range h.acked {
		if !strings.Contains(queue, fmt.Sprintf(`"version":"%s"`, v)) {
			t.Errorf("version %s was kept, and is not in the outbox", v)
		}
	}
}
