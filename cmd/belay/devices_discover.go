package main

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"belay/devices"
)

// mostAddresses is how many addresses one search may have; at 64 at once and at
// most 5 s each that is an hour and a half.
const mostAddresses = 1 << 16

func (p *program) devicesDiscover() *cobra.Command {
	var o identifyOptions
	cmd := &cobra.Command{
		Use: "discover CIDR…", Short: "Find devices in a network, and tell which driver reads each", Args: cobra.MinimumNArgs(1),
		Long: `Asks every address of the networks by SNMP and reads the first line of its SSH server. Nobody
logs in. Tells of each that answers which driver reads it and how sure that is; --add writes what is
certain, and not in the inventory yet, into it.

With --json one object per address that answered and line.`,
		Example: "  belay devices discover 192.0.2.0/24\n  belay devices discover 192.0.2.0/24 --add acme/hq",
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withWorkspace(cmd.Context(), func(w *workspace) error { return p.runDiscover(cmd.Context(), w, args, o) })
		},
	}
	o.flags(cmd)
	return cmd
}

func (p *program) runDiscover(ctx context.Context, w *workspace, networks []string, o identifyOptions) error {
	var list []netip.Addr
	for _, n := range networks {
		more, err := addressesOf(n)
		if err != nil {
			return err
		}
		list = append(list, more...)
	}
	if len(list) > mostAddresses {
		return &devices.Error{Kind: devices.Usage, Op: "discover", Err: fmt.Errorf("%d addresses are more than one search may have", len(list)), Hint: fmt.Sprintf("at most %d: a /16; search the sites one by one", mostAddresses)}
	}
	found, err := p.lookAtAll(ctx, w, list, o)
	if err != nil {
		return err
	}
	rows := [][]string{{"ADDRESS", "NAME", "MODEL", "DRIVER", "CERTAINTY", "INVENTORY"}}
	for _, s := range found {
		r := s.row()
		if p.json {
			if err := p.printJSON(r); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, []string{r.Address, r.Identity.Hostname, r.Identity.Model, r.Driver, r.Certainty, r.Device})
	}
	if !p.json {
		columns(p.out, rows)
		if err := p.say("%d of %d addresses answered\n", len(found), len(list)); err != nil {
			return err
		}
	}
	for _, s := range found {
		if s.known {
			p.compare(w, s)
		}
	}
	return p.addSights(w, found, o)
}

// lookAtAll looks at so many addresses at once, and returns those that answered.
func (p *program) lookAtAll(ctx context.Context, w *workspace, list []netip.Addr, o identifyOptions) (found []sight, err error) {
	const atOnce = 64
	var bar *mpb.Bar
	if isTerminal(p.err) && !p.json {
		bars := mpb.New(mpb.WithOutput(p.err), mpb.WithWidth(40))
		bar = bars.AddBar(int64(len(list)), mpb.BarRemoveOnComplete(), mpb.PrependDecorators(decor.CountersNoUnit("%d of %d addresses ")))
		defer bars.Wait()
		defer func() { bar.Abort(true) }()
	}
	seen := make([]sight, len(list))
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(atOnce, len(list)) {
		workers.Go(func() {
			for i := range next {
				d, known, err := w.addressed(list[i].String(), o.add)
				if err == nil {
					seen[i] = w.look(ctx, d, known)
				}
				if bar != nil {
					bar.Increment()
				}
			}
		})
	}
	for i := range list {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	workers.Wait()
	if ctx.Err() != nil {
		return nil, &devices.Error{Op: "discover", Err: fmt.Errorf("interrupted: %w", ctx.Err())}
	}
	return slices.DeleteFunc(seen, sight.silent), nil
}

// addressesOf lists the addresses of a network that a device can have.
func addressesOf(text string) ([]netip.Addr, error) {
	wrong := func(err error, hint string) ([]netip.Addr, error) {
		return nil, &devices.Error{Kind: devices.Usage, Op: "discover", Err: err, Hint: hint}
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return []netip.Addr{a}, nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return wrong(fmt.Errorf("%q is no network", text), "write it as 192.0.2.0/24")
	}
	network = network.Masked()
	free := network.Addr().BitLen() - network.Bits()
	if free > 16 {
		n := new(big.Int).Lsh(big.NewInt(1), uint(free)) //nolint:gosec // at most 128
		return wrong(fmt.Errorf("%s has %s addresses", text, n), "at most a /16 (IPv6: a /112) in one search")
	}
	var list []netip.Addr
	for a := network.Addr(); a.IsValid() && network.Contains(a); a = a.Next() {
		list = append(list, a)
	}
	if network.Addr().Is4() && free > 1 { // the network's own address and that of all
		list = list[1 : len(list)-1]
	}
	if len(list) == 0 {
		return wrong(errors.New(strings.TrimSpace(text)+" is empty"), "")
	}
	return list, nil
}
