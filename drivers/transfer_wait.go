package drivers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"belay/devices"
	"belay/devices/receive"
)

// A progress is what a device says of a transfer.
type progress uint8

const (
	busy progress = iota
	done
	failed
)

// grace is how long the file may take to be here when the device calls it sent,
// and the word of the device when the file is here.
const grace = 3 * time.Second

// await waits until the file is here and the device calls it sent. Neither is
// believed alone; whether the text is whole, the driver's end mark says.
func (e *errand) await(ctx context.Context, file *receive.File, words map[string]string) ([]byte, error) {
	pause := cmp.Or(e.Pause, 500*time.Millisecond)
	patience := min(grace, e.idle)
	tick := time.NewTicker(pause)
	defer tick.Stop()
	come, size := file.Done(), 0
	quiet := time.NewTimer(e.idle) // since something moved
	defer quiet.Stop()
	var late <-chan time.Time // one of the two has happened: the other one is due
	for {
		expired := false
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-come:
			come = nil
		case <-tick.C:
		case <-quiet.C:
			expired = true
		case <-late:
			late, expired = nil, true
		}
		now, begun := file.Size()
		if now != size {
			size = now
			quiet.Reset(e.idle)
		}
		state, why, known := e.state(ctx, words)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		here := come == nil
		text, err := file.Text()
		switch f, _ := errors.AsType[*receive.Fault](err); {
		case f != nil && f.TooLarge: // whatever the device makes of our ending it
			return nil, e.noFile(errors.Join(err, e.reason(ctx)), words)
		case known && state == failed:
			return nil, e.gaveUp(errors.Join(fmt.Errorf("the device says that the transfer failed: %s", why), fromElsewhere(err)))
		case here && err != nil:
			return nil, e.noFile(errors.Join(err, e.reason(ctx)), words)
		case here && (e.d.transfer.state.OID == "" || known && state == done):
			return text, nil
		case here && expired && !known:
			return text, nil // its row is gone; the file is here
		case here && expired:
			return nil, e.gaveUp(errors.New("the file came, but the device never said that it was sent"))
		case expired && known && state == done:
			return nil, e.noFile(fmt.Errorf("the device says that the file was sent, but nothing came: %w", err), words)
		case expired && begun:
			return nil, fmt.Errorf("%w: no byte for %v, after %d bytes", errStalled, e.idle, size)
		}
		if expired { // before the first byte the file's own life counts
			quiet.Reset(e.idle)
		}
		if late == nil && (here && !(known && state == busy) || known && state == done) {
			late = time.After(patience)
		}
	}
}

// state asks how the transfer fares. Where the object is not there yet, or not any
// more, nothing is known.
func (e *errand) state(ctx context.Context, words map[string]string) (p progress, why string, known bool) {
	s := e.d.transfer.state
	if s.OID == "" {
		return busy, "", false
	}
	if s.Match != "" && words["result"] == "" {
		rows, err := e.asked.Column(ctx, e.host, e.port, absolute(put(s.Match, words)))
		if err != nil {
			return busy, "", false
		}
		for index, of := range rows {
			if strconv.FormatUint(of, 10) == words["row"] {
				words["result"] = index
			}
		}
		if words["result"] == "" {
			return busy, "", false
		}
	}
	ask := []string{absolute(put(s.OID, words))}
	if s.Why != "" {
		ask = append(ask, absolute(put(s.Why, words)))
	}
	r, err := e.asked.Ask(ctx, e.host, e.port, ask...)
	if err != nil {
		return busy, "", false
	}
	v, ok := r.Values[ask[0]]
	if !ok {
		return busy, "", false
	}
	n := int(v.Number) //nolint:gosec // an enumeration
	switch {
	case slices.Contains(s.Done, n):
		return done, "", true
	case slices.Contains(s.Busy, n):
		return busy, "", true
	}
	why = cmp.Or(s.Failed[strconv.Itoa(n)], fmt.Sprintf("state %d", n))
	if s.Why != "" {
		if more, ok := r.Values[ask[1]]; ok {
			why += ": " + cmp.Or(s.Reasons[strconv.FormatUint(more.Number, 10)], more.Text, fmt.Sprintf("cause %d", more.Number))
		}
	}
	return failed, why, true
}

// reason is what a device says that tells of its transfers by a text alone.
func (e *errand) reason(ctx context.Context) error {
	s := e.d.transfer.state
	if s.OID != "" || s.Why == "" {
		return nil
	}
	why := absolute(s.Why)
	if r, err := e.asked.Ask(ctx, e.host, e.port, why); err == nil && r.Values[why].Text != "" {
		return fmt.Errorf("the device says: %s", r.Values[why].Text)
	}
	return nil
}

// fromElsewhere is what of a file's fault matters beside the device's own reason.
func fromElsewhere(err error) error {
	if f, ok := errors.AsType[*receive.Fault](err); ok && len(f.Strangers) > 0 {
		return f
	}
	return nil
}

func (e *errand) gaveUp(err error) error {
	return &devices.Error{Kind: devices.Unreachable, Op: "have it sent", Err: err, Hint: "belay drivers show " + e.d.Name + " prints what the device needs; nothing was kept"}
}

// noFile is a file that did not come, or not as it should.
func (e *errand) noFile(err error, words map[string]string) error {
	f, _ := errors.AsType[*receive.Fault](err)
	if f != nil && f.TooLarge {
		return &devices.Error{Kind: devices.Refused, Op: "receive the file", Err: err}
	}
	hint := fmt.Sprintf("the device must reach %s at %s: do a firewall, a port map and receive: address in the settings let it?", e.d.transfer.by, words["address"])
	if f != nil && len(f.Strangers) > 0 {
		hint = fmt.Sprintf("the device seems to send from %s: write the address that it sends from into the inventory, or have it send from the other one", f.Strangers[0])
	}
	return &devices.Error{Kind: devices.Unreachable, Op: "receive the file", Err: err, Hint: hint}
}
