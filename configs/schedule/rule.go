package schedule

import (
	"errors"
	"fmt"
	"math/bits"
	"sort"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"belay/devices"
)

// years is how far ahead and back is looked: 29 February comes every four years,
// and once in a lifetime every eight.
const years = 9

// A rule is a Rule that was understood.
type rule struct {
	customer, site, device string

	zone      *time.Location
	fields    *cron.SpecSchedule // asked in UTC only, as if UTC were the zone's clock
	hourly    bool               // names every hour
	window    *span
	blackouts []span
	jitter    time.Duration

	line []moment // what slot was last asked about, and one moment more
}

// A moment is one that the rule names, moved to the opening of its window.
type moment struct {
	at    time.Time
	until time.Time // when the window closes; zero: never
}

// lasts tells whether what did not start at its moment may start at t.
func (m moment) lasts(t time.Time) bool {
	return !m.at.IsZero() && (m.until.IsZero() || t.Before(m.until))
}

func invalid(field, hint string, format string, args ...any) error {
	return &Invalid{Field: field, Err: fmt.Errorf(format, args...), Hint: hint}
}

func compile(r Rule) (*rule, error) {
	c := &rule{customer: r.Customer, site: r.Site, device: r.Device, zone: r.Zone, jitter: r.Jitter}
	if r.Zone == nil {
		return nil, invalid("zone", "the name of a time zone, as Europe/London", "it is missing")
	}
	if err := c.names(); err != nil {
		return nil, err
	}
	var err error
	if c.fields, err = parse(r.Every); err != nil {
		return nil, invalid("every", `five fields "MINUTE HOUR DAY MONTH WEEKDAY", as "15 1 * * *", or @hourly, @daily, @weekly, @monthly`, "%q: %w", r.Every, err)
	}
	const allHours = 1<<24 - 1
	c.hourly = c.fields.Hour&allHours == allHours
	if r.Window != "" {
		w, err := parseTimes(r.Window)
		if err != nil {
			return nil, invalid("window", `two times of the day, as "01:00-05:00"`, "%q: %w", r.Window, err)
		}
		w.zone, w.days = r.Zone, allDays
		c.window = &w
	}
	for _, text := range r.Blackout {
		b, err := parseBlackout(text)
		if err != nil {
			return nil, invalid("blackout", `dates, as "2026-12-24/2026-12-26", or times of the week, as "Mon-Fri 08:00-18:00"`, "%q: %w", text, err)
		}
		b.zone = r.Zone
		c.blackouts = append(c.blackouts, b)
	}
	if r.Jitter < 0 || r.Jitter > 24*time.Hour {
		return nil, invalid("jitter", "a length of time, as 30m", "%v is not between 0 and 24h", r.Jitter)
	}
	return c, nil
}

// names checks what a rule is for.
func (r *rule) names() error {
	for _, f := range []struct{ field, name string }{{"customer", r.customer}, {"site", r.site}, {"device", r.device}} {
		switch {
		case f.name == "":
		case f.field != "customer" && r.customer == "":
			return invalid(f.field, "customer: CUSTOMER beside it", "%q may be several customers': name its customer", f.name)
		case f.field == "site":
			if strings.TrimSpace(f.name) != f.name {
				return invalid(f.field, "", "%q has blanks around it", f.name)
			}
		default:
			if err := devices.CheckName(f.name); err != nil {
				return invalid(f.field, "as it stands in the inventory", "%w", err)
			}
		}
	}
	return nil
}

// possible refuses a rule by which nothing would ever start. Black-outs of dates
// pass; the leap day of 2028 is the first to come.
func (r *rule) possible() error {
	from := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	e := &entry{group: &group{rules: []*rule{r}}}
	if _, ok := e.next(r, from); !ok {
		return invalid("every", "look at day and month", "there is no such day")
	}
	for _, b := range r.blackouts {
		if b.days != 0 {
			e.blackouts = append(e.blackouts, b)
		}
	}
	_, ok := e.next(r, from)
	r.line = nil
	if !ok {
		return invalid("blackout", "leave some time between the black-outs", "nothing could ever start")
	}
	return nil
}

// level is how special a rule is for d; 0: it is for others.
func (r *rule) level(d devices.Device) int {
	switch {
	case r.customer == "":
		return 1
	case r.customer != d.Customer || r.site != "" && r.site != d.Site || r.device != "" && r.device != d.Name:
		return 0
	case r.device != "":
		return 4
	case r.site != "":
		return 3
	}
	return 2
}

// parse reads cron's five fields.
func parse(every string) (*cron.SpecSchedule, error) {
	switch every = strings.TrimSpace(every); {
	case every == "":
		return nil, errors.New("it is missing")
	case strings.Contains(every, "="):
		return nil, errors.New("the time zone does not stand here: write zone: NAME")
	case strings.HasPrefix(every, "@every"):
		return nil, errors.New("a length of time has no beginning: each restart would begin anew")
	}
	s, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor).Parse(every)
	if err != nil {
		return nil, err
	}
	spec, ok := s.(*cron.SpecSchedule)
	if !ok {
		return nil, errors.New("it names no moments")
	}
	return spec, nil
}

// shifted is a device's slot for a moment. The jitter ends with the window, in
// proportion: the order of slots is that of moments.
func (r *rule) shifted(share uint64, m moment) moment {
	room := r.jitter
	if !m.until.IsZero() {
		room = min(room, m.until.Sub(m.at))
	}
	seconds, _ := bits.Mul64(share, uint64(room/time.Second)) //nolint:gosec // not below zero
	m.at = m.at.Add(time.Duration(seconds) * time.Second)     //nolint:gosec // less than a day
	return m
}

// slot is a device's latest slot up to now.
func (r *rule) slot(share uint64, now time.Time) (moment, bool) {
	r.cover(now)
	i := r.index(share, now)
	if i < 0 {
		return moment{}, false
	}
	return r.shifted(share, r.line[i]), true
}

// next is a device's first slot after t.
func (r *rule) next(share uint64, t time.Time) (moment, bool) {
	if n := len(r.line); n > 0 && r.line[n-1].at.After(t) && !r.line[0].at.After(t.Add(-r.jitter)) {
		return r.shifted(share, r.line[r.index(share, t)+1]), true
	}
	for m := range r.moments(t.Add(-r.jitter)) {
		if m = r.shifted(share, m); m.at.After(t) {
			return m, true
		}
	}
	return moment{}, false
}

// index is the place in the line of a device's latest slot up to t, or -1.
func (r *rule) index(share uint64, t time.Time) int {
	return sort.Search(len(r.line), func(i int) bool { return r.shifted(share, r.line[i]).at.After(t) }) - 1
}

// cover makes the line cover now: from the last moment whose slots have all come
// to the first moment after now. So it holds until then, for all devices.
func (r *rule) cover(now time.Time) {
	n := len(r.line)
	if n > 1 && r.line[n-1].at.After(now) && !r.line[0].at.After(now.Add(-r.jitter)) {
		return
	}
	r.line = r.line[:0]
	for m := range r.moments(r.before(now.Add(-r.jitter))) {
		r.line = append(r.line, m)
		if m.at.After(now) {
			break
		}
	}
}
