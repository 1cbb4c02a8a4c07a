package drivers

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"belay/configs"
	"belay/devices"
)

// An Exported file is one that a person took off a device by hand: its own
// backup, or its running configuration pasted into a file.
type Exported struct {
	Name string // as the person has it; with several it says which is which
	Raw  []byte
}

// byHand is what a copy lacks that Belay has not read itself.
const byHand = "exported by hand: Belay has not read it from the device"

// Import makes a capture of exported files, by the rules of a driver and as if
// the device had answered with them. Who says that they are this device's is the
// caller's to add: a configuration file often names no serial number. What is
// empty, binary or another system's is left to the checks.
func (c *Catalog) Import(driver string, dev devices.Device, files []Exported, now time.Time) (configs.Capture, error) {
	wrong := func(err error, hint string) (configs.Capture, error) {
		return configs.Capture{}, &devices.Error{Kind: devices.Usage, Op: "import for", Device: dev.String(), Hint: hint, Err: err}
	}
	d, err := c.Find(driver)
	if err != nil {
		return wrong(err, "")
	}
	named, err := d.nameExported(files)
	if err != nil {
		return wrong(err, "give "+d.takes())
	}
	capture := configs.Capture{Device: dev, Driver: d.Name, Rules: d.Rules, Missing: []string{byHand}, Began: now}
	var said [][]byte
	for _, s := range d.steps {
		if s.keep == "" {
			continue
		}
		f, given := named[s.keep]
		if !given {
			if s.optional || s.when != nil || s.also != "" {
				continue // many devices have none
			}
			capture.Missing = append(capture.Missing, s.keep+" was not among what was exported")
			continue
		}
		if len(f.Raw) > maxAnswer {
			return wrong(fmt.Errorf("%s holds more than %d MB", f.base(), maxAnswer>>20), "give the configuration alone")
		}
		if s.sealed {
			capture.Files = append(capture.Files, configs.File{Name: s.keep, Raw: f.Raw, Complete: s.complete, Sealed: true})
			continue
		}
		if wide(f.Raw) {
			return wrong(fmt.Errorf("%s is UTF-16 text", f.base()), "save it as UTF-8 (Notepad: Save as, Encoding; PowerShell: Out-File -Encoding utf8) and import that")
		}
		if bytes.IndexByte(f.Raw, 0) >= 0 {
			capture.Faults = append(capture.Faults, f.base()+" holds NUL bytes: it is no text")
		}
		file := configs.File{Name: s.keep, Raw: f.Raw, Complete: s.complete, Saved: s.saved, Text: configs.Plain(bytes.TrimPrefix(f.Raw, []byte("\xef\xbb\xbf")))}
		// Once more without the head: a banner may quote a prompt and a command, and
		// what is taken off by mistake would be missing.
		for _, head := range []bool{true, false} {
			if bare := d.unpasted(file.Text, s.run, head); len(bare) < len(file.Text) && d.passes(file.Name, bare) {
				file.Text = bare
				break
			}
		}
		capture.Files = append(capture.Files, file)
		said = append(said, file.Text)
		if other := c.betterFor(d, file); other != nil {
			capture.Faults = append(capture.Faults, fmt.Sprintf("it is a text of %s (driver %s)", other.Title, other.Name))
		}
	}
	if d.Unknown {
		capture.Warnings = append(capture.Warnings, "how a text of this system looks is not published, so nothing tells that this is one: look at it")
	}
	if d.Rules.Complete.Agree > 1 {
		capture.Warnings = append(capture.Warnings, "a text of this system cannot be told from one that was cut short, and there is no second reading to compare it with: look at its end")
	}
	capture.Identity = d.identity(said)
	return capture, nil
}

// betterFor is another system that a text is of by that system's own marks,
// where the driver knows none: nil where it knows them, or no other does.
func (c *Catalog) betterFor(d *Driver, f configs.File) *Driver {
	if !d.Unknown || f.Name != configs.MainFile {
		return nil
	}
	for _, other := range c.All() {
		if !other.Unknown && other.passes(f.Name, f.Text) {
			return other
		}
	}
	return nil
}

func (f Exported) base() string { return filepath.Base(f.Name) }

// keeps are the names of a driver's texts.
func (d *Driver) keeps() []string {
	var names []string
	for _, s := range d.steps {
		if s.keep != "" {
			names = append(names, s.keep)
		}
	}
	return names
}

// takes says what can be imported, for people.
func (d *Driver) takes() string {
	names := d.keeps()
	if len(names) == 1 {
		return "one file, whatever its name: " + d.Name + " has no others"
	}
	return "one file, or several named " + strings.Join(names, ", ")
}

// nameExported puts files by the names of the driver's texts. One alone is the
// configuration, whatever it is called.
func (d *Driver) nameExported(files []Exported) (map[string]Exported, error) {
	if len(files) == 0 {
		return nil, errors.New("no file is given")
	}
	if len(files) == 1 {
		return map[string]Exported{configs.MainFile: files[0]}, nil
	}
	named := map[string]Exported{}
	for _, f := range files {
		if !slices.Contains(d.keeps(), f.base()) {
			return nil, fmt.Errorf("%d files are given, and %s has no text called %q", len(files), d.Name, f.base())
		}
		if _, twice := named[f.base()]; twice {
			return nil, fmt.Errorf("%s is given twice", f.base())
		}
		named[f.base()] = f
	}
	if _, main := named[configs.MainFile]; !main {
		return nil, fmt.Errorf("%s is not among them", configs.MainFile)
	}
	return named, nil
}

// wide tells UTF-16 by its mark, or by the zeros that every second byte of such
// a text begins with.
func wide(raw []byte) bool {
	if bytes.HasPrefix(raw, []byte("\xff\xfe")) || bytes.HasPrefix(raw, []byte("\xfe\xff")) {
		return true
	}
	var zeros [2]int
	head := raw[:min(len(raw), 64)]
	for i, c := range head {
		if c == 0 {
			zeros[i%2]++
		}
	}
	most, least := max(zeros[0], zeros[1]), min(zeros[0], zeros[1])
	return len(head) >= 8 && least == 0 && most >= len(head)/2-1
}

// unpasted takes off what stands around a configuration that was copied from a
// terminal: the prompt with the command above it, if head says so, and the prompts
// below, which must be the same one. Only the first lines are looked at for the
// command, and only with the prompt before it.
func (d *Driver) unpasted(text []byte, commands []string, head bool) []byte {
	if d.prompt == nil {
		return text
	}
	const far = 8 // lines with something on them
	prompt := ""
	at, seen := 0, 0
	for line := range bytes.Lines(text) {
		at += len(line)
		bare := strings.TrimSpace(string(line))
		if bare == "" {
			continue
		}
		if seen++; seen > far {
			break
		}
		if p := d.echoed(bare, commands); p != "" {
			if prompt = p; head {
				text = text[at:]
			}
			break
		}
	}
	for {
		rest := bytes.TrimRight(text, " \t\n")
		start := bytes.LastIndexByte(rest, '\n') + 1
		last := strings.TrimSpace(string(rest[start:]))
		if last == "" || prompt != "" && !strings.HasPrefix(last, prompt) || prompt == "" && !matchLine(d.prompt, last) {
			return text
		}
		text = text[:start]
	}
}

// passes tells whether a text is whole, as far as its system shows that.
func (d *Driver) passes(name string, text []byte) bool {
	if name != configs.MainFile {
		return len(bytes.TrimSpace(text)) > 0
	}
	checks := configs.Capture{Rules: d.Rules, Files: []configs.File{{Name: name, Raw: text, Text: text}}}.Check()
	return !slices.ContainsFunc(checks, func(c configs.Check) bool { return !c.OK })
}

// echoed is the prompt of a line that is a prompt with one of the commands
// behind it, in full or as people shorten it: "sw-1#sh run".
func (d *Driver) echoed(line string, commands []string) string {
	for i := range len(line) {
		prompt := line[:i+1]
		if !strings.ContainsRune("#>$%]", rune(line[i])) || !matchLine(d.prompt, prompt) {
			continue
		}
		if slices.ContainsFunc(commands, func(c string) bool { return shortFor(line[i+1:], c) }) {
			return prompt
		}
	}
	return ""
}

// shortFor tells whether each word begins one of the command's, in order.
func shortFor(typed, command string) bool {
	short, full := strings.Fields(typed), strings.Fields(command)
	if len(short) != len(full) {
		return false
	}
	for i := range short {
		if !strings.HasPrefix(full[i], short[i]) {
			return false
		}
	}
	return true
}
