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
	"sync"

	"github.com/goccy/go-yaml"

	"belay/devices"
)

//go:embed *.yaml testdata/*.txtar
var builtin embed.FS

// A Catalog is every driver there is: the built-in ones, and those of the user,
// which add to them or replace them. A built-in driver is made when it is first
// asked for: a command is about few of them. It may be used by many at once.
type Catalog struct {
	names   map[string]string // names and aliases, folded, to names
	origins map[string]string // BuiltIn, or the user's folder
	scripts map[string]fs.FS  // where a driver's transcripts are

	mu      sync.Mutex
	built   *shelf
	drivers map[string]*Driver // those that were made
}

// BuiltIn is the origin of our own drivers.
const BuiltIn = "built in"

// A TranscriptFile is a transcript as it is written; the simulator reads it.
type TranscriptFile struct {
	Name string // "cisco_ios-classic.txtar"
	Text []byte
}

// Load names the built-in drivers and reads the user's folder, where dir is not
// empty: *.yaml there, and their transcripts in testdata below it.
func Load(dir string) (*Catalog, error) {
	c := &Catalog{names: map[string]string{}, origins: map[string]string{}, scripts: map[string]fs.FS{}, drivers: map[string]*Driver{}}
	var err error
	if c.built, err = newShelf(builtin, nil); err != nil {
		return nil, &devices.Error{Kind: devices.Broken, Op: "name the built-in drivers", Err: err}
	}
	aliases := map[string][]string{}
	for name := range c.built.files {
		text, err := builtin.ReadFile(name + ".yaml")
		if err != nil {
			return nil, &devices.Error{Kind: devices.Broken, Op: "name the built-in drivers", Err: err}
		}
		c.origins[name], c.scripts[name], aliases[name] = BuiltIn, builtin, aliasesOf(text)
	}
	if dir != "" {
		if err := c.add(dir, aliases); err != nil {
			return nil, &devices.Error{Kind: devices.Usage, Op: "load the drivers in " + dir, Err: err, Hint: "belay drivers show NAME prints a built-in driver to start from"}
		}
	}
	if err := c.index(aliases); err != nil {
		return nil, &devices.Error{Kind: devices.Usage, Op: "name the drivers", Err: err, Hint: "two drivers may not share a name or an alias"}
	}
	return c, nil
}

// add makes the drivers of the user's folder, all of them: what is wrong there is
// told at once.
func (c *Catalog) add(dir string, aliases map[string][]string) error {
	fsys := os.DirFS(dir)
	own, err := newShelf(fsys, c.built)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(own.files)) {
		if _, err := own.spec(name); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...) // a driver that is like one of these would be called wrong, too
	}
	for _, name := range slices.Sorted(maps.Keys(own.files)) {
		d, err := own.driver(name)
		if err == nil {
			var scripts []TranscriptFile
			if scripts, err = transcripts(fsys, name); err == nil && len(scripts) == 0 {
				err = fmt.Errorf("no transcript: want testdata/%s-WHAT.txtar", name)
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s.yaml: %w", name, err))
			continue
		}
		d.Origin = dir
		c.drivers[name], c.origins[name], c.scripts[name], aliases[name] = d, dir, fsys, d.Aliases
	}
	return errors.Join(errs...)
}

// aliasesLine is where a built-in driver lists its other names: on one line, so
// that nothing more need be read of it. A test holds them to that.
var aliasesLine = devices.Pattern(`(?m)^aliases: *\[(.*)\] *$`)

func aliasesOf(text []byte) (names []string) {
	m := aliasesLine().FindSubmatch(text)
	if m == nil {
		return nil
	}
	for _, n := range strings.Split(string(m[1]), ",") {
		names = append(names, strings.Trim(strings.TrimSpace(n), `'"`))
	}
	return names
}

// driver makes the driver of that name, or gives the one that was made. It is
// remembered where it is for a device: all of them together take some 25 MB.
func (c *Catalog) driver(name string, remember bool) (*Driver, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := c.drivers[name]; d != nil {
		return d, nil
	}
	d, err := c.built.driver(name)
	if err != nil {
		return nil, &devices.Error{Kind: devices.Broken, Op: "make the built-in driver " + name, Err: err}
	}
	d.Origin = c.origins[name]
	if remember {
		c.drivers[name] = d
	}
	return d, nil
}

// transcripts reads testdata/DRIVER-WHAT.txtar.
func transcripts(fsys fs.FS, driver string) (found []TranscriptFile, err error) {
	files, err := fs.Glob(fsys, "testdata/"+driver+"-*.txtar")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := fs.ReadFile(fsys, file)
		if err != nil {
			return nil, err
		}
		found = append(found, TranscriptFile{path.Base(file), text})
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

func (c *Catalog) index(aliases map[string][]string) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(aliases)) {
		for _, n := range append([]string{name}, aliases[name]...) {
			if other, taken := c.names[fold(n)]; taken && other != name {
				errs = append(errs, fmt.Errorf("%q names both %s and %s", n, other, name))
			}
			c.names[fold(n)] = name
		}
	}
	return errors.Join(errs...)
}

// Find is the driver of that name or alias.
func (c *Catalog) Find(name string) (*Driver, error) {
	if n, ok := c.names[fold(name)]; ok {
		return c.driver(n, true)
	}
	hint := "belay drivers list shows the systems that can be read"
	if name == "" {
		return nil, &devices.Error{Kind: devices.Usage, Op: "find the driver", Err: errors.New("the inventory names none"), Hint: hint}
	}
	return nil, &devices.Error{Kind: devices.Usage, Op: "find the driver", Err: fmt.Errorf("there is none called %q", name), Hint: hint}
}

// All is every driver, by name. A built-in one that cannot be made is a fault of
// the program, and ends it.
func (c *Catalog) All() []*Driver {
	var all []*Driver
	for _, name := range slices.Sorted(maps.Keys(c.origins)) {
		d, err := c.driver(name, false)
		if err != nil {
			panic(err)
		}
		all = append(all, d)
	}
	return all
}

// Transcripts are those of one driver.
func (c *Catalog) Transcripts(driver string) []TranscriptFile {
	fsys := c.scripts[driver]
	if fsys == nil {
		return nil
	}
	found, err := transcripts(fsys, driver)
	if err != nil {
		return nil // a folder of the user's that was there when it was loaded
	}
	return found
}

// Source is the text of a built-in driver file; ok is false where it is the user's.
func (c *Catalog) Source(name string) (text []byte, ok bool) {
	text, err := builtin.ReadFile(name + ".yaml")
	return text, err == nil && c.origins[name] == BuiltIn
}
