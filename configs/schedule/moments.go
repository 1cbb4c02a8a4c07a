package schedule

import (
	"iter"
	"slices"
	"time"
)

// A date is midnight of a day, in UTC as if UTC were the zone's clock. All
// times of the clock are written so: there the fields of cron know no daylight
// saving, under which cron/v3 leaves out what the clock skips.
func date(t time.Time, zone *time.Location) time.Time {
	y, m, d := t.In(zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// moments are those not before from, in order, each once.
func (r *rule) moments(from time.Time) iter.Seq[moment] {
	return func(yield func(moment) bool) {
		var last time.Time
		// One of yesterday may have waited for its window.
		for at := range r.named(date(from, r.zone).AddDate(0, 0, -2)) {
			m := r.opened(at)
			if m.at.Before(from) || !m.at.After(last) {
				continue
			}
			if last = m.at; !yield(m) {
				return
			}
		}
	}
}

// named are the instants that the fields name, from a date on.
func (r *rule) named(day time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		limit := day.AddDate(2*years, 0, 0)
		for {
			clock := r.fields.Next(day.Add(-1))
			if clock.IsZero() { // none for five years: nor, but for a leap day around 2100, ever
				return
			}
			day = clock.Truncate(24 * time.Hour)
			if day.After(limit) {
				return
			}
			for _, at := range r.on(day) {
				if !yield(at) {
					return
				}
			}
			day = day.AddDate(0, 0, 1)
		}
	}
}

// on is the instants of one date, in order.
func (r *rule) on(day time.Time) []time.Time {
	var all []time.Time
	zone := zoneOf(day, r.zone)
	end := day.AddDate(0, 0, 1)
	for clock := r.fields.Next(day.Add(-1)); !clock.IsZero() && clock.Before(end); clock = r.fields.Next(clock) {
		first, second := zone.instants(clock)
		all = append(all, first)
		if r.hourly && !second.IsZero() {
			all = append(all, second)
		}
	}
	if r.hourly && zone.before != zone.after {
		slices.SortFunc(all, time.Time.Compare)
	}
	return all
}

// opened is a moment moved to when its window is open.
func (r *rule) opened(at time.Time) moment {
	if r.window == nil {
		return moment{at: at}
	}
	for day := date(at, r.zone).AddDate(0, 0, -1); ; day = day.AddDate(0, 0, 1) {
		if begin, end := r.window.on(day); end.After(at) {
			if begin.After(at) {
				at = begin
			}
			return moment{at, end}
		}
	}
}

// before is a time not after t from which on moments finds one that is not after
// t, if there is any.
func (r *rule) before(t time.Time) time.Time {
	for back := 1; back < 2*years*366; back *= 2 {
		from := t.AddDate(0, 0, -back)
		for m := range r.moments(from) {
			if m.at.After(t) {
				break
			}
			return r.last(from, t)
		}
	}
	return t
}

// last is the latest moment in a span of time that has one.
func (r *rule) last(from, to time.Time) time.Time {
	last := from
	for m := range r.moments(from) {
		if m.at.After(to) {
			break
		}
		last = m.at
	}
	return last
}

// A zoned is a date of a zone: by how much its clock is ahead of UTC before it
// and after it, in seconds.
type zoned struct {
	location      *time.Location
	before, after int
}

// zoneOf looks well beyond a date, and no two changes of a clock are so near.
func zoneOf(day time.Time, location *time.Location) zoned {
	_, before := day.Add(-36 * time.Hour).In(location).Zone()
	_, after := day.Add(60 * time.Hour).In(location).Zone()
	return zoned{location, before, after}
}

// instants are when the clock first shows a time, and when it does again, if it
// does. What it skips comes at the moment of the skip.
func (z zoned) instants(clock time.Time) (first, second time.Time) {
	shown := func(offset int) (time.Time, bool) {
		t := clock.Add(-time.Duration(offset) * time.Second).In(z.location)
		_, is := t.Zone()
		return t, is == offset
	}
	first, ok := shown(z.before)
	if z.before == z.after {
		return first, time.Time{}
	}
	switch later, again := shown(z.after); {
	case ok && again:
		return first, later
	case ok:
		return first, time.Time{}
	case again:
		return later, time.Time{}
	}
	change, _ := first.ZoneBounds()
	return change, time.Time{}
}
