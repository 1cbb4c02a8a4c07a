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
	durable bool // head is known to survive a power cut: it may be acknowledged
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
	return r.state
}

func (r *repo) remember(st *state) {
	r.mu.Lock()
	r.state = st
	r.mu.Unlock()
}

// current is the state of main now. Where another process moved it, only what
// it changed is read.
func (r *repo) current(ctx context.Context) (*state, error) {
	if ok, err := r.exists(); !ok || err != nil {
		return &state{}, err
	}
	head, err := r.head()
	if err != nil {
		return nil, err
	}
	if st := r.known(head); st != nil {
		return st, nil
	}
	r.loading.Lock()
	defer r.loading.Unlock()
	if head, err = r.head(); err != nil {
		return nil, err
	}
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

// load reads the state of head, taking from base (may be nil) what did not
// change since.
func (r *repo) load(ctx context.Context, head plumbing.Hash, base *state) (st *state, err error) {
	if base == nil {
		base = &state{}
	}
	rd, err := r.open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rd.close()) }()
	st = &state{head: head, devices: map[devices.ID]kept{}, folders: map[string]devices.ID{}}
	if head.IsZero() {
		return st, r.continues(ctx, head)
	}
	known, err := r.readHint()
	if err != nil {
		return nil, err
	}
	c, err := rd.commit(head)
	if err != nil {
		return nil, err
	}
	if st.root, err = rd.tree(c.TreeHash); err != nil {
		return nil, err
	}
	old := map[string]plumbing.Hash{}
	for _, e := range base.root {
		old[e.Name] = dirHash(e)
	}
	pending := map[string]devices.ID{} // folders whose commit is still looked for
	for _, e := range st.root {
		tree := dirHash(e)
		if tree.IsZero() {
			continue
		}
		if id, ok := base.folders[e.Name]; ok && old[e.Name] == tree {
			st.devices[id], st.folders[e.Name] = base.devices[id], id
			continue
		}
		d, files, err := rd.document(tree)
		if err != nil { // one that cannot be read must not keep the others from being kept
			d = document{ID: devices.ID(r.customer + "/" + e.Name), Name: e.Name}
		}
		st.devices[d.ID] = kept{version: d.version("", ""), folder: e.Name, tree: tree, files: files, err: err}
		st.folders[e.Name] = d.ID
		pending[e.Name] = d.ID
	}
	whole := base.head.IsZero() // otherwise the walk must meet base, or base is of another line
	for s, err := range rd.walk(ctx, head) {
		if err != nil {
			return nil, err
		}
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
		return r.load(ctx, head, nil)
	}
	return st, nil
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

// standing is the version that stands, where req brings nothing new: the path
// that most captures take. It costs one look at the branch.
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
