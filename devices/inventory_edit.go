package devices

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// Append adds devices to the end of an inventory file, all or none; it makes the
// file where there is none. Comments and order stay. What a device leaves empty
// the file's defaults fill. The file on disk is the old one or the new one, never
// a part, and the new one has been read again before it takes the old one's place.
func Append(file string, added ...Device) error {
	if len(added) == 0 {
		return nil
	}
	added = slices.Clone(added)
	for i := range added {
		added[i].Customer = cmp.Or(added[i].Customer, "default")
	}
	return edit(file, "add", added[0], len(added), func(f editable) ([]byte, []Device, error) {
		change := appendYAML
		if f.csv {
			change = appendCSV
		}
		data, err := change(f, added)
		return data, slices.Concat(f.devices, added), err
	})
}

// Rename gives a device of the file another name, customer/name or the name
// alone, and records its first name so that its history goes on.
func Rename(file string, old Device, newName string) error {
	if c, name, ok := strings.Cut(newName, "/"); ok {
		if c != old.Customer {
			return &Error{Kind: Usage, Op: "rename", Device: old.String(), Err: errors.New("a device stays with its customer"),
				Hint: "add it to the other customer as a new device"}
		}
		newName = name
	}
	if err := CheckName(newName); err != nil {
		return &Error{Kind: Usage, Op: "rename", Device: old.String(), Err: err, Hint: "perhaps " + BetterName(newName)}
	}
	return edit(file, "rename", old, 0, func(f editable) ([]byte, []Device, error) {
		i := slices.IndexFunc(f.devices, func(d Device) bool { return d.String() == old.String() })
		if i < 0 {
			return nil, nil, fmt.Errorf("it is not in %s", file)
		}
		wanted := slices.Clone(f.devices)
		if wanted[i].FirstID == "" {
			wanted[i].FirstID = wanted[i].Name
		}
		wanted[i].Name = newName
		change := renameYAML
		if f.csv {
			change = renameCSV
		}
		data, err := change(f, f.devices[i], wanted[i])
		return data, wanted, err
	})
}

// An editable is a file that was read without error; offsets count in data,
// which has no byte order mark.
type editable struct {
	name    string
	csv     bool
	data    []byte
	devices []Device
}

// newline is the line end the file uses.
func (f editable) newline() string {
	if bytes.Contains(f.data, []byte("\r\n")) {
		return "\r\n"
	}
	return "\n"
}

// edit replaces the file by what change makes of it, once that reads as change
// says it must; the last of its devices, as many as added, are new. Where change
// gives no devices back the file stays as it is.
func edit(file, op string, d Device, added int, change func(editable) ([]byte, []Device, error)) error {
	wrap := func(err error, hint string) error {
		return &Error{Kind: Usage, Op: op, Device: d.String(), Hint: hint, Err: err}
	}
	path, err := filepath.EvalSymlinks(file)
	if errors.Is(err, fs.ErrNotExist) && added > 0 {
		path, err = file, nil
	}
	if err != nil {
		return wrap(err, "")
	}
	before, mode, err := current(path)
	if err != nil {
		return wrap(err, "")
	}
	mark := byteOrderMark()[:len(before)-len(bytes.TrimPrefix(before, byteOrderMark()))]
	f := editable{name: filepath.Base(file), csv: strings.EqualFold(filepath.Ext(file), ".csv"), data: before[len(mark):]}
	if f.devices, err = devicesIn(f.name, f.data); err != nil {
		return err
	}
	after, wanted, err := change(f)
	if err != nil {
		return wrap(err, "edit "+file+" by hand")
	}
	if wanted == nil {
		return nil
	}
	temporary, err := writeBeside(path, append(slices.Clone(mark), after...), mode)
	if err != nil {
		return &Error{Kind: Broken, Op: op, Device: d.String(), Err: err}
	}
	err = proveEdit(f.name, temporary, wanted, added)
	if err != nil {
		err = wrap(err, "edit "+file+" by hand")
	} else if now, _, readErr := current(path); readErr != nil || !bytes.Equal(now, before) {
		err = wrap(fmt.Errorf("%s changed meanwhile", file), "try again")
	} else if err = os.Rename(temporary, path); err == nil {
		return syncFolder(filepath.Dir(path))
	}
	return errors.Join(err, os.Remove(temporary))
}

// current is what the file holds, nothing where there is none. It may hold a
// proxy's password: a new one is for its owner alone.
func current(path string) ([]byte, fs.FileMode, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0o600, nil
	}
	if err != nil {
		return nil, 0, err
	}
	data, err := os.ReadFile(path)
	return data, info.Mode().Perm(), err
}

func devicesIn(name string, data []byte) ([]Device, error) {
	var r reader
	r.file(name, data)
	inv, err := r.inventory()
	if err != nil {
		return nil, err
	}
	return inv.Devices, nil
}

// proveEdit reads the temporary file and compares it with what it must hold. The
// added ones, last of wanted, may leave to the defaults what they do not say.
func proveEdit(name, temporary string, wanted []Device, added int) error {
	data, err := os.ReadFile(temporary)
	if err != nil {
		return err
	}
	got, err := devicesIn(name, data)
	if err != nil {
		return err
	}
	if len(got) != len(wanted) {
		return fmt.Errorf("the edited file would hold %d devices, not %d", len(got), len(wanted))
	}
	for i := range got {
		have, want := reflect.ValueOf(got[i]), reflect.ValueOf(wanted[i])
		for k := range have.NumField() {
			field := have.Type().Field(k).Name
			if field == "Where" || (i >= len(got)-added && want.Field(k).IsZero()) {
				continue
			}
			if !reflect.DeepEqual(have.Field(k).Interface(), want.Field(k).Interface()) {
				return fmt.Errorf("in the edited file %s would have another %s than asked for", got[i], strings.ToLower(field))
			}
		}
	}
	return nil
}

// writeBeside writes a file in the folder of path, on disk when it returns.
func writeBeside(path string, data []byte, mode fs.FileMode) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".belay-*"+filepath.Ext(path))
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// A splice puts text in place of data[from:to].
type splice struct {
	from, to int
	text     string
}

func spliced(data []byte, changes ...splice) []byte {
	slices.SortStableFunc(changes, func(a, b splice) int { return a.from - b.from })
	var out []byte
	at := 0
	for _, c := range changes {
		out = append(append(out, data[at:c.from]...), c.text...)
		at = c.to
	}
	return append(out, data[at:]...)
}

// A pair is a field of a device as a file writes it.
type pair struct {
	field  string
	values []string
}

// written are the fields of d that say something, in the order people expect.
func written(d Device) []pair {
	port, legacy := "", ""
	if d.Port != 0 {
		port = fmt.Sprint(d.Port)
	}
	if d.Legacy {
		legacy = "true"
	}
	var pairs []pair
	for _, p := range []pair{
		{"name", []string{d.Name}}, {"customer", []string{d.Customer}}, {"address", []string{d.Address}}, {"port", []string{port}},
		{"driver", []string{d.Driver}}, {"model", []string{d.Model}}, {"site", []string{d.Site}}, {"zone", []string{d.Zone}},
		{"serial", d.Serials}, {"mac", d.MACs}, {"login", []string{d.Login}}, {"jump", d.Jump}, {"proxy", []string{d.Proxy}},
		{"legacy", []string{legacy}}, {"also", d.Also}, {"host_keys", d.HostKeys}, {"id", []string{d.FirstID}},
	} {
		if len(p.values) > 0 && (p.values[0] != "" || (p.field == "driver" && d.Model != "")) {
			pairs = append(pairs, p)
		}
	}
	return pairs
}
