package conformance

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
)

// Papers holds an implementation of configs.Papers to its contract. Open gives
// an empty one each time.
func Papers(t *testing.T, open func(t *testing.T) configs.Papers) {
	for name, f := range map[string]func(*testing.T, configs.Papers){
		"what is filed reads back byte for byte": filedReadsBack,
		"a paper that is filed again stays":      filedAgainStays,
		"papers of a change come in their order": papersOfAChange,
		"two customers' papers do not mix":       papersDoNotMix,
		"a paper filed by many at once is one":   filedAtOnce,
		"bytes of another digest are refused":    badPapers,
		"a canceled context is its error":        canceledPapers,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

// paper is an unsealed one, filed at a minute.
func paper(customer, change, text string, minute int) configs.Paper {
	sum := sha256.Sum256([]byte(text))
	return configs.Paper{Customer: customer, Change: change, Kind: "receipt", Digest: hex.EncodeToString(sum[:]), Bytes: []byte(text),
		By: configs.Person{Name: "Ada Example", Email: "ada@example.net", Claimed: true}, At: at(minute)}
}

func file(t *testing.T, f configs.Papers, ps ...configs.Paper) {
	t.Helper()
	for _, p := range ps {
		if err := f.FilePaper(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
}

var sameBytes = cmp.Comparer(bytes.Equal) // cmp by itself walks byte by byte

func wantPaper(t *testing.T, f configs.Papers, want configs.Paper) {
	t.Helper()
	got, ok, err := f.Paper(t.Context(), want.Customer, want.Digest)
	if diff := cmp.Diff(want, got, sameBytes); err != nil || !ok || diff != "" {
		t.Errorf("there %t, error %v (-filed +read):\n%s", ok, err, diff)
	}
}

func filedReadsBack(t *testing.T, f configs.Papers) {
	if p, ok, err := f.Paper(t.Context(), "acme", strings.Repeat("0", 64)); ok || err != nil {
		t.Errorf("before the first: %+v, %t, %v", p, ok, err)
	}
	message := paper("acme", "T1", "From: ada@example.net\r\n\r\nI agree.\r\n\x00\xff", 2)
	message.Kind, message.Sealed, message.Bytes = "message", true, []byte("sealed\x00\xff\n") // the digest is the document's
	scan := paper("acme", "T1", strings.Repeat("a page \xff\x00", 300_000), 3)
	scan.Kind = "scan"
	for _, p := range []configs.Paper{paper("acme", "T1", "a receipt", 1), message, scan, paper("acme", "", "", 4)} {
		file(t, f, p)
		wantPaper(t, f, p)
	}
}

func filedAgainStays(t *testing.T, f configs.Papers) {
	first := paper("acme", "T1", "a receipt", 1)
	second := paper("acme", "T2", "a receipt", 2)
	second.Kind, second.By.Name = "scan", "Bo"
	file(t, f, first, second)
	wantPaper(t, f, first)
	if ps := must[[]configs.Paper](t)(f.Papers(t.Context(), "acme", "T2")); len(ps) != 0 {
		t.Errorf("it went to another change: %+v", ps)
	}
}

func papersOfAChange(t *testing.T, f configs.Papers) {
	want := []configs.Paper{paper("acme", "T1", "c", 3), paper("acme", "T1", "a", 1), paper("acme", "T1", "b", 2)} // not by time
	file(t, f, want[0], paper("acme", "T2", "other", 1), want[1], want[2])
	if diff := cmp.Diff(want, must[[]configs.Paper](t)(f.Papers(t.Context(), "acme", "T1")), sameBytes); diff != "" {
		t.Errorf("papers (-filed +read):\n%s", diff)
	}
	if none := must[[]configs.Paper](t)(f.Papers(t.Context(), "acme", "T9")); len(none) != 0 {
		t.Errorf("of a change without any: %+v", none)
	}
}

func papersDoNotMix(t *testing.T, f configs.Papers) {
	a, b := paper("acme", "T1", "the same", 1), paper("bolt", "T1", "the same", 2)
	only := paper("acme", "T1", "acme's alone", 3)
	file(t, f, a, b, only)
	wantPaper(t, f, a)
	wantPaper(t, f, b)
	if p, ok, err := f.Paper(t.Context(), "bolt", only.Digest); ok || err != nil {
		t.Errorf("bolt reads acme's paper: %+v, %t, %v", p, ok, err)
	}
	if ps := must[[]configs.Paper](t)(f.Papers(t.Context(), "bolt", "T1")); len(ps) != 1 {
		t.Errorf("bolt's change has %d papers, want 1", len(ps))
	}
}

func filedAtOnce(t *testing.T, f configs.Papers) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := f.FilePaper(t.Context(), paper("acme", "T1", "a receipt", 1)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if ps := must[[]configs.Paper](t)(f.Papers(t.Context(), "acme", "T1")); len(ps) != 1 {
		t.Errorf("%d papers, want 1", len(ps))
	}
}

func badPapers(t *testing.T, f configs.Papers) {
	for name, spoil := range map[string]func(*configs.Paper){
		"bytes of another digest": func(p *configs.Paper) { p.Bytes = append(p.Bytes, '\n') },
		"no digest":               func(p *configs.Paper) { p.Digest, p.Sealed = "", true },
		"a digest in capitals":    func(p *configs.Paper) { p.Digest, p.Sealed = strings.Repeat("AB", 32), true },
		"a digest that is none":   func(p *configs.Paper) { p.Digest, p.Sealed = strings.Repeat("zz", 32), true },
		"no kind":                 func(p *configs.Paper) { p.Kind = "" },
		"no time":                 func(p *configs.Paper) { p.At = time.Time{} },
		"a customer that is none": func(p *configs.Paper) { p.Customer = "../acme" },
		"no customer":             func(p *configs.Paper) { p.Customer = "" },
	} {
		p := paper("acme", "T1", "a receipt", 1)
		spoil(&p)
		if err := f.FilePaper(t.Context(), p); err == nil {
			t.Errorf("a paper with %s was filed", name)
		}
	}
	if ps := must[[]configs.Paper](t)(f.Papers(t.Context(), "acme", "T1")); len(ps) != 0 {
		t.Errorf("what was refused was filed: %+v", ps)
	}
}

func canceledPapers(t *testing.T, f configs.Papers) {
	p := paper("acme", "T1", "a receipt", 1)
	ctx := canceled(t)
	wantCanceled(t, "file", f.FilePaper(ctx, p))
	_, _, err := f.Paper(ctx, "acme", p.Digest)
	wantCanceled(t, "paper", err)
	_, err = f.Papers(ctx, "acme", "T1")
	wantCanceled(t, "papers", err)
	if _, ok, err := f.Paper(t.Context(), "acme", p.Digest); ok || err != nil {
		t.Errorf("there %t, error %v after a canceled call", ok, err)
	}
}
