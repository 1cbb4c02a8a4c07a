package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"belay/configs"
	"belay/devices"
)

// An asked is what a technician was told.
type asked struct {
	device, ticket string
	answer         result
	out            string
	err            error
	took           time.Duration
	at             time.Time
}

// ask is a technician's command, as a process of its own.
func ask(p *play, device, ticket string, args ...string) asked {
	a := asked{device: device, ticket: ticket}
	c := p.command(append(args, "--ticket", ticket, "--json")...)
	var errs bytes.Buffer
	c.Stderr = &errs
	began := time.Now()
	out, err := c.Output()
	a.took, a.at, a.out = time.Since(began), time.Now(), string(out)
	if err != nil {
		a.err = fmt.Errorf("%w: %s%s", err, out, errs.String())
	}
	a.answer, _ = parseResult(bytes.TrimSpace(out)) // a receipt is none
	return a
}

// TestTechniciansGoBeforeTheNight has technicians ask for devices while a night
// holds every session, one device after the other that takes its time: each is
// answered before the night is over, by its own device, under its own ticket.
func TestTechniciansGoBeforeTheNight(t *testing.T) {
	t.Parallel()
	part(t, "git", "git")
	boxes, people, latency := 240, 30, 400*time.Millisecond
	if raced || testing.Short() {
		boxes, people = 120, 10
	}
	const customers = 4
	c := startCrowd(t, boxes, 2<<10, latency)
	p := newStation(t, c, customers, eachDay()+"concurrency: {all: 4, site: 4}\nremotes: {default: {url: 'remotes/{customer}.git', elsewhere: true}}\n")
	for i := range customers {
		p.bare(fmt.Sprintf("remotes/c%02d.git", i))
	}
	introduced(p, boxes)
	d := serveAt(p, 13*time.Hour)
	for c.busy() < 4 {
		time.Sleep(5 * time.Millisecond)
	}
	// The last of the line: without its technician each would come at the end.
	var all sync.WaitGroup
	answers := make([]asked, people)
	for i := range people {
		all.Go(func() {
			n := boxes - 1 - i
			words := []string{"capture", c.device(n, customers)}
			if i%5 == 4 { // not by the service, and beside it
				words[0] = "before"
			}
			answers[i] = ask(p, words[1], fmt.Sprintf("T%d", 100+i), words...)
		})
	}
	all.Wait()
	unread := 0
	for _, n := range c.reads() {
		if n == 0 {
			unread++
		}
	}
	if unread < boxes/4 {
		t.Errorf("when all technicians had their answers %d of %d devices were still to be read: they waited for the night", unread, boxes)
	}
	for i, a := range answers {
		if a.err != nil {
			t.Errorf("%s: %v", a.device, a.err)
			continue
		}
		customer, name, _ := strings.Cut(a.device, "/")
		if i%5 == 4 {
			if !strings.Contains(a.out, a.ticket) || !strings.Contains(a.out, a.device) {
				t.Errorf("%s: belay before said %s", a.device, a.out)
			}
			continue
		}
		if a.answer.Device != a.device || a.answer.Result != "kept" || !a.answer.Verified {
			t.Errorf("%s: its technician was told %s", a.device, a.out)
			continue
		}
		repo := "belay-data/customers/" + customer + "/history.git"
		if said := p.git(repo, "show", "-s", "--format=%(trailers:key=Ticket,valueonly)", a.answer.Version); strings.TrimSpace(said) != a.ticket {
			t.Errorf("%s: its version is under ticket %q, want %q", a.device, said, a.ticket)
		}
		if text := p.git(repo, "show", a.answer.Version+":"+name+"/running.conf"); !strings.Contains(text, fmt.Sprintf("of switch %d **", boxes-1-i)) {
			t.Errorf("%s: its technician was given another device's version", a.device)
		}
	}
	if strings.Contains(d.log(), "the round ended") {
		t.Error("the night was over: the test shows little")
	}
	if code := d.stop(syscall.SIGTERM, 30*time.Second); code != 0 {
		t.Errorf("it ended with status %d\n%.8000s", code, d.log())
	}
	for i := range customers {
		p.whole(fmt.Sprintf("belay-data/customers/c%02d/history.git", i))
	}
}

// TestAskingAServiceOpensLittle has a technician ask a service whose inventory
// somebody has just broken: the service knows the device, and the command need not.
// A name that it does not know is looked up as without a service.
func TestAskingAServiceOpensLittle(t *testing.T) {
	t.Parallel()
	part(t, "git", "git")
	c := startCrowd(t, 2, 2<<10, 0)
	p := newStation(t, c, 1, eachDay())
	d := serveAt(p, 0)
	for _, name := range []string{"nope", ""} {
		if s := p.wants(2, "capture", "c00/sw00000", name); !strings.Contains(s.err, "no such device in the inventory") {
			t.Errorf("capture %q said %s", name, s.err)
		}
	}
	p.write("devices.csv", "customer,name\nacme\n")
	if !d.says("the settings were refused", time.Minute) {
		t.Fatal(d.log())
	}
	s := p.wants(0, "capture", "sw00001", "C00/SW00001", "c00/sw00000", "--ticket", "T1", "--json")
	if list, err := objects(s.out); err != nil || len(list) != 2 {
		t.Errorf("asked for two devices it was told %s, %v", s.out, err)
	}
	l := openLedger(p)
	defer l.Close()
	n := 0
	for e, err := range l.Events(t.Context(), configs.Filter{Act: "capture", Customer: "c00"}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; e.Detail["ticket"] != "T1" {
			t.Errorf("the ledger tells of %v", e.Detail)
		}
	}
	if n != 1 {
		t.Errorf("%d events tell of the request, want 1", n)
	}
	d.kill()
	if s := p.wants(2, "capture", "c00/sw00000"); !strings.Contains(s.err, "devices.csv") {
		t.Errorf("without the service it said %s", s.err)
	}
	// It ended between the two questions: then nothing was begun.
	w := &workspace{settings: &settings{Data: t.TempDir(), Concurrency: concurrency{All: 1, Site: 1, JumpHost: 1}}, now: time.Now}
	nobody := &program{out: io.Discard, err: io.Discard, now: time.Now}
	if err := nobody.runCapture(t.Context(), w, []devices.Device{{Customer: "c00", Name: "sw00000"}}, captureOptions{byService: true}); !errors.Is(err, errNoService) {
		t.Errorf("without a service: %v", err)
	}
}

// BenchmarkTechnicians is what a technician waits beyond the device's own time,
// five exchanges of 400 ms, while a night of 10,000 devices holds 200 sessions: 100
// requests one after the other within a minute, and 100 in one moment. The processes of the
// commands, and the switches, share the processors: what it takes to start 100 that do
// nothing is told besides.
func BenchmarkTechnicians(b *testing.B) {
	boxes, latency := 7000, 400*time.Millisecond
	const customers, people, listed = 40, 100, 10_000
	c := startCrowd(b, boxes, 8<<10, latency)
	p := newStation(b, c, customers, eachDay()+"concurrency: {all: 200, site: 200}\n")
	var more strings.Builder // the others are somewhere else, and are due another day
	more.WriteString("customer,name,address,driver\n")
	for i := boxes; i < listed; i++ {
		fmt.Fprintf(&more, "d%03d,sw%05d,10.%d.%d.%d,cisco_ios\n", i%200, i, i>>16, i>>8&255, i&255)
	}
	p.write("more.csv", more.String())
	var schedules strings.Builder
	for i := range customers {
		fmt.Fprintf(&schedules, "  - {every: '%s', zone: UTC, customer: c%02d}\n", inHalfADay(), i)
	}
	p.write("belay.yaml", strings.Replace(crowdLogins, "[devices.csv]", "[devices.csv, more.csv]", 1)+"concurrency: {all: 200, site: 200}\nschedules:\n"+schedules.String())
	introduced(p, listed)
	calm := time.Hour // its device's own time, and that of a command which nothing holds up
	d := serveAt(p, 0)
	for range 5 {
		a := ask(p, c.device(0, customers), "T0", "capture", c.device(0, customers))
		if a.err != nil {
			b.Fatal(a.err)
		}
		calm = min(calm, a.took)
	}
	d.stop(syscall.SIGTERM, time.Minute)
	began := time.Now() // what it takes to start so many processes and to do nothing
	var starts sync.WaitGroup
	for range people {
		starts.Go(func() {
			if err := p.command("version").Run(); err != nil {
				b.Error(err)
			}
		})
	}
	starts.Wait()
	idle := time.Since(began)
	ahead := -11 * time.Hour
	for _, how := range []struct {
		name  string
		pause time.Duration
	}{{"over-a-minute", 600 * time.Millisecond}, {"at-once", 0}} {
		b.Run(how.name, func(b *testing.B) {
			for b.Loop() {
				ahead += 24 * time.Hour
				d := serveAt(p, ahead)
				for c.busy() < 150 {
					time.Sleep(10 * time.Millisecond)
				}
				answers := make([]asked, people)
				var all sync.WaitGroup
				for i := range people {
					all.Go(func() {
						n := boxes - 1 - i
						answers[i] = ask(p, c.device(n, customers), fmt.Sprintf("T%d", i), "capture", c.device(n, customers))
					})
					time.Sleep(how.pause)
				}
				all.Wait()
				busy := c.busy()
				var extra []time.Duration
				for _, a := range answers {
					if a.err != nil {
						b.Fatal(a.err)
					}
					extra = append(extra, a.took-5*latency)
				}
				slices.Sort(extra)
				b.ReportMetric((calm - 5*latency).Seconds(), "s-extra-calm")
				b.ReportMetric(idle.Seconds(), "s-100-starts")
				b.ReportMetric(extra[len(extra)/2].Seconds(), "s-extra-p50")
				b.ReportMetric(extra[len(extra)*95/100].Seconds(), "s-extra-p95")
				b.ReportMetric(extra[len(extra)-1].Seconds(), "s-extra-p100")
				b.ReportMetric(float64(busy), "sessions-at-the-end")
				d.stop(syscall.SIGTERM, time.Minute)
			}
		})
	}
}
