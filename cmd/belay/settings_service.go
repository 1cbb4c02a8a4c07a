package main

import (
	"errors"
	"fmt"
	"net"
	"time"
)

type scrubSetting struct {
	Every duration `yaml:"every"` // the time in which every byte is read again; default a week
}

type retentionSetting struct {
	Readings duration `yaml:"readings"` // how long every reading is remembered, not only those that made a version
}

// readings is how long readings that made no version are remembered.
func (r retentionSetting) readings() time.Duration {
	if r.Readings == 0 {
		return 400 * 24 * time.Hour
	}
	return time.Duration(r.Readings)
}

// A duration is written as 90s, 30m, 12h, 7d or 2w.
type duration time.Duration

// UnmarshalYAML reads a duration.
func (d *duration) UnmarshalYAML(unmarshal func(any) error) error {
	return scalar(unmarshal, "length of time: write 90s, 30m, 12h, 7d or 2w", func(s string) error {
		v, err := parseDuration(s)
		*d = duration(v)
		return err
	})
}

func parseDuration(text string) (time.Duration, error) {
	var n float64
	var unit string
	if k, err := fmt.Sscanf(text, "%f%s", &n, &unit); err == nil && k == 2 && n > 0 && n < 10_000 {
		switch unit {
		case "d":
			return time.Duration(n * 24 * float64(time.Hour)), nil
		case "w":
			return time.Duration(n * 7 * 24 * float64(time.Hour)), nil
		}
	}
	v, err := time.ParseDuration(text)
	if err != nil || v <= 0 {
		return 0, errors.New("no length of time")
	}
	return v, nil
}

// checkService checks what belay serve alone goes by.
func (s *settings) checkService() error {
	if s.Listen != "" {
		if _, _, err := net.SplitHostPort(s.Listen); err != nil {
			return fmt.Errorf("listen: %q: want HOST:PORT, as 127.0.0.1:9387", s.Listen)
		}
	}
	for i, r := range s.Schedules {
		if err := r.check(); err != nil {
			return fmt.Errorf("schedules[%d]: %w", i, err)
		}
	}
	if s.Events != nil {
		if err := s.Events.check(); err != nil {
			return fmt.Errorf("events: %w", err)
		}
	}
	if s.Tell != nil {
		if err := s.Tell.check(); err != nil {
			return fmt.Errorf("tell: %w", err)
		}
	}
	return nil
}
