package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"belay/configs/report"
)

// A tellSetting says who is told what, and when.
type tellSetting struct {
	Digest   *digestSetting            `yaml:"digest"`
	Alarms   *alarmsSetting            `yaml:"alarms"`
	Channels map[string]channelSetting `yaml:"channels"`
	DeadMan  *deadManSetting           `yaml:"dead_man"`
}

type digestSetting struct {
	At     string   `yaml:"at"`   // 15:04
	Zone   string   `yaml:"zone"` // as Europe/London; empty: this machine's
	To     []string `yaml:"to"`
	MaxAge duration `yaml:"max_age"` // a good reading that is older is stale
}

type alarmsSetting struct {
	To   []string `yaml:"to"`
	Hour int      `yaml:"per_hour"` // messages to one channel; 0: 6
}

// A channelSetting is somewhere to send messages to. Its URL holds a password or
// a token, and so stands somewhere else.
type channelSetting struct {
	URL       *secretSource `yaml:"url"`
	Customers []string      `yaml:"customers"` // hears of these alone
}

// A deadManSetting is an address outside that is called while all is well.
type deadManSetting struct {
	URL   *secretSource `yaml:"url"`
	Every duration      `yaml:"every"`
}

func (s *tellSetting) check() error {
	for _, name := range slices.Sorted(maps.Keys(s.Channels)) {
		if s.Channels[name].URL == nil {
			return fmt.Errorf("channels.%s: url is missing: say where it is, as {env: NAME}", name)
		}
	}
	known := func(to []string) error {
		if len(to) == 0 {
			return errors.New("to is missing: name channels")
		}
		for _, name := range to {
			if _, ok := s.Channels[name]; !ok {
				return fmt.Errorf("to: there is no channel %q", name)
			}
		}
		return nil
	}
	if d := s.Digest; d != nil {
		if err := known(d.To); err != nil {
			return fmt.Errorf("digest: %w", err)
		}
		if _, err := time.Parse("15:04", d.at()); err != nil {
			return fmt.Errorf("digest: at: %q is no time of day: write 09:00", d.At)
		}
		if _, err := d.location(); err != nil {
			return fmt.Errorf("digest: zone: %q is no time zone: write Europe/London", d.Zone)
		}
	}
	if a := s.Alarms; a != nil {
		if err := known(a.To); err != nil {
			return fmt.Errorf("alarms: %w", err)
		}
		if a.Hour < 0 {
			return errors.New("alarms: per_hour: want at least 1")
		}
	}
	if s.DeadMan != nil && s.DeadMan.URL == nil {
		return errors.New("dead_man: url is missing: say where it is, as {env: NAME}")
	}
	return nil
}

func (d *digestSetting) at() string {
	if d.At == "" {
		return "09:00"
	}
	return d.At
}

func (d *digestSetting) location() (*time.Location, error) {
	if d == nil || d.Zone == "" {
		return time.Local, nil
	}
	return time.LoadLocation(d.Zone)
}

// maxAge is when a good reading is stale.
func (s *tellSetting) maxAge() time.Duration {
	if s == nil || s.Digest == nil || s.Digest.MaxAge == 0 {
		return report.DefaultMaxAge
	}
	return time.Duration(s.Digest.MaxAge)
}

// zone is where the digest's readers are.
func (s *tellSetting) zone() *time.Location {
	if s == nil {
		return time.Local
	}
	zone, err := s.Digest.location()
	if err != nil {
		return time.Local // check has seen to it
	}
	return zone
}

// last is when a digest was due the last time, at or before a time.
func (d *digestSetting) last(now time.Time) time.Time {
	zone, err := d.location()
	if err != nil {
		zone = time.Local
	}
	at, err := time.Parse("15:04", d.at())
	if err != nil {
		return time.Time{}
	}
	now = now.In(zone)
	due := time.Date(now.Year(), now.Month(), now.Day(), at.Hour(), at.Minute(), 0, 0, zone)
	if due.After(now) {
		due = time.Date(now.Year(), now.Month(), now.Day()-1, at.Hour(), at.Minute(), 0, 0, zone)
	}
	return due
}
