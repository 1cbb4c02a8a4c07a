package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"belay/devices"
	"belay/devices/snmp"
)

func (p *program) devicesIdentify() *cobra.Command {
	return &cobra.Command{
		Use: "identify DEVICE|ADDRESS…", Short: "Ask devices by SNMP who they are", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := p.open(cmd.Context(), openOptions{})
			if err != nil {
				return err
			}
			defer w.close()
			var errs []error
			for _, a := range args {
				d, err := w.inventory.Find(a)
				if err != nil {
					d = devices.Device{Customer: "default", Name: a, Address: a}
				}
				answer, err := w.identify(cmd.Context(), d)
				if err != nil {
					errs = append(errs, err)
					continue
				}
				if err := p.showIdentity(d.Address, answer); err != nil {
					return err
				}
			}
			return errors.Join(errs...)
		},
	}
}

func (w *workspace) identify(ctx context.Context, d devices.Device) (snmp.Answer, error) {
	probe, err := w.probe(ctx, d)
	if err != nil {
		return snmp.Answer{}, err
	}
	host, port := d.Address, 161
	if h, n, err := net.SplitHostPort(d.Address); err == nil {
		if host = h; n != "" {
			if port, err = strconv.Atoi(n); err != nil {
				return snmp.Answer{}, &devices.Error{Kind: devices.Usage, Err: fmt.Errorf("%q is no port", n)}
			}
		}
	}
	return probe.Identify(ctx, host, port)
}

func (p *program) showIdentity(address string, a snmp.Answer) error {
	if p.json {
		return p.printJSON(map[string]any{"address": address, "identity": a.Identity, "description": a.Description, "location": a.Location, "upSeconds": a.UpTime.Seconds()})
	}
	columns(p.out, [][]string{
		{"address", address}, {"name", a.Hostname}, {"model", a.Model}, {"serial", strings.Join(a.Serials, ", ")},
		{"version", a.Version}, {"sysObjectID", a.ObjectID}, {"location", a.Location}, {"description", a.Description},
	})
	return nil
}

// probe is the SNMP probe for a device.
func (w *workspace) probe(ctx context.Context, d devices.Device) (snmp.Probe, error) {
	_, set, ok := forDevice(w.settings.SNMP, d)
	if !ok {
		return snmp.Probe{}, &devices.Error{Kind: devices.Usage, Op: "identify", Device: d.Address, Err: errors.New("the settings say nothing of SNMP"), Hint: "add snmp: default: … to " + w.settings.file}
	}
	c, err := w.snmpCredentials(ctx, set)
	if err != nil {
		return snmp.Probe{}, err
	}
	return snmp.Probe{Credentials: []snmp.Credentials{c}, Timeout: 2 * time.Second, Retries: 1}, nil
}
