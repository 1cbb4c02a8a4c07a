package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	gossh "golang.org/x/crypto/ssh"

	"belay/configs"
	"belay/devices"
	"belay/devices/snmp"
	"belay/devices/ssh"
	"belay/store/ledger"
)

func (p *program) devicesCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "devices", Short: "List, add, import, rename, identify and trust devices"}
	cmd.AddCommand(p.devicesList(), p.devicesAdd(), p.devicesImport(), p.devicesRename(), p.devicesIdentify(), p.devicesTrust())
	return cmd
}

// deviceRow is a device as scripts read it.
type deviceRow struct {
	Device   string          `json:"device"`
	Address  string          `json:"address"`
	Port     int             `json:"port,omitempty"`
	Driver   string          `json:"driver"`
	Site     string          `json:"site,omitempty"`
	Serials  []string        `json:"serials,omitempty"`
	Where    string          `json:"where"`
	Version  string          `json:"version,omitempty"`
	Kept     time.Time       `json:"kept,omitzero"`
	Checked  time.Time       `json:"checked,omitzero"`
	Result   configs.Outcome `json:"result,omitempty"`
	Problem  string          `json:"problem,omitempty"`
	CheckErr string          `json:"error,omitempty"`
}

func (p *program) devicesList() *cobra.Command {
	var c chosen
	cmd := &cobra.Command{
		Use: "list", Short: "List the devices of the inventory and how they stand", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := p.open(cmd.Context(), openOptions{})
			if err != nil {
				return err
			}
			defer w.close()
			list, err := w.inventory.Select(c.customer, c.site)
			if err != nil {
				return err
			}
			rows := [][]string{{"DEVICE", "ADDRESS", "DRIVER", "SITE", "LAST READ", "RESULT", "VERSION"}}
			for _, d := range list {
				r, err := w.row(cmd.Context(), d)
				if err != nil {
					return err
				}
				if p.json {
					if err := p.printJSON(r); err != nil {
						return err
					}
					continue
				}
				checked, result := "never", string(r.Result)
				if !r.Checked.IsZero() {
					checked = r.Checked.Local().Format("2006-01-02 15:04")
				}
				if r.Problem != "" {
					result = r.Problem
				}
				rows = append(rows, []string{r.Device, r.Address, r.Driver, r.Site, checked, result, short(r.Version)})
			}
			if !p.json {
				columns(p.out, rows)
			}
			return nil
		},
	}
	c.flags(cmd)
	return cmd
}

func (w *workspace) row(ctx context.Context, d devices.Device) (deviceRow, error) {
	r := deviceRow{Device: d.String(), Address: d.Address, Port: d.Port, Driver: d.Driver, Site: d.Site, Serials: d.Serials, Where: d.Where.String()}
	if drv, err := w.catalog.Find(d.Driver); err != nil {
		r.Problem = "no such driver"
	} else {
		r.Driver = drv.Name
	}
	if v, ok, err := w.store.Newest(ctx, d.ID()); err != nil {
		return r, err
	} else if ok {
		r.Version, r.Kept = v.Commit, v.Taken
	}
	if c, ok, err := w.ledger.LastChecked(ctx, d.ID()); err != nil {
		return r, err
	} else if ok {
		r.Checked, r.Result, r.CheckErr = c.At, c.Result, c.Error
	}
	return r, nil
}

func (p *program) devicesAdd() *cobra.Command {
	var d devices.Device
	var file string
	cmd := &cobra.Command{
		Use: "add CUSTOMER/NAME ADDRESS --driver NAME", Short: "Add a device to the inventory", Args: cobra.ExactArgs(2),
		Example: "  belay devices add acme/fw-hq 192.0.2.1 --driver fortios --site hq",
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := p.open(cmd.Context(), openOptions{})
			if err != nil {
				return err
			}
			defer w.close()
			d.Customer, d.Name = "default", args[0]
			if c, n, ok := strings.Cut(args[0], "/"); ok {
				d.Customer, d.Name = c, n
			}
			d.Address = args[1]
			if host, port, err := net.SplitHostPort(args[1]); err == nil {
				n, err := strconv.Atoi(port)
				if err != nil {
					return &devices.Error{Kind: devices.Usage, Err: fmt.Errorf("%q is no port", port)}
				}
				d.Address, d.Port = host, n
			}
			if _, err := w.catalog.Find(d.Driver); err != nil {
				return err
			}
			if other, err := w.inventory.Find(d.String()); err == nil {
				return &devices.Error{Kind: devices.Usage, Op: "add", Device: d.String(), Err: fmt.Errorf("it stands in %s already", other.Where)}
			}
			if file == "" {
				file = w.settings.Inventory[0]
			}
			if err := devices.Append(w.settings.path(file), d); err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.out, "added %s to %s; next: belay devices trust %s\n", d, file, d)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&d.Driver, "driver", "", "its system: belay drivers list")
	f.StringVar(&d.Site, "site", "", "where it stands")
	f.StringVar(&d.Login, "login", "", "name of a login in the settings")
	f.StringSliceVar(&d.Serials, "serial", nil, "expected serial number; of a stack or pair each")
	f.StringSliceVar(&d.Jump, "jump", nil, "jump hosts in the order they are passed")
	f.BoolVar(&d.Legacy, "legacy", false, "may be spoken to with algorithms that are no longer safe")
	f.StringVar(&file, "file", "", "inventory file (default: the first of the settings)")
	return cmd
}

func (p *program) devicesImport() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "import FILE…", Short: "Add the devices of other lists (CSV or YAML) to the inventory", Args: cobra.MinimumNArgs(1),
		Long: `Reads lists as other programs write them, with any sensible header, and adds the devices
that are not in the inventory yet. A second run adds nothing.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := p.open(cmd.Context(), openOptions{})
			if err != nil {
				return err
			}
			defer w.close()
			list, err := devices.Load("", args)
			if err != nil {
				return err
			}
			for _, warning := range list.Warnings {
				warn(p.err, "%s", warning)
			}
			if file == "" {
				file = w.settings.Inventory[0]
			}
			var added []devices.Device
			for _, d := range list.Devices {
				if _, err := w.catalog.Find(d.Driver); err != nil {
					warn(p.err, "%s: %v", d.Where, err)
				}
				if _, err := w.inventory.Find(d.String()); err == nil {
					continue
				}
				added = append(added, d)
			}
			if err := devices.Append(w.settings.path(file), added...); err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.out, "%d devices read, %d added to %s\n", len(list.Devices), len(added), file)
			return err
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "inventory file (default: the first of the settings)")
	return cmd
}

func (p *program) devicesRename() *cobra.Command {
	return &cobra.Command{
		Use: "rename DEVICE NEW-NAME", Short: "Give a device another name; its history continues", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withDevice(cmd.Context(), args[0], func(w *workspace, d devices.Device) error {
				name := strings.TrimPrefix(args[1], d.Customer+"/")
				if err := devices.CheckName(name); err != nil {
					return &devices.Error{Kind: devices.Usage, Op: "rename", Device: d.String(), Err: err}
				}
				if other, err := w.inventory.Find(d.Customer + "/" + name); err == nil {
					return &devices.Error{Kind: devices.Usage, Op: "rename", Device: d.String(), Err: fmt.Errorf("%s has this name already: %s", other, other.Where)}
				}
				if err := devices.Rename(w.settings.path(d.Where.File), d, name); err != nil {
					return err
				}
				if err := w.ledger.Append(cmd.Context(), configs.Event{At: p.now(), Customer: d.Customer, Device: d.ID(), By: w.by, Act: "rename", Detail: map[string]any{"from": d.Name, "to": name}}); err != nil {
					return err
				}
				_, err := fmt.Fprintf(p.out, "%s is now %s/%s; its history continues with the next capture\n", d, d.Customer, name)
				return err
			})
		},
	}
}

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

func (p *program) devicesTrust() *cobra.Command {
	var fingerprint string
	var yes, add bool
	cmd := &cobra.Command{
		Use: "trust DEVICE…", Short: "Pin the host key that a device shows now; recorded with your name",
		Long: `Fetches the host key without logging in, shows its fingerprint, and pins it when you
confirm: by typing yes, with --fingerprint SHA256:… or with --yes. A key that was pinned
before is replaced, or kept beside the new one with --add (for the members of a pair).`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := p.open(cmd.Context(), openOptions{})
			if err != nil {
				return err
			}
			defer w.close()
			for _, a := range args {
				d, err := w.inventory.Find(a)
				if err != nil {
					return err
				}
				if err := p.runTrust(cmd.Context(), w, d, fingerprint, yes, add); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&fingerprint, "fingerprint", "", "pin only a key with this `SHA256:…` fingerprint")
	cmd.Flags().BoolVar(&yes, "yes", false, "pin whatever key is shown")
	cmd.Flags().BoolVar(&add, "add", false, "keep the keys that are pinned already")
	return cmd
}

func (p *program) runTrust(ctx context.Context, w *workspace, d devices.Device, fingerprint string, yes, add bool) error {
	o := ssh.Options{}
	if drv, err := w.catalog.Find(d.Driver); err == nil {
		o.Port = drv.Port
	}
	if len(d.Jump) > 0 {
		logins, err := w.secrets.logins(ctx, d)
		if err != nil {
			return err
		}
		o.Logins = logins
	}
	key, server, err := w.dialer.HostKey(ctx, d, o)
	if err != nil {
		return err
	}
	shown := gossh.FingerprintSHA256(key)
	pinned, err := w.ledger.Pins(ctx, string(d.ID()))
	if err != nil {
		return err
	}
	if slices.ContainsFunc(pinned, func(p ledger.Pin) bool { return p.Fingerprint == shown }) {
		_, err := fmt.Fprintf(p.out, "%s  %s %s is pinned already\n", d, key.Type(), shown)
		return err
	}
	if fingerprint != "" && fingerprint != shown {
		return &devices.Error{Kind: devices.NotAllowed, Op: "trust", Device: d.String(), Err: fmt.Errorf("it shows %s, not %s", shown, fingerprint)}
	}
	fmt.Fprintf(p.out, "%s  %s %s  %s\n", d, key.Type(), shown, server)
	for _, was := range pinned {
		fmt.Fprintf(p.out, "%s  pinned until now: %s %s by %s on %s\n", d, was.Type, was.Fingerprint, was.By.Name, was.At.Format(time.DateOnly))
	}
	if fingerprint == "" && !yes {
		if ok, err := p.confirm("pin this key? (yes/no) "); err != nil || !ok {
			return errors.Join(err, &devices.Error{Kind: devices.NotAllowed, Op: "trust", Device: d.String(), Err: errors.New("not confirmed: nothing was pinned"), Hint: "compare the fingerprint with the device's console, then use --fingerprint " + shown})
		}
	}
	pin := ledger.Pin{Host: string(d.ID()), Fingerprint: shown, Type: key.Type(), Key: key.Marshal(), By: w.by, At: p.now(), Reason: "belay devices trust"}
	if add {
		err = w.ledger.AddPin(ctx, pin)
	} else {
		err = w.ledger.ReplacePins(ctx, string(d.ID()), []ledger.Pin{pin})
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "%s  pinned\n", d)
	return err
}

// confirm asks a person at a terminal.
func (p *program) confirm(question string) (bool, error) {
	if f, ok := p.in.(*os.File); !ok || !isTerminal(f) {
		return false, nil
	}
	fmt.Fprint(p.err, question)
	line, err := bufio.NewReader(p.in).ReadString('\n')
	return strings.TrimSpace(strings.ToLower(line)) == "yes", err
}
