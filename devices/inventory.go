package devices

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// An Inventory is the list of devices, in the order of the files.
type Inventory struct {
	Devices  []Device
	Warnings []string // what is odd but not wrong, each with its position
}

// Load reads YAML (.yaml, .yml) and CSV (.csv) files; names are relative to dir.
// All that is wrong is reported together: each error in the joined one is an
// *Error of Kind Usage and names file, line and column.
func Load(dir string, files []string) (*Inventory, error) {
	var r reader
	for _, name := range files {
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, name)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			r.fault(Position{File: name}, "inventory: in the settings names the files, relative to the settings' folder", "%v", errors.Unwrap(err))
			continue
		}
		r.file(name, data)
	}
	return r.inventory()
}

// file reads one file by the form its name tells.
func (r *reader) file(name string, data []byte) {
	data = bytes.TrimPrefix(data, byteOrderMark())
	if at, ok := notUTF8(data); ok {
		r.fault(Position{name, at.Line, at.Column}, "save it as UTF-8", "not UTF-8 text")
		return
	}
	switch strings.ToLower(filepath.Ext(name)) {
	case ".yaml", ".yml":
		r.yaml(name, data)
	case ".csv":
		r.csv(name, data)
	default:
		r.fault(Position{File: name}, "name it .yaml, .yml or .csv", "not a known form of inventory")
	}
}

// byteOrderMark is what some editors and spreadsheets write before UTF-8.
func byteOrderMark() []byte { return []byte("\xef\xbb\xbf") }

// notUTF8 finds the first byte that is not UTF-8.
func notUTF8(data []byte) (Position, bool) {
	line := 1
	for text := range bytes.Lines(data) {
		for i := 0; i < len(text); {
			c, size := utf8.DecodeRune(text[i:])
			if c == utf8.RuneError && size == 1 {
				return Position{Line: line, Column: i + 1}, true
			}
			i += size
		}
		line++
	}
	return Position{}, false
}

// Find is the device called customer/name, or name where only one customer has
// it. The case of letters does not matter: no two devices differ by case alone.
func (inv *Inventory) Find(name string) (Device, error) {
	var found []Device
	for _, d := range inv.Devices {
		if strings.EqualFold(d.String(), name) || strings.EqualFold(d.Name, name) {
			found = append(found, d)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return Device{}, &Error{Kind: Usage, Op: "find", Device: name, Err: errors.New("no such device in the inventory"), Hint: inv.hint(name)}
	}
	var names []string
	for _, d := range found {
		names = append(names, d.String())
	}
	return Device{}, &Error{Kind: Usage, Op: "find", Device: name, Err: fmt.Errorf("%d devices have this name", len(found)), Hint: "say which: " + strings.Join(names, ", ")}
}

// hint tells what a person may have meant by a name that is not there.
func (inv *Inventory) hint(name string) string {
	var names []string
	for _, d := range inv.Devices {
		if d.FirstID != "" && (strings.EqualFold(string(d.ID()), name) || strings.EqualFold(d.FirstID, name)) {
			return "it has been renamed " + d.String()
		}
		names = append(names, d.String())
	}
	if near := nearest(name, names); len(near) > 0 {
		return "did you mean " + strings.Join(near, ", ") + "?"
	}
	return "belay devices list shows all"
}

// Select chooses by customer and site, both optional: all devices where both are
// empty. A site may be written customer/site; alone it must be one customer's.
// To choose nothing is an error.
func (inv *Inventory) Select(customer, site string) ([]Device, error) {
	chosen := inv.matching(customer, site)
	if len(chosen) == 0 && customer == "" && site != "" {
		if c, s, ok := strings.Cut(site, "/"); ok {
			chosen = inv.matching(c, s)
		}
	}
	if len(chosen) == 0 {
		return nil, &Error{Kind: Usage, Op: "select", Err: inv.nothing(customer, site), Hint: inv.choices(customer, site)}
	}
	if customer == "" && site != "" {
		for _, d := range chosen {
			if d.Customer != chosen[0].Customer {
				return nil, &Error{Kind: Usage, Op: "select", Err: fmt.Errorf("site %q exists at more than one customer", site),
					Hint: fmt.Sprintf("say which: %s or %s", chosen[0].SiteKey(), d.SiteKey())}
			}
		}
	}
	return chosen, nil
}

func (inv *Inventory) matching(customer, site string) []Device {
	var chosen []Device
	for _, d := range inv.Devices {
		if (customer == "" || strings.EqualFold(d.Customer, customer)) && (site == "" || strings.EqualFold(d.Site, site)) {
			chosen = append(chosen, d)
		}
	}
	return chosen
}

func (inv *Inventory) nothing(customer, site string) error {
	switch {
	case len(inv.Devices) == 0:
		return errors.New("the inventory is empty")
	case site != "" && customer != "":
		return fmt.Errorf("no device of customer %q stands at site %q", customer, site)
	case site != "":
		return fmt.Errorf("no device stands at site %q", site)
	default:
		return fmt.Errorf("no device of customer %q", customer)
	}
}

func (inv *Inventory) choices(customer, site string) string {
	if len(inv.Devices) == 0 {
		return "add one: belay devices add"
	}
	want, names := customer, []string(nil)
	for _, d := range inv.Devices {
		if site == "" {
			names = append(names, d.Customer)
		} else if d.Site != "" {
			names = append(names, d.Customer+"/"+d.Site)
		}
	}
	if site != "" {
		want = strings.TrimPrefix(customer+"/"+site, "/")
	}
	if near := nearest(want, names); len(near) > 0 {
		return "did you mean " + strings.Join(near, ", ") + "?"
	}
	return "belay devices list shows all"
}
