package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/configs/history"
	"belay/devices"
)

// blameRow is a line as scripts read it.
type blameRow struct {
	Line    int            `json:"line"`
	Text    string         `json:"text"`
	Device  string         `json:"device"` // by its name at that time
	Version string         `json:"version"`
	Taken   time.Time      `json:"taken"`
	By      configs.Person `json:"by"`
	Ticket  string         `json:"ticket,omitempty"`
}

func (p *program) blameCommand() *cobra.Command {
	var at, file string
	cmd := &cobra.Command{
		Use: "blame DEVICE [VERSION]", Short: "Tell of each line who brought it, when, and with which ticket", Args: cobra.RangeArgs(1, 2),
		Long: `Prints a configuration, and before each line the version that brought it: its name, when it
was taken, and the ticket or else the person who asked for it. A line that was there before the
device was renamed, or before it took another one's place, is older than that.

A VERSION is the beginning of its name, ~1 for the one before the newest, or a TIME.
` + aTime,
		RunE: func(cmd *cobra.Command, args []string) error {
			version, err := oneOf(args[1:], at)
			if err != nil {
				return err
			}
			return p.withDevice(cmd.Context(), args[0], func(w *workspace, d devices.Device) error {
				return p.runBlame(cmd.Context(), w, d, version, file)
			})
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "the `VERSION` or the TIME at which it stood")
	cmd.Flags().StringVar(&file, "file", configs.MainFile, "`NAME` of the file, where a system has several")
	return cmd
}

func (p *program) runBlame(ctx context.Context, w *workspace, d devices.Device, version, file string) error {
	v, err := w.version(ctx, d, version)
	if err != nil {
		return err
	}
	if _, err := w.text(ctx, v, file); err != nil { // it says which files there are
		return err
	}
	line, err := w.line(ctx, v.ID)
	if err != nil {
		return err
	}
	var before []devices.ID
	for _, ancestor := range line[1:] {
		before = append(before, ancestor.id)
	}
	lines, err := w.history.Blame(ctx, v, file, before...)
	if err != nil {
		return err
	}
	return p.printBlame(lines)
}

func (p *program) printBlame(lines []history.Line) error {
	width := 0
	for _, l := range lines {
		width = max(width, len([]rune(why(l.Version))))
	}
	digits := len(strconv.Itoa(len(lines)))
	for i, l := range lines {
		v := l.Version
		if p.json {
			if err := p.printJSON(blameRow{Line: i + 1, Text: l.Text, Device: v.ID.Customer() + "/" + v.Name, Version: v.Commit, Taken: v.Taken, By: v.By, Ticket: v.Ticket}); err != nil {
				return err
			}
			continue
		}
		if err := p.say("%s %s %s %*d) %s\n", short(v.Commit), v.Taken.Local().Format("2006-01-02 15:04"), fmt.Sprintf("%-*s", width, why(v)), digits, i+1, l.Text); err != nil {
			return err
		}
	}
	return nil
}

// why is what a version was taken for: its ticket, or who asked.
func why(v configs.Version) string {
	if v.Ticket != "" {
		return v.Ticket
	}
	return v.By.Name
}
