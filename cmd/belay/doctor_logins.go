package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"belay/configs"
	"belay/devices"
	"belay/devices/ssh"
	"belay/drivers"
)

// A knock is what came of asking one device to let us in.
type knock struct {
	device devices.Device
	err    error
	spared bool // it was not asked: others of its site had refused
}

// checkLogins logs in to each device and leaves again. Each is asked once, with its
// first login only: a second wrong one may lock the account. Where two devices of a
// site have refused, the rest of it is not asked.
func checkLogins(ctx context.Context, x *patient) []finding {
	if x.opts.noLogins {
		return []finding{fine("not tried: --no-logins")}
	}
	list, err := x.inventory.Select(x.opts.customer, x.opts.site)
	if err != nil || len(list) == 0 {
		return nil
	}
	// Without firstUse: a look pins nothing.
	dialer := &ssh.Dialer{HostKeys: &pins{ledger: x.ledger, by: x.by, now: x.now}, Hosts: x.dialer.Hosts, Now: x.now}
	knocks := x.knockAll(ctx, spread(list), func(d devices.Device) error { return x.knock(ctx, dialer, d) })
	found := x.tellKnocks(knocks)
	if err := x.recordKnocks(context.WithoutCancel(ctx), knocks); err != nil {
		found = append(found, wrong(failed, err))
	}
	return found
}

// spread puts devices in an order in which those of one site stand far apart.
func spread(list []devices.Device) []devices.Device {
	nth, turn := map[string]int{}, map[devices.ID]int{}
	for _, d := range list {
		turn[d.ID()] = nth[d.SiteKey()]
		nth[d.SiteKey()]++
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b devices.Device) int { return turn[a.ID()] - turn[b.ID()] })
	return list
}

// knockAll asks devices, so many at once as the settings allow, in all and of a site.
func (x *patient) knockAll(ctx context.Context, list []devices.Device, ask func(devices.Device) error) []knock {
	limits := x.settings.Concurrency
	var mu sync.Mutex
	refused, sites := map[string]int{}, map[string]chan struct{}{}
	for _, d := range list {
		sites[d.SiteKey()] = make(chan struct{}, min(limits.Site, 2)) // or many would have refused before two are counted
	}
	knocks := make([]knock, len(list))
	room := make(chan struct{}, limits.All)
	var all sync.WaitGroup
	done := 0
	shown := x.p.copyingDevices(len(list))
	for i, d := range list {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			site := sites[d.SiteKey()]
			site <- struct{}{}
			defer func() { <-site }()
			k := knock{device: d, err: ctx.Err()}
			mu.Lock()
			k.spared = refused[d.SiteKey()] >= 2
			mu.Unlock()
			if k.err == nil && !k.spared {
				k.err = ask(d)
			}
			mu.Lock()
			defer mu.Unlock()
			if devices.KindOf(k.err) == devices.Denied {
				refused[d.SiteKey()]++
			}
			knocks[i] = k
			done++
			shown(done)
		})
	}
	all.Wait()
	return knocks
}

// copyingDevices shows a person at a terminal how many devices were asked.
func (p *program) copyingDevices(of int) func(done int) {
	if p.json || of < 20 || !isTerminal(p.err) {
		return func(int) {}
	}
	return func(done int) {
		fmt.Fprintf(p.err, "\r%d of %d devices asked ", done, of)
		if done == of {
			fmt.Fprint(p.err, "\r                                   \r")
		}
	}
}

// knock logs in and leaves.
func (x *patient) knock(ctx context.Context, dialer *ssh.Dialer, d devices.Device) error {
	with, err := x.catalog.Find(d.Driver)
	if err != nil {
		return &devices.Error{Kind: devices.Usage, Op: "log in to", Device: d.String(), Err: err}
	}
	if _, _, api := with.HTTPS(); api {
		keys := &pins{ledger: x.ledger, by: x.by, now: x.now}
		return (&drivers.Puller{Catalog: x.catalog, DialHTTPS: x.dialHTTPS(x.apis(keys)), Now: x.now}).SignIn(ctx, d)
	}
	if with.Road() == "snmp" { // who may write is not tried: a look sets nothing
		_, err := x.askSNMP(ctx, d)
		return err
	}
	logins, err := x.secrets.logins(ctx, d)
	if err != nil {
		return err
	}
	c, err := dialer.Dial(ctx, d, ssh.Options{Port: with.Port, Auth: with.Auth, NoKeepalive: !with.Keepalive, Logins: logins[:1]})
	if err != nil {
		return err
	}
	_ = c.Close() // it let us in: no more was asked
	return nil
}

// tellKnocks is a line for each site, and one for each device that did not let us in.
func (x *patient) tellKnocks(knocks []knock) (found []finding) {
	type tally struct{ in, out, spared, unpinned int }
	sites := map[string]*tally{}
	var names []string
	for _, k := range knocks {
		name := k.device.Customer + "/" + k.device.Site
		if k.device.Site == "" {
			name = k.device.Customer + ", no site"
		}
		t := sites[name]
		if t == nil {
			t = &tally{}
			sites[name] = t
			names = append(names, name)
		}
		switch {
		case k.spared:
			t.spared++
		case x.unpinned(k.err): // a line of each would be ten thousand before the first night
			t.unpinned++
		case k.err != nil:
			t.out++
			found = append(found, x.tellKnock(k))
		default:
			t.in++
		}
	}
	slices.Sort(names)
	slices.SortStableFunc(found, func(a, b finding) int { return strings.Compare(a.Detail, b.Detail) })
	var lines []finding
	for _, n := range names {
		t := sites[n]
		switch {
		case t.spared > 0:
			lines = append(lines, broken("correct the login of the site, then ask again with --site", "%s: %d let us in, %d did not, %d were not asked: two of the site refused the login", n, t.in, t.out, t.spared))
		case t.out > 0:
			lines = append(lines, finding{State: odd, Detail: fmt.Sprintf("%s: %d let us in, %d did not", n, t.in, t.out)})
		case t.in > 0 || t.unpinned == 0:
			lines = append(lines, fine("%s: %d let us in", n, t.in))
		}
		if t.unpinned > 0 {
			lines = append(lines, strange("the first capture pins what it is shown (host_keys: first-use); belay devices trust does it in your name",
				"%s: no login was tried at %d whose host key is not pinned yet", n, t.unpinned))
		}
	}
	return append(lines, found...)
}

// unpinned tells whether a device was not asked to let us in only because a look
// pins no host key, where the first capture will.
func (x *patient) unpinned(err error) bool {
	w, wrongKey := errors.AsType[*ssh.WrongKey](err)
	return wrongKey && len(w.Want) == 0 && x.settings.HostKeys == "first-use"
}

func (x *patient) tellKnock(k knock) finding {
	f := wrong(failed, k.err)
	if !strings.Contains(f.Detail, k.device.String()) {
		f.Detail = k.device.String() + ": " + f.Detail
	}
	return f
}

// recordKnocks tells the ledger who refused, as a capture would.
func (x *patient) recordKnocks(ctx context.Context, knocks []knock) error {
	detail := map[string]map[string]any{}
	for _, k := range knocks {
		c := detail[k.device.Customer]
		if c == nil {
			c = map[string]any{"asked": 0}
			detail[k.device.Customer] = c
		}
		if k.spared {
			continue
		}
		c["asked"] = c["asked"].(int) + 1
		if devices.KindOf(k.err) == devices.Denied {
			denied, _ := c["denied"].([]string)
			c["denied"] = append(denied, k.device.String())
		}
	}
	var errs []error
	for customer, d := range detail {
		errs = append(errs, x.ledger.Append(ctx, configs.Event{At: x.now(), Customer: customer, By: x.by, Act: "doctor", Detail: d}))
	}
	return errors.Join(errs...)
}
