package outbox

import (
	"context"
	"fmt"

	"belay/configs"
	"belay/devices"
)

// Match is the item of a device in a place: the one that is remembered, or the
// one that is found beyond doubt. It writes nothing; an error lists what is in
// doubt.
func (o *Office) Match(ctx context.Context, p Place, d devices.Device, by configs.Person) (m configs.Mapping, remembered bool, err error) {
	organization, err := p.organization(d.Customer)
	if err != nil {
		return m, false, err
	}
	leave, err := enter(ctx, o.dock(p.Name).look)
	if err != nil {
		return m, false, err
	}
	defer leave()
	v, _, err := o.Repository.Newest(ctx, d.ID())
	if err != nil {
		return m, false, err
	}
	l := configs.Letter{To: p.Name, Customer: d.Customer, Device: d.ID(), By: by}
	m, remembered, err = o.Items.Mapped(ctx, p.Name, d.ID())
	if err != nil {
		return m, false, err
	}
	if remembered && (p.Own || !disjoint(m.Serials, v.Identity.Serials)) {
		item, err := o.seen(ctx, p, l, m.Item, organization)
		if err != nil || p.Own || !o.another(l, v, m, item) {
			m.Item = item
			return m, true, err
		}
	}
	m, err = o.find(ctx, p, l, v, organization)
	return m, false, err
}

// byPerson is how an item was matched that a person named.
const byPerson = "person"

// Confirm remembers that an item is a device's because a person says so. It must
// be there, in the customer's organization, and no other device's.
func (o *Office) Confirm(ctx context.Context, p Place, d devices.Device, id string, by configs.Person) (configs.Mapping, error) {
	wrong := func(kind devices.Kind, format string, args ...any) (configs.Mapping, error) {
		return configs.Mapping{}, &devices.Error{Kind: kind, Op: "match", Device: d.String(), Err: fmt.Errorf(format, args...)}
	}
	organization, err := p.organization(d.Customer)
	if err != nil {
		return configs.Mapping{}, err
	}
	lister, ok := p.System.(configs.ItemLister)
	if !ok || p.Own {
		return wrong(devices.Usage, "%s has no items to choose from", p.System.Name())
	}
	found, err := lister.Items(ctx, organization, []string{id})
	if err != nil {
		return configs.Mapping{}, err
	}
	if len(found) != 1 || found[0].ID != id {
		return wrong(devices.Usage, "%s has no item %s", p.System.Name(), id)
	}
	if found[0].Organization != organization {
		return wrong(devices.NotAllowed, "%s is another customer's: %s is organization %s", found[0], d.Customer, organization)
	}
	other, err := o.holder(ctx, p, d.ID(), found[0])
	if err != nil {
		return configs.Mapping{}, err
	}
	if other != "" {
		return wrong(devices.NotAllowed, "%s is matched to %s", found[0], other)
	}
	v, _, err := o.Repository.Newest(ctx, d.ID())
	if err != nil {
		return configs.Mapping{}, err
	}
	l := configs.Letter{To: p.Name, Customer: d.Customer, Device: d.ID(), By: by}
	m := configs.Mapping{To: p.Name, Device: d.ID(), Item: found[0], How: byPerson, By: by, At: o.Now(), Serials: o.wanted(l, v, organization).Serials}
	if err := o.Items.Map(ctx, m); err != nil {
		return m, err
	}
	_, err = o.Retry(ctx, configs.LetterFilter{To: p.Name, Device: d.ID()})
	return m, err
}
