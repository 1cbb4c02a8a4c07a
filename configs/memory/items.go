package memory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	"belay/configs"
	"belay/devices"
)

// Items remembers mappings in memory. The zero value is ready.
type Items struct {
	Faults
	Ledger *Ledger // is told the "map" events; nil: nobody is

	mu     sync.Mutex
	mapped map[place]configs.Mapping
}

// A place is a device in a system.
type place struct {
	to string
	id devices.ID
}

// Mapped is the mapping of a device.
func (i *Items) Mapped(ctx context.Context, to string, id devices.ID) (configs.Mapping, bool, error) {
	if err := i.check(ctx, "Mapped"); err != nil {
		return configs.Mapping{}, false, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	m, ok := i.mapped[place{to, id}]
	return cloneMapping(m), ok, nil
}

// Map remembers m, and tells it.
func (i *Items) Map(ctx context.Context, m configs.Mapping) error {
	if err := i.check(ctx, "Map"); err != nil {
		return err
	}
	if err := checkID(m.Device); err != nil {
		return err
	}
	if m.To == "" || m.Item.ID == "" || m.How == "" || m.At.IsZero() {
		return errors.New("remember an item: it needs a system, an item, how it was found and when")
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	at := place{m.To, m.Device}
	if i.Ledger != nil {
		e := configs.Event{At: m.At, Device: m.Device, By: m.By, Act: "map", Detail: map[string]any{
			"system": m.To, "organization": m.Item.Organization, "item": m.Item.ID, "name": m.Item.Name, "how": m.How, "before": before(i.mapped[at].Item),
		}}
		if err := i.Ledger.appendAll(ctx, []configs.Event{e}); err != nil {
			return err
		}
	}
	if i.mapped == nil {
		i.mapped = map[place]configs.Mapping{}
	}
	i.mapped[at] = cloneMapping(m)
	return nil
}

// before names the item that a device had until now; empty where it had none.
func before(i configs.Item) string {
	if i.ID == "" {
		return ""
	}
	return fmt.Sprintf("item %s of organization %s", i.ID, i.Organization)
}

// Mappings are all of a system, by device.
func (i *Items) Mappings(ctx context.Context, to string) iter.Seq2[configs.Mapping, error] {
	return func(yield func(configs.Mapping, error) bool) {
		if err := i.check(ctx, "Mappings"); err != nil {
			yield(configs.Mapping{}, err)
			return
		}
		var ms []configs.Mapping
		i.mu.Lock()
		for at, m := range i.mapped {
			if at.to == to {
				ms = append(ms, cloneMapping(m))
			}
		}
		i.mu.Unlock()
		slices.SortFunc(ms, func(a, b configs.Mapping) int { return cmp.Compare(a.Device, b.Device) })
		for _, m := range ms {
			if !yield(m, nil) {
				return
			}
		}
	}
}

func cloneMapping(m configs.Mapping) configs.Mapping {
	m.Item = cloneItem(m.Item)
	m.Serials = slices.Clone(m.Serials)
	return m
}
