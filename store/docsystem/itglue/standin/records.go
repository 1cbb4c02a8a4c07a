package standin

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const stamp = "2006-01-02T15:04:05.000Z"

// An Organization is a customer.
type Organization struct {
	ID   int
	Name string
}

// A Configuration is a device's record.
type Configuration struct {
	ID           int
	Organization int
	Name         string
	Hostname     string
	IP           string
	MAC          string
	Serial       string
	AssetTag     string
	Notes        string
	Archived     bool
	Restricted   bool
	Synced       bool // from a PSA or RMM: most of it cannot be changed
	Interfaces   []Interface
}

// An Interface is one of a configuration's.
type Interface struct {
	Name, IP, MAC string
	Primary       bool
}

// A Password is a login, on a configuration where Configuration is not 0.
type Password struct {
	ID, Organization, Configuration int
	Name, Username, Password        string
}

// AddKey makes a further key.
func (s *Server) AddKey(key string, a Access) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[key] = a
}

// RevokeKey takes a key away.
func (s *Server) RevokeKey(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, key)
}

// AddOrganization adds a customer and tells its id, which it chooses where o has
// none.
func (s *Server) AddOrganization(o Organization) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.ID == 0 {
		o.ID = s.id()
	}
	s.orgs = append(s.orgs, o)
	return o.ID
}

// AddConfiguration adds a device's record and tells its id, which it chooses
// where c has none. One that has the id already is what somebody edited or moved.
func (s *Server) AddConfiguration(c Configuration) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.ID == 0 {
		c.ID = s.id()
	}
	if i := slices.IndexFunc(s.configs, func(o Configuration) bool { return o.ID == c.ID }); i >= 0 {
		s.configs[i] = c
		return c.ID
	}
	s.configs = append(s.configs, c)
	return c.ID
}

// AddPassword adds a login.
func (s *Server) AddPassword(p Password) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.ID == 0 {
		p.ID = s.id()
	}
	s.secrets = append(s.secrets, p)
	return p.ID
}

// Change changes a configuration, as a person at the web page would: moves it to
// another customer, archives it. It tells whether there is one.
func (s *Server) Change(id int, change func(*Configuration)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.configuration(strconv.Itoa(id))
	if c != nil {
		change(c)
	}
	return c != nil
}

// Remove deletes a configuration and what hangs on it.
func (s *Server) Remove(id int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.configs = slices.DeleteFunc(s.configs, func(c Configuration) bool { return c.ID == id })
	delete(s.hanging, strconv.Itoa(id))
}

// Configurations are all records.
func (s *Server) Configurations() []Configuration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.configs)
}

func (s *Server) id() int {
	s.nextID++
	return s.nextID
}

func (s *Server) configuration(id string) *Configuration {
	i := slices.IndexFunc(s.configs, func(c Configuration) bool { return strconv.Itoa(c.ID) == id })
	if i < 0 {
		return nil
	}
	return &s.configs[i]
}

func (s *Server) listOrganizations(w http.ResponseWriter, q *request) {
	var rows []row
	for _, o := range s.orgs {
		if chosen(q.URL.Query(), map[string]filter{"id": {value: strconv.Itoa(o.ID)}, "name": {value: o.Name}}) {
			rows = append(rows, o.row())
		}
	}
	s.list(w, q, sorted(q.URL.Query(), rows))
}

func (s *Server) showOrganization(w http.ResponseWriter, q *request) {
	for _, o := range s.orgs {
		if strconv.Itoa(o.ID) == q.args[0] {
			reply(w, http.StatusOK, map[string]any{"data": o.row()})
			return
		}
	}
	refuse(w, http.StatusNotFound, "Not Found", "", "")
}

func (o Organization) row() row {
	return row{ID: strconv.Itoa(o.ID), Type: "organizations", Attributes: map[string]any{
		"name": o.Name, "short-name": nil, "organization-status-name": "Active", "parent-id": nil, "primary": false,
		"created-at": "2024-02-01T09:00:00.000Z", "updated-at": "2026-06-11T10:12:44.000Z",
	}}
}

func (s *Server) listConfigurations(w http.ResponseWriter, q *request) {
	query := q.URL.Query()
	if query.Has("filter[psa_id]") && !query.Has("filter[psa_integration_type]") {
		refuse(w, http.StatusUnprocessableEntity, "psa_integration_type is required", "", "") // an assumption
		return
	}
	var rows []row
	for _, c := range s.configs {
		if len(q.args) > 0 && strconv.Itoa(c.Organization) != q.args[0] {
			continue
		}
		if archived := query.Get("filter[archived]"); archived != "" && c.Archived != (archived == "true" || archived == "1") {
			continue
		}
		if chosen(query, map[string]filter{
			"id": {value: strconv.Itoa(c.ID)}, "organization_id": {value: strconv.Itoa(c.Organization)},
			"name": {c.Name, true}, "serial_number": {c.Serial, true}, "mac_address": {c.MAC, true}, "asset_tag": {c.AssetTag, true},
		}) {
			rows = append(rows, s.configurationRow(c))
		}
	}
	s.list(w, q, sorted(query, rows))
}

func (s *Server) configurationRow(c Configuration) row {
	a := map[string]any{
		"organization-id": c.Organization, "organization-name": nil, "name": c.Name, "hostname": orNull(c.Hostname), "primary-ip": orNull(c.IP),
		"resource-url": fmt.Sprintf("https://msp.example.net/%d/configurations/%d", c.Organization, c.ID),
		"mac-address":  orNull(c.MAC), "serial-number": orNull(c.Serial), "asset-tag": orNull(c.AssetTag), "notes": orNull(c.Notes), "position": nil,
		"configuration-type-id": 42, "configuration-type-name": "Managed Network Firewall", "configuration-status-id": 29, "configuration-status-name": "Active",
		"archived": c.Archived, "restricted": c.Restricted, "created-at": "2024-02-01T09:00:00.000Z", "updated-at": "2026-06-11T10:12:44.000Z",
	}
	for _, o := range s.orgs {
		if o.ID == c.Organization {
			a["organization-name"] = o.Name
		}
	}
	return row{ID: strconv.Itoa(c.ID), Type: "configurations", Attributes: a}
}

// showConfiguration knows include=attachments, which stands beside "data" or,
// where the switch says so, inside.
func (s *Server) showConfiguration(w http.ResponseWriter, q *request) {
	c := s.configuration(q.args[0])
	if c == nil {
		refuse(w, http.StatusNotFound, "Not Found", "", "")
		return
	}
	data := s.configurationRow(*c)
	answer := map[string]any{}
	if slices.Contains(strings.Split(q.URL.Query().Get("include"), ","), "attachments") {
		var included, linked []row
		for _, a := range s.newestFirst(q.args[0]) {
			included = append(included, a.row())
			linked = append(linked, row{ID: strconv.Itoa(a.ID), Type: "attachments"})
		}
		data.Relationships = map[string]any{"attachments": map[string]any{"data": linked}}
		if s.switches.IncludeInside {
			data.Included = included
		} else {
			answer["included"] = included
		}
	}
	answer["data"] = data
	reply(w, http.StatusOK, answer)
}

// synced are the attributes that can be changed on a record from elsewhere.
var synced = []string{"archived", "asset-tag", "notes", "purchased-at", "restricted", "serial-number", "warranty-expires-at", "mitp-device-expiration-date", "mitp-end-of-life-date"}

func (s *Server) changeConfiguration(w http.ResponseWriter, q *request) {
	c := s.configuration(q.args[0])
	if c == nil {
		refuse(w, http.StatusNotFound, "Not Found", "", "")
		return
	}
	var body struct {
		Data struct {
			Type          string
			Attributes    map[string]any
			Relationships map[string]any
		}
	}
	switch err := json.Unmarshal(q.body, &body); {
	case err != nil:
		refuse(w, http.StatusBadRequest, "Invalid JSON format", "", "")
		return
	case body.Data.Type != "configurations":
		refuse(w, http.StatusUnprocessableEntity, "Unprocessable Entity", "type is wrong", "/data/type")
		return
	case len(body.Data.Relationships) > 0:
		refuse(w, http.StatusUnprocessableEntity, "Unprocessable Entity", "relationships cannot be changed", "/data/relationships")
		return
	}
	given := map[string]any{}
	for name, v := range body.Data.Attributes {
		given[strings.ReplaceAll(name, "_", "-")] = v
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if c.Synced && !slices.Contains(synced, name) {
			refuse(w, http.StatusUnprocessableEntity, "Unprocessable Entity", "cannot be changed on a synced configuration", "/data/attributes/"+name)
			return
		}
	}
	texts := map[string]*string{"name": &c.Name, "hostname": &c.Hostname, "primary-ip": &c.IP, "mac-address": &c.MAC, "serial-number": &c.Serial, "asset-tag": &c.AssetTag, "notes": &c.Notes}
	flags := map[string]*bool{"archived": &c.Archived, "restricted": &c.Restricted}
	for name, v := range given {
		if p := texts[name]; p != nil {
			*p = text(v)
		}
		if p := flags[name]; p != nil {
			*p, _ = v.(bool)
		}
	}
	reply(w, http.StatusOK, map[string]any{"data": s.configurationRow(*c)})
}

// listInterfaces has, as the vendor's sample, the id inside the attributes only.
func (s *Server) listInterfaces(w http.ResponseWriter, q *request) {
	c := s.configuration(q.args[0])
	if c == nil {
		refuse(w, http.StatusNotFound, "Not Found", "", "")
		return
	}
	var rows []row
	for n, i := range c.Interfaces {
		rows = append(rows, row{Type: "configuration-interfaces", Attributes: map[string]any{
			"id": c.ID*100 + n, "name": i.Name, "ip-address": orNull(i.IP), "mac-address": orNull(i.MAC), "primary": i.Primary, "notes": nil,
		}})
	}
	s.list(w, q, rows)
}

func (s *Server) listPasswords(w http.ResponseWriter, q *request) {
	var rows []row
	for _, p := range s.secrets {
		if len(q.args) > 0 && strconv.Itoa(p.Organization) != q.args[0] {
			continue
		}
		if chosen(q.URL.Query(), map[string]filter{"id": {value: strconv.Itoa(p.ID)}, "name": {p.Name, true}, "organization_id": {value: strconv.Itoa(p.Organization)}}) {
			rows = append(rows, p.row())
		}
	}
	s.list(w, q, rows)
}

func (s *Server) showPassword(w http.ResponseWriter, q *request) {
	for _, p := range s.secrets {
		if strconv.Itoa(p.ID) != q.args[0] {
			continue
		}
		r := p.row()
		if s.keys[q.Header.Get("x-api-key")].Passwords && cmp.Or(q.URL.Query().Get("show_password"), "true") == "true" {
			r.Attributes["password"] = p.Password
		}
		reply(w, http.StatusOK, map[string]any{"data": r})
		return
	}
	refuse(w, http.StatusNotFound, "Not Found", "", "")
}

func (p Password) row() row {
	a := map[string]any{"organization-id": p.Organization, "name": p.Name, "username": p.Username, "url": nil, "restricted": false, "archived": false}
	if p.Configuration != 0 {
		a["resource-id"], a["resource-type"] = p.Configuration, "Configuration"
	}
	return row{ID: strconv.Itoa(p.ID), Type: "passwords", Attributes: a}
}

// at writes a time as the API does.
func at(t time.Time) string { return t.UTC().Format(stamp) }
