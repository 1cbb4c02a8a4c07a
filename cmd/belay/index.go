package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"belay/configs/report"
	"belay/devices"
)

func (p *program) indexCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "index", Short: "Look after the index of histories",
		Long: `The index answers belay log, show --at, diff --since, blame and search. It follows the
histories by itself, and is never the only copy of anything.`,
	}
	cmd.AddCommand(p.indexRebuildCommand(), p.indexCheckCommand())
	return cmd
}

func (p *program) indexRebuildCommand() *cobra.Command {
	var customer string
	cmd := &cobra.Command{
		Use: "rebuild", Short: "Make the index anew from git", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withIndex(cmd.Context(), customer, func(w *workspace) error {
				ctx := cmd.Context()
				if err := w.history.Rebuild(ctx, customer); err != nil {
					return err
				}
				standing, err := w.ledger.Standing(ctx)
				if err != nil {
					return err
				}
				for name := range standing {
					if customer != "" && name != customer {
						delete(standing, name)
					}
				}
				if p.json {
					return p.printJSON(map[string]any{"customers": standing})
				}
				return p.say("index made anew for %s\n", report.Plural(len(standing), "customer"))
			})
		},
	}
	cmd.Flags().StringVar(&customer, "customer", "", "only of this customer")
	return cmd
}

func (p *program) indexCheckCommand() *cobra.Command {
	var customer string
	var sample int
	cmd := &cobra.Command{
		Use: "check", Short: "Compare the index with git", Args: cobra.NoArgs,
		Long: `Compares the index with git: where each history stands, every version of every device, and
whether lines of a sample of the newest configurations are found in it.

Exit status: 0 they agree; 1 they do not, and belay index rebuild puts it right.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withIndex(cmd.Context(), customer, func(w *workspace) error {
				return p.runIndexCheck(cmd.Context(), w, customer, sample)
			})
		},
	}
	cmd.Flags().StringVar(&customer, "customer", "", "only of this customer")
	cmd.Flags().IntVar(&sample, "sample", 5, "search for lines of so many devices of each customer")
	return cmd
}

func (p *program) runIndexCheck(ctx context.Context, w *workspace, customer string, sample int) error {
	reports, err := w.history.Check(ctx, customer, sample)
	var rows [][]string
	var wrong []string
	for _, r := range reports {
		if p.json {
			if err := p.printJSON(map[string]any{"customer": r.Customer, "devices": r.Devices, "versions": r.Versions, "sampled": r.Sampled, "wrong": append([]string{}, r.Wrong...)}); err != nil {
				return err
			}
		}
		rows = append(rows, []string{r.Customer, report.Plural(r.Devices, "device"), report.Plural(r.Versions, "version"), strings.Join(r.Wrong, "; ")})
		if len(r.Wrong) > 0 {
			wrong = append(wrong, r.Customer)
		}
	}
	if !p.json {
		columns(p.out, rows)
	}
	if len(wrong) > 0 {
		err = errors.Join(err, &devices.Error{Op: "check the index", Err: fmt.Errorf("it differs from git for %s", strings.Join(wrong, ", ")), Hint: "belay index rebuild"})
	}
	return err
}

// withIndex opens the workspace for a customer that must exist, or for all.
func (p *program) withIndex(ctx context.Context, customer string, do func(*workspace) error) error {
	return p.withWorkspace(ctx, func(w *workspace) error {
		if customer != "" {
			head, err := w.store.Head(ctx, customer)
			if err != nil {
				return err
			}
			if at, err := w.ledger.Head(ctx, customer); err != nil || head == "" && at == "" {
				return errors.Join(err, &devices.Error{Kind: devices.Usage, Op: "index", Err: fmt.Errorf("customer %q has no history", customer)})
			}
		}
		return do(w)
	})
}
