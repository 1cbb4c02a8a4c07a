package main

import (
	"github.com/spf13/cobra"

	"belay/devices"
)

func (p *program) logCommand() *cobra.Command {
	var most int
	cmd := &cobra.Command{
		Use: "log DEVICE", Short: "List the versions of a device, newest first", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withDevice(cmd.Context(), args[0], func(w *workspace, d devices.Device) error {
				var rows [][]string
				n := 0
				for v, err := range w.store.History(cmd.Context(), d.ID()) {
					if err != nil {
						return err
					}
					if n++; most > 0 && n > most {
						break
					}
					if p.json {
						if err := p.printJSON(rowOf(v)); err != nil {
							return err
						}
						continue
					}
					rows = append(rows, []string{short(v.Commit), v.Taken.Local().Format("2006-01-02 15:04"), v.By.Name, string(v.Grade.Level), v.Subject})
				}
				if n == 0 {
					return nothingKept(d)
				}
				columns(p.out, rows)
				return nil
			})
		},
	}
	cmd.Flags().IntVarP(&most, "number", "n", 0, "list at most so many")
	return cmd
}
