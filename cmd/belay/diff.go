package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"belay/configs"
	"belay/configs/diff"
	"belay/devices"
)

func (p *program) diffCommand() *cobra.Command {
	var side bool
	var file, color string
	var lines int
	cmd := &cobra.Command{
		Use: "diff DEVICE [OLD [NEW]]", Short: "Compare two versions of a configuration", Args: cobra.RangeArgs(1, 3),
		Long: `Compares the newest version with the one before it, or the versions named: by the
beginning of a version's name, or ~1 for the one before the newest.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			from, to := "~1", ""
			if len(args) > 1 {
				from = args[1]
			}
			if len(args) > 2 {
				to = args[2]
			}
			if color != "auto" && color != "always" && color != "never" {
				return &devices.Error{Kind: devices.Usage, Err: fmt.Errorf("--color %q: want auto, always or never", color)}
			}
			ctx := cmd.Context()
			return p.withDevice(ctx, args[0], func(w *workspace, d devices.Device) error {
				a, err := w.version(ctx, d, from)
				if err != nil {
					return err
				}
				b, err := w.version(ctx, d, to)
				if err != nil {
					return err
				}
				was, err := w.text(ctx, a, file)
				if err != nil {
					return err
				}
				is, err := w.text(ctx, b, file)
				if err != nil {
					return err
				}
				o := diff.Options{Color: color == "always" || color == "auto" && isTerminal(p.out), Context: lines, Width: p.width()}
				names := []string{a.Name + "@" + short(a.Commit), b.Name + "@" + short(b.Commit)}
				if p.json {
					added, removed := diff.Stat(was, is)
					return p.printJSON(map[string]any{"device": d.String(), "old": a.Commit, "new": b.Commit, "added": added, "removed": removed, "diff": diff.Unified(names[0], names[1], was, is, lines)})
				}
				text := o.Unified(names[0], names[1], was, is)
				if side {
					text = o.SideBySide(was, is)
				}
				_, err = fmt.Fprint(p.out, text)
				return err
			})
		},
	}
	cmd.Flags().BoolVarP(&side, "side-by-side", "y", false, "old and new beside each other")
	cmd.Flags().IntVarP(&lines, "unified", "U", 3, "lines of context")
	cmd.Flags().StringVar(&color, "color", "auto", "auto, always or never")
	cmd.Flags().StringVar(&file, "file", configs.MainFile, "`NAME` of the file, where a system has several")
	return cmd
}

// width is that of the terminal, or 160 where there is none.
func (p *program) width() int {
	if f, ok := p.out.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return w
		}
	}
	return 160
}
