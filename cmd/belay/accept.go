package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"belay/devices"
)

func (p *program) acceptCommand() *cobra.Command {
	var o captureOptions
	cmd := &cobra.Command{
		Use:   "accept DEVICE --reason TEXT",
		Short: "Vouch for a configuration that was refused because it has shrunk",
		Long: `Reads the device again and keeps a configuration that is whole but half as long as
before, or less, because a person says that it has truly shrunk. The person and the
reason are recorded. What failed any other check cannot be accepted.
` + exitHelp,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.order.Vouched = strings.TrimSpace(o.order.Vouched); o.order.Vouched == "" {
				return &devices.Error{Kind: devices.Usage, Op: "accept", Device: args[0], Err: errors.New("a reason is needed: it is recorded"), Hint: `belay accept ` + args[0] + ` --reason "stack reduced to one member, T20391"`}
			}
			return p.withDevice(cmd.Context(), args[0], func(w *workspace, d devices.Device) error {
				o.waits = true
				return p.runCapture(cmd.Context(), w, []devices.Device{d}, o)
			})
		},
	}
	cmd.Flags().StringVar(&o.order.Vouched, "reason", "", "why the configuration is smaller")
	cmd.Flags().StringVar(&o.order.Ticket, "ticket", "", "ticket that it belongs to")
	return cmd
}
