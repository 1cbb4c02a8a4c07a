// Package notify sends messages to people: by mail, to Slack, Teams and whatever
// else shoutrrr knows. It says to whom and when to nobody: the digest and the
// alarms decide that.
//
// A channel's address is a shoutrrr URL, which holds a password or a token, and
// shoutrrr's errors repeat it, as do the servers' answers in them. So nothing of
// an error of theirs leaves this package: what went wrong is said in words of
// ours and the channel's name. Shoutrrr takes no context and knows no limit for
// some services either: what does not end in time is left to itself, and counted.
package notify

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"belay/configs/alarm"
	"belay/devices"
)

// A Message is what people are told.
type Message struct {
	Subject string // one line
	Text    string
	HTML    string // the same for mail; empty: Text alone
}

// A Channel is somewhere to send messages to.
type Channel struct {
	Name      string
	URL       func(context.Context) (devices.Secret, error) // asked at each message
	Customers []string                                      // hears of these alone; empty: of all
}

// Hears tells whether a channel is told about a customer, or with "" of what
// concerns all of them.
func (c Channel) Hears(customer string) bool {
	if len(c.Customers) == 0 {
		return true
	}
	for _, name := range c.Customers {
		if name == customer {
			return true
		}
	}
	return false
}

// A Post sends messages to its channels. It may be used by many at once.
type Post struct {
	Channels map[string]Channel
	Log      func(string)  // hears of recipients that did not take a mail which others took; may be nil
	Timeout  time.Duration // for one message, where the context has no earlier end; 0: 30 s

	mu      sync.Mutex
	hanging map[string]int // sends that have not ended, by channel
}

var _ alarm.Messenger = (*Post)(nil)

// tooMany is how many sends may hang on one channel. Most servers hang up after
// some minutes, so they come to an end.
const tooMany = 4

// Send sends an alarm.
func (p *Post) Send(ctx context.Context, channel string, m alarm.Message) error {
	return p.Deliver(ctx, channel, Message{Subject: m.Subject, Text: m.Text})
}

// Deliver sends a message to a channel, and returns when the service has taken
// it. An error that is not alarm.ErrUnsure says that it certainly has not.
func (p *Post) Deliver(ctx context.Context, channel string, m Message) error {
	legs, err := p.legs(ctx, channel)
	if err != nil {
		return err
	}
	limit := p.Timeout
	if limit <= 0 {
		limit = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var errs []error
	for _, l := range legs {
		if err := p.send(ctx, channel, l, m); err != nil {
			errs = append(errs, err)
		}
	}
	switch {
	case len(errs) == 0:
		return nil
	case len(errs) < len(legs): // to send it again would tell the others twice
		if p.Log != nil {
			p.Log(fmt.Sprintf("channel %s: %d of %d recipients were not reached: %v", channel, len(errs), len(legs), errs[0]))
		}
		return nil
	}
	for _, err := range errs {
		if errors.Is(err, alarm.ErrUnsure) {
			return err
		}
	}
	return errs[0]
}

// Check tells whether a channel's URL can be used, without sending anything.
func (p *Post) Check(ctx context.Context, channel string) error {
	_, err := p.legs(ctx, channel)
	return err
}

// legs are the services that one message to a channel goes to: for mail one for
// each recipient, so that it is known who was reached.
func (p *Post) legs(ctx context.Context, channel string) ([]leg, error) {
	wrong := func(err error) error {
		return &devices.Error{Kind: devices.Usage, Op: "use channel " + channel, Err: err,
			Hint: "see tell: channels: " + channel + ": in the settings; https://shoutrrr.nickfedor.com lists how URLs are written"}
	}
	c, ok := p.Channels[channel]
	if !ok {
		return nil, wrong(errors.New("there is none of that name"))
	}
	url, err := c.URL(ctx)
	if err != nil {
		return nil, wrong(fmt.Errorf("read its URL: %w", err))
	}
	if url.IsZero() {
		return nil, wrong(errors.New("its URL is empty"))
	}
	legs, err := parse(url)
	if err != nil {
		return nil, wrong(err)
	}
	return legs, nil
}

// send sends to one service, and waits for it no longer than ctx does.
func (p *Post) send(ctx context.Context, channel string, l leg, m Message) error {
	if !p.enter(channel) {
		return fmt.Errorf("channel %s: %d messages before hang: the service takes connections and does not answer", channel, tooMany)
	}
	ended := make(chan error, 1)
	go func() {
		defer p.leave(channel)
		ended <- l.send(m)
	}()
	select {
	case err := <-ended:
		return explain(channel, err)
	case <-ctx.Done():
		why := "no answer in time"
		if errors.Is(ctx.Err(), context.Canceled) {
			why = "interrupted"
		}
		return fmt.Errorf("channel %s: %s: %w", channel, why, alarm.ErrUnsure)
	}
}

func (p *Post) enter(channel string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hanging == nil {
		p.hanging = map[string]int{}
	}
	if p.hanging[channel] >= tooMany {
		return false
	}
	p.hanging[channel]++
	return true
}

func (p *Post) leave(channel string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hanging[channel]--
}
