package hudu

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"belay/configs"
	"belay/devices"
)

// FindItems compares all assets of the company. Hudu has a filter for the
// primary serial number, but it is not documented how it compares: one that
// finds one of two, because a person wrote the other in small letters, would
// turn a doubt into an answer. MAC addresses have no filter at all and are
// written in many ways.
func (h *Hudu) FindItems(ctx context.Context, w configs.Wanted) ([]configs.Item, error) {
	op := "find the asset of " + w.Device
	if !number(w.Organization) {
		return nil, noCompany(op)
	}
	if !slices.ContainsFunc(w.Serials, filled) && !slices.ContainsFunc(w.MACs, filled) {
		return nil, nil // a name alone finds nothing
	}
	all, err := h.client.assets(ctx, op, url.Values{"company_id": {w.Organization}})
	if err != nil {
		return nil, err
	}
	items := h.items(all, func(a asset) bool { return a.Company.String() == w.Organization })
	found := chosen(items, func(it configs.Item) bool { return shares(it.Serials, w.Serials, serialForm) })
	if len(found) == 0 {
		found = chosen(items, func(it configs.Item) bool { return shares(it.MACs, w.MACs, devices.MAC) })
	}
	return found, nil
}

func chosen(items []configs.Item, fits func(configs.Item) bool) (found []configs.Item) {
	for _, it := range items {
		if fits(it) {
			found = append(found, it)
		}
	}
	return found
}

// few is how many assets are asked for one by one before the whole company is.
const few = 5

// Items are the assets with the ids. An asset alone is found by its number
// whatever company it has gone to; where there are many, most are still where
// they were, and one list has them.
func (h *Hudu) Items(ctx context.Context, organization string, ids []string) ([]configs.Item, error) {
	op := "list the assets of company " + organization
	if ids == nil || len(ids) > few {
		if !number(organization) {
			return nil, noCompany(op)
		}
		q := url.Values{"company_id": {organization}}
		all, err := h.client.assets(ctx, op, q)
		if err != nil {
			return nil, err
		}
		if ids == nil {
			q.Set("archived", "true")
			archived, err := h.client.assets(ctx, op, q)
			if err != nil {
				return nil, err
			}
			all = append(all, archived...)
		}
		items := h.items(all, func(a asset) bool {
			return a.Company.String() == organization && (ids == nil || slices.Contains(ids, a.ID.String()))
		})
		if ids == nil {
			return items, nil
		}
		rest, err := h.each(ctx, slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
			return slices.ContainsFunc(items, func(it configs.Item) bool { return it.ID == id })
		}))
		return append(items, rest...), err
	}
	return h.each(ctx, ids)
}

// each asks for assets one by one, among the archived ones too.
func (h *Hudu) each(ctx context.Context, ids []string) ([]configs.Item, error) {
	var items []configs.Item
	for _, id := range ids {
		if !number(id) {
			continue
		}
		for _, archived := range []string{"", "true"} {
			q := url.Values{"id": {id}}
			if archived != "" {
				q.Set("archived", archived)
			}
			all, err := h.client.assets(ctx, "look at asset "+id, q)
			if err != nil {
				return nil, err
			}
			if found := h.items(all, func(a asset) bool { return a.ID.String() == id }); len(found) > 0 {
				items = append(items, found...)
				break
			}
		}
	}
	return items, nil
}

// items are those that keep chooses, each once: filters over there may be
// ignored, and an archived asset may stand in both lists.
func (h *Hudu) items(all []asset, keep func(asset) bool) []configs.Item {
	var items []configs.Item
	seen := map[id]bool{}
	for _, a := range all {
		if keep(a) && !seen[a.ID] {
			seen[a.ID] = true
			items = append(items, h.item(a))
		}
	}
	return items
}

func (h *Hudu) item(a asset) configs.Item {
	it := configs.Item{Organization: a.Company.String(), ID: a.ID.String(), Name: a.Name, Archived: a.Archived, URL: h.address(a.URL)}
	for s := range strings.FieldsFuncSeq(a.Serial, func(r rune) bool { return strings.ContainsRune(",;\n", r) }) {
		if s = strings.TrimSpace(s); s != "" { // of a stack or a pair there may be several
			it.Serials = append(it.Serials, s)
		}
	}
	for _, f := range a.Fields {
		text, ok := f.Value.(string)
		if !ok || !strings.Contains(strings.ToLower(f.Label), "mac") {
			continue
		}
		for w := range strings.FieldsFuncSeq(text, between) {
			if m := devices.MAC(w); m != "" && !slices.Contains(it.MACs, m) {
				it.MACs = append(it.MACs, m)
			}
		}
	}
	return it
}

// between tells what stands between the MAC addresses of a field: people write
// commas and blanks, and rich texts have tags.
func between(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",;/|()<>&", r) }

func filled(s string) bool { return strings.TrimSpace(s) != "" }

// shares tells whether two lists have something in common once written in one
// form. What has no such form must not stand in a: it would be like all others.
func shares(a, b []string, form func(string) string) bool {
	return slices.ContainsFunc(a, func(x string) bool {
		x = form(x)
		return slices.ContainsFunc(b, func(y string) bool { return form(y) == x })
	})
}

func serialForm(s string) string { return strings.ToUpper(strings.TrimSpace(s)) }

func noCompany(op string) error {
	return &configs.Declined{Why: configs.Invalid, Err: &devices.Error{
		Kind: devices.Usage, Op: op, Err: errors.New("the customer has no number of a company in Hudu"),
		Hint: "set organization: of the customer to the id of its company in Hudu",
	}}
}
