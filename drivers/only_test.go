package drivers_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"belay/configs"
	"belay/devices/simulator"
)

// TestAConfigurationIsKeptWhereNothingElseIsUnderstood: another model or version
// may know none of the other commands, and say so in words of its own.
func TestAConfigurationIsKeptWhereNothingElseIsUnderstood(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, p := range byRoad(t, c, 60, "shell", "exec") {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			bare := *p.Transcript
			bare.Answers = maps.Clone(p.Answers)
			shows := p.Configurations()
			maps.DeleteFunc(bare.Answers, func(command string, _ simulator.Answer) bool { return !slices.Contains(shows, command) })
			bare.Unknown = "% Invalid input detected at '^' marker.\n"
			bare.Modes, bare.Silent = nil, nil
			b, r := backup(puller(c, &simulator.Device{T: &bare}))
			dev := p.device()
			dev.Serials = nil
			res, texts := capture(t, b, r, dev)
			if res.Result != configs.Kept || texts[configs.MainFile] == "" {
				t.Errorf("%s %s", res.Result, res.Error)
			}
		})
	}
}

// TestAConfigurationIsKeptHoweverItsLinesEnd: some systems fill their lines with
// blanks, strew NULs, or write empty lines around the text.
func TestAConfigurationIsKeptHoweverItsLinesEnd(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, p := range byRoad(t, c, 60, "shell", "exec") {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			odd := *p.Transcript
			odd.Answers = maps.Clone(p.Answers)
			for _, command := range p.Configurations() {
				var pages simulator.Answer
				for _, page := range p.Answers[command] {
					pages = append(pages, strings.ReplaceAll(page, "\n", "\x00  \n\x00"))
				}
				pages[0], pages[len(pages)-1] = "\n  \n"+pages[0], pages[len(pages)-1]+"  \n\n"
				odd.Answers[command] = pages
			}
			b, r := backup(puller(c, &simulator.Device{T: &odd}))
			if res, _ := capture(t, b, r, p.device()); res.Result != configs.Kept {
				t.Errorf("%s %s", res.Result, res.Error)
			}
		})
	}
}
