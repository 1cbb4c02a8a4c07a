package drivers_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"belay/configs"
	"belay/devices/simulator"
	"belay/drivers"
)

// A faulty is one thing done wrong to one device.
type faulty struct {
	name  string
	fault simulator.Fault
	// What must come of it. A good reading must be kept with the whole text; a
	// bad one must not be kept; one that may be either is kept whole or not.
	want verdict
	idle time.Duration
}

type verdict int

const (
	mustKeep verdict = iota
	mustRefuse
	wholeOrNot
)

// faults lists what is done wrong to a device whose configuration has so many
// lines and bytes. Where two readings must agree, one of the two is cut.
func faults(d *drivers.Driver, lines, bytes int) []faulty {
	var all []faulty
	add := func(want verdict, name string, f simulator.Fault) {
		all = append(all, faulty{name: name, fault: f, want: want, idle: 30 * time.Second})
	}
	cut := mustRefuse
	reading := 0
	if d.Rules.Complete.Agree > 1 {
		cut, reading = wholeOrNot, 1
	}
	for n := 1; n < lines-1; n++ {
		add(cut, fmt.Sprintf("cut at line %d", n), simulator.Fault{CutLine: n, Reading: reading})
		if reading > 0 && n%10 == 0 {
			add(wholeOrNot, fmt.Sprintf("second reading cut at line %d", n), simulator.Fault{CutLine: n, Reading: 2})
		}
	}
	for n := 1; n < 99; n++ { // the last percent may be no more than blank lines
		add(cut, fmt.Sprintf("cut at %d %%", n), simulator.Fault{CutByte: max(1, bytes*n/100), Reading: reading})
	}
	add(mustRefuse, "empty", simulator.Fault{Empty: true})
	for i, text := range []string{"% Authorization failed.\n", "% Invalid input detected at '^' marker.\n", "syntax error, expecting <command>.\n", "Permission denied\n", "Error: internal\n"} {
		add(mustRefuse, fmt.Sprintf("error text %d", i), simulator.Fault{Error: text})
	}
	add(mustRefuse, "wrong box", simulator.Fault{WrongBox: true})
	for _, n := range []int{1, 7, 64, 536, 1460} {
		add(mustKeep, fmt.Sprintf("segments of %d", n), simulator.Fault{Segment: n})
		add(cut, fmt.Sprintf("segments of %d, cut", n), simulator.Fault{Segment: n, CutLine: lines / 2, Reading: reading})
	}
	for _, c := range []string{"$", "#", ">", "\n", "\r"} {
		add(mustKeep, fmt.Sprintf("segment ends after %q", c), simulator.Fault{SplitAfter: c})
	}
	if d.Road() == "https" {
		askFaults(add)
	}
	if d.Road() == "snmp" {
		sendFaults(add)
	}
	if d.Road() == "shell" {
		for _, n := range []int{5, 24, 100} {
			add(mustKeep, fmt.Sprintf("pager every %d lines", n), simulator.Fault{PageLines: n})
			add(mustKeep, fmt.Sprintf("pager every %d lines in segments", n), simulator.Fault{PageLines: n, Segment: 7})
		}
		add(mustKeep, "echo twice", simulator.Fault{EchoTwice: true})
		add(mustKeep, "redraws", simulator.Fault{ANSI: true})
		add(mustKeep, "redraws in segments", simulator.Fault{ANSI: true, Segment: 1})
		for seed := range uint64(5) {
			add(mustKeep, fmt.Sprintf("noise %d", seed), simulator.Fault{Noise: true, Seed: seed})
		}
		add(mustKeep, "noise in segments", simulator.Fault{Noise: true, Segment: 7})
		for _, look := range []string{"prompt", "similar"} {
			add(mustKeep, "lookalike "+look, simulator.Fault{Lookalike: look})
			add(mustKeep, "lookalike "+look+", a pause behind it", simulator.Fault{Lookalike: look, Pause: 20 * time.Millisecond})
			add(mustKeep, "lookalike "+look+" in segments", simulator.Fault{Lookalike: look, Segment: 1})
		}
	}
	for n := 1; n < 10; n++ {
		at := max(1, bytes*n/10)
		add(mustRefuse, fmt.Sprintf("reset after %d bytes", at), simulator.Fault{Reset: true, After: at})
		add(mustRefuse, fmt.Sprintf("channel closed after %d bytes", at), simulator.Fault{CloseChannel: true, After: at})
	}
	all = append(all, faulty{name: "silence", fault: simulator.Fault{Silence: true, After: bytes / 2}, want: mustRefuse, idle: 50 * time.Millisecond})
	return all
}

// TestNoBadCopyIsKept plays faults with every transcript, all of them with
// BELAY_FAULTS=all: nothing is kept that is not whole, and what is whole is kept.
func TestNoBadCopyIsKept(t *testing.T) {
	t.Parallel()
	c := load(t)
	all := transcripts(t, c)
	var ran, cases, good, refused atomic.Int64
	t.Run("transcripts", func(t *testing.T) {
		for _, p := range all {
			t.Run(p.Name, func(t *testing.T) {
				t.Parallel()
				ran.Add(1)
				if raced && seedOf(p.Name)%4 > 0 { // what may race is the same for all; make test plays all once more, without
					return
				}
				whole := &simulator.Device{T: p.Transcript}
				b, r := backup(puller(c, whole))
				_, texts := capture(t, b, r, p.device())
				want, ok := texts[configs.MainFile]
				if !ok {
					t.Fatal("a whole reading was not kept")
				}
				config := ""
				for _, command := range p.Configurations() {
					if text := whole.Configuration(command); len(text) > len(config) {
						config = text
					}
				}
				var wait sync.WaitGroup
				room := make(chan struct{}, 32) // most of a case is waiting for silence
				for _, f := range sampled(faults(p.driver, strings.Count(config, "\n"), len(config)), p.Name) {
					if f.name == "wrong box" && len(p.Facts.Serials) == 0 {
						continue // nothing it says tells it from another; its host key does
					}
					cases.Add(1)
					if f.want == mustKeep {
						good.Add(1)
					}
					room <- struct{}{}
					wait.Go(func() {
						defer func() { <-room }()
						if wrong := play(t, c, p, f, want); wrong != "" {
							if f.want == mustKeep {
								refused.Add(1)
							}
							t.Errorf("%s: %s", f.name, wrong)
						}
					})
				}
				wait.Wait()
			})
		}
	})
	t.Logf("%d cases, %d of them good; %d good ones refused", cases.Load(), good.Load(), refused.Load())
	if narrowed := int(ran.Load()) < len(all); !raced && !narrowed && cases.Load() < 2000 {
		t.Errorf("only %d cases were played", cases.Load())
	}
}

// play captures one faulty device and says what came out wrong.
func play(t *testing.T, c *drivers.Catalog, p played, f faulty, want string) string {
	t.Helper()
	dev := &simulator.Device{T: p.Transcript, Fault: f.fault}
	pull := puller(c, dev)
	pull.Idle = f.idle
	if f.want == mustRefuse && (f.fault.Transfer != "" || f.fault.Tarpit) {
		pull.Agent = hastily(dev)
	}
	b, r := backup(pull)
	res, texts := capture(t, b, r, p.device())
	got, kept := texts[configs.MainFile]
	if f.fault.Lookalike != "" {
		got = withoutLine(got, want)
	}
	switch {
	case kept && f.want == mustRefuse:
		return "was kept"
	case kept && got != want:
		return fmt.Sprintf("was kept with another text: %d bytes instead of %d", len(got), len(want))
	case !kept && f.want == mustKeep:
		return fmt.Sprintf("a good copy came to %s: %s", res.Result, res.Error)
	case kept != (res.Result == configs.Kept):
		return fmt.Sprintf("the result says %s", res.Result)
	}
	return ""
}

// withoutLine takes the one line out of got by which it differs from want; of a
// prompt with lines of its own above it, these too.
func withoutLine(got, want string) string {
	g, w := strings.SplitAfter(got, "\n"), strings.SplitAfter(want, "\n")
	for i := range g {
		if i < len(w) && g[i] == w[i] {
			continue
		}
		for n := range 3 {
			if rest := strings.Join(append(g[:i:i], g[min(i+n+1, len(g)):]...), ""); rest == want || n == 2 {
				return rest
			}
		}
	}
	return got
}
