package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"belay/devices"
	"belay/drivers"
)

// A sightRow is what scripts read of an address.
type sightRow struct {
	Address     string           `json:"address"`
	Device      string           `json:"device,omitempty"` // as the inventory has it
	Driver      string           `json:"driver"`           // empty: unknown
	Certainty   string           `json:"certainty"`        // certain, likely, possible or unknown
	Why         []string         `json:"why,omitempty"`
	Others      []string         `json:"others,omitempty"`    // other drivers that may be the right one
	Inventory   string           `json:"inventory,omitempty"` // the driver that the inventory names
	Identity    devices.Identity `json:"identity,omitzero"`
	Description string           `json:"description,omitempty"`
	Location    string           `json:"location,omitempty"`
	UpSeconds   float64          `json:"upSeconds,omitempty"`
	Server      string           `json:"server,omitempty"` // the SSH server's version line
}

func (s sight) row() sightRow {
	r := sightRow{Address: s.device.Address, Certainty: s.certainty(), Server: s.server}
	if s.known {
		r.Device, r.Inventory = s.device.String(), s.device.Driver
	}
	for i, g := range s.guesses {
		if i == 0 {
			r.Driver, r.Why = g.Driver.Name, g.Why
			continue
		}
		r.Others = append(r.Others, g.Driver.Name)
	}
	if a := s.snmp; a != nil {
		r.Identity, r.Description, r.Location, r.UpSeconds = a.Identity, a.Description, a.Location, a.UpTime.Seconds()
	}
	return r
}

// showSight prints what is known of one address.
func (p *program) showSight(w *workspace, s sight) error {
	r := s.row()
	if p.json {
		return p.printJSON(r)
	}
	driver := "none is known for it"
	if r.Driver != "" {
		driver = fmt.Sprintf("%s (%s: %s)", r.Driver, r.Certainty, strings.Join(r.Why, "; "))
	} else if s.web {
		driver = "unknown: it answers for HTTPS alone; an API may read it (belay drivers list)"
	}
	rows := [][]string{
		{"address", r.Address}, {"driver", driver}, {"or", strings.Join(r.Others, ", ")}, {"name", r.Identity.Hostname}, {"model", r.Identity.Model},
		{"serial", strings.Join(r.Identity.Serials, ", ")}, {"version", r.Identity.Version}, {"sysObjectID", r.Identity.ObjectID},
		{"location", r.Location}, {"description", r.Description}, {"SSH server", r.Server}, {"inventory", r.Device},
	}
	var said [][]string
	for _, row := range rows {
		if row[1] != "" {
			said = append(said, row)
		}
	}
	columns(p.out, said)
	for i, err := range s.errs {
		if err != nil && s.snmp == nil && i == 0 {
			warn(p.err, "%s: %v", r.Address, err)
		}
	}
	if s.known {
		p.compare(w, s)
	}
	return nil
}

// compare warns where the inventory names another driver than the device shows.
func (p *program) compare(w *workspace, s sight) {
	named, err := w.catalog.Find(s.device.Driver)
	fits := func(g drivers.Guess) bool { return err == nil && g.Driver.Name == named.Name }
	if len(s.guesses) == 0 || slices.ContainsFunc(s.guesses, fits) {
		return
	}
	was := "no driver"
	if s.device.Driver != "" {
		was = "driver " + s.device.Driver
	}
	warn(p.err, "%s: the inventory (%s) names %s; write driver: %s there", s.device, s.device.Where, was, s.guesses[0].Driver.Name)
}

// addSights writes what is certain and not in the inventory yet into it.
func (p *program) addSights(w *workspace, all []sight, o identifyOptions) error {
	var list []devices.Device
	unsure := 0
	for _, s := range all {
		if s.known {
			continue
		}
		if s.certainty() != drivers.Certain {
			unsure++
			continue
		}
		d := s.device
		d.Driver, d.Serials, d.Model = s.guesses[0].Driver.Name, s.snmp.Serials, s.snmp.Model
		if other, ok := sameBox(d, list, w.inventory.Devices); ok {
			if other.Address != d.Address { // routers answer at each of their addresses
				warn(p.err, "%s: its serial number is that of %s (%s): not added", d.Address, other, other.Address)
			}
			continue
		}
		d.Name = nameFor(s, list, w.inventory.Devices)
		list = append(list, d)
	}
	if o.add == "" {
		if n := len(list); n > 0 && !p.json {
			warn(p.err, "%d not in the inventory: --add CUSTOMER[/SITE] writes what is certain into it", n)
		}
		return nil
	}
	if unsure > 0 {
		warn(p.err, "%d are not certain and were not added: belay devices add CUSTOMER/NAME ADDRESS --driver …", unsure)
	}
	if len(list) == 0 {
		return nil
	}
	file := o.file
	if file == "" {
		if len(w.settings.Inventory) == 0 {
			return &devices.Error{Kind: devices.Usage, Op: "add devices", Err: errors.New("the settings name no inventory"), Hint: "--file FILE"}
		}
		file = w.settings.Inventory[0]
	}
	if err := devices.Append(w.settings.path(file), list...); err != nil {
		return err
	}
	for _, d := range list {
		if p.json {
			break
		}
		if err := p.say("added %s (%s) to %s; next: belay devices trust %s\n", d, d.Driver, file, d); err != nil {
			return err
		}
	}
	return nil
}

// sameBox is the customer's device that one is already: by its address, or by its
// serial number.
func sameBox(d devices.Device, added, there []devices.Device) (devices.Device, bool) {
	for _, list := range [][]devices.Device{added, there} {
		for _, o := range list {
			if o.Customer == d.Customer && (o.Address == d.Address && o.Port == d.Port || devices.Shared(o.Serials, d.Serials)) {
				return o, true
			}
		}
	}
	return devices.Device{}, false
}

// nameFor is a name for a device that has none yet: what it calls itself, or its
// address.
func nameFor(s sight, added, there []devices.Device) string {
	taken := func(name string) bool {
		for _, list := range [][]devices.Device{added, there} {
			for _, d := range list {
				if d.Customer == s.device.Customer && strings.EqualFold(d.Name, name) {
					return true
				}
			}
		}
		return devices.CheckName(name) != nil
	}
	host, _, _ := strings.Cut(s.snmp.Hostname, ".")
	for _, name := range []string{devices.BetterName(host), devices.BetterName(s.snmp.Hostname), devices.BetterName(host + "-" + s.device.Address)} {
		if !taken(name) {
			return name
		}
	}
	return devices.BetterName("device-" + s.device.Address)
}
