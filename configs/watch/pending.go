package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"belay/configs"
	"belay/devices"
)

// A pending is a capture that waits for its device to be quiet.
type pending struct {
	device devices.Device
	from   netip.Addr // whose messages it waits for
	last   time.Time
	noted  note
	mark   []byte // noted, as it is remembered
}

// A note is what is remembered of a pending capture.
type note struct {
	First time.Time `json:"first"` // when its first message came
	Users []string  `json:"users,omitempty"`
	Why   []string  `json:"why"`
}

// A telling is something to be remembered, and perhaps told to people, as soon
// as nobody waits for it.
type telling struct {
	kind  string
	mark  configs.Mark
	alarm *configs.Alarm
	raise bool
}

// mostNamed are users, and reasons, of one capture; of more nobody would read.
const mostNamed = 3

// touch says that a device may have changed: it is read when it is quiet. The
// caller holds the lock.
func (w *Watch) touch(d devices.Device, from netip.Addr, user, why string) {
	now := w.Now()
	p := w.pending[d.ID()]
	news := p == nil
	if news {
		p = &pending{device: d, noted: note{First: now}}
		w.pending[d.ID()] = p
	}
	p.last, p.from = now, from
	for _, add := range []struct {
		to   *[]string
		text string
	}{{&p.noted.Users, cleanName(user)}, {&p.noted.Why, why}} {
		if add.text != "" && !slices.Contains(*add.to, add.text) && len(*add.to) < mostNamed {
			*add.to = append(*add.to, add.text)
			news = true
		}
	}
	if news {
		value, err := json.Marshal(p.noted)
		if err == nil {
			p.mark = value
			w.told = append(w.told, telling{kind: markPending, mark: configs.Mark{Key: string(d.ID()), Value: value}})
		}
	}
	w.stir()
}

// due is when a pending capture is to be made.
func (w *Watch) due(p *pending) time.Time {
	last := p.last
	if g := w.guards[plain(p.from)]; g != nil && g.stands && g.dropped.After(last) {
		last = g.dropped // what nobody looks at is no quiet
	}
	due := last.Add(w.HoldOff)
	if latest := p.noted.First.Add(w.Latest); latest.Before(due) {
		due = latest
	}
	if f := w.fired[p.device.ID()]; len(f) >= w.PerHour {
		if free := f[len(f)-w.PerHour].Add(time.Hour); free.After(due) {
			due = free
		}
	}
	return due
}

// firedSince tells whether a capture of a device was triggered after t.
func (w *Watch) firedSince(id devices.ID, t time.Time) bool {
	f := w.fired[id]
	return len(f) > 0 && f[len(f)-1].After(t)
}

// work does what is due, and tells how long nothing else is.
func (w *Watch) work(ctx context.Context) time.Duration {
	w.mu.Lock()
	now := w.Now()
	next := w.ebb(now)
	var ready []*pending
	for id, p := range w.pending {
		if due := w.due(p); due.After(now) {
			next = sooner(next, due)
			continue
		}
		ready = append(ready, p)
		delete(w.pending, id)
		recent := slices.DeleteFunc(w.fired[id], func(t time.Time) bool { return now.Sub(t) >= time.Hour })
		w.fired[id] = append(recent, now)
		w.count.Triggered++
	}
	w.mu.Unlock()

	w.flush(ctx)
	slices.SortFunc(ready, func(a, b *pending) int { return a.noted.First.Compare(b.noted.First) })
	for _, p := range ready {
		w.Trigger(Trigger{
			Device: p.device, By: author(p.noted.Users), Why: strings.Join(p.noted.Why, "; "),
			Mark: configs.Mark{Key: string(p.device.ID()), Value: p.mark},
		})
	}
	if next.IsZero() {
		return time.Hour
	}
	return max(next.Sub(w.Now()), time.Millisecond)
}

// Ended forgets what was triggered, once its capture has ended and the result is
// written: a service that is stopped or killed before makes it again, for one too
// many does no harm. What was heard of the device since stays to be done.
func Ended(ctx context.Context, marks configs.Marks, m configs.Mark) error {
	if m.Value == nil {
		return nil
	}
	_, err := marks.SwapMark(ctx, markPending, m.Key, m.Value, nil)
	return err
}

// flush does what is to be remembered and told.
func (w *Watch) flush(ctx context.Context) {
	w.mu.Lock()
	told := w.told
	w.told = nil
	w.mu.Unlock()
	for _, t := range told {
		w.tell(ctx, t)
	}
}

// tell remembers, and tells people. That a Run ends meanwhile is no reason to
// forget: what was triggered would be triggered again.
func (w *Watch) tell(ctx context.Context, t telling) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patient)
	defer cancel()
	if err := w.Marks.SetMarks(ctx, t.kind, t.mark); err != nil {
		w.failed(ctx, fmt.Errorf("remember %s %s: %w", t.kind, t.mark.Key, err))
	}
	if t.alarm == nil {
		return
	}
	do := w.Alarms.Clear
	if t.raise {
		do = w.Alarms.Raise
	}
	if err := do(ctx, *t.alarm); err != nil {
		w.failed(ctx, fmt.Errorf("tell of a flood: %w", err))
	}
}

// remember goes on with what was pending when the service last ended.
func (w *Watch) remember(ctx context.Context) error {
	byID := map[devices.ID]devices.Device{}
	for _, d := range w.Devices {
		byID[d.ID()] = d
	}
	now := w.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for m, err := range w.Marks.Marks(ctx, markPending) {
		if err != nil {
			return err
		}
		var n note
		d, there := byID[devices.ID(m.Key)]
		if err := json.Unmarshal(m.Value, &n); err != nil || !there {
			w.told = append(w.told, telling{kind: markPending, mark: configs.Mark{Key: m.Key}})
			continue
		}
		if w.Begun != nil && w.Begun(m) {
			continue // the settings were read again meanwhile
		}
		if n.First.After(now) { // the clock was set back meanwhile
			n.First = now
		}
		w.pending[d.ID()] = &pending{device: d, last: now, noted: n, mark: m.Value}
	}
	for m, err := range w.Marks.Marks(ctx, markFlood) {
		if err != nil {
			return err
		}
		from, err := netip.ParseAddr(m.Key)
		if err != nil {
			w.told = append(w.told, telling{kind: markFlood, mark: configs.Mark{Key: m.Key}})
			continue
		}
		// It may go on: only calm tells.
		g := &guard{began: now, noisy: now, stands: true}
		w.guards[from], w.floods[from] = g, g
	}
	return nil
}
