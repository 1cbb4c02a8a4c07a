package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"belay/cmd/belay/canary"
	"belay/devices"
)

func (p *program) canariesCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "canaries", Short: "Try the checks on simulated devices that cut short, answer errors or are another box", Args: cobra.NoArgs,
		Long: `Captures simulated devices of several vendors on this machine's loopback address, by the same
reader and the same checks as yours: most do something wrong and must be refused, some are well
and must be kept. Nothing of them comes near your history. belay serve does so beside each nightly
run, with other vendors each night.

If one is kept that should not be, or a good one is refused, the checks are in doubt: no copy is
called verified and no gate opens until somebody has found out why and says so:

  belay canaries understood --reason TEXT

Exit status: 0 each came to what it should; 4 one did not, or could not be tried, or an earlier
one is still to be understood.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withWorkspace(cmd.Context(), func(w *workspace) error { return p.runCanaries(cmd.Context(), w, all) })
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "each thing that may be wrong with each vendor, not only this night's")
	cmd.AddCommand(p.canariesUnderstood())
	return cmd
}

func (p *program) runCanaries(ctx context.Context, w *workspace, all bool) error {
	sights, err := w.tryCanaries(ctx, w.alarms, all)
	w.tellNow(ctx, p)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if len(sights) == 0 {
		return err
	}
	good := 0
	rows := [][]string{{"CANARY", "WHAT IS WRONG", "CAME TO", "BY", "SECONDS"}}
	for _, s := range sights {
		if s.Good() {
			good++
		}
		if p.json {
			if err := p.printJSON(canaryRow{s, s.Verdict()}); err != nil {
				return err
			}
			continue
		}
		wrong := s.Wrong
		if wrong == "" {
			wrong = "nothing: it must be kept"
		}
		rows = append(rows, []string{s.Name, wrong, s.Verdict(), s.Check, fmt.Sprintf("%.2f", s.Seconds)})
	}
	if !p.json {
		columns(p.out, rows)
		fmt.Fprintf(p.out, "%d of %d canaries came to what they should\n", good, len(sights))
	}
	for _, s := range sights {
		if s.Why != "" {
			warn(p.err, "%s: %s", s.Name, s.Why)
		}
	}
	why, doubted := canary.Doubt(context.WithoutCancel(ctx), w.ledger)
	if why != "" {
		tell(p.err, &devices.Error{Kind: devices.Unproven, Op: "call anything verified", Err: errors.New(why), Hint: "find out why, then belay canaries understood --reason …"})
	}
	switch err := errors.Join(err, doubted); {
	case err != nil:
		tell(p.err, err)
		fallthrough
	case good < len(sights), why != "":
		return exitStatus(exitCode(devices.Unproven))
	}
	return nil
}

// A canaryRow is a sight as scripts read it.
type canaryRow struct {
	canary.Sight
	Verdict string `json:"verdict"`
}

func (p *program) canariesUnderstood() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "understood --reason TEXT", Short: "End the doubt that a canary raised; recorded with your name", Args: cobra.NoArgs,
		Long: `Ends the doubt: copies are called verified and gates open again. Do so when it is known why the
canary was not caught, and what was captured since then has been looked at: the reason and your
name stand in the ledger. What was kept meanwhile is verified when it is captured again.

The canaries that raised it are tried again first: the doubt stands while one of them comes to
what it should not.

Exit status: 0 the doubt has ended; 2 there is none, or no reason; 4 a canary still is not caught,
or could not be tried; 1 something broke.`,
		Example: `  belay canaries understood --reason "our own driver for cisco_ios took any end for the end; it is gone, T20555"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withWorkspace(cmd.Context(), func(w *workspace) error {
				if err := w.canaryBook(w.alarms).Understood(cmd.Context(), reason); err != nil {
					return err
				}
				return p.say("the doubt has ended; belay canaries tries the checks again\n")
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why the canary was not caught, and what was done about it")
	return cmd
}
