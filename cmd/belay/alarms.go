package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	people "belay/cmd/belay/notify"
	"belay/configs"
	"belay/configs/alarm"
	"belay/devices"
)

func (p *program) alarmsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "alarms", Short: "List the alarms that stand, and who was told", Args: cobra.NoArgs,
		Long: `Lists what was raised and is not over: each cause once. It is over by itself when its cause is
gone (the gate opens, the key is trusted), and the service ends those of devices that left
the inventory, but for damage. belay alarms clear says so by hand.

Exit status: 0 listed; 1 something broke.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withWorkspace(cmd.Context(), func(w *workspace) error { return p.runAlarms(cmd.Context(), w) })
		},
	}
	cmd.AddCommand(p.alarmsClear())
	return cmd
}

// An alarmRow is what scripts read.
type alarmRow struct {
	ID string `json:"id"`
	alarm.Standing
}

func (p *program) runAlarms(ctx context.Context, w *workspace) error {
	all, err := w.alarms.Standing(ctx)
	if err != nil {
		return err
	}
	for _, s := range all {
		if p.json {
			if err := p.printJSON(alarmRow{s.ID(), s}); err != nil {
				return err
			}
			continue
		}
		told := "told nobody yet"
		if len(s.Told) > 0 {
			told = "told " + strings.Join(slices.Sorted(maps.Keys(s.Told)), ", ")
		}
		var b strings.Builder
		fmt.Fprintf(&b, "%s  %s  %s  %s\n", s.ID(), s.At.Local().Format("2006-01-02 15:04"), s.Cause, strings.TrimSpace(s.Customer+" "+string(s.Device)))
		fmt.Fprintf(&b, "          %s\n          %s\n", s.What, told)
		if s.Hint != "" {
			fmt.Fprintf(&b, "          next: %s\n", s.Hint)
		}
		if _, err := io.WriteString(p.out, tame(b.String())); err != nil {
			return err
		}
	}
	if len(all) == 0 && !p.json {
		return p.say("no alarm stands\n")
	}
	return nil
}

func (p *program) alarmsClear() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "clear NAME --reason TEXT", Short: "Say that the cause of an alarm is gone; recorded with your name", Args: cobra.ExactArgs(1),
		Long: `NAME is what belay alarms shows first. If the cause is still there, the alarm is raised anew
when it is next seen.

Exit status: 0 cleared; 2 there is no such alarm; 7 no reason was given.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason = strings.TrimSpace(reason); reason == "" {
				return &devices.Error{Kind: devices.NotAllowed, Op: "clear " + args[0], Err: errors.New("a reason is needed: it is recorded with your name"), Hint: "belay alarms clear " + args[0] + " --reason …"}
			}
			return p.withWorkspace(cmd.Context(), func(w *workspace) error { return p.runAlarmsClear(cmd.Context(), w, args[0], reason) })
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why it is over")
	return cmd
}

func (p *program) runAlarmsClear(ctx context.Context, w *workspace, name, reason string) error {
	all, err := w.alarms.Standing(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(s alarm.Standing) bool { return s.ID() == name || s.Name() == name })
	if i < 0 {
		return &devices.Error{Kind: devices.Usage, Op: "clear", Err: fmt.Errorf("no alarm %q stands", name), Hint: "belay alarms lists them"}
	}
	a := all[i].Alarm
	customer := a.Customer
	if customer == "" {
		customer = a.Device.Customer()
	}
	if err := w.ledger.Append(ctx, configs.Event{At: p.now(), Customer: customer, Device: a.Device, By: w.by, Act: "clear alarm",
		Detail: map[string]any{"cause": a.Cause, "key": a.Key, "reason": reason}}); err != nil {
		return err
	}
	if err := w.alarms.Clear(ctx, a); err != nil {
		return err
	}
	w.tellNow(ctx, p)
	return p.say("%s is cleared\n", a.Cause)
}

func (p *program) tellCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "tell", Short: "Try out the channels that people are told by"}
	cmd.AddCommand(&cobra.Command{
		Use: "try CHANNEL", Short: "Send a test message to a channel of the settings", Args: cobra.ExactArgs(1),
		Long: `Sends one message to a channel of tell: channels: in the settings, and says whether it was taken.

Exit status: 0 taken; 1 not; 2 there is no such channel, or its URL cannot be used.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withWorkspace(cmd.Context(), func(w *workspace) error {
				m := people.Message{Subject: "Belay: a test", Text: "This is a test of channel " + args[0] + ", sent by " + w.by.Name + ". Nothing is wrong.\n"}
				if err := w.post(p.err).Deliver(cmd.Context(), args[0], m); err != nil {
					return err
				}
				return p.say("%s has taken it: see whether it arrived\n", args[0])
			})
		},
	})
	return cmd
}
