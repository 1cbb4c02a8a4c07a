package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"belay/configs/scrub"
	"belay/devices"
)

func (p *program) scrubCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "scrub", Short: "Read the share of all that is kept again that is due, and look for damage", Args: cobra.NoArgs,
		Long: `Reads again, a share a night, every byte that is kept: packs against their checksums, every
version's texts, sealed originals opened and compared with their digests, what was refused, papers,
keys and the ledger. It has each remote give all that it names, as a clone would, and holds every
object to its name. It asks the documentation systems whether what was attached hangs there, by name
and size; where they give content back (Hudu from 2.41 on), that of one in four is read in a pass
and held to its digest, and where they do not (IT Glue), the report says so. All of it is read once in the time that scrub: every: says, a week
without. belay serve does so by itself; this does what is due now, and goes on where the last one
stopped. Nothing is repaired: damage is told with the place of a good copy, and stays listed until
it is read again and whole.

Exit status: 0 what was read is whole; 4 a remote, an attachment or something else is unproven; 8
something is damaged, now or since an earlier scrub.`,
		Example: "  belay scrub\n  belay scrub --all\n  belay scrub status",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withScrub(cmd.Context(), func(s *scrub.Scrub) error { return p.runScrub(cmd.Context(), s, all) })
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "read all of it now, from the beginning")
	cmd.AddCommand(&cobra.Command{
		Use: "status", Short: "Show how far the reading is, and all damage that stands", Args: cobra.NoArgs,
		Long: `Shows how far the pass is that reads all that is kept, and all damage that stands.

Exit status: 0 nothing is damaged; 4 something is unproven; 8 something is damaged.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withScrub(cmd.Context(), func(s *scrub.Scrub) error { return p.runScrubStatus(cmd.Context(), s) })
		},
	})
	return cmd
}

func (p *program) withScrub(ctx context.Context, do func(*scrub.Scrub) error) error {
	return p.withWorkspace(ctx, func(w *workspace) error {
		defer w.tellNow(ctx, p)
		return do(w.openScrub(w.alarms))
	})
}

func (p *program) runScrub(ctx context.Context, s *scrub.Scrub, all bool) error {
	if !p.json && isTerminal(p.err) {
		var shown time.Time
		s.Shown = func(now scrub.Progress) {
			if at := p.now(); at.Sub(shown) >= time.Second/5 || at.Before(shown) {
				shown = at
				fmt.Fprintf(p.err, "\r\x1b[K%5.1f %%, %d read, %s: %s", 100*now.Done, now.Items, size(now.Bytes), passAt(now))
			}
		}
		defer func() {
			if !shown.IsZero() {
				fmt.Fprintln(p.err)
			}
		}()
	}
	step := func() (scrub.Report, error) { return s.Step(ctx, time.Time{}) }
	if all {
		step = func() (scrub.Report, error) { return s.All(ctx) }
	}
	r, err := step()
	for _, d := range r.Found {
		kind := devices.Damaged
		if d.Elsewhere {
			kind = devices.Unproven
		}
		tell(p.err, &devices.Error{Kind: kind, Op: "scrub", Err: errors.New(d.String()), Hint: d.Hint})
	}
	for _, why := range r.Unread {
		warn(p.err, "not read this time: %s", why)
	}
	for _, why := range slices.Sorted(maps.Keys(r.Short)) {
		fmt.Fprintf(p.err, "belay: %s (%d)\n", why, r.Short[why])
	}
	if r.Late {
		warn(p.err, "the pass is late: it should have read more by now; the next ones read larger shares")
	}
	if p.json {
		err = errors.Join(err, p.printJSON(map[string]any{"items": r.Items, "bytes": r.Bytes, "found": len(r.Found), "standing": r.Standing, "cleared": r.Cleared,
			"unread": len(r.Unread), "short": r.Short, "done": r.Done, "completed": r.Completed, "late": r.Late}))
	} else if err == nil {
		err = p.say("%d read again, %s: %d found damaged, %d whole again; %s\n", r.Items, size(r.Bytes), len(r.Found), r.Cleared, passed(r.Done, r.Completed && len(r.Unread) == 0))
	}
	return errors.Join(scrubVerdict(r.Standing, r.Away, len(r.Unread)), err)
}

// passAt says where a pass is: some of what is kept is nobody's alone.
func passAt(now scrub.Progress) string {
	if now.Customer == "" {
		return now.Shelf
	}
	return now.Shelf + " of " + now.Customer
}

// passed tells how far a pass is.
func passed(done float64, completed bool) string {
	if completed {
		return "the pass has read all"
	}
	return fmt.Sprintf("the pass is at %.0f %%", 100*done)
}

// scrubVerdict is the error that stands for the exit status.
func scrubVerdict(standing, away, unread int) error {
	switch {
	case standing > away:
		return &devices.Error{Kind: devices.Damaged, Op: "scrub", Err: fmt.Errorf("%d damaged", standing-away), Hint: "belay scrub status lists all damage, each with where a good copy is"}
	case away > 0:
		return unprovenElsewhere(fmt.Errorf("%d not as they were in a second place", away))
	case unread > 0:
		return unprovenElsewhere(fmt.Errorf("%d could not be read", unread))
	}
	return nil
}

func (p *program) runScrubStatus(ctx context.Context, s *scrub.Scrub) error {
	now, err := s.Progress(ctx)
	if err != nil {
		return err
	}
	away := 0
	for _, d := range now.Damages {
		if d.Elsewhere {
			away++
		}
	}
	if p.json {
		return errors.Join(scrubVerdict(len(now.Damages), away, len(now.Unread)), p.printJSON(now))
	}
	day := func(t time.Time) string { return clock(t, p.now()) }
	switch {
	case now.Began.IsZero():
		err = p.say("no pass has begun\n")
	case now.Ended.IsZero():
		err = p.say("pass begun %s: %s, %d read, %s; at the %s\n", day(now.Began), passed(now.Done, false), now.Items, size(now.Bytes), passAt(now))
	default:
		err = p.say("pass begun %s, ended %s: %d read, %s\n", day(now.Began), day(now.Ended), now.Items, size(now.Bytes))
	}
	if err == nil && now.Late {
		err = p.say("late: it should have read more by now\n")
	}
	if err == nil && !now.Completed.IsZero() {
		err = p.say("the last whole pass ended %s\n", day(now.Completed))
	}
	if err == nil && !now.Oldest.IsZero() {
		err = p.say("nothing has waited to be read since before %s\n", day(now.Oldest))
	}
	for _, why := range slices.Sorted(maps.Keys(now.Short)) {
		if err == nil {
			err = p.say("among those: %s (%d)\n", why, now.Short[why])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now.Unread)) {
		if err == nil {
			err = p.say("not read: %s: %s\n", name, oneLine(now.Unread[name]))
		}
	}
	for _, d := range now.Damages {
		if err == nil {
			err = p.say("\ndamaged since %s: %s\n  %s\n", day(d.Since), oneLine(d.String()), oneLine(d.Hint))
		}
	}
	return errors.Join(scrubVerdict(len(now.Damages), away, len(now.Unread)), err)
}
