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
		Use: "show DEVICE", Short: "Print a kept configuration, its secrets as fingerprints", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withDevice(cmd.Context(), args[0], func(w *workspace, d devices.Device) error {
				v, err := w.version(cmd.Context(), d, at)
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
	cmd.Flags().StringVar(&at, "at", "", "`VERSION`: the beginning of its name, or ~1 for the one before the newest")
	cmd.Flags().StringVar(&file, "file", configs.MainFile, "`NAME` of the file, where a system has several")
	return cmd
}
