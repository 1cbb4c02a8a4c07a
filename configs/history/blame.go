package history

import (
	"context"
	"strings"

	"belay/configs"
	"belay/configs/diff"
	"belay/configs/redact"
	"belay/devices"
)

// A Line is one line of a text and the version that brought it.
type Line struct {
	Version configs.Version
	Text    string // without its end
}

// Blame tells of each line of a file of version v which version brought it. The
// devices before are those in whose place this one came, the newest first: a line
// that was theirs stays theirs.
func (h *History) Blame(ctx context.Context, v configs.Version, file string, before ...devices.ID) ([]Line, error) {
	text, err := h.file(ctx, v, file)
	if err != nil || text == nil {
		return nil, err
	}
	b := blame{history: h, file: file, version: v, text: *text}
	content := text.String()
	for line := range strings.Lines(content) {
		b.open = append(b.open, open{len(b.lines), len(b.lines)})
		b.lines = append(b.lines, Line{Text: strings.TrimSuffix(line, "\n")})
	}
	after := true // until v is met
	for _, id := range append([]devices.ID{v.ID}, before...) {
		for u, err := range h.Versions(ctx, id) {
			if err != nil {
				return nil, err
			}
			if after {
				after = u.ID != v.ID || u.Commit != v.Commit
				continue
			}
			if done, err := b.step(ctx, u); err != nil || done {
				return b.lines, err
			}
		}
	}
	b.settle(func(int) bool { return true })
	return b.lines, nil
}

// A blame goes back through versions with the lines whose origin is not known.
type blame struct {
	history *History
	file    string
	lines   []Line
	open    []open
	version configs.Version // which has all open lines
	text    redact.Clean
}

// An open line is looked for: it is line at of the blame's version.
type open struct{ line, at int }

// step goes back to version u, and tells whether all lines are known.
func (b *blame) step(ctx context.Context, u configs.Version) (done bool, err error) {
	if digest := digestOf(u, b.file); digest == "" || digest != b.text.Digest() {
		text, err := b.history.file(ctx, u, b.file)
		if err != nil {
			return false, err
		}
		if text == nil { // there was no such file
			b.settle(func(int) bool { return true })
			return true, nil
		}
		kept := diff.Kept(*text, b.text)
		b.settle(func(at int) bool { return kept[at] < 0 })
		for i := range b.open {
			b.open[i].at = kept[b.open[i].at]
		}
		b.text = *text
	}
	b.version = u
	return len(b.open) == 0, nil
}

// settle says of the open lines that are new in the version that it brought them.
func (b *blame) settle(isNew func(at int) bool) {
	still := b.open[:0]
	for _, o := range b.open {
		if isNew(o.at) {
			b.lines[o.line].Version = b.version
		} else {
			still = append(still, o)
		}
	}
	b.open = still
}

// file reads one file of a version, nil where it has none of that name.
func (h *History) file(ctx context.Context, v configs.Version, name string) (*redact.Clean, error) {
	texts, err := h.Repository.Texts(ctx, v)
	if err != nil {
		return nil, err
	}
	for _, t := range texts {
		if t.Name == name {
			return &t.Clean, nil
		}
	}
	return nil, nil
}

func digestOf(v configs.Version, file string) string {
	for _, f := range v.Files {
		if f.Name == file {
			return f.Digest
		}
	}
	return ""
}
