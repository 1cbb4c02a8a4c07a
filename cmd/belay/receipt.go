package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/configs/change"
	"belay/devices"
)

func (p *program) receiptCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "receipt CHANGE|TICKET",
		Short: "Print what protects the technician: every proof of a change, signed",
		Long: `Tells of a change who did what and when: serial numbers, grades, digests, configuration items
and attachments, waivers in full, every proof, and what is not proven. Of a closed change it is
the very receipt that was posted. As text for people, as json with its signature (belay receipt
verify checks it offline), or as html that prints on one page.

Exit status: 0 printed; 2 there is no such change; 8 a receipt that was filed is gone.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if p.json {
				format = "json"
			}
			if !slices.Contains([]string{"text", "json", "html"}, format) {
				return &devices.Error{Kind: devices.Usage, Err: fmt.Errorf("--format %q is none of text, json, html", format)}
			}
			return p.withWorkspace(cmd.Context(), func(w *workspace) error {
				c, err := w.change(cmd.Context(), args[0], change.Query{})
				if err != nil {
					return err
				}
				file, err := w.receipt(cmd.Context(), c)
				if err != nil {
					return err
				}
				if format == "json" {
					_, err := p.out.Write(file)
					return err
				}
				r, _, err := w.ownReceipt(cmd.Context(), file)
				if err != nil {
					return err
				}
				text := []byte(r.Text())
				if format == "html" {
					if text, err = r.HTML(); err != nil {
						return err
					}
				}
				_, err = p.out.Write(text)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text, json or html")
	cmd.AddCommand(p.receiptVerify())
	return cmd
}

func (p *program) receiptVerify() *cobra.Command {
	var signers string
	cmd := &cobra.Command{
		Use: "verify FILE", Short: "Check a receipt's signature, offline: any changed byte fails", Args: cobra.ExactArgs(1),
		Long: `Checks the json form of a receipt against this installation's own key, or against those of
--signers: lines as in the allowed_signers file of ssh-keygen, or as belay keys signer prints them.

Exit status: 0 it is unaltered, and signed by one of them; 2 wrong usage; 4 it is not.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := os.ReadFile(args[0])
			if err != nil {
				return &devices.Error{Kind: devices.Usage, Op: "read the receipt", Err: err}
			}
			trusted, err := p.signatories(cmd.Context(), signers)
			if err != nil {
				return err
			}
			r, by, err := change.VerifyReceipt(file, trusted)
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(map[string]any{"good": true, "signer": by.Name, "key": by.Fingerprint(), "change": r.Change, "ticket": r.Ticket, "state": r.State, "made": r.Made, "digest": configs.Digest(file)})
			}
			_, err = fmt.Fprintf(p.out, "good: the receipt of %s, ticket %s, made %s (%s), is unaltered; signed with %s of %s\n",
				r.Change, r.Ticket, r.Made.Local().Format("2006-01-02 15:04"), r.State, by.Fingerprint(), by.Name)
			return err
		},
	}
	cmd.Flags().StringVar(&signers, "signers", "", "`FILE` of the keys that are believed (default: this installation's own)")
	return cmd
}

// signatories are whose signatures are believed.
func (p *program) signatories(ctx context.Context, file string) ([]change.Signatory, error) {
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, &devices.Error{Kind: devices.Usage, Op: "read the keys of signatories", Err: err}
		}
		return change.ReadSignatories(string(text))
	}
	w, err := p.open(ctx, openOptions{})
	if err != nil {
		return nil, &devices.Error{Kind: devices.KindOf(err), Op: "find this installation's own key", Err: err, Hint: "away from it, name the keys that are believed: --signers FILE"}
	}
	defer w.close()
	key, err := w.vault.SignerKey(ctx)
	if err != nil {
		return nil, err
	}
	return change.ReadSignatories(key)
}

// receipt is the one that a change was closed with, or one of how it stands now.
func (w *workspace) receipt(ctx context.Context, c change.Change) ([]byte, error) {
	if c.Closing == nil || c.Closing.Digest == "" {
		return w.makeReceipt(ctx, c)
	}
	paper, ok, err := w.ledger.Paper(ctx, c.Customer, c.Closing.Digest)
	if err == nil && !ok {
		err = &devices.Error{Kind: devices.Damaged, Op: "read the receipt of " + c.ID, Err: errors.New("it is not filed any more"), Hint: "belay verify"}
	}
	return paper.Bytes, err
}

func (w *workspace) makeReceipt(ctx context.Context, c change.Change) ([]byte, error) {
	r, err := change.MakeReceipt(c, w.policy(ctx, c.Customer), w.now())
	if err != nil {
		return nil, err
	}
	key, err := w.vault.Signer(ctx)
	if err != nil {
		return nil, err
	}
	return r.Sign(key)
}

// ownReceipt reads a receipt that we made.
func (w *workspace) ownReceipt(ctx context.Context, file []byte) (change.Receipt, change.Signatory, error) {
	key, err := w.vault.SignerKey(ctx)
	if err != nil {
		return change.Receipt{}, change.Signatory{}, err
	}
	trusted, err := change.ReadSignatories(key)
	if err != nil {
		return change.Receipt{}, change.Signatory{}, err
	}
	return change.VerifyReceipt(file, trusted)
}

// filedReceipt is the newest receipt of a change that tells all there is to
// tell, made and filed now where there is none.
func (w *workspace) filedReceipt(ctx context.Context, c change.Change) ([]byte, error) {
	papers, err := w.ledger.Papers(ctx, c.Customer, c.ID)
	if err != nil {
		return nil, err
	}
	for _, paper := range slices.Backward(papers) {
		if paper.Kind != "receipt" {
			continue
		}
		r, _, err := w.ownReceipt(ctx, paper.Bytes)
		if err != nil {
			continue // signed with a key of before, or damaged: one is made that tells all
		}
		if tells, err := c.Tells(r, paper.Digest); tells || err != nil {
			return paper.Bytes, err
		}
	}
	file, err := w.makeReceipt(ctx, c)
	if err != nil {
		return nil, err
	}
	return file, w.ledger.FilePaper(ctx, configs.Paper{Customer: c.Customer, Change: c.ID, Kind: "receipt", Digest: configs.Digest(file), Bytes: file, By: w.by, At: w.now()})
}

// fileText files a receipt's text form and returns its digest.
func (w *workspace) fileText(ctx context.Context, c change.Change, file []byte) (string, error) {
	r, _, err := w.ownReceipt(ctx, file)
	if err != nil {
		return "", err
	}
	text := []byte(r.Text())
	return configs.Digest(text), w.ledger.FilePaper(ctx, configs.Paper{Customer: c.Customer, Change: c.ID, Kind: "receipt text", Digest: configs.Digest(text), Bytes: text, By: w.by, At: w.now()})
}

// note is what a ticket is told: the receipt as text, to print, and signed.
func (w *workspace) note(ctx context.Context, l configs.Letter) (configs.Note, error) {
	paper, ok, err := w.ledger.Paper(ctx, l.Customer, l.Version)
	if err == nil && !ok {
		err = &devices.Error{Kind: devices.Damaged, Op: "read the receipt of " + l.Change, Err: errors.New("it is not filed any more"), Hint: "belay verify"}
	}
	if err != nil {
		return configs.Note{}, err
	}
	r, _, err := w.ownReceipt(ctx, paper.Bytes)
	if err != nil {
		return configs.Note{}, err
	}
	page, err := r.HTML()
	if err != nil {
		return configs.Note{}, err
	}
	return configs.Note{
		Ticket: l.Ticket, Key: l.Change + "-" + l.Version[:16], Subject: "Receipt of " + l.Change,
		Text: r.Text(), HTML: page, Files: []configs.Attached{{Name: l.Change + ".receipt.json", Bytes: paper.Bytes}}, At: r.Made,
	}, nil
}
