package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"belay/configs/round"
	"belay/configs/schedule"
	"belay/devices"
)

func (p *program) scheduleCommand() *cobra.Command {
	var c chosen
	cmd := &cobra.Command{
		Use: "schedule", Short: "Show which schedule governs each device, and when it is captured next", Args: cobra.NoArgs,
		Long: `Lists the devices with the schedule of the settings that governs each, the next time at which
belay serve captures it, and the slot that it was last captured for. The most special schedules
that there are for a device govern it: those that name it before its site's, its customer's and
those for all. Devices that no schedule covers are warned of: nothing captures them by itself.

With --json one object per device and line: device, rules, next, last, missed.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withWorkspace(cmd.Context(), func(w *workspace) error {
				list, err := w.inventory.Select(c.customer, c.site)
				if err != nil {
					return err
				}
				return p.runSchedule(cmd.Context(), w, list)
			})
		},
	}
	cmd.Flags().StringVar(&c.customer, "customer", "", "devices of this customer only")
	cmd.Flags().StringVar(&c.site, "site", "", "devices of this site only (SITE or CUSTOMER/SITE)")
	return cmd
}

// A scheduleRow is a device's schedule as scripts read it.
type scheduleRow struct {
	Device string    `json:"device"`
	Rules  []string  `json:"rules"`
	Next   time.Time `json:"next,omitzero"`
	Last   time.Time `json:"last,omitzero"`   // the slot that it was last captured for
	Missed time.Time `json:"missed,omitzero"` // its latest slot, where the window closed without it
}

func (p *program) runSchedule(ctx context.Context, w *workspace, list []devices.Device) error {
	plan, err := w.settings.plan()
	if err != nil {
		return &devices.Error{Kind: devices.Usage, Op: "read the schedules", Err: err}
	}
	seen, err := round.AllSeen(ctx, w.ledger)
	if err != nil {
		return err
	}
	now := p.now()
	var bare []string
	rows := [][]string{{"DEVICE", "NEXT", "LAST", "SCHEDULE"}}
	for _, d := range list {
		r, zone := w.scheduleOf(plan, d, seen[d.ID()].Slot, now)
		if len(r.Rules) == 0 {
			bare = append(bare, d.String())
		}
		if p.json {
			if err := p.printJSON(r); err != nil {
				return err
			}
			continue
		}
		moment := func(t time.Time, none string) string {
			if t.IsZero() {
				return none
			}
			return t.In(zone).Format("Mon 2006-01-02 15:04 MST")
		}
		done := moment(r.Last, "-")
		if !r.Missed.IsZero() {
			done = "missed " + moment(r.Missed, "")
		}
		rows = append(rows, []string{r.Device, moment(r.Next, "never"), done, strings.Join(r.Rules, "; ")})
	}
	if !p.json {
		columns(p.out, rows)
	}
	if len(bare) > 0 {
		warn(p.err, "%s", uncovered(bare))
	}
	for i, s := range w.settings.Schedules {
		if !w.covers(s) {
			warn(p.err, "%s: schedules[%d]: the inventory has nothing of %s", w.settings.file, i, s.governs())
		}
	}
	return nil
}

// scheduleOf is what a plan has for one device, and the zone to tell it in.
func (w *workspace) scheduleOf(plan *schedule.Plan, d devices.Device, done, now time.Time) (scheduleRow, *time.Location) {
	r := scheduleRow{Device: d.String(), Rules: []string{}, Last: done}
	zone := time.Local
	for n, i := range plan.Rules(d) {
		s := w.settings.Schedules[i]
		r.Rules = append(r.Rules, s.String())
		if rule, err := s.rule(); err == nil && n == 0 {
			zone = rule.Zone
		}
	}
	r.Next, _ = plan.Next(d, now)
	if !done.IsZero() {
		r.Missed, _ = plan.Missed(d, done, now)
	}
	return r, zone
}

// String is a schedule on one line.
func (s scheduleSetting) String() string {
	words := []string{s.Every}
	if s.Zone != "" {
		words = append(words, s.Zone)
	}
	if s.Window != "" {
		words = append(words, s.Window)
	}
	return strings.Join(words, " ") + " (" + s.governs() + ")"
}

// covers tells whether a schedule is for any device of the inventory.
func (w *workspace) covers(s scheduleSetting) bool {
	for _, d := range w.inventory.Devices {
		if (s.Customer == "" || s.Customer == d.Customer) && (s.Site == "" || s.Site == d.Site) && (s.Device == "" || s.Device == d.Name) {
			return true
		}
	}
	return len(w.inventory.Devices) == 0
}

// uncovered says of devices that no schedule is for them.
func uncovered(bare []string) string {
	return fmt.Sprintf("no schedule covers %s: nothing captures %s by itself", some(bare), map[bool]string{true: "it", false: "them"}[len(bare) == 1])
}

// some are the first of several names, and how many there are besides.
func some(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more devices", strings.Join(names[:most], ", "), len(names)-most)
}
