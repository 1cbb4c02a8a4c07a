package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/devices"
	"belay/store/ledger"
)

func (p *program) searchCommand() *cobra.Command {
	var customer string
	var ignoreCase, all bool
	cmd := &cobra.Command{
		Use: "search PATTERN", Short: "Search the newest configurations for a regular expression", Args: cobra.ExactArgs(1),
		Long: `Searches the newest kept configuration of every device of the inventory for a regular expression and
prints each line found. Secrets cannot be found: they are not there. The search is
recorded, its pattern sealed. Exit status 0 also where nothing is found.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			pattern := args[0]
			if ignoreCase {
				pattern = "(?i)" + pattern
			}
			re, err := regexp.Compile(pattern)
			if err != nil {
				return &devices.Error{Kind: devices.Usage, Op: "search", Err: err, Hint: literally(args[0])}
			}
			return p.withWorkspace(cmd.Context(), func(w *workspace) error { return p.runSearch(cmd.Context(), w, re, customer, all) })
		},
	}
	cmd.Flags().StringVar(&customer, "customer", "", "search only this customer's devices")
	cmd.Flags().BoolVarP(&ignoreCase, "ignore-case", "i", false, "upper and lower case alike")
	cmd.Flags().BoolVar(&all, "all-devices", false, "also devices that are no longer in the inventory")
	return cmd
}

// literally is how a text is searched for that is no regular expression.
func literally(text string) string {
	return "a pattern is a regular expression; for the text as it stands: belay search '" + strings.ReplaceAll(regexp.QuoteMeta(text), "'", `'\''`) + "'"
}

// recordWithin is how long a search tries to be recorded.
const recordWithin = 20 * time.Second

// runSearch records what was looked for in whose configurations also where it
// is broken off: the lines were seen.
func (p *program) runSearch(ctx context.Context, w *workspace, re *regexp.Regexp, customer string, all bool) error {
	list, err := w.inventory.Select(customer, "")
	if err != nil && !all { // who left may have been the last
		return err
	}
	there, hits := map[devices.ID]devices.Device{}, map[string]int{}
	for _, d := range list {
		there[d.ID()] = d
		hits[d.Customer] = 0
	}
	found := p.eachFound(ctx, w, configs.Query{Customer: customer, Pattern: re}, there, hits, all)
	// All of it has one limit: a ledger that another process holds would be waited
	// for anew for each customer.
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
	defer done()
	standing, err := w.ledger.Standing(ctx)
	errs := []error{found, err}
	for c, n := range hits {
		if standing[c] == "" {
			continue // nothing was looked through
		}
		// People search for secrets, too: the ledger is no place for them.
		sealed, err := w.vault.Seal(ctx, c, []byte(re.String()))
		if err == nil {
			err = w.ledger.Append(ctx, configs.Event{At: p.now(), Customer: c, By: w.by, Act: "search", Detail: map[string]any{"sealedPattern": sealed, "lines": n}})
		}
		if err != nil && ctx.Err() != nil {
			return errors.Join(append(errs, &devices.Error{Op: "record the search", Err: fmt.Errorf("it was not done after %v: %w", recordWithin, err),
				Hint: "another process may hold " + ledger.File + "; see who has it open, and search again"})...)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// eachFound prints what is found, and counts it by customer.
func (p *program) eachFound(ctx context.Context, w *workspace, q configs.Query, there map[devices.ID]devices.Device, hits map[string]int, all bool) error {
	for f, err := range w.history.Search(ctx, q) {
		if err != nil {
			return err
		}
		d, ok := there[f.ID]
		if !ok && !all {
			continue
		}
		name := d.String()
		if !ok {
			name = f.ID.Customer() + "/" + f.Name
		}
		hits[f.ID.Customer()]++
		if p.json {
			row := map[string]any{"device": name, "version": f.Commit, "file": f.File, "line": f.Line, "text": f.Text}
			if !ok {
				row["removed"] = true
			}
			err = p.printJSON(row)
		} else {
			_, err = fmt.Fprintf(p.out, "%s:%d: %s\n", name, f.Line, f.Text)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
