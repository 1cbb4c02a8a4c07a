package drivers

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"belay/configs"
	"belay/devices"
)

// A step is one thing that is asked of the device, with what is done with the
// answer and when it is asked at all.
type step struct {
	run      []string          // of several commands, or requests, the first understood counts
	http     *request          // what a request has besides; nil: a command
	words    map[string]string // of a transfer
	facts    bool
	keep     string
	sealed   bool   // of what is kept only the original, sealed: a binary artifact
	saved    bool   // what is kept is the saved configuration
	file     bool   // run names files, each behind fileWord
	as       string // how an answer becomes what is kept
	partial  string
	complete *configs.Completeness // nil: a further text has merely to be there
	optional bool
	when     *regexp.Regexp // over running.conf; nil: always
	also     string
	missing  string
	moves    bool
	each     *regexp.Regexp // finds names: pull is taken for each
	pull     []step
}

// eachWord stands in the steps of an each for the name; outerWord, in those of an
// each within it, for the name of the outer one.
const (
	eachWord  = "{each}"
	outerWord = "{outer}"
)

// named is the step for one name of an each. The name is the device's own word:
// it must be harmless as a file name and in a command.
func (s step) named(name string) (step, error) {
	if err := devices.CheckName(name); err != nil {
		return s, err
	}
	s.pull = slices.Clone(s.pull)
	for i, inner := range s.pull {
		inner.run, inner.keep = slices.Clone(inner.run), strings.ReplaceAll(inner.keep, outerWord, name)
		for n := range inner.run {
			inner.run[n] = strings.ReplaceAll(inner.run[n], outerWord, name)
		}
		s.pull[i] = inner
	}
	put := func(text string) string { return strings.ReplaceAll(text, eachWord, name) }
	s.run = slices.Clone(s.run)
	for i, command := range s.run {
		s.run[i] = put(command)
		if err := s.reads(s.run[i]); err != nil {
			return s, err
		}
	}
	if s.keep = put(s.keep); s.keep != "" {
		if err := keepable(s.keep); err != nil {
			return s, err
		}
	}
	return s, nil
}

// keepable tells why a text cannot have a name in a snapshot, which has files of
// its own.
func keepable(name string) error {
	if name == "snapshot.json" || strings.HasSuffix(name, ".age") {
		return fmt.Errorf("%q is a file of the snapshot's own", name)
	}
	return devices.CheckName(name)
}

// reads tells why a line may not be sent, or nil.
func (s step) reads(line string) error {
	switch {
	case s.http != nil:
		return asksOnly(line, s.http.body)
	case s.file:
		return fetchesOnly(strings.TrimPrefix(line, fileWord))
	}
	return readsOnly(line)
}

// A stepper compiles the steps of one driver.
type stepper struct {
	*compiler
	spec *spec
	kept map[string]bool

	within bool // the steps of an each within an each are being compiled
}

func (c *compiler) steps(d *Driver, s *spec) {
	sc := &stepper{compiler: c, spec: s, kept: map[string]bool{}}
	d.steps = sc.list("pull", s.Pull, false)
	if !sc.kept[configs.MainFile] {
		c.wrong("pull: no step has keep: %s", configs.MainFile)
	}
}

func (c *stepper) list(key string, steps []stepSpec, each bool) []step {
	var all []step
	for i, s := range steps {
		all = append(all, c.step(fmt.Sprintf("%s[%d]", key, i), s, each))
	}
	c.tidied(key, all)
	return all
}

func (c *stepper) step(key string, s stepSpec, each bool) step {
	out := step{
		run: s.Run, facts: s.Facts, keep: s.Keep, sealed: s.Sealed, saved: s.Unsaved, as: s.As, partial: s.Partial,
		optional: s.Optional, when: c.pattern(key+".when", s.When), also: s.Also, missing: s.Missing, moves: s.Moves,
	}
	if c.spec.Road == "https" {
		as := ""
		if c.spec.HTTP != nil {
			as = c.spec.HTTP.As
			s.Request = based(c.spec.HTTP.Base, s.Request)
		}
		out.run, out.http = s.Request, c.request(key, s, as, each)
	} else if c.spec.Road == "snmp" {
		out.run, out.words = c.sent(key, s), s.Transfer
	} else if len(s.Get) > 0 {
		out.run, out.file = c.got(key, s, each), true
	} else {
		c.asked(key, s, each)
	}
	if s.Unsaved && (s.Keep == "" || s.Keep == configs.MainFile || s.Sealed) {
		c.wrong("%s.unsaved: is for the saved configuration, a text beside %s", key, configs.MainFile)
	}
	if (s.When != "" || s.Each != "" && len(out.run) == 0) && !c.kept[configs.MainFile] {
		c.wrong("%s: looks into %s, which no step before it keeps", key, configs.MainFile)
	}
	if s.Also != "" && s.Also != "startup" && s.Also != "backup-file" {
		c.wrong("%s.also: %q is neither startup nor backup-file", key, s.Also)
	}
	if s.Missing != "" && s.Also == "" && !s.Optional {
		c.wrong("%s.missing: the step is always taken: say also or optional besides", key)
	}
	if s.Keep != "" {
		c.keep(key+".keep", s.Keep, each)
	}
	if !c.within && strings.Contains(strings.Join(s.Request, " "), outerWord) {
		c.wrong("%s.request: %s is known only in an each within another", key, outerWord)
	}
	if s.Sealed && (s.Keep == "" || s.Keep == configs.MainFile) {
		c.wrong("%s.sealed: is for further files, beside the text in %s", key, configs.MainFile)
	}
	if s.Complete != nil {
		if s.Keep == "" || s.Keep == configs.MainFile {
			c.wrong("%s.complete: is for further texts; that of %s stands at the top", key, configs.MainFile)
		}
		k := c.completeness(key+".complete", *s.Complete)
		k.Failure = nil // the driver's own count for every text
		out.complete = &k
	}
	if (s.Each != "") != (len(s.Pull) > 0) {
		c.wrong("%s: each and pull go together", key)
	}
	if s.Each != "" {
		if each && (c.within || c.spec.Road != "https") {
			c.wrong("%s.each: stands within another one", key)
		}
		if out.each = c.pattern(key+".each", s.Each); out.each != nil && out.each.NumSubexp() != 1 {
			c.wrong("%s.each: wants one group", key)
		}
		before := c.within
		c.within = each
		out.pull = c.list(key+".pull", s.Pull, true)
		c.within = before
	}
	return out
}

// asked checks what a step asks the device for.
func (c *stepper) asked(key string, s stepSpec, each bool) {
	if len(s.Request) > 0 {
		c.wrong("%s.request: is for road https", key)
	}
	if len(s.Run) == 0 && s.Each == "" {
		c.wrong("%s.run: missing", key)
	}
	for _, command := range s.Run {
		if each {
			command = strings.ReplaceAll(command, eachWord, "a1")
		}
		err := readsOnly(command)
		if s.Also == "backup-file" && !each && (saves(command) >= 0 || removes(command) >= 0) {
			err = nil
		}
		if err != nil {
			c.wrong("%s.run: %v", key, err)
		}
	}
}

// sent checks a step that has the device send a text, and names it.
func (c *stepper) sent(key string, s stepSpec) []string {
	if len(s.Run)+len(s.Request) > 0 || s.Each != "" || s.Keep == "" {
		c.wrong("%s: a step by road snmp has keep, and transfer where the driver's transfer wants words", key)
	}
	if s.Keep == configs.MainFile {
		return []string{"transfer"}
	}
	return []string{"transfer/" + s.Keep}
}

// keep checks the name of a text. Within an each it must differ from name to
// name, and never be one of the other files that a snapshot has.
func (c *stepper) keep(key, name string, each bool) {
	bare := name
	if each {
		bare = strings.ReplaceAll(name, eachWord, "a1")
		if c.within {
			bare = strings.ReplaceAll(bare, outerWord, "a1")
		}
		if !distinct().MatchString(strings.Replace(name, outerWord+"-", "", 1)) || c.within != strings.Contains(name, outerWord+"-") {
			c.wrong("%s: %q wants a word before %s: context-%s.conf; in an each within another, list-%s-%s.json", key, name, eachWord, eachWord, outerWord, eachWord)
		}
	}
	if c.kept[name] || keepable(bare) != nil {
		c.wrong("%s: %q is no file name, or used twice", key, name)
	}
	c.kept[name] = true
}

var distinct = devices.Pattern(`^[a-z]+-\{each\}`)
