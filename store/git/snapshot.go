package git

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"belay/configs"
	"belay/devices"
)

const snapshotFile = "snapshot.json"

// document is snapshot.json, as the comment of package store has it.
type document struct {
	Schema   int              `json:"schema"`
	ID       devices.ID       `json:"id"`
	Customer string           `json:"customer"`
	Name     string           `json:"name"`
	Driver   string           `json:"driver"`
	Taken    time.Time        `json:"taken"`
	By       configs.Person   `json:"by"`
	Ticket   string           `json:"ticket,omitempty"`
	Change   string           `json:"change,omitempty"`
	Phase    string           `json:"phase,omitempty"`
	Reason   string           `json:"reason,omitempty"`
	Identity devices.Identity `json:"identity"`
	Grade    configs.Grade    `json:"grade"`
	Checks   []configs.Check  `json:"checks,omitempty"`
	Files    []documentFile   `json:"files"`
	Session  devices.Reached  `json:"session"`
	Warnings []string         `json:"warnings,omitempty"`
	Gaps     int              `json:"gaps,omitempty"`
	Salted   bool             `json:"salted,omitempty"`
	Unsaved  bool             `json:"unsaved,omitempty"`
}

type documentFile struct {
	configs.VersionFile
	Original string `json:"original,omitempty"` // name of the sealed file
}

func describe(s configs.Snapshot) document {
	d := document{
		Schema: 1, ID: s.Device.ID(), Customer: s.Device.Customer, Name: s.Device.Name, Driver: s.Driver,
		Taken: s.Taken.Round(0), By: s.By, Ticket: s.Ticket, Change: s.Change, Phase: s.Phase, Reason: s.Reason,
		Identity: s.Identity, Grade: s.Grade, Checks: s.Checks, Session: s.Reached, Warnings: s.Warnings,
		Gaps: s.Gaps, Salted: s.Salted, Unsaved: s.Unsaved,
	}
	for _, t := range s.Texts {
		f := documentFile{VersionFile: configs.VersionFile{Name: t.Name, Digest: t.Clean.Digest(), Bytes: t.Clean.Len()}}
		for _, o := range s.Originals {
			if o.Name == t.Name {
				f.OriginalDigest, f.OriginalBytes, f.Original = o.Digest, o.Size, originalName(t.Name)
			}
		}
		d.Files = append(d.Files, f)
	}
	for _, o := range s.Originals {
		if o.Alone {
			d.Files = append(d.Files, documentFile{configs.VersionFile{Name: o.Name, OriginalDigest: o.Digest, OriginalBytes: o.Size}, originalName(o.Name)})
		}
	}
	return d
}

func parseDocument(data []byte) (document, error) {
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		return d, fmt.Errorf("%s: %w", snapshotFile, err)
	}
	if d.Schema != 1 {
		return d, fmt.Errorf("%s has schema %d: written by a newer Belay", snapshotFile, d.Schema)
	}
	if d.ID.Customer() != d.Customer || d.Name == "" || len(d.Files) == 0 {
		return d, fmt.Errorf("%s names no device or no files", snapshotFile)
	}
	return d, nil
}

// version is what a caller sees of the document in this commit.
func (d document) version(commit, subject string) configs.Version {
	v := configs.Version{
		ID: d.ID, Name: d.Name, Commit: commit, Taken: d.Taken, By: d.By, Subject: subject, Ticket: d.Ticket,
		Change: d.Change, Phase: d.Phase, Driver: d.Driver, Identity: d.Identity, Grade: d.Grade, Unsaved: d.Unsaved,
	}
	for _, f := range d.Files {
		v.Files = append(v.Files, f.VersionFile)
	}
	return v
}

// originalName is the name of the sealed file of a text.
func originalName(text string) string {
	if text == configs.MainFile {
		return "original.age"
	}
	return strings.TrimSuffix(text, ".conf") + ".original.age"
}

// A request is a snapshot on its way into a flush.
type request struct {
	snap        configs.Snapshot
	doc         document
	answer      chan answer
	renamedFrom string // the folder it had, where this commit moves it

	parent plumbing.Hash // of the tag's commit, where that is not the version
	tag    plumbing.Hash // the tag's commit, once it is made
}

type answer struct {
	version configs.Version
	err     error
}

// prepare checks that a snapshot can be kept: its names become paths.
func prepare(s configs.Snapshot) (*request, error) {
	id := s.Device.ID()
	names := []string{s.Device.Customer, s.Device.Name, strings.TrimPrefix(string(id), s.Device.Customer+"/")}
	taken := map[string]bool{snapshotFile: true}
	var files []string
	for _, t := range s.Texts {
		files = append(files, t.Name)
	}
	for _, o := range s.Originals {
		if o.Alone {
			files = append(files, o.Name)
		}
	}
	for _, name := range files {
		names = append(names, name)
		for _, n := range []string{name, originalName(name)} {
			if taken[n] {
				return nil, fmt.Errorf("two files would be named %q", n)
			}
			taken[n] = true
		}
	}
	for _, n := range names {
		if err := devices.CheckName(n); err != nil {
			return nil, &devices.Error{Kind: devices.Usage, Op: "check names", Err: err}
		}
	}
	if err := checkTag(s); err != nil {
		return nil, &devices.Error{Kind: devices.Usage, Op: "check the change", Err: err}
	}
	if len(s.Texts) == 0 {
		return nil, errors.New("no text")
	}
	for i, o := range s.Originals {
		same := func(n string) bool { return n == o.Name }
		if !o.Alone && !slices.ContainsFunc(s.Texts, func(t configs.Text) bool { return same(t.Name) }) {
			return nil, fmt.Errorf("the original of %q has no text", o.Name)
		}
		if slices.ContainsFunc(s.Originals[:i], func(p configs.Sealed) bool { return same(p.Name) }) {
			return nil, fmt.Errorf("two originals of %q", o.Name)
		}
	}
	return &request{snap: s, doc: describe(s), answer: make(chan answer, 1)}, nil
}

// sameTexts tells whether the version holds exactly these texts, and an artifact
// of each name that has one now: the first one is committed, later ones alone are not.
func (q *request) sameTexts(v configs.Version) bool {
	texts := 0
	for _, f := range q.doc.Files {
		if !slices.ContainsFunc(v.Files, func(g configs.VersionFile) bool { return f.Name == g.Name && f.Digest == g.Digest }) {
			return false
		}
		if !f.Alone() {
			texts++
		}
	}
	for _, f := range v.Files {
		if !f.Alone() {
			texts--
		}
	}
	return texts == 0
}
