package simulator

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// A Fault is what a device does wrong, to order. The zero Fault is a device
// that does nothing wrong; several may be set at once. Whatever looks like
// chance depends on Seed alone.
//
// Faults of the configuration concern the commands of
// Transcript.Configurations and nothing else. Lines and bytes are counted in
// the decoded text ("\n" for each line end), pager and all.
type Fault struct {
	Reading int `fault:"reading"` // faults of the configuration only at this reading of it, from 1; 0: at each

	CutLine      int    `fault:"cut-line"`      // the configuration ends after so many lines, then a clean prompt
	CutByte      int    `fault:"cut-byte"`      // the same after so many bytes; the prompt still has a line of its own
	Error        string `fault:"error"`         // said instead of the configuration
	Empty        bool   `fault:"empty"`         // nothing instead of the configuration
	Lookalike    string `fault:"lookalike"`     // a line in the middle of the configuration; "prompt" is the prompt itself, "similar" one much like it
	Reset        bool   `fault:"reset"`         // the connection is reset within the configuration, after After bytes
	CloseChannel bool   `fault:"close-channel"` // the same for the channel alone
	Silence      bool   `fault:"silence"`       // nothing comes any more after After bytes
	After        int    `fault:"after"`         // 0: half of the configuration

	Segment    int           `fault:"segment"`     // bytes per write; 0: all at once
	SplitAfter string        `fault:"split-after"` // a write ends after each of these bytes
	Pause      time.Duration `fault:"pause"`       // waited after the lookalike, which ends a write in any case
	PageLines  int           `fault:"page-lines"`  // the pager is on in a shell: a key every so many lines
	EchoTwice  bool          `fault:"echo-twice"`  // a command stands there a second time, on a line of its own
	ANSI       bool          `fault:"ansi"`        // command and prompt are redrawn, everything is colored and wiped
	Noise      bool          `fault:"noise"`       // NUL anywhere and CR before line ends, in a shell
	Seed       uint64        `fault:"seed"`        // of Noise

	Status    int  `fault:"status"`     // an API answers with this status instead of the configuration
	LoginPage bool `fault:"login-page"` // an API answers with a web page instead
	Busy      int  `fault:"busy"`       // an API asks so many times to come again later
	Expire    int  `fault:"expire"`     // an API forgets the session after so many requests
	OpenEnded bool `fault:"open-ended"` // an API does not say how long the configuration is

	Transfer string `fault:"transfer"` // of a file sent on request: failed, nothing (it calls it done), twice or misnamed

	WrongBox       bool `fault:"wrong-box"`   // other serials and another hostname wherever they stand
	BytesPerSecond int  `fault:"bytes"`       // a slow line; 0: as fast as can be
	Tarpit         bool `fault:"tarpit"`      // connects and says nothing
	RefuseLogin    bool `fault:"refuse"`      // no login is good
	RefuseTCP      bool `fault:"unreachable"` // nobody listens
}

// ParseFault reads faults as they are written on a command line: names from
// the field tags above, joined by commas, such as
// "cut-line=12,reading=2,segment=7". Error without a value is
// "% Authorization failed."; the other texts cannot hold a comma.
func ParseFault(s string) (Fault, error) {
	var f Fault
	for word := range strings.SplitSeq(s, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		name, value, given := strings.Cut(word, "=")
		field, ok := f.field(name)
		if !ok {
			return Fault{}, fmt.Errorf("fault %q: no such fault; there are %s", name, strings.Join(faultNames(), ", "))
		}
		if err := setField(field, name, value, given); err != nil {
			return Fault{}, fmt.Errorf("fault %q: %w", name, err)
		}
	}
	return f, nil
}

func setField(field reflect.Value, name, value string, given bool) (err error) {
	switch p := field.Addr().Interface().(type) {
	case *bool:
		if *p = true; given {
			*p, err = strconv.ParseBool(value)
		}
	case *int:
		if *p, err = strconv.Atoi(value); err == nil && *p < 0 {
			err = fmt.Errorf("%d is less than nothing", *p)
		}
	case *uint64:
		*p, err = strconv.ParseUint(value, 10, 64)
	case *time.Duration:
		*p, err = time.ParseDuration(value)
	case *string:
		switch {
		case given && value != "":
			*p = value
		case name == "error":
			*p = "% Authorization failed."
		case name == "lookalike":
			*p = exactPrompt
		default:
			err = fmt.Errorf("a text is missing")
		}
	}
	return err
}

// String writes the fault as ParseFault reads it; "" for none.
func (f Fault) String() string {
	var words []string
	v := reflect.ValueOf(f)
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("fault")
		switch field := v.Field(i); {
		case field.IsZero():
		case field.Kind() == reflect.Bool:
			words = append(words, name)
		default:
			words = append(words, fmt.Sprintf("%s=%v", name, field.Interface()))
		}
	}
	return strings.Join(words, ",")
}

func (f *Fault) field(name string) (reflect.Value, bool) {
	v := reflect.ValueOf(f).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("fault") == name {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

func faultNames() []string {
	var names []string
	for field := range reflect.TypeFor[Fault]().Fields() {
		names = append(names, field.Tag.Get("fault"))
	}
	return names
}

// Values of Fault.Lookalike that stand for a line made of the device's own prompt.
const (
	exactPrompt   = "prompt"
	similarPrompt = "similar"
)

// lookalike is the line that Lookalike orders, without its line end.
func (f Fault) lookalike(t *Transcript) string {
	switch f.Lookalike {
	case exactPrompt:
		return t.Prompt
	case similarPrompt:
		host := t.Facts.Hostname
		if host == "" || !strings.Contains(t.Prompt, host) {
			return "x" + t.Prompt
		}
		return strings.Replace(t.Prompt, host, otherName(host), 1)
	}
	return f.Lookalike
}

// An ending is how an answer ends.
type ending uint8

const (
	promptly ending = iota // with the prompt, as it should
	reset
	closed
	silence
)

// spoil does to a configuration what was ordered.
func (f Fault) spoil(a Answer, t *Transcript, reading int) (Answer, ending) {
	if f.Reading != 0 && f.Reading != reading {
		return a, promptly
	}
	if line := f.lookalike(t); line != "" {
		a = a.insert(a.middle(), line+"\n")
	}
	size := len(a.Text())
	switch {
	case f.Empty:
		return Answer{""}, promptly
	case f.Error != "":
		return Answer{strings.TrimSuffix(f.Error, "\n") + "\n"}, promptly
	case f.CutLine > 0:
		return f.cut(a, a.afterLine(f.CutLine)), promptly
	case f.CutByte > 0:
		return f.cut(a, f.CutByte), promptly
	}
	after := f.After
	if after == 0 {
		after = size / 2
	}
	switch {
	case f.Reset:
		return a.head(after), reset
	case f.CloseChannel:
		return a.head(after), closed
	case f.Silence:
		return a.head(after), silence
	}
	return a, promptly
}

// cut ends an answer after n bytes, on a line end.
func (f Fault) cut(a Answer, n int) Answer {
	if n >= len(a.Text()) {
		return a
	}
	a = a.head(n)
	if text := a.Text(); text != "" && !strings.HasSuffix(text, "\n") {
		a[len(a)-1] += "\n"
	}
	return a
}
