package git

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"belay/configs"
	"belay/devices"
)

// add puts a request's commit on top of st and returns the new objects: none
// where the version stands. With an error st is as before.
func (st *state) add(q *request, now time.Time) ([]item, configs.Version, error) {
	was, had := st.devices[q.doc.ID]
	if k, ok := st.stands(q); ok {
		return nil, k.clone(), nil
	}
	items, files, err := q.files(was.files)
	if err != nil {
		return nil, configs.Version{}, err
	}
	dir, err := encoded(&object.Tree{Entries: files})
	if err != nil {
		return nil, configs.Version{}, err
	}
	root := slices.Clone(st.root)
	evicted, to := st.evict(q.doc.ID, q.doc.Name)
	if evicted != "" {
		root = with(root, folder(to, st.devices[evicted].tree))
	}
	if had && was.folder != q.doc.Name {
		root = without(root, was.folder)
		q.renamedFrom = was.folder
	}
	root = with(root, folder(q.doc.Name, dir.hash))
	topItem, newTop := st.topTree(root)
	if now.Before(time.Unix(0, 0)) {
		now = time.Unix(0, 0)
	}
	text := q.message(was, had)
	body := &object.Commit{
		Author:    author(q.snap.By, q.doc.Taken, now),
		Committer: object.Signature{Name: "Belay", Email: "belay@belay.invalid", When: now},
		Message:   text, TreeHash: topItem.hash,
	}
	if !st.head.IsZero() {
		body.ParentHashes = []plumbing.Hash{st.head}
	}
	commit, err := encoded(body)
	if err != nil {
		return nil, configs.Version{}, err
	}
	if q.tagged() {
		tag, err := q.tagCommit(*body, commit.hash, dir.hash)
		if err != nil {
			return nil, configs.Version{}, err
		}
		items, q.tag = append(items, tag), tag.hash
	}
	if evicted != "" {
		k := st.devices[evicted]
		k.folder = to
		st.devices[evicted], st.folders[to] = k, evicted
	}
	if had {
		delete(st.folders, was.folder)
	}
	v := q.doc.version(commit.hash.String(), subject(text))
	k := kept{version: v, folder: q.doc.Name, tree: dir.hash, files: files}
	st.devices[q.doc.ID], st.folders[q.doc.Name] = k, q.doc.ID
	st.root, st.head, st.top = root, commit.hash, newTop
	v = k.clone()
	v.New = true
	return append(items, dir, topItem, commit), v, nil
}

// evict tells which other device has the folder, and where it goes: to a name
// that no device can have. It moves back to a proper one at its next capture.
func (st *state) evict(id devices.ID, name string) (other devices.ID, to string) {
	other, ok := st.folders[name]
	if !ok || other == id {
		return "", ""
	}
	to = name + "~"
	for n := 2; ; n++ {
		if _, taken := st.folders[to]; !taken {
			return other, to
		}
		to = fmt.Sprintf("%s~%d", name, n)
	}
}

// files makes the blobs of a device's folder, but not those that was holds already.
func (q *request) files(was []object.TreeEntry) (items []item, entries []object.TreeEntry, err error) {
	doc, err := json.MarshalIndent(q.doc, "", "  ")
	if err != nil {
		return nil, nil, err
	}
	add := func(name string, it item) {
		entries = append(entries, object.TreeEntry{Name: name, Mode: filemode.Regular, Hash: it.hash})
		if !slices.ContainsFunc(was, func(e object.TreeEntry) bool { return e.Hash == it.hash }) {
			items = append(items, it)
		}
	}
	add(snapshotFile, newItem(plumbing.BlobObject, append(doc, '\n')))
	for _, t := range q.snap.Texts {
		add(t.Name, newItem(plumbing.BlobObject, t.Clean.Bytes()))
	}
	for _, o := range q.snap.Originals {
		it := newItem(plumbing.BlobObject, o.Bytes)
		it.plain = true
		add(originalName(o.Name), it)
	}
	slices.SortFunc(entries, compareEntries)
	return items, entries, nil
}

// message is the commit's: a line for people, the reason where a person gave
// one, the trailers.
func (q *request) message(was kept, had bool) string {
	d := q.doc
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\n", d.Name, q.what(was, had))
	if r := oneLine(d.Reason); r != "" {
		fmt.Fprintf(&b, "Accepted by %s: %s\n\n", oneLine(d.By.Name), r)
	}
	trailer := func(name, value string) {
		if value = oneLine(value); value != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	trailer("Ticket", d.Ticket)
	trailer("Change", d.Change)
	trailer("Phase", d.Phase)
	trailer("Driver", d.Driver)
	for _, s := range d.Identity.Serials {
		trailer("Device-Serial", s)
	}
	for _, f := range d.Files {
		switch {
		case f.OriginalDigest == "":
		case f.Name == configs.MainFile:
			trailer("Original-Digest", f.OriginalDigest)
		default:
			trailer("Original-Digest", f.OriginalDigest+" "+f.Name)
		}
	}
	return b.String()
}

func (q *request) what(was kept, had bool) string {
	d := q.doc
	var says []string
	if d.Phase != "" {
		says = append(says, oneLine(d.Phase))
		switch {
		case d.Ticket != "":
			says = append(says, "ticket "+oneLine(d.Ticket))
		case d.Change != "":
			says = append(says, "change "+oneLine(d.Change))
		}
	}
	if had && was.err == nil && was.version.Name != d.Name {
		says = append(says, "renamed from "+was.version.Name)
	}
	switch {
	case len(says) > 0 && (!had || d.Phase != ""):
	case !had:
		says = append(says, "first capture")
	case was.err != nil:
		says = append(says, "kept anew, the last version cannot be read")
	case q.sameTexts(was.version):
		if len(says) == 0 {
			says = append(says, "kept again, nothing changed")
		}
	default:
		says = append(says, q.changedFiles(was.version))
	}
	return strings.Join(says, ", ")
}

func (q *request) changedFiles(was configs.Version) string {
	before := map[string]string{}
	for _, f := range was.Files {
		before[f.Name] = f.Digest
	}
	var names, first []string
	for _, f := range q.doc.Files {
		digest, had := before[f.Name]
		switch {
		case f.Alone() && !had:
			first = append(first, f.Name)
		case digest != f.Digest:
			names = append(names, f.Name)
		}
		delete(before, f.Name)
	}
	for _, f := range was.Files {
		if _, gone := before[f.Name]; gone && !f.Alone() {
			names = append(names, f.Name)
		}
	}
	if len(names) == 0 {
		return strings.Join(first, ", ") + " kept beside"
	}
	if slices.Contains(names, configs.MainFile) {
		return "running configuration changed"
	}
	return strings.Join(names, ", ") + " changed"
}

// author is the person, in a form that git accepts.
func author(p configs.Person, taken, now time.Time) object.Signature {
	if taken.Before(time.Unix(0, 0)) {
		taken = now
	}
	clean := func(s string) string {
		return strings.Trim(strings.Map(func(r rune) rune {
			if r == '<' || r == '>' {
				return -1
			}
			return r
		}, oneLine(s)), " .,:;\"'\\")
	}
	name, email := clean(p.Name), strings.ReplaceAll(clean(p.Email), " ", "")
	if name == "" {
		name = "unknown"
	}
	if email == "" {
		local := strings.Map(func(r rune) rune {
			if r < 128 && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._-", r)) {
				return unicode.ToLower(r)
			}
			return '-'
		}, name)
		email = local + "@belay.invalid"
	}
	return object.Signature{Name: name, Email: email, When: taken}
}

// oneLine keeps what a person typed from becoming a trailer or a header.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}
