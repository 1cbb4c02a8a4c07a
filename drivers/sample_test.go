package drivers_test

import (
	"cmp"
	"hash/fnv"
	"os"
	"slices"
	"strings"
	"testing"
)

// How many of a transcript's cases are played in a run that is not to take long.
// BELAY_FAULTS=all plays every cut at every line.
const (
	fewLines    = 7  // cuts at a line
	fewPercents = 4  // cuts after so much
	fewOthers   = 22 // all else that is done wrong
)

// sampled chooses from a transcript's cases: the same at each run, spread over the
// whole text, and others for each transcript, so that together they leave nothing
// out. The last lines are always among them: there a cut shows least.
func sampled(all []faulty, transcript string) []faulty {
	if os.Getenv("BELAY_FAULTS") == "all" {
		return all
	}
	var lines, percents, others []faulty
	for _, f := range all {
		switch {
		case strings.Contains(f.name, "cut at line"):
			lines = append(lines, f)
		case strings.HasPrefix(f.name, "cut at"):
			percents = append(percents, f)
		default:
			others = append(others, f)
		}
	}
	share := 1
	if raced { // a case is twenty times as dear
		share = 7
	}
	seed := seedOf(transcript)
	last := lines[max(0, len(lines)-1):]
	lines = lines[:len(lines)-len(last)]
	return slices.Concat(spread(lines, fewLines/share, seed), last, spread(percents, cmp.Or(fewPercents/share, 1), seed), spread(others, fewOthers/share, seed))
}

func seedOf(transcript string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(transcript))
	return int(h.Sum32() % 9973)
}

// few are those of a transcript's cases that are played over a real session, too.
func few(list []faulty, transcript string) []faulty {
	switch {
	case os.Getenv("BELAY_FAULTS") == "all":
		return list
	case raced:
		return spread(list, 2, seedOf(transcript))
	}
	return spread(list, 5, seedOf(transcript))
}

// spread takes n of a list, at equal distances, beginning anywhere.
func spread[T any](list []T, n, seed int) []T {
	if n >= len(list) {
		return list
	}
	var out []T
	for i := range n {
		out = append(out, list[(seed+i*len(list)/n)%len(list)])
	}
	return out
}

// TestTheSampleLeavesNothingOut: of a hundred transcripts together every kind of
// fault is played, and cuts everywhere.
func TestTheSampleLeavesNothingOut(t *testing.T) {
	t.Parallel()
	if os.Getenv("BELAY_FAULTS") == "all" {
		t.Skip("every case is played")
	}
	d, err := load(t).Find("cisco_ios")
	if err != nil {
		t.Fatal(err)
	}
	all := faults(d, 200, 6000)
	seen := map[string]int{}
	cases := 0
	for i := range 100 {
		name := "system-" + strings.Repeat("x", i)
		chosen := sampled(all, name)
		if !slices.EqualFunc(chosen, sampled(all, name), func(a, b faulty) bool { return a.name == b.name }) {
			t.Fatal("the choice is another one each time")
		}
		for _, f := range chosen {
			seen[f.name]++
		}
		cases += len(chosen)
	}
	missed := 0
	for _, f := range all {
		switch cut := strings.Contains(f.name, "cut at"); {
		case seen[f.name] == 0 && !cut:
			t.Errorf("%q is never played", f.name)
		case seen[f.name] == 0:
			missed++
		}
	}
	if missed > len(all)/5 && !raced {
		t.Errorf("%d of %d cases are never played", missed, len(all))
	}
	if seen["cut at line 198"] != 100 {
		t.Errorf("the last line is cut %d times", seen["cut at line 198"])
	}
	t.Logf("%d cases of a hundred transcripts, instead of %d", cases, 100*len(all))
}
