package fleet

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"belay/configs"
	"belay/configs/memory"
	"belay/devices"
)

// A ward is a scene of four devices at hq and one elsewhere, over nights, whose
// passwords may be wrong.
type ward struct {
	*scene
	clock *clock
	marks *memory.Marks
	wrong map[string]devices.Kind
	jobs  []Job
}

func newWard(t *testing.T) *ward {
	w := &ward{clock: &clock{at: night}, marks: &memory.Marks{}, wrong: map[string]devices.Kind{}}
	w.jobs = append(jobsOf(Nightly, 4, "acme", "hq"), job(Nightly, "acme", "depot", 0))
	w.restart(t)
	return w
}

// restart is another process on the same marks.
func (w *ward) restart(t *testing.T) {
	w.scene = newScene(t, Limits{All: 1})
	w.Now = w.clock.now
	w.resting(w.marks)
	w.answer = func(_ context.Context, j Job) configs.Result {
		if k, ok := w.wrong[j.Device.Name]; ok {
			return failing(k)
		}
		return kept()
	}
}

// night runs all jobs and tells who was read, in order, then who rested.
func (w *ward) night() string {
	w.finals = nil
	w.Run(w.t.Context(), w.jobs, w.told)
	var rested []string
	for _, f := range w.finals {
		if r, ok := errors.AsType[*Resting](f.Err); ok {
			rested = append(rested, f.Job.Device.Name)
			if f.Result.Result != configs.Denied || devices.KindOf(f.Err) != devices.Denied || f.Tries != 0 || f.Error != f.Err.Error() || r.Rest.Error == "" || f.Checks == nil {
				w.t.Errorf("a rest was told as %+v", f)
			}
		}
	}
	slices.Sort(rested)
	return strings.Join(w.begun(), " ") + " / " + strings.Join(rested, " ")
}

// resting is what rests now, by key.
func (w *ward) rests() string {
	w.t.Helper()
	var keys []string
	for r, err := range (&Rests{Marks: w.marks, Now: w.clock.now}).All(w.t.Context()) {
		if err != nil {
			w.t.Error(err)
		}
		keys = append(keys, r.Key())
	}
	return strings.Join(keys, ", ")
}

func (w *ward) want(what, got, want string) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("%s: %s, want %s", what, got, want)
	}
}
