package itglue

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"belay/configs"
	"belay/devices"
)

// The most that is asked for in one request, so that its URL stays short.
const (
	idsAtOnce     = 100
	serialsAtOnce = 50
	macsAtOnce    = 10 // each in seven spellings
)

// FindItems asks for the serial numbers, and only where none of them has an item
// for the MAC addresses. A configuration's own MAC counts; those of its
// interfaces cannot be asked for.
func (a *Account) FindItems(ctx context.Context, w configs.Wanted) ([]configs.Item, error) {
	op := "find the item of " + w.Device
	if !number(w.Organization) {
		return nil, a.client.rest.Declined(op, configs.Invalid, fmt.Sprintf("%q is no id of an organization: they are numbers", w.Organization))
	}
	serials := map[string]bool{}
	var ask []string
	for _, s := range w.Serials {
		if s = strings.TrimSpace(s); s != "" && !serials[fold(s)] {
			serials[fold(s)] = true
			ask = append(ask, s)
		}
	}
	items, err := a.filtered(ctx, op, w.Organization, "serial_number", slices.Collect(slices.Chunk(ask, serialsAtOnce)), func(i configs.Item) bool {
		return slices.ContainsFunc(i.Serials, func(s string) bool { return serials[fold(s)] })
	})
	if err != nil || len(items) > 0 {
		return items, err
	}
	macs := map[string]bool{}
	var spelled [][]string
	for _, m := range w.MACs {
		if m = devices.MAC(m); m != "" && !macs[m] {
			macs[m] = true
			spelled = append(spelled, spellings(m))
		}
	}
	var chunks [][]string
	for chunk := range slices.Chunk(spelled, macsAtOnce) {
		chunks = append(chunks, slices.Concat(chunk...))
	}
	return a.filtered(ctx, op, w.Organization, "mac_address", chunks, func(i configs.Item) bool {
		return slices.ContainsFunc(i.MACs, func(m string) bool { return macs[m] })
	})
}

// filtered asks for the configurations of an organization with any of the
// values, a chunk at a time, and keeps of the answers what truly has one.
func (a *Account) filtered(ctx context.Context, op, organization, field string, chunks [][]string, has func(configs.Item) bool) ([]configs.Item, error) {
	var items []configs.Item
	for _, values := range chunks {
		rows, err := pages[configuration](ctx, a.client, op, "/configurations", url.Values{
			"filter[organization_id]": {organization}, "filter[" + field + "]": {orList(values)},
		})
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			i := row.item()
			if i.Organization == organization && has(i) && !slices.ContainsFunc(items, func(o configs.Item) bool { return o.ID == i.ID }) {
				items = append(items, i)
			}
		}
	}
	return items, nil
}

// Items are the configurations with the ids, each with the organization that it
// belongs to now, or all of the organization.
func (a *Account) Items(ctx context.Context, organization string, ids []string) ([]configs.Item, error) {
	if ids == nil {
		op := "list the configurations of organization " + organization
		if !number(organization) {
			return nil, a.client.rest.Declined(op, configs.Invalid, "the id of an organization is a number")
		}
		rows, err := pages[configuration](ctx, a.client, op, "/configurations", url.Values{"filter[organization_id]": {organization}})
		return kept(rows, func(i configs.Item) bool { return i.Organization == organization }), err
	}
	wanted := map[string]bool{}
	var ask []string
	for _, id := range ids {
		if number(id) && !wanted[id] { // no other can be there
			wanted[id] = true
			ask = append(ask, id)
		}
	}
	var items []configs.Item
	for chunk := range slices.Chunk(ask, idsAtOnce) {
		op := "look at configuration " + chunk[0]
		if len(chunk) > 1 {
			op = fmt.Sprintf("look at %d configurations", len(chunk))
		}
		rows, err := pages[configuration](ctx, a.client, op, "/configurations", url.Values{"filter[id]": {orList(chunk)}})
		if err != nil {
			return nil, err
		}
		items = append(items, kept(rows, func(i configs.Item) bool { return slices.Contains(chunk, i.ID) })...)
	}
	return items, nil
}

func kept(rows []resource[configuration], keep func(configs.Item) bool) []configs.Item {
	var items []configs.Item
	for _, row := range rows {
		if i := row.item(); keep(i) {
			items = append(items, i)
		}
	}
	return items
}

func (r resource[A]) item() configs.Item {
	c, _ := any(r.Attributes).(configuration)
	i := configs.Item{
		Organization: string(c.Organization), ID: string(r.ID), Name: c.Name,
		Archived: c.Archived, Restricted: c.Restricted != nil && *c.Restricted, URL: c.URL,
	}
	if s := strings.TrimSpace(c.Serial); s != "" {
		i.Serials = []string{s}
	}
	if m := devices.MAC(c.MAC); m != "" {
		i.MACs = []string{m}
	}
	return i
}

func fold(serial string) string { return strings.ToUpper(strings.TrimSpace(serial)) }

// spellings are the ways in which people and programs write an address.
func spellings(m string) []string {
	bare := strings.ReplaceAll(m, ":", "")
	dashes := strings.ReplaceAll(m, ":", "-")
	return []string{
		m, strings.ToUpper(m), dashes, strings.ToUpper(dashes), bare, strings.ToUpper(bare),
		bare[0:4] + "." + bare[4:8] + "." + bare[8:12],
	}
}

// Probe tells what the key is good for. It reads one row of two lists.
func (a *Account) Probe(ctx context.Context) ([]configs.Check, error) {
	base := a.client.rest.Base.Host
	key := configs.Check{Name: "key", OK: true, Detail: "accepted by " + base}
	if a.odd {
		key.Detail += ", although it does not begin with ITG. as the keys of IT Glue do"
	}
	seen := configs.Check{Name: "sees", OK: true}
	var counts []string
	for _, what := range []string{"organizations", "configurations"} {
		var page list[struct{}]
		err := a.client.get(ctx, "ask for "+what, "/"+what, url.Values{"page[size]": {"1"}}, &page)
		if d, ok := errors.AsType[*configs.Declined](err); ok && d.Why == configs.Unauthorized {
			key.OK, key.Detail = false, d.Error()+"; "+hint(401)
			return []configs.Check{key}, nil
		}
		if err != nil {
			return nil, err
		}
		count := "some"
		switch {
		case page.Meta != nil && page.Meta.Total != nil:
			count = fmt.Sprint(*page.Meta.Total)
		case len(page.Data) == 0:
			count = "no"
		}
		seen.OK = seen.OK && len(page.Data) > 0
		counts = append(counts, count+" "+what)
	}
	seen.Detail = strings.Join(counts, ", ") + "; unless a proxy stands in between, a key reads and writes every organization"
	return []configs.Check{key, seen, {Name: "lasts", OK: true, Detail: "a key that nobody used for 90 days is revoked by IT Glue: the nightly run uses it"}}, nil
}
