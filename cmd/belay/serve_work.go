package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"belay/cmd/belay/canary"
	"belay/cmd/belay/web"
	"belay/configs"
	"belay/configs/watch"
	"belay/devices"
)

// tickChore is the chore that looks for what is due: the service's pulse.
const tickChore = "the schedule"

// allChores is what the service does from time to time.
func (s *server) allChores() []chore {
	return []chore{
		{tickChore, 2 * time.Second, s.tick},
		{"the pulse", 10 * time.Second, s.pulse},
		{"new settings", 2 * time.Second, s.lookForSettings},
		{"hearing of changes", 30 * time.Second, s.hearAgain},
		{"alarms", 5 * time.Second, s.tellAlarms},
		{"the outbox", 20 * time.Second, s.sendAttachments},
		{"the digest", 15 * time.Second, s.sendDigests},
		{"packing and the index", 2 * time.Second, s.afterCaptures},
		{"the scrub", 10 * time.Minute, s.scrub},
		{"the disk", 5 * time.Minute, s.lookAtDisk},
		{"old readings", 12 * time.Hour, s.thin},
	}
}

// tick has what is due captured.
func (s *server) tick(ctx context.Context, _ *workspace) error {
	return s.rounds.Tick(ctx)
}

// pulseless is how long the schedule may not have been looked at: a locked
// database is waited for, and a restart would not mend it.
const pulseless = 15 * time.Minute

// pulse tells systemd that the service lives: its locks are free, and the schedule
// is looked at.
func (s *server) pulse(context.Context, *workspace) error {
	s.engine.Stats()
	s.rounds.Underway()
	if err := s.ticks(pulseless); err != nil {
		return err
	}
	tellSystemd("WATCHDOG=1")
	return nil
}

// ticks tells where what is due was not looked for within so long.
func (s *server) ticks(within time.Duration) error {
	last := s.chores.last(tickChore)
	if last.IsZero() {
		last = s.since
	}
	if d := s.p.now().Sub(last); d > within {
		return fmt.Errorf("what is due was last looked for %v ago", d.Round(time.Second))
	}
	return nil
}

// lookForSettings reads them again when a file is another one, and what failed then
// once more when its reason may have passed.
func (s *server) lookForSettings(ctx context.Context, w *workspace) error {
	switch {
	case s.live.changed() || s.live.due(s.p.now()):
		s.reread(ctx, false)
	case s.plans.missing():
		return s.plans.read(ctx, w)
	}
	return nil
}

// sendAttachments brings what waits in the outbox.
func (s *server) sendAttachments(ctx context.Context, w *workspace) error {
	return w.office.Drain(ctx, s.p.now(), nil)
}

// leisure is how long packing and the index are put off for persons who wait.
const leisure = time.Minute

// afterCaptures packs what has become many packs and brings the index forward,
// when something was captured since. Who asks the index brings it forward as well, so
// while somebody waits for a capture there is time for this.
func (s *server) afterCaptures(ctx context.Context, w *workspace) error {
	if since := s.p.now().Sub(s.packed); w.turns.somebodyWaits() && since >= 0 && since < leisure {
		return nil
	}
	select {
	case <-s.wake:
	default:
		return nil
	}
	s.packed = s.p.now()
	_, err := w.store.Maintenance(ctx)
	return errors.Join(err, w.history.RefreshAll(ctx))
}

// tellAlarms has those told that were not, and clears those of devices that left.
func (s *server) tellAlarms(ctx context.Context, w *workspace) error {
	return errors.Join(s.clearGone(ctx, w), w.alarms.Deliver(ctx))
}

// The marks of what the service did last.
const (
	doneMark  = "done"
	scrubDone = "scrub"
)

// A night's share of the scrub is read when no round is under way, and otherwise
// when it has waited long.
const (
	scrubAfter  = 20 * time.Hour
	scrubAnyway = 30 * time.Hour
)

// scrub reads this night's share of all that is kept again.
func (s *server) scrub(ctx context.Context, w *workspace) error {
	last, _, err := configs.ReadMark[time.Time](ctx, w.ledger, doneMark, scrubDone)
	if err != nil {
		return err
	}
	now := s.p.now()
	_, _, busy := s.rounds.Underway()
	if since := now.Sub(last); since >= 0 && since < scrubAfter || busy && since >= 0 && since < scrubAnyway {
		return nil
	}
	reading := w.openScrub(w.alarms)
	reading.Pause = s.lettingCapturesGo
	r, err := reading.Step(ctx, now.Add(6*time.Hour))
	if r.Items > 0 {
		s.nudge() // what was damaged and is whole again goes into the index
		s.log.Info("a share of all that is kept was read again", "items", r.Items, "bytes", r.Bytes, "percent of the pass", int(100*r.Done), "damaged", r.Standing)
	}
	for _, why := range r.Unread {
		s.log.Warn("not read again this time", "what", tame(why))
	}
	if err != nil || ctx.Err() != nil {
		return err
	}
	return configs.WriteMark(ctx, w.ledger, doneMark, scrubDone, now)
}

// lettingCapturesGo has the scrub wait a little after each piece while captures are
// under way.
func (s *server) lettingCapturesGo(ctx context.Context, _ int64) error {
	stats := s.engine.Stats()
	busy := 0
	for _, n := range stats.UnderWay {
		busy += n
	}
	if busy == 0 {
		return nil
	}
	select {
	case <-time.After(20 * time.Millisecond):
	case <-ctx.Done():
	}
	return ctx.Err()
}

// goneFor is how long a device is not in the inventory before what it last said of
// itself is forgotten: a box that is repaired is back by then.
const goneFor = 90 * 24 * time.Hour

// thin forgets old readings that made no version, and what devices said that left
// the inventory long ago.
func (s *server) thin(ctx context.Context, w *workspace) error {
	there := func(id devices.ID) bool { _, ok := w.byID[id]; return ok }
	gone, err := watch.Forget(ctx, w.ledger, there, s.p.now(), goneFor)
	if gone > 0 {
		s.log.Info("devices that left long ago were forgotten", "devices", gone)
	}
	if err != nil {
		return err
	}
	n, err := w.ledger.ThinReadings(ctx, s.p.now().Add(-w.settings.Retention.readings()))
	if n > 0 {
		s.log.Info("old readings were thinned", "readings", n)
	}
	return err
}

// Low marks of the disk where the data is.
const (
	diskLow    = 2 << 30         // bytes; told
	diskEnough = 2.5 * (1 << 30) // and told that it is over
)

// lookAtDisk tells of a disk that is nearly full, before anything fails.
func (s *server) lookAtDisk(ctx context.Context, w *workspace) error {
	free, err := freeBytes(w.settings.Data)
	if err != nil {
		return err
	}
	a := configs.Alarm{Cause: configs.AlarmDisk, What: lowDisk(free), Hint: "make room on the disk of " + w.settings.Data, At: s.p.now()}
	switch {
	case free < diskLow:
		return w.alarms.Raise(ctx, a)
	case float64(free) > diskEnough:
		return w.alarms.Clear(ctx, a)
	}
	return nil
}

// mostReason is how many characters of a reason an alarm repeats.
const mostReason = 300

// cutReason is an error as part of a sentence.
func cutReason(err error) string {
	r := []rune(oneLine(tame(err.Error())))
	if len(r) > mostReason {
		r = append(r[:mostReason-1], '…')
	}
	return string(r)
}

// toldOfReload raises an alarm where settings were refused, and ends it where
// they were taken.
func (s *server) toldOfReload(ctx context.Context, err error) {
	w, leave := s.live.use()
	defer leave()
	a := configs.Alarm{Cause: configs.AlarmService, Key: "settings", Hint: "belay doctor", At: s.p.now()}
	if err != nil {
		a.What = "the changed settings were refused, the old ones stay: " + cutReason(err)
		err = w.alarms.Raise(ctx, a)
	} else {
		err = w.alarms.Clear(ctx, a)
	}
	if err != nil {
		s.log.Error("alarms", "error", tame(err.Error()), "hint", tame(devices.HintOf(err)))
	}
}

// canaries has the canaries captured beside a round, and remembers what became of
// them.
func (s *server) canaries(ctx context.Context) {
	w, leave := s.live.use()
	defer leave()
	sights, err := w.tryOnce(ctx, w.alarms)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		s.log.Error("the canaries", "error", tame(err.Error()), "hint", tame(devices.HintOf(err)))
	}
	seen := seenCanaries{At: s.p.now(), All: len(sights)}
	s.toldOfUntried(ctx, w, sights)
	for _, c := range sights {
		switch {
		case c.Good():
			seen.Caught++
		case c.Why != "":
			seen.Kept = append(seen.Kept, c.Name)
		} // what could not be tried is neither
	}
	s.seen.saw(map[string]int{"caught": seen.Caught, "missed": seen.All - seen.Caught})
	if err := configs.WriteMark(ctx, w.ledger, doneMark, canariesDone, seen); err != nil {
		s.log.Error("the canaries", "error", tame(err.Error()))
	}
	s.log.Info("the canaries were captured", "caught", seen.Caught, "missed", seen.All-seen.Caught)
}

// toldOfUntried raises an alarm where canaries could not be tried in a round: then
// nobody knows what the checks let through. It ends when all were tried.
func (s *server) toldOfUntried(ctx context.Context, w *workspace, sights []canary.Sight) {
	untried := 0
	for _, c := range sights {
		if c.Error != "" {
			untried++
		}
	}
	a := configs.Alarm{Cause: configs.AlarmService, Key: "canaries", Hint: "belay canaries", At: s.p.now()}
	a.What = fmt.Sprintf("%d of %d canaries could not be tried beside the round: whether the checks are well is not known", untried, len(sights))
	do := w.alarms.Clear
	if untried > 0 || len(sights) == 0 {
		do = w.alarms.Raise
	}
	if err := do(ctx, a); err != nil {
		s.log.Error("alarms", "error", tame(err.Error()), "hint", tame(devices.HintOf(err)))
	}
}

// storeFigures are the scrub's, the alarms' and the doubt's.
func (s *server) storeFigures(ctx context.Context, w *workspace, f *web.Figures) error {
	progress, err := w.openScrub(w.alarms).Progress(ctx)
	if err != nil {
		return err
	}
	f.ScrubDone, f.ScrubLate, f.ScrubPassed, f.Damages = progress.Done, progress.Late, progress.Completed, len(progress.Damages)
	standing, err := w.alarms.Standing(ctx)
	if err != nil {
		return err
	}
	f.Alarms = map[string]int{}
	for _, a := range standing {
		f.Alarms[a.Cause]++
	}
	doubt, err := canary.Doubt(ctx, w.ledger)
	f.Doubt = doubt != ""
	return err
}

// seenCanaries is what is remembered of the last round's canaries.
type seenCanaries struct {
	At     time.Time `json:"at,omitzero"`
	Caught int       `json:"caught"`
	All    int       `json:"all"`
	Kept   []string  `json:"kept,omitempty"`
}

// canariesDone is the mark of the last round's canaries.
const canariesDone = "canaries"
