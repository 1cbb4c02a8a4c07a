package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/devices"
	"belay/store/ledger"
)

func (p *program) devicesTrust() *cobra.Command {
	var fingerprint string
	var yes, add bool
	cmd := &cobra.Command{
		Use: "trust DEVICE…", Short: "Pin the host key that a device shows now; recorded with your name",
		Long: `Fetches the host key without logging in, shows its fingerprint, and pins it when you
confirm: by typing yes, with --fingerprint SHA256:… or with --yes. A key that was pinned
before is replaced, or kept beside the new one with --add (for the members of a pair).
Where the device is read by its API it is the public key of its certificate; by telnet, or asked
by SNMP, it shows no key, and there is nothing to pin.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withWorkspace(cmd.Context(), func(w *workspace) error {
				for _, a := range args {
					d, err := w.inventory.Find(a)
					if err != nil {
						return err
					}
					if err := p.runTrust(cmd.Context(), w, d, fingerprint, yes, add); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&fingerprint, "fingerprint", "", "pin only a key with this `SHA256:…` fingerprint")
	cmd.Flags().BoolVar(&yes, "yes", false, "pin whatever key is shown")
	cmd.Flags().BoolVar(&add, "add", false, "keep the keys that are pinned already")
	return cmd
}

func (p *program) runTrust(ctx context.Context, w *workspace, d devices.Device, fingerprint string, yes, add bool) error {
	pin, server, pins, err := w.shown(ctx, d)
	if err != nil {
		return err
	}
	if !pins {
		_, err := fmt.Fprintf(p.out, "%s  %s: there is no key to pin\n", d, server)
		return err
	}
	shown := pin.Fingerprint
	pinned, err := w.ledger.Pins(ctx, string(d.ID()))
	if err != nil {
		return err
	}
	if slices.ContainsFunc(pinned, func(p ledger.Pin) bool { return p.Fingerprint == shown }) {
		_, err := fmt.Fprintf(p.out, "%s  %s %s is pinned already\n", d, pin.Type, shown)
		return err
	}
	if fingerprint != "" && fingerprint != shown {
		return &devices.Error{Kind: devices.NotAllowed, Op: "trust", Device: d.String(), Err: fmt.Errorf("it shows %s, not %s", shown, fingerprint)}
	}
	fmt.Fprintf(p.out, "%s  %s %s  %s\n", d, pin.Type, shown, server)
	for _, was := range pinned {
		fmt.Fprintf(p.out, "%s  pinned until now: %s %s by %s on %s\n", d, was.Type, was.Fingerprint, was.By.Name, was.At.Format(time.DateOnly))
	}
	if fingerprint == "" && !yes {
		if ok, err := p.confirm("pin this key? (yes/no) "); err != nil || !ok {
			return errors.Join(err, &devices.Error{Kind: devices.NotAllowed, Op: "trust", Device: d.String(), Err: errors.New("not confirmed: nothing was pinned"), Hint: "compare the fingerprint with the device's console, then use --fingerprint " + shown})
		}
	}
	pin.By, pin.Reason = w.by, "belay devices trust"
	if add {
		err = w.ledger.AddPin(ctx, pin)
	} else {
		err = w.ledger.ReplacePins(ctx, string(d.ID()), []ledger.Pin{pin})
	}
	if err != nil {
		return err
	}
	if err := w.alarms.ClearAll(ctx, configs.AlarmHostKey, d.ID()); err != nil {
		return err
	}
	w.tellNow(ctx, p)
	_, err = fmt.Fprintf(p.out, "%s  pinned\n", d)
	return err
}

// confirm asks a person at a terminal.
func (p *program) confirm(question string) (bool, error) {
	if f, ok := p.in.(*os.File); !ok || !isTerminal(f) {
		return false, nil
	}
	fmt.Fprint(p.err, question)
	line, err := bufio.NewReader(p.in).ReadString('\n')
	return strings.TrimSpace(strings.ToLower(line)) == "yes", err
}
