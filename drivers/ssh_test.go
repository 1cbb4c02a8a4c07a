package drivers_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"belay/configs"
	"belay/devices"
	"belay/devices/simulator"
	"belay/devices/ssh"
	"belay/drivers"
)

// overSSH reads a simulated device as a real one is read.
func overSSH(t *testing.T, c *drivers.Catalog, p played, fault simulator.Fault) (*drivers.Puller, devices.Device) {
	t.Helper()
	return overSSHWith(t, c, p, &simulator.Device{T: p.Transcript, Fault: fault})
}

func overSSHWith(t *testing.T, c *drivers.Catalog, p played, d *simulator.Device) (*drivers.Puller, devices.Device) {
	t.Helper()
	s := &simulator.Server{Device: d}
	if err := s.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	host, port, err := net.SplitHostPort(s.Address())
	if err != nil {
		t.Fatal(err)
	}
	login := devices.Login{Name: "test", User: p.Login.User, Password: devices.NewSecret(p.Login.Password), Enable: devices.NewSecret(p.Login.Enable)}
	dialer := &ssh.Dialer{HostKeys: anyKey{}, Now: time.Now}
	dev := p.device()
	dev.Address = host
	if dev.Port, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	return &drivers.Puller{Catalog: c, Now: time.Now, Idle: 10 * time.Second,
		Dial: func(ctx context.Context, d devices.Device, with *drivers.Driver) (drivers.Conn, devices.Login, error) {
			c, err := dialer.Dial(ctx, d, ssh.Options{Port: with.Port, Logins: []devices.Login{login}})
			if err != nil {
				return nil, devices.Login{}, err
			}
			return c, login, nil
		}}, dev
}

// TestNoBadCopyIsKeptOverSSH plays a few of the faults over real SSH, with one
// transcript of each driver.
func TestNoBadCopyIsKeptOverSSH(t *testing.T) {
	t.Parallel()
	c := load(t)
	seen := map[string]bool{}
	for _, p := range transcripts(t, c) {
		if seen[p.Driver] || p.driver.Road() == "https" || p.driver.Road() == "snmp" {
			continue
		}
		seen[p.Driver] = true
		t.Run(p.Driver, func(t *testing.T) {
			t.Parallel()
			config := ""
			whole := &simulator.Device{T: p.Transcript}
			for _, command := range p.Configurations() {
				if text := whole.Configuration(command); len(text) > len(config) {
					config = text
				}
			}
			names := []string{"cut at line 7", "cut at 50 %", "empty", "error text 0", "wrong box", "segments of 7", "segments of 1460",
				"pager every 24 lines", "echo twice", "redraws", "noise 1", "lookalike prompt", "lookalike similar",
				"reset after " + fmt.Sprint(len(config)/2) + " bytes", "channel closed after " + fmt.Sprint(len(config)/2) + " bytes"}
			list := slices.DeleteFunc(faults(p.driver, strings.Count(config, "\n"), len(config)), func(f faulty) bool {
				return !slices.Contains(names, f.name) || f.name == "wrong box" && len(p.Facts.Serials) == 0
			})
			if len(list) < 8 {
				t.Errorf("only %d cases", len(list))
			}
			for _, f := range append(few(list, p.Name), faulty{name: "nothing"}) {
				pull, dev := overSSH(t, c, p, f.fault)
				b, r := backup(pull)
				res, texts := capture(t, b, r, dev)
				got, kept := texts[configs.MainFile]
				want := p.Kept[configs.MainFile]
				if f.fault.Lookalike != "" {
					got = withoutLine(got, want)
				}
				switch {
				case kept && f.want == mustRefuse:
					t.Errorf("%s: was kept", f.name)
				case kept && got != want:
					t.Errorf("%s: was kept with another text", f.name)
				case !kept && f.want == mustKeep:
					t.Errorf("%s: a good copy came to %s: %s", f.name, res.Result, res.Error)
				}
			}
		})
	}
}

// TestASilentDeviceIsGivenUpOverSSHAndNothingIsLeft: after Idle, without a
// goroutine or a timer of ours, whichever road it is read by.
func TestASilentDeviceIsGivenUpOverSSHAndNothingIsLeft(t *testing.T) {
	c := load(t)
	for _, name := range []string{"cisco_ios-classic.txtar", "frr-edge.txtar"} {
		for _, p := range transcripts(t, c) {
			if p.Name != name {
				continue
			}
			t.Run(name, func(t *testing.T) {
				defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
				t.Run("silence", func(t *testing.T) {
					pull, dev := overSSH(t, c, p, simulator.Fault{Silence: true})
					pull.Idle = 200 * time.Millisecond
					began := time.Now()
					_, err := pull.Pull(t.Context(), dev)
					if devices.KindOf(err) != devices.Unreachable || !strings.Contains(err.Error(), "silent") {
						t.Errorf("%v", err)
					}
					if took := time.Since(began); took > 5*time.Second {
						t.Errorf("took %v", took)
					}
					for _, secret := range p.Gone {
						if strings.Contains(fmt.Sprintf("%+v", err), secret) {
							t.Errorf("the error shows %q", secret)
						}
					}
				})
			})
		}
	}
}
