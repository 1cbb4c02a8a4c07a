package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"belay/configs/change"
	"belay/devices/simulator"
	"belay/drivers"
	"belay/store/docsystem/itglue/standin"
)

// The made-up customer in the made-up IT Glue.
const (
	demoOrganization = 2041
	demoItem         = 88120 // of the first device
	demoNewItem      = 88199
)

const demoDocumentation = `documentation:
  itglue: {itglue: {url: "%s", key: {file: itglue-key}, attach: original, keep: 10}}
customers:
  acme:
    documentation: itglue
    organization: %d
    contacts:
      - {name: Ada Example, email: ada@acme.example, authorisation: true, from: 2026-01-01, to: 2099-12-31}
`

// want runs a command that must end with a status.
func (d *demo) want(ctx context.Context, status int, args ...string) error {
	code, err := d.belay(ctx, args...)
	if err == nil && code != status {
		err = fmt.Errorf("the demo has failed: belay %s ended with %d, want %d", args[0], code, status)
	}
	return err
}

// replace has the firewall at headquarters replaced.
func (d *demo) replace(ctx context.Context) error {
	address, err := d.newFirewall()
	if err != nil {
		return err
	}
	d.say("\nThe firewall fw-hq is to be replaced: ticket T20391. Nobody touches it before the gate says so.\nJust now its configuration comes cut short, with a clean prompt behind it:")
	d.files["fw-hq"].Order(simulator.Fault{CutLine: 120})
	if err := d.want(ctx, 4, "before", "acme/fw-hq", "--ticket", "T20391", "--new", "fw-hq-2", "--address", address); err != nil {
		return err
	}
	d.say("\nThe next reading is whole:")
	d.files["fw-hq"].Order(simulator.Fault{})
	for _, args := range [][]string{
		{"before", "acme/fw-hq", "--ticket", "T20391"},
		{"gate", "acme/fw-hq"},
		{"after", "acme/fw-hq-2", "--ticket", "T20391"},
		{"close", "T20391"},
	} {
		if err := d.want(ctx, 0, args...); err != nil {
			return err
		}
	}
	d.say("\nBoth configurations hang on their configuration items in IT Glue, the receipt beside them:")
	for _, id := range []int{demoItem, demoNewItem} {
		for _, a := range d.glue.Attachments(id) {
			d.say("  item %d  %6d bytes  %s", id, len(a.Bytes), a.Name)
		}
	}
	if wrong := d.glue.Violations(); len(wrong) > 0 {
		return fmt.Errorf("the demo has failed: asked of IT Glue what must never be: %q", wrong)
	}
	if err := d.want(ctx, 0, "receipt", "T20391"); err != nil {
		return err
	}
	var file bytes.Buffer
	if _, err := d.quiet(ctx, &file, d.p.err, "receipt", "T20391", "--format", "json"); err != nil {
		return err
	}
	d.say("\n$ belay receipt T20391 --format json > receipt.json")
	path := filepath.Join(d.dir, "receipt.json")
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		return err
	}
	return d.want(ctx, 0, "receipt", "verify", path)
}

// newFirewall serves the box that takes the firewall's place, and has it in IT Glue.
func (d *demo) newFirewall() (address string, err error) {
	catalog, err := drivers.Load("")
	if err != nil {
		return "", err
	}
	script := catalog.Transcripts("fortios")[0]
	old := d.files["fw-hq"].T.Facts
	serial := old.Serials[0][:len(old.Serials[0])-4] + "9001"
	text := strings.NewReplacer(old.Serials[0], serial, old.Hostname, old.Hostname+"-2").Replace(string(script.Text))
	t, err := simulator.Parse(script.Name, []byte(text))
	if err != nil {
		return "", err
	}
	s := &simulator.Server{Device: &simulator.Device{T: t, Login: &simulator.Login{User: "belay", Password: "demo", Enable: "demo"}}}
	if err := s.Start("127.0.0.1:0"); err != nil {
		return "", err
	}
	d.servers = append(d.servers, s)
	d.glue.AddConfiguration(standin.Configuration{ID: demoNewItem, Organization: demoOrganization, Name: "FW-HQ-2", Serial: serial})
	return s.Address(), nil
}

// waive has the switch that cannot be backed up go on without a backup.
func (d *demo) waive(ctx context.Context) error {
	d.say("\nThe switch sw-depot is to be replaced too, but no copy of it is ever whole. The customer's contact may\nagree in writing to go on without. A first reply leaves out that remedial work is billable:")
	if err := d.want(ctx, 4, "before", "acme/sw-depot", "--ticket", "T20402"); err != nil {
		return err
	}
	clauses := change.DefaultWording().Clauses
	serial := d.files["sw-depot"].T.Facts.Serials[0]
	for i, step := range []struct {
		says   []string
		status int
	}{{clauses[:1], 3}, {clauses, 0}} {
		path := filepath.Join(d.dir, fmt.Sprintf("reply-%d.eml", i+1))
		mail := fmt.Sprintf("From: Ada Example <ada@acme.example>\nTo: support@msp.example\nSubject: Re: T20402 switch at the depot\nDate: %s\nMessage-ID: <reply-%d@acme.example>\n\nTicket T20402, serial number %s.\n%s\n",
			d.p.now().Format(time.RFC1123Z), i+1, serial, strings.Join(step.says, "\n"))
		if err := os.WriteFile(path, []byte(mail), 0o600); err != nil {
			return err
		}
		if err := d.want(ctx, step.status, "waive", "T20402", "--email", path); err != nil {
			return err
		}
	}
	return d.want(ctx, 0, "gate", "T20402")
}
