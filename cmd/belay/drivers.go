package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/devices"
	"belay/drivers"
)

func (p *program) driversCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "drivers", Short: "List, show and try drivers; record a device's transcript"}
	cmd.AddCommand(p.driversList(), p.driversShow(), p.driversTry(), p.driversRecord())
	return cmd
}

// catalog loads the drivers; settings are needed only for the user's own.
func (p *program) catalog() (*drivers.Catalog, error) {
	s, err := readSettings(p.config)
	switch {
	case err == nil:
		return drivers.Load(s.Drivers)
	case p.config == "" && errors.Is(err, os.ErrNotExist):
		return drivers.Load("")
	}
	return nil, err
}

func (p *program) driversList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the systems that can be read", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			c, err := p.catalog()
			if err != nil {
				return err
			}
			rows := [][]string{{"DRIVER", "SYSTEM", "ROAD", "GRADE", "WHOLE BY", "TRANSCRIPTS", "PROVEN ON", "MISSING FOR A RESTORE", "ALSO CALLED"}}
			for _, s := range c.Scorecard() {
				if p.json {
					if err := p.printJSON(s); err != nil {
						return err
					}
					continue
				}
				rows = append(rows, []string{s.Driver, s.Title, s.Road, string(s.Grade), s.Whole, strconv.Itoa(s.Transcripts), s.ProvenOn(), brief(s.Missing), strings.Join(s.Aliases, " ")})
			}
			if !p.json {
				columns(p.out, rows)
			}
			return nil
		},
	}
}

func (p *program) driversShow() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show what a driver does, and the commands for an account", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := p.catalog()
			if err != nil {
				return err
			}
			d, err := c.Find(args[0])
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(map[string]any{"driver": d.Name, "title": d.Title, "aliases": d.Aliases, "commands": d.Commands(), "account": d.Account, "source": d.Source, "origin": d.Origin, "scorecard": score(c, d)})
			}
			fmt.Fprintf(p.out, "%s: %s\nalso called: %s\norigin: %s\nrests on: %s\n\ncommands, all of which only read:\n", d.Name, d.Title, strings.Join(d.Aliases, " "), d.Origin, strings.TrimSpace(d.Source))
			for _, command := range d.Commands() {
				fmt.Fprintf(p.out, "  %s\n", command)
			}
			fmt.Fprintf(p.out, "\ngrade: %s\n", d.Rules.Grading.Level)
			if m := d.Rules.Grading.Missing; m != "" {
				fmt.Fprintf(p.out, "  missing: %s\n", strings.TrimSpace(m))
			}
			for _, l := range d.Rules.Grading.Lower {
				fmt.Fprintf(p.out, "  %s where: %s\n", l.Level, strings.TrimSpace(l.Missing))
			}
			s := score(c, d)
			fmt.Fprintf(p.out, "\nroad: %s\nwhole by: %s\ntranscripts: %d\nproven on: %s\n", s.Road, s.Whole, s.Transcripts, strings.Join(s.Proven, "; "))
			fmt.Fprintf(p.out, "\nan account for Belay:\n%s", d.Account)
			if text, ok := c.Source(d.Name); ok {
				fmt.Fprintf(p.out, "\nthe driver file:\n\n%s", text)
			}
			return nil
		},
	}
}

// brief is the beginning of a text, for a column; show and --json have all of it.
func brief(text string) string {
	const wide = 48
	r := []rune(strings.Join(strings.Fields(text), " "))
	if len(r) <= wide {
		return string(r)
	}
	return string(r[:wide-1]) + "…"
}

// score is what can be expected of one driver.
func score(c *drivers.Catalog, d *drivers.Driver) drivers.Score {
	all := c.Scorecard()
	return all[slices.IndexFunc(all, func(s drivers.Score) bool { return s.Driver == d.Name })]
}

func (p *program) driversTry() *cobra.Command {
	var name string
	var firstUse bool
	cmd := &cobra.Command{
		Use: "try DEVICE", Short: "Read a device once, show every check, keep nothing", Args: cobra.ExactArgs(1),
		Long: "Reads a device once and shows who it is, every check and the redacted text. Nothing is kept.\n" + exitHelp,
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := p.open(cmd.Context(), openOptions{firstUse: firstUse})
			if err != nil {
				return err
			}
			defer w.close()
			d, err := w.inventory.Find(args[0])
			if err != nil {
				return err
			}
			if name != "" {
				d.Driver = name
			}
			return p.runTry(cmd.Context(), w, d)
		},
	}
	cmd.Flags().StringVar(&name, "driver", "", "with this driver instead of the inventory's")
	cmd.Flags().BoolVar(&firstUse, "first-use", false, "pin the host key if none is pinned; recorded")
	return cmd
}

func (p *program) runTry(ctx context.Context, w *workspace, d devices.Device) error {
	c, err := w.puller.Pull(ctx, d)
	if err != nil {
		return err
	}
	checks := c.Check()
	key, err := w.vault.FingerprintKey(ctx, d.Customer)
	if err != nil {
		return err
	}
	bad := false
	for i, check := range checks {
		bad = bad || !check.OK
		detail, _ := c.Rules.Redact.Apply([]byte(check.Detail), key) // it may quote the device
		checks[i].Detail = detail.String()
	}
	if p.json {
		if err := p.printJSON(map[string]any{"device": d.String(), "driver": c.Driver, "identity": c.Identity, "session": c.Reached, "checks": checks, "warnings": c.Warnings, "seconds": c.Took.Seconds()}); err != nil {
			return err
		}
	} else {
		p.showTry(c, checks)
		for _, f := range c.Files {
			if f.Sealed {
				fmt.Fprintf(p.out, "--- %s: %d bytes, binary, SHA-256 %s\n", f.Name, len(f.Raw), configs.Digest(f.Raw))
				continue
			}
			clean, report := c.Rules.Redact.Apply(f.Text, key)
			fmt.Fprintf(p.out, "--- %s: %d bytes, %d secrets replaced, %d hidden by the generic look\n%s", f.Name, len(f.Raw), report.Secrets, len(report.Gaps), clean)
		}
	}
	if bad {
		return exitStatus(exitCode(devices.Refused))
	}
	return nil
}

func (p *program) showTry(c configs.Capture, checks []configs.Check) {
	rows := [][]string{
		{"driver", c.Driver}, {"hostname", c.Identity.Hostname}, {"model", c.Identity.Model}, {"serial", strings.Join(c.Identity.Serials, ", ")},
		{"version", c.Identity.Version}, {"address", c.Reached.Address}, {"host key", c.Reached.HostKey},
		{"algorithms", strings.Join([]string{c.Reached.KeyExchange, c.Reached.Cipher, c.Reached.MAC}, " ")}, {"took", c.Took.String()},
	}
	if caution := c.Reached.Unproven; caution != "" {
		rows = append(rows, []string{"caution", caution})
	}
	for _, check := range checks {
		mark := "ok"
		if !check.OK {
			mark = "REFUSED"
		}
		rows = append(rows, []string{check.Name, mark + "  " + check.Detail})
	}
	for _, warning := range c.Warnings {
		rows = append(rows, []string{"warning", warning})
	}
	columns(p.out, rows)
}
