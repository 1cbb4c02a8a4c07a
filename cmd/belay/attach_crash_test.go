package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"belay/configs"
	"belay/devices/simulator"
	"belay/store/docsystem/itglue/standin"
	"belay/store/ledger"
)

// hangKills is how often the program is killed while it attaches.
const hangKills = 60

// A hanging is a small fleet whose configurations are hung in IT Glue.
type hanging struct {
	*play
	glue  *standin.Server
	porch *porch
	boxes []*box
	ahead time.Duration // of the program's clock
	acked map[string]bool
	takes time.Duration
	kills int
}

func newHanging(t *testing.T, n int) *hanging {
	t.Helper()
	h := &hanging{glue: standin.New(), acked: map[string]bool{}}
	h.porch = newPorch(t, h.glue, h.glue.Settle, false)
	h.glue.AddOrganization(standin.Organization{ID: 2041, Name: "Acme"})
	h.glue.AddOrganization(standin.Organization{ID: 2077, Name: "Bolt"})
	inventory := "devices:\n"
	for i := range n {
		serial := fmt.Sprintf("FOC0000X00%d", i)
		tr, err := simulator.Parse("crash.txtar", []byte(strings.ReplaceAll(benchSwitch, "FOC0000X000", serial)+benchConfig(i, 4<<10)))
		if err != nil {
			t.Fatal(err)
		}
		b, err := startBox(tr, "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.server.Close() })
		host, port, _ := net.SplitHostPort(b.address)
		inventory += fmt.Sprintf("  - {name: sw-%d, customer: acme, address: %s, port: %s, driver: cisco_ios, serial: %s}\n", i, host, port, serial)
		h.boxes = append(h.boxes, b)
		h.glue.AddConfiguration(standin.Configuration{ID: 8800 + i, Organization: 2041, Name: fmt.Sprintf("SW-%d", i), Serial: serial})
		// What must never be taken for it: another customer's of that serial, and one of that name.
		h.glue.AddConfiguration(standin.Configuration{ID: 9900 + i, Organization: 2077, Name: fmt.Sprintf("SW-%d", i), Serial: serial})
		h.glue.AddConfiguration(standin.Configuration{ID: 7700 + i, Organization: 2041, Name: fmt.Sprintf("sw-%d", i), Serial: serial + "0"})
	}
	h.play = newPlay(t, `
inventory: [devices.yaml]
host_keys: first-use
logins: {default: {user: belay, password: {env: BELAY_PASSWORD}, enable: {env: BELAY_ENABLE}}}
documentation:
  itglue: {itglue: {url: "`+h.porch.url+`", key: {env: ITGLUE_KEY}, attach: original, keep: 0}}
customers:
  acme: {documentation: itglue, organization: 2041}
`, inventory, "BELAY_PASSWORD="+boxPassword, "BELAY_ENABLE="+boxEnable, "ITGLUE_KEY="+standin.Key)
	return h
}

// later is the program, not begun, on a machine whose clock is ahead.
func (h *hanging) later(args ...string) *exec.Cmd {
	c := exec.CommandContext(h.t.Context(), "belay-ahead", append([]string{h.ahead.String()}, args...)...)
	c.Dir, c.Env = h.dir, h.env
	return c
}

// ends lets the program end by itself.
func (h *hanging) ends(t *testing.T, args ...string) (status int, out string) {
	t.Helper()
	c := h.later(args...)
	var errs strings.Builder
	c.Stderr = &errs
	said, err := c.Output()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		t.Fatal(err)
	}
	h.acknowledge(string(said))
	return c.ProcessState.ExitCode(), string(said) + errs.String()
}

// mark tells the configurations of one round and device from all others.
func mark(round, box int) int { return 1000 + 10*round + box }

var (
	marked   = regexp.MustCompile(`of switch (\d+) \*\*`)
	versions = regexp.MustCompile(`"result":"(?:kept|unchanged)"[^{}]*?"version":"([0-9a-f]{40})"`)
)

// acknowledge remembers the versions that a run has said were kept.
func (h *hanging) acknowledge(out string) {
	for _, found := range versions.FindAllStringSubmatch(out, -1) {
		h.acked[found[1]] = true
	}
}

// round lets one or two runs of the program begin, and kills them: at any moment,
// or just when the stand-in has come to a certain point of an attachment.
func (h *hanging) round(t *testing.T, round int) {
	commands := [][]string{
		{"capture", "--all", "--json"},
		{"before", fmt.Sprintf("acme/sw-%d", round%len(h.boxes)), "--ticket", fmt.Sprintf("T%d", round), "--json"},
		{"docs", "queue", "--send", "--json"},
		{"capture", "acme/sw-0", "--json"},
	}
	runs := []*exec.Cmd{h.later(commands[round%len(commands)]...)}
	if round%3 != 0 { // the service and somebody's command
		runs = append(runs, h.later(commands[(round/3)%3]...))
	}
	var once sync.Once
	dead := make(chan struct{})
	kill := func() {
		once.Do(func() {
			for _, c := range runs {
				_ = c.Process.Kill()
			}
			close(dead)
		})
	}
	outs := make([]strings.Builder, len(runs))
	for i, c := range runs {
		c.Stdout = &outs[i]
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
	}
	at := []string{"", "POST comes", "POST is done", "GET is done", "", "POST is done"}[round%6]
	if round%9 == 8 {
		at = "never" // these may end: somebody is told that all is well
	}
	var nth atomic.Int32
	nth.Store(int32(1 + rand.IntN(2)))
	after := time.Duration(0)
	if round%7 == 0 {
		after = rand.N(20 * time.Millisecond) // the answer, the list, what is written down then
	}
	if at == "" {
		time.AfterFunc(h.takes/8+rand.N(h.takes*3/4), kill)
	}
	h.porch.listen(func(moment string) {
		if moment != at {
			return
		}
		switch n := nth.Add(-1); {
		case n == 0 && after > 0:
			time.AfterFunc(after, kill)
		case n == 0:
			kill()
		}
	})
	limit := time.AfterFunc(h.takes*5/4, kill)
	for i, c := range runs {
		_ = c.Wait() // killed, most of the time
		if status, _ := c.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
			h.kills++
		}
		h.acknowledge(outs[i].String())
	}
	limit.Stop()
	h.porch.listen(nil)
}

// weather is what goes wrong over there in a round.
func (h *hanging) weather(t *testing.T, round int) {
	orders := []string{"", "late next=1", "drop next=1", "slow 60ms", "500 next=1 method=POST done", "429 next=1 retry-after=2", "late next=2", "504 next=1 method=POST done",
		"garbage next=1 method=POST", "cut next=1", "slow 120ms", "500 next=2"}
	if o := orders[round%len(orders)]; o != "" {
		if err := h.glue.Order(o); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEachVersionHangsOnceThroughKills kills the program while it attaches to an
// IT Glue that is slow, drops answers and refuses: what was said to be kept hangs
// on its item in the end, once, and nothing hangs anywhere else.
func TestEachVersionHangsOnceThroughKills(t *testing.T) {
	t.Parallel()
	part(t, "git", "git")
	h := newHanging(t, 2)
	began := time.Now()
	if status, said := h.ends(t, "capture", "--all", "--json"); status != 0 {
		t.Fatalf("exit status %d\n%s", status, said)
	}
	h.takes = min(time.Since(began), 4*time.Second)
	kills := hangKills
	if raced || testing.Short() { // make test runs all of it once more, without
		kills = 12
	}
	round := 0
	for ; h.kills < kills; round++ {
		if round > 3*kills {
			t.Fatalf("only %d of %d runs could be killed", h.kills, round)
		}
		for i, b := range h.boxes {
			b.dev.Say(b.command(), benchConfig(mark(round, i), 4<<10))
		}
		h.weather(t, round)
		h.round(t, round)
		h.glue.Clear()
		if round%3 == 1 {
			h.ahead += 130 * time.Second // leases have ended, but what is under way over there may still land
			continue
		}
		h.porch.settle(t)
		h.ahead += []time.Duration{0, time.Minute, 130 * time.Second, 4 * time.Minute, 20 * time.Minute}[rand.IntN(5)]
	}
	waits := true
	for n := 0; waits && n < 10; n++ {
		h.ahead += 20 * time.Minute
		status, said := h.ends(t, "docs", "queue", "--send", "--json")
		if waits = status != 0; waits && n == 9 {
			t.Errorf("something still waits: %s", said)
		}
	}
	if status, said := h.ends(t, "capture", "--all", "--json"); status != 0 {
		t.Errorf("the last run: exit status %d\n%s", status, said)
	}
	if status, said := h.ends(t, "verify"); status != 0 {
		t.Errorf("verify: exit status %d\n%s", status, said)
	}
	h.play.whole(historyFolder)
	h.check(t, round)
}

// check holds what hangs over there to the letters, and these to history.
func (h *hanging) check(t *testing.T, rounds int) {
	l, err := ledger.Open(t.Context(), h.path("belay-data"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
	there := map[string]standin.Attachment{}
	for _, a := range h.glue.AllAttachments() {
		if other, twice := there[a.Name]; twice {
			t.Errorf("%s hangs twice: on %d and on %d", a.Name, other.Configuration, a.Configuration)
		}
		there[a.Name] = a
	}
	lettered := map[string]bool{}
	for p, err := range l.Letters(t.Context(), configs.LetterFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		a, ok := there[p.Name]
		sum := sha256.Sum256(a.Bytes)
		_, number, _ := strings.Cut(string(p.Device), "-")
		box, err := strconv.Atoi(number)
		switch {
		case err != nil:
			t.Fatal(err)
		case !ok || p.Proven.IsZero():
			t.Errorf("%s: hangs there %t, proven %s, error %q", p.Name, ok, p.Proven, p.Error)
			continue
		case a.Configuration != 8800+box || p.Item.ID != strconv.Itoa(a.Configuration) || p.Attachment.ID != strconv.Itoa(a.ID):
			t.Errorf("%s hangs on item %d as %d, the letter says %s as %s", p.Name, a.Configuration, a.ID, p.Item, p.Attachment.ID)
		case hex.EncodeToString(sum[:]) != p.Digest:
			t.Errorf("%s is not what was sent", p.Name)
		}
		text := h.git(historyFolder, "show", p.Version+":"+strings.TrimPrefix(string(p.Device), "acme/")+"/running.conf")
		kept, hung := marked.FindStringSubmatch(text), marked.FindStringSubmatch(string(a.Bytes))
		if kept == nil || hung == nil || kept[1] != hung[1] {
			t.Errorf("%s holds another configuration than its version %s", p.Name, p.Version)
		}
		delete(there, p.Name)
		lettered[p.Version] = true
	}
	for name, a := range there {
		t.Errorf("%s hangs on item %d and no letter tells of it", name, a.Configuration)
	}
	for v := range h.acked {
		if !lettered[v] {
			t.Errorf("version %s was acknowledged, and was never attached", v)
		}
	}
	told := h.events(t, l, "attach")
	if told != len(lettered) {
		t.Errorf("%d events tell of attachments, want %d", told, len(lettered))
	}
	if n := h.events(t, l, "unattach"); n != 0 {
		t.Errorf("%d attachments were taken down: something was sent twice", n)
	}
	if wrong := h.glue.Violations(); len(wrong) > 0 {
		t.Errorf("asked of IT Glue: %q", wrong)
	}
	kept := len(strings.Fields(h.git(historyFolder, "rev-list", "--no-merges", "main")))
	t.Logf("%d kills in %d rounds; %d commits, %d attached, %d acknowledged", h.kills, rounds, kept, len(lettered), len(h.acked))
	if len(lettered) < h.kills/8 {
		t.Errorf("only %d versions were attached: the test shows little", len(lettered))
	}
}

func (h *hanging) events(t *testing.T, l *ledger.Ledger, act string) (n int) {
	for e, err := range l.Events(t.Context(), configs.Filter{Act: act}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; act == "unattach" {
			t.Logf("%s: %v %v", e.Device, e.Detail["name"], e.Detail["why"])
		}
	}
	return n
}
