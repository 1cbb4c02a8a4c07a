package main

import (
	"context"
	"fmt"
	"io"
	"time"

	people "belay/cmd/belay/notify"
	"belay/configs"
	"belay/configs/alarm"
	"belay/devices"
)

// toldWithin is how long a command takes over telling what it has raised.
const toldWithin = 5 * time.Second

// openTell sets up who is told of alarms. Without tell: in the settings alarms
// stand, and belay alarms lists them.
func (w *workspace) openTell(p *program) *alarm.Bell {
	bell := &alarm.Bell{Marks: w.ledger, Ledger: w.ledger, Now: w.now, By: w.by}
	if t := w.settings.Tell; t != nil && t.Alarms != nil {
		post := w.post(p.err)
		bell.Messenger, bell.Most = post, t.Alarms.Hour
		bell.To = func(a configs.Alarm) []string {
			customer := a.Customer
			if customer == "" {
				customer = a.Device.Customer()
			}
			var to []string
			for _, name := range t.Alarms.To {
				if post.Channels[name].Hears(customer) {
					to = append(to, name)
				}
			}
			return to
		}
	}
	if keys, ok := w.dialer.HostKeys.(*pins); ok {
		keys.alarms = bell
	}
	return bell
}

// post is the channels of the settings.
func (w *workspace) post(log io.Writer) *people.Post {
	post := &people.Post{Channels: map[string]people.Channel{}, Log: func(line string) { warn(log, "%s", line) }}
	if w.settings.Tell == nil {
		return post
	}
	for name, c := range w.settings.Tell.Channels {
		post.Channels[name] = people.Channel{Name: name, Customers: c.Customers, URL: w.source(c.URL)}
	}
	return post
}

// source reads a URL where the settings say that it is.
func (w *workspace) source(src *secretSource) func(context.Context) (devices.Secret, error) {
	return func(ctx context.Context) (devices.Secret, error) { return w.secrets.get(ctx, src, "url") }
}

// deadMan calls the address outside; nil: none is set up.
func (w *workspace) deadMan(well func(context.Context) error, log func(string)) *people.DeadMan {
	t := w.settings.Tell
	if t == nil || t.DeadMan == nil {
		return nil
	}
	return &people.DeadMan{URL: w.source(t.DeadMan.URL), Every: time.Duration(t.DeadMan.Every), Well: well, Log: log, After: time.After}
}

// tellNow has what this command raised told, within a moment. What is not told
// then waits for the service, or for the next command that raises something.
func (w *workspace) tellNow(ctx context.Context, p *program) {
	if w.alarms == nil || w.alarms.Messenger == nil || !w.alarms.Rung() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), toldWithin)
	defer cancel()
	if err := w.alarms.Deliver(ctx); err != nil {
		warn(p.err, "%v; the service tells it, or the next command", err)
	}
}

// raise has an alarm remembered. That it was not is a warning: what was refused is
// refused all the same.
func (w *workspace) raise(ctx context.Context, p *program, a configs.Alarm) {
	if err := w.alarms.Raise(context.WithoutCancel(ctx), a); err != nil {
		warn(p.err, "raise the alarm %s: %v", a.Cause, err)
	}
}

// sendDigest sends to each channel of the digest its part of it. A channel that
// was not reached does not keep the others from theirs.
func (w *workspace) sendDigest(ctx context.Context, log io.Writer, since time.Time, only ...string) error {
	t := w.settings.Tell
	if t == nil || t.Digest == nil {
		return &devices.Error{Kind: devices.Usage, Op: "send the digest", Err: fmt.Errorf("nobody is to get it"), Hint: "set tell: digest: in " + w.settings.file}
	}
	in, err := w.digestInput(ctx, since)
	if err != nil {
		return err
	}
	post := w.post(log)
	to := t.Digest.To
	if len(only) > 0 {
		to = only
	}
	return sendTo(ctx, post, in, to)
}
