package drivers

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"belay/configs"
)

// A Score is what can be expected of one driver, for people.
type Score struct {
	Driver      string        `json:"driver"`
	Title       string        `json:"title"`
	Road        string        `json:"road"`
	Grade       configs.Level `json:"grade"`             // where nothing lowers it
	Missing     string        `json:"missing,omitempty"` // for a restore, always
	Lower       []string      `json:"lower,omitempty"`   // for a restore, of some devices
	Whole       string        `json:"whole"`             // what proves a text whole
	Transcripts int           `json:"transcripts"`
	Proven      []string      `json:"proven"`  // what it was run against: "transcript", "recording: …", "real: …"
	Aliases     []string      `json:"aliases"` // never null
	Origin      string        `json:"origin"`
}

// Identified tells whether the driver says how such a device is known, before
// anybody logs in or by its first answer. What is behind a public service is not met.
func (d *Driver) Identified() bool {
	return d.api != nil && d.api.public || d.fits != nil || d.Like != "" || !reflect.ValueOf(d.Signs).IsZero()
}

// ProvenOn is what it was run against, in short.
func (s Score) ProvenOn() string {
	var kinds []string
	for _, p := range s.Proven {
		kind, _, _ := strings.Cut(p, ":")
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return strings.Join(kinds, ", ")
}

// Scorecard tells of every driver, by name.
func (c *Catalog) Scorecard() []Score {
	var all []Score
	for _, d := range c.All() {
		g := d.Rules.Grading
		s := Score{
			Driver: d.Name, Title: d.Title, Road: d.Road(), Grade: g.Level, Missing: strings.TrimSpace(g.Missing), Whole: d.whole(),
			Transcripts: len(c.Transcripts(d.Name)), Aliases: append([]string{}, d.Aliases...), Origin: d.Origin,
		}
		for _, l := range g.Lower {
			s.Lower = append(s.Lower, strings.TrimSpace(l.Missing))
		}
		if s.Transcripts > 0 {
			s.Proven = append(s.Proven, "transcript")
		}
		s.Proven = append(s.Proven, d.Proven...)
		all = append(all, s)
	}
	return all
}

// whole says what proves that a text of this system is whole.
func (d *Driver) whole() string {
	k := d.Rules.Complete
	var by []string
	if k.Ends != nil {
		by = append(by, "end mark")
	}
	if k.Balance != configs.NoStructure {
		by = append(by, string(k.Balance))
	}
	if k.Agree > 1 {
		by = append(by, strconv.Itoa(k.Agree)+" readings")
	}
	return strings.Join(by, ", ")
}
