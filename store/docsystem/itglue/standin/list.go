package standin

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A row is a resource as an answer holds it.
type row struct {
	ID            string         `json:"id,omitempty"`
	Type          string         `json:"type"`
	Attributes    map[string]any `json:"attributes"`
	Relationships map[string]any `json:"relationships,omitempty"`
	Included      []row          `json:"included,omitempty"` // an oddity: it belongs beside "data"
}

// list answers a page of rows: 50, or up to 1000 where page[size] says so.
func (s *Server) list(w http.ResponseWriter, q *request, rows []row) {
	size, number := pageValue(q.URL.Query(), "page[size]", 50), pageValue(q.URL.Query(), "page[number]", 1)
	if size > 1000 {
		refuse(w, http.StatusUnprocessableEntity, "page[size] is too large", "", "")
		return
	}
	total := len(rows)
	pages := (total + size - 1) / size
	rows = rows[min((number-1)*size, total):min(number*size, total)]
	if most := s.switches.SlowPages; most > 0 && len(rows) > most {
		Fault{What: "504"}.write(w)
		return
	}
	meta := map[string]any{"current-page": number, "next-page": nil, "prev-page": nil, "total-pages": pages, "total-count": total, "filters": map[string]any{}}
	if number < pages {
		meta["next-page"] = number + 1
	}
	if number > 1 {
		meta["prev-page"] = number - 1
	}
	if rows == nil {
		rows = []row{}
	}
	reply(w, http.StatusOK, map[string]any{"data": rows, "links": map[string]any{}, "meta": meta})
}

func pageValue(q url.Values, name string, otherwise int) int {
	if n, err := strconv.Atoi(q.Get(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// A filter is one key that a list knows.
type filter struct {
	value    string // of the row
	contains bool   // a part of it is enough, in either case
}

// chosen tells whether a row passes the filters of a request. A filter that the
// list does not know is ignored without a word: a slip of the pen matches all.
func chosen(q url.Values, known map[string]filter) bool {
	for name, f := range known {
		given, ok := q["filter["+name+"]"]
		if !ok || len(given) == 0 {
			continue
		}
		if !slices.ContainsFunc(alternatives(given[0]), f.matches) {
			return false
		}
	}
	return true
}

func (f filter) matches(wanted string) bool {
	if f.contains {
		return wanted != "" && strings.Contains(strings.ToLower(f.value), strings.ToLower(wanted))
	}
	return f.value == wanted
}

// alternatives splits a list at its commas; \, is a comma of the value.
func alternatives(s string) []string {
	var list []string
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == ',':
			b.WriteByte(',')
			i++
		case s[i] == ',':
			list = append(list, b.String())
			b.Reset()
		default:
			b.WriteByte(s[i])
		}
	}
	return append(list, b.String())
}

// sorted orders rows by id or by an attribute, as sort=name or sort=-name says;
// what it does not know it ignores.
func sorted(q url.Values, rows []row) []row {
	by, descending := strings.CutPrefix(q.Get("sort"), "-")
	if by == "" {
		return rows
	}
	by = strings.ReplaceAll(by, "_", "-")
	slices.SortStableFunc(rows, func(a, b row) int {
		n := strings.Compare(text(a.Attributes[by]), text(b.Attributes[by]))
		if by == "id" {
			x, _ := strconv.Atoi(a.ID)
			y, _ := strconv.Atoi(b.ID)
			n = x - y
		}
		if descending {
			return -n
		}
		return n
	})
	return rows
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// orNull is how an empty text stands in an answer.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
