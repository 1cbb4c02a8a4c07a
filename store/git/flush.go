package git

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"belay/configs"
)

// What one flush takes at most: memory is bounded by it.
const (
	flushCommits = 500
	flushBytes   = 64 << 20
)

// flushPatience is how long a flush waits for another process's flush.
const flushPatience = time.Minute

// submit hands req to the repository's flusher and waits. It writes for all that
// wait, one pack and one move of the branch at a time. A canceled caller gets his
// error at once, and no answer whether it was still written.
func (r *repo) submit(ctx context.Context, req *request) (configs.Version, error) {
	background := context.WithoutCancel(ctx)
	r.commits.put(req, flushSize, func(batch []*request) {
		answers, err := r.flush(background, batch)
		for i, q := range batch {
			if err != nil {
				q.answer <- answer{err: err}
			} else {
				q.answer <- answers[i]
			}
		}
	})
	a, err := wait(ctx, &r.commits, req, req.answer)
	if err != nil {
		return configs.Version{}, err
	}
	return a.version, a.err
}

// flushSize is how many of those waiting one flush takes: at least one.
func flushSize(waiting []*request) int {
	n, size := 0, 0
	for n < len(waiting) && n < flushCommits && (n == 0 || size < flushBytes) {
		for _, t := range waiting[n].snap.Texts {
			size += t.Clean.Len()
		}
		for _, o := range waiting[n].snap.Originals {
			size += len(o.Bytes)
		}
		n++
	}
	return n
}

// flush keeps a batch: all of it or, with an error, nothing of it. One request
// may still fail for itself.
func (r *repo) flush(ctx context.Context, batch []*request) (answers []answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, flushPatience)
	defer cancel()
	if err := r.create(ctx); err != nil {
		return nil, err
	}
	l, err := r.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err = errors.Join(err, l.unlock()); err != nil {
			r.remember(nil) // what is on disk is looked up anew
		}
	}()
	was, err := r.unbroken(ctx)
	if err != nil {
		return nil, err
	}
	if !was.durable { // another process's work, or an interrupted one's
		if err := r.secure(); err != nil {
			return nil, fmt.Errorf("sync what is there: %w", err)
		}
	}
	st := was.clone()
	st.durable = true
	var items []item
	have := map[plumbing.Hash]bool{}
	tags := tagging{repo: r}
	for _, q := range batch {
		if err := tags.ready(st, q); err != nil {
			answers = append(answers, answer{err: err})
			continue
		}
		made, v, err := st.add(q, r.now())
		if v.New && q.tagged() {
			tags.made(q)
		}
		for _, it := range made { // two devices with one text: a pack holds no object twice
			if !have[it.hash] {
				have[it.hash] = true
				items = append(items, it)
			}
		}
		answers = append(answers, answer{v, err})
	}
	if len(items) > 0 {
		if err := r.writePack(items); err != nil {
			return nil, err
		}
		if err := r.noteTags(was.head, st.head, tags.due); err != nil {
			return nil, err
		}
		if err := r.moveHead(ctx, l, was.head, st.head); err != nil {
			return nil, err
		}
		if len(tags.due) > 0 {
			if err := r.setTags(tags.due); err != nil {
				return nil, err
			}
			if err := removeIfThere(r.tagNoteFile()); err != nil {
				return nil, err
			}
		}
		// From the first commit on an empty branch is a loss.
		if was.head.IsZero() || !r.hinted() {
			if err := r.writeHint(st); err != nil {
				return nil, err
			}
		}
	}
	st.top = top{} // deltas stay within one pack
	r.remember(st)
	return answers, nil
}
