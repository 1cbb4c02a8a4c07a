package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"belay/configs/report"
	"belay/devices"
)

func (p *program) doctorCommand() *cobra.Command {
	var o doctorOptions
	cmd := &cobra.Command{
		Use: "doctor", Short: "Look whether everything that captures need is there, without capturing", Args: cobra.NoArgs,
		Long: `Checks settings, inventory, schedules, keys, clock, disk, the ledger, the histories, git, remotes,
documentation and ticket systems, ports, the service, and whether each device lets Belay in. No
configuration is read and nothing is sent anywhere but what it takes to be let in. Each device is
asked with one login, once; where two devices of a site refuse it, the rest of the site is spared.

Each line is ok, warn or fail, and the next one says what to do.

Exit status: 0 all is well, or warnings only; 1 something fails.`,
		Example: "  belay doctor\n  belay doctor --no-logins\n  belay doctor --customer acme --site hq",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.runDoctor(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.noLogins, "no-logins", false, "do not log in to devices")
	cmd.Flags().StringVar(&o.customer, "customer", "", "only this customer's devices and remote")
	cmd.Flags().StringVar(&o.site, "site", "", "log in to this site's devices only")
	return cmd
}

type doctorOptions struct {
	noLogins       bool
	customer, site string
}

// A verdict is how a check came out.
type verdict string

const (
	well   verdict = "ok"
	odd    verdict = "warn"
	failed verdict = "fail"
)

// A finding is one line of the doctor's.
type finding struct {
	Check  string  `json:"check"`
	State  verdict `json:"state"`
	Detail string  `json:"detail"`
	Next   string  `json:"next,omitempty"` // what to do about it
}

// wrong is the finding of an error, with its hint.
func wrong(state verdict, err error) finding {
	return finding{State: state, Detail: oneLine(err.Error()), Next: devices.HintOf(err)}
}

func fine(format string, args ...any) finding {
	return finding{State: well, Detail: fmt.Sprintf(format, args...)}
}

func strange(next, format string, args ...any) finding {
	return finding{State: odd, Next: next, Detail: fmt.Sprintf(format, args...)}
}

func broken(next, format string, args ...any) finding {
	return finding{State: failed, Next: next, Detail: fmt.Sprintf(format, args...)}
}

// A patient is what the doctor looks at.
type patient struct {
	*workspace
	p    *program
	opts doctorOptions
}

// An examination is one of the doctor's checks. It ends with its context.
type examination struct {
	name  string
	limit time.Duration // 0: as long as it takes
	look  func(ctx context.Context, x *patient) []finding
}

// examinations are all checks, in the order in which they are told.
func examinations() []examination {
	const soon = time.Minute
	return []examination{
		{"settings", soon, checkSettings},
		{"inventory", soon, checkInventory},
		{"schedules", soon, checkSchedules},
		{"keys", 2 * soon, checkKeys},
		{"clock", soon, checkClock},
		{"disk", soon, checkDisk},
		{"ledger", 5 * soon, checkLedger},
		{"histories", 5 * soon, checkHistories},
		{"git", soon, checkGit},
		{"remotes", 5 * soon, checkRemotes},
		{"documentation", soon, checkDocumentation},
		{"tickets", soon, checkTickets},
		{"ports", soon, checkPorts},
		{"service", soon, checkService},
		{"time zones", soon, checkZones},
		{"logins", 0, checkLogins},
	}
}

func (p *program) runDoctor(ctx context.Context, o doctorOptions) error {
	w, err := p.open(ctx, openOptions{})
	if err != nil {
		f := wrong(failed, err)
		f.Check = "open"
		if err := p.tellFinding(f); err != nil {
			return err
		}
		return exitStatus(1)
	}
	defer w.close()
	if _, err := w.inventory.Select(o.customer, o.site); err != nil && (o.customer != "" || o.site != "") {
		return err
	}
	list := examinations()
	found := make([]chan []finding, len(list))
	x := &patient{workspace: w, p: p, opts: o}
	for i, e := range list {
		found[i] = make(chan []finding, 1)
		go func() { found[i] <- e.examine(ctx, x) }()
	}
	count := map[verdict]int{}
	for i, e := range list { // all are waited for: none is left behind
		for _, f := range <-found[i] {
			f.Check = e.name
			count[f.State]++
			if tellErr := p.tellFinding(f); err == nil {
				err = tellErr
			}
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return err
	case !p.json:
		err = p.say("%d ok, %s, %d failed\n", count[well], report.Plural(count[odd], "warning"), count[failed])
	}
	if err == nil && count[failed] > 0 {
		return exitStatus(1)
	}
	return err
}

func (e examination) examine(ctx context.Context, x *patient) []finding {
	if e.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, e.limit, fmt.Errorf("it was not done after %v", e.limit))
		defer cancel()
	}
	found := e.look(ctx, x)
	if ctx.Err() != nil {
		found = append(found, broken("", "broken off: %v", context.Cause(ctx)))
	}
	return found
}

func (p *program) tellFinding(f finding) error {
	if p.json {
		return p.printJSON(f)
	}
	next := ""
	if f.Next != "" && f.State != well {
		next = "\n" + "                      next: " + oneLine(f.Next)
	}
	return p.say("%-4s  %-14s  %s%s\n", f.State, f.Check, oneLine(f.Detail), next)
}
