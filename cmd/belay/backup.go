package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/configs/report"
	"belay/devices"
	"belay/store/spare"
)

func (p *program) backupCommand() *cobra.Command {
	var keep int
	cmd := &cobra.Command{
		Use: "backup FOLDER", Short: "Copy all of Belay's own data to a folder, while everything goes on", Args: cobra.ExactArgs(1),
		Long: `Copies the data folder as it is at one moment: the ledger, every customer's history, and the
sealed keys and logins. Captures, pushes and the service go on meanwhile. What the folder
has already is not copied again, and the backups before stay whole whatever happens: the newest
--keep of them are kept. A manifest with the digest of every file is written last.

NOT copied are the master identity (belay keys escrow), without which no original can be opened,
and the settings and the inventory: keep both elsewhere.

Exit status: 0 complete; 1 something broke; 2 wrong usage; 8 a history is damaged: the rest is copied.`,
		Example: "  belay backup /mnt/nas/belay\n  belay backup check /mnt/nas/belay\n  belay restore /mnt/nas/belay --to /srv/belay-data",
		RunE: func(cmd *cobra.Command, args []string) error {
			if keep < 1 {
				return &devices.Error{Kind: devices.Usage, Err: fmt.Errorf("--keep %d: want at least 1", keep)}
			}
			return p.withWorkspace(cmd.Context(), func(w *workspace) error { return p.runBackup(cmd.Context(), w, args[0], keep) })
		},
	}
	cmd.Flags().IntVar(&keep, "keep", 7, "how many backups the folder keeps")
	cmd.AddCommand(p.backupCheck(), p.backupList())
	return cmd
}

func (p *program) runBackup(ctx context.Context, w *workspace, folder string, keep int) error {
	m, fresh, err := w.takeBackup(ctx, folder, keep, p.copying("copied"), func(text string) { warn(p.err, "%s", text) })
	if err != nil {
		return err
	}
	if err := w.rememberBackup(ctx, folder, m.Made); err != nil {
		return err
	}
	if p.json {
		return p.printJSON(map[string]any{"number": m.Number, "files": len(m.Files), "bytes": m.Bytes(), "copied": fresh,
			"customers": len(m.Customers), "problems": m.Problems, "made": m.Made})
	}
	if err := p.say("backup %d of %s is complete in %s: %s, %s, %s, of which %s had to be copied\n",
		m.Number, w.settings.Data, folder, report.Plural(len(m.Customers), "customer"), report.Plural(len(m.Files), "file"), size(m.Bytes()), size(fresh)); err != nil {
		return err
	}
	if by, err := checkSigned(m, "", w.settings); err != nil {
		return err
	} else if by.Key != "" {
		if err := p.say("signed with %s: note it beside the master identity, for belay restore --signer\n", by.Key); err != nil {
			return err
		}
	}
	return p.say("not in it: %s\n", m.Note)
}

// rememberBackup lets the scrub look for good copies where backups are.
func (w *workspace) rememberBackup(ctx context.Context, folder string, made time.Time) error {
	path, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	return configs.WriteMark(ctx, w.ledger, backupMarks, path, made)
}

func (p *program) backupCheck() *cobra.Command {
	var number int
	var signer string
	cmd := &cobra.Command{
		Use: "check FOLDER", Short: "Read every file of a backup and compare it with the manifest", Args: cobra.ExactArgs(1),
		Long: `Reads all of the newest backup in the folder, or of --number, and compares each file with its
digest. Needs no settings and no key. The signature of the manifest is held to the key whose
fingerprint --signer names, or else to this installation's own; where neither is known, and
where an older Belay made the backup, which signed none, a line says so.

Exit status: 0 it is whole; 2 there is no backup; 8 something is missing or altered, or signed
with another key.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := spare.Read(args[0], number)
			if err != nil {
				return err
			}
			s, err := readSettings(p.config)
			if err != nil { // what is wrong with them keeps nobody from reading a backup
				if s = nil; !errors.Is(err, noSettings(p.settingsName())) {
					warn(p.err, "this installation's key is not known: %v", err)
				}
			}
			return p.runBackupCheck(cmd.Context(), s, args[0], m, signer)
		},
	}
	cmd.Flags().IntVar(&number, "number", 0, "which backup (default the newest)")
	cmd.Flags().StringVar(&signer, "signer", "", "`FINGERPRINT` of the key that must have signed it, as belay backup prints it")
	return cmd
}

// runBackupCheck holds a backup to its signature and its digests; s: nil without
// settings.
func (p *program) runBackupCheck(ctx context.Context, s *settings, folder string, m spare.Manifest, signer string) error {
	by, err := checkSigned(m, signer, s)
	if err != nil {
		return err
	}
	damaged, err := spare.Check(ctx, folder, m, p.copying("read"))
	if err != nil {
		return err
	}
	for _, d := range damaged {
		tell(p.err, &devices.Error{Kind: devices.Damaged, Op: "check the backup", Err: fmt.Errorf("%s", d)})
	}
	for _, problem := range m.Problems {
		warn(p.err, "when it was made: %s", problem)
	}
	if p.json {
		if err := p.printJSON(map[string]any{"number": m.Number, "files": len(m.Files), "bytes": m.Bytes(), "damaged": len(damaged), "made": m.Made, "signed": by}); err != nil {
			return err
		}
	} else if err := p.say("backup %d of %s: %s, %s read and compared, %d damaged\n", m.Number, m.Made.Local().Format("2006-01-02 15:04"), report.Plural(len(m.Files), "file"), size(m.Bytes()), len(damaged)); err != nil {
		return err
	} else if err := p.tellSigned(by); err != nil {
		return err
	}
	if len(damaged) > 0 {
		return &devices.Error{Kind: devices.Damaged, Op: "check the backup", Err: fmt.Errorf("%d of %d files are missing or altered", len(damaged), len(m.Files)),
			Hint: "remove the damaged files from content: the next belay backup copies them anew; look at the disk they lie on"}
	}
	return nil
}

func (p *program) backupList() *cobra.Command {
	return &cobra.Command{
		Use: "list FOLDER", Short: "List the backups in a folder", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			numbers, err := spare.Numbers(args[0])
			if err != nil {
				return err
			}
			rows := [][]string{{"NUMBER", "MADE", "CUSTOMERS", "FILES", "SIZE", "PROBLEMS"}}
			for _, n := range numbers {
				m, err := spare.Read(args[0], n)
				if err != nil {
					rows = append(rows, []string{fmt.Sprint(n), "", "", "", "", err.Error()})
					continue
				}
				if p.json {
					if err := p.printJSON(map[string]any{"number": n, "made": m.Made, "customers": len(m.Customers), "files": len(m.Files), "bytes": m.Bytes(), "problems": m.Problems}); err != nil {
						return err
					}
				}
				rows = append(rows, []string{fmt.Sprint(n), m.Made.Local().Format("2006-01-02 15:04"), fmt.Sprint(len(m.Customers)), fmt.Sprint(len(m.Files)), size(m.Bytes()), oneLine(strings.Join(m.Problems, "; "))})
			}
			if !p.json {
				columns(p.out, rows)
			}
			return nil
		},
	}
}

// copying shows a person at a terminal how far a copy is, a few times a second.
func (p *program) copying(word string) func(files int, bytes int64) {
	if p.json || !isTerminal(p.err) {
		return nil
	}
	var told time.Time
	return func(files int, bytes int64) {
		if now := p.now(); now.Sub(told) > 200*time.Millisecond {
			told = now
			fmt.Fprintf(p.err, "\r%d files, %s %s   \r", files, size(bytes), word)
		}
	}
}

// size is a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GB", n>>30)
	case n >= 10<<20:
		return fmt.Sprintf("%d MB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
