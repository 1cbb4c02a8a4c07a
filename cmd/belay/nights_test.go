//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"belay/configs"
	"belay/devices/simulator"
)

// A month is a service and its devices whose nights a test makes: the parts are
// the real ones, git, SQLite and SSH to simulated devices; the clock stands still
// until the test moves it, and the chores are done in their order when it says so.
type month struct {
	t    *testing.T
	dir  string
	zone *time.Location

	mu  sync.Mutex
	now time.Time
	log bytes.Buffer

	boxes  map[string]*box // by customer/name
	rows   []string        // names in the order of the inventory
	told   *inbox
	server *server
	down   func()
}

// An inbox is a webhook that keeps what each channel was sent.
type inbox struct {
	mu  sync.Mutex
	got map[string][]string
}

func (i *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	i.mu.Lock()
	defer i.mu.Unlock()
	channel := strings.TrimPrefix(r.URL.Path, "/")
	i.got[channel] = append(i.got[channel], string(body))
}

// take is what a channel was sent since it was last asked.
func (i *inbox) take(channel string) []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	got := i.got[channel]
	delete(i.got, channel)
	return got
}

const nightsSettings = `inventory: [devices.yaml]
host_keys: first-use
email: msp.example
master: {file: ./master.age}
concurrency: {all: 4, site: 1}
logins:
  default: {user: belay, password: {file: password}, enable: {file: enable}}
  globex/n1: {user: belay, password: {file: password-n1}, enable: {file: enable}}
  globex/north: {user: belay, password: {file: password-north}, enable: {file: enable}}
remotes:
  acme: {url: ./nas/acme.git, elsewhere: true}
  globex: {url: ./nas/globex.git, elsewhere: true}
schedules:
  - {every: "15 1 * * *", zone: Europe/London, customer: acme}
  - {every: "30 1 * * *", zone: Europe/London, customer: globex}
  - {every: "40 1 * * *", zone: Europe/London, customer: initech, window: "01:40-04:00"}
tell:
  digest: {at: "09:00", zone: Europe/London, to: [noc]}
  alarms: {to: [pager]}
  channels:
    noc: {url: {file: noc.url}}
    pager: {url: {file: pager.url}}
`

// nightsFleet is who is there when the month begins: customer/name, site and the
// transcript it is made of.
var nightsFleet = [][3]string{
	{"acme/fw", "hq", "fortios-60f"}, {"acme/sw1", "hq", "cisco_ios-classic"}, {"acme/sw2", "hq", "cisco_ios-classic"}, {"acme/sw3", "hq", "cisco_ios-classic"},
	{"acme/rt1", "branch", "cisco_ios-classic"}, {"acme/sw4", "branch", "cisco_ios-classic"}, {"acme/sw5", "branch", "cisco_ios-classic"},
	{"globex/n1", "north", "cisco_ios-classic"}, {"globex/n2", "north", "cisco_ios-classic"}, {"globex/n3", "north", "cisco_ios-classic"},
	{"globex/s1", "south", "cisco_ios-classic"}, {"globex/s2", "south", "cisco_ios-classic"},
	{"initech/fw", "", "fortios-60f"}, {"initech/lab-a", "lab", "cisco_ios-classic"}, {"initech/lab-b", "lab", "cisco_ios-classic"},
}

func newMonth(t *testing.T) *month {
	t.Helper()
	part(t, "git", "git")
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	dir = filepath.Join(dir, strings.Repeat("x", max(1, 60-len(dir)))) // lines are broken where they are long
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	m := &month{t: t, dir: dir, zone: zone, boxes: map[string]*box{}, told: &inbox{got: map[string][]string{}}}
	hook := httptest.NewUnstartedServer(m.told)
	hook.Config.SetKeepAlivesEnabled(false) // what stays open is counted
	hook.Start()
	t.Cleanup(hook.Close)
	inventory := "devices:\n"
	for i, d := range nightsFleet {
		customer, name, _ := strings.Cut(d[0], "/")
		m.plug(d[0], d[2], i)
		m.rows = append(m.rows, d[0])
		inventory += m.entry(customer, name, d[1])
	}
	for name, text := range map[string]string{
		"belay.yaml": nightsSettings, "devices.yaml": inventory,
		"password": boxPassword, "password-n1": boxPassword, "password-north": boxPassword, "enable": boxEnable,
		"noc.url":   "generic://" + strings.TrimPrefix(hook.URL, "http://") + "/noc?disabletls=yes",
		"pager.url": "generic://" + strings.TrimPrefix(hook.URL, "http://") + "/pager?disabletls=yes",
	} {
		m.write(name, text)
	}
	p := &play{t: t, dir: m.dir, env: os.Environ()}
	p.bare("nas/acme.git")
	p.bare("nas/globex.git")
	return m
}

// plug starts a device at an address that nobody else takes while it is away.
func (m *month) plug(name, transcript string, number int) {
	m.t.Helper()
	text, err := sourceOf(transcript)
	if err != nil {
		m.t.Fatal(err)
	}
	_, short, _ := strings.Cut(name, "/")
	text = strings.NewReplacer(
		"FOC2241X0QA", fmt.Sprintf("FOC2241X%03d", number), "sw-annex-1", short,
		"FGT60FTK21001234", fmt.Sprintf("FGT60FTK2100%04d", number), "fw-clinic", short,
	).Replace(text)
	script, err := simulator.Parse(transcript+".txtar", []byte(text))
	if err != nil {
		m.t.Fatal(err)
	}
	b := &box{dev: &simulator.Device{T: script, Login: &simulator.Login{User: boxUser, Password: boxPassword, Enable: boxEnable}}}
	b.server = &simulator.Server{Device: b.dev}
	if err := b.server.Start(fmt.Sprintf("127.77.0.%d:2222", number+1)); err != nil {
		m.t.Fatal(err)
	}
	b.address = b.server.Address()
	m.boxes[name] = b
	m.t.Cleanup(func() { _ = b.server.Close() })
}

// unplug takes devices off the line, and replug brings them back as they were.
func (m *month) unplug(names ...string) {
	for _, name := range names {
		m.must(m.boxes[name].server.Close())
	}
}

func (m *month) replug(names ...string) {
	for _, name := range names {
		b := m.boxes[name]
		b.server = &simulator.Server{Device: b.dev, HostKey: b.server.HostKey}
		m.must(b.server.Start(b.address))
	}
}

// order has a device do something wrong from now on; "" nothing.
func (m *month) order(name, fault string) {
	f, err := simulator.ParseFault(fault)
	m.must(err)
	m.boxes[name].dev.Order(f)
}

func (m *month) change(name, old, now string) { m.t.Helper(); m.must(m.boxes[name].change(old, now)) }

func (m *month) entry(customer, name, site string) string {
	line := m.boxes[customer+"/"+name].entry(customer, name)
	if site != "" {
		line = strings.Replace(line, "name:", "site: "+site+", name:", 1)
	}
	return line
}

func (m *month) write(name, text string) {
	m.t.Helper()
	m.must(os.MkdirAll(filepath.Dir(filepath.Join(m.dir, name)), 0o700))
	m.must(os.WriteFile(filepath.Join(m.dir, name), []byte(text), 0o600))
}

// edit changes a file as somebody with an editor does.
func (m *month) edit(name string, change func(string) string) {
	m.t.Helper()
	old, err := os.ReadFile(filepath.Join(m.dir, name))
	m.must(err)
	now := change(string(old))
	if now == string(old) {
		m.t.Fatalf("%s stays as it is", name)
	}
	m.write(name, now)
}

func (m *month) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *month) clock() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// Write is the log's and the messages' of commands.
func (m *month) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.log.Write(p)
}

// logged is what was written since it was last asked.
func (m *month) logged() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.log.Reset()
	return m.log.String()
}

// at moves the clock to so long after a day's midnight in London.
func (m *month) at(day int, after time.Duration) {
	m.t.Helper()
	now := time.Date(2027, 3, 5+day, 0, 0, 0, 0, m.zone).Add(after).UTC()
	if after > 4*time.Hour { // by the clock on the wall, also on the day on which it is moved
		now = time.Date(2027, 3, 5+day, 0, 0, int(after/time.Second), 0, m.zone).UTC()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if now.Before(m.now) {
		m.t.Fatalf("the clock went back from %v to %v", m.now, now)
	}
	m.now = now
}

// belay runs a command by the clock of the month, and wants an exit status.
func (m *month) belay(who string, status int, args ...string) string {
	m.t.Helper()
	var out, errs bytes.Buffer
	got := runAt(m.clock, append([]string{"--config", filepath.Join(m.dir, "belay.yaml"), "--as", who}, args...), strings.NewReader(""), &out, &errs)
	if got != status {
		m.t.Fatalf("belay %s: exit status %d, want %d\n%s%s", strings.Join(args, " "), got, status, out.String(), errs.String())
	}
	return out.String()
}

// start and stop are the service's.
func (m *month) start() {
	m.t.Helper()
	p := &program{in: strings.NewReader(""), out: io.Discard, err: m, now: m.clock, as: "Belay", config: filepath.Join(m.dir, "belay.yaml")}
	var err error
	m.server, m.down, err = p.openServer(m.t.Context())
	m.must(err)
	m.server.engine.Retry = []time.Duration{time.Millisecond, time.Millisecond, time.Millisecond}
}

func (m *month) stop() {
	m.t.Helper()
	m.must(m.server.end(m.t.Context()))
	m.down()
	m.server = nil
}

// work does every chore once and then what came of it, until nothing is left to do.
func (m *month) work() {
	m.t.Helper()
	if m.server == nil {
		return
	}
	s := m.server
	for range 2 { // what was captured in the first is told in the second
		for _, k := range s.allChores() {
			if k.name == "the disk" {
				continue // this machine's is none of the month's
			}
			s.live.mu.Lock()
			s.live.now.backup.Pause = 0
			s.live.mu.Unlock()
			s.chores.run(m.t.Context(), s, k)
			m.must(s.engine.Wait(m.t.Context()))
			s.beside.Wait()
			m.canaries()
		}
	}
	if failed := s.chores.failures(); len(failed) > 0 {
		m.t.Errorf("%v: chores fail: %v", m.clock(), failed)
	}
}

// canaries takes those for caught that this machine had no time for: how busy it
// is, is none of the month's. Those of a night on which one is to be kept are
// tried until it is.
func (m *month) canaries() {
	m.t.Helper()
	s := m.server
	w, leave := s.live.use()
	defer leave()
	for range 20 {
		value, err := w.ledger.Mark(m.t.Context(), doneMark, canariesDone)
		m.must(err)
		var seen seenCanaries
		if value == nil || json.Unmarshal(value, &seen) != nil || seen.Caught+len(seen.Kept) == seen.All {
			return
		}
		if w.settings.Drivers != "" && len(seen.Kept) == 0 {
			s.canaries(m.t.Context())
			continue
		}
		seen.Caught = seen.All - len(seen.Kept)
		m.must(w.alarms.Clear(m.t.Context(), configs.Alarm{Cause: configs.AlarmService, Key: "canaries"}))
		value, err = json.Marshal(seen)
		m.must(err)
		m.must(w.ledger.SetMarks(m.t.Context(), doneMark, configs.Mark{Key: canariesDone, Value: value}))
	}
}

// What is another in each run of the test.
var nightsVary = []*regexp.Regexp{
	regexp.MustCompile(`(belay diff \S+ )([0-9a-f]{10}) ([0-9a-f]{10})`),
	regexp.MustCompile(`(<redacted:)[0-9a-f]{8}()(>)`),
	regexp.MustCompile(`()SHA256:[A-Za-z0-9+/]{43}()()`),
	regexp.MustCompile(`(?m)^.*GB are free where Belay keeps its data\n()()()`),
}

// plain is a text without what is another in each run.
func (m *month) plain(text string) string {
	text = strings.ReplaceAll(text, m.dir, "DIR")
	text = nightsVary[0].ReplaceAllString(text, "${1}WAS IS")
	text = nightsVary[1].ReplaceAllString(text, "${1}DIGEST>")
	text = nightsVary[2].ReplaceAllString(text, "SHA256:KEY")
	return nightsVary[3].ReplaceAllString(text, "")
}
