package watch

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"belay/devices"
)

// A book knows which devices have an address.
type book struct {
	mu    sync.RWMutex
	at    map[netip.Addr][]devices.Device
	names map[string][]devices.Device // host names whose addresses are not known yet
}

var (
	errNobody    = errors.New("no device of the inventory has this address")
	errAmbiguous = errors.New("several devices of the inventory have this address")
)

func newBook(list []devices.Device) *book {
	b := &book{at: map[netip.Addr][]devices.Device{}, names: map[string][]devices.Device{}}
	for _, d := range list {
		host := d.Address
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
			a = plain(a)
			b.at[a] = append(b.at[a], d)
		} else if host != "" {
			b.names[host] = append(b.names[host], d)
		}
	}
	return b
}

func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func (b *book) known(a netip.Addr) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return len(b.at[plain(a)]) > 0
}

// find is the device that sent from an address. Zones overlap: where several
// devices have it, the one that the message names counts; where that is none of
// them, or more than one, nobody knows who spoke.
func (b *book) find(a netip.Addr, host string) (devices.Device, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	list := b.at[plain(a)]
	switch len(list) {
	case 0:
		return devices.Device{}, errNobody
	case 1:
		return list[0], nil
	}
	short, _, _ := strings.Cut(host, ".")
	var named []devices.Device
	for _, d := range list {
		if host != "" && (strings.EqualFold(d.Name, host) || strings.EqualFold(d.Name, short)) {
			named = append(named, d)
		}
	}
	if len(named) != 1 {
		return devices.Device{}, errAmbiguous
	}
	return named[0], nil
}

const (
	asked   = 20              // host names at once
	patient = 5 * time.Second // for one of them
	again   = time.Hour       // for those that had no answer
)

// resolve finds the addresses of host names, once for each that has any.
func (b *book) resolve(ctx context.Context, lookup func(context.Context, string) ([]netip.Addr, error)) {
	for lookup != nil && ctx.Err() == nil {
		b.mu.RLock()
		var open []string
		for name := range b.names {
			open = append(open, name)
		}
		b.mu.RUnlock()
		if len(open) == 0 {
			return
		}
		slots := make(chan struct{}, asked)
		var all sync.WaitGroup
		for _, name := range open {
			slots <- struct{}{}
			all.Go(func() {
				defer func() { <-slots }()
				ctx, cancel := context.WithTimeout(ctx, patient)
				defer cancel()
				found, err := lookup(ctx, name)
				if err == nil && len(found) > 0 {
					b.add(name, found)
				}
			})
		}
		all.Wait()
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}

func (b *book) add(name string, found []netip.Addr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range found {
		b.at[plain(a)] = append(b.at[plain(a)], b.names[name]...)
	}
	delete(b.names, name)
}
