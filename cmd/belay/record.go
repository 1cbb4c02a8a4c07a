package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"belay/configs/report"
	"belay/devices"
)

func (p *program) driversRecord() *cobra.Command {
	var file, name string
	cmd := &cobra.Command{
		Use: "record DEVICE", Short: "Write a transcript of a device, its secrets replaced", Args: cobra.ExactArgs(1),
		Long: `Reads a device and writes what it said as a transcript, from which the simulator makes
a device: for a bug report, or for a driver of your own. Secrets are replaced by canaries;
names, addresses and serial numbers are not. Read it before you pass it on.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withDevice(cmd.Context(), args[0], func(w *workspace, d devices.Device) error {
				if name != "" {
					d.Driver = name
				}
				t, c, err := w.puller.Record(cmd.Context(), d)
				if err != nil {
					return err
				}
				if file == "-" {
					_, err = p.out.Write(t.Format())
					return err
				}
				if file == "" {
					file = t.Name
				}
				f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
				if errors.Is(err, os.ErrExist) {
					return &devices.Error{Kind: devices.Usage, Op: "record", Device: d.String(), Err: err, Hint: "name another file with --file"}
				}
				if err != nil {
					return err
				}
				_, err = f.Write(t.Format())
				if err := errors.Join(err, f.Close()); err != nil {
					return err
				}
				for _, check := range c.Check() {
					if !check.OK {
						warn(p.err, "%s: %s", check.Name, check.Detail)
					}
				}
				_, err = fmt.Fprintf(p.out, "wrote %s: %s, %s replaced; read it before you pass it on\n", file, report.Plural(len(t.Answers), "command"), report.Plural(len(t.Gone), "secret"))
				return err
			})
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "where to write it; - for standard output (default DRIVER-recorded.txtar)")
	cmd.Flags().StringVar(&name, "driver", "", "with this driver instead of the inventory's")
	return cmd
}
