package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"belay/configs"
	"belay/configs/diff"
	"belay/configs/redact"
)

const (
	diffLines  = 12 // of one change
	diffsShown = 20 // of all: the others are named
	context    = 0  // unchanged lines around: who reads this wants what changed
)

// changes counts what changed, and tells of what nobody gave a ticket.
func (m *maker) changes() {
	all := slices.Clone(m.in.Changed)
	slices.SortStableFunc(all, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Version.ID, b.Version.ID), a.Version.Taken.Compare(b.Version.Taken))
	})
	shown := 0
	for _, c := range all {
		v := c.Version
		if c.First {
			m.counts.New++
			continue
		}
		m.counts.Changed++
		if v.Ticket != "" || v.Change != "" {
			continue
		}
		m.counts.NoTicket++
		l := m.of(NoTicket, v.ID)
		l.What = fmt.Sprintf("changed without a ticket, seen %s, by %s", m.when(v.Taken), cmp.Or(v.By.Name, "nobody knows whom"))
		l.Next = "belay diff " + l.Devices[0]
		if c.Before != "" {
			l.Next += fmt.Sprintf(" %.10s %.10s", c.Before, v.Commit)
		}
		if c.Texts != nil && shown < diffsShown {
			shown++
			if was, is, err := c.Texts(); err != nil {
				l.What += "; what changed cannot be read back"
			} else {
				l.Diff = short(was, is)
			}
		}
		m.add(l)
	}
}

// short is the first lines of what differs. Both sides are redacted: a secret
// shows that it changed, never what it is.
func short(was, is []configs.Text) string {
	var lines []string
	for _, t := range is {
		var old redact.Clean
		if i := slices.IndexFunc(was, func(w configs.Text) bool { return w.Name == t.Name }); i >= 0 {
			old = was[i].Clean
		}
		for line := range strings.Lines(diff.Unified("", "", old, t.Clean, context)) {
			if strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "+++ ") || strings.HasPrefix(line, `\ `) {
				continue
			}
			lines = append(lines, cut(tame(strings.TrimRight(line, "\n")), width-8))
		}
	}
	if more := len(lines) - diffLines; more > 1 {
		lines = append(lines[:diffLines], fmt.Sprintf("… and %d more lines", more))
	}
	return strings.Join(lines, "\n")
}
