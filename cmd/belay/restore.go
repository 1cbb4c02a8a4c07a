package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"belay/configs/report"
	"belay/devices"
	"belay/store/git"
	"belay/store/ledger"
	"belay/store/spare"
)

func (p *program) restoreCommand() *cobra.Command {
	var to string
	var number int
	var signer string
	cmd := &cobra.Command{
		Use: "restore FOLDER [--to DATA]", Short: "Make a data folder of a backup", Args: cobra.ExactArgs(1),
		Long: `Makes a data folder of the newest backup in FOLDER, or of --number, where the settings say that the
data is, or in --to. Only into an empty or missing folder, never over one. Every file is compared
with its digest before it is used and after it is written; the ledger's chains and every history
are read. A backup of an older Belay is brought forward.

It needs no key. The signature is held to the key whose fingerprint --signer names, or to the one
in the data folder of the settings. On a new machine there is none, and a backup cannot vouch for
itself: without --signer a line says that who made it was not checked. To open originals and to go on, the master identity must be where the settings
say; it is in no backup.

Exit status: 0 restored; 1 something broke; 2 wrong usage; 8 the backup is damaged, or signed with
another key.`,
		Example: "  belay restore /mnt/nas/belay\n  belay restore /mnt/nas/belay --number 12 --to /srv/belay-data",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := readSettings(p.config)
			if err != nil && (to == "" || !errors.Is(err, noSettings(p.settingsName()))) {
				return err
			}
			if to == "" {
				to = s.Data
			}
			return p.runRestore(cmd.Context(), s, args[0], number, to, signer)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "the new data folder (default: data of the settings)")
	cmd.Flags().IntVar(&number, "number", 0, "which backup (default the newest)")
	cmd.Flags().StringVar(&signer, "signer", "", "`FINGERPRINT` of the key that must have signed it, as belay backup prints it")
	cmd.AddCommand(p.restoreCatchUp())
	return cmd
}

func (p *program) settingsName() string {
	if p.config != "" {
		return p.config
	}
	return settingsFile
}

func (p *program) runRestore(ctx context.Context, s *settings, folder string, number int, to, signer string) error {
	m, err := spare.Read(folder, number)
	if err != nil {
		return err
	}
	if err := apart(to, folder); err != nil {
		return err
	}
	if pid, since, ok := running(to); ok {
		return &devices.Error{Kind: devices.Usage, Op: "restore", Err: fmt.Errorf("a service works on %s: process %d, since %s", to, pid, since.Local().Format("2006-01-02 15:04")), Hint: "stop it first"}
	}
	if err := spare.Empty(to); err != nil {
		return err
	}
	if err := p.runBackupCheck(ctx, s, folder, m, signer); err != nil {
		return err
	}
	release, err := lockService(to) // no service begins on half of it
	if err != nil {
		return err
	}
	defer func() { _ = release() }() // nothing hangs on how the lock ends
	m = p.harmless(m)
	if err := spare.Restore(ctx, folder, m, to, p.copying("restored")); err != nil {
		return err
	}
	if err := p.reconfigure(m, to); err != nil {
		return err
	}
	versions, err := p.proveRestored(ctx, to, m)
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(map[string]any{"number": m.Number, "made": m.Made, "to": to, "files": len(m.Files), "customers": len(m.Customers), "versions": versions})
	}
	if err := p.say("restored backup %d of %s to %s: %s of %s; the ledger and the histories were read again\n",
		m.Number, m.Made.Local().Format("2006-01-02 15:04"), to, report.Plural(versions, "version"), report.Plural(len(m.Customers), "customer")); err != nil {
		return err
	}
	return p.afterRestore(s, m, to)
}

// proveRestored brings the ledger forward and reads what was restored: the chains to
// where the manifest says that they ended, and the histories to their first commit.
func (p *program) proveRestored(ctx context.Context, to string, m spare.Manifest) (versions int, err error) {
	wrong := func(err error) error {
		return &devices.Error{Kind: devices.Damaged, Op: "read what was restored", Err: err, Hint: "an older backup may be whole: --number"}
	}
	l, err := ledger.Open(ctx, to)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if err := l.Check(ctx); err != nil {
		return 0, err
	}
	heads, err := l.Heads(ctx)
	if err != nil {
		return 0, err
	}
	for _, want := range m.Chains {
		if !slices.Contains(heads, ledger.Head(want)) {
			return 0, wrong(fmt.Errorf("the ledger's chain of customer %q does not end with entry %d, as the manifest says", want.Customer, want.Entries))
		}
	}
	store := &git.Store{Dir: to, Now: p.now}
	for _, c := range m.Customers {
		cut, err := store.Cut(ctx, c.Name)
		if err != nil {
			return versions, err
		}
		n, err := store.Commits(ctx, c.Name, cut.Main())
		if err != nil {
			return versions, err
		}
		if cut.Main() != c.Main || n != c.Versions {
			return versions, wrong(fmt.Errorf("the history of %s ends at %.12s with %d versions, not at %.12s with %d", c.Name, cut.Main(), n, c.Main, c.Versions))
		}
		versions += n
	}
	return versions, nil
}

// afterRestore says what is left to a person.
func (p *program) afterRestore(s *settings, m spare.Manifest, to string) error {
	for _, problem := range m.Problems {
		warn(p.err, "when the backup was made: %s", problem)
	}
	steps := []string{"put the master identity where the settings say (master:), from where it was put in escrow; it is in no backup"}
	if s == nil || realPath(s.Data) != realPath(to) {
		steps = append(steps, "name this folder in the settings: data: "+to)
	}
	if s != nil && len(s.Remotes) > 0 {
		steps = append(steps, "before the first capture: belay restore catch-up, which gets what the remotes have of the time after the backup")
	}
	steps = append(steps, "belay verify, which opens and compares every original", "belay docs queue: what was sent after the backup is found again over there, and not hung twice")
	for i, step := range steps {
		if err := p.say("%d. %s\n", i+1, step); err != nil {
			return err
		}
	}
	return nil
}
