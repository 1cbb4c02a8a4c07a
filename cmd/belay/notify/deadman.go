package notify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"belay/devices"
)

// A DeadMan calls an address outside while all is well, so that somebody hears of
// it when nothing is heard any more: the service stopped, its machine or its line
// down, or unwell. Whoever is at that address raises the alarm, not Belay, and so
// a call that fails is said once and no alarm is raised.
type DeadMan struct {
	URL    func(context.Context) (devices.Secret, error)
	Every  time.Duration                        // 0: 5 minutes
	Well   func(context.Context) error          // an error: nothing is called; nil: always well
	Log    func(string)                         // hears once when calls begin to fail or to be left out, and once when they are made again
	Client *http.Client                         // nil: one with a limit of 30 s
	After  func(time.Duration) <-chan time.Time // time.After
}

// Run calls until ctx ends, at once for the first time.
func (d *DeadMan) Run(ctx context.Context) {
	every := d.Every
	if every <= 0 {
		every = 5 * time.Minute
	}
	said := ""
	for ctx.Err() == nil {
		err := d.Ping(ctx)
		now := ""
		if err != nil {
			now = err.Error()
		}
		if d.Log != nil && ctx.Err() == nil && (now == "") != (said == "") {
			if now == "" {
				d.Log("dead man: the address outside is called again")
			} else {
				d.Log("dead man: " + now)
			}
		}
		said = now
		select {
		case <-ctx.Done():
		case <-d.After(every):
		}
	}
}

// Ping calls once, if all is well. Its errors hold nothing of the URL but the host.
func (d *DeadMan) Ping(ctx context.Context) error {
	if d.Well != nil {
		if err := d.Well(ctx); err != nil {
			return fmt.Errorf("not called while the service is unwell: %w", err)
		}
	}
	secret, err := d.URL(ctx)
	if err != nil {
		return fmt.Errorf("read its URL: %w", err)
	}
	u, err := url.Parse(strings.TrimSpace(secret.Reveal()))
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && (u.Scheme != "http" || !net.ParseIP(u.Hostname()).IsLoopback()) {
		return errors.New("its URL cannot be used: want https://…")
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return errors.New("its URL cannot be used: want https://…")
	}
	req.Header.Set("User-Agent", "belay")
	client := d.Client
	if client == nil {
		client = &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}}
	}
	resp, err := client.Do(req)
	if err != nil {
		why, _ := reason(err)
		return fmt.Errorf("%s: %s", u.Hostname(), why)
	}
	_ = resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("%s answered %d", u.Hostname(), resp.StatusCode)
	}
	return nil
}
