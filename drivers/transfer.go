package drivers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"belay/configs"
	"belay/devices"
	"belay/devices/receive"
	"belay/devices/snmp"
)

// An Agent is how a device is asked by SNMP to send its configuration.
type Agent struct {
	Address  string            // of its agent; empty: the device's own
	Port     int               // of its agent; 0: the device's, or the driver's
	Read     snmp.Probe        // asks who it is
	Write    snmp.Credentials  // asks for the transfer and how it fares
	Receiver *receive.Receiver // takes the file
	To       netip.Addr        // where the device sends to; zero: the address that this machine reaches it from
	Pause    time.Duration     // between two questions of how it fares; 500 ms
	Leave    func()            // called when all is done; may be nil
}

// An errand is one device that is asked for its configuration by SNMP, as
// Puller's Conn: it has neither terminal nor commands.
type errand struct {
	Agent
	d      *Driver
	dev    devices.Device
	host   string
	port   int
	addrs  []netip.Addr
	writer *snmp.Writer
	asked  snmp.Probe // with the right to write: how the transfer fares
	is     devices.Identity
	idle   time.Duration
}

func (*errand) Shell(context.Context, devices.Terminal) (io.ReadWriteCloser, error) {
	return nil, errors.New("SNMP has no terminal")
}

func (*errand) Run(context.Context, string, io.Writer) (int, error) {
	return -1, errors.New("SNMP runs no commands")
}

func (e *errand) Close() error {
	if e.Leave != nil {
		e.Leave()
		e.Leave = nil
	}
	return nil
}

// Reached tells which device it was; a file by TFTP crosses the network as it is.
func (e *errand) Reached() devices.Reached {
	r := devices.Reached{Address: net.JoinHostPort(e.host, strconv.Itoa(e.port)), Server: "SNMP, " + string(e.d.transfer.by)}
	if e.d.transfer.by == receive.TFTP {
		r.Weak = append(r.Weak, string(receive.TFTP))
	}
	if !e.Write.Community.IsZero() {
		r.Weak = append(r.Weak, "snmp-2c")
		r.Unproven = "asked by SNMP 2c: nothing but its address and what it says of itself proves which device it is"
	}
	return r
}

// errand asks a device who it is. It is refused before anything is set where
// nobody has allowed that, and where it is another device than the inventory's.
func (p *Puller) errand(ctx context.Context, dev devices.Device, d *Driver) (_ *errand, err error) {
	wrong := func(kind devices.Kind, err error, hint string) error {
		return &devices.Error{Kind: kind, Op: "ask for a transfer", Device: dev.String(), Err: err, Hint: hint}
	}
	if !dev.May("transfer") {
		_, err := snmp.NewWriter(dev, snmp.Credentials{}, dev.Address, 0, 0) // says why
		return nil, err
	}
	if p.Agent == nil {
		return nil, wrong(devices.Broken, errors.New("there is no way to SNMP here"), "")
	}
	e := &errand{d: d, dev: dev, idle: cmp.Or(p.Idle, 30*time.Second)}
	if e.Agent, err = p.Agent(ctx, dev, d); err != nil {
		return nil, err
	}
	e.host, e.port = cmp.Or(e.Address, dev.Address), cmp.Or(e.Port, dev.Port, d.Port)
	defer func(opened *errand) {
		if err != nil {
			_ = opened.Close()
		}
	}(e)
	// Some answer when the file is sent; one that comes later than so is no loss, see set.
	if e.writer, err = snmp.NewWriter(dev, e.Write, e.host, e.port, min(e.idle, 15*time.Second)); err != nil {
		return nil, err
	}
	e.asked = snmp.Probe{Credentials: []snmp.Credentials{e.Write}, Timeout: e.Read.Timeout, Retries: e.Read.Retries}
	if e.addrs, err = (&net.Resolver{}).LookupNetIP(ctx, "ip", e.host); err != nil {
		return nil, wrong(devices.Unreachable, err, "check the address")
	}
	answer, err := e.Read.Identify(ctx, e.host, e.port)
	if err != nil {
		return nil, err
	}
	e.is = answer.Identity
	if len(dev.Serials) > 0 && len(e.is.Serials) > 0 && !devices.Shared(dev.Serials, e.is.Serials) {
		return nil, wrong(devices.Refused, fmt.Errorf("this is another device: its serial number is %s, the inventory has %s", strings.Join(e.is.Serials, ", "), strings.Join(dev.Serials, ", ")),
			"nothing was asked of it; correct the address, or the serial number in the inventory")
	}
	return e, nil
}

// merge puts what a device says by SNMP beside what its configuration says.
func (e *errand) merge(text devices.Identity) devices.Identity {
	id := e.is
	id.Hostname = cmp.Or(text.Hostname, id.Hostname) // sysName may have the domain behind it
	id.Model, id.Version = cmp.Or(text.Model, id.Model), cmp.Or(text.Version, id.Version)
	for _, s := range text.Serials {
		if !devices.Shared(id.Serials, []string{s}) {
			id.Serials = append(id.Serials, s)
		}
	}
	return id
}

// run has the device send one text.
func (e *errand) run(ctx context.Context, _ string, s step) (_ answer, err error) {
	t := e.d.transfer
	file, err := e.Receiver.Expect(ctx, t.by, e.addrs)
	if err != nil {
		return answer{}, err
	}
	defer file.Close()
	words, err := e.words(ctx, file, s)
	if err != nil {
		return answer{}, err
	}
	clear, err := requests(t.clear, words)
	if err != nil {
		return answer{}, err
	}
	ask, err := requests(t.set, words)
	if err != nil {
		return answer{}, err
	}
	ours := false // a row may stand there, and it is not somebody else's
	defer func() {
		if !ours {
			return
		}
		// Whatever came of it, and though Ctrl-C was pressed: the row goes.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		for _, r := range clear {
			_ = e.writer.Set(ctx, r) // many devices have taken it away by themselves
		}
	}()
	for _, r := range ask {
		err := e.set(ctx, file, r, clear)
		ours = ours || !errors.Is(err, snmp.ErrInTheWay)
		if err != nil {
			return answer{}, err
		}
	}
	raw, err := e.await(ctx, file, words)
	if err != nil {
		return answer{}, err
	}
	return answer{raw: raw, text: configs.Plain(raw)}, nil
}

// set sends one request. Without an answer it may have been done all the same:
// then the file comes. A row that stands in the way, of a transfer that is over,
// is taken away once.
func (e *errand) set(ctx context.Context, file *receive.File, r snmp.Request, clear []snmp.Request) error {
	err := e.writer.Set(ctx, r)
	if errors.Is(err, snmp.ErrUnanswered) && ctx.Err() == nil {
		if _, begun := file.Size(); begun {
			return nil
		}
	}
	if !errors.Is(err, snmp.ErrInTheWay) || len(clear) == 0 || !e.d.transfer.fixed {
		return err
	}
	if state, _, known := e.state(ctx, map[string]string{}); known && state == busy {
		return err
	}
	for _, c := range clear {
		if err := e.writer.Set(ctx, c); err != nil {
			return err
		}
	}
	return e.writer.Set(ctx, r)
}

// words are what the driver's texts mean in this transfer.
func (e *errand) words(ctx context.Context, file *receive.File, s step) (map[string]string, error) {
	to := e.To
	if !to.IsValid() {
		c, err := (&net.Dialer{}).DialContext(ctx, "udp", net.JoinHostPort(e.host, strconv.Itoa(e.port))) // sends nothing
		if err != nil {
			return nil, fmt.Errorf("find the address that the device is to send to: %w", err)
		}
		defer c.Close()
		at, err := netip.ParseAddrPort(c.LocalAddr().String())
		if err != nil {
			return nil, err
		}
		to = at.Addr()
	}
	family := "1"
	if to = to.Unmap(); to.Is6() {
		family = "2"
	}
	words := map[string]string{
		"row":  strconv.Itoa(1 + rand.IntN(65535)), //nolint:gosec // it has to be free, not unguessable
		"file": file.Name, "user": file.User, "password": file.Password.Reveal(),
		"address": to.String(), "family": family, "port": strconv.Itoa(file.Port),
	}
	for word, value := range s.words {
		words[word] = value
	}
	return words, nil
}
