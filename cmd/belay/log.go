package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/configs/change"
	"belay/devices"
)

func (p *program) logCommand() *cobra.Command {
	var most int
	var from string
	cmd := &cobra.Command{
		Use: "log DEVICE", Short: "List the versions of a device, newest first", Args: cobra.ExactArgs(1),
		Long: `Lists the versions of a device, newest first. Where it took another one's place, the history
goes on with that one's.

` + aTime,
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := since(from, p.now())
			if err != nil {
				return err
			}
			return p.withDevice(cmd.Context(), args[0], func(w *workspace, d devices.Device) error {
				return p.runLog(cmd.Context(), w, d, most, t)
			})
		},
	}
	cmd.Flags().IntVarP(&most, "number", "n", 0, "list at most so many")
	cmd.Flags().StringVar(&from, "since", "", "only those taken at this `TIME` or later")
	return cmd
}

func (p *program) runLog(ctx context.Context, w *workspace, d devices.Device, most int, since time.Time) error {
	var rows [][]string
	n, kept := 0, false
	line, err := w.line(ctx, d.ID())
	if err != nil {
		return err
	}
	for _, ancestor := range line {
		if c := ancestor.by; c != nil && n > 0 && !p.json && (most == 0 || n < most) {
			rows = append(rows, []string{"", c.At.Local().Format("2006-01-02 15:04"), c.By.Name, "", "replaced " + c.Customer + "/" + c.OldName + " in change " + c.ID + ", ticket " + c.Ticket})
		}
		for v, err := range w.history.Versions(ctx, ancestor.id) {
			if err != nil {
				return err
			}
			kept = true
			if v.Taken.Before(since) {
				continue
			}
			if most > 0 && n == most {
				break
			}
			n++
			if p.json {
				if err := p.printJSON(rowOf(v)); err != nil {
					return err
				}
				continue
			}
			rows = append(rows, []string{short(v.Commit), v.Taken.Local().Format("2006-01-02 15:04"), v.By.Name, string(v.Grade.Level), v.Subject})
		}
	}
	if !kept {
		return nothingKept(d)
	}
	columns(p.out, rows)
	return nil
}

// An ancestor is a device whose place another one took in a change.
type ancestor struct {
	id devices.ID
	by *change.Change // nil: the device that was asked for
}

// line is a device and those before it in its place, the newest first.
func (w *workspace) line(ctx context.Context, id devices.ID) ([]ancestor, error) {
	line := []ancestor{{id: id}}
	seen := map[devices.ID]bool{id: true}
	for {
		var last string
		for e, err := range w.ledger.Events(ctx, configs.Filter{Device: id, Act: "succeed"}) {
			if err != nil {
				return nil, err
			}
			if name, ok := e.Detail["change"].(string); ok {
				last = name
			}
		}
		if last == "" {
			return line, nil
		}
		c, err := w.desk.Book.Get(ctx, id.Customer(), last)
		if err != nil {
			return nil, err
		}
		if c.Old == "" || seen[c.Old] { // a box that kept the name has its history here already
			return line, nil
		}
		id = c.Old
		seen[id] = true
		line = append(line, ancestor{id, &c})
	}
}
