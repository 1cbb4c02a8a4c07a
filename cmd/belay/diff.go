package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"belay/configs"
	"belay/configs/diff"
	"belay/devices"
)

func (p *program) diffCommand() *cobra.Command {
	var side bool
	var file, color, from string
	var at []string
	var lines int
	cmd := &cobra.Command{
		Use: "diff DEVICE [OLD [NEW]]", Short: "Compare two versions of a configuration", Args: cobra.RangeArgs(1, 3),
		Long: `Compares the newest version with the one before it, or the versions named: by the
beginning of a version's name, ~1 for the one before the newest, or a TIME at which it stood.
With --since, the newest is compared with what stood then: all that has changed since.
` + aTime + `
A day alone is as it stood at its end, but with --since at its beginning.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			old, now, err := p.compared(args[1:], at, from)
			if err != nil {
				return err
			}
			if color != "auto" && color != "always" && color != "never" {
				return &devices.Error{Kind: devices.Usage, Err: fmt.Errorf("--color %q: want auto, always or never", color)}
			}
			ctx := cmd.Context()
			return p.withDevice(ctx, args[0], func(w *workspace, d devices.Device) error {
				a, err := w.version(ctx, d, old)
				if err != nil {
					return err
				}
				b, err := w.version(ctx, d, now)
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
	cmd.Flags().StringArrayVar(&at, "at", nil, "a `VERSION` or TIME to compare with the newest; twice: to compare with each other")
	cmd.Flags().StringVar(&from, "since", "", "what has changed since this `TIME`")
	cmd.Flags().BoolVarP(&side, "side-by-side", "y", false, "old and new beside each other")
	cmd.Flags().IntVarP(&lines, "unified", "U", 3, "lines of context")
	cmd.Flags().StringVar(&color, "color", "auto", "auto, always or never")
	cmd.Flags().StringVar(&file, "file", configs.MainFile, "`NAME` of the file, where a system has several")
	return cmd
}

// compared are the two versions that a person has named, in one of three ways.
func (p *program) compared(args, at []string, from string) (old, now string, err error) {
	ways := 0
	for _, used := range []bool{len(args) > 0, len(at) > 0, from != ""} {
		if used {
			ways++
		}
	}
	if ways > 1 || len(at) > 2 {
		return "", "", &devices.Error{Kind: devices.Usage, Err: errors.New("name the versions as arguments, with --at (once or twice) or with --since")}
	}
	if from != "" {
		t, err := since(from, p.now())
		return t.Format(time.RFC3339Nano), "", err
	}
	switch named := append(args[:len(args):len(args)], at...); len(named) {
	case 0:
		return "~1", "", nil
	case 1:
		return named[0], "", nil
	default:
		return named[0], named[1], nil
	}
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
