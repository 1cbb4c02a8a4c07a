package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"belay/configs"
	"belay/devices"
)

// An itemKey names an item: its id alone never does.
type itemKey struct{ organization, id string }

// A sight is what was seen at the last look at an item.
type sight struct {
	item configs.Item
	ok   bool // it is there
	at   time.Time
}

// item is the one that a letter is to hang on: the one it was sent to before, or
// that of its device. It is looked at first, and refused where it is gone or
// another organization's by now.
func (o *Office) item(ctx context.Context, p Place, l configs.Letter, v configs.Version, stands bool) (configs.Item, error) {
	organization, err := p.organization(l.Customer)
	if err != nil {
		return configs.Item{}, err
	}
	leave, err := enter(ctx, o.dock(p.Name).look)
	if err != nil {
		return configs.Item{}, err
	}
	defer leave()
	if !l.Began.IsZero() {
		item, err := o.seen(ctx, p, l, l.Item, organization)
		if _, refused := errors.AsType[*lasting](err); !refused {
			return item, err
		}
	}
	m, ok, err := o.Items.Mapped(ctx, p.Name, l.Device)
	if err != nil {
		return configs.Item{}, err
	}
	var item configs.Item
	if ok = ok && (p.Own || !disjoint(m.Serials, v.Identity.Serials)); ok {
		if item, err = o.seen(ctx, p, l, m.Item, organization); err != nil {
			return configs.Item{}, err
		}
		ok = p.Own || !o.another(l, v, m, item)
	}
	news := false
	if !ok {
		if m, err = o.find(ctx, p, l, v, organization); err != nil {
			return configs.Item{}, err
		}
		if item, err = o.seen(ctx, p, l, m.Item, organization); err != nil {
			return configs.Item{}, err
		}
		news = true
	}
	if err := o.restrict(ctx, p, l, &item); err != nil {
		return item, err
	}
	if !p.Own && len(m.Serials) == 0 && len(v.Identity.Serials) > 0 { // a person matched it before it had shown any
		m.Serials, news = slices.Clone(v.Identity.Serials), true
	}
	if !stands || !news && item.Restricted == m.Item.Restricted { // an older box's letter does not take the item from the one that stands there now
		return item, nil
	}
	m.Item.Restricted = item.Restricted
	return item, o.Items.Map(ctx, m)
}

// another tells whether a remembered item is another box's: its serial number is
// none of the device's, unless a person matched the two who knew the device's.
func (o *Office) another(l configs.Letter, v configs.Version, m configs.Mapping, item configs.Item) bool {
	if m.How == byPerson && devices.Shared(m.Serials, v.Identity.Serials) {
		return false
	}
	return len(v.Identity.Serials) > 0 && disjoint(item.Serials, slices.Concat(m.Serials, o.wanted(l, v, item.Organization).Serials))
}

// restrict hides an item before an original hangs on it, once.
func (o *Office) restrict(ctx context.Context, p Place, l configs.Letter, item *configs.Item) error {
	r, ok := p.System.(configs.Restricter)
	if !ok || !p.Restrict || l.Form != configs.Original || item.Restricted {
		return nil
	}
	if err := r.Restrict(ctx, *item); err != nil {
		return overThere(err)
	}
	item.Restricted = true
	d := o.dock(p.Name)
	key := itemKey{item.Organization, item.ID}
	if s, ok := d.items[key]; ok {
		s.item.Restricted = true
		d.items[key] = s
	}
	return nil
}

// seen is item as it was at a look in the last hour.
func (o *Office) seen(ctx context.Context, p Place, l configs.Letter, item configs.Item, organization string) (configs.Item, error) {
	refuse := func(format string, args ...any) (configs.Item, error) {
		return configs.Item{}, o.unmatched(p, l, fmt.Errorf(format, args...))
	}
	if item.Organization != organization {
		return refuse("%s is remembered, but %s is organization %s", item, l.Customer, organization)
	}
	if lister, ok := p.System.(configs.ItemLister); ok && !p.Own {
		s, err := o.sight(ctx, p, lister, item)
		switch {
		case err != nil:
			return configs.Item{}, err
		case !s.ok:
			return refuse("%s is not there any more", item)
		case s.item.Organization != organization:
			return refuse("%s belongs to organization %s by now", item, s.item.Organization)
		}
		restricted := item.Restricted
		item = s.item
		item.Restricted = item.Restricted || restricted
	}
	if item.Archived {
		o.log("%s in %s is archived; %s is attached there all the same", item, p.System.Name(), l.Name)
	}
	return item, nil
}

// sight looks at an item, and with the same request at others of its
// organization that letters may be about to go to.
func (o *Office) sight(ctx context.Context, p Place, lister configs.ItemLister, item configs.Item) (sight, error) {
	d := o.dock(p.Name)
	now := o.Now()
	known := func(it configs.Item) bool {
		s, ok := d.items[itemKey{it.Organization, it.ID}]
		return ok && now.Sub(s.at) < lookGood
	}
	key := itemKey{item.Organization, item.ID}
	if known(item) {
		return d.items[key], nil
	}
	ids := []string{item.ID}
	for m, err := range o.Items.Mappings(ctx, p.Name) {
		if err != nil {
			return sight{}, err
		}
		if len(ids) == 100 {
			break
		}
		if m.Item.Organization == item.Organization && !known(m.Item) && !slices.Contains(ids, m.Item.ID) {
			ids = append(ids, m.Item.ID)
		}
	}
	found, err := lister.Items(ctx, item.Organization, ids)
	if err != nil {
		return sight{}, overThere(err)
	}
	for _, id := range ids {
		s := sight{at: now}
		for _, it := range found {
			if it.ID == id {
				s.item, s.ok = it, true
			}
		}
		d.items[itemKey{item.Organization, id}] = s
	}
	return d.items[key], nil
}

// forget makes the next letter look anew.
func (o *Office) forget(ctx context.Context, p Place, item configs.Item) {
	if leave, err := enter(ctx, o.dock(p.Name).look); err == nil {
		defer leave()
		delete(o.dock(p.Name).items, itemKey{item.Organization, item.ID})
	}
}

// find looks for a device's item by what the device says of itself. Only one
// that is beyond doubt is taken; the name of an item says nothing.
func (o *Office) find(ctx context.Context, p Place, l configs.Letter, v configs.Version, organization string) (configs.Mapping, error) {
	finder, ok := p.System.(configs.ItemFinder)
	if !ok {
		return configs.Mapping{}, o.unmatched(p, l, fmt.Errorf("%s cannot be searched", p.System.Name()))
	}
	w := o.wanted(l, v, organization)
	if !p.Own && len(w.Serials)+len(w.MACs) == 0 {
		return configs.Mapping{}, o.unmatched(p, l, errors.New("the device has named no serial number, and the inventory has none"))
	}
	found, err := finder.FindItems(ctx, w)
	if err != nil {
		return configs.Mapping{}, overThere(err)
	}
	var fit []configs.Mapping
	var candidates []string
	for _, it := range found {
		if it.Organization != organization {
			o.log("%s named %s when asked for organization %s; left out", p.System.Name(), it, organization)
			continue
		}
		how, doubt := match(p, w, it)
		candidates = append(candidates, describe(it, doubt))
		if doubt == "" {
			fit = append(fit, configs.Mapping{To: p.Name, Device: l.Device, Item: it, How: how, Serials: w.Serials, By: l.By, At: o.Now()})
		}
	}
	switch {
	case len(fit) == 1:
		other, err := o.holder(ctx, p, l.Device, fit[0].Item)
		if err != nil {
			return configs.Mapping{}, err
		}
		if other != "" {
			return configs.Mapping{}, o.unmatched(p, l, fmt.Errorf("%s fits, but is matched to %s: are the two one device?", describe(fit[0].Item, ""), other))
		}
		o.dock(p.Name).items[itemKey{organization, fit[0].Item.ID}] = sight{fit[0].Item, true, o.Now()}
		return fit[0], nil
	case len(candidates) == 0:
		return configs.Mapping{}, o.unmatched(p, l, fmt.Errorf("organization %s has no item with serial number %s%s", organization, list(w.Serials), orMAC(w)))
	}
	return configs.Mapping{}, o.unmatched(p, l, fmt.Errorf("%d items fit, want 1: %s", len(fit), strings.Join(candidates, "; ")))
}

// holder is another device of the inventory that an item is matched to.
func (o *Office) holder(ctx context.Context, p Place, device devices.ID, item configs.Item) (devices.ID, error) {
	for m, err := range o.Items.Mappings(ctx, p.Name) {
		if err != nil {
			return "", err
		}
		if m.Device != device && m.Item.ID == item.ID && m.Item.Organization == item.Organization {
			if _, still := o.Device(m.Device); still {
				return m.Device, nil
			}
		}
	}
	return "", nil
}

// wanted is what is known of a device. The inventory's numbers count where the
// device named none, or one of them, as a pair does: else another box stands
// there by now.
func (o *Office) wanted(l configs.Letter, v configs.Version, organization string) configs.Wanted {
	d, _ := o.Device(l.Device)
	w := configs.Wanted{Organization: organization, Customer: l.Customer, Device: d.Name, Serials: slices.Clone(v.Identity.Serials)}
	if w.Device == "" {
		w.Device = v.Name
	}
	if w.Device == "" {
		w.Device = strings.TrimPrefix(string(l.Device), l.Customer+"/")
	}
	if !disjoint(w.Serials, d.Serials) {
		for _, s := range d.Serials {
			if !devices.Shared(w.Serials, []string{s}) {
				w.Serials = append(w.Serials, s)
			}
		}
		w.MACs = slices.Clone(d.MACs)
	}
	return w
}

// match tells how an item fits, and what speaks against it.
func match(p Place, w configs.Wanted, it configs.Item) (how, doubt string) {
	switch {
	case p.Own:
		how = "folder"
	case devices.Shared(w.Serials, it.Serials):
		how = "serial"
	case !devices.Shared(w.MACs, it.MACs):
		doubt = "has neither its serial number nor its MAC address"
	case disjoint(w.Serials, it.Serials):
		doubt = "has its MAC address, but another serial number"
	default:
		how = "mac"
	}
	if doubt == "" && it.Archived {
		doubt = "archived"
	}
	return how, doubt
}

// unmatched says that a device's item is not known beyond doubt, which only a
// person can settle.
func (o *Office) unmatched(p Place, l configs.Letter, err error) error {
	hint := "belay docs match shows the items"
	if d, ok := o.Device(l.Device); ok {
		hint = fmt.Sprintf("belay docs match %s --to %s; with --item ID you say which it is", d, p.Name)
	}
	return stay(&devices.Error{Kind: devices.AttachmentPending, Op: "find the item in " + p.System.Name() + " of", Device: string(l.Device), Err: err, Hint: hint})
}

func describe(it configs.Item, doubt string) string {
	s := it.String() + ", serial number " + list(it.Serials)
	if it.URL != "" {
		s += ", " + it.URL
	}
	if doubt != "" {
		s += " (" + doubt + ")"
	}
	return s
}

func orMAC(w configs.Wanted) string {
	if len(w.MACs) == 0 {
		return ""
	}
	return " or MAC address " + list(w.MACs)
}

func list(s []string) string {
	if len(s) == 0 {
		return "unknown"
	}
	return strings.Join(s, ", ")
}

// disjoint tells that both name numbers, and none is the same.
func disjoint(a, b []string) bool {
	blank := func(s string) bool { return strings.TrimSpace(s) == "" }
	return slices.ContainsFunc(a, not(blank)) && slices.ContainsFunc(b, not(blank)) && !devices.Shared(a, b)
}

func not(f func(string) bool) func(string) bool { return func(s string) bool { return !f(s) } }
