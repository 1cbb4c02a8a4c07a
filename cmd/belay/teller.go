package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"belay/configs"
	"belay/devices"
)

// A teller shows results as they come: JSON lines for scripts, else a line a
// device and what a person needs to know below it. Fleets on a terminal get a
// progress bar.
type teller struct {
	p     *program
	width int
	bars  *mpb.Progress
	bar   *mpb.Bar
	out   io.Writer
}

// isTerminal tells whether w is a terminal that a person looks at.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (p *program) newTeller(list []devices.Device) *teller {
	t := &teller{p: p, out: p.out}
	for _, d := range list {
		t.width = max(t.width, min(len(d.String()), 40))
	}
	if !p.json && len(list) > 1 && isTerminal(p.err) && isTerminal(p.out) {
		t.bars = mpb.New(mpb.WithOutput(p.err), mpb.WithWidth(40))
		t.bar = t.bars.AddBar(int64(len(list)), mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.CountersNoUnit("%d of %d devices ")),
			mpb.AppendDecorators(decor.Elapsed(decor.ET_STYLE_MMSS)))
		t.out = t.bars
	}
	return t
}

func (t *teller) end() {
	if t.bar != nil {
		t.bar.Abort(true)
		t.bars.Wait()
	}
}

// where says in how many places a version is proven.
func where(r configs.Result) string {
	if r.Verified {
		return "VERIFIED"
	}
	for _, p := range r.Proofs {
		if r.Attested != "" && p.Second && p.OK {
			return "attested, not verified"
		}
		if p.Second || p.Done && !p.OK {
			return "second place unproven"
		}
	}
	return "in one place"
}

func (t *teller) tell(r configs.Result) {
	if t.bar != nil {
		t.bar.Increment()
	}
	if t.p.json {
		if err := t.p.printJSON(r); err != nil {
			warn(t.p.err, "standard output: %v", err)
		}
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-11s  %-*s", r.Result, t.width, r.Device)
	if r.Result == configs.Kept || r.Result == configs.Unchanged {
		fmt.Fprintf(&b, "  %-7s  %-10s  %5.1fs  %s", r.Grade, short(r.Version), r.Seconds, where(r))
	}
	b.WriteByte('\n')
	indent := strings.Repeat(" ", 13)
	if r.Error != "" {
		fmt.Fprintf(&b, "%s%s\n", indent, strings.ReplaceAll(once(r.Error), "\n", "\n"+indent))
	}
	if r.Hint != "" {
		fmt.Fprintf(&b, "%shint: %s\n", indent, r.Hint)
	}
	for _, m := range r.Missing {
		fmt.Fprintf(&b, "%smissing: %s\n", indent, strings.TrimSpace(m))
	}
	if r.Unsaved {
		fmt.Fprintf(&b, "%sunsaved: a restart would undo changes: save the configuration on the device\n", indent)
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(&b, "%swarning: %s\n", indent, w)
	}
	if caution := r.Reached.Unproven; caution != "" {
		fmt.Fprintf(&b, "%s%s\n", indent, caution)
	} else if len(r.Reached.Weak) > 0 {
		fmt.Fprintf(&b, "%sweak algorithms: %s\n", indent, strings.Join(r.Reached.Weak, ", "))
	}
	if _, err := io.WriteString(t.out, tame(b.String())); err != nil {
		warn(t.p.err, "standard output: %v", err)
	}
}
