package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"belay/configs"
	"belay/devices"
)

// stood is the version of a device, or of the one in whose place it came, that
// stood at a time.
func (w *workspace) stood(ctx context.Context, d devices.Device, t time.Time) (configs.Version, error) {
	line, err := w.line(ctx, d.ID())
	if err != nil {
		return configs.Version{}, err
	}
	var first time.Time
	for _, ancestor := range line {
		v, ok, err := w.history.At(ctx, ancestor.id, t)
		if ok || err != nil {
			return v, err
		}
		for v, err := range w.history.Versions(ctx, ancestor.id) {
			if err != nil {
				return v, err
			}
			first = v.Taken
		}
	}
	if first.IsZero() {
		return configs.Version{}, nothingKept(d)
	}
	return configs.Version{}, &devices.Error{Kind: devices.Usage, Op: "find a version of", Device: d.String(),
		Err:  fmt.Errorf("nothing had been kept by %s: the first version is of %s", t.Local().Format("2006-01-02 15:04"), first.Local().Format("2006-01-02 15:04")),
		Hint: "belay log " + d.String()}
}

// aTime explains what a person may write for one.
const aTime = `A TIME is 2026-11-21, "2026-11-21 14:00", 2026-11-21T14:00:00Z, 36h or "3 days ago". Without a zone
it is local time.`

var timeAgo = devices.Pattern(`^(\d{1,6}) ?(minute|hour|day|week|month|year)s?( ago)?$`)

// timeOf reads a time as people write it, in the zone of now; ok is false where it
// is none. A day alone is its end where end is set, else its beginning.
func timeOf(s string, now time.Time, end bool) (t time.Time, ok bool) {
	s = strings.TrimSpace(s)
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return now.Add(-d), true
	}
	if m := timeAgo().FindStringSubmatch(s); m != nil {
		n, err := strconv.Atoi(m[1])
		switch m[2] {
		case "minute":
			t = now.Add(-time.Duration(n) * time.Minute)
		case "hour":
			t = now.Add(-time.Duration(n) * time.Hour)
		case "day":
			t = now.AddDate(0, 0, -n)
		case "week":
			t = now.AddDate(0, 0, -7*n)
		case "month":
			t = now.AddDate(0, -n, 0)
		case "year":
			t = now.AddDate(-n, 0, 0)
		}
		return t, err == nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, true
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, true
		}
	}
	t, err := time.ParseInLocation("2006-01-02", s, now.Location())
	if err == nil && end {
		t = t.AddDate(0, 0, 1).Add(-1)
	}
	return t, err == nil
}

// since reads the time from which something is asked for; empty: from the beginning.
func since(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, ok := timeOf(s, now, false)
	if !ok {
		return t, &devices.Error{Kind: devices.Usage, Err: fmt.Errorf("%q is no time", s), Hint: aTime}
	}
	return t, nil
}

// oneOf takes a version that may be named in one of two ways.
func oneOf(args []string, at string) (string, error) {
	switch {
	case len(args) == 0:
		return at, nil
	case at != "":
		return "", &devices.Error{Kind: devices.Usage, Err: errors.New("name the version as an argument or with --at, not both")}
	}
	return args[0], nil
}
