package ledger

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"iter"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"

	"belay/configs"
	"belay/devices"
)

// What a search has in memory at once: a page of texts as they lie in the index,
// and as many open as there are processors.
const (
	searchPage = 64
	mostOpen   = 64 << 20 // bytes of one text; what is larger was not written by us
)

// A sheet is one text of the index on its way through a search.
type sheet struct {
	found configs.Found // of each line: device, name, commit and file
	body  []byte
	lines []configs.Found
	err   error
	read  chan struct{} // closed when lines are there
}

// Search looks through the newest texts. They are read a page at a time, and
// opened and looked through on all processors; what is found comes in order.
func (l *Ledger) Search(ctx context.Context, q configs.Query) iter.Seq2[configs.Found, error] {
	return func(yield func(configs.Found, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var busy sync.WaitGroup
		defer busy.Wait()
		defer cancel()
		n := runtime.GOMAXPROCS(0)
		work, order := make(chan *sheet, searchPage), make(chan *sheet, searchPage)
		look := newLook(q.Pattern)
		for range n {
			busy.Go(func() { lookThrough(work, look) })
		}
		busy.Go(func() {
			defer close(order)
			defer close(work)
			l.sheets(ctx, q.Customer, func(s *sheet) bool {
				s.read = make(chan struct{})
				select {
				case order <- s:
				case <-ctx.Done():
					return false
				}
				if s.err != nil {
					close(s.read)
					return false
				}
				work <- s // never waits for long: it is looked at whatever happens
				return true
			})
		})
		for s := range order {
			<-s.read
			if s.err == nil {
				s.err = ctx.Err()
			}
			if s.err != nil {
				yield(configs.Found{}, failed("search the index", s.err))
				return
			}
			for _, f := range s.lines {
				if !yield(f, nil) {
					return
				}
			}
		}
		if err := ctx.Err(); err != nil {
			yield(configs.Found{}, failed("search the index", err))
		}
	}
}

func lookThrough(work <-chan *sheet, look *look) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(mostOpen))
	if err == nil {
		defer d.Close()
	}
	var text, folded []byte
	for s := range work {
		if s.err = err; err == nil {
			if text, s.err = d.DecodeAll(s.body, text[:0]); s.err != nil {
				s.err = &devices.Error{Kind: devices.Damaged, Op: "open a text of the index", Device: string(s.found.ID), Err: s.err, Hint: "belay index rebuild --customer " + s.found.ID.Customer()}
			}
		}
		if s.err == nil {
			folded = look.lines(text, folded, func(n int, line []byte) {
				f := s.found
				f.Line, f.Text = n, string(line)
				s.lines = append(s.lines, f)
			})
		}
		s.body = nil
		close(s.read)
	}
}

const sheetsQuery = `SELECT names.device, t.file, t.name, t.version, t.body FROM names CROSS JOIN index_texts t ON t.device = names.number
	WHERE names.device >= ?1 AND names.device < ?2 AND (names.device > ?1 OR t.file > ?3) ORDER BY names.device, t.file LIMIT ?4`

// sheets reads the texts in order. A page is one statement, so that a reader
// that takes its time keeps nobody from emptying the log.
func (l *Ledger) sheets(ctx context.Context, customer string, do func(*sheet) bool) {
	after, file, below := "", "", "\xff"
	if customer != "" {
		after, below = customer+"/", customer+"0" // the character after the slash
	}
	for {
		page, err := collect(ctx, l.read, func(rows *sql.Rows) (*sheet, error) {
			s := &sheet{}
			var version []byte
			err := rows.Scan(&s.found.ID, &s.found.File, &s.found.Name, &version, &s.body)
			s.found.Commit = hex.EncodeToString(version)
			return s, err
		}, sheetsQuery, after, below, file, searchPage)
		if err != nil && !errors.Is(err, context.Canceled) || err != nil && ctx.Err() == nil {
			do(&sheet{err: err})
			return
		}
		for _, s := range page {
			if !do(s) {
				return
			}
			after, file = string(s.found.ID), s.found.File
		}
		if err != nil || len(page) < searchPage {
			return
		}
	}
}
