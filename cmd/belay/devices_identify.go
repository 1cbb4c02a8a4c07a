package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"belay/devices"
	"belay/devices/snmp"
	"belay/devices/ssh"
	"belay/drivers"
)

func (p *program) devicesIdentify() *cobra.Command {
	var o identifyOptions
	cmd := &cobra.Command{
		Use: "identify DEVICE|ADDRESS…", Short: "Ask devices who they are, and tell which driver reads them", Args: cobra.MinimumNArgs(1),
		Long: `Asks by SNMP, and reads what the SSH server says of itself; nobody logs in. Tells which driver
reads the device and how sure that is: certain (the system's own object identifier and description),
likely, or possible. With --add an address that is not in the inventory is added to it.

With --login what is not certain is tried: devices of the inventory are logged in to with their
own login and read by the likeliest drivers, three at most; nothing is kept, nothing is written on
the device, and nothing is asked by SNMP to be sent.`,
		Example: "  belay devices identify 192.0.2.1\n  belay devices identify 192.0.2.1 192.0.2.2 --add acme/hq",
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withWorkspace(cmd.Context(), func(w *workspace) error { return p.runIdentify(cmd.Context(), w, args, o) })
		},
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&o.login, "login", false, "log in and try what is not certain (devices of the inventory)")
	return cmd
}

type identifyOptions struct {
	add   string // CUSTOMER or CUSTOMER/SITE
	file  string
	login bool
}

func (o *identifyOptions) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.add, "add", "", "add what is certain to the inventory, for this CUSTOMER or CUSTOMER/SITE")
	cmd.Flags().StringVar(&o.file, "file", "", "inventory file to add to (default: the first of the settings)")
}

func (p *program) runIdentify(ctx context.Context, w *workspace, args []string, o identifyOptions) error {
	var errs []error
	var all []sight
	for _, a := range args {
		d, known, err := w.addressed(a, o.add)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s := w.look(ctx, d, known)
		if s.silent() {
			errs = append(errs, s.unanswered())
			continue
		}
		switch {
		case !o.login || s.certainty() == drivers.Certain:
		case !known:
			warn(p.err, "%s: it is not in the inventory, and was not logged in to", s.device.Address)
		default:
			if err := w.tryLogin(ctx, &s); devices.KindOf(err) == devices.Refused {
				warn(p.err, "%v", err)
			} else if err != nil {
				errs = append(errs, err)
			}
		}
		all = append(all, s)
		if err := p.showSight(w, s); err != nil {
			return err
		}
	}
	errs = append(errs, p.addSights(w, all, o))
	return errors.Join(errs...)
}

// addressed is the device that somebody means by its name or address.
func (w *workspace) addressed(name, add string) (d devices.Device, known bool, err error) {
	if d, err := w.inventory.Find(name); err == nil {
		return d, true, nil
	}
	customer, site, _ := strings.Cut(add, "/")
	if customer == "" {
		customer = "default"
	}
	d = devices.Device{Customer: customer, Site: site, Address: name}
	if host, port, err := net.SplitHostPort(name); err == nil {
		if d.Port, err = strconv.Atoi(port); err != nil {
			return d, false, &devices.Error{Kind: devices.Usage, Op: "identify", Device: name, Err: fmt.Errorf("%q is no port", port)}
		}
		d.Address = host
	}
	for _, other := range w.inventory.Devices {
		if other.Address == d.Address && (d.Port == 0 || other.Port == d.Port) && (add == "" || other.Customer == customer) {
			return other, true, nil
		}
	}
	return d, false, nil
}

// A sight is what a device shows of itself before anybody logs in.
type sight struct {
	device  devices.Device
	known   bool         // it is in the inventory
	snmp    *snmp.Answer // nil: no answer
	server  string       // the SSH server's version line
	web     bool         // something listens where HTTPS is expected
	guesses []drivers.Guess
	errs    [2]error // of SNMP and SSH
}

func (s sight) silent() bool { return s.snmp == nil && s.server == "" && !s.web }

// unanswered says why nothing is known of an address.
func (s sight) unanswered() error {
	return &devices.Error{Kind: devices.Unreachable, Op: "identify", Device: s.device.Address, Err: errors.Join(s.errs[:]...),
		Hint: "is the address right, and do filters on the way let UDP 161 or TCP 22 through?"}
}

func (s sight) certainty() string {
	if len(s.guesses) == 0 {
		return "unknown"
	}
	return s.guesses[0].Certainty
}

// askWithin is how long an address may take to answer.
const askWithin = 5 * time.Second

// look asks a device by SNMP and its SSH server by its first line, at once.
func (w *workspace) look(ctx context.Context, d devices.Device, known bool) sight {
	s := sight{device: d, known: known}
	var both sync.WaitGroup
	both.Go(func() {
		answer, err := w.askSNMP(ctx, d)
		if s.errs[0] = err; err == nil {
			s.snmp = &answer
		}
	})
	both.Go(func() {
		ctx, done := context.WithTimeout(ctx, askWithin)
		defer done()
		s.server, s.web, s.errs[1] = w.askServers(ctx, d)
	})
	both.Wait()
	e := drivers.Evidence{Server: s.server}
	if s.snmp != nil {
		e.ObjectID, e.Description = s.snmp.ObjectID, s.snmp.Description
	}
	s.guesses = w.catalog.Guess(e)
	if s.snmp != nil && w.confirm(ctx, d, s.guesses, &e) {
		s.guesses = w.catalog.Guess(e)
	}
	return s
}

// confirm asks for the objects that only one system's agent has.
func (w *workspace) confirm(ctx context.Context, d devices.Device, guesses []drivers.Guess, e *drivers.Evidence) bool {
	var oids []string
	for _, g := range guesses {
		if oid := g.Driver.Signs.Confirm; oid != "" {
			oids = append(oids, oid)
		}
	}
	if len(oids) == 0 {
		return false
	}
	probe, port, err := w.agent(ctx, d)
	if err != nil {
		return false
	}
	r, err := probe.Ask(ctx, d.Address, port, oids...)
	if err != nil {
		return false // what it said before stands
	}
	e.Has = map[string]bool{}
	for _, oid := range oids {
		_, e.Has[oid] = r.Values[oid]
	}
	return true
}

func (w *workspace) askSNMP(ctx context.Context, d devices.Device) (snmp.Answer, error) {
	probe, port, err := w.agent(ctx, d)
	if err != nil {
		return snmp.Answer{}, err
	}
	return probe.Identify(ctx, d.Address, port)
}

// askServers reads the first line of the SSH server and looks whether anything
// listens for HTTPS.
func (w *workspace) askServers(ctx context.Context, d devices.Device) (server string, web bool, err error) {
	t, err := w.dialer.Tunnel(ctx, d, ssh.Options{})
	if err != nil {
		return "", false, err
	}
	defer t.Close()
	port := "22"
	if d.Port != 0 {
		port = strconv.Itoa(d.Port)
	}
	conn, err := t.DialContext(ctx, "tcp", net.JoinHostPort(d.Address, port))
	if err == nil {
		if server, err = ssh.Greet(ctx, conn); err == nil {
			return server, false, nil
		}
	}
	if c, err := t.DialContext(ctx, "tcp", net.JoinHostPort(d.Address, "443")); err == nil {
		return "", true, c.Close()
	}
	return "", false, err
}

// tryLogin reads a device by the likeliest drivers until one fits, that of the
// inventory first where it is one of them. Of what a person has allowed for it beside
// reading nothing is done: no file is written, nothing is set. Its login is for the road that the inventory names; it is tried on no other.
func (w *workspace) tryLogin(ctx context.Context, s *sight) (err error) {
	const most = 3
	d := s.device
	d.Also = slices.DeleteFunc(slices.Clone(d.Also), func(word string) bool { return word != "telnet" })
	order, tried := slices.Clone(s.guesses), 0
	if named, err := w.catalog.Find(d.Driver); err == nil {
		order = first(order, named)
	}
	for _, g := range order {
		if entrance(g.Driver) != w.entranceOf(s.device) {
			continue
		}
		if tried++; tried > most {
			break
		}
		d.Driver = g.Driver.Name
		if err = w.fits(ctx, d); err == nil {
			g.Certainty, g.Why = drivers.Certain, append(g.Why, "it was logged in to and understood")
			s.guesses = first(s.guesses, g.Driver)
			s.guesses[0] = g
			return nil
		}
		// One that was read to no end may be another system; but where the login, or
		// the host key, is refused, that goes for every driver.
		e, _ := errors.AsType[*devices.Error](err)
		if k := devices.KindOf(err); ctx.Err() != nil || k != devices.Refused && (k != devices.Unreachable || e.Op != "read") {
			return err
		}
	}
	return err
}

// first is the list with one driver's guess, if it is there, before the others.
func first(list []drivers.Guess, d *drivers.Driver) []drivers.Guess {
	i := slices.IndexFunc(list, func(g drivers.Guess) bool { return g.Driver.Name == d.Name })
	if i < 0 {
		return list
	}
	g := list[i]
	return slices.Insert(slices.Delete(slices.Clone(list), i, i+1), 0, g)
}

// fits tells why a device cannot be read by its driver, nil where it can. Nothing
// is kept.
func (w *workspace) fits(ctx context.Context, d devices.Device) error {
	c, err := w.puller.Pull(ctx, d)
	if err != nil {
		return err
	}
	for _, check := range c.Check() {
		if !check.OK {
			return &devices.Error{Kind: devices.Refused, Op: "read", Device: d.String(), Err: fmt.Errorf("as %s: the check %q refused what it says", d.Driver, check.Name), Hint: "belay drivers try " + d.String() + " --driver " + d.Driver}
		}
	}
	return nil
}

// entrance is what a login is for: a terminal, an API, or the SNMP agent, where
// none is taken.
func entrance(d *drivers.Driver) string {
	switch road := d.Road(); road {
	case "https", "snmp":
		return road
	}
	return "ssh"
}

func (w *workspace) entranceOf(d devices.Device) string {
	if named, err := w.catalog.Find(d.Driver); err == nil {
		return entrance(named)
	}
	return "ssh"
}

// agent is how a device's SNMP agent is asked, and its port (0: the usual one).
func (w *workspace) agent(ctx context.Context, d devices.Device) (snmp.Probe, int, error) {
	_, set, ok := forDevice(w.settings.SNMP, d)
	if !ok {
		return snmp.Probe{}, 0, &devices.Error{Kind: devices.Usage, Op: "ask by SNMP", Device: d.Address, Err: errors.New("the settings say nothing of SNMP"), Hint: "add snmp: default: … to " + w.settings.file}
	}
	c, err := w.snmpCredentials(ctx, set)
	if err != nil {
		return snmp.Probe{}, 0, err
	}
	return snmp.Probe{Credentials: []snmp.Credentials{c}, Timeout: 2 * time.Second, Retries: 1}, set.Port, nil
}
