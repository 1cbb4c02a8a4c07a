package ledger

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"belay/configs"
	"belay/devices"
)

// indexOf puts devices of a customer into the index, a version each.
func indexOf(t *testing.T, l *Ledger, customer string, count int) {
	t.Helper()
	var versions []configs.Indexed
	for n := range count {
		v := yearVersion(t, n, 1, day(1, 1), true)
		v.Version.ID = devices.ID(fmt.Sprintf("%s/sw-%d", customer, n))
		versions = append(versions, v)
	}
	if err := l.Extend(t.Context(), customer, "", commit, versions); err != nil {
		t.Fatal(err)
	}
}

func TestADestroyedCustomersIndexIsGone(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir())
	indexOf(t, l, "acme", 3)
	indexOf(t, l, "bolt", 2)
	if err := l.Destroy(t.Context(), event("acme", "")); err != nil {
		t.Fatal(err)
	}
	for table, want := range map[string]int{"index_customers": 1, "index_versions": 2, "index_texts": 2} {
		if n := l.count(t, table); n != want {
			t.Errorf("%d rows in %s, want %d", n, table, want)
		}
	}
	if n := l.count(t, "index_phrases WHERE text LIKE '%device-00002%'"); n != 0 {
		t.Errorf("%d phrases of the destroyed customer are left", n)
	}
	if n := l.count(t, "index_phrases WHERE text LIKE '%device-00001%'"); n == 0 {
		t.Error("the phrases of the other customer are gone")
	}
}

func TestWhatIsDamagedInTheIndexIsSaidWithItsRemedy(t *testing.T) {
	t.Parallel()
	for statement, read := range map[string]func(*Ledger) error{
		"UPDATE index_texts SET body = x'28b52ffd00' WHERE version IN (SELECT version FROM index_versions WHERE place = 1)": func(l *Ledger) error {
			for _, err := range l.Search(t.Context(), configs.Query{Pattern: regexp.MustCompile("rack")}) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"DELETE FROM index_phrases WHERE text LIKE '{\"n\"%'":                func(l *Ledger) error { return firstOf(l, t.Context()) },
		"UPDATE index_phrases SET text = '{' || text":                        func(l *Ledger) error { return firstOf(l, t.Context()) },
		"UPDATE index_versions SET sums = substr(sums, 1, 20)":               func(l *Ledger) error { return firstOf(l, t.Context()) },
		"UPDATE index_versions SET sums = x''":                               func(l *Ledger) error { return firstOf(l, t.Context()) },
		"UPDATE index_versions SET sums = substr(sums, 1, length(sums) - 4)": func(l *Ledger) error { return firstOf(l, t.Context()) },
	} {
		t.Run(statement, func(t *testing.T) {
			l := open(t, t.TempDir())
			indexOf(t, l, "acme", 3)
			if err := read(l); err != nil {
				t.Fatal(err)
			}
			if _, err := l.write.db.ExecContext(t.Context(), "PRAGMA foreign_keys = 0;"+statement); err != nil {
				t.Fatal(err)
			}
			if err := read(l); devices.KindOf(err) != devices.Damaged || !strings.Contains(devices.HintOf(err), "belay index rebuild --customer acme") {
				t.Errorf("got %v with hint %q", err, devices.HintOf(err))
			}
		})
	}
}

func firstOf(l *Ledger, ctx context.Context) error {
	_, _, err := l.At(ctx, "acme/sw-1", day(2, 1))
	return err
}

func TestASearchThatIsLeftLeavesNothingRunning(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent()) // others of this package run beside it
	l, err := Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	indexOf(t, l, "acme", 3*searchPage)
	for range l.Search(t.Context(), configs.Query{Pattern: regexp.MustCompile("rack")}) { //nolint:errcheck // it is left at once
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	for _, err := range l.Search(ctx, configs.Query{Pattern: regexp.MustCompile("rack")}) {
		if n++; n == 100 {
			cancel()
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	if n >= 3*searchPage {
		t.Errorf("%d lines came after it was canceled", n)
	}
	cancel()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTheIndexIsReadByItsIndexes(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir())
	for query, want := range map[string]string{
		indexColumns + "WHERE v.device = (SELECT number FROM names WHERE device = 'a') AND v.place < 7 ORDER BY v.place DESC LIMIT 9": "SEARCH v USING PRIMARY KEY (device=? AND place<?)",
		indexColumns + sinceWhere: "SEARCH v USING INDEX index_versions_taken (taken>?)",
		sheetsQuery:               "SEARCH names USING COVERING INDEX sqlite_autoindex_names_1 (device>? AND device<?)",
	} {
		if got := plan(t, l, query, arguments(query)...); !strings.Contains(got, want) || strings.Contains(got, "SCAN v") {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// arguments are as many as a query asks for.
func arguments(query string) (args []any) {
	for n := 1; strings.Contains(query, fmt.Sprint("?", n)); n++ {
		args = append(args, "x")
	}
	return args
}
