package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/revlist"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// errUnknown says that a commit is not in this repository.
var errUnknown = errors.New("unknown commit")

// push brings the remote's main to ours and its tags besides, and returns where
// its references then are and which of the commits its main reaches. go-git's own
// push reads all of a remote's history each time; ours knows that history is a line.
func (r *repo) push(ctx context.Context, t *carrier, commits []string) (at map[string]plumbing.Hash, has map[string]bool, err error) {
	if ok, err := r.exists(); !ok || err != nil {
		return nil, nil, errors.Join(err, errors.New("no history"))
	}
	if err := r.settleTags(ctx); err != nil {
		return nil, nil, err
	}
	// Two processes of ours would be in each other's way over there.
	l, err := lock(ctx, filepath.Join(r.dir, "belay-push.lock"))
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, l.unlock()) }()
	rd, err := r.open()
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, rd.close()) }()
	defer func() { err = errors.Join(err, t.close()) }()
	session, err := t.receive(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if closeErr := session.Close(); err == nil && ctx.Err() == nil && closeErr != nil {
			err = closeErr
		}
	}()
	theirs, err := session.AdvertisedReferencesContext(ctx)
	if err != nil {
		return nil, nil, err
	}
	pushed, err := rd.pushTo(ctx, r, session, theirs)
	if err != nil {
		return nil, nil, err
	}
	at = theirs.References
	if pushed {
		// What it said of itself is not enough: ask again.
		if at, err = t.ask(ctx); err != nil {
			return nil, nil, fmt.Errorf("ask what it holds: %w", err)
		}
	}
	has, err = r.reaches(ctx, at[mainRef], commits)
	if errors.Is(err, errUnknown) {
		err = errDiverged
	}
	return at, has, err
}

// pushTo sends what is missing, if anything is.
func (rd *reader) pushTo(ctx context.Context, r *repo, session transport.ReceivePackSession, theirs *packp.AdvRefs) (bool, error) {
	// Tags before main: each one's version is in main by then.
	tags, err := r.newTags(theirs)
	if err != nil {
		return false, err
	}
	head, err := r.head()
	if err != nil {
		return false, err
	}
	req := packp.NewReferenceUpdateRequestFromCapabilities(theirs.Capabilities)
	old := theirs.References[mainRef]
	var objects []plumbing.Hash
	if head != old {
		if objects, err = rd.between(ctx, old, head); err != nil {
			return false, err
		}
		req.Commands = append(req.Commands, &packp.Command{Name: mainRef, Old: old, New: head})
	}
	sent := map[plumbing.Hash]bool{}
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		req.Commands = append(req.Commands, &packp.Command{Name: plumbing.ReferenceName(name), New: tags[name]})
		more, err := rd.tagObjects(tags[name], head)
		if err != nil {
			return false, fmt.Errorf("%s: %w", name, err)
		}
		for _, h := range more {
			if !sent[h] {
				sent[h] = true
				objects = append(objects, h)
			}
		}
	}
	if len(req.Commands) == 0 {
		return false, nil
	}
	if theirs.Capabilities.Supports(capability.Atomic) {
		if err := req.Capabilities.Set(capability.Atomic); err != nil {
			return false, err
		}
	}
	report, err := rd.send(ctx, session, req, objects, !theirs.Capabilities.Supports(capability.OFSDelta))
	if err == nil && report != nil {
		err = report.Error()
	}
	return true, err
}

// send streams the pack. The encoder ends with the session: its pipe is closed.
func (rd *reader) send(ctx context.Context, session transport.ReceivePackSession, req *packp.ReferenceUpdateRequest, objects []plumbing.Hash, refDeltas bool) (*packp.ReportStatus, error) {
	out, in := io.Pipe()
	req.Packfile = out
	done := make(chan error, 1)
	go func() {
		_, err := packfile.NewEncoder(in, rd.st, refDeltas).Encode(objects, 10) // git's own window
		done <- errors.Join(err, in.CloseWithError(err))
	}()
	report, err := session.ReceivePack(ctx, req)
	if err != nil {
		err = errors.Join(err, out.CloseWithError(err))
	}
	if encodeErr := <-done; err == nil {
		err = encodeErr
	}
	return report, err
}

// between lists the objects that commits after old, up to head, brought. Where
// the walk does not meet old, the remote has moved.
func (rd *reader) between(ctx context.Context, old, head plumbing.Hash) ([]plumbing.Hash, error) {
	var objects []plumbing.Hash
	seen := map[plumbing.Hash]bool{}
	add := func(h plumbing.Hash) bool {
		if seen[h] {
			return false
		}
		seen[h] = true
		objects = append(objects, h)
		return true
	}
	for c, err := range rd.walk(ctx, head) {
		if err != nil {
			return nil, err
		}
		if c.Hash == old {
			return objects, nil
		}
		if len(c.ParentHashes) > 1 {
			return rd.all(old, head) // another git's merge: the long way
		}
		add(c.Hash)
		if !add(c.TreeHash) {
			continue
		}
		if err := rd.changedObjects(c, add); err != nil {
			return nil, err
		}
	}
	if !old.IsZero() {
		return nil, errDiverged
	}
	return objects, nil
}

func (rd *reader) changedObjects(c step, add func(plumbing.Hash) bool) error {
	for _, ch := range c.changes {
		if ch.is.IsZero() || ch.moved != "" || !add(ch.is) {
			continue
		}
		entries, err := rd.tree(ch.is)
		if err != nil {
			return err
		}
		had := map[plumbing.Hash]bool{}
		if !ch.was.IsZero() {
			was, err := rd.tree(ch.was)
			if err != nil {
				return err
			}
			for _, e := range was {
				had[e.Hash] = true
			}
		}
		for _, e := range entries {
			if !had[e.Hash] {
				add(e.Hash)
			}
		}
	}
	return nil
}

// all is go-git's own way, for histories that are not of our making.
func (rd *reader) all(old, head plumbing.Hash) ([]plumbing.Hash, error) {
	var haves []plumbing.Hash
	if !old.IsZero() {
		c, err := object.GetCommit(rd.st, head)
		if err != nil {
			return nil, err
		}
		o, err := object.GetCommit(rd.st, old)
		if err != nil {
			return nil, errDiverged
		}
		if ok, err := o.IsAncestor(c); err != nil || !ok {
			return nil, errors.Join(errDiverged, err)
		}
		haves = append(haves, old)
	}
	return revlist.Objects(rd.st, []plumbing.Hash{head}, haves)
}

// newTags are those that the remote lacks. One that it has elsewhere is an error:
// a tag is never moved.
func (r *repo) newTags(theirs *packp.AdvRefs) (map[string]plumbing.Hash, error) {
	tags, err := r.refs("refs/tags/")
	if err != nil {
		return nil, err
	}
	for name, h := range tags {
		at, ok := theirs.References[name]
		if ok && at != h {
			return nil, fmt.Errorf("tag %s: %w", strings.TrimPrefix(name, "refs/tags/"), errDiverged)
		}
		if ok {
			delete(tags, name)
		}
	}
	return tags, nil
}

// tagObjects are what a tag has beside main, which ends at head. Those of a
// change have commits only: their folders are main's.
func (rd *reader) tagObjects(h, head plumbing.Hash) (objects []plumbing.Hash, err error) {
	for at := h; ; {
		c, version, err := rd.tagged(at)
		if err != nil {
			return nil, err
		}
		ours := !version.IsZero()
		if ours {
			ours, err = rd.hasFolder(version, c.TreeHash)
		}
		if err != nil {
			return nil, err
		}
		if !ours { // a person's: the long way
			return revlist.Objects(rd.st, []plumbing.Hash{h}, []plumbing.Hash{head})
		}
		objects = append(objects, at)
		if at = c.ParentHashes[0]; at == version {
			return objects, nil
		}
	}
}

// hasFolder tells whether a commit of main holds that folder.
func (rd *reader) hasFolder(commit, tree plumbing.Hash) (bool, error) {
	c, err := rd.commit(commit)
	if err != nil {
		return false, err
	}
	root, err := rd.tree(c.TreeHash)
	return slices.ContainsFunc(root, func(e object.TreeEntry) bool { return dirHash(e) == tree }), err
}

// reaches tells which of the commits are in the line that ends at head.
func (r *repo) reaches(ctx context.Context, head plumbing.Hash, commits []string) (has map[string]bool, err error) {
	wanted := map[string]bool{}
	for _, c := range commits {
		wanted[c] = true
	}
	has = map[string]bool{}
	rd, err := r.open() // another process may have pushed newer ones
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rd.close()) }()
	for h := head; !h.IsZero() && len(has) < len(wanted); {
		c, err := rd.commit(h)
		if err != nil && h == head {
			return nil, errors.Join(errUnknown, err)
		}
		if err != nil {
			return nil, err
		}
		if wanted[h.String()] {
			has[h.String()] = true
		}
		if h = plumbing.ZeroHash; len(c.ParentHashes) > 0 {
			h = c.ParentHashes[0]
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return has, nil
}
