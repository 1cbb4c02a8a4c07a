package drivers_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"belay/devices"
	"belay/devices/receive"
	"belay/devices/simulator"
	"belay/devices/snmp"
	"belay/drivers"
)

// A yard is a receiver whose port stays open, so that simulated devices, which
// send to a port of their own choice, know it beforehand.
type yard struct {
	*receive.Receiver
	port int
}

func newYard(r *receive.Receiver) (*yard, error) {
	r.TFTP, r.SFTP = "127.0.0.1:0", "127.0.0.1:0"
	f, err := r.Expect(context.Background(), receive.TFTP, nil)
	if err != nil {
		return nil, err
	}
	return &yard{r, f.Port}, nil
}

var commonYard = sync.OnceValues(func() (*yard, error) {
	return newYard(&receive.Receiver{Life: 3 * time.Second, Pause: 300 * time.Millisecond})
})

// overSNMP asks a simulated agent over real SNMP, an agent for each errand.
func overSNMP(dev *simulator.Device) func(context.Context, devices.Device, *drivers.Driver) (drivers.Agent, error) {
	return func(context.Context, devices.Device, *drivers.Driver) (drivers.Agent, error) {
		y, err := commonYard()
		if err != nil {
			return drivers.Agent{}, err
		}
		a, _, err := agentOf(dev, y)
		return a, err
	}
}

var hastyYard = sync.OnceValues(func() (*yard, error) {
	return newYard(&receive.Receiver{Life: 300 * time.Millisecond, Pause: 300 * time.Millisecond})
})

// hastily is the same, for files and answers that will not come.
func hastily(dev *simulator.Device) func(context.Context, devices.Device, *drivers.Driver) (drivers.Agent, error) {
	return func(context.Context, devices.Device, *drivers.Driver) (drivers.Agent, error) {
		y, err := hastyYard()
		if err != nil {
			return drivers.Agent{}, err
		}
		a, _, err := agentOf(dev, y)
		if dev.Fault.Tarpit {
			a.Read.Timeout, a.Read.Retries = 50*time.Millisecond, 0
		}
		return a, err
	}
}

const canaryWrite = "canary-write-community"

func agentOf(dev *simulator.Device, y *yard) (drivers.Agent, *simulator.Agent, error) {
	s := &simulator.Agent{Device: dev, Write: canaryWrite, TFTPPort: y.port}
	if err := s.Start("127.0.0.1:0"); err != nil {
		return drivers.Agent{}, nil, err
	}
	host, port, err := net.SplitHostPort(s.Address())
	if err != nil {
		return drivers.Agent{}, nil, errors.Join(err, s.Close())
	}
	n, err := strconv.Atoi(port)
	return drivers.Agent{
		Address: host, Port: n, Receiver: y.Receiver, To: netip.MustParseAddr("127.0.0.1"), Pause: 10 * time.Millisecond,
		Read:  snmp.Probe{Credentials: []snmp.Credentials{{Version: "2c", Community: devices.NewSecret("public")}}, Timeout: time.Second, Retries: 2},
		Write: snmp.Credentials{Version: "2c", Community: devices.NewSecret(canaryWrite)},
		Leave: func() { _ = s.Close() },
	}, s, err
}

// sendFaults are what goes wrong with a file alone that a device is asked to send.
func sendFaults(add func(want verdict, name string, f simulator.Fault)) {
	add(mustRefuse, "the transfer fails", simulator.Fault{Transfer: "failed"})
	add(mustRefuse, "done, but nothing sent", simulator.Fault{Transfer: "nothing"})
	add(mustRefuse, "another name", simulator.Fault{Transfer: "misnamed"})
	add(mustKeep, "sent twice", simulator.Fault{Transfer: "twice"})
	add(mustKeep, "slow", simulator.Fault{BytesPerSecond: 40000})
	add(mustRefuse, "no answer", simulator.Fault{Tarpit: true})
}
