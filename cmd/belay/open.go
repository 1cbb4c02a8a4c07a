package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/devices"
)

func (p *program) openCommand() *cobra.Command {
	var reason, customer string
	cmd := &cobra.Command{
		Use: "open FILE --reason TEXT", Short: "Decrypt a sealed attachment; recorded with your name", Args: cobra.ExactArgs(1),
		Long: `Decrypts a file that Belay hung sealed in a documentation system, and prints the original,
byte for byte as the device sent it, to standard output. As with belay reveal, who did so
and why stands in the ledger before a byte is shown.

Exit status: 0 printed; 2 no key here opens the file; 7 no reason was given.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason = strings.TrimSpace(reason); reason == "" {
				return &devices.Error{Kind: devices.NotAllowed, Op: "open " + args[0], Err: errors.New("a reason is needed: it is recorded with your name"), Hint: "belay open " + args[0] + ` --reason "T20391 restore"`}
			}
			sealed, err := os.ReadFile(args[0])
			if err != nil {
				return &devices.Error{Kind: devices.Usage, Op: "read the attachment", Err: err}
			}
			return p.withWorkspace(cmd.Context(), func(w *workspace) error {
				plain, whose, err := w.unseal(cmd.Context(), customer, sealed)
				if err != nil {
					return err
				}
				if err := w.ledger.Append(cmd.Context(), configs.Event{At: p.now(), Customer: whose, By: w.by, Act: "open",
					Detail: map[string]any{"file": args[0], "digest": configs.Digest(plain), "bytes": len(plain), "reason": reason}}); err != nil {
					return err
				}
				_, err = p.out.Write(plain)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why you need to see it")
	cmd.Flags().StringVar(&customer, "customer", "", "whose it is (default: whoever's key fits)")
	return cmd
}

// unseal decrypts with the key of a customer, or of whichever one it fits.
func (w *workspace) unseal(ctx context.Context, customer string, sealed []byte) (plain []byte, whose string, err error) {
	keys, err := w.vault.List(ctx)
	if err != nil {
		return nil, "", err
	}
	for _, k := range keys {
		if customer != "" && k.Customer != customer {
			continue
		}
		if plain, err := w.vault.Open(ctx, k.Customer, sealed); err == nil {
			return plain, k.Customer, nil
		}
	}
	return nil, "", &devices.Error{Kind: devices.Usage, Op: "open the file", Err: fmt.Errorf("none of the %d customers' keys fits, or the file is damaged", len(keys)), Hint: "belay keys list shows whose keys are here"}
}
