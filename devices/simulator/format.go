package simulator

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"golang.org/x/tools/txtar"
)

// Format writes the transcript back. Sections that say the same as when they
// were parsed keep their words, order and comments.
func (t *Transcript) Format() []byte {
	a := &txtar.Archive{}
	if t.Comment != "" {
		a.Comment = []byte(t.Comment + "\n")
	}
	now := t.sections()
	if t.source != nil {
		was, err := Parse(t.Name, txtar.Format(t.source))
		for _, f := range t.source.Files {
			data, ok := now[f.Name]
			if !ok {
				continue
			}
			if err == nil && bytes.Equal(was.sections()[f.Name], data) {
				data = f.Data
			}
			a.Files = append(a.Files, txtar.File{Name: f.Name, Data: data})
			delete(now, f.Name)
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(now), byRank) {
		a.Files = append(a.Files, txtar.File{Name: name, Data: now[name]})
	}
	return txtar.Format(a)
}

// sections are all sections as they would be written anew. A sheet that cannot
// be written is one that could not be read either; check has seen to that.
func (t *Transcript) sections() map[string][]byte {
	out := map[string][]byte{sheetSection: t.writeSheet()}
	if len(t.Greeting) > 0 {
		out[greetingSection] = []byte(encode(t.Greeting))
	}
	for command, answer := range t.Answers {
		out[command] = encodeAnswer(command, answer)
	}
	for command, answer := range t.Again {
		out[againPrefix+command] = encodeAnswer(command, answer)
	}
	for file, text := range t.Kept {
		out[keptPrefix+file] = []byte(encode(Answer{text}))
	}
	if len(t.Gone) > 0 {
		out[goneSection] = []byte(encode(Answer{strings.Join(t.Gone, "\n") + "\n"}))
	}
	return out
}

func (t *Transcript) writeSheet() []byte {
	c := *t
	c.Gates = slices.Clone(t.Gates)
	for i, g := range c.Gates {
		if g.Then != nil {
			then := *g.Then
			c.Gates[i].Then = &then
		}
	}
	if t.Enable != nil {
		enable := *t.Enable
		c.Enable = &enable
	}
	if t.SignIn != nil {
		signIn := *t.SignIn
		c.SignIn = &signIn
	}
	for _, s := range c.strings() {
		*s = picture(*s)
	}
	c.Modes = maps.Clone(t.Modes)
	for command, prompt := range c.Modes {
		c.Modes[command] = picture(prompt)
	}
	data, err := yaml.MarshalWithOptions(&c, yaml.OmitEmpty(), yaml.IndentSequence(true))
	if err != nil {
		return []byte("# " + err.Error() + "\n")
	}
	return data
}

// byRank orders new sections as the format's description does.
func byRank(a, b string) int {
	rank := func(name string) int {
		switch {
		case name == sheetSection:
			return 0
		case name == greetingSection:
			return 1
		case strings.HasPrefix(name, againPrefix):
			return 3
		case strings.HasPrefix(name, keptPrefix):
			return 4
		case name == goneSection:
			return 5
		}
		return 2
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
}
