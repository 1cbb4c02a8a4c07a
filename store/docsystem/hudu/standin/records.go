package standin

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// rows are those that keep chooses, as they stand in an answer.
func rows[T any](all []T, row func(T) map[string]any, keep func(T) bool) []any {
	found := []any{} // an empty list is [], not null
	for _, t := range all {
		if keep(t) {
			found = append(found, row(t))
		}
	}
	return found
}

func (s *Server) companyRow(c Company) map[string]any {
	return map[string]any{
		"id": c.ID, "slug": fmt.Sprintf("c-%d", c.ID), "name": c.Name, "nickname": nil, "company_type": "Customer",
		"id_number": nil, "archived": false, "object_type": "Company", "url": fmt.Sprintf("/c/c-%d", c.ID),
		"created_at": "2024-02-01T08:00:00.000Z", "updated_at": "2026-03-01T08:00:00.000Z",
	}
}

func layoutRow(l Layout) map[string]any {
	return map[string]any{
		"id": l.ID, "slug": fmt.Sprintf("l-%d", l.ID), "name": l.Name, "icon": "fas fa-server", "color": "#205080",
		"active": true, "include_passwords": false, "include_photos": false, "include_comments": false, "include_files": l.Files,
		"created_at": "2024-02-01T08:00:00.000Z", "updated_at": "2026-03-01T08:00:00.000Z", "fields": []any{},
	}
}

func (s *Server) assetRow(a Asset) map[string]any {
	fields := []any{}
	for i, f := range a.Fields {
		fields = append(fields, map[string]any{"id": 1000*a.ID + i, "label": f.Label, "value": f.Value, "position": i + 1})
	}
	row := map[string]any{
		"id": a.ID, "company_id": a.Company, "asset_layout_id": a.Layout, "slug": fmt.Sprintf("a-%d", a.ID), "name": a.Name,
		"primary_serial": nil, "primary_mail": nil, "primary_model": nil, "primary_manufacturer": nil,
		"company_name": "", "object_type": "Asset", "asset_type": "", "archived": a.Archived, "url": fmt.Sprintf("/a/a-%d", a.ID),
		"created_at": "2025-02-01T08:00:00.000Z", "updated_at": "2026-03-01T08:00:00.000Z", "fields": fields, "cards": []any{},
	}
	if a.Serial != "" {
		row["primary_serial"] = a.Serial
	}
	if i := slices.IndexFunc(s.companies, func(c Company) bool { return c.ID == a.Company }); i >= 0 {
		row["company_name"] = s.companies[i].Name
	}
	if i := slices.IndexFunc(s.layouts, func(l Layout) bool { return l.ID == a.Layout }); i >= 0 {
		row["asset_type"] = s.layouts[i].Name
	}
	return row
}

// chosen tells whether the filters let an asset through. That a serial number
// must be equal, and that a search looks into the fields, are assumptions; that
// archived ones are shown only when asked for is how the documents can be read.
func chosen(a Asset, q url.Values) bool {
	equal := func(name string, n int) bool { return q.Get(name) == "" || q.Get(name) == strconv.Itoa(n) }
	if !equal("id", a.ID) || !equal("company_id", a.Company) || !equal("asset_layout_id", a.Layout) {
		return false
	}
	if a.Archived != (q.Get("archived") == "true") {
		return false
	}
	if v := q.Get("name"); v != "" && v != a.Name {
		return false
	}
	if v := q.Get("primary_serial"); v != "" && v != a.Serial {
		return false
	}
	if v := strings.ToLower(q.Get("search")); v != "" {
		text := []string{a.Name, a.Serial}
		for _, f := range a.Fields {
			text = append(text, f.Value)
		}
		return strings.Contains(strings.ToLower(strings.Join(text, "\n")), v)
	}
	return true
}
