package drivers_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"belay/configs"
	"belay/configs/redact"
	"belay/devices"
	"belay/devices/simulator"
	"belay/devices/ssh"
	"belay/drivers"
)

// The simulated device of a benchmark is a process of its own, so that what is
// measured here is Belay's share alone. The child gets its orders from the
// environment and ends with its standard input.
const benchDevice = "BELAY_BENCH_DEVICE"

func TestMain(m *testing.M) {
	if order := os.Getenv(benchDevice); order != "" {
		serveBench(order)
		return
	}
	os.Exit(m.Run())
}

// serveBench serves a switch with a configuration of so many bytes: "204800
// silence" falls silent in the middle of it.
func serveBench(order string) {
	size, fault, _ := strings.Cut(order, " ")
	bytes, err := strconv.Atoi(size)
	if err != nil {
		panic(err)
	}
	f, err := simulator.ParseFault(fault)
	if err != nil {
		panic(err)
	}
	t := benchTranscript()
	dev := &simulator.Device{T: t, Fault: f}
	dev.Say("show running-config", grown(dev.Configuration("show running-config"), bytes))
	s := &simulator.Server{Device: dev}
	if err := s.Start("127.0.0.1:0"); err != nil {
		panic(err)
	}
	fmt.Println(s.Address())
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = s.Close()
}

// benchSwitch has no pager, so that the bare reader need not know one.
const benchSwitch = `a switch for benchmarks
-- device.yaml --
driver: cisco_ios
facts: {hostname: sw-bench, serials: [FOC0000X000]}
login: {user: belay, password: canary-bench, enable: canary-bench-enable}
prompt: "sw-bench#"
user_prompt: "sw-bench>"
enable: {run: enable, ask: "Password: "}
silent: [terminal length 0]
-- greeting --
-- show version --
Cisco IOS Software, C2960X Software (C2960X-UNIVERSALK9-M), Version 15.2(7)E7, RELEASE SOFTWARE (fc2)
Processor board ID FOC0000X000
-- show running-config --
Building configuration...

Current configuration : 8192 bytes
!
version 15.2
hostname sw-bench
!
vtp mode transparent
!
interface GigabitEthernet0/1
 description ** sw-bench port 1 to patch 1f3a **
 switchport access vlan 12
 switchport mode access
 spanning-tree portfast
!
snmp-server community canary-bench-community RO 10
line vty 0 4
 password 7 0822455D0A16
end

`

func benchTranscript() *simulator.Transcript {
	t, err := simulator.Parse("bench.txtar", []byte(benchSwitch))
	if err != nil {
		panic(err)
	}
	return t
}

// grown repeats the lines before the last "end" until the text has the size.
func grown(text string, size int) string {
	body, end := text, "end\n\n"
	if at := strings.LastIndex(text, "\nend\n"); at >= 0 {
		body, end = text[:at+1], text[at+1:]
	}
	n := max(1, size/len(body))
	return strings.Repeat(body, n) + end
}

// startDevice starts the child.
func startDevice(b *testing.B, order string) (addr string) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), benchDevice+"="+order)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// processor is the processor time that this process has taken.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// anyKey trusts the benchmark's own child.
type anyKey struct{}

func (anyKey) Check(context.Context, ssh.Host, gossh.PublicKey) (bool, error) { return false, nil }
func (anyKey) Known(context.Context, ssh.Host) ([]gossh.PublicKey, error)     { return nil, nil }

// belayPuller reads the child through everything that a capture goes through.
func belayPuller(b *testing.B, addr string) (*drivers.Puller, devices.Device) {
	host, port, _ := strings.Cut(addr, ":")
	n, err := strconv.Atoi(port)
	if err != nil {
		b.Fatal(err)
	}
	t := benchTranscript()
	login := devices.Login{Name: "bench", User: t.Login.User, Password: devices.NewSecret(t.Login.Password), Enable: devices.NewSecret(t.Login.Enable)}
	dialer := &ssh.Dialer{HostKeys: anyKey{}, Now: time.Now}
	p := &drivers.Puller{Catalog: load(b), Now: time.Now, Idle: time.Minute,
		Dial: func(ctx context.Context, d devices.Device, with *drivers.Driver) (drivers.Conn, devices.Login, error) {
			c, err := dialer.Dial(ctx, d, ssh.Options{Port: with.Port, Logins: []devices.Login{login}})
			return c, login, err
		}}
	return p, devices.Device{Customer: "acme", Name: "bench", Driver: "cisco_ios", Address: host, Port: n}
}

// BenchmarkRead reads one device from dial to text. Belay is to cost at most
// twice the processor time of the bare library.
func BenchmarkRead(b *testing.B) {
	for _, size := range []int{200 << 10, 1 << 20, 5 << 20, 20 << 20} {
		addr := startDevice(b, strconv.Itoa(size))
		name := fmt.Sprintf("%dKB", size>>10)
		measure := func(b *testing.B, read func() (int, error)) {
			b.ReportAllocs()
			before := processor()
			for b.Loop() {
				n, err := read()
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(n))
			}
			b.ReportMetric(float64((processor()-before).Microseconds())/float64(b.N)/1000, "cpu-ms/op")
		}
		b.Run("bare/"+name, func(b *testing.B) {
			measure(b, func() (int, error) { return readBare(addr) })
		})
		b.Run("belay/"+name, func(b *testing.B) {
			p, d := belayPuller(b, addr)
			measure(b, func() (int, error) {
				c, err := p.Pull(b.Context(), d)
				if err != nil {
					return 0, err
				}
				return len(c.Files[0].Raw), nil
			})
		})
	}
}

// resident is the memory that this process keeps, in bytes.
func resident() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapInuse + m.StackInuse)
}

// BenchmarkWaiting opens sessions that wait in the middle of a configuration on
// a device that says nothing more, for ten seconds. Belay is to take at most 1.6
// times the memory of the bare library, and 500 sessions under 0.5 s of
// processor in all.
func BenchmarkWaiting(b *testing.B) {
	const sessions = 500
	addr := startDevice(b, "8192 silence")
	wait := func(b *testing.B, open func() error) {
		for b.Loop() {
			before := resident()
			var wg sync.WaitGroup
			for range sessions {
				wg.Go(func() {
					if err := open(); err != nil {
						b.Error(err)
					}
				})
			}
			wg.Wait()
			time.Sleep(2 * time.Second) // all are waiting now
			b.ReportMetric(float64(resident()-before)/sessions/1024, "KB/session")
			cpu := processor()
			time.Sleep(10 * time.Second)
			b.ReportMetric((processor() - cpu).Seconds(), "cpu-s/10s")
		}
	}
	b.Run("bare", func(b *testing.B) {
		var mu sync.Mutex
		var all []*bare
		wait(b, func() error {
			s, err := dialBare(addr)
			if err != nil {
				return err
			}
			if err := s.login(); err != nil {
				return err
			}
			if _, err := io.WriteString(s.in, "show running-config\n"); err != nil {
				return err
			}
			go func() { _ = s.until("never") }()
			mu.Lock()
			all = append(all, s)
			mu.Unlock()
			return nil
		})
		for _, s := range all {
			s.client.Close()
		}
	})
	b.Run("belay", func(b *testing.B) {
		p, d := belayPuller(b, addr)
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		var wg sync.WaitGroup
		wait(b, func() error {
			wg.Go(func() { _, _ = p.Pull(ctx, d) }) // ends when ctx does
			return nil
		})
		cancel()
		wg.Wait()
	})
}

// BenchmarkCheckAndRedact is what is done to a text of 200 KB and more once it
// is read, by driver; sealing is measured in store/vault.
func BenchmarkCheckAndRedact(b *testing.B) {
	c := load(b)
	run := func(p played, size int) {
		b.Run(fmt.Sprintf("%s/%dKB", strings.TrimSuffix(p.Name, ".txtar"), size>>10), func(b *testing.B) {
			d := &simulator.Device{T: p.Transcript}
			read, err := puller(c, d).Pull(b.Context(), p.device())
			if err != nil {
				b.Fatal(err)
			}
			text := bytes.Repeat(read.Files[0].Text, max(1, size/len(read.Files[0].Text)))
			capture := configs.Capture{Driver: read.Driver, Rules: read.Rules, Files: []configs.File{{Name: configs.MainFile, Raw: text, Text: text}}}
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				capture.Check()
				capture.Grade()
				capture.Rules.Redact.Apply(text, redact.Key{})
			}
		})
	}
	for _, p := range transcripts(b, c) {
		run(p, 200<<10)
		if p.Driver == "cisco_ios" && p.Enable != nil {
			for _, size := range []int{1 << 20, 5 << 20, 20 << 20} {
				run(p, size)
			}
		}
	}
}
