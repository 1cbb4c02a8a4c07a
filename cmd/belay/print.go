package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"belay/configs/report"
	"belay/devices"
)

// The rules of the terminal: what was asked for goes to standard output;
// progress, warnings, errors and hints go to standard error. An error is one
// line, "belay: error: …", and its hint, where there is one, the next:
// "belay: hint: …" with the command to type. With --json standard output holds
// JSON and nothing else. What others named, such as items of a documentation
// system and senders of mail, says nothing to the terminal itself: see tame.

// exitCodes is the one table from what went wrong to the exit status, as the
// README lists them.
func exitCode(k devices.Kind) int {
	switch k {
	case devices.Usage:
		return 2
	case devices.GateShut:
		return 3
	case devices.Refused, devices.Unproven:
		return 4
	case devices.Unreachable, devices.Denied:
		return 5
	case devices.AttachmentPending:
		return 6
	case devices.NotAllowed:
		return 7
	case devices.Damaged:
		return 8
	}
	return 1
}

// worse tells whether exit status a is worse than b: 8, 1, 7, 5, 4, 6, and what
// is not of one device alone before all.
func worse(a, b int) bool {
	rank := map[int]int{0: 0, 6: 1, 4: 2, 5: 3, 7: 4, 3: 5, 2: 6, 1: 7, 8: 8}
	return rank[a] > rank[b]
}

// exitHelp ends the help of every command that talks to devices.
const exitHelp = `
Exit status: 0 yes; 1 something broke; 2 wrong usage; 3 gate refused; 4 no verified copy; 5 device
unreachable or login refused; 6 verified, attachment pending; 7 not allowed; 8 the store is damaged.
Of several devices the worst: 8, 1, 7, 5, 4, 6.`

// tell prints errors for a person, each with its hint. Several are told one by
// one, unless what wraps them says more than they do; what many of them say alike,
// such as that the disk is full, is said once.
func tell(w io.Writer, err error) {
	said := map[string]bool{}
	for _, e := range several(err) {
		text := tame(strings.TrimSpace(e.Error()))
		if said[text] {
			continue
		}
		said[text] = true
		fmt.Fprintf(w, "belay: error: %s\n", text)
		if h := tame(devices.HintOf(e)); h != "" && !said[h] {
			said[h] = true
			fmt.Fprintf(w, "belay: hint: %s\n", h)
		}
	}
}

// several are the errors that were joined to one.
func several(err error) (all []error) {
	joined, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // what it wraps is not asked
	if !ok || errors.Join(joined.Unwrap()...).Error() != err.Error() {
		return []error{err}
	}
	for _, e := range joined.Unwrap() {
		all = append(all, several(e)...)
	}
	return all
}

// once is a text without lines that one before them has said.
func once(text string) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		if !slices.ContainsFunc(lines, func(said string) bool { return strings.Contains(said, line) }) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// warn prints what is odd but stops nothing.
func warn(w io.Writer, format string, args ...any) {
	fmt.Fprintf(w, "belay: warning: %s\n", tame(fmt.Sprintf(format, args...)))
}

// say prints a sentence to standard output.
func (p *program) say(format string, args ...any) error {
	_, err := io.WriteString(p.out, tamef(format, args...))
	return err
}

func tamef(format string, args ...any) string { return tame(fmt.Sprintf(format, args...)) }

// tame is a text as a terminal may have it. Lines and tabs stay.
func tame(s string) string { return report.Tame(s, "\n\t") }

// columns prints rows with aligned columns; the last one may be long.
func columns(w io.Writer, rows [][]string) {
	var widths []int
	for _, r := range rows {
		for i, c := range r {
			c = strings.ReplaceAll(tame(c), "\n", " ")
			r[i] = c
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len([]rune(c)))
		}
	}
	for _, r := range rows {
		var b strings.Builder
		for i, c := range r {
			b.WriteString(c)
			if i < len(r)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-len([]rune(c))+2))
			}
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}

// short is the part of a commit's name that people type.
func short(commit string) string { return commit[:min(len(commit), 10)] }
