package main

import (
	"errors"
	"fmt"
	"time"
	_ "time/tzdata" // a container may have no time zones of its own

	"belay/configs/schedule"
)

// A scheduleSetting says when which devices are captured.
type scheduleSetting struct {
	Every    string   `yaml:"every"`    // cron's five fields, or @daily and its like
	Zone     string   `yaml:"zone"`     // IANA name of a time zone; default: the host's
	Customer string   `yaml:"customer"` // what it is for; none: all devices
	Site     string   `yaml:"site"`
	Device   string   `yaml:"device"`
	Window   string   `yaml:"window"`   // "01:00-05:00": within it alone a capture may start
	Blackout []string `yaml:"blackout"` // dates, or times of the week, in which none starts
	Jitter   duration `yaml:"jitter"`   // over which the devices are spread
}

// rule is the schedule as the plan wants it.
func (s scheduleSetting) rule() (schedule.Rule, error) {
	zone := time.Local
	if s.Zone != "" {
		var err error
		if zone, err = time.LoadLocation(s.Zone); err != nil {
			return schedule.Rule{}, fmt.Errorf("zone: there is no time zone %q; write the name of one, as Europe/London", s.Zone)
		}
	}
	return schedule.Rule{
		Every: s.Every, Zone: zone, Customer: s.Customer, Site: s.Site, Device: s.Device,
		Window: s.Window, Blackout: s.Blackout, Jitter: time.Duration(s.Jitter),
	}, nil
}

func (s scheduleSetting) check() error {
	r, err := s.rule()
	if err == nil {
		_, err = schedule.New([]schedule.Rule{r})
	}
	if bad, ok := errors.AsType[*schedule.Invalid](err); ok && bad.Hint != "" {
		return fmt.Errorf("%w; write %s", err, bad.Hint)
	}
	return err
}

// plan puts the schedules together.
func (s *settings) plan() (*schedule.Plan, error) {
	var rules []schedule.Rule
	for _, set := range s.Schedules {
		r, err := set.rule()
		if err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	return schedule.New(rules)
}

// governs is what a schedule is for, in words.
func (s scheduleSetting) governs() string {
	switch {
	case s.Device != "":
		return "device " + s.Customer + "/" + s.Device
	case s.Site != "":
		return "site " + s.Customer + "/" + s.Site
	case s.Customer != "":
		return "customer " + s.Customer
	}
	return "all devices"
}
