package configs

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"belay/devices"
)

// The names of the checks, as they stand in snapshot.json.
const (
	CheckAnswered = "answered"
	CheckFailure  = "no error text"
	CheckStart    = "start"
	CheckEnd      = "end mark"
	CheckSections = "sections"
	CheckBalance  = "balance"
	CheckDevice   = "right device"
	CheckSize     = "size"
	CheckAgree    = "two readings agree"
)

// check holds one text to the rules of its system, or to its own. Without any
// of its own a further text must merely be there.
func (r Rules) check(f File) []Check {
	if f.Sealed {
		return []Check{f.checkSealed()}
	}
	k := r.Complete
	text := f.Text
	shown := unpadded(text)
	bare := bytes.TrimSpace(text)
	checks := []Check{{Name: CheckAnswered, OK: len(bare) > 0, Detail: fmt.Sprintf("%d bytes", len(f.Raw))}}
	if len(bare) == 0 {
		checks[0].Detail = "the answer was empty"
	}
	failure := Check{Name: CheckFailure, OK: true}
	if said := k.Refusal(text); said != "" {
		failure.OK, failure.Detail = false, fmt.Sprintf("the device answered with an error: %q", said)
	}
	checks = append(checks, failure)
	matches := r.matcher(shown)
	if f.Name != MainFile {
		if f.Complete == nil {
			return checks
		}
		k, matches = *f.Complete, func(re *regexp.Regexp) bool { return re.Match(shown) }
	}
	if k.Starts != nil {
		loc := k.Starts.FindIndex(bytes.TrimLeft(shown, "\n"))
		checks = append(checks, Check{Name: CheckStart, OK: loc != nil && loc[0] == 0, Detail: fmt.Sprintf("begins with %s", written(k.Starts))})
	}
	if k.Ends != nil {
		c := Check{Name: CheckEnd, OK: endsWith(shown, k.Ends), Detail: fmt.Sprintf("ends with %s", written(k.Ends))}
		if !c.OK {
			c.Detail = fmt.Sprintf("no end mark (%s): cut short after %d lines", written(k.Ends), bytes.Count(text, []byte("\n"))+1)
		}
		checks = append(checks, c)
	}
	sections := Check{Name: CheckSections, OK: true, Detail: fmt.Sprintf("%d found", len(k.Sections))}
	for _, re := range k.Sections {
		if !matches(re) {
			sections.OK, sections.Detail = false, fmt.Sprintf("nothing matches %s", written(re))
			break
		}
	}
	checks = append(checks, sections)
	if k.Balance != NoStructure {
		c := Check{Name: CheckBalance, OK: true, Detail: string(k.Balance)}
		if err := k.Balance.closed(text); err != nil {
			c.OK, c.Detail = false, err.Error()
		}
		checks = append(checks, c)
	}
	return checks
}

// unpadded is text without the blanks that end its lines: some systems fill every
// line with them, and no vendor's grammar has any there.
func unpadded(text []byte) []byte {
	if !bytes.Contains(text, []byte(" \n")) && !bytes.Contains(text, []byte("\t\n")) {
		return text
	}
	out := make([]byte, 0, len(text))
	for line := range bytes.Lines(text) {
		out = append(out, bytes.TrimRight(line, " \t\n")...)
		if line[len(line)-1] == '\n' {
			out = append(out, '\n')
		}
	}
	return out
}

// endsWith tells whether the last match ends the text, blanks aside: a pattern
// may not say so itself.
func endsWith(text []byte, re *regexp.Regexp) bool {
	tail := text[max(0, len(text)-4096):]
	found := re.FindAllIndex(tail, -1)
	return len(found) > 0 && len(bytes.TrimSpace(tail[found[len(found)-1][1]:])) == 0
}

// written is a pattern as it stands in the driver's file.
func written(re *regexp.Regexp) string { return strings.TrimPrefix(re.String(), "(?m)") }

// Refusal is the error text that a device answered with, empty where there is
// none. Only the first and last lines count: a banner may well quote an error.
func (k Completeness) Refusal(text []byte) string {
	const edge = 3 // lines with something on them
	var head, tail []byte
	rest := text
	for n := 0; n < edge && len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		head, rest = append(append(head, line...), '\n'), after
		if len(bytes.TrimSpace(line)) > 0 {
			n++
		}
	}
	rest = text
	for n := 0; n < edge && len(rest) > 0; {
		at := bytes.LastIndexByte(bytes.TrimRight(rest, "\n"), '\n') + 1
		if len(bytes.TrimSpace(rest[at:])) > 0 {
			n++
		}
		tail, rest = text[at:], rest[:at]
	}
	for _, re := range k.Failure {
		for _, part := range [][]byte{head, tail} {
			if said := re.Find(part); said != nil {
				return strings.TrimSpace(string(said))
			}
		}
	}
	return ""
}

// Check holds a capture to everything that can be told from it alone.
func (c Capture) Check() []Check {
	var checks []Check
	for _, fault := range c.Faults {
		checks = append(checks, Check{Name: CheckAnswered, Detail: fault})
	}
	main := false
	for _, f := range c.Files {
		main = main || f.Name == MainFile
		for _, check := range c.Rules.check(f) {
			if f.Name != MainFile && check.Detail != "" {
				check.Detail = f.Name + ": " + check.Detail
			}
			checks = append(checks, check)
		}
	}
	if !main {
		checks = append(checks, Check{Name: CheckAnswered, Detail: "there is no configuration in it"})
	}
	return checks
}

// checkDevice tells whether the capture is of the device it was asked of: by
// the serial numbers of the inventory, else by those of the last version; and
// that it is none that must not answer. Where it named no number its host key
// stands for it; where nothing does, such as by telnet, it might be any device.
func checkDevice(d devices.Device, taken Capture, last *Version, not []string) Check {
	said, unproven := taken.Identity, taken.Reached.Unproven
	want, whose := d.Serials, "the inventory"
	if len(want) == 0 && last != nil {
		want, whose = last.Identity.Serials, "the last version"
	}
	c := Check{Name: CheckDevice, OK: true}
	if devices.Shared(said.Serials, not) {
		return Check{Name: CheckDevice, Detail: fmt.Sprintf("the box that is to be replaced still answers: serial %s", strings.Join(said.Serials, ", "))}
	}
	switch {
	case len(want) == 0:
		c.Detail = "no serial number to compare with"
		if unproven != "" {
			c.Detail += "; " + unproven
		}
	case len(said.Serials) == 0 && unproven != "":
		c.OK, c.Detail = false, fmt.Sprintf("the device named no serial number (%s says %s), and nothing else tells which one it is: %s", whose, strings.Join(want, ", "), unproven)
	case len(said.Serials) == 0:
		c.Detail = "the device named no serial number; its host key matched"
	default:
		c.OK = devices.Shared(said.Serials, want)
		c.Detail = fmt.Sprintf("serial %s", strings.Join(said.Serials, ", "))
		if !c.OK {
			c.Detail = fmt.Sprintf("another device: serial %s, but %s says %s", strings.Join(said.Serials, ", "), whose, strings.Join(want, ", "))
		}
	}
	return c
}

// foreign is the device of another customer that has one of the serial numbers:
// many customers have something at 192.168.1.1. What machines without a number
// of their own say instead has no digit in it, or no other.
func (b *Backup) foreign(ctx context.Context, d devices.Device, serials []string) (devices.ID, error) {
	for _, s := range serials {
		if b.Whose == nil || len(s) < 5 || !strings.ContainsAny(s, "0123456789") || strings.Trim(s, s[:1]) == "" {
			continue
		}
		other, ok, err := b.Whose(ctx, s)
		if err != nil || ok && other.Customer() != d.Customer {
			return other, err
		}
	}
	return "", nil
}

// checkSize compares with the last version: a copy half as long or less, the
// configuration alone or all its texts together, is taken for a cut one until a
// person says otherwise.
func checkSize(now, before sizes) Check {
	if now.main*2 > before.main || before.main == 0 {
		now.main, before.main = now.all, before.all
	}
	c := Check{Name: CheckSize, OK: now.main*2 > before.main, Detail: fmt.Sprintf("%d bytes, before %d", now.main, before.main)}
	if !c.OK {
		c.Detail = fmt.Sprintf("%d bytes, half or less of the %d kept before", now.main, before.main)
	}
	return c
}

// failing are the checks that refused.
func failing(checks []Check) []Check {
	return slices.DeleteFunc(slices.Clone(checks), func(c Check) bool { return c.OK })
}

// Grade says what the capture is good for.
func (c Capture) Grade() Grade {
	g := Grade{Level: c.Rules.Grading.Level}
	lower := func(l Level, missing string) {
		if g.Level == Restore || l == Audit {
			g.Level = l
		}
		if !slices.Contains(g.Missing, missing) {
			g.Missing = append(g.Missing, missing)
		}
	}
	if g.Level != Restore {
		g.Missing = append(g.Missing, c.Rules.Grading.Missing)
	}
	for _, m := range c.Missing {
		lower(Partial, m)
	}
	for _, f := range c.Files {
		if f.Name != MainFile {
			continue
		}
		matches := c.Rules.matcher(f.Text)
		for _, cond := range c.Rules.Grading.Lower {
			if (cond.When == nil || matches(cond.When)) && (cond.Unless == nil || !matches(cond.Unless)) {
				lower(cond.Level, cond.Missing)
			}
		}
		for _, re := range c.Rules.Grading.Masks {
			if matches(re) {
				lower(Partial, "the device masked what this login may not see: give the login the right to read secrets")
				break
			}
		}
	}
	return g
}
