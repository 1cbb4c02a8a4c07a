package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (p *program) changesCommand() *cobra.Command {
	var customer string
	var all bool
	cmd := &cobra.Command{
		Use: "changes", Short: "List the changes that are not closed, and how far each has come", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withWorkspace(cmd.Context(), func(w *workspace) error {
				list, err := w.desk.Book.List(cmd.Context(), customer)
				if err != nil {
					return err
				}
				if _, known := w.settings.Customers[customer]; customer != "" && len(list) == 0 && !known {
					if _, err := w.inventory.Select(customer, ""); err != nil {
						return err // a misspelled name must not pass for good news
					}
				}
				rows := [][]string{{"CHANGE", "CUSTOMER", "WHAT", "STATE", "OPENED", "BY", "MISSING"}}
				for _, c := range list {
					if c.Closing != nil && !all {
						continue
					}
					policy := w.policy(cmd.Context(), c.Customer)
					state := c.State(p.now(), policy)
					if p.json {
						if err := p.printJSON(map[string]any{"state": state, "change": c}); err != nil {
							return err
						}
						continue
					}
					missing := ""
					if lacks := c.Lacks(p.now(), policy, ""); c.Closing == nil && len(lacks) > 0 {
						missing = lacks[0].What
					}
					rows = append(rows, []string{c.ID, c.Customer, w.describe(c), string(state), c.At.Local().Format("2006-01-02 15:04"), c.By.Name, oneLine(missing)})
				}
				switch {
				case p.json:
				case len(rows) == 1:
					_, err = fmt.Fprintln(p.out, "no change is open")
				default:
					columns(p.out, rows)
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&customer, "customer", "", "only this customer's")
	cmd.Flags().BoolVar(&all, "all", false, "closed ones too")
	return cmd
}
