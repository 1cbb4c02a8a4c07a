package drivers

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"belay/configs"
	"belay/devices"
)

// A walk is one session's way through a driver's steps.
type walk struct {
	d      *Driver
	dev    devices.Device
	ask    func(step) (a answer, which int, err error) // by the driver's road; which of several commands counted
	facts  bool                                        // fact commands are sent
	known  bool                                        // the device was held to the driver's identify.fits
	inside bool                                        // the steps of an each are being taken
	said   [][]byte
	c      *configs.Capture

	left  []string // the commands that remove a backup file which may be on the device
	stale bool     // it could not be written: one that is there is an older one
}

// errLeft ends the steps of one name where the device does not move to it.
var errLeft = errors.New("left out")

// maxNames is how many names one each may find.
const maxNames = 1024

func (r *walk) steps(list []step) error {
	for i, s := range list {
		if len(s.run) > 0 && saves(s.run[0]) >= 0 && r.dev.May(s.also) {
			r.left = removal(saves(s.run[0]), list[i+1:])
		}
		if err := r.step(s); err != nil {
			return err
		}
	}
	return nil
}

func (r *walk) step(s step) error {
	if s.when != nil && !s.when.Match(r.main()) {
		return nil
	}
	if s.facts && s.keep == "" && !r.facts {
		r.unlisted(s)
		return nil
	}
	if s.also != "" && !r.dev.May(s.also) {
		r.lacks(s.missing)
		return nil
	}
	if s.file && s.also == "backup-file" && r.stale {
		r.lacks(s.missing)
		return nil
	}
	text := r.main()
	if len(s.run) > 0 {
		a, which, err := r.ask(s)
		if err != nil {
			if s.facts && s.keep == "" {
				return &factError{s.run[0], err}
			}
			return err
		}
		if done, err := r.take(s, a, which); done || err != nil {
			return err
		}
		text = a.text
	}
	if s.each == nil {
		return nil
	}
	return r.each(s, text)
}

// take does with an answer what the step says; done: there is nothing in it.
func (r *walk) take(s step, a answer, which int) (done bool, err error) {
	failed := r.d.failed(a)
	switch {
	case saves(s.run[which]) >= 0:
		r.stale = failed
	case removes(s.run[which]) >= 0 && !failed:
		r.left = nil
	}
	if failed && s.optional {
		r.lacks(s.missing)
		if s.http != nil && s.keep != "" && a.status == 403 {
			r.lacks("what the login may not see: " + s.run[which])
		}
		if s.moves && r.inside {
			return true, errLeft
		}
		return true, nil
	}
	if failed && s.moves {
		return true, &devices.Error{Kind: devices.Refused, Op: "go on", Err: fmt.Errorf("%q was refused: what follows would be another context's", s.run[which]),
			Hint: "the login may lack the privilege: belay drivers show " + r.d.Name + " prints the commands for an account"}
	}
	if s.facts {
		if failed {
			r.c.Warnings = append(r.c.Warnings, fmt.Sprintf("%q was not understood", s.run[0]))
		} else {
			r.said = append(r.said, a.text)
		}
		if err := r.fits(a, failed); err != nil {
			return true, err
		}
	}
	if s.keep != "" {
		return false, r.keep(s, a, which)
	}
	if failed {
		r.unlisted(s)
	}
	return failed, nil
}

// fits refuses a driver that is another system's, by the first facts answer:
// nothing more is typed at such a device. Where that answer was refused nobody
// can tell.
func (r *walk) fits(a answer, failed bool) error {
	first := !r.known
	r.known = true
	if !first || failed || r.d.fits == nil || r.d.fits.Match(a.text) || unknown(a.text) {
		return nil
	}
	return &devices.Error{Kind: devices.Refused, Op: "recognize", Err: fmt.Errorf("this is no %s: its answer has nothing of one", r.d.Title),
		Hint: "put the right driver into the inventory; belay devices identify " + r.dev.Address + " says which"}
}

// unknown tells whether a text says, in the words of whatever system, that a command
// is not known there. It tells nothing of which system that is.
func unknown(text []byte) bool {
	const most = 4 // lines with something on them
	lines := bytes.FieldsFunc(text, func(c rune) bool { return c == '\n' })
	return len(lines) <= most && strange().Match(text)
}

var strange = devices.Pattern(`(?im)^\W*(?:error\b|(?:syntax|parse|command) error\b|(?:invalid|unknown|unrecognized|incomplete|ambiguous|illegal|bad|wrong|unsupported) (?:\w+ )?(?:input|command|token|parameter|argument|keyword|syntax|expression)|.*\b(?:command not found|not recognized|not a valid command|no such command|unknown command|permission denied|not found$))`)

func (r *walk) keep(s step, a answer, which int) error {
	if slices.ContainsFunc(r.c.Files, func(f configs.File) bool { return f.Name == s.keep }) {
		return &devices.Error{Kind: devices.Refused, Op: "keep", Err: fmt.Errorf("there are two texts called %s", s.keep)}
	}
	a = s.unpack(a)
	f := configs.File{Name: s.keep, Raw: a.raw, Text: a.text, Complete: s.complete, Sealed: s.sealed, Saved: s.saved}
	if s.sealed {
		f.Text = nil
	}
	r.c.Files = append(r.c.Files, f)
	if a.fault != "" {
		r.c.Faults = append(r.c.Faults, a.fault)
	} else if a.status > 0 {
		r.c.Faults = append(r.c.Faults, fmt.Sprintf("%q ended with status %d", s.run[which], a.status))
	}
	if s.keep == configs.MainFile { // a further text may be another context's, or an older one
		r.said = append(r.said, a.text)
	}
	agree := 0
	if message().Match(a.text) || a.open {
		agree = 2
	}
	if s.complete != nil {
		agree = max(agree, s.complete.Agree)
	}
	r.c.Rules.Complete.Agree = max(r.c.Rules.Complete.Agree, agree)
	if which > 0 {
		r.lacks(s.partial)
	}
	return nil
}

// each takes the nested steps for every name found in text.
func (r *walk) each(s step, text []byte) error {
	seen := map[string]bool{}
	for _, m := range s.each.FindAllSubmatch(text, -1) {
		name := string(bytes.TrimSpace(m[1]))
		if name == "" || seen[name] {
			continue
		}
		if seen[name] = true; len(seen) > maxNames {
			return &devices.Error{Kind: devices.Refused, Op: "read", Err: fmt.Errorf("more than %d names match %s", maxNames, s.each)}
		}
		list := make([]step, len(s.pull))
		var odd error
		for i := range s.pull {
			var err error
			list[i], err = s.pull[i].named(name)
			odd = errors.Join(odd, err)
		}
		if odd != nil { // not shown: it may be anything
			r.lacks("what belongs to a name of the device's own that is no plain word, and so is not typed")
			continue
		}
		outer := r.inside
		r.inside = true
		err := r.steps(list)
		r.inside = outer
		if err != nil && !errors.Is(err, errLeft) {
			return err
		}
	}
	return nil
}

// unlisted notes that the names of an each could not be had: that is not the same as
// that there are none.
func (r *walk) unlisted(s step) {
	if s.each != nil {
		r.lacks(cmp.Or(s.missing, fmt.Sprintf("what belongs to the names that %q lists: it was refused, or went unanswered", s.run[0])))
	}
}

// main is running.conf as read so far.
func (r *walk) main() []byte {
	for _, f := range r.c.Files {
		if f.Name == configs.MainFile {
			return f.Text
		}
	}
	return nil
}

// lacks notes what a restore from this reading would lack.
func (r *walk) lacks(what string) {
	if what != "" && !slices.Contains(r.c.Missing, what) {
		r.c.Missing = append(r.c.Missing, what)
	}
}
