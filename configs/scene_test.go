package configs_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/memory"
	"belay/configs/redact"
	"belay/devices"
)

// A scene is a Backup with every part in memory, and a device that answers each
// reading as a test has written it down. A reading more than that is a failure.
type scene struct {
	*configs.Backup
	t          *testing.T
	repository *repository
	quarantine *memory.Quarantine
	log        *memory.CheckLog
	device     devices.Device

	mu      sync.Mutex
	answers []answer
	pulls   int
}

type answer struct {
	capture configs.Capture
	err     error
}

// A repository notes what it was asked to keep.
type repository struct {
	*memory.Repository
	asked []configs.Snapshot
}

func (r *repository) Commit(ctx context.Context, s configs.Snapshot) (configs.Version, error) {
	r.asked = append(r.asked, s)
	return r.Repository.Commit(ctx, s)
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func newScene(t *testing.T) *scene {
	s := &scene{
		t: t, repository: &repository{Repository: &memory.Repository{}}, quarantine: &memory.Quarantine{}, log: &memory.CheckLog{},
		device: devices.Device{Customer: "acme", Name: "fw-hq"},
	}
	s.Backup = &configs.Backup{
		Puller: &memory.Puller{Capture: s.answer}, Repository: s.repository, Sealer: &memory.Sealer{},
		CheckLog: s.log, Quarantine: s.quarantine, Now: func() time.Time { return noon },
	}
	return s
}

func (s *scene) answer(d devices.Device) (configs.Capture, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.ID() != s.device.ID() {
		s.t.Errorf("%s was read, want %s", d, s.device)
	}
	if s.pulls++; s.pulls > len(s.answers) {
		s.t.Errorf("reading %d, only %d are wanted", s.pulls, len(s.answers))
		return configs.Capture{}, errors.New("nothing scripted")
	}
	a := s.answers[s.pulls-1]
	return a.capture, a.err
}

var person = configs.Person{Name: "Ada"}

// capture reads the device once by o; exactly the answers must be used up.
func (s *scene) capture(o configs.Order, answers ...answer) configs.Result {
	s.t.Helper()
	s.answers, s.pulls = answers, 0
	o.By = person
	r := s.Capture(s.t.Context(), s.device, o)
	if s.pulls != len(answers) {
		s.t.Errorf("%d readings, want %d", s.pulls, len(answers))
	}
	return r
}

// versions is how many versions of the device are kept.
func (s *scene) versions() (n int) {
	for _, err := range s.repository.History(s.t.Context(), s.device.ID()) {
		if err != nil {
			s.t.Fatal(err)
		}
		n++
	}
	return n
}

// kept is the newest text.
func (s *scene) kept() string {
	s.t.Helper()
	v, ok, err := s.repository.Newest(s.t.Context(), s.device.ID())
	if err != nil || !ok {
		s.t.Fatalf("nothing is kept: %v", err)
	}
	texts, err := s.repository.Texts(s.t.Context(), v)
	if err != nil {
		s.t.Fatal(err)
	}
	return texts[0].Clean.String()
}

// held is what is in quarantine.
func (s *scene) held() (configs.Refusal, bool) {
	r, ok, err := s.quarantine.Held(s.t.Context(), s.device.ID())
	if err != nil {
		s.t.Fatal(err)
	}
	return r, ok
}

// want holds a result to its outcome, and its error to a kind.
func want(t *testing.T, r configs.Result, o configs.Outcome, k devices.Kind) {
	t.Helper()
	if r.Result != o {
		t.Errorf("result %s (%s), want %s", r.Result, r.Error, o)
	}
	if r.Err == nil {
		t.Errorf("no error, want one of kind %d", k)
	} else if devices.KindOf(r.Err) != k {
		t.Errorf("kind %d (%v), want %d", devices.KindOf(r.Err), r.Err, k)
	}
	if r.Verified {
		t.Error("verified")
	}
	if r.Error == "" || r.Error != r.Err.Error() {
		t.Errorf("the result says %q, its error %v", r.Error, r.Err)
	}
}

// wantGood holds a result to an outcome without an error.
func wantGood(t *testing.T, r configs.Result, o configs.Outcome) {
	t.Helper()
	if r.Result != o || r.Err != nil || r.Error != "" || r.Hint != "" {
		t.Errorf("result %s, error %q (%v), hint %q; want %s", r.Result, r.Error, r.Err, r.Hint, o)
	}
}

// failed are the names of the checks that failed.
func failed(checks []configs.Check) (names []string) {
	for _, c := range checks {
		if !c.OK {
			names = append(names, c.Name)
		}
	}
	return names
}

func wantFailed(t *testing.T, checks []configs.Check, names ...string) {
	t.Helper()
	if got := failed(checks); !slices.Equal(got, names) {
		t.Errorf("failed checks %q, want %q: %+v", got, names, checks)
	}
}

// marked is a system with an end mark, unmarked one without, salted one that
// shows its secrets differently each time.
var marked, unmarked, salted = rules(false, 1), rules(false, 2), rules(true, 1)

func rules(salted bool, agree int) configs.Rules {
	secrets, err := redact.Compile([]string{`^! clock .*\n`}, []redact.Rule{{Name: "password", Find: regexp.MustCompile(`(?m)^password (?P<secret>\S+)`), Salted: salted}})
	if err != nil {
		panic(err)
	}
	k := configs.Completeness{Agree: agree, Sections: []*regexp.Regexp{regexp.MustCompile(`(?m)^hostname `)}, Failure: []*regexp.Regexp{regexp.MustCompile(`(?m)^% Invalid.*`)}}
	if agree < 2 {
		k.Ends = regexp.MustCompile(`(?m)^end\n*\z`)
	}
	return configs.Rules{Redact: secrets, Complete: k, Grading: configs.Grading{Level: configs.Restore}}
}

// config is a whole configuration of n ports.
func config(n int) string {
	var b strings.Builder
	b.WriteString("hostname fw-hq\n")
	for i := range n {
		fmt.Fprintf(&b, "interface port%d\n", i)
	}
	b.WriteString("end\n")
	return b.String()
}

// cut is a configuration that lost its second half.
func cut(text string) string { return text[:len(text)*3/5] }

// says is a reading of one text; the device sends CR LF.
func says(r configs.Rules, text string, serials ...string) answer {
	return answer{capture: configs.Capture{
		Driver: "test", Identity: devices.Identity{Hostname: "fw-hq", Serials: serials}, Rules: r, Began: noon,
		Files: []configs.File{{Name: configs.MainFile, Raw: []byte(strings.ReplaceAll(text, "\n", "\r\n")), Text: []byte(text)}},
	}}
}

func fails(k devices.Kind) answer {
	return answer{err: &devices.Error{Kind: k, Op: "dial", Device: "acme/fw-hq", Err: errors.New("no luck")}}
}

// on makes one operation of a port fail.
func on(op string, err error) memory.Faults {
	return memory.Faults{Fail: func(o string) error {
		if o == op {
			return err
		}
		return nil
	}}
}

func second(ok bool) *memory.Prover {
	return &memory.Prover{Proof: configs.Proof{Name: "remote", Done: true, OK: ok, Second: true, Detail: "what it said"}}
}
