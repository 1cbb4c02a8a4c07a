package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"belay/configs/round"
	"belay/devices"
	"belay/devices/simulator"
	"belay/store/ledger"
)

// A crowd is another process full of switches, which counts who reads them.
type crowd struct {
	mu        sync.Mutex
	t         testing.TB
	in        io.WriteCloser
	out       *bufio.Scanner
	addresses []string
	now       []string // what each says by now, and no other text does
}

func startCrowd(t testing.TB, n, size int, latency time.Duration) *crowd {
	t.Helper()
	child := exec.Command(os.Args[0], strconv.Itoa(n), strconv.Itoa(size), latency.String())
	child.Args[0] = "belay-crowd"
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = child.Wait() })
	c := &crowd{t: t, in: in, out: bufio.NewScanner(out), now: make([]string, n)}
	c.out.Buffer(nil, 1<<20)
	if c.addresses = c.lines(); len(c.addresses) != n {
		t.Fatalf("%d of %d switches came up", len(c.addresses), n)
	}
	for i := range c.now {
		c.now[i] = crowdMarker(0)
	}
	return c
}

func (c *crowd) lines() (all []string) {
	for c.out.Scan() && c.out.Text() != "done" {
		all = append(all, c.out.Text())
	}
	return all
}

func (c *crowd) ask(args ...any) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := fmt.Fprintln(c.in, args...); err != nil {
		c.t.Fatal(err)
	}
	return c.lines()
}

// change has somebody configure every so-manieth switch.
func (c *crowd) change(epoch, every int) {
	c.ask("change", epoch, every)
	for i := range c.now {
		if i%every == epoch%every {
			c.now[i] = crowdMarker(epoch)
		}
	}
}

// reads is how often the configuration of each was shown.
func (c *crowd) reads() (n []int) {
	for _, line := range c.ask("reads") {
		k, err := strconv.Atoi(line)
		if err != nil {
			c.t.Fatal(err)
		}
		n = append(n, k)
	}
	return n
}

// busy is how many sessions are open.
func (c *crowd) busy() int {
	n, err := strconv.Atoi(c.ask("busy")[0])
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}

func crowdMarker(epoch int) string { return fmt.Sprintf("ip domain name epoch-%d.example", epoch) }

func crowdSerial(i int) string { return fmt.Sprintf("FOC%05dX000", i) }

func crowdConfig(i, size, epoch int) string {
	return strings.Replace(benchConfig(i, size), "hostname sw-bench\n", "hostname sw-bench\n"+crowdMarker(epoch)+"\n", 1)
}

// serveCrowd is the child.
func serveCrowd() {
	n, _ := strconv.Atoi(os.Args[1]) // the parent is this very program
	size, _ := strconv.Atoi(os.Args[2])
	latency, _ := time.ParseDuration(os.Args[3])
	const show = "show running-config"
	var list []*simulator.Device
	for i := range n {
		t, err := simulator.Parse("crowd.txtar", []byte(strings.ReplaceAll(benchSwitch, "FOC0000X000", crowdSerial(i))+crowdConfig(i, size, 0)))
		if err != nil {
			panic(err)
		}
		d := &simulator.Device{T: t, Latency: latency}
		s := &simulator.Server{Device: d}
		if err := s.Start("127.0.0.1:0"); err != nil {
			panic(err)
		}
		list = append(list, d)
		fmt.Println(s.Address())
	}
	fmt.Println("done")
	out := bufio.NewWriter(os.Stdout)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var what string
		var epoch, every int
		_, _ = fmt.Sscan(lines.Text(), &what, &epoch, &every)
		sum := 0
		for i, d := range list {
			seen := d.Seen()
			sum += seen.Open
			switch {
			case what == "reads":
				k := 0
				for _, c := range seen.Commands {
					if c == show {
						k++
					}
				}
				fmt.Fprintln(out, k)
			case what == "change" && i%every == epoch%every:
				d.Say(show, crowdConfig(i, size, epoch))
			}
		}
		if what == "busy" {
			fmt.Fprintln(out, sum)
		}
		fmt.Fprintln(out, "done")
		if out.Flush() != nil {
			return
		}
	}
}

// inventory is the crowd's, with as many in turn for each customer.
func (c *crowd) inventory(customers int) string {
	var rows strings.Builder
	w := csv.NewWriter(&rows)
	_ = w.Write([]string{"customer", "name", "address", "port", "driver", "serial"}) // a builder takes all
	for i, a := range c.addresses {
		host, port, _ := strings.Cut(a, ":")
		customer, name, _ := strings.Cut(c.device(i, customers), "/")
		_ = w.Write([]string{customer, name, host, port, "cisco_ios", crowdSerial(i)})
	}
	w.Flush()
	return rows.String()
}

func (c *crowd) device(i, customers int) string {
	return fmt.Sprintf("c%02d/sw%05d", i%customers, i)
}

// crowdLogins are the settings that all services over a crowd share.
const crowdLogins = `
inventory: [devices.csv]
host_keys: first-use
logins: {default: {user: belay, password: {env: BELAY_PASSWORD}, enable: {env: BELAY_ENABLE}}}
`

// newStation writes the settings of a service that captures a crowd.
func newStation(t testing.TB, c *crowd, customers int, settings string, env ...string) *play {
	t.Helper()
	p := newPlay(t, crowdLogins+settings, "", append(env, "BELAY_PASSWORD=canary-bench", "BELAY_ENABLE=canary-bench-enable")...)
	p.write("devices.csv", c.inventory(customers))
	return p
}

// eachDay is a schedule whose moment is half a day away from now, so that no day
// begins while a test runs unless its clock is set ahead.
func eachDay() string { return "schedules: [{every: '" + inHalfADay() + "', zone: UTC}]\n" }

func inHalfADay() string {
	at := time.Now().UTC().Add(12 * time.Hour)
	return fmt.Sprintf("%d %d * * *", at.Minute(), at.Hour())
}

// A duty is a service that runs.
type duty struct {
	t     testing.TB
	cmd   *exec.Cmd
	leash *os.File // it ends when this is closed: with the test, however that ends
	began time.Time
	dead  chan struct{}

	mu   sync.Mutex
	said []string
	news chan struct{} // closed when there is more to read
	once sync.Once
}

// serveAt starts the service of a play on a machine whose clock is ahead, and
// returns when it serves. The test ends with it.
func serveAt(p *play, ahead time.Duration, args ...string) *duty {
	p.t.Helper()
	d := begin(p, ahead, args...)
	if !d.says("belay serves", time.Minute) {
		p.t.Fatalf("it does not serve:\n%s", d.log())
	}
	return d
}

// introduced has a service see all devices of an inventory for the first time, so
// that each is due at its next slot.
func introduced(p *play, n int) {
	p.t.Helper()
	d := serveAt(p, 0)
	eventually(p.t, func() bool { return len(slotsOf(p)) == n })
	if code := d.stop(syscall.SIGINT, time.Minute); code != 0 {
		p.t.Fatalf("it ended with status %d\n%s", code, d.log())
	}
}

// openLedger opens the ledger beside the service or after it.
func openLedger(p *play) *ledger.Ledger {
	p.t.Helper()
	l, err := ledger.Open(p.t.Context(), p.path("belay-data"))
	if err != nil {
		p.t.Fatal(err)
	}
	return l
}

// slotsOf are the slots that the devices were captured for, as it is on disk.
func slotsOf(p *play) map[devices.ID]round.Seen {
	p.t.Helper()
	l := openLedger(p)
	defer l.Close()
	all := map[devices.ID]round.Seen{}
	for m, err := range l.Marks(p.t.Context(), "slot") {
		if err != nil {
			p.t.Fatal(err)
		}
		var seen round.Seen
		if err := json.Unmarshal(m.Value, &seen); err != nil {
			p.t.Fatal(err)
		}
		all[devices.ID(m.Key)] = seen
	}
	return all
}

// eventually waits for what the service does in its own time.
func eventually(t testing.TB, f func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !f(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never came to that")
		}
	}
}

// begin starts it and does not wait.
func begin(p *play, ahead time.Duration, args ...string) *duty {
	p.t.Helper()
	c := exec.Command("belay-ahead", append([]string{ahead.String(), "serve"}, args...)...)
	held, leash, err := os.Pipe()
	if err != nil {
		p.t.Fatal(err)
	}
	c.Dir, c.Env, c.ExtraFiles = p.dir, append(p.env, "BELAY_LEASH=yes"), []*os.File{held}
	errs, err := c.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		p.t.Fatal(err)
	}
	_ = held.Close() // the child has its own
	d := &duty{t: p.t, cmd: c, leash: leash, began: time.Now(), dead: make(chan struct{}), news: make(chan struct{})}
	go func() {
		for lines := bufio.NewScanner(errs); lines.Scan(); {
			d.mu.Lock()
			d.said = append(d.said, lines.Text())
			close(d.news)
			d.news = make(chan struct{})
			d.mu.Unlock()
		}
		_ = c.Wait() // killed, most of the time
		_ = leash.Close()
		close(d.dead)
	}()
	p.t.Cleanup(func() {
		d.kill()
		if _, fault, ok := strings.Cut(d.log(), "a fault in Belay itself"); ok {
			p.t.Errorf("a fault in Belay itself: %.4000s", fault)
		}
	})
	return d
}

func (d *duty) log() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.said, "\n")
}

// says waits until a line of its log matches.
func (d *duty) says(pattern string, most time.Duration) bool {
	re := regexp.MustCompile(pattern)
	end := time.After(most)
	for n := 0; ; {
		d.mu.Lock()
		lines, news := d.said[n:], d.news
		n = len(d.said)
		d.mu.Unlock()
		for _, l := range lines {
			if re.MatchString(l) {
				return true
			}
		}
		select {
		case <-news:
		case <-d.dead:
			return re.MatchString(d.log())
		case <-end:
			return false
		}
	}
}

// kill ends it as a power cut would; it tells whether it still ran.
func (d *duty) kill() (ran bool) {
	d.once.Do(func() { _ = d.cmd.Process.Kill() })
	<-d.dead
	status, _ := d.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return status.Signaled()
}

// stop ends it with a signal, as systemd or a person does.
func (d *duty) stop(sig syscall.Signal, most time.Duration) (status int) {
	d.t.Helper()
	began := time.Now()
	if err := d.cmd.Process.Signal(sig); err != nil {
		d.t.Fatalf("stop: %v\n%s", err, d.log())
	}
	select {
	case <-d.dead:
	case <-time.After(most):
		_ = d.cmd.Process.Signal(syscall.SIGQUIT) // the log shows where it hangs
		<-d.dead
		d.t.Fatalf("it did not end within %s\n%.20000s", most, d.log())
	}
	if took := time.Since(began); took > time.Second {
		d.t.Logf("it ended after %s", took.Round(10*time.Millisecond))
	}
	return d.cmd.ProcessState.ExitCode()
}
