package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"belay/configs"
	"belay/devices"
)

func unseal(b []byte) ([]byte, error) {
	plain, ok := strings.CutPrefix(string(b), "sealed:")
	if !ok {
		return nil, errors.New("it is not sealed")
	}
	return []byte(plain), nil
}

func TestPapersAndWhatIsHeldAreReadAgainOneByOne(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	l, err := Open(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	now := time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC)
	for i := range 4 {
		text := fmt.Sprint("paper ", i)
		p := configs.Paper{Customer: "acme", Change: "T1", Kind: "receipt", Digest: configs.Digest([]byte(text)), Bytes: []byte(text), At: now}
		if i%2 == 1 {
			p.Kind, p.Sealed, p.Bytes = "message", true, []byte("sealed:"+text)
		}
		if err := l.FilePaper(ctx, p); err != nil {
			t.Fatal(err)
		}
		o := configs.Sealed{Name: configs.MainFile, Bytes: []byte("sealed:" + text), Digest: configs.Digest([]byte(text)), Size: len(text)}
		id := devices.ID(fmt.Sprintf("acme/fw-%d", i))
		if err := l.Hold(ctx, configs.Refusal{ID: id, Taken: now, Originals: []configs.Sealed{o}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, other := range []devices.ID{"acme2/fw", "acm/fw", "acme.x/fw"} { // names that are near
		if err := l.Hold(ctx, configs.Refusal{ID: other, Taken: now}); err != nil {
			t.Fatal(err)
		}
	}
	papers := func(after string) (all []Reread) { return collected(t, l.RereadPapers(ctx, "acme", after, unseal)) }
	held := func(after string) (all []Reread) { return collected(t, l.RereadHeld(ctx, "acme", after, unseal)) }
	for what, read := range map[string]func(string) []Reread{"papers": papers, "held": held} {
		all := read("")
		if len(all) != 4 || all[3].Through != 1 || all[0].Bytes == 0 || all[0].Name == "" {
			t.Fatalf("%s: %+v", what, all)
		}
		for i, r := range all {
			if len(r.Problems) > 0 {
				t.Errorf("%s: %+v", what, r)
			}
			if rest := read(r.At); len(rest) != 3-i {
				t.Errorf("%s: %d come after %s", what, len(rest), r.At)
			}
		}
	}
	for _, statement := range []string{
		"DROP TRIGGER papers_stand",
		"UPDATE papers SET body = x'00' WHERE id = 1",                                                  // a receipt
		"UPDATE papers SET digest = replace(digest, substr(digest, 1, 1), 'f') WHERE id = 4",           // what a sealed one should hold
		"UPDATE held_originals SET sealed = x'00' WHERE device = 'acme/fw-1'",                          //
		"UPDATE held_originals SET sealed = CAST('sealed:another' AS BLOB) WHERE device = 'acme/fw-2'", // opens, and is another
		"UPDATE held SET refusal = '{' WHERE device = 'acme/fw-3'",                                     //
	} {
		if _, err := l.write.db.ExecContext(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	damaged := func(all []Reread) (keys []string) {
		for _, r := range all {
			if len(r.Problems) > 0 {
				keys = append(keys, r.Key)
			}
		}
		return keys
	}
	if got := damaged(papers("")); !slices.Equal(got, []string{"paper 1", "paper 4"}) {
		t.Errorf("damaged papers: %v", got)
	}
	if got := papers("")[0]; got.Digest != configs.Digest([]byte("paper 0")) || !strings.HasPrefix(got.Name, "receipt ") {
		t.Errorf("a damaged one is still called what it is: %+v", got)
	}
	if got := damaged(held("")); !slices.Equal(got, []string{"acme/fw-1", "acme/fw-2", "acme/fw-3"}) {
		t.Errorf("damaged originals: %v", got)
	}
	if err := l.CheckPages(ctx); err != nil {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	for _, err := range l.RereadPapers(ended, "acme", "", unseal) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("ended: %v", err)
		}
	}
}

func collected(t *testing.T, seq func(func(Reread, error) bool)) (all []Reread) {
	t.Helper()
	for r, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}
