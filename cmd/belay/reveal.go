package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/devices"
)

func (p *program) revealCommand() *cobra.Command {
	var at, file, reason string
	var quarantined bool
	cmd := &cobra.Command{
		Use: "reveal DEVICE --reason TEXT", Short: "Print the original with its secrets; recorded with your name", Args: cobra.ExactArgs(1),
		Long: `Decrypts the original of a version, byte for byte as the device sent it, and prints it
to standard output. Who did so, when and why stands in the ledger before a byte is shown.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason = strings.TrimSpace(reason); reason == "" {
				return &devices.Error{Kind: devices.NotAllowed, Op: "reveal", Device: args[0], Err: errors.New("a reason is needed: it is recorded with your name"), Hint: "belay reveal " + args[0] + ` --reason "T20391 VPN key"`}
			}
			if quarantined && at != "" {
				return &devices.Error{Kind: devices.Usage, Op: "reveal", Device: args[0], Err: errors.New("--quarantined and --at: what is in quarantine is no version")}
			}
			return p.withDevice(cmd.Context(), args[0], func(w *workspace, d devices.Device) error {
				return p.runReveal(cmd.Context(), w, d, at, file, reason, quarantined)
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why you need to see it")
	cmd.Flags().BoolVar(&quarantined, "quarantined", false, "what a check refused, instead of what is kept")
	cmd.Flags().StringVar(&at, "at", "", "`VERSION`, as in belay show")
	cmd.Flags().StringVar(&file, "file", configs.MainFile, "`NAME` of the file, where a system has several")
	return cmd
}

// sealed finds the sealed originals to reveal, and what to call them.
func (w *workspace) sealed(ctx context.Context, d devices.Device, at string, quarantined bool) ([]configs.Sealed, string, error) {
	if quarantined {
		held, ok, err := w.ledger.Held(ctx, d.ID())
		if err == nil && !ok {
			err = &devices.Error{Kind: devices.Usage, Op: "reveal", Device: d.String(), Err: errors.New("nothing of it is in quarantine")}
		}
		return held.Originals, "quarantined", err
	}
	v, err := w.version(ctx, d, at)
	if err != nil {
		return nil, "", err
	}
	if at == "" {
		// Where a device salts its secrets, a newer one than the version's own.
		originals, err := w.store.Latest(ctx, d.ID())
		return originals, v.Commit, err
	}
	originals, err := w.store.Originals(ctx, v)
	return originals, v.Commit, err
}

func (p *program) runReveal(ctx context.Context, w *workspace, d devices.Device, at, file, reason string, quarantined bool) error {
	originals, version, err := w.sealed(ctx, d, at, quarantined)
	if err != nil {
		return err
	}
	for _, o := range originals {
		if o.Name != file {
			continue
		}
		if o.Alone && isTerminal(p.out) {
			return &devices.Error{Kind: devices.Usage, Op: "reveal", Device: d.String(), Err: fmt.Errorf("%s is binary, and this is a terminal", file), Hint: "send it to a file: >" + file}
		}
		plain, err := w.vault.Open(ctx, d.Customer, o.Bytes)
		if err != nil {
			return err
		}
		if err := w.ledger.Append(ctx, configs.Event{At: p.now(), Customer: d.Customer, Device: d.ID(), By: w.by, Act: "reveal",
			Detail: map[string]any{"version": version, "file": file, "digest": o.Digest, "bytes": len(plain), "reason": reason}}); err != nil {
			return err
		}
		_, err = p.out.Write(plain)
		return err
	}
	return &devices.Error{Kind: devices.Usage, Op: "reveal", Device: d.String(), Err: fmt.Errorf("there is no file %s in it", file)}
}
