package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/configs/redact"
	"belay/devices"
)

// versionRow is a version as scripts read it.
type versionRow struct {
	Device  string         `json:"device"`
	Version string         `json:"version"`
	Taken   time.Time      `json:"taken"`
	By      configs.Person `json:"by"`
	Subject string         `json:"subject"`
	Ticket  string         `json:"ticket,omitempty"`
	Grade   configs.Level  `json:"grade"`
	Serials []string       `json:"serials,omitempty"`
}

func rowOf(v configs.Version) versionRow {
	return versionRow{Device: v.ID.Customer() + "/" + v.Name, Version: v.Commit, Taken: v.Taken, By: v.By, Subject: v.Subject, Ticket: v.Ticket, Grade: v.Grade.Level, Serials: v.Identity.Serials}
}

func (p *program) logCommand() *cobra.Command {
	var most int
	cmd := &cobra.Command{
		Use: "log DEVICE", Short: "List the versions of a device, newest first", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withDevice(cmd.Context(), args[0], func(w *workspace, d devices.Device) error {
				var rows [][]string
				n := 0
				for v, err := range w.store.History(cmd.Context(), d.ID()) {
					if err != nil {
						return err
					}
					if n++; most > 0 && n > most {
						break
					}
					if p.json {
						if err := p.printJSON(rowOf(v)); err != nil {
							return err
						}
						continue
					}
					rows = append(rows, []string{short(v.Commit), v.Taken.Local().Format("2006-01-02 15:04"), v.By.Name, string(v.Grade.Level), v.Subject})
				}
				if n == 0 {
					return nothingKept(d)
				}
				columns(p.out, rows)
				return nil
			})
		},
	}
	cmd.Flags().IntVarP(&most, "number", "n", 0, "list at most so many")
	return cmd
}

func nothingKept(d devices.Device) error {
	return &devices.Error{Kind: devices.Refused, Op: "find a version of", Device: d.String(), Err: errors.New("nothing has been kept yet"), Hint: "belay capture " + d.String()}
}

// withDevice opens the workspace and finds one device.
func (p *program) withDevice(ctx context.Context, name string, do func(*workspace, devices.Device) error) error {
	w, err := p.open(ctx, openOptions{})
	if err != nil {
		return err
	}
	defer w.close()
	d, err := w.inventory.Find(name)
	if err != nil {
		return err
	}
	return do(w, d)
}

// version finds a version by the beginning of its commit's name, by "~N" (N
// versions back) or, where at is empty, the newest one.
func (w *workspace) version(ctx context.Context, d devices.Device, at string) (configs.Version, error) {
	back := 0
	if at != "" && at[0] == '~' {
		if _, err := fmt.Sscanf(at, "~%d", &back); err != nil || back < 0 {
			return configs.Version{}, &devices.Error{Kind: devices.Usage, Err: fmt.Errorf("%q is no version: ~1 is the one before the newest", at)}
		}
		at = ""
	}
	var found []configs.Version
	for v, err := range w.store.History(ctx, d.ID()) {
		if err != nil {
			return v, err
		}
		if at == "" {
			if back == 0 {
				return v, nil
			}
			back--
			continue
		}
		if strings.HasPrefix(v.Commit, strings.ToLower(at)) {
			found = append(found, v)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return configs.Version{}, &devices.Error{Kind: devices.Usage, Device: d.String(), Op: "find a version of", Err: fmt.Errorf("%d versions begin with %s", len(found), at), Hint: "write more of it: belay log " + d.String()}
	case at == "" && back == 0:
		return configs.Version{}, nothingKept(d)
	}
	return configs.Version{}, &devices.Error{Kind: devices.Usage, Device: d.String(), Op: "find a version of", Err: errors.New("there is no such version"), Hint: "belay log " + d.String()}
}

// text is one file of a version, read back.
func (w *workspace) text(ctx context.Context, v configs.Version, file string) (redact.Clean, error) {
	texts, err := w.store.Texts(ctx, v)
	if err != nil {
		return redact.Clean{}, err
	}
	var names []string
	for _, t := range texts {
		if t.Name == file {
			return t.Clean, nil
		}
		names = append(names, t.Name)
	}
	return redact.Clean{}, &devices.Error{Kind: devices.Usage, Err: fmt.Errorf("version %s has no file %s", short(v.Commit), file), Hint: "it has " + strings.Join(names, ", ")}
}

func (p *program) showCommand() *cobra.Command {
	var at, file string
	cmd := &cobra.Command{
		Use: "show DEVICE", Short: "Print a kept configuration, its secrets as fingerprints", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withDevice(cmd.Context(), args[0], func(w *workspace, d devices.Device) error {
				v, err := w.version(cmd.Context(), d, at)
				if err != nil {
					return err
				}
				text, err := w.text(cmd.Context(), v, file)
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(struct {
						versionRow
						Text string `json:"text"`
					}{rowOf(v), text.String()})
				}
				_, err = fmt.Fprint(p.out, text.String())
				return err
			})
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "`VERSION`: the beginning of its name, or ~1 for the one before the newest")
	cmd.Flags().StringVar(&file, "file", configs.MainFile, "`NAME` of the file, where a system has several")
	return cmd
}

func (p *program) searchCommand() *cobra.Command {
	var customer string
	var ignoreCase bool
	cmd := &cobra.Command{
		Use: "search PATTERN", Short: "Search the newest configurations for a regular expression", Args: cobra.ExactArgs(1),
		Long: `Searches the newest kept configuration of every device for a regular expression and
prints each line found. Secrets cannot be found: they are not there. The search is
recorded, its pattern sealed. Exit status 0 also where nothing is found.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			pattern := args[0]
			if ignoreCase {
				pattern = "(?i)" + pattern
			}
			re, err := regexp.Compile(pattern)
			if err != nil {
				return &devices.Error{Kind: devices.Usage, Op: "search", Err: err}
			}
			w, err := p.open(cmd.Context(), openOptions{})
			if err != nil {
				return err
			}
			defer w.close()
			return p.runSearch(cmd.Context(), w, re, customer)
		},
	}
	cmd.Flags().StringVar(&customer, "customer", "", "search only this customer's devices")
	cmd.Flags().BoolVarP(&ignoreCase, "ignore-case", "i", false, "upper and lower case alike")
	return cmd
}

func (p *program) runSearch(ctx context.Context, w *workspace, re *regexp.Regexp, customer string) error {
	list, err := w.inventory.Select(customer, "")
	if err != nil {
		return err
	}
	hits := map[string]int{}
	for _, d := range list {
		v, ok, err := w.store.Newest(ctx, d.ID())
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		hits[d.Customer] += 0
		texts, err := w.store.Texts(ctx, v)
		if err != nil {
			return err
		}
		for _, t := range texts {
			n := 0
			for line := range strings.Lines(t.Clean.String()) {
				n++
				line = strings.TrimRight(line, "\n")
				if !re.MatchString(line) {
					continue
				}
				hits[d.Customer]++
				if p.json {
					err = p.printJSON(map[string]any{"device": d.String(), "version": v.Commit, "file": t.Name, "line": n, "text": line})
				} else {
					_, err = fmt.Fprintf(p.out, "%s:%d: %s\n", d, n, line)
				}
				if err != nil {
					return err
				}
			}
		}
	}
	var errs []error
	for c, n := range hits {
		// People search for secrets, too: the ledger is no place for them.
		sealed, err := w.vault.Seal(ctx, c, []byte(re.String()))
		if err == nil {
			err = w.ledger.Append(ctx, configs.Event{At: p.now(), Customer: c, By: w.by, Act: "search", Detail: map[string]any{"sealedPattern": sealed, "lines": n}})
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

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
