package drivers_test

import (
	"cmp"
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"belay/configs"
	"belay/devices"
	"belay/devices/receive"
	"belay/devices/simulator"
	"belay/devices/snmp"
	"belay/drivers"
)

// TestEverySetIsOneOfTheDriversTransfer counts: what a capture sets is what the
// transcript's device takes, and nothing else, once, and the row goes afterwards.
func TestEverySetIsOneOfTheDriversTransfer(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, p := range byRoad(t, c, 8, "snmp") {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			for name, fault := range map[string]simulator.Fault{"well": {}, "failed": {Transfer: "failed"}, "cut": {CutLine: 5}, "broken off": {Reset: true}} {
				dev := &simulator.Device{T: p.Transcript, Fault: fault}
				pull := puller(c, dev)
				_, err := pull.Pull(t.Context(), p.device())
				if bad := name == "failed" || name == "broken off"; (err != nil) != bad {
					t.Errorf("%s: %v", name, err)
				}
				want := 1
				if len(p.Transfer.Clear) > 0 {
					want++
				}
				if p.driver.Name == "netgear_managed_snmp" { // sets, then starts
					want++
				}
				if s := dev.Seen(); s.Sets != want || s.SetsRefused != 0 {
					t.Errorf("%s: %d sets, want %d; %d refused", name, s.Sets, want, s.SetsRefused)
				}
				if err != nil && strings.Contains(err.Error(), canaryWrite) {
					t.Errorf("%s: the error shows the community: %v", name, err)
				}
			}
		})
	}
}

func TestNothingIsSetWithoutLeaveOrOnAnotherDevice(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, p := range byRoad(t, c, 8, "snmp") {
		dev := &simulator.Device{T: p.Transcript}
		without := p.device()
		without.Also = []string{"startup"}
		_, err := puller(c, dev).Pull(t.Context(), without)
		if devices.KindOf(err) != devices.Usage || !strings.Contains(devices.HintOf(err), "also: [transfer]") {
			t.Errorf("%s: %v, hint %q", p.Name, err, devices.HintOf(err))
		}
		other := p.device()
		other.Serials = []string{"ANOTHER0001"}
		_, err = puller(c, dev).Pull(t.Context(), other)
		if devices.KindOf(err) != devices.Refused || !strings.Contains(err.Error(), "another device") {
			t.Errorf("%s: %v", p.Name, err)
		}
		if s := dev.Seen(); s.Sets != 0 {
			t.Errorf("%s: %d sets", p.Name, s.Sets)
		}
	}
}

// one is the transcript of a device that tells how its transfer fares.
func one(t *testing.T, c *drivers.Catalog) played {
	t.Helper()
	for _, p := range byRoad(t, c, 8, "snmp") {
		if p.driver.Name == "ruckus_icx_snmp" {
			return p
		}
	}
	t.Fatal("it is gone")
	return played{}
}

// pullOne reads it with an agent that the test changes first.
func pullOne(t *testing.T, ctx context.Context, p played, dev *simulator.Device, r *receive.Receiver, change func(*drivers.Agent)) (configs.Capture, error) {
	t.Helper()
	y, err := newYard(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(y.Close)
	pull := puller(load(t), dev)
	pull.Agent = func(context.Context, devices.Device, *drivers.Driver) (drivers.Agent, error) {
		a, _, err := agentOf(dev, y)
		change(&a)
		return a, err
	}
	return pull.Pull(ctx, p.device())
}

func TestWhatGoesWrongWithAFileIsSaid(t *testing.T) {
	t.Parallel()
	p := one(t, load(t))
	for name, c := range map[string]struct {
		receiver *receive.Receiver
		device   *simulator.Device
		change   func(*drivers.Agent)
		kind     devices.Kind
		want     string
		hint     string
	}{
		"the device says why": {device: &simulator.Device{Fault: simulator.Fault{Transfer: "failed"}}, kind: devices.Unreachable, want: "the device says that the transfer failed: nobody answered in time"},
		"done without a file": {device: &simulator.Device{Fault: simulator.Fault{Transfer: "nothing"}}, kind: devices.Unreachable, want: "says that the file was sent, but nothing came", hint: "must reach tftp at 127.0.0.1"},
		"too large":           {receiver: &receive.Receiver{Most: 100}, kind: devices.Refused, want: "more than 100 bytes"},
		"late":                {receiver: &receive.Receiver{Life: 50 * time.Millisecond}, device: &simulator.Device{Latency: time.Second}, kind: devices.Unreachable, want: "nothing came in time"},
		"the wrong community": {change: func(a *drivers.Agent) { a.Write.Community = devices.NewSecret("public") }, kind: devices.Denied, want: "refuses object 1", hint: "write:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dev, r := cmp.Or(c.device, &simulator.Device{}), cmp.Or(c.receiver, &receive.Receiver{})
			dev.T = p.Transcript
			if c.change == nil {
				c.change = func(*drivers.Agent) {}
			}
			r.Pause = 200 * time.Millisecond
			_, err := pullOne(t, t.Context(), p, dev, r, c.change)
			if err == nil || devices.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.want) || !strings.Contains(hints(err), c.hint) {
				t.Errorf("%v (kind %d), want %q; hints %q, want %q", err, devices.KindOf(err), c.want, hints(err), c.hint)
			}
		})
	}
}

// TestAFileFromAnotherAddressIsRefused: the device is asked at one address and
// sends from another.
func TestAFileFromAnotherAddressIsRefused(t *testing.T) {
	t.Parallel()
	c := load(t)
	dev := &simulator.Device{T: one(t, c).Transcript}
	y, err := newYard(&receive.Receiver{Pause: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(y.Close)
	s := &simulator.Agent{Device: dev, Write: canaryWrite, TFTPPort: y.port}
	if err := s.Start("127.0.0.2:0"); err != nil {
		t.Skip("this machine has one loopback address only")
	}
	pull := puller(c, dev)
	pull.Agent = func(context.Context, devices.Device, *drivers.Driver) (drivers.Agent, error) {
		a, own, err := agentOf(dev, y)
		_ = own.Close()
		host, port, _ := net.SplitHostPort(s.Address())
		a.Address = host
		a.Port, _ = strconv.Atoi(port)
		a.Leave = func() { _ = s.Close() }
		return a, err
	}
	_, err = pull.Pull(t.Context(), one(t, c).device())
	if devices.KindOf(err) != devices.Unreachable || !strings.Contains(err.Error(), "a file of the right name from 127.0.0.1 was refused") {
		t.Errorf("%v", err)
	}
	if n := y.Refused(); n[receive.Stranger] == 0 {
		t.Errorf("counted %v", n)
	}
}

// hints are all that an error's chain holds.
func hints(err error) string {
	all := ""
	for err != nil {
		e, ok := errors.AsType[*devices.Error](err)
		if !ok {
			break
		}
		all += e.Hint + "\n"
		err = e.Err
	}
	return all
}

// TestTheRowGoesThoughCtrlCWasPressed: with a context of its own.
func TestTheRowGoesThoughCtrlCWasPressed(t *testing.T) {
	t.Parallel()
	for _, p := range byRoad(t, load(t), 8, "snmp") {
		if p.driver.Name != "cisco_ios_snmp" {
			continue
		}
		dev := &simulator.Device{T: p.Transcript, Fault: simulator.Fault{Silence: true, After: 1000}}
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for dev.Seen().Sets == 0 {
				time.Sleep(time.Millisecond)
			}
			cancel()
		}()
		_, err := pullOne(t, ctx, p, dev, &receive.Receiver{Pause: 50 * time.Millisecond}, func(*drivers.Agent) {})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if s := dev.Seen(); s.Sets != 2 || s.SetsRefused != 0 {
			t.Errorf("%d sets: the row still stands", s.Sets)
		}
	}
}

// TestAnothersTransferIsLeftAlone: where one is under way in the only row that there
// is, that row is not taken away from it.
func TestAnothersTransferIsLeftAlone(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, p := range byRoad(t, c, 8, "snmp") {
		if p.driver.Name != "cisco_smb_snmp" && p.driver.Name != "aruba_aoss_snmp" {
			continue
		}
		dev := &simulator.Device{T: p.Transcript, Fault: simulator.Fault{Silence: true, After: 100}} // it does not come to its end
		y, err := newYard(&receive.Receiver{Pause: 300 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(y.Close)
		agent, s, err := agentOf(dev, y)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		agent.Leave = nil
		pull := puller(c, dev)
		pull.Agent = func(context.Context, devices.Device, *drivers.Driver) (drivers.Agent, error) { return agent, nil }
		ctx, cancel := context.WithCancel(t.Context())
		other := make(chan error, 1)
		go func() {
			_, err := pull.Pull(ctx, p.device())
			other <- err
		}()
		for dev.Seen().Sets == 0 {
			time.Sleep(time.Millisecond)
		}
		_, err = pull.Pull(t.Context(), p.device())
		if !errors.Is(err, snmp.ErrInTheWay) || !strings.Contains(hints(err), "another transfer") {
			t.Errorf("%s: %v", p.Name, err)
		}
		if n := dev.Seen().Sets; n != 2 { // theirs and ours, which was refused
			t.Errorf("%s: %d sets", p.Name, n)
		}
		cancel()
		<-other
	}
}
