package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/devices"
)

func (p *program) showCommand() *cobra.Command {
	var at, file string
	cmd := &cobra.Command{
		Use: "show DEVICE [VERSION]", Short: "Print a kept configuration, its secrets as fingerprints", Args: cobra.RangeArgs(1, 2),
		Long: `Prints the newest kept configuration of a device, or another one: a VERSION is the beginning of
its name, ~1 for the one before the newest, or a TIME at which it stood.
` + aTime + `
A day alone is as it stood at its end.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			version, err := oneOf(args[1:], at)
			if err != nil {
				return err
			}
			return p.withDevice(cmd.Context(), args[0], func(w *workspace, d devices.Device) error {
				v, err := w.version(cmd.Context(), d, version)
				if err != nil {
					return err
				}
				text, err := w.text(cmd.Context(), v, file)
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(struct {
						versionRow
						Text string `json:"text"`
					}{rowOf(v), text.String()})
				}
				_, err = fmt.Fprint(p.out, text.String())
				return err
			})
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "the `VERSION`, or the TIME at which it stood")
	cmd.Flags().StringVar(&file, "file", configs.MainFile, "`NAME` of the file, where a system has several")
	return cmd
}
