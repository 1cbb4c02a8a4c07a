package change

import (
	"slices"
	"strings"
	"time"

	"belay/configs"
	"belay/devices"
)

// The words for how much of a device is kept. The first stands for nothing else.
const (
	WordVerified = "verified"
	WordOnePlace = "in one place, not verified"
	WordWaived   = "WAIVED, not backed up"
	WordImported = "exported by hand and attested, not verified"
	WordAttested = "attested, not verified"
	WordDoubted  = "kept, but the checks are in doubt: not verified"
	WordNothing  = "not backed up"
)

// mandatory are the checks without which no copy is called whole. A driver may
// ask for more; none of those may have failed either.
var mandatory = []string{configs.CheckAnswered, configs.CheckFailure, configs.CheckSections, configs.CheckDevice}

// readBack is the name of the proof that what is on disk is what was read.
const readBack = "read back"

// whole tells whether a capture was kept, passed every check, and was read back.
// One that a person exported by hand was not read twice. Of one that was taken
// while the checks were in doubt nobody knows whether it is whole.
func (k Capture) whole() bool {
	if k.Doubted {
		return false
	}
	has := func(name string) bool {
		return slices.ContainsFunc(k.Checks, func(c configs.Check) bool { return c.Name == name })
	}
	if k.Version == "" || k.Attested == "" && !has(configs.CheckAgree) {
		return false
	}
	return !slices.ContainsFunc(mandatory, func(name string) bool { return !has(name) }) &&
		len(k.failingChecks()) == 0 &&
		slices.ContainsFunc(k.Proofs, func(p configs.Proof) bool { return p.Name == readBack && p.Done && p.OK })
}

func (k Capture) failingChecks() (bad []configs.Check) {
	for _, c := range k.Checks {
		if !c.OK {
			bad = append(bad, c)
		}
	}
	return bad
}

func (k Capture) failingProofs() (bad []configs.Proof) {
	for _, p := range k.Proofs {
		if p.Done && !p.OK {
			bad = append(bad, p)
		}
	}
	return bad
}

// imported tells whether a person exported it by hand.
func (k Capture) imported() bool { return k.Attested != "" }

// Verified tells whether a version was taken within this change, whole, of the
// right device, read back, and proven in a second place. What a person exported
// by hand never is: nobody read it twice, and only the person says whose it is.
func (c Change) Verified(version string) bool {
	return slices.ContainsFunc(c.Captures, func(k Capture) bool { return k.Version == version && c.verified(k) })
}

func (c Change) verified(k Capture) bool { return !k.imported() && c.elsewhere(k) }

// elsewhere tells whether a whole capture is proven in a second place: by the
// capture itself, or by attachments of all of its files that arrived later.
func (c Change) elsewhere(k Capture) bool {
	if !k.whole() {
		return false
	}
	if (k.Verified || k.imported()) && slices.ContainsFunc(k.Proofs, func(p configs.Proof) bool { return p.Done && p.OK && p.Second }) {
		return true
	}
	return len(k.Files) > 0 && len(c.unattached(k, func(a Attachment) bool { return a.Second })) == 0
}

// unattached are the files of a capture that were not proven to hang somewhere.
// Where texts hang redacted, nothing hangs of what has no text.
func (c Change) unattached(k Capture, fits func(Attachment) bool) (names []string) {
	redacted := c.attached(k.Version, configs.MainFile, func(a Attachment) bool { return a.Form == configs.Redacted && fits(a) })
	for _, f := range k.Files {
		if !c.attached(k.Version, f.Name, fits) && !(f.Alone() && redacted) {
			names = append(names, f.Name)
		}
	}
	return names
}

// attached tells whether a file of a version was proven to hang somewhere. A
// receipt that names the version is none of its files.
func (c Change) attached(version, file string, fits func(Attachment) bool) bool {
	return slices.ContainsFunc(c.Attachments, func(a Attachment) bool {
		return a.Version == version && a.File == file && a.Form != configs.Receipt && fits(a)
	})
}

// enough tells whether a capture is what the policy asks for.
func (c Change) enough(k Capture, p Policy) bool { return c.elsewhere(k) || p.OnePlace && k.whole() }

// newest is the last capture of a phase that fits. A before is one of the old
// device, an after one of the box that was last seen in its place.
func (c Change) newest(phase string, fits func(Capture) bool) (Capture, bool) {
	of := c.Old
	if phase == After {
		of = c.New
	}
	for _, k := range slices.Backward(c.Captures) {
		box := Succession{Device: k.Device, Serials: k.Identity.Serials, HostKey: k.HostKey}
		if k.Phase == phase && k.Device == of && of != "" && (phase == Before || c.Succession.same(box)) && fits(k) {
			return k, true
		}
	}
	return Capture{}, false
}

// Counts is the capture of a phase that the change rests on: the newest verified
// one, or where the policy is content with one place the newest whole one.
func (c Change) Counts(phase string, p Policy) (Capture, bool) {
	if k, ok := c.newest(phase, c.verified); ok {
		return k, true
	}
	return c.newest(phase, func(k Capture) bool { return c.enough(k, p) })
}

// skew is how far the clocks of two machines that share a store may be apart.
const skew = time.Minute

// fresh tells whether a capture is not too old for the gate. One from the future
// shows a clock that was set, and is not believed.
func (k Capture) fresh(now time.Time, p Policy) bool {
	age := now.Sub(k.Taken)
	return age >= -skew && age <= p.maxAge()
}

// waived is the newest waiver that holds, or why the newest does not.
func (c Change) waived() (w Waiver, ok bool, why []string) {
	for _, w := range slices.Backward(c.Waivers) {
		faults := c.faults(w)
		if len(faults) == 0 {
			return w, true, nil
		}
		if why == nil {
			why = faults
		}
	}
	return Waiver{}, false, why
}

// faults says why a waiver does not hold for this change. It was judged when it
// was recorded; what has been seen since may speak against it.
func (c Change) faults(w Waiver) (why []string) {
	fault := func(bad bool, what string) {
		if bad {
			why = append(why, what)
		}
	}
	fault(!w.Contact.Authorised, "the waiver's contact is no authorisation contact")
	fault(w.Given.IsZero() || w.Given.Before(w.Contact.From) || !w.Contact.To.IsZero() && w.Given.After(w.Contact.To),
		"the waiver was given outside its contact's authority")
	fault(w.Wording.Check() != nil || w.Digest == "", "the waiver lacks a clause")
	fault(w.Kind == ByEmail && w.MessageID == "" || w.Kind == ByForm && w.Form == "" || w.Kind != ByEmail && w.Kind != ByForm,
		"the waiver names neither a message nor a form")
	fault(w.Given.After(w.At.Add(skew)), "the waiver is dated after it was recorded")
	fault(c.Succession != nil && w.Given.After(c.Succession.At), "the waiver was given after the device was taken away")
	missing := slices.DeleteFunc(c.SeenSerials(), func(s string) bool { return holds(w.Serials, s) })
	fault(len(missing) > 0, "the waiver names serial "+strings.Join(w.Serials, ", ")+", the device showed "+strings.Join(missing, ", "))
	return why
}

// SeenSerials are the old device's serial numbers as it last showed them within
// this change, else those known when the change was opened.
func (c Change) SeenSerials() []string {
	if k, ok := c.newest(Before, func(k Capture) bool { return len(k.Identity.Serials) > 0 }); ok {
		return slices.Clone(k.Identity.Serials)
	}
	return slices.Clone(c.Serials)
}

// holds tells whether a list holds a serial number, however it is written.
func holds(list []string, serial string) bool {
	return devices.Shared(list, []string{serial})
}

// attested is the newest of a person's words that stands at a time, for the old device.
func (c Change) attested(words []Attest, at time.Time, p Policy) (Attest, bool) {
	for _, a := range slices.Backward(words) {
		if p.Attest && a.Device == c.Old && a.Where != "" && a.Who != "" && (a.Until.IsZero() || !at.After(a.Until)) {
			return a, true
		}
	}
	return Attest{}, false
}

// Standing is the word for how the configuration of a phase is kept.
func (c Change) Standing(phase string, now time.Time, p Policy) string {
	k, ok := c.Counts(phase, p)
	if ok && p.Doubt == "" {
		return c.word(k)
	}
	if phase == Before {
		if _, ok, _ := c.waived(); ok {
			return WordWaived
		}
		if c.vouched(now, p) {
			return WordAttested
		}
	}
	if ok {
		return WordDoubted
	}
	return WordNothing
}

// word is the one for how a capture that counts is kept.
func (c Change) word(k Capture) string {
	switch {
	case c.verified(k):
		return WordVerified
	case c.elsewhere(k):
		return WordImported
	}
	return WordOnePlace
}

// isKept tells of a word whether it stands for a configuration that is kept.
func isKept(word string) bool {
	return word == WordVerified || word == WordImported || word == WordOnePlace
}

// vouched tells whether a person's word stands in the old configuration's place:
// now, or when the old device was taken away.
func (c Change) vouched(now time.Time, p Policy) bool {
	words := c.Attests
	if c.Succession != nil {
		now, words = c.Succession.At, words[:c.words]
	}
	_, ok := c.attested(words, now, p)
	return ok
}

// since is when the change was opened: not after now, for a clock that was ahead then
// may have been set back.
func (c Change) since(now time.Time) time.Time {
	if c.At.After(now) {
		return now
	}
	return c.At
}

// State is how far the change has come at a time.
func (c Change) State(now time.Time, p Policy) State {
	old, after := c.Standing(Before, now, p), c.Standing(After, now, p)
	kept := isKept(after)
	switch {
	case c.Closing != nil:
		return Closed
	// A removal that was waived has nothing in it that is proven.
	case c.Kind == Remove && isKept(old),
		c.Kind == Install && kept,
		c.Kind == Replace && kept && old != WordNothing:
		return Proven
	case c.Succession != nil:
		return Swapped
	}
	if _, ok := c.newest(Before, func(k Capture) bool { return c.enough(k, p) && k.fresh(now, p) }); ok && p.Doubt == "" {
		return Safe
	}
	if _, ok, _ := c.waived(); ok {
		return Waived
	}
	return Open
}
