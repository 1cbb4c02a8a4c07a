package git

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Round says what one look after all histories did.
type Round struct {
	Histories int   // looked at
	Packed    int   // of them packed
	Noted     int   // of them with a new note of where they are
	Swept     int   // of them with something that a killed process had left
	Spare     int64 // bytes that packing saved
	Memory    int64 // the most that git had, in bytes
}

// Maintenance looks after the histories of customers, or of all where none is
// named: it packs those that have come to many packs, writes down where each one
// is, so that the next process starts quickly, and clears away what killed
// processes left. One history at a time; captures go on meanwhile. It may be
// called at any time, and costs little where nothing is due: two looks into a
// folder for each customer. An error of one history keeps none from its turn.
func (s *Store) Maintenance(ctx context.Context, customers ...string) (round Round, err error) {
	if len(customers) == 0 {
		if customers, err = s.Customers(); err != nil {
			return round, err
		}
	}
	var failed []error
	for _, c := range customers {
		if err := ctx.Err(); err != nil {
			return round, errors.Join(append(failed, err)...)
		}
		r, err := s.repo(c)
		if err == nil {
			err = r.lookAfter(ctx, s.git(), &round)
		}
		if err != nil && ctx.Err() == nil {
			failed = append(failed, unpacked(c, err))
		}
	}
	return round, errors.Join(append(failed, ctx.Err())...)
}

func (r *repo) lookAfter(ctx context.Context, program string, round *Round) error {
	if ok, err := r.exists(); !ok || err != nil {
		return err
	}
	round.Histories++
	left, err := r.leftovers()
	if err != nil {
		return err
	}
	if left {
		r.mu.Lock()
		r.swept = false
		r.mu.Unlock()
		l, err := r.acquire(ctx) // which sweeps
		if err == nil {
			err = l.unlock()
		}
		if err != nil {
			return err
		}
		round.Swept++
	}
	packs, err := r.packs()
	if err != nil {
		return err
	}
	if len(packs) > manyPacks {
		rep, err := r.maintain(ctx, program, smallOnes)
		round.Memory = max(round.Memory, rep.Memory)
		if err != nil {
			return err
		}
		if rep.Skipped == "" {
			round.Packed++
			round.Spare += rep.Spare
		}
	}
	noted, err := r.noteHead(ctx)
	if noted {
		round.Noted++
	}
	return err
}

// smallOnes are the packs that are worth packing together: from the smallest up
// to the last one that is less than twice as large as all before it. So each pack
// that stays is twice what is smaller; a year of history is written again a few
// times in all, and the bigger it is, the more seldom.
func smallOnes(packs map[string]os.FileInfo) []string {
	stems := everything(packs)
	slices.SortFunc(stems, func(a, b string) int {
		return cmp.Or(cmp.Compare(packs[a].Size(), packs[b].Size()), strings.Compare(a, b))
	})
	sum, take := int64(0), 0
	for i, stem := range stems {
		size := packs[stem].Size()
		if size < 2*sum {
			take = i + 1
		}
		sum += size
	}
	return stems[:take]
}

// leftovers tells whether there is something that a killed process may have left,
// a pack that has lost its index, or an index that names packs which are gone.
func (r *repo) leftovers() (bool, error) {
	for _, dir := range []string{r.dir, filepath.Join(r.dir, "objects", "pack")} {
		names, err := listing(dir)
		if err != nil {
			return false, err
		}
		there := map[string]bool{}
		for _, n := range names {
			there[n] = true
		}
		if slices.ContainsFunc(names, func(n string) bool {
			if isManyIndex(n) {
				return outdated(filepath.Join(dir, n), there)
			}
			if kept, is := strings.CutSuffix(n, ".keep"); is && !there[kept+".pack"] {
				return keptByUs(filepath.Join(dir, n))
			}
			stem, pack := strings.CutSuffix(n, ".pack")
			return pack && !there[stem+".idx"] || strings.HasPrefix(n, "tmp_") || strings.HasPrefix(n, ".tmp-") || strings.HasPrefix(n, "belay-pack-")
		}) {
			return true, nil
		}
	}
	return false, nil
}

// noteHead writes the hint anew where the branch has gone on since.
func (r *repo) noteHead(ctx context.Context) (noted bool, err error) {
	head, err := r.head()
	if err != nil {
		return false, err
	}
	if head.IsZero() {
		return false, r.continues(ctx, head)
	}
	r.mu.Lock()
	was, last := r.noted, r.last
	r.mu.Unlock()
	moved := !last.IsZero() && last != head // not by us: has a person put it back?
	if head == was && !moved {
		return false, nil
	}
	if known, err := r.readHint(); err != nil || known.Head == head.String() && known.Whole && !moved {
		r.mu.Lock()
		r.noted = head
		r.mu.Unlock()
		return false, err
	}
	st, err := r.current(ctx)
	if err == nil {
		err = st.lost
	}
	if err != nil {
		return false, err
	}
	if !st.durable { // nobody must be held to what a power cut can take away
		l, err := r.acquire(ctx)
		if err != nil {
			return false, err
		}
		if err := errors.Join(r.secure(), l.unlock()); err != nil {
			return false, err
		}
	}
	return true, r.writeHint(st)
}
