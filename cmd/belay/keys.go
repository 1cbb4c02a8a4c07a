package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"belay/configs"
	"belay/devices"
	"belay/store/vault"
)

func (p *program) keysCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "keys", Short: "List, make and escrow keys; keep logins in the vault"}
	cmd.AddCommand(p.keysList(), p.keysMake(), p.keysEscrow(), p.keysReplace(), p.keysLogin(), p.keysSigner())
	return cmd
}

func (p *program) keysList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the customers' public keys", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withWorkspace(cmd.Context(), func(w *workspace) error {
				keys, err := w.vault.List(cmd.Context())
				if err != nil {
					return err
				}
				rows := [][]string{{"CUSTOMER", "PUBLIC KEY", "MADE"}}
				for _, k := range keys {
					if p.json {
						if err := p.printJSON(map[string]any{"customer": k.Customer, "publicKey": k.PublicKey, "made": k.Created}); err != nil {
							return err
						}
					}
					rows = append(rows, []string{k.Customer, k.PublicKey, k.Created.Local().Format("2006-01-02")})
				}
				if !p.json {
					columns(p.out, rows)
				}
				return nil
			})
		},
	}
}

func (p *program) keysSigner() *cobra.Command {
	return &cobra.Command{
		Use: "signer", Short: "Print the public key of receipts and backups, for whoever checks them", Args: cobra.NoArgs,
		Long: `Prints the public half of the key that signs receipts and backups, as a line of the allowed_signers file of
ssh-keygen. Whoever has it checks receipts away from here: belay receipt verify --signers FILE, or
ssh-keygen -Y verify. Give it to them over another way than the receipts.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withWorkspace(cmd.Context(), func(w *workspace) error {
				key, err := w.vault.SignerKey(cmd.Context())
				if err != nil {
					return err
				}
				kind, rest, _ := strings.Cut(strings.TrimSpace(key), " ")
				blob, comment, _ := strings.Cut(rest, " ")
				if comment == "" {
					comment = "belay"
				}
				_, err = fmt.Fprintf(p.out, "%s namespaces=\"belay-receipt,belay-backup\" %s %s\n", comment, kind, blob)
				return err
			})
		},
	}
}

func (p *program) keysMake() *cobra.Command {
	return &cobra.Command{
		Use: "make CUSTOMER…", Short: "Make a customer's key, where there is none", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withWorkspace(cmd.Context(), func(w *workspace) error {
				for _, c := range args {
					k, err := w.vault.Make(cmd.Context(), c)
					if err != nil {
						return err
					}
					fmt.Fprintf(p.out, "%s  %s\n", k.Customer, k.PublicKey)
				}
				return nil
			})
		},
	}
}

func (p *program) keysEscrow() *cobra.Command {
	var to string
	var passphrase bool
	cmd := &cobra.Command{
		Use: "escrow [CUSTOMER]", Short: "Print a key encrypted for safe keeping; recorded", Args: cobra.MaximumNArgs(1),
		Long: `Prints the master identity, or one customer's, encrypted to an age recipient (--to age1…)
or with a passphrase. Keep it elsewhere: without the master identity no original can be
opened. Any age program opens it.`,
		Example: "  belay keys escrow --to age1… > master-escrow.age\n  belay keys escrow acme --passphrase > acme-escrow.age",
		RunE: func(cmd *cobra.Command, args []string) error {
			if (to == "") != passphrase {
				return &devices.Error{Kind: devices.Usage, Op: "escrow", Err: errors.New("say to whom: --to RECIPIENT or --passphrase")}
			}
			return p.withWorkspace(cmd.Context(), func(w *workspace) error {
				return p.runEscrow(cmd.Context(), w, strings.Join(args, ""), to)
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "age `RECIPIENT` (public key)")
	cmd.Flags().BoolVar(&passphrase, "passphrase", false, "ask for a passphrase, or read it from standard input")
	return cmd
}

func (p *program) runEscrow(ctx context.Context, w *workspace, customer, to string) error {
	recipient, err := vault.Recipient(to)
	if to == "" {
		var secret devices.Secret
		if secret, err = p.ask("passphrase: "); err == nil {
			recipient, err = vault.Passphrase(secret)
		}
	}
	if err != nil {
		return err
	}
	e := configs.Event{At: p.now(), Customer: customer, By: w.by, Act: "escrow", Detail: map[string]any{"key": "master", "to": to}}
	var text []byte
	if customer == "" {
		if err := w.vault.Unlock(ctx); err != nil {
			return err
		}
		text, err = w.vault.ExportMaster(ctx, recipient)
	} else {
		kept, listErr := w.store.Customers()
		keys, keysErr := w.vault.List(ctx)
		if err := errors.Join(listErr, keysErr); err != nil {
			return err
		}
		if !slices.Contains(kept, customer) && !slices.ContainsFunc(keys, func(k vault.Key) bool { return k.Customer == customer }) {
			return &devices.Error{Kind: devices.Usage, Op: "escrow the key of", Device: customer, Err: errors.New("there is no such customer"), Hint: "belay keys list"}
		}
		e.Detail["key"] = customer
		text, err = w.vault.Export(ctx, customer, recipient)
	}
	if err != nil {
		return err
	}
	if err := w.ledger.Append(ctx, e); err != nil {
		return err
	}
	_, err = p.out.Write(text)
	return err
}

func (p *program) keysReplace() *cobra.Command {
	return &cobra.Command{
		Use: "replace-master FILE", Short: "Encrypt every key to another master identity; recorded", Args: cobra.ExactArgs(1),
		Long: `Encrypts the customers' keys and the vault's logins anew, to the master identity in FILE,
which is made where it is missing. After a crash a second run finishes the rest. From
then on the settings must name it: master: {file: FILE}.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withWorkspace(cmd.Context(), func(w *workspace) error {
				if err := w.vault.ReplaceMaster(cmd.Context(), vault.Master{File: args[0], Create: true}); err != nil {
					return err
				}
				if err := w.ledger.Append(cmd.Context(), configs.Event{At: p.now(), By: w.by, Act: "replace master"}); err != nil {
					return err
				}
				_, err := fmt.Fprintf(p.out, "every key is encrypted to the master identity in %s; now name it in %s: master: {file: …}\n", args[0], w.settings.file)
				return err
			})
		},
	}
}

func (p *program) keysLogin() *cobra.Command {
	var remove, list bool
	cmd := &cobra.Command{
		Use: "login [NAME [FIELD]]", Short: "Keep a device login in the vault",
		Long: `Keeps a login for devices in Belay's own vault, encrypted to the master identity. Asks
for user, password and enable, or for the one FIELD named (user, password, enable, key,
passphrase, certificate); without a terminal the field is read from standard input. The
settings name it: logins: {default: {vault: NAME}}.`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withWorkspace(cmd.Context(), func(w *workspace) error {
				switch {
				case list && len(args) == 0:
					names, err := w.vault.Names(cmd.Context())
					for _, n := range names {
						fmt.Fprintln(p.out, n)
					}
					return err
				case len(args) == 0:
					return &devices.Error{Kind: devices.Usage, Op: "keep a login", Err: errors.New("name it"), Hint: "belay keys login default; --list shows those there are"}
				case remove:
					return w.vault.Remove(cmd.Context(), args[0])
				}
				return p.runLogin(cmd.Context(), w, args)
			})
		},
	}
	cmd.Flags().BoolVar(&remove, "remove", false, "remove it")
	cmd.Flags().BoolVar(&list, "list", false, "list the names")
	return cmd
}

func (p *program) runLogin(ctx context.Context, w *workspace, args []string) error {
	if err := w.vault.Unlock(ctx); err != nil {
		return err
	}
	fields := args[1:]
	if len(fields) == 0 {
		fields = []string{"user", "password", "enable"}
	}
	kept := 0
	for _, f := range fields {
		if !slices.Contains([]string{"user", "password", "enable", "key", "passphrase", "certificate"}, f) {
			return &devices.Error{Kind: devices.Usage, Op: "keep a login", Device: args[0], Err: fmt.Errorf("a login has no field %q", f), Hint: "it has user, password, enable, key, passphrase and certificate"}
		}
		value, err := p.ask(args[0] + " " + f + ": ")
		if err != nil {
			return err
		}
		if value.IsZero() {
			continue
		}
		if err := w.vault.Set(ctx, args[0], f, value); err != nil {
			return err
		}
		kept++
	}
	if kept == 0 {
		return &devices.Error{Kind: devices.Usage, Op: "keep a login", Device: args[0], Err: errors.New("nothing was entered, nothing was changed")}
	}
	return nil
}

// ask asks for a secret without showing it; without a terminal it reads one
// line, or all of a key that has several.
func (p *program) ask(question string) (devices.Secret, error) {
	if f, ok := p.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(p.err, question)
		text, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(p.err)
		return devices.NewSecret(string(text)), err
	}
	in, ok := p.in.(*bufio.Reader)
	if !ok {
		in = bufio.NewReader(p.in)
		p.in = in
	}
	line, err := in.ReadString('\n')
	if strings.HasPrefix(line, "-----BEGIN") {
		var rest []byte
		if rest, err = io.ReadAll(in); err == nil {
			return devices.NewSecret(line + string(rest)), nil
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return devices.NewSecret(strings.TrimRight(line, "\r\n")), err
}
