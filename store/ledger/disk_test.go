package ledger

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"belay/configs"
	"belay/devices"
)

func TestAFullDiskIsAClearErrorAndLosesNothing(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir())
	if _, err := l.write.db.ExecContext(t.Context(), "PRAGMA max_page_count = 40"); err != nil {
		t.Fatal(err)
	}
	kept := 0
	var full error
	for range 5000 {
		if full = l.Append(t.Context(), event("acme", "capture")); full != nil {
			break
		}
		kept++
	}
	if devices.KindOf(full) != devices.Broken || devices.HintOf(full) == "" {
		t.Fatalf("got %v with hint %q", full, devices.HintOf(full))
	}
	t.Logf("after %d events: %v", kept, full)
	if n, err := l.VerifyChain(t.Context(), "acme"); n != kept || err != nil {
		t.Errorf("%d entries, error %v; want %d", n, err, kept)
	}
	// With room again the next write works, without opening anew.
	if _, err := l.write.db.ExecContext(t.Context(), "PRAGMA max_page_count = 100000"); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), event("acme", "capture")); err != nil {
		t.Error(err)
	}
}

func TestADatabaseThatCannotBeWrittenIsAClearError(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir())
	if _, err := l.write.db.ExecContext(t.Context(), "PRAGMA query_only = 1"); err != nil {
		t.Fatal(err)
	}
	err := l.Append(t.Context(), event("acme", "capture"))
	if devices.KindOf(err) != devices.Broken || devices.HintOf(err) == "" {
		t.Errorf("got %v with hint %q", err, devices.HintOf(err))
	}
}

func TestADamagedFileIsSaidToBeDamaged(t *testing.T) {
	t.Parallel()
	garbage := t.TempDir()
	if err := os.WriteFile(filepath.Join(garbage, File), bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), garbage); devices.KindOf(err) != devices.Damaged {
		t.Errorf("garbage: got %v", err)
	}

	dir := t.TempDir()
	l, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		if err := l.Append(t.Context(), event("acme", "capture")); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, File)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Each page in turn; a page that holds nothing may be damaged unseen.
	found, pages := 0, 0
	for at := 4096; at < len(whole); at += 4096 {
		pages++
		torn := bytes.Clone(whole)
		copy(torn[at:at+4096], bytes.Repeat([]byte{0x5a}, 4096))
		if err := os.WriteFile(path, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := Open(t.Context(), dir)
		if err == nil {
			err = l.Check(t.Context())
			if closing := l.Close(); closing != nil {
				t.Error(closing)
			}
		}
		if devices.KindOf(err) == devices.Damaged {
			found++
		} else {
			t.Logf("page %d: %v", at/4096+1, err)
		}
	}
	if found != pages {
		t.Errorf("damage found in %d of %d pages", found, pages)
	}
}

func TestMonthsOfUnchangedNightsStaySmall(t *testing.T) {
	t.Parallel()
	const count, nights = 40, 120
	dir := t.TempDir()
	l := open(t, dir)
	night := func(n int) {
		var wg sync.WaitGroup
		for d := range count {
			wg.Go(func() {
				c := configs.Checked{ID: devices.ID(fmt.Sprintf("customer-%d/switch-%d", d%5, d)), At: time.Date(2026, 1, 1, 2, 0, d, 0, time.UTC).AddDate(0, 0, n),
					Result: configs.Unchanged, Commit: "3f2a6c1b9d0e4f5a8b7c6d5e4f3a2b1c0d9e8f7a", Seconds: 2.5}
				if err := l.Checked(t.Context(), c); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	size := func() (bytes int64) {
		var pages, free int64
		for pragma, v := range map[string]*int64{"page_count": &pages, "freelist_count": &free} {
			if err := l.read.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(v); err != nil {
				t.Fatal(err)
			}
		}
		return (pages - free) * 4096
	}
	night(0)
	before := size()
	for n := range nights {
		night(n + 1)
	}
	each := (size() - before) / (count * nights)
	t.Logf("%d bytes a device and night", each)
	if each >= 100 || each < 5 {
		t.Errorf("%d bytes a device and night, want under 100", each)
	}
}

// 500 captures end about together: an event and a reading each.
func BenchmarkAppend500AtOnce(b *testing.B) {
	l, err := Open(context.Background(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	for b.Loop() {
		var wg sync.WaitGroup
		for i := range 500 {
			wg.Go(func() {
				if err := l.Append(b.Context(), event("acme", "capture")); err != nil {
					b.Error(err)
				}
				c := configs.Checked{ID: devices.ID(fmt.Sprintf("acme/sw-%d", i)), At: time.Date(2026, 3, 14, 2, 0, 0, 0, time.UTC), Result: configs.Unchanged}
				if err := l.Checked(b.Context(), c); err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/500, "µs/capture")
}
