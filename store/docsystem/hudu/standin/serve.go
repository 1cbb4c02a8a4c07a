package standin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An answer is what a route says. It is made under the lock and written after
// it: a slow client holds up nobody.
type answer struct {
	status int
	kind   string // Content-Type; empty: JSON
	header http.Header
	body   []byte
}

func asJSON(status int, v any) answer {
	body, err := json.Marshal(v)
	if err != nil { // only maps, strings and numbers come here
		panic(err)
	}
	return answer{status: status, body: body}
}

func refusal(status int, text string) answer {
	return asJSON(status, map[string]string{"error": text})
}

// missing is how this version says that something is not there.
func (s *Server) missing(what string) answer {
	if s.switches.Null {
		return answer{status: http.StatusOK, body: []byte("null")}
	}
	return refusal(http.StatusNotFound, what+" not found")
}

// page is what a proxy in front of Hudu says in its own words.
func page(status int) answer {
	text := fmt.Sprintf("%d %s", status, http.StatusText(status))
	return answer{status: status, kind: "text/html", body: []byte("<html>\r\n<head><title>" + text + "</title></head>\r\n<body>\r\n<center><h1>" + text + "</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n")}
}

// ServeHTTP answers as Hudu would, faults before all.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, api := strings.CutPrefix(r.URL.Path, "/api/v1/")
	route, ids := routeOf(r.Method, path)
	s.mu.Lock()
	s.calls[route]++
	f, most, slow := s.fault(r.Method), s.switches.MaxBody, s.switches.Slow
	s.mu.Unlock()
	if f.Cut {
		panic(http.ErrAbortHandler)
	}
	if f.Status != 0 {
		s.spoil(w, f)
		return
	}
	if most > 0 && r.ContentLength > int64(most) {
		page(http.StatusRequestEntityTooLarge).write(w)
		return
	}
	var up *Upload
	if route == "POST /uploads" {
		var wrong *answer
		if up, wrong = parseUpload(r); wrong != nil {
			wrong.write(w)
			return
		}
	}
	s.mu.Lock()
	var a answer
	switch {
	case !api:
		a = page(http.StatusNotFound)
	case r.Header.Get("X-Api-Key") != Key:
		a = refusal(http.StatusUnauthorized, "Invalid API key")
	default:
		a = s.answer(route, ids, r, up, f.Late)
	}
	s.mu.Unlock()
	if f.Drop || f.Late {
		panic(http.ErrAbortHandler)
	}
	if slow > 0 {
		t := time.NewTimer(slow)
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.Context().Done():
			return
		}
	}
	a.write(w)
}

func (a answer) write(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	kind := a.kind
	if kind == "" {
		kind = "application/json; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // who has gone away misses it
}

func (s *Server) spoil(w http.ResponseWriter, f Fault) {
	a := page(f.Status)
	switch f.Status {
	case http.StatusTooManyRequests:
		a = answer{status: f.Status, kind: "text/plain", body: []byte("Retry later\n")}
	case http.StatusUnauthorized:
		a = refusal(f.Status, "You are not authorized")
	}
	if f.RetryAfter != "" {
		a.header = http.Header{"Retry-After": {f.RetryAfter}}
	}
	a.write(w)
}

// routeOf replaces the numbers in a path by what they mean.
func routeOf(method, path string) (string, []int) {
	parts := strings.Split(path, "/")
	var ids []int
	for i, p := range parts {
		if n, err := strconv.Atoi(p); err == nil {
			ids = append(ids, n)
			parts[i] = "{id}"
		}
	}
	return method + " /" + strings.Join(parts, "/"), ids
}

// answer does the work of one request. The lock is held.
func (s *Server) answer(route string, ids []int, r *http.Request, up *Upload, late bool) answer {
	q := r.URL.Query()
	switch route {
	case "GET /api_info":
		return asJSON(http.StatusOK, map[string]string{"version": s.switches.Version, "date": "2026-05-20"})
	case "GET /companies":
		return s.list(r, "companies", []string{"name", "slug", "search", "id_number", "id_in_integration"}, rows(s.companies, s.companyRow, func(c Company) bool {
			return s.sees(c.ID) && (q.Get("name") == "" || c.Name == q.Get("name"))
		}))
	case "GET /companies/{id}":
		for _, c := range s.companies {
			if c.ID == ids[0] {
				if !s.sees(c.ID) {
					return refusal(http.StatusUnauthorized, "You are not authorized")
				}
				return asJSON(http.StatusOK, map[string]any{"company": s.companyRow(c)})
			}
		}
		return s.missing("Company")
	case "GET /asset_layouts":
		return s.list(r, "asset_layouts", []string{"name", "slug", "active", "updated_at"}, rows(s.layouts, layoutRow, func(Layout) bool { return true }))
	case "GET /assets":
		return s.list(r, "assets", []string{"id", "company_id", "name", "primary_serial", "asset_layout_id", "archived", "slug", "search", "updated_at"}, rows(s.assets, s.assetRow, func(a Asset) bool {
			return s.sees(a.Company) && (s.switches.Ignored || chosen(a, q))
		}))
	case "GET /companies/{id}/assets/{id}":
		a, ok := s.asset(ids[1])
		if !ok || a.Company != ids[0] {
			return s.missing("Asset")
		}
		if !s.sees(a.Company) {
			return refusal(http.StatusUnauthorized, "You are not authorized")
		}
		return asJSON(http.StatusOK, map[string]any{"asset": s.assetRow(a)})
	case "GET /uploads":
		return s.listUploads(r)
	case "POST /uploads":
		return s.postUpload(*up, late)
	case "GET /uploads/{id}":
		return s.showUpload(ids[0], q.Get("download") == "true")
	case "DELETE /uploads/{id}":
		return s.deleteUpload(ids[0])
	case "GET /asset_passwords", "GET /asset_passwords/{id}", "DELETE /assets/{id}", "DELETE /companies/{id}/assets/{id}":
		s.violations = append(s.violations, route)
	}
	return asJSON(http.StatusNotFound, map[string]any{"status": http.StatusNotFound, "error": "Not Found"})
}

// sees tells whether the key may see a company.
func (s *Server) sees(company int) bool {
	return s.switches.Scope == nil || slices.Contains(s.switches.Scope, company)
}

func (s *Server) asset(id int) (Asset, bool) {
	i := slices.IndexFunc(s.assets, func(a Asset) bool { return a.ID == id })
	if i < 0 {
		return Asset{}, false
	}
	return s.assets[i], true
}

// list pages through rows within an envelope, or without one where the name is
// empty, and refuses parameters that it does not know.
func (s *Server) list(r *http.Request, envelope string, knows []string, all []any) answer {
	q := r.URL.Query()
	knows = append(knows, "page", "page_size")
	for name := range q {
		if !slices.Contains(knows, name) {
			return refusal(http.StatusBadRequest, name+" is not a valid filter parameter.")
		}
	}
	number, size := max(1, atoi(q.Get("page"), 1)), atoi(q.Get("page_size"), 25)
	if size < 1 || size > 1000 {
		size = 25
	}
	if s.switches.Page > 0 {
		size = min(size, s.switches.Page)
	}
	from := min(len(all), (number-1)*size)
	part := all[from:min(len(all), from+size)]
	if envelope == "" {
		return asJSON(http.StatusOK, part)
	}
	return asJSON(http.StatusOK, map[string]any{envelope: part})
}

func atoi(text string, otherwise int) int {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return otherwise
}
