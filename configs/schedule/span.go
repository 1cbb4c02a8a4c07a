package schedule

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"belay/devices"
)

// A span is a time that comes back each day or on some days of the week, or once
// for some dates.
type span struct {
	zone       *time.Location
	days       uint8 // bits of time.Weekday on which it begins; 0: dates
	begin, end int   // minutes of the day; an end not after the beginning is the next day's

	first, last time.Time // dates, both within
}

const allDays = 1<<7 - 1

// on is when the span that begins on a date begins and ends. Where the clock
// skips all of it, it comes after the skip.
func (s *span) on(day time.Time) (begin, end time.Time) {
	until := s.end
	if until <= s.begin {
		until += 24 * 60
	}
	length := time.Duration(until-s.begin) * time.Minute
	begin, _ = zoneOf(day, s.zone).instants(day.Add(time.Duration(s.begin) * time.Minute))
	last := day.Add(time.Duration(until) * time.Minute)
	end, _ = zoneOf(last.Truncate(24*time.Hour), s.zone).instants(last)
	if !end.After(begin) {
		end = begin.Add(length)
	}
	return begin, end
}

// around is the end of the span that t is in, if it is in one.
func (s *span) around(t time.Time) (end time.Time, within bool) {
	today := date(t, s.zone)
	if s.days == 0 {
		if today.Before(s.first) || today.After(s.last) {
			return end, false
		}
		next := s.last.AddDate(0, 0, 1)
		end, _ = zoneOf(next, s.zone).instants(next)
		return end, true
	}
	for _, day := range []time.Time{today.AddDate(0, 0, -1), today} {
		if s.days&(1<<day.Weekday()) == 0 {
			continue
		}
		if b, e := s.on(day); !t.Before(b) && t.Before(e) && e.After(end) {
			end, within = e, true
		}
	}
	return end, within
}

func covered(spans []span, t time.Time) bool {
	return slices.ContainsFunc(spans, func(s span) bool { _, in := s.around(t); return in })
}

// light is the first time from t on that is in none of the spans; ok is false
// where there is none for years.
func light(spans []span, t time.Time) (_ time.Time, ok bool) {
	for limit := t.AddDate(years, 0, 0); t.Before(limit); {
		moved := false
		for i := range spans {
			if end, in := spans[i].around(t); in {
				t, moved = end, true
			}
		}
		if !moved {
			return t, true
		}
	}
	return t, false
}

var (
	timesForm = devices.Pattern(`^([01]\d|2[0-4]):([0-5]\d)\s*-\s*([01]\d|2[0-4]):([0-5]\d)$`)
	daysForm  = devices.Pattern(`^[A-Za-z]{3}(\s*[-,]\s*[A-Za-z]{3})*`)
)

// parseTimes reads "01:00-05:00".
func parseTimes(text string) (span, error) {
	m := timesForm().FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return span{}, errors.New("these are no two times of the day")
	}
	minutes := func(hour, minute string) int {
		var h, n int
		_, _ = fmt.Sscanf(hour+" "+minute, "%d %d", &h, &n) // two digits each
		return h*60 + n
	}
	s := span{begin: minutes(m[1], m[2]), end: minutes(m[3], m[4])}
	switch {
	case s.begin >= 24*60 || s.end > 24*60:
		return span{}, errors.New("a day ends at 24:00")
	case s.begin == s.end:
		return span{}, errors.New("it ends when it begins")
	}
	return s, nil
}

// parseBlackout reads dates, or days of the week and times of the day.
func parseBlackout(text string) (span, error) {
	text = strings.TrimSpace(text)
	if len(text) > 0 && text[0] >= '0' && text[0] <= '9' && !strings.Contains(text, ":") {
		return parseDates(text)
	}
	s := span{days: allDays, end: 24 * 60}
	names := daysForm().FindString(text)
	if rest := strings.TrimSpace(text[len(names):]); rest != "" || names == "" {
		var err error
		if s, err = parseTimes(rest); err != nil {
			return span{}, err
		}
		s.days = allDays
	}
	if names == "" {
		return s, nil
	}
	s.days = 0
	for part := range strings.SplitSeq(names, ",") {
		from, to, several := strings.Cut(part, "-")
		first, err := weekday(from)
		if err != nil {
			return span{}, err
		}
		last := first
		if several {
			if last, err = weekday(to); err != nil {
				return span{}, err
			}
		}
		for day := first; ; day = (day + 1) % 7 {
			if s.days |= 1 << day; day == last {
				break
			}
		}
	}
	return s, nil
}

func weekday(name string) (time.Weekday, error) {
	name = strings.TrimSpace(name)
	for day := range time.Weekday(7) {
		if strings.EqualFold(day.String()[:3], name) {
			return day, nil
		}
	}
	return 0, fmt.Errorf("%q is no day: write Mon, Tue, Wed, Thu, Fri, Sat or Sun", name)
}

// parseDates reads one date, or two joined by a slash.
func parseDates(text string) (s span, err error) {
	from, to, several := strings.Cut(text, "/")
	if s.first, err = time.Parse(time.DateOnly, strings.TrimSpace(from)); err != nil {
		return span{}, fmt.Errorf("%q is no date: write 2026-12-31", from)
	}
	if s.last = s.first; several {
		if s.last, err = time.Parse(time.DateOnly, strings.TrimSpace(to)); err != nil {
			return span{}, fmt.Errorf("%q is no date: write 2026-12-31", to)
		}
	}
	if s.last.Before(s.first) {
		return span{}, errors.New("the second date is before the first")
	}
	return s, nil
}
