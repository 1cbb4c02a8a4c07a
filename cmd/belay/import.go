package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/configs/change"
	"belay/configs/round"
	"belay/devices"
	"belay/drivers"
)

type importOptions struct {
	ticket, attester, serial string
	after                    bool
}

func (p *program) importCommand() *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:   "import DEVICE FILE… --attest NAME",
		Short: "Keep a configuration that was exported by hand",
		Long: `For a device that cannot be read but exports its configuration by hand. The file is held to the
driver's checks and redacted like a capture; but nobody read it twice, and only a person says that
it is this device's: its grade is lower, and the person's name stands in it. Several files are
named by what the driver calls them. With --ticket it is the before of that ticket's change, or
with --after the after, and the gate answers.
` + exitHelp,
		Example: "  belay import acme/fw-hq fw-hq-backup.conf --attest 'Ada Example' --ticket T20391",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.TrimSpace(o.attester) == "" {
				return &devices.Error{Kind: devices.Usage, Op: "import", Device: args[0], Err: errors.New("who attests that it is this device's, whole and of today?"), Hint: "--attest 'Ada Example'"}
			}
			return p.withDevice(cmd.Context(), args[0], func(w *workspace, d devices.Device) error {
				return p.runImport(cmd.Context(), w, d, args[1:], o)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.attester, "attest", "", "`NAME` of the person who exported it")
	f.StringVar(&o.ticket, "ticket", "", "ticket of the change that it belongs to")
	f.StringVar(&o.serial, "serial", "", "serial number on the device's label, where the file names none")
	f.BoolVar(&o.after, "after", false, "it is the new device's configuration, not the old one's")
	return cmd
}

func (p *program) runImport(ctx context.Context, w *workspace, d devices.Device, files []string, o importOptions) error {
	capture, err := w.exported(d, files, o)
	if err != nil {
		return err
	}
	w.office.Patience = technicianPatience
	if o.ticket == "" {
		attested := fmt.Sprintf("exported by hand; %s attests that it is this device's", o.attester)
		capture.Missing = append(capture.Missing, attested)
		began := p.now()
		order := configs.Order{By: w.by, Vouched: attested}
		r := w.backup.Import(ctx, d, capture, order)
		p.newTeller([]devices.Device{d}).tell(r)
		if err := round.Record(context.WithoutCancel(ctx), w.ledger, "import", w.by, order, began, []configs.Result{r}); err != nil {
			return err
		}
		if r.Err != nil {
			return exitStatus(exitCode(devices.KindOf(r.Err)))
		}
		return nil
	}
	x := change.Exported{Phase: change.Before, Capture: capture, Attester: o.attester, By: w.by}
	var c change.Change
	if o.after {
		x.Phase = change.After
		c, err = w.change(ctx, o.ticket, change.Query{Open: true})
	} else {
		c, err = w.desk.Open(ctx, d, change.Opening{Site: d.Site, Ticket: o.ticket, By: w.by})
	}
	if err != nil {
		return err
	}
	c, r, a, err := w.desk.Import(ctx, c, d, x)
	if o.after {
		return p.tellArrived(ctx, w, d, c, r, err)
	}
	return p.tellTaken(ctx, w, c, r, &a, err)
}

// exported reads files as the device's driver would have read the device.
func (w *workspace) exported(d devices.Device, files []string, o importOptions) (configs.Capture, error) {
	var list []drivers.Exported
	var old []string
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return configs.Capture{}, &devices.Error{Kind: devices.Usage, Op: "import", Device: d.String(), Err: err}
		}
		list = append(list, drivers.Exported{Name: filepath.Base(file), Raw: raw})
		// A copy keeps the time or makes it later: an old one tells, a new one does not.
		if info, err := os.Stat(file); err == nil && w.now().Sub(info.ModTime()) > w.settings.policy(d.Customer).MaxAge {
			old = append(old, fmt.Sprintf("%s is as it was on %s", filepath.Base(file), info.ModTime().Local().Format("2006-01-02 15:04")))
		}
	}
	c, err := w.catalog.Import(d.Driver, d, list, w.now())
	if err == nil && o.serial != "" && len(c.Identity.Serials) == 0 {
		c.Identity.Serials = []string{o.serial}
		c.Warnings = append(c.Warnings, "the serial number is what "+o.attester+" read off the label")
	}
	c.Missing = append(c.Missing, old...)
	return c, err
}
