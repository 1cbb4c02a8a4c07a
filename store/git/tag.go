package git

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"belay/configs"
	"belay/devices"
)

// The phases that have tags.
const (
	phaseBefore = "before"
	phaseAfter  = "after"
)

// A Tag names one version of a change, by a commit beside main that holds that
// device's files alone, in its root.
type Tag struct {
	Name    string // as git takes it: change/T20391-fw-hq/before-2
	Phase   string // "before" or "after"
	Commit  string // that it names
	Version string // the commit of main that has the same files
}

// Tags are those of a change, first the ones before it, each phase in the order
// they were made: the last one of a phase counts.
func (s *Store) Tags(ctx context.Context, customer, change string) (tags []Tag, err error) {
	if err := devices.CheckName(change); err != nil {
		return nil, &devices.Error{Kind: devices.Usage, Op: "list the tags of a change", Err: err}
	}
	r, err := s.repo(customer)
	if err != nil {
		return nil, err
	}
	if tags, err = r.tagsOf(ctx, change); err != nil {
		return nil, &devices.Error{Kind: devices.KindOf(err), Op: "list the tags of change " + change, Device: customer, Err: err}
	}
	return tags, nil
}

func (r *repo) tagsOf(ctx context.Context, change string) (tags []Tag, err error) {
	if ok, err := r.exists(); !ok || err != nil {
		return nil, err
	}
	if err := r.settleTags(ctx); err != nil {
		return nil, err
	}
	named, err := r.phaseTags(change)
	if err != nil || len(named) == 0 {
		return nil, err
	}
	rd, err := r.open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rd.close()) }()
	for _, p := range named {
		_, version, err := rd.tagged(p.at)
		if err != nil {
			return nil, fmt.Errorf("tag %s: %w", p.name(change), err)
		}
		if !version.IsZero() {
			tags = append(tags, Tag{Name: p.name(change), Phase: p.phase, Commit: p.at.String(), Version: version.String()})
		}
	}
	return tags, nil
}

// A phaseTag is a tag within one change.
type phaseTag struct {
	phase string
	n     int // from 1
	at    plumbing.Hash
}

func (p phaseTag) name(change string) string {
	name := "change/" + change + "/" + p.phase
	if p.n > 1 {
		name += "-" + strconv.Itoa(p.n)
	}
	return name
}

// phaseTags are the names taken in a change, whoever made them, in order.
func (r *repo) phaseTags(change string) ([]phaseTag, error) {
	under := tagRoot + change + "/"
	refs, err := r.refs(under)
	if err != nil {
		return nil, err
	}
	var named []phaseTag
	for name, at := range refs {
		// A name with more below it is taken as well.
		name, _, _ = strings.Cut(strings.TrimPrefix(name, under), "/")
		if p, ok := parsePhase(name); ok {
			p.at = at
			named = append(named, p)
		}
	}
	slices.SortFunc(named, func(a, b phaseTag) int {
		if a.phase != b.phase {
			return -strings.Compare(a.phase, b.phase) // before stands behind after in the alphabet
		}
		return a.n - b.n
	})
	return named, nil
}

func parsePhase(name string) (phaseTag, bool) {
	phase, number, counted := strings.Cut(name, "-")
	p := phaseTag{phase: phase, n: 1}
	if counted {
		var err error
		if p.n, err = strconv.Atoi(number); err != nil || p.n < 2 || strconv.Itoa(p.n) != number {
			return p, false
		}
	}
	return p, phase == phaseBefore || phase == phaseAfter
}

// tagged reads what a tag names: a commit of ours tells its version, anything
// else (a person may tag what he likes) has none.
func (rd *reader) tagged(h plumbing.Hash) (c *object.Commit, version plumbing.Hash, err error) {
	o, err := rd.object(plumbing.AnyObject, h)
	if err != nil || o.Type() != plumbing.CommitObject {
		return nil, version, err
	}
	if c, err = rd.commit(h); err != nil {
		return nil, version, err
	}
	if len(c.ParentHashes) == 1 {
		version = plumbing.NewHash(trailer(c.Message, versionTrailer))
	}
	return c, version, nil
}

const versionTrailer = "Version"

// trailer is the value of a trailer, empty where the message has none.
func trailer(message, name string) string {
	message = strings.TrimRight(message, "\n")
	value := ""
	for line := range strings.SplitSeq(message[strings.LastIndex(message, "\n\n")+1:], "\n") {
		if v, ok := strings.CutPrefix(line, name+": "); ok {
			value = v
		}
	}
	return value
}

// tagged tells whether the version that comes of a request gets a tag.
func (q *request) tagged() bool { return q.doc.Change != "" && q.doc.Phase != "" }

// checkTag tells why a snapshot's change and phase cannot be a tag.
func checkTag(s configs.Snapshot) error {
	if s.Change == "" || s.Phase == "" {
		return nil
	}
	if s.Phase != phaseBefore && s.Phase != phaseAfter {
		return fmt.Errorf("%q is no phase of a change: before or after", s.Phase)
	}
	return devices.CheckName(s.Change)
}

// tagCommit makes the commit that the tag names: the version's own, but for the
// files, which stand in its root, and for its parent. That is the version itself
// or, after a change, the newest tag before it: so the history of running.conf
// goes on from the new device into the old one's.
func (q *request) tagCommit(body object.Commit, version, folder plumbing.Hash) (item, error) {
	parent := q.parent
	if parent.IsZero() {
		parent = version
	}
	body.TreeHash, body.ParentHashes = folder, []plumbing.Hash{parent}
	body.Message += versionTrailer + ": " + version.String() + "\n"
	return encoded(&body)
}

// A tagging gathers the tags of one flush.
type tagging struct {
	repo   *repo
	due    []dueTag
	before map[string]plumbing.Hash // the newest one of each change
}

// ready finds the parent of a request's tag and makes its folder: what keeps the
// tag from being made is said before anything is written.
func (g *tagging) ready(st *state, q *request) error {
	if _, stands := st.stands(q); stands || !q.tagged() {
		return nil
	}
	if err := g.repo.tagFolder(q.doc.Change); err != nil {
		return fmt.Errorf("make room for the tags of change %s: %w", q.doc.Change, err)
	}
	if q.doc.Phase != phaseAfter {
		return nil
	}
	var known bool
	if q.parent, known = g.before[q.doc.Change]; known {
		return nil
	}
	var err error
	q.parent, err = g.repo.newestBefore(q.doc.Change)
	return err
}

// made notes a tag to be set once main has moved.
func (g *tagging) made(q *request) {
	g.due = append(g.due, dueTag{q.doc.Change, q.doc.Phase, q.tag.String()})
	if q.doc.Phase == phaseBefore {
		if g.before == nil {
			g.before = map[string]plumbing.Hash{}
		}
		g.before[q.doc.Change] = q.tag
	}
}

// newestBefore is the commit of a change's newest tag before it, zero where
// there is none. One that cannot be read must not keep the new device's
// configuration from being kept: Verify tells of it.
func (r *repo) newestBefore(change string) (at plumbing.Hash, err error) {
	named, err := r.phaseTags(change)
	if err != nil || len(named) == 0 {
		return at, err
	}
	rd, err := r.open()
	if err != nil {
		return at, err
	}
	defer func() { err = errors.Join(err, rd.close()) }()
	for _, p := range slices.Backward(named) {
		if p.phase != phaseBefore {
			continue
		}
		if _, version, err := rd.tagged(p.at); err == nil && !version.IsZero() {
			return p.at, nil
		} else if err != nil && devices.KindOf(err) != devices.Damaged {
			return at, err
		}
	}
	return at, nil
}
