package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"belay/configs"
	"belay/configs/memory"
	"belay/devices"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A scene is an engine, what its devices answer, and what was read and told.
type scene struct {
	*Engine
	t      *testing.T
	answer func(ctx context.Context, j Job) configs.Result

	mu     sync.Mutex
	read   []string // device names, as their captures began
	finals []Final
}

func newScene(t *testing.T, l Limits) *scene {
	s := &scene{t: t}
	s.answer = func(context.Context, Job) configs.Result { return kept() }
	s.Engine = &Engine{Limits: l, Now: time.Now, Capture: func(ctx context.Context, j Job) configs.Result {
		s.mu.Lock()
		s.read = append(s.read, j.Device.Name)
		s.mu.Unlock()
		r := s.answer(ctx, j)
		r.Device, r.ID = j.Device.String(), j.Device.ID()
		return r
	}}
	return s
}

// resting has the engine remember refused logins in marks.
func (s *scene) resting(m configs.Marks) *scene {
	s.Rests = &Rests{Marks: m, Now: s.Now}
	return s
}

// told is for Run and Submit.
func (s *scene) told(f Final) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finals = append(s.finals, f)
}

// begun is what was read so far, and forgets it.
func (s *scene) begun() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.read
	s.read = nil
	return list
}

// last is the only final told since the last call.
func (s *scene) last() Final {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.finals) != 1 {
		s.t.Fatalf("%d results were told, want 1: %+v", len(s.finals), s.finals)
	}
	f := s.finals[0]
	s.finals = nil
	return f
}

// wait is until nothing is open.
func (s *scene) wait() {
	s.t.Helper()
	if err := s.Wait(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

func kept() configs.Result { return configs.Result{Result: configs.Kept} }

var outcomes = map[devices.Kind]configs.Outcome{
	devices.Unreachable: configs.Unreachable, devices.Denied: configs.Denied, devices.NotAllowed: configs.Denied,
	devices.Refused: configs.Refused, devices.Unproven: configs.Kept, devices.AttachmentPending: configs.Unchanged,
}

func failing(k devices.Kind) configs.Result {
	o, ok := outcomes[k]
	if !ok {
		o = configs.Failed
	}
	err := &devices.Error{Kind: k, Op: "log in", Err: errors.New("no luck")}
	return configs.Result{Result: o, Err: err, Error: err.Error()}
}

// job is of device site-n, of the customer that the site begins with.
func job(why Why, customer, site string, n int) Job {
	return Job{Why: why, Device: devices.Device{Customer: customer, Site: site, Name: fmt.Sprintf("%s-%d", site, n)}}
}

func jobsOf(why Why, n int, customer string, sites ...string) (list []Job) {
	for _, s := range sites {
		for i := range n {
			list = append(list, job(why, customer, s, i))
		}
	}
	return list
}

// A clock is set by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

var night = time.Date(2026, 3, 4, 1, 15, 0, 0, time.UTC)

func onMarks(op string, err error) *memory.Marks {
	return &memory.Marks{Faults: memory.Faults{Fail: func(o string) error {
		if o == op {
			return err
		}
		return nil
	}}}
}
