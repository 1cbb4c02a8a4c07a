package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/configs/report"
	"belay/devices"
)

func (p *program) devicesCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "devices", Short: "List, add, import, rename, identify and trust devices"}
	cmd.AddCommand(p.devicesList(), p.devicesAdd(), p.devicesImport(), p.devicesRename(), p.devicesIdentify(), p.devicesDiscover(), p.devicesTrust())
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
			return p.withWorkspace(cmd.Context(), func(w *workspace) error {
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
			})
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
		Use: "add CUSTOMER/NAME ADDRESS[:PORT] --driver NAME", Short: "Add a device to the inventory", Args: cobra.ExactArgs(2),
		Example: "  belay devices add acme/fw-hq 192.0.2.1 --driver fortios --site hq",
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withWorkspace(cmd.Context(), func(w *workspace) error {
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
				for i, mac := range d.MACs {
					if d.MACs[i] = devices.MAC(mac); d.MACs[i] == "" {
						return &devices.Error{Kind: devices.Usage, Err: fmt.Errorf("%q is no MAC address", mac), Hint: "--mac 00:09:0f:aa:10:2b"}
					}
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
				_, err := fmt.Fprintf(p.out, "added %s to %s; next: belay devices trust %s\n", d, file, d)
				return err
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&d.Driver, "driver", "", "its system: belay drivers list")
	f.StringVar(&d.Site, "site", "", "where it stands")
	f.StringVar(&d.Login, "login", "", "name of a login in the settings")
	f.StringSliceVar(&d.Serials, "serial", nil, "expected serial number; of a stack or pair each")
	f.StringSliceVar(&d.MACs, "mac", nil, "hardware address, to find its configuration item by")
	f.StringSliceVar(&d.Jump, "jump", nil, "jump hosts in the order they are passed")
	f.StringSliceVar(&d.Also, "also", nil, "what else may be done with it: "+strings.Join(devices.AlsoWords(), ", "))
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
			return p.withWorkspace(cmd.Context(), func(w *workspace) error {
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
				_, err = fmt.Fprintf(p.out, "%s read, %d added to %s\n", report.Plural(len(list.Devices), "device"), len(added), file)
				return err
			})
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
