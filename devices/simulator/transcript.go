// Package simulator makes a device out of a transcript: what one device said,
// in a text file. It plays that device in memory, over real SSH and over real
// SNMP, and does wrong what it is ordered to do wrong, the same at every run.
//
// The format is described for people in drivers/README.md; this package owns
// its parser. Beyond what stands there:
//
//   - every control character may be written as its picture (U+2400 to U+2421),
//     and ␠ is a blank, for a line that would otherwise look like the name of a
//     section (-- so --); pictures count in the strings of device.yaml too;
//   - again/greeting is the greeting of the second reading;
//   - sign_in: {user, password, denied, echo, tries} asks in the shell who is there; SSH
//     then lets everybody in, and hangs up after three wrong answers;
//   - a section named by a prompt and a command, "asa1/ctx1# show version", is the
//     answer at that prompt alone (modes says which command leads there);
//   - a gate's then is what the device prints when it has its key, by default a
//     new line; a gate without want takes any key;
//   - config names the commands that show a configuration, by default the one
//     with the longest answer: faults of the configuration are for those only,
//     and an unprivileged session is not given them;
//   - transfer says which objects an SNMP Set makes the device send the section
//     "transfer" with, and how it tells of it: see Transfer;
//   - a section named "file /path" is a file that can be fetched by SFTP and SCP
//     (files: sftp, or scp, where only one of them does); "again/file /path" is
//     the file later. It is sent byte for byte; a first line "base64:" says that
//     what follows is the file's bytes in base64. Where config names it the faults
//     concern it: its size is announced as if nothing were wrong;
//   - snmp values are integers, strings, or strings with net-snmp's names of
//     types ("TimeTicks: 123", "OID: .1.3.6", "Gauge32: 5", "Hex-STRING: 00 1a").
//
// It knows no driver and no configuration.
package simulator

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"golang.org/x/tools/txtar"

	"belay/devices"
)

// A Transcript is what one device says. Its texts are decoded: control
// characters are themselves, and "\n" stands for the device's Newline.
type Transcript struct {
	Name    string `yaml:"-"` // file name, for errors
	Comment string `yaml:"-"` // where it comes from

	Driver     string            `yaml:"driver"`
	Facts      devices.Identity  `yaml:"facts"`
	Grade      string            `yaml:"grade"`
	Login      Login             `yaml:"login"`
	Prompt     string            `yaml:"prompt"`      // empty: there is no shell, only exec channels
	UserPrompt string            `yaml:"user_prompt"` // of a session that is not privileged; empty: all are
	Enable     *Enable           `yaml:"enable"`
	SignIn     *SignIn           `yaml:"sign_in"`  // asked in the shell itself: then SSH lets everybody in
	Gates      []Gate            `yaml:"gates"`    // between login and prompt
	Newline    string            `yaml:"newline"`  // empty: "\r\n", or "\n" without a shell
	Unknown    string            `yaml:"unknown"`  // said to any other command
	Echo       string            `yaml:"echo"`     // char (also when empty), line or none
	Exec       bool              `yaml:"exec"`     // has exec channels; so has every device without a prompt
	Silent     []string          `yaml:"silent"`   // commands answered by nothing but the prompt
	Modes      map[string]string `yaml:"modes"`    // commands that change the prompt, and to what
	More       More              `yaml:"more"`     // for Fault.PageLines
	Files      string            `yaml:"files"`    // how its files are fetched: sftp or scp; empty: both
	Config     []string          `yaml:"config"`   // commands that show a configuration; empty: that with the longest answer
	HTTP       *Web              `yaml:"http"`     // it has an API
	Transfer   *Transfer         `yaml:"transfer"` // it sends its configuration when told to by SNMP
	SNMP       map[string]any    `yaml:"snmp"`     // by object identifier with a leading dot

	Greeting Answer            `yaml:"-"` // before the gates and the first prompt
	Answers  map[string]Answer `yaml:"-"` // by command
	Again    map[string]Answer `yaml:"-"` // the same device later; "greeting" is its greeting
	Kept     map[string]string `yaml:"-"` // by file name: what must be kept
	Gone     []string          `yaml:"-"` // what must not survive

	source *txtar.Archive // as it was parsed, so that Format keeps the hand that wrote it
}

// A Login is what the device lets in. These are canaries, never true secrets.
type Login struct {
	User     string `yaml:"user"`
	Password string `yaml:"password"`
	Enable   string `yaml:"enable"` // empty: Password
}

// An Enable is how a session becomes privileged.
type Enable struct {
	Run    string `yaml:"run"`
	Ask    string `yaml:"ask"`    // empty: no question
	Denied string `yaml:"denied"` // said to a wrong secret; empty: "% Access denied\n"
}

// A SignIn is how the device asks in its shell who is there, after the greeting.
type SignIn struct {
	User     string `yaml:"user"` // empty: it asks for a password only
	Password string `yaml:"password"`
	Denied   string `yaml:"denied"` // said to a wrong one; empty: "% Login invalid\n"
	Echo     bool   `yaml:"echo"`   // shows the password
	Tries    int    `yaml:"tries"`  // before it hangs up; 0: 3
}

// A Gate stands between login and prompt.
type Gate struct {
	Say  string  `yaml:"say"`
	Want string  `yaml:"want"` // keys it waits for, "\n" for Enter; empty: any key
	Then *string `yaml:"then"` // printed when it has them; nil: "\n"
}

// A More is a pager's question and what wipes it off the screen.
type More struct {
	Say   string `yaml:"say"`
	Erase string `yaml:"erase"`
}

// Names of sections that are no commands.
const (
	sheetSection    = "device.yaml"
	greetingSection = "greeting"
	goneSection     = "gone"
	againPrefix     = "again/"
	keptPrefix      = "kept/"
	filePrefix      = "file "
)

// Parse reads a transcript. Errors name the file, the section and, within
// device.yaml, line and column; they show nothing of the text.
func Parse(name string, data []byte) (*Transcript, error) {
	a := txtar.Parse(data)
	t := &Transcript{
		Name:    name,
		Comment: strings.TrimSuffix(string(a.Comment), "\n"),
		Answers: map[string]Answer{},
		Again:   map[string]Answer{},
		Kept:    map[string]string{},
		source:  a,
	}
	seen := map[string]bool{}
	for _, f := range a.Files {
		if seen[f.Name] {
			return nil, fmt.Errorf("%s: %s: stands there twice", name, f.Name)
		}
		seen[f.Name] = true
		if err := t.section(f.Name, f.Data); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", name, f.Name, err)
		}
	}
	if !seen[sheetSection] {
		return nil, fmt.Errorf("%s: %s: is missing", name, sheetSection)
	}
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("%s: %s: %w", name, sheetSection, err)
	}
	for command := range t.Again {
		if _, ok := t.Answers[command]; !ok && command != greetingSection {
			return nil, fmt.Errorf("%s: %s%s: there is no first answer to that command", name, againPrefix, command)
		}
	}
	return t, nil
}

func (t *Transcript) section(name string, data []byte) error {
	if name == sheetSection {
		return t.sheet(data)
	}
	answer, err := decode(string(data))
	if err != nil {
		return err
	}
	command, again := strings.CutPrefix(name, againPrefix)
	file, kept := strings.CutPrefix(name, keptPrefix)
	switch {
	case name == greetingSection:
		t.Greeting = answer
	case strings.HasPrefix(strings.TrimPrefix(name, againPrefix), filePrefix):
		if answer, err = decodeFile(data, answer); err != nil {
			return err
		}
		if again {
			t.Again[command] = answer
		} else {
			t.Answers[name] = answer
		}
	case again:
		t.Again[command] = answer
	case kept && len(answer) > 1:
		return errors.New("a kept text waits for no key (␅)")
	case kept:
		t.Kept[file] = answer.Text()
	case name == goneSection:
		for line := range strings.Lines(answer.Text()) {
			if line = strings.TrimSuffix(line, "\n"); line != "" {
				t.Gone = append(t.Gone, line)
			}
		}
	default:
		t.Answers[name] = answer
	}
	return nil
}

func (t *Transcript) sheet(data []byte) error {
	file, err := parser.ParseBytes(data, 0)
	if err == nil && len(file.Docs) == 1 && file.Docs[0].Body != nil {
		ast.Walk(asWritten{}, file.Docs[0].Body)
		err = yaml.NodeToValue(file.Docs[0].Body, t, yaml.Strict())
	}
	if err != nil {
		// Not err itself: it would show the lines around, the login's too.
		return errors.New(yaml.FormatError(err, false, false))
	}
	for _, s := range t.strings() {
		answer, err := decode(*s)
		if err != nil {
			return err
		}
		*s = answer.Text()
	}
	modes := map[string]string{}
	for command, prompt := range t.Modes {
		answer, err := decode(prompt)
		if err != nil {
			return err
		}
		modes[command] = answer.Text()
	}
	if t.Modes != nil {
		t.Modes = modes
	}
	oids := map[string]any{}
	for oid, value := range t.SNMP {
		oids["."+strings.TrimPrefix(oid, ".")] = value
	}
	if t.SNMP != nil {
		t.SNMP = oids
	}
	return nil
}

// asWritten turns numbers into strings, but for snmp values: version 7.10 is
// not 7.1, and serial 007 is not 7.
type asWritten struct{}

func (v asWritten) Visit(node ast.Node) ast.Visitor {
	text := func(n ast.Node) ast.Node {
		switch n.(type) {
		case *ast.IntegerNode, *ast.FloatNode:
			return ast.String(n.GetToken())
		}
		return n
	}
	switch n := node.(type) {
	case *ast.MappingValueNode:
		if key := n.Key.GetToken().Value; key == "snmp" || key == "transfer" {
			return nil
		}
		n.Value = text(n.Value)
	case *ast.SequenceNode:
		for i, value := range n.Values {
			n.Values[i] = text(value)
		}
	}
	return v
}

// strings are those of device.yaml in which pictures count.
func (t *Transcript) strings() []*string {
	all := []*string{&t.Prompt, &t.UserPrompt, &t.Newline, &t.Unknown, &t.More.Say, &t.More.Erase}
	if t.Enable != nil {
		all = append(all, &t.Enable.Ask, &t.Enable.Denied)
	}
	if t.SignIn != nil {
		all = append(all, &t.SignIn.User, &t.SignIn.Password, &t.SignIn.Denied)
	}
	for i := range t.Gates {
		all = append(all, &t.Gates[i].Say, &t.Gates[i].Want)
		if t.Gates[i].Then != nil {
			all = append(all, t.Gates[i].Then)
		}
	}
	return all
}

func (t *Transcript) check() error {
	switch {
	case t.Driver == "":
		return errors.New("driver is missing")
	case t.Echo != "" && t.Echo != "char" && t.Echo != "line" && t.Echo != "none":
		return fmt.Errorf("echo is char, line or none, not %q", t.Echo)
	case t.Files != "" && t.Files != "sftp" && t.Files != "scp":
		return fmt.Errorf("files is sftp or scp, not %q", t.Files)
	case t.UserPrompt != "" && (t.Enable == nil || t.Enable.Run == ""):
		return errors.New("user_prompt without enable: there is no way to the prompt")
	case t.SignIn != nil && t.SignIn.Password == "":
		return errors.New("sign_in: password is missing: what it asks for one with")
	}
	for _, command := range t.Config {
		if _, ok := t.Answers[command]; !ok {
			return fmt.Errorf("config: there is no answer to %q", command)
		}
	}
	_, err := t.objects()
	return err
}

// Configurations are the commands that show a configuration: those that config
// names, or else the one with the longest answer.
func (t *Transcript) Configurations() []string {
	if len(t.Config) > 0 {
		return slices.Clone(t.Config)
	}
	longest, size := "", 0
	for _, command := range slices.Sorted(maps.Keys(t.Answers)) {
		if n := len(t.Answers[command].Text()); n > size {
			longest, size = command, n
		}
	}
	if longest == "" {
		return nil
	}
	return []string{longest}
}

// HasExec tells whether commands may be run on channels of their own.
func (t *Transcript) HasExec() bool { return t.Exec || t.Prompt == "" }

// newline is what "\n" becomes on its way to the client.
func (t *Transcript) newline() string {
	switch {
	case t.Newline != "":
		return t.Newline
	case t.Prompt == "":
		return "\n"
	}
	return "\r\n"
}
