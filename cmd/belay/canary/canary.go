// Package canary holds the checks to what they promise: beside every nightly run
// simulated devices are captured that cut their configuration short, answer
// errors, say nothing or are another box, each by the very reader and the very
// checks that real devices meet. One that is kept shows that the checks let bad
// copies through; then nothing may be called verified until a person has
// understood it: see Doubt. One that is well and is refused shows that they are
// blind in the other way.
//
// A canary lives on a port of the loopback address for as long as it is read,
// has a host key and a login of its own, and is kept in memory only. It never
// comes near a customer's history, keys or check log.
package canary

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"belay/configs"
	"belay/devices"
	"belay/devices/simulator"
	"belay/drivers"
)

// most is how long the canaries of a night may take together; one alone gets the
// same. It is seconds of work, but beside a round whose sessions want the processor
// too, and one that could not be tried is a red night.
const most = time.Minute

// A Sight is what was seen of one canary.
type Sight struct {
	Name    string  `json:"name"`   // "cut in the middle: fortios"
	Driver  string  `json:"driver"` //
	Wrong   string  `json:"wrong"`  // what is wrong with it; empty: nothing, it must be kept
	Kept    bool    `json:"kept"`
	Check   string  `json:"check"`           // that refused it, or what else did
	Why     string  `json:"why,omitempty"`   // it is not as it should be: what speaks against the checks
	Error   string  `json:"error,omitempty"` // it could not be tried
	Seconds float64 `json:"seconds"`
}

// Good tells whether it was tried and came to what it should.
func (s Sight) Good() bool { return s.Why == "" && s.Error == "" }

// Verdict is what became of it, in a word.
func (s Sight) Verdict() string {
	switch {
	case s.Error != "":
		return "not tried"
	case s.Why != "" && s.Kept && s.Wrong != "":
		return "KEPT"
	case s.Why != "":
		return "WRONG"
	case s.Kept:
		return "kept"
	}
	return "caught"
}

// An aviary is one run of canaries.
type aviary struct {
	catalog *drivers.Catalog
	now     func() time.Time
	within  time.Duration

	spoil func(configs.Puller) configs.Puller // for tests: makes the checks blind
}

// Run captures this night's canaries: each thing that may be wrong once with each
// of four systems, other ones each night. The error tells of those that could not
// be tried; their sights say so as well, and they count neither as caught nor as kept.
func Run(ctx context.Context, catalog *drivers.Catalog, now func() time.Time) ([]Sight, error) {
	a := &aviary{catalog: catalog, now: now, within: most}
	return a.run(ctx, a.tonight)
}

// Named captures those canaries again that are called so; of one that no system
// can be any more nothing is said.
func Named(ctx context.Context, catalog *drivers.Catalog, now func() time.Time, names []string) ([]Sight, error) {
	a := &aviary{catalog: catalog, now: now, within: 4 * most}
	return a.run(ctx, func(flock []bird) []bird {
		return slices.DeleteFunc(flock, func(c bird) bool { return !slices.Contains(names, c.name()) })
	})
}

// All captures every canary that there is: each thing that may be wrong with each vendor.
func All(ctx context.Context, catalog *drivers.Catalog, now func() time.Time) ([]Sight, error) {
	a := &aviary{catalog: catalog, now: now, within: 4 * most}
	return a.run(ctx, everyBird)
}

func (a *aviary) tonight(flock []bird) []bird { return choose(flock, a.now()) }

func everyBird(flock []bird) []bird { return flock }

// run captures canaries of the flock, some at a time.
func (a *aviary) run(ctx context.Context, chosen func([]bird) []bird) ([]Sight, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, a.within, fmt.Errorf("it was not done after %v", a.within))
	defer cancel()
	flock, err := a.flock(ctx)
	if err != nil {
		return nil, err
	}
	flock = chosen(flock)
	sights := make([]Sight, len(flock))
	room := make(chan struct{}, 8)
	var flying sync.WaitGroup
	for i, c := range flock {
		flying.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			sights[i] = a.sight(ctx, c)
		})
	}
	flying.Wait()
	var errs []error
	for _, s := range sights {
		if s.Error != "" {
			errs = append(errs, &devices.Error{Op: "try the canary", Device: s.Name, Err: errors.New(s.Error)})
		}
	}
	return sights, errors.Join(errs...)
}

// A bird is one canary that is to be captured.
type bird struct {
	ill    illness
	driver *drivers.Driver
	script *simulator.Transcript
}

func (c bird) name() string { return c.ill.name + ": " + c.driver.Name }

// flock is every canary: each illness with each system that can have it, by the
// first of its transcripts that will do.
func (a *aviary) flock(ctx context.Context) ([]bird, error) {
	type system struct {
		driver  *drivers.Driver
		scripts []*simulator.Transcript
	}
	var systems []system
	for _, d := range a.catalog.All() {
		if source, _ := a.catalog.Source(d.Name); len(source) == 0 {
			continue // the user's own; one that replaces ours is tried
		}
		// Who may write by SNMP is for the inventory to say; and of a file the
		// transfer itself tells that it is cut.
		if r := d.Road(); r == "snmp" || r == "file" {
			continue
		}
		one := system{driver: d}
		for _, file := range a.catalog.Transcripts(d.Name) {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			t, err := simulator.Parse(file.Name, file.Text)
			if err != nil {
				return nil, &devices.Error{Op: "make canaries", Err: err}
			}
			one.scripts = append(one.scripts, t)
		}
		systems = append(systems, one)
	}
	var all []bird
	for _, ill := range illnesses {
		n := len(all)
		for _, s := range systems {
			if i := slices.IndexFunc(s.scripts, func(t *simulator.Transcript) bool { return ill.can(s.driver, t) }); i >= 0 {
				all = append(all, bird{ill, s.driver, s.scripts[i]})
			}
		}
		if len(all) == n {
			return nil, &devices.Error{Op: "make canaries", Err: fmt.Errorf("no system can be %q", ill.name)}
		}
	}
	return all, nil
}

// each is how many systems have each illness in one night.
const each = 4

// choose takes a few systems for each illness, others the next day; those that have
// one illness are not those that have the other. A driver of the user's own that
// takes the place of one of ours is tried every night.
func choose(flock []bird, now time.Time) []bird {
	y, m, d := now.Date()
	day := int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60))
	var chosen []bird
	for n, ill := range illnesses {
		var able []bird
		left := each
		for _, c := range flock {
			switch {
			case c.ill.name != ill.name:
			case c.driver.Origin != drivers.BuiltIn:
				chosen = append(chosen, c)
				left--
			default:
				able = append(able, c)
			}
		}
		for k := range min(left, len(able)) {
			chosen = append(chosen, able[(each*day+3*n+k)%len(able)])
		}
	}
	return chosen
}

// sight captures one canary and says what came of it. A panic is one that could
// not be tried: it is no check's work.
func (a *aviary) sight(ctx context.Context, c bird) (s Sight) {
	began := a.now()
	s = Sight{Name: c.name(), Driver: c.driver.Name, Wrong: c.ill.wrong}
	defer func() {
		if p := recover(); p != nil {
			s.Kept, s.Why, s.Check, s.Error = false, "", "", fmt.Sprintf("panic: %v", p)
		}
		s.Seconds = a.now().Sub(began).Round(time.Millisecond).Seconds()
	}()
	r, text, err := a.capture(ctx, c)
	early, unwell := errors.AsType[*unwell](err)
	switch {
	case unwell && early.result.Result == configs.Refused:
		s.Why = "there was nothing wrong with it yet, but it was refused: " + early.result.Error
	case err != nil:
		s.Error = err.Error()
	case ctx.Err() != nil:
		s.Error = context.Cause(ctx).Error()
	default:
		c.judge(&s, r, text)
	}
	return s
}

// judge holds what came of a capture to what should have.
func (c bird) judge(s *Sight, r configs.Result, text string) {
	s.Kept = r.Result == configs.Kept || r.Result == configs.Unchanged || text != ""
	bad := slices.IndexFunc(r.Checks, func(k configs.Check) bool { return !k.OK })
	if bad >= 0 {
		s.Check = r.Checks[bad].Name
	}
	switch {
	case s.Kept && c.ill.wrong != "":
		s.Why = "it was kept: " + c.ill.wrong
	case c.ill.wrong != "" && r.Result == configs.Refused && bad >= 0:
	case c.ill.wrong != "" && devices.KindOf(r.Err) == devices.Refused:
		s.Check = "recognized" // its first answer was none of the system's
	case c.ill.wrong != "" && c.ill.lost && r.Result == configs.Unreachable:
		s.Check = "read to its end"
	case c.ill.wrong != "":
		s.Error = fmt.Sprintf("no check refused it, it came to %s: %s", r.Result, r.Error)
	case !s.Kept && r.Result == configs.Refused:
		s.Why = "there is nothing wrong with it, but it was refused: " + r.Error
	case !s.Kept:
		s.Error = fmt.Sprintf("it came to %s: %s", r.Result, r.Error)
	case c.ill.wrong == "" && !c.says(text):
		s.Why = "it was kept with another text than it has"
	}
}

// says tells whether a text is what the transcript has it be. One of the user's
// own may not say.
func (c bird) says(text string) bool {
	want, known := c.script.Kept[configs.MainFile]
	return !known || bare(text) == bare(want)
}

// bare is a text without the fingerprints of its secrets, which go by the key.
func bare(text string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "<redacted:")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		_, text, _ = strings.Cut(rest, ">")
		b.WriteString("<redacted>")
	}
}
