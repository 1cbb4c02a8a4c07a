package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"belay/configs"
)

// eachAtOnce runs do for every element, a few at a time, and joins what they found in
// the elements' order.
func eachAtOnce[T any](ctx context.Context, most int, list []T, do func(ctx context.Context, v T) []finding) []finding {
	found := make([][]finding, len(list))
	room := make(chan struct{}, most)
	var all sync.WaitGroup
	for i, v := range list {
		room <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		all.Go(func() {
			defer func() { <-room }()
			found[i] = do(ctx, v)
		})
	}
	all.Wait()
	return slices.Concat(found...)
}

// checkRemotes begins a push to each remote and breaks it off.
func checkRemotes(ctx context.Context, x *patient) []finding {
	if len(x.settings.Remotes) == 0 {
		return []finding{fine("none is set up")}
	}
	customers := map[string]bool{}
	for _, d := range x.inventory.Devices {
		customers[d.Customer] = x.opts.customer == "" || d.Customer == x.opts.customer
	}
	maps.DeleteFunc(customers, func(_ string, asked bool) bool { return !asked })
	return eachAtOnce(ctx, 8, slices.Sorted(maps.Keys(customers)), func(ctx context.Context, c string) []finding {
		ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, errors.New("no answer for 30s"))
		defer cancel()
		at, ok, err := x.store.Reach(ctx, c)
		switch {
		case !ok && err == nil:
			return nil
		case err != nil:
			return []finding{wrong(failed, err)}
		case at.Ahead:
			return []finding{broken("if this data folder was restored: belay restore catch-up; otherwise look at "+at.Place+" with git log, and overwrite nothing",
				"%s: %s has commits that are not in this history", c, at.Place)}
		case at.Behind:
			return []finding{strange("belay verify --customer "+c+" brings it up to date", "%s: %s lacks what is kept here", c, at.Place)}
		case !at.Second:
			return []finding{strange("elsewhere: true, where that path is on another machine", "%s: %s answers, but is no second place", c, at.Place)}
		}
		return []finding{fine("%s: %s answers", c, at.Place)}
	})
}

func checkDocumentation(ctx context.Context, x *patient) []finding {
	names := slices.Sorted(maps.Keys(x.settings.Documentation))
	if len(names) == 0 {
		return []finding{fine("none is set up")}
	}
	return eachAtOnce(ctx, 4, names, x.askDocumentation)
}

func (x *patient) askDocumentation(ctx context.Context, name string) (found []finding) {
	sys, d, err := x.system(name)
	if err != nil {
		return []finding{wrong(failed, err)}
	}
	for _, dev := range x.inventory.Devices {
		c := dev.Customer
		organization := string(x.settings.Customers[c].Organization)
		if !sys.Own && organization == "" && slices.Contains(x.settings.documentations(c), name) {
			found = append(found, broken("customers: "+c+": {organization: …} in "+x.settings.file, "%s: the organization of %s is not said", name, c))
		}
	}
	found = slices.CompactFunc(found, func(a, b finding) bool { return a.Detail == b.Detail })
	switch d := d.(type) {
	case configs.Prober:
		checks, err := d.Probe(ctx)
		for _, c := range checks {
			if !c.OK {
				found = append(found, broken("belay docs try "+name+" tells more", "%s: %s: %s", name, c.Name, c.Detail))
			}
		}
		if err != nil {
			found = append(found, wrong(failed, err))
		}
	case configs.ItemLister:
		if _, err := d.Items(ctx, "belay-doctor", []string{}); err != nil {
			found = append(found, wrong(failed, fmt.Errorf("%s: %w", name, err)))
		}
	}
	if len(found) == 0 {
		found = append(found, fine("%s: %s answers, and the key may see what it must", name, d.Name()))
	}
	return found
}

// checkTickets asks what can be asked without sending anything.
func checkTickets(ctx context.Context, x *patient) []finding {
	names := slices.Sorted(maps.Keys(x.settings.Tickets))
	if len(names) == 0 {
		return []finding{fine("no ticket system is set up")}
	}
	return eachAtOnce(ctx, 4, names, func(ctx context.Context, name string) []finding {
		t := x.settings.Tickets[name]
		var err error
		switch {
		case t.Folder != nil:
			err = syscall.Access(x.settings.path(t.Folder.Path), 2|1) // W_OK, X_OK
		case t.Email != nil:
			err = answers(ctx, t.Email.Server)
		case t.Webhook != nil && t.Webhook.From == nil:
			err = answers(ctx, hostOf(t.Webhook.URL))
		}
		if err != nil {
			return []finding{broken("see tickets."+name+" in "+x.settings.file, "%s: %v", name, err)}
		}
		return []finding{fine("%s: it is there; nothing was sent", name)}
	})
}

// answers tells whether somebody takes a connection.
func answers(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return c.Close()
}

// hostOf is the host and port of an address on the web.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = u.Scheme
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// checkClock compares this machine's clock with what the kernel thinks of it, with
// those of servers that tell theirs, and with what was recorded last.
func checkClock(ctx context.Context, x *patient) []finding {
	found := kernelClock()
	late := x.now().Add(5 * time.Minute)
	for e, err := range x.ledger.Events(ctx, configs.Filter{Since: late}) {
		if err != nil {
			found = append(found, wrong(failed, err))
			break
		}
		found = append(found, broken("set the clock, and keep it with NTP (timedatectl)", "the ledger has an entry of %s: the clock was put back, or it was ahead then", e.At.UTC().Format(time.RFC3339)))
		break
	}
	var servers []string
	for _, d := range x.settings.Documentation {
		if _, o := d.the(); o.URL != "" {
			servers = append(servers, o.URL)
		}
	}
	for _, r := range x.settings.Remotes {
		if strings.HasPrefix(r.URL, "https://") {
			servers = append(servers, r.URL)
		}
	}
	slices.Sort(servers)
	return append(found, eachAtOnce(ctx, 4, slices.Compact(servers), x.compareClock)...)
}

// compareClock asks a server for nothing but its date.
func (x *patient) compareClock(ctx context.Context, address string) []finding {
	u, err := url.Parse(address)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, u.Scheme+"://"+u.Host+"/", nil)
	if err != nil {
		return nil
	}
	client := &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	began := x.now()
	resp, err := client.Do(req)
	if err != nil {
		return nil // who does not answer is told of by another check
	}
	_ = resp.Body.Close() // nothing was asked for
	theirs, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return nil
	}
	if off := began.Sub(theirs); off.Abs() > 2*time.Minute {
		return []finding{broken("set the clock, and keep it with NTP (timedatectl)", "this machine is %v from what %s says", off.Round(time.Second), u.Host)}
	}
	return []finding{fine("it agrees with that of %s", u.Host)}
}
