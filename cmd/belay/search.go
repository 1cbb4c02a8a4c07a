package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/devices"
)

func (p *program) searchCommand() *cobra.Command {
	var customer string
	var ignoreCase bool
	cmd := &cobra.Command{
		Use: "search PATTERN", Short: "Search the newest configurations for a regular expression", Args: cobra.ExactArgs(1),
		Long: `Searches the newest kept configuration of every device for a regular expression and
prints each line found. Secrets cannot be found: they are not there. The search is
recorded, its pattern sealed. Exit status 0 also where nothing is found.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			pattern := args[0]
			if ignoreCase {
				pattern = "(?i)" + pattern
			}
			re, err := regexp.Compile(pattern)
			if err != nil {
				return &devices.Error{Kind: devices.Usage, Op: "search", Err: err}
			}
			w, err := p.open(cmd.Context(), openOptions{})
			if err != nil {
				return err
			}
			defer w.close()
			return p.runSearch(cmd.Context(), w, re, customer)
		},
	}
	cmd.Flags().StringVar(&customer, "customer", "", "search only this customer's devices")
	cmd.Flags().BoolVarP(&ignoreCase, "ignore-case", "i", false, "upper and lower case alike")
	return cmd
}

func (p *program) runSearch(ctx context.Context, w *workspace, re *regexp.Regexp, customer string) error {
	list, err := w.inventory.Select(customer, "")
	if err != nil {
		return err
	}
	hits := map[string]int{}
	for _, d := range list {
		v, ok, err := w.store.Newest(ctx, d.ID())
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		hits[d.Customer] += 0
		texts, err := w.store.Texts(ctx, v)
		if err != nil {
			return err
		}
		for _, t := range texts {
			n := 0
			for line := range strings.Lines(t.Clean.String()) {
				n++
				line = strings.TrimRight(line, "\n")
				if !re.MatchString(line) {
					continue
				}
				hits[d.Customer]++
				if p.json {
					err = p.printJSON(map[string]any{"device": d.String(), "version": v.Commit, "file": t.Name, "line": n, "text": line})
				} else {
					_, err = fmt.Fprintf(p.out, "%s:%d: %s\n", d, n, line)
				}
				if err != nil {
					return err
				}
			}
		}
	}
	var errs []error
	for c, n := range hits {
		// People search for secrets, too: the ledger is no place for them.
		sealed, err := w.vault.Seal(ctx, c, []byte(re.String()))
		if err == nil {
			err = w.ledger.Append(ctx, configs.Event{At: p.now(), Customer: c, By: w.by, Act: "search", Detail: map[string]any{"sealedPattern": sealed, "lines": n}})
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
