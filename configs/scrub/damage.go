package scrub

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"belay/configs"
	"belay/devices"
)

// A Damage is a piece that is not what it was. It stands until a later reading
// finds the piece whole.
type Damage struct {
	Customer  string          `json:"customer"`
	Shelf     string          `json:"shelf"`
	Key       string          `json:"key"`
	Device    devices.ID      `json:"device,omitempty"`
	Version   configs.Version `json:"version,omitzero"`
	Digest    string          `json:"digest,omitempty"`
	What      string          `json:"what"`
	Problems  []string        `json:"problems"`
	Elsewhere bool            `json:"elsewhere,omitempty"`
	Hint      string          `json:"hint"`              // where a good copy is
	Since     time.Time       `json:"since"`             // found
	Seen      time.Time       `json:"seen"`              // found again
	Pass      int             `json:"pass"`              // in which it was seen last
	Told      bool            `json:"told"`              // by an alarm of its own
	Follows   string          `json:"follows,omitempty"` // what damage it comes of, which is told in its place
}

// apart is how many damages of a customer have an alarm of their own: a disk that
// dies damages a hundred thousand versions, and nobody reads so many.
const apart = 20

func (d Damage) name() string { return d.Customer + "/" + d.Shelf + "/" + d.Key }

// String is the damage in one sentence.
func (d Damage) String() string { return d.What + ": " + strings.Join(d.Problems, "; ") }

// alarm is what people are told of it.
func (d Damage) alarm(now time.Time) configs.Alarm {
	key := d.Key
	if key == shelfKey {
		key = d.Shelf
	}
	return configs.Alarm{Cause: configs.AlarmDamage, Customer: d.Customer, Device: d.Device, Key: key, What: d.String(), Hint: d.Hint, At: now}
}

// damages are those that stand, by name.
func (s *Scrub) damages(ctx context.Context) (map[string]Damage, error) {
	all := map[string]Damage{}
	for m, err := range s.Marks.Marks(ctx, damageMarks) {
		if err != nil {
			return nil, err
		}
		var d Damage
		if err := json.Unmarshal(m.Value, &d); err != nil {
			d = Damage{What: m.Key, Problems: []string{"what was noted of it cannot be read: " + err.Error()}}
			d.Customer, d.Key, _ = strings.Cut(m.Key, "/")
			d.Shelf, d.Key, _ = strings.Cut(d.Key, "/")
		}
		all[m.Key] = d
	}
	return all, nil
}

// judge tells of a piece that is damaged, and of one that is whole again.
func (w *walk) judge(ctx context.Context, t target, p Piece) error {
	d := Damage{Customer: t.customer, Shelf: t.shelf.Name(), Key: p.Key, Device: p.Device, Version: p.Version, Digest: p.Digest, What: p.What,
		Problems: p.Problems, Elsewhere: p.Elsewhere, Since: w.Now(), Seen: w.Now(), Pass: w.pass.Number}
	old, stood := w.damage[d.name()]
	if len(p.Problems) == 0 {
		if stood {
			return w.clear(ctx, old, "it was read again and is whole")
		}
		return nil
	}
	if stood {
		d.Since, d.Told = old.Since, old.Told
	}
	if !d.Told {
		d.Follows = w.follows(t, d)
		d.Told = d.Follows == "" && w.told[d.Customer] < apart
	}
	switch {
	case d.Told:
		d.Hint = w.copies(ctx, d)
	case d.Follows != "":
		d.Hint = "it goes with the damage of " + d.Follows
	default:
		d.Hint = "belay scrub status lists all damage"
	}
	if err := ctx.Err(); err != nil {
		return err // it was not looked for everywhere: the piece is read again
	}
	value, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("note the damage: %w", err)
	}
	if !stood {
		if err := w.Ledger.Append(ctx, w.event(d, "damage", strings.Join(d.Problems, "; "))); err != nil {
			return err
		}
		w.report.Found = append(w.report.Found, d)
	}
	if err := w.Marks.SetMarks(ctx, damageMarks, configs.Mark{Key: d.name(), Value: value}); err != nil {
		return err
	}
	w.note(old, d)
	switch {
	case d.Told:
		err = w.Alarms.Raise(ctx, d.alarm(w.Now()))
	case d.crowd():
		err = w.Alarms.Raise(ctx, w.more(d.Customer))
	}
	if err != nil || !stood || !old.crowd() || d.crowd() {
		return err
	}
	return w.noMore(ctx, d.Customer)
}

// crowd tells that people hear of it only as one of many.
func (d Damage) crowd() bool { return !d.Told && d.Follows == "" }

// follows is the damage that one more comes of, as people know it.
func (w *walk) follows(t target, d Damage) string {
	shelf, ok := t.shelf.(Following)
	if !ok {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(w.damage)) {
		if other := w.damage[name]; other.Customer == d.Customer && shelf.Follows(d, other) {
			return other.What
		}
	}
	return ""
}

// note puts now in the place of what stood.
func (w *walk) note(old, now Damage) {
	if old.Told {
		w.told[old.Customer]--
	}
	if now.Told {
		w.told[now.Customer]++
	}
	if now.Key == "" {
		delete(w.damage, old.name())
	} else {
		w.damage[now.name()] = now
	}
}

// more is the alarm for all damages of a customer that have none of their own.
func (w *walk) more(customer string) configs.Alarm {
	return configs.Alarm{Cause: configs.AlarmDamage, Customer: customer, Key: "more", At: w.Now(),
		What: fmt.Sprintf("more is damaged in what is kept of %s than is told one by one", people(customer)), Hint: "belay scrub status lists all of it"}
}

// clear takes a damage from the list, and says so.
func (w *walk) clear(ctx context.Context, d Damage, why string) error {
	if err := w.Ledger.Append(ctx, w.event(d, "damage cleared", why)); err != nil {
		return err
	}
	if err := w.Marks.SetMarks(ctx, damageMarks, configs.Mark{Key: d.name()}); err != nil {
		return err
	}
	w.note(d, Damage{})
	w.report.Cleared++
	if d.Told {
		return w.Alarms.Clear(ctx, d.alarm(w.Now()))
	}
	return w.noMore(ctx, d.Customer)
}

// noMore clears the alarm for all the others where there are none any more.
func (w *walk) noMore(ctx context.Context, customer string) error {
	for _, d := range w.damage {
		if d.Customer == customer && d.crowd() {
			return nil
		}
	}
	return w.Alarms.Clear(ctx, w.more(customer))
}

// gone clears what stood damaged on a shelf and was not met in this pass, which
// has been through it: packs are packed anew, and what was refused is let go.
func (w *walk) gone(ctx context.Context, t target) error {
	for _, name := range slices.Sorted(maps.Keys(w.damage)) {
		d := w.damage[name]
		if d.Customer != t.customer || d.Shelf != t.shelf.Name() || d.Pass == w.pass.Number {
			continue
		}
		stands, err := false, error(nil)
		if l, ok := t.shelf.(Lasting); ok {
			stands, err = l.Stands(ctx, d)
		}
		if err != nil {
			return err
		}
		if !stands {
			if err := w.clear(ctx, d, "it is not found any more"); err != nil {
				return err
			}
		}
	}
	return nil
}

// copies says where whole copies of something damaged are.
func (w *walk) copies(ctx context.Context, d Damage) string {
	var found, deaf []string
	for _, find := range w.Finders {
		places, err := find(ctx, d)
		found = append(found, places...)
		if err != nil {
			deaf = append(deaf, err.Error())
		}
	}
	hint := "no other copy is known"
	if len(found) > 0 {
		hint = "a good copy is " + strings.Join(found, "; another is ")
	}
	if len(deaf) > 0 {
		hint += " (not all could be asked: " + strings.Join(deaf, "; ") + ")"
	}
	return hint
}

func (w *walk) event(d Damage, act, why string) configs.Event {
	detail := map[string]any{"shelf": d.Shelf, "key": d.Key, "what": d.What, "why": why}
	if d.Version.Commit != "" {
		detail["version"] = d.Version.Commit
	}
	if act == "damage" {
		detail["copies"] = d.Hint
	}
	return configs.Event{At: w.Now(), Customer: d.Customer, Device: d.Device, By: w.By, Act: act, Detail: detail}
}

func customerOf(name string) string {
	customer, _, _ := strings.Cut(name, "/")
	return customer
}
