package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/memory"
	"belay/configs/outbox"
	"belay/devices"
)

// A process can be killed between any two of its acts: from then on nothing that
// it does has any effect, and what was under way may have been done or not.
type process struct {
	mu   sync.Mutex
	left int // acts; negative: it lives for ever
	rand *rand.Rand
	dead bool
}

var errKilled = errors.New("killed")

// act does one thing, unless the process is dead. The act of its death may be
// done all the same, but nobody hears of it.
func (p *process) act(do func() error) error {
	p.mu.Lock()
	if p.dead {
		p.mu.Unlock()
		return errKilled
	}
	last := p.left == 0
	p.dead = last
	p.left--
	done := !last || p.rand.IntN(2) == 0
	p.mu.Unlock()
	if !done {
		return errKilled
	}
	if err := do(); err != nil || !last {
		return err
	}
	return errKilled
}

// mortalOutbox and mortalDoc are what a process sees of the world.
type mortalOutbox struct {
	*memory.Outbox
	p *process
}

func (m mortalOutbox) Put(ctx context.Context, ls ...configs.Letter) (out []configs.Letter, err error) {
	err = m.p.act(func() error { out, err = m.Outbox.Put(ctx, ls...); return err })
	return out, err
}

func (m mortalOutbox) Claim(ctx context.Context, id int64, until time.Time) (l configs.Letter, ok bool, err error) {
	err = m.p.act(func() error { l, ok, err = m.Outbox.Claim(ctx, id, until); return err })
	return l, ok && err == nil, err
}

func (m mortalOutbox) Save(ctx context.Context, l configs.Letter, es ...configs.Event) error {
	return m.p.act(func() error { return m.Outbox.Save(ctx, l, es...) })
}

func (m mortalOutbox) Renew(ctx context.Context, l configs.Letter, until time.Time) error {
	return m.p.act(func() error { return m.Outbox.Renew(ctx, l, until) })
}

type mortalItems struct {
	*memory.Items
	p *process
}

func (m mortalItems) Map(ctx context.Context, mp configs.Mapping) error {
	return m.p.act(func() error { return m.Items.Map(ctx, mp) })
}

func (m mortalItems) Mappings(ctx context.Context, to string) iter.Seq2[configs.Mapping, error] {
	return m.Items.Mappings(ctx, to)
}

type mortalDoc struct {
	*memory.Documentation
	p *process
}

func (m mortalDoc) Attach(ctx context.Context, it configs.Item, f configs.Attached) (a configs.Attachment, err error) {
	err = m.p.act(func() error { a, err = m.Documentation.Attach(ctx, it, f); return err })
	return a, err
}

func (m mortalDoc) Attached(ctx context.Context, it configs.Item) (as []configs.Attachment, err error) {
	err = m.p.act(func() error { as, err = m.Documentation.Attached(ctx, it); return err })
	return as, err
}

func (m mortalDoc) FindItems(ctx context.Context, w configs.Wanted) (is []configs.Item, err error) {
	err = m.p.act(func() error { is, err = m.Documentation.FindItems(ctx, w); return err })
	return is, err
}

func (m mortalDoc) RemoveAttachment(ctx context.Context, it configs.Item, a configs.Attachment) error {
	return m.p.act(func() error { return m.Documentation.RemoveAttachment(ctx, it, a) })
}

// start is an office in a process that is killed after so many acts.
func (s *scene) start(p *process) *outbox.Office {
	o := s.office()
	place := s.place
	place.System = mortalDoc{s.doc, p}
	o.Outbox, o.Items = mortalOutbox{s.outbox, p}, mortalItems{s.items, p}
	o.Places = func(string) []outbox.Place { return []outbox.Place{place} }
	return o
}

// weather is trouble of every kind, as often as it is told, the same for the
// same seed. Late uploads land within most.
func weather(seed uint64, chance float64, most time.Duration) func(string, configs.Item) memory.Trouble {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(seed, 1))
	lost := errors.New("connection lost")
	return func(op string, _ configs.Item) memory.Trouble {
		mu.Lock()
		defer mu.Unlock()
		if r.Float64() >= chance {
			return memory.Trouble{}
		}
		all := []memory.Trouble{
			{Err: &configs.Declined{Why: configs.Busy, After: time.Duration(r.IntN(60)) * time.Second, Err: errors.New("429 too many requests")}},
			{Err: &configs.Declined{Why: configs.Busy, Err: errors.New("connection refused")}},
			{Err: errors.New("500")},
			{Err: errors.New("500"), Done: true},
			{Err: errors.New("504"), Done: true},
			{Err: lost, Done: true},
			{Err: lost},
		}
		if op == "Attach" {
			all = append(all, memory.Trouble{Err: lost, Late: time.Duration(r.Int64N(int64(most)))}, memory.Trouble{Late: time.Duration(r.Int64N(int64(most)))}, memory.Trouble{Cut: 1})
		}
		return all[r.IntN(len(all))]
	}
}

func TestAThousandSnapshotsHangOnceEachThroughStormsAndRestarts(t *testing.T) {
	t.Parallel()
	const boxes, rounds = 100, 10
	s := newScene(t)
	r := rand.New(rand.NewPCG(7, 7))
	var ids []devices.ID
	for i := range boxes {
		ids = append(ids, devices.ID(fmt.Sprintf("%s/fw-%02d", []string{"acme", "bolt", "cord", "dune"}[i%4], i)))
		s.device(ids[i])
	}
	s.doc.Trouble = weather(11, 0.35, 170*time.Second)
	texts := map[devices.ID][]string{}
	var errs []error
	killed := 0
	for round := range rounds {
		p := &process{left: 50 + r.IntN(400), rand: rand.New(rand.NewPCG(uint64(round), 3))}
		o := s.start(p)
		for _, id := range ids {
			text := fmt.Sprintf("%s in round %d", id, round)
			texts[id] = append(texts[id], text)
			v := s.commit(id, text)
			if p.dead {
				killed++
				s.pass(2 * time.Minute) // leases end
				p = &process{left: 50 + r.IntN(400), rand: p.rand}
				o = s.start(p)
			}
			_, err := s.prove(o, v)
			if p.dead { // the next process proves what this one has begun
				p = &process{left: 50 + r.IntN(400), rand: p.rand}
				o = s.start(p)
				_, err = s.prove(o, v)
				killed++
			}
			errs = append(errs, err)
			s.pass(time.Duration(r.IntN(20)) * time.Second)
		}
		for range 3 {
			p := &process{left: 100 + r.IntN(900), rand: p.rand}
			s.start(p).Drain(t.Context(), s.Now(), nil)
			s.pass(time.Duration(r.IntN(10)) * time.Minute)
		}
	}
	// The storm is over, and whoever was put in the outbox arrives.
	s.doc.Trouble = nil
	for range 200 {
		s.pass(20 * time.Minute)
		s.drain(s.office())
		if len(s.letters(configs.LetterFilter{Waiting: true})) == 0 {
			break
		}
	}
	if n := len(s.letters(configs.LetterFilter{})); n < boxes*rounds*9/10 {
		t.Errorf("only %d letters were ever put", n)
	}
	for _, id := range ids {
		for v, err := range s.kept.History(t.Context(), id) { // what a killed process did not even put
			if err != nil {
				t.Fatal(err)
			}
			s.mustProve(s.office(), v)
		}
		s.wantOne(id, texts[id]...)
	}
	if waiting := s.letters(configs.LetterFilter{Waiting: true}); len(waiting) > 0 {
		t.Errorf("%d letters still wait, the first %+v", len(waiting), waiting[0])
	}
	if killed < 10 {
		t.Errorf("only %d processes were killed", killed)
	}
	if n := len(s.events("attach")); n != boxes*rounds {
		t.Errorf("%d events tell of attachments, want %d", n, boxes*rounds)
	}
	s.wantNoneTwice()
	s.wantNoSecret(errs...)
}

// wantNoneTwice fails if anything was sent twice and had to be taken down: that
// is for what lands later than a system may be expected to take.
func (s *scene) wantNoneTwice() {
	s.t.Helper()
	for _, e := range s.events("unattach") {
		if e.Detail["why"] == "it landed twice" {
			s.t.Errorf("%s was sent twice: %v", e.Device, e.Detail["name"])
		}
	}
}

func TestInCalmWeatherAChangedDeviceCostsTwoCallsAndAnUnchangedOneNone(t *testing.T) {
	t.Parallel()
	const boxes = 250
	s := newScene(t)
	var ids []devices.ID
	for i := range boxes {
		ids = append(ids, devices.ID(fmt.Sprintf("acme/fw-%03d", i)))
		s.device(ids[i])
	}
	prove := func(round int) {
		o := s.office()
		for _, id := range ids {
			s.mustProve(o, s.commit(id, fmt.Sprintf("%s in round %d", id, round)))
		}
	}
	prove(0)
	if c := s.doc.Calls(); c["FindItems"] != boxes || c["Attach"] != boxes || c["Attached"] != boxes || len(c) != 3 {
		t.Errorf("the first night cost %v", c)
	}
	prove(1)
	if c := s.doc.Calls(); c["Items"] != 3 || c["Attach"] != boxes || c["Attached"] != boxes || len(c) != 3 {
		t.Errorf("the second night cost %v, want 3 looks and two calls for each device", c)
	}
	prove(1)
	if c := s.doc.Calls(); len(c) != 0 {
		t.Errorf("a night without changes cost %v", c)
	}
}

func TestADayOfOutageIsMadeUpForAndLittleAskedMeanwhile(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	down := true
	s.doc.Fail = func(string) error {
		if down {
			return &configs.Declined{Why: configs.Busy, Err: errors.New("connection refused")}
		}
		return nil
	}
	var ids []devices.ID
	for i := range 200 {
		ids = append(ids, devices.ID(fmt.Sprintf("acme/fw-%03d", i)))
		s.device(ids[i])
	}
	o := s.office()
	var errs []error
	for _, id := range ids {
		_, err := s.prove(o, s.commit(id, string(id)))
		if devices.KindOf(err) != devices.AttachmentPending {
			t.Fatalf("error %v, want one that is pending", err)
		}
		errs = append(errs, err)
	}
	for range 24 * 60 { // the service looks every minute
		s.pass(time.Minute)
		s.drain(o)
	}
	asked := 0
	for _, n := range s.doc.Calls() {
		asked += n
	}
	if asked > 500 {
		t.Errorf("asked %d times in a day of outage", asked)
	}
	down = false
	for range 40 {
		s.pass(time.Minute)
		s.drain(o)
	}
	for _, id := range ids {
		s.wantOne(id, string(id))
	}
	s.wantNoSecret(errs...)
}

func TestTwoOfficesOnOneOutboxSendEachLetterOnce(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.doc.Trouble = weather(5, 0.2, time.Minute)
	var ids []devices.ID
	down := true
	s.doc.Fail = func(string) error {
		if down {
			return &configs.Declined{Why: configs.Busy, Err: errors.New("down")}
		}
		return nil
	}
	for i := range 60 {
		ids = append(ids, devices.ID(fmt.Sprintf("acme/fw-%03d", i)))
		s.device(ids[i])
		s.prove(s.office(), s.commit(ids[i], string(ids[i])))
	}
	down = false
	a, b := s.office(), s.office()
	for range 60 {
		s.pass(5 * time.Minute)
		var wg sync.WaitGroup
		for _, o := range []*outbox.Office{a, b} {
			wg.Go(func() {
				if err := o.Drain(t.Context(), s.Now(), nil); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() { // and a capture in between
				for _, id := range ids[:10] {
					if v, ok, err := s.kept.Newest(t.Context(), id); err == nil && ok {
						s.prove(o, v)
					}
				}
			})
		}
		wg.Wait()
	}
	for _, id := range ids {
		s.wantOne(id, string(id))
	}
	s.wantNoneTwice()
	if n := len(s.events("attach")); n != len(ids) {
		t.Errorf("%d events tell of attachments, want %d", n, len(ids))
	}
}
