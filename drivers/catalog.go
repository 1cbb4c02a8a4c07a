package drivers

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"belay/devices"
)

//go:embed *.yaml testdata/*.txtar
var builtin embed.FS

// A Catalog is every driver there is: the built-in ones, and those of the user,
// which add to them or replace them.
type Catalog struct {
	drivers map[string]*Driver
	specs   map[string]*spec  // with what they take from others
	names   map[string]string // names and aliases, folded, to names
	scripts map[string][]TranscriptFile
}

// A TranscriptFile is a transcript as it is written; the simulator reads it.
type TranscriptFile struct {
	Name string // "cisco_ios-classic.txtar"
	Text []byte
}

// Load reads the built-in drivers and then the user's folder, where dir is not
// empty: *.yaml there, and their transcripts in testdata below it.
func Load(dir string) (*Catalog, error) {
	c := &Catalog{drivers: map[string]*Driver{}, specs: map[string]*spec{}, names: map[string]string{}, scripts: map[string][]TranscriptFile{}}
	if err := c.add(builtin, "built in"); err != nil {
		return nil, &devices.Error{Kind: devices.Broken, Op: "load the built-in drivers", Err: err}
	}
	if dir != "" {
		if err := c.add(os.DirFS(dir), dir); err != nil {
			return nil, &devices.Error{Kind: devices.Usage, Op: "load the drivers in " + dir, Err: err, Hint: "belay drivers show NAME prints a built-in driver to start from"}
		}
	}
	if err := c.index(); err != nil {
		return nil, &devices.Error{Kind: devices.Usage, Op: "name the drivers", Err: err, Hint: "two drivers may not share a name or an alias"}
	}
	return c, nil
}

func (c *Catalog) add(fsys fs.FS, origin string) error {
	files, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return errors.New("no *.yaml there")
	}
	scripts, err := transcripts(fsys)
	if err != nil {
		return err
	}
	var errs []error
	shelf := shelf{map[string]*spec{}, c.specs}
	for _, file := range files {
		s, err := read(fsys, file)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		shelf.written[strings.TrimSuffix(file, ".yaml")] = s
	}
	if len(errs) > 0 {
		return errors.Join(errs...) // a driver that is like one of these would be called wrong, too
	}
	specs := maps.Clone(c.specs)
	for _, file := range files {
		d, s, err := shelf.driver(strings.TrimSuffix(file, ".yaml"))
		if err == nil && len(scripts[d.Name]) == 0 {
			err = fmt.Errorf("no transcript: want testdata/%s-WHAT.txtar", d.Name)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file, err))
			continue
		}
		d.Origin = origin
		specs[d.Name] = s
		c.drivers[d.Name] = d
		c.scripts[d.Name] = scripts[d.Name]
	}
	c.specs = specs
	return errors.Join(errs...)
}

// driver is the spec of that name with what it takes from others, and what
// became of it.
func (h shelf) driver(name string) (*Driver, *spec, error) {
	s, err := h.complete(name)
	if err != nil {
		return nil, nil, err
	}
	d, err := compile(name, s)
	return d, s, err
}

// transcripts reads testdata/DRIVER-WHAT.txtar, by driver.
func transcripts(fsys fs.FS) (map[string][]TranscriptFile, error) {
	files, err := fs.Glob(fsys, "testdata/*.txtar")
	if err != nil {
		return nil, err
	}
	found := map[string][]TranscriptFile{}
	for _, file := range files {
		text, err := fs.ReadFile(fsys, file)
		if err != nil {
			return nil, err
		}
		name := path.Base(file)
		driver, _, _ := strings.Cut(strings.TrimSuffix(name, ".txtar"), "-")
		found[driver] = append(found[driver], TranscriptFile{name, text})
	}
	return found, nil
}

// read loads one driver file; unknown keys are refused with line and column.
func read(fsys fs.FS, file string) (*spec, error) {
	text, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, err
	}
	var s spec
	if err := yaml.UnmarshalWithOptions(text, &s, yaml.Strict()); err != nil {
		at, message := file, err.Error()
		if e, ok := errors.AsType[yaml.Error](err); ok {
			message = e.GetMessage()
			if tk := e.GetToken(); tk != nil && tk.Position != nil {
				at = fmt.Sprintf("%s:%d:%d", file, tk.Position.Line, tk.Position.Column)
			}
		}
		return nil, fmt.Errorf("%s: %s", at, message)
	}
	return &s, nil
}

// fold makes names of one system equal however they are written.
func fold(name string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "", ".", "").Replace(strings.ToLower(name))
}

func (c *Catalog) index() error {
	var errs []error
	for _, d := range c.All() {
		for _, n := range append([]string{d.Name}, d.Aliases...) {
			if other, taken := c.names[fold(n)]; taken && other != d.Name {
				errs = append(errs, fmt.Errorf("%q names both %s and %s", n, other, d.Name))
			}
			c.names[fold(n)] = d.Name
		}
	}
	return errors.Join(errs...)
}

// Find is the driver of that name or alias.
func (c *Catalog) Find(name string) (*Driver, error) {
	if n, ok := c.names[fold(name)]; ok {
		return c.drivers[n], nil
	}
	hint := "belay drivers list shows the systems that can be read"
	if name == "" {
		return nil, &devices.Error{Kind: devices.Usage, Op: "find the driver", Err: errors.New("the inventory names none"), Hint: hint}
	}
	return nil, &devices.Error{Kind: devices.Usage, Op: "find the driver", Err: fmt.Errorf("there is none called %q", name), Hint: hint}
}

// All is every driver, by name.
func (c *Catalog) All() []*Driver {
	var all []*Driver
	for _, d := range c.drivers {
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b *Driver) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Transcripts are those of one driver.
func (c *Catalog) Transcripts(driver string) []TranscriptFile { return c.scripts[driver] }

// Source is the text of a built-in driver file; ok is false where it is the user's.
func (c *Catalog) Source(name string) (text []byte, ok bool) {
	text, err := builtin.ReadFile(name + ".yaml")
	return text, err == nil && c.drivers[name] != nil && c.drivers[name].Origin == "built in"
}
