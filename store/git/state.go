package git

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"belay/configs"
	"belay/devices"
)

// A state is what main holds: the newest version of every device. It never
// changes once it is in repo.state; the next one is made from a copy.
type state struct {
	head    plumbing.Hash
	root    []object.TreeEntry
	devices map[devices.ID]kept
	folders map[string]devices.ID
	durable bool  // head is known to survive a power cut: it may be acknowledged
	lost    error // what main led to, and does no longer: nothing may be written
	top     top   // of the flush that is under way
}

// kept is one device's newest version.
type kept struct {
	version configs.Version
	folder  string // version.Name, but for one that had to make room
	tree    plumbing.Hash
	files   []object.TreeEntry
	err     error // its snapshot.json cannot be read
}

// clone is the version for a caller, who may do with it what he likes.
func (k kept) clone() configs.Version {
	v := k.version
	v.Files = slices.Clone(v.Files)
	v.Identity.Serials = slices.Clone(v.Identity.Serials)
	v.Grade.Missing = slices.Clone(v.Grade.Missing)
	return v
}

func (st *state) clone() *state {
	return &state{head: st.head, root: slices.Clone(st.root), devices: maps.Clone(st.devices), folders: maps.Clone(st.folders), durable: st.durable}
}

// known is the state if it is still that of the disk.
func (r *repo) known(head plumbing.Hash) *state {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state == nil || r.state.head != head {
		return nil
	}
	st := r.state
	if r.shelf != nil {
		r.shelf.used(r)
	}
	return st
}

// remember keeps st, or with nil forgets, because what is on disk is not known.
func (r *repo) remember(st *state) {
	r.mu.Lock()
	r.state = st
	if st != nil && st.durable {
		r.last = st.head
	}
	r.mu.Unlock()
	if r.shelf != nil && st != nil {
		r.shelf.put(r, len(st.devices))
	}
}

// current is the state of main now. Where another process moved it, only what
// it changed is read.
func (r *repo) current(ctx context.Context) (*state, error) {
	head, err := r.head()
	if err != nil {
		return nil, err
	}
	if head.IsZero() {
		if ok, err := r.exists(); !ok || err != nil {
			return &state{}, err
		}
	}
	if st := r.known(head); st != nil {
		return st, nil
	}
	if !r.loading.TryLock() { // somebody else loads: afterwards it may be elsewhere
		r.loading.Lock()
		if head, err = r.head(); err != nil {
			r.loading.Unlock()
			return nil, err
		}
	}
	defer r.loading.Unlock()
	if st := r.known(head); st != nil {
		return st, nil
	}
	r.mu.Lock()
	base := r.state
	r.mu.Unlock()
	st, err := r.load(ctx, head, base)
	if err != nil {
		return nil, err
	}
	r.remember(st)
	return st, nil
}

// load reads the state of head, taking from base (may be nil) and from the hint
// what did not change since.
func (r *repo) load(ctx context.Context, head plumbing.Hash, base *state) (st *state, err error) {
	if head.IsZero() {
		return &state{head: head, devices: map[devices.ID]kept{}, folders: map[string]devices.ID{}}, r.continues(ctx, head)
	}
	known, err := r.readHint()
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	last := r.last
	r.mu.Unlock()
	met := map[plumbing.Hash]bool{head: true}
	if st = known.state(head); st == nil {
		if st, err = r.loadFrom(ctx, head, base, known, met); err != nil {
			return nil, err
		}
	}
	if st.lost, err = r.lostBefore(ctx, head, known, last, met); err != nil {
		return nil, err
	}
	// What this process made durable itself needs no second time.
	st.durable = head == last && st.lost == nil
	return st, nil
}

func (r *repo) loadFrom(ctx context.Context, head plumbing.Hash, base *state, known hint, met map[plumbing.Hash]bool) (st *state, err error) {
	if base == nil {
		base = &state{}
	}
	rd, err := r.open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rd.close()) }()
	st = &state{head: head, devices: map[devices.ID]kept{}, folders: map[string]devices.ID{}}
	c, err := rd.commit(head)
	if err != nil {
		return nil, err
	}
	if st.root, err = rd.tree(c.TreeHash); err != nil {
		return nil, err
	}
	pending := st.folded(rd, base, known, r.customer)
	whole := base.head.IsZero() // otherwise the walk must meet base, or base is of another line
	for s, err := range rd.walk(ctx, head) {
		if err != nil {
			return nil, err
		}
		met[s.Hash] = true
		if s.Hash == base.head {
			whole = true
		}
		if s.Hash.String() == known.Head {
			st.take(known, pending)
		}
		if whole && len(pending) == 0 {
			break
		}
		for _, ch := range s.changes {
			id, ok := pending[ch.name]
			if !ok || ch.is != st.devices[id].tree {
				continue
			}
			delete(pending, ch.name)
			if ch.moved != "" {
				pending[ch.moved] = id
				continue
			}
			k := st.devices[id]
			k.version.Commit, k.version.Subject = s.Hash.String(), subject(s.Message)
			st.devices[id] = k
		}
	}
	if !whole {
		return r.loadFrom(ctx, head, nil, known, met)
	}
	return st, nil
}

// folded fills in the folders of the root: from base those that are as they were
// there, from the hint or from history what is known of the others. Their
// commits, the pending ones', are still to be looked for.
func (st *state) folded(rd *reader, base *state, known hint, customer string) (pending map[string]devices.ID) {
	old := map[string]plumbing.Hash{}
	for _, e := range base.root {
		old[e.Name] = dirHash(e)
	}
	pending = map[string]devices.ID{}
	for _, e := range st.root {
		tree := dirHash(e)
		if tree.IsZero() {
			continue
		}
		if id, ok := base.folders[e.Name]; ok && old[e.Name] == tree {
			st.devices[id], st.folders[e.Name] = base.devices[id], id
			continue
		}
		k, ok := known.kept(e.Name)
		if !ok || k.tree != tree {
			d, files, err := rd.document(tree)
			if err != nil { // one that cannot be read must not keep the others from being kept
				d = document{ID: devices.ID(customer + "/" + e.Name), Name: e.Name}
			}
			k = kept{version: d.version("", ""), folder: e.Name, tree: tree, files: files, err: err}
		}
		id := k.version.ID
		st.devices[id], st.folders[e.Name] = k, id
		pending[e.Name] = id
	}
	return pending
}

// take fills in what the hint knows of folders that are still as they were.
func (st *state) take(known hint, pending map[string]devices.ID) {
	for folder, id := range pending {
		k := st.devices[id]
		if f := known.Folders[folder]; f.Tree == k.tree.String() {
			k.version.Commit, k.version.Subject = f.Commit, f.Subject
			st.devices[id] = k
			delete(pending, folder)
		}
	}
}

func subject(message string) string {
	first, _, _ := strings.Cut(message, "\n")
	return first
}

// standing is the version that stands, where req brings nothing new.
func (r *repo) standing(req *request) (configs.Version, bool, error) {
	if req.snap.Always {
		return configs.Version{}, false, nil
	}
	head, err := r.head()
	if err != nil {
		return configs.Version{}, false, err
	}
	st := r.known(head)
	if st == nil || !st.durable {
		return configs.Version{}, false, nil
	}
	k, ok := st.stands(req)
	return k.clone(), ok, nil
}

func (st *state) stands(req *request) (kept, bool) {
	k, ok := st.devices[req.doc.ID]
	ok = ok && k.err == nil && !req.snap.Always && k.folder == req.doc.Name && req.sameTexts(k.version)
	return k, ok
}
