package canary

import (
	"cmp"
	"strings"

	"belay/configs"
	"belay/devices/simulator"
	"belay/drivers"
)

// An illness is what a canary does wrong.
type illness struct {
	name  string
	wrong string // in words for the report; empty: it is well, and must be kept
	lost  bool   // it may be lost instead of refused: there is nothing to check then
	later bool   // it is well and kept first, and falls ill then
	can   func(d *drivers.Driver, t *simulator.Transcript) bool
	fault func(t *simulator.Transcript) simulator.Fault
}

var illnesses = []illness{
	{
		name: "well", can: whole,
		fault: func(*simulator.Transcript) simulator.Fault { return simulator.Fault{} },
	},
	{
		name: "cut in the middle", wrong: "half a configuration, then a clean prompt", can: ending,
		fault: func(t *simulator.Transcript) simulator.Fault { return simulator.Fault{CutByte: size(t) / 2} },
	},
	{
		name: "cut at a banner", wrong: "a configuration that ends at a line that looks like a prompt", can: ending,
		fault: func(t *simulator.Transcript) simulator.Fault {
			text := t.Answers[command(t)].Text()
			return simulator.Fault{Lookalike: banner(t), CutLine: strings.Count(text[:size(t)/2], "\n") + 2}
		},
	},
	{
		name: "shrunk", wrong: "less than half of what it had before, then a clean prompt", later: true, can: whole,
		fault: func(t *simulator.Transcript) simulator.Fault { return simulator.Fault{CutByte: size(t) * 2 / 5} },
	},
	{
		name: "error", wrong: "an error text instead of the configuration", can: whole,
		fault: func(t *simulator.Transcript) simulator.Fault {
			said := strings.TrimSpace(t.Unknown)
			return simulator.Fault{Error: cmp.Or(said, "% Authorization failed.")}
		},
	},
	{
		name: "empty", wrong: "nothing at all, then a clean prompt", can: whole,
		fault: func(*simulator.Transcript) simulator.Fault { return simulator.Fault{Empty: true} },
	},
	{
		name: "another box", wrong: "another device's serial number", can: numbered,
		fault: func(*simulator.Transcript) simulator.Fault { return simulator.Fault{WrongBox: true} },
	},
	{
		name: "lost", wrong: "half a configuration, then the connection ends", lost: true, can: whole,
		fault: func(*simulator.Transcript) simulator.Fault { return simulator.Fault{CloseChannel: true} },
	},
}

// whole are the systems with a transcript whose configuration is one text.
func whole(_ *drivers.Driver, t *simulator.Transcript) bool { return command(t) != "" }

// ending are the systems whose texts tell by themselves that they are whole. Where
// two readings that agree have to tell it, a device that always cuts at the same
// place looks whole the first time: that is known, and no canary's to find. Later
// it has shrunk.
func ending(d *drivers.Driver, t *simulator.Transcript) bool {
	return whole(d, t) && (d.Rules.Complete.Agree < 2 || d.Rules.Complete.Balance != configs.NoStructure)
}

// numbered are the systems that name their serial number.
func numbered(d *drivers.Driver, t *simulator.Transcript) bool {
	return whole(d, t) && len(t.Facts.Serials) > 0
}

// command is the one that shows a configuration, "" where there are several.
func command(t *simulator.Transcript) string {
	if all := t.Configurations(); len(all) == 1 {
		return all[0]
	}
	return ""
}

func size(t *simulator.Transcript) int { return len(t.Answers[command(t)].Text()) }

// banner is a line that looks like the prompt; a system without one shows a line
// that might be its end.
func banner(t *simulator.Transcript) string {
	if t.Prompt != "" {
		return "prompt"
	}
	return "# authorized use only #"
}
