package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"belay/devices/simulator"
)

// A street is a few switches with addresses of their own, and a service that hears
// them.
type street struct {
	*play
	switches []*simulator.Device
	port     string // of the syslog listener, TCP and UDP
	metrics  string // address of what Prometheus reads

	mu    sync.Mutex
	heard []string // what the people's channel was sent
}

// home is the address of the i-th switch.
func home(i int) string { return fmt.Sprintf("127.0.0.%d", 20+i) }

func newStreet(t testing.TB, n int) *street {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has addresses enough of its own")
	}
	s := &street{}
	inventory := "customer,name,address,port,driver,serial\n"
	for i := range n {
		tr, err := simulator.Parse("street.txtar", []byte(strings.ReplaceAll(benchSwitch, "FOC0000X000", crowdSerial(i))+crowdConfig(i, 4<<10, 0)))
		if err != nil {
			t.Fatal(err)
		}
		d := &simulator.Device{T: tr, Latency: 20 * time.Millisecond}
		server := &simulator.Server{Device: d}
		if err := server.Start(home(i) + ":0"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Close() })
		_, port, _ := net.SplitHostPort(server.Address())
		inventory += fmt.Sprintf("acme,sw-%d,%s,%s,cisco_ios,%s\n", i, home(i), port, crowdSerial(i))
		s.switches = append(s.switches, d)
	}
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.heard = append(s.heard, string(body))
	}))
	t.Cleanup(hook.Close)
	s.port, s.metrics = strconv.Itoa(freePort(t)), fmt.Sprintf("127.0.0.1:%d", freePort(t))
	s.play = newPlay(t, crowdLogins+eachDay()+"listen: "+s.metrics+fmt.Sprintf(`
remotes: {acme: {url: remote.git, elsewhere: true}}
events: {hold_off: 3s, flood: 100, syslog: {udp: '127.0.0.1:%[1]s', tcp: '127.0.0.1:%[1]s'}}
tell:
  alarms: {to: [noc]}
  channels: {noc: {url: {env: NOC}}}
`, s.port), "", "BELAY_PASSWORD=canary-bench", "BELAY_ENABLE=canary-bench-enable",
		"NOC=generic://"+strings.TrimPrefix(hook.URL, "http://")+"/CANARYtoken?disabletls=yes")
	s.write("devices.csv", inventory)
	s.bare("remote.git")
	return s
}

// line opens a line from a switch to the listener.
func (s *street) line(i int, network string) net.Conn {
	s.t.Helper()
	d := net.Dialer{}
	if d.LocalAddr = net.Addr(&net.TCPAddr{IP: net.ParseIP(home(i))}); network == "udp" {
		d.LocalAddr = &net.UDPAddr{IP: net.ParseIP(home(i))}
	}
	c, err := d.DialContext(s.t.Context(), network, "127.0.0.1:"+s.port)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// syslog is a message of a switch. Every other one announces a change.
func syslog(n int) string {
	if n%2 == 0 {
		return fmt.Sprintf("<189>%d: *Mar  1 00:01:02.345: %%SYS-5-CONFIG_I: Configured from console by user%d on vty0 (192.0.2.9)\n", n, n%7)
	}
	return fmt.Sprintf("<189>%d: *Mar  1 00:01:02.345: %%LINK-3-UPDOWN: Interface GigabitEthernet1/0/%d, changed state to up\n", n, n%48)
}

func (s *street) shown(i int) (n int) {
	for _, c := range s.switches[i].Seen().Commands {
		if c == "show running-config" {
			n++
		}
	}
	return n
}

// became is how many messages came to what, as Prometheus reads it.
func (s *street) became(what string) float64 {
	s.t.Helper()
	r, err := http.Get("http://" + s.metrics + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^belay_\w+\{[^}]*"` + what + `"[^}]*\} (\S+)$`).FindSubmatch(text)
	if found == nil {
		s.t.Fatalf("no figure of messages %s: %s", what, text)
	}
	n, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// TestFloodIsOneCaptureAndOneAlarm has one switch send as many messages as the
// listener takes, half of which announce changes: one capture and one alarm come
// of it, and meanwhile another one's change is captured and a technician answered.
func TestFloodIsOneCaptureAndOneAlarm(t *testing.T) {
	t.Parallel()
	part(t, "git", "git")
	messages := 60_000
	if raced || testing.Short() {
		messages = 10_000
	}
	s := newStreet(t, 3)
	d := serveAt(s.play, 0)
	before := resident(t, d)
	flood := s.line(0, "tcp")
	const requests = 2
	answers := make(chan asked, requests)
	other := make(chan bool, 1)
	// It never pauses: the others' wishes are done while it sends.
	for n, open, end := 0, requests+1, time.Now().Add(2*time.Minute); n < messages || open > 0; n++ {
		if _, err := io.WriteString(flood, syslog(n)); err != nil {
			t.Fatalf("message %d: %v", n, err)
		}
		if n == 1000 {
			if _, err := io.WriteString(s.line(1, "udp"), syslog(0)); err != nil {
				t.Fatal(err)
			}
			go func() { other <- d.says("captured after a change.*device=acme/sw-1 result=kept", time.Minute) }()
			go func() {
				for range requests {
					answers <- ask(s.play, "acme/sw-2", "T1", "capture", "acme/sw-2")
				}
			}()
		}
		select {
		case a := <-answers:
			if open--; a.err != nil {
				t.Errorf("in the flood: %v", a.err)
			}
		case well := <-other:
			if open--; !well {
				t.Fatalf("the other's change was not captured in the flood\n%.8000s", d.log())
			}
		default:
			if time.Now().After(end) {
				t.Fatalf("%d wishes were not done in the flood\n%.8000s", open, d.log())
			}
		}
	}
	if n := s.shown(0); n > 0 {
		t.Errorf("it was read %d times before it was quiet", n)
	}
	if !d.says("captured after a change.*device=acme/sw-0 result=kept", time.Minute) {
		t.Fatalf("no capture came of the flood\n%.8000s", d.log())
	}
	eventually(t, func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.heard) > 0 })
	after := resident(t, d)
	if looked, dropped := s.became("looked at"), s.became("dropped in a flood"); looked > 110 || dropped < float64(messages)*9/10 {
		t.Errorf("%.0f messages were looked at and %.0f of more than %d dropped", looked, dropped, messages)
	}
	// What was sent behind the capture would make another one, and another alarm.
	if code := d.stop(syscall.SIGTERM, 30*time.Second); code != 0 {
		t.Errorf("it ended with status %d\n%.8000s", code, d.log())
	}
	if n := strings.Count(d.log(), "captured after a change"); n != 2 {
		t.Errorf("%d captures were triggered, want one of each switch that told of a change\n%.8000s", n, d.log())
	}
	for i, want := range []int{1, 1, requests} {
		if n := s.shown(i); n != want {
			t.Errorf("sw-%d was read %d times, want %d", i, n, want)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.heard) != 1 || !strings.Contains(s.heard[0], "acme/sw-0") {
		t.Errorf("people heard %d alarms: %q", len(s.heard), s.heard)
	}
	if grown := after - before; grown > 100<<20 && !raced {
		t.Errorf("it grew by %d MB", grown>>20)
	}
	if got := s.git(historyFolder, "log", "-1", "--format=%an", "--", "sw-0"); !strings.Contains(got, "user") {
		t.Errorf("the author of what the flood announced is %q", got)
	}
}

// resident is how much memory the service has.
func resident(t testing.TB, d *duty) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", d.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// BenchmarkFlood is what technicians wait beyond their device's own time, without
// and with 1,000 messages a second by UDP from one switch, and what the service grows.
func BenchmarkFlood(b *testing.B) {
	const rate = 1000
	lasts := 10 * time.Second
	if os.Getenv("BELAY_BENCH") == "full" {
		lasts = time.Minute
	}
	s := newStreet(b, 3)
	d := serveAt(s.play, 0)
	defer d.stop(syscall.SIGTERM, time.Minute)
	for _, how := range []string{"calm", "flood"} {
		b.Run(how, func(b *testing.B) {
			for b.Loop() {
				before := resident(b, d)
				stop, sent := make(chan struct{}), make(chan int)
				go func() {
					n := 0
					defer func() { sent <- n }()
					line := s.line(0, "udp")
					for tick := time.NewTicker(10 * time.Millisecond); ; <-tick.C {
						select {
						case <-stop:
							tick.Stop()
							return
						default:
						}
						for range rate / 100 {
							if how == "flood" {
								_, _ = io.WriteString(line, syslog(n)) // what does not come is not there
								n++
							}
						}
					}
				}()
				var extra []time.Duration
				for began := time.Now(); time.Since(began) < lasts; {
					a := ask(s.play, "acme/sw-2", "T1", "capture", "acme/sw-2")
					if a.err != nil {
						b.Fatal(a.err)
					}
					extra = append(extra, a.took-5*20*time.Millisecond)
				}
				close(stop)
				b.ReportMetric(float64(<-sent)/lasts.Seconds(), "messages/s")
				slices.Sort(extra)
				b.ReportMetric(extra[len(extra)/2].Seconds(), "s-extra-p50")
				b.ReportMetric(extra[len(extra)-1].Seconds(), "s-extra-p100")
				b.ReportMetric(float64(resident(b, d)-before)/1e6, "MB-grown")
			}
		})
	}
}
