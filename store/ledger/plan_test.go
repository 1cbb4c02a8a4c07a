package ledger

import (
	"strings"
	"testing"
	"time"

	"belay/configs"
)

// plan is how SQLite will answer a query.
func plan(t *testing.T, l *Ledger, query string, args ...any) string {
	t.Helper()
	rows, err := l.read.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, detail)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(steps, "; ")
}

func TestLettersAreFoundByAnIndex(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir())
	due := time.Date(2026, 3, 14, 2, 0, 0, 0, time.UTC)
	for want, f := range map[string]configs.LetterFilter{
		"USING INDEX letters_due (urgent=? AND due>? AND due<?)":                 {Waiting: true, DueBy: due},
		"USING INDEX letters_due_to (system=? AND urgent=? AND due>? AND due<?)": {To: "itglue", Waiting: true, DueBy: due},
		"USING INDEX letters_hanging (device=? AND system=?)":                    {To: "itglue", Device: "acme/fw-hq", Hanging: true},
		"USING INDEX letters_change (change=?)":                                  {Change: "T1"},
		"USING INDEX letters_version (version=?)":                                {Version: "v1"},
		"USING INDEX letters_customer (customer=?)":                              {Customer: "acme"},
		"(device=?)": {Device: "acme/fw-hq"},
	} {
		query, args := chooseLetters(f, 0, 1, 1)
		if got := plan(t, l, query, args...); !strings.Contains(got, want) || strings.Contains(got, "SCAN") {
			t.Errorf("%+v: got %s, want %s", f, got, want)
		}
	}
}

func TestTheEventsOfAChangeAreFoundByAnIndex(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir())
	for _, f := range []configs.Filter{{Change: "T1"}, {Change: "T1", Customer: "acme"}, {Change: "T1", Customer: "acme", Device: "acme/fw-hq", Act: "after", Since: time.Date(2026, 3, 14, 2, 0, 0, 0, time.UTC)}} {
		query, args := chooseEvents(f)
		got := plan(t, l, query, args...)
		if !strings.HasPrefix(got, "SEARCH entries USING INTEGER PRIMARY KEY (rowid=?)") || !strings.Contains(got, "INDEX payloads_change (<expr>=?)") || strings.Contains(got, "SCAN") {
			t.Errorf("%+v: got %s", f, got)
		}
	}
}
