package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"belay/configs"
	"belay/devices"
	"belay/store/docsystem/itglue/standin"
)

// A storm is a service that is killed again and again, the switches that it
// captures, and what it said of them.
type storm struct {
	*play
	crowd     *crowd
	customers int
	glue      *standin.Server
	porch     *porch
	ahead     time.Duration // of the service's clock
	epoch     int           // of the switches, each with a slot of its own
	slot      time.Time     // of this epoch
	takes     time.Duration // a round, as long as the last whole one, and not too long
	wholes    int           // so many lives to one that sees a round's end

	acked  map[string]promise // by device and version: said to be kept
	rows   map[devices.ID]configs.Checked
	done   map[int]bool // captured for this slot, and that is on disk
	asked  map[int]bool // read for a person within this epoch
	reads  []int
	kills  int
	rounds int // that ended
	failed int // readings that made no version
	most   int // captures that were under way when it was killed
}

// A promise is what a version must hold for good.
type promise struct {
	device, version, marker string
	verified, kept          bool // by the reading that made it
}

// TestServiceThroughKills kills the service at any moment, with all its switches'
// captures under way, pushes, attachments, packing and the scrub: nothing that it
// said was kept is lost, nothing is there twice, and it goes on by itself. With
// BELAY_KILLS=300 there are 1,000 switches and so many kills.
func TestServiceThroughKills(t *testing.T) {
	part(t, "git", "git")
	kills, boxes, customers, enough := 40, 120, 6, 90*time.Second
	if raced || testing.Short() { // make test runs all of it once more, without
		kills, boxes, enough = 6, 24, 25*time.Second
	}
	if n, err := strconv.Atoi(os.Getenv("BELAY_KILLS")); err == nil {
		kills, boxes, customers, enough = n, 1000, 20, 12*time.Hour
	} else {
		t.Parallel()
	}
	s := newStorm(t, boxes, customers)
	began := time.Now()
	if s.wholes = 8; kills > 100 {
		s.wholes = 20
	}
	s.next(t, true)
	for life := 1; s.kills < kills && time.Since(began) < enough; life++ {
		s.live(t, life)
		s.look(t)
		s.weather(t, life)
		if life%25 == 0 {
			t.Logf("%s: %d lives, %d kills, %d whole rounds", time.Since(began).Round(time.Second), life, s.kills, s.rounds)
		}
	}
	if !raced && !testing.Short() && (s.kills < 12 || s.rounds < 2 || s.most < boxes/2) {
		t.Errorf("%d kills, %d whole rounds, %d captures at once: the test shows little", s.kills, s.rounds, s.most)
	}
	s.end(t)
	t.Logf("%d kills, at most %d captures under way, %d whole rounds of %d switches, %d versions acknowledged, %d readings failed, in %s",
		s.kills, s.most, s.rounds, boxes, len(s.acked), s.failed, time.Since(began).Round(time.Second))
}

func newStorm(t *testing.T, boxes, customers int) *storm {
	s := &storm{
		crowd: startCrowd(t, boxes, 4<<10, 100*time.Millisecond), customers: customers, glue: standin.New(), takes: 3 * time.Second,
		acked: map[string]promise{}, rows: map[devices.ID]configs.Checked{}, reads: make([]int, boxes),
	}
	s.porch = newPorch(t, s.glue, s.glue.Settle, false)
	s.glue.AddOrganization(standin.Organization{ID: 2041, Name: "C00"})
	for i := 0; i < boxes; i += customers {
		s.glue.AddConfiguration(standin.Configuration{ID: 10_000 + i, Organization: 2041, Name: fmt.Sprintf("SW%05d", i), Serial: crowdSerial(i)})
	}
	s.play = newStation(t, s.crowd, customers, eachDay()+fmt.Sprintf(`
concurrency: {all: %d, site: %[1]d}
remotes: {default: {url: 'remotes/{customer}.git', elsewhere: true}}
documentation: {itglue: {itglue: {url: '%s', key: {env: ITGLUE_KEY}, attach: original, keep: 0}}}
customers: {c00: {documentation: itglue, organization: 2041}}
`, boxes, s.porch.url), "ITGLUE_KEY="+standin.Key)
	for i := range customers {
		s.bare(fmt.Sprintf("remotes/c%02d.git", i))
	}
	introduced(s.play, boxes)
	s.slot = time.Now().Add(12 * time.Hour)
	return s
}

// next is the next night: the clock is ahead, and somebody has configured some.
func (s *storm) next(t *testing.T, all bool) {
	s.epoch++
	every := 3
	if all {
		every = 1
	}
	s.crowd.change(s.epoch, every)
	s.ahead = time.Duration(s.epoch)*24*time.Hour - 11*time.Hour
	s.done, s.asked = map[int]bool{}, map[int]bool{}
	s.reads = s.crowd.reads()
}

// due is the slot of this epoch: the moment of the daily schedule before the clock.
func (s *storm) due() time.Time { return s.slot.Add(time.Duration(s.epoch-1) * 24 * time.Hour) }

// live has the service live for a while. Some lives see a round's end.
func (s *storm) live(t *testing.T, life int) {
	whole := life%s.wholes == 0
	d := begin(s.play, s.ahead)
	moment := rand.N(s.takes)
	switch {
	case whole:
		if !d.says("the round ended", 3*time.Minute) {
			t.Fatalf("the round does not end\n%.8000s", d.log())
		}
		s.takes = min(max(2*time.Second, time.Since(d.began)), 8*time.Second)
		s.rounds++
		eventually(t, func() bool { return len(s.finished(t)) == len(s.crowd.now) })
	case life%4 == 1: // just when an attachment has come to a certain point
		var once sync.Once
		at := []string{"POST comes", "POST is done", "GET is done"}[rand.IntN(3)]
		hit := make(chan struct{})
		s.porch.listen(func(m string) {
			if m == at {
				once.Do(func() { close(hit) })
			}
		})
		select {
		case <-hit:
		case <-time.After(s.takes):
		}
		s.porch.listen(nil)
	case life%4 == 2: // with all of them under way
		for end := time.Now().Add(s.takes); time.Now().Before(end) && s.crowd.busy() < len(s.crowd.now)*9/10; {
			time.Sleep(time.Millisecond)
		}
	case life%4 == 3 && d.says("belay serves", time.Minute): // a person asks, and is answered or not
		i := rand.IntN(len(s.crowd.now))
		s.asked[i] = true
		c := s.command("capture", s.crowd.device(i, s.customers), "--json")
		asked := make(chan string, 1)
		go func() { out, _ := c.Output(); asked <- string(out) }()
		time.Sleep(moment)
		s.most = max(s.most, s.crowd.busy())
		s.killed(d)
		s.heard(i, <-asked)
		return
	default:
		time.Sleep(moment)
	}
	s.most = max(s.most, s.crowd.busy())
	s.killed(d)
}

func (s *storm) killed(d *duty) {
	if d.kill() {
		s.kills++
		return
	}
	s.t.Fatalf("it ended by itself\n%.8000s", d.log())
}

// heard takes what a command was told.
func (s *storm) heard(i int, out string) {
	r, whole := parseResult([]byte(out))
	if whole && r.Version != "" && (r.Result == "kept" || r.Result == "unchanged") {
		s.promise(promise{r.Device, r.Version, s.crowd.now[i], r.Verified, false})
	}
}

func (s *storm) promise(p promise) {
	key := p.device + " " + p.version
	before := s.acked[key]
	p.verified, p.kept = p.verified || before.verified, p.kept || before.kept
	s.acked[key] = p
}

// finished are the switches that were captured for this epoch's slot.
func (s *storm) finished(t *testing.T) map[int]bool {
	done, slots := map[int]bool{}, slotsOf(s.play)
	for i := range s.crowd.now {
		if seen := slots[s.id(i)]; seen.Slot.After(s.due().Add(-time.Hour)) {
			done[i] = true
		}
	}
	return done
}

func (s *storm) id(i int) devices.ID { return devices.ID(s.crowd.device(i, s.customers)) }

// look holds what is on disk after a kill to what was promised so far.
func (s *storm) look(t *testing.T) {
	reads, done := s.crowd.reads(), s.finished(t)
	for i := range s.crowd.now {
		if s.done[i] && !s.asked[i] && reads[i] > s.reads[i] {
			t.Errorf("%s was read again for a slot it had been captured for", s.id(i))
		}
	}
	l := openLedger(s.play)
	defer l.Close()
	for row, err := range l.Newest(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if row.At.Equal(s.rows[row.ID].At) {
			continue
		}
		s.rows[row.ID] = row
		if row.Result != configs.Kept && row.Result != configs.Unchanged {
			// A thousand handshakes on two processors may take longer than one may.
			if s.failed++; s.failed < 10 {
				t.Logf("%s was %s: %s", row.ID, row.Result, row.Error)
			}
			continue
		}
		_, number, _ := strings.Cut(string(row.ID), "/sw")
		i, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(err)
		}
		s.promise(promise{string(row.ID), row.Commit, s.crowd.now[i], row.Verified, row.Result == configs.Kept})
	}
	for i := range done {
		if row := s.rows[s.id(i)]; row.At.Before(s.due()) {
			t.Errorf("%s counts as captured for the slot of %s and was last read at %s", s.id(i), s.due(), row.At)
		}
	}
	s.done, s.reads = done, reads
	if t.Failed() {
		t.FailNow()
	}
}

// weather is what happens between two lives.
func (s *storm) weather(t *testing.T, life int) {
	s.glue.Clear()
	if o := []string{"", "late next=1", "drop next=1", "slow 60ms", "500 next=1 method=POST done", "429 next=1 retry-after=2", "cut next=1"}[life%7]; o != "" {
		if err := s.glue.Order(o); err != nil {
			t.Fatal(err)
		}
	}
	switch {
	case len(s.done) == len(s.crowd.now) || life%11 == 0:
		s.porch.settle(t)
		s.next(t, life%3 == 0)
	case life%3 == 0:
		s.porch.settle(t)
		s.ahead += 130 * time.Second
	}
}
