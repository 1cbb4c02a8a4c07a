package canary

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"belay/configs"
	"belay/devices"
)

// The mark of a doubt.
const (
	markKind = "doubt"
	markKey  = "canary"
)

// A doubt is why nothing may be called verified.
type doubt struct {
	Since time.Time `json:"since"`
	What  string    `json:"what"`
	Names []string  `json:"names,omitempty"` // of all canaries that raised it
}

// Doubt is the sentence for configs.Backup.Doubt, "" where there is no doubt. A
// mark that cannot be read is one.
func Doubt(ctx context.Context, marks configs.Marks) (string, error) {
	value, err := marks.Mark(ctx, markKind, markKey)
	if err != nil || value == nil {
		return "", err
	}
	return read(value).sentence(), nil
}

func read(value []byte) doubt {
	var d doubt
	if err := json.Unmarshal(value, &d); err != nil || d.What == "" {
		d.What = "what it was is not on record"
	}
	return d
}

func (d doubt) sentence() string {
	if d.Since.IsZero() {
		return "a canary was not caught: " + d.What
	}
	return fmt.Sprintf("since %s the checks are in doubt, for a canary was not caught: %s", d.Since.UTC().Format("2006-01-02 15:04 MST"), d.What)
}

// A Book is where what was seen of canaries is written down. Alarms may be nil.
type Book struct {
	Marks  configs.Marks
	Ledger configs.Ledger
	Alarms configs.Alarms
	By     configs.Person // who or what ran them
	Now    func() time.Time

	// Try captures canaries again by their names, of no names this night's; nil:
	// a doubt ends without.
	Try func(ctx context.Context, names []string) ([]Sight, error)
}

// Record writes down what was seen. Where one was kept, or a good one was
// refused, the checks are in doubt from then on: the mark is set before anything
// else, and whatever fails after it. A later run without one does not end it.
func (b *Book) Record(ctx context.Context, sights []Sight) error {
	ctx = context.WithoutCancel(ctx)
	var wrong, names, untried []string
	for _, s := range sights {
		switch {
		case s.Why != "":
			wrong, names = append(wrong, s.Name+": "+s.Why), append(names, s.Name)
		case s.Error != "":
			untried = append(untried, s.Name+": "+s.Error)
		}
	}
	if len(wrong)+len(untried) == 0 {
		return nil
	}
	at := b.Now()
	detail := map[string]any{"canaries": len(sights)}
	var errs []error
	if len(wrong) > 0 {
		detail["wrong"] = wrong
		errs = append(errs, b.doubt(ctx, doubt{at, few(wrong), names}))
	}
	if len(untried) > 0 {
		detail["untried"] = untried
	}
	errs = append(errs, b.Ledger.Append(ctx, configs.Event{At: at, By: b.By, Act: "canary", Detail: detail}))
	if len(wrong) > 0 && b.Alarms != nil {
		a := alarm()
		a.What, a.At = "a canary was not caught, so nothing is called verified: "+few(wrong), at
		errs = append(errs, b.Alarms.Raise(ctx, a))
	}
	return errors.Join(errs...)
}

// doubt sets the mark. One that stands keeps its beginning, and who else raised it.
func (b *Book) doubt(ctx context.Context, d doubt) error {
	for names := d.Names; ; {
		old, err := b.Marks.Mark(ctx, markKind, markKey)
		if err != nil {
			return err
		}
		if since := read(old).Since; old != nil && !since.IsZero() {
			d.Since = since
			d.Names = slices.Compact(slices.Sorted(slices.Values(append(read(old).Names, names...))))
		}
		value, err := json.Marshal(d)
		if err != nil {
			return err
		}
		if bytes.Equal(old, value) {
			return nil
		}
		if set, err := b.Marks.SwapMark(ctx, markKind, markKey, old, value); err != nil || set {
			return err
		}
	}
}

// few is a list in a sentence.
func few(list []string) string {
	const most = 3
	if len(list) <= most {
		return strings.Join(list, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(list[:most], "; "), len(list)-most)
}

func alarm() configs.Alarm {
	return configs.Alarm{Cause: configs.AlarmCanary, Hint: configs.AfterDoubt}
}

// tryAgain fails where the canaries that raised a doubt raise it still: whatever
// somebody has understood, it is not mended.
func (b *Book) tryAgain(ctx context.Context, d doubt) error {
	if b.Try == nil {
		return nil
	}
	sights, err := b.Try(ctx, d.Names)
	var still []string
	for _, s := range sights {
		if s.Why != "" {
			still = append(still, s.Name+": "+s.Why)
		}
	}
	switch {
	case len(still) > 0:
		return &devices.Error{Kind: devices.Unproven, Op: "end the doubt", Err: errors.New("it was tried again, and stands: " + few(still)),
			Hint: "mend that first: mostly it is a driver of your own (drivers: in the settings); belay canaries --all shows each"}
	case err != nil:
		return &devices.Error{Kind: devices.Unproven, Op: "try again what raised the doubt", Err: err, Hint: "belay canaries, and then once more"}
	}
	return nil
}

// Understood ends the doubt: somebody has found out why a canary was not caught,
// and says so with a reason, and it is caught now. Who it was is in the ledger before it ends.
func (b *Book) Understood(ctx context.Context, reason string) error {
	if strings.TrimSpace(reason) == "" {
		return &devices.Error{Kind: devices.Usage, Op: "end the doubt", Err: errors.New("a reason is needed: it is recorded"), Hint: configs.AfterDoubt}
	}
	old, err := b.Marks.Mark(ctx, markKind, markKey)
	if err != nil {
		return err
	}
	if old == nil {
		return &devices.Error{Kind: devices.Usage, Op: "end the doubt", Err: errors.New("there is none"), Hint: "belay canaries tries the checks now"}
	}
	d := read(old)
	if err := b.tryAgain(ctx, d); err != nil {
		return err
	}
	err = b.Ledger.Append(ctx, configs.Event{At: b.Now(), By: b.By, Act: "canary understood", Detail: map[string]any{"reason": strings.TrimSpace(reason), "since": d.Since, "what": d.What}})
	if err != nil {
		return err
	}
	gone, err := b.Marks.SwapMark(ctx, markKind, markKey, old, nil)
	if err != nil {
		return err
	}
	if !gone {
		return &devices.Error{Op: "end the doubt", Err: errors.New("another canary was not caught meanwhile"), Hint: configs.AfterDoubt}
	}
	if b.Alarms == nil {
		return nil
	}
	return b.Alarms.Clear(ctx, alarm())
}
