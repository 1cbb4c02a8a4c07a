package folder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"belay/configs"
	"belay/devices"
)

// open opens the root, through which alone everything else is reached: no name
// and no link leads out of it.
func (f *Folder) open(ctx context.Context, a act) (*os.Root, error) {
	if err := ctx.Err(); err != nil {
		return nil, a.failed(f.path, err)
	}
	root, err := f.enter(f.path)
	if err == nil {
		return root, nil
	}
	i, statErr := os.Stat(f.path)
	switch {
	case errors.Is(err, os.ErrPermission):
		return nil, a.failed(f.path, err)
	case statErr == nil && !i.IsDir():
		return nil, a.declined(configs.Invalid, fmt.Errorf("%s is no folder", f.path), "set path: to a folder")
	case errors.Is(err, os.ErrNotExist):
		return nil, a.declined(configs.Busy, fmt.Errorf("there is no folder %s", f.path), "mount the share it is in; if it is to be a new one, make it: mkdir "+f.path)
	}
	return nil, a.declined(configs.Busy, err, "see whether the share that "+f.path+" is in can be reached")
}

// at opens an item's folder. Without made it is nil where there is none.
func (f *Folder) at(ctx context.Context, a act, item configs.Item, made bool) (*os.Root, error) {
	root, err := f.open(ctx, a)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	device, err := place(item)
	if err != nil {
		return nil, a.declined(configs.Gone, err, "")
	}
	customer, err := f.child(root, a, item.Organization, made)
	if customer == nil || err != nil {
		return nil, err
	}
	defer customer.Close()
	return f.child(customer, a, device, made)
}

// child opens the folder called name in dir. One of nearly that name is refused,
// and no second is made beside it: where the share takes FW and fw for the same,
// now or once it has moved, files would hang with another device or customer.
func (f *Folder) child(dir *os.Root, a act, name string, made bool) (*os.Root, error) {
	entries, err := list(dir)
	if err != nil {
		return nil, a.failed(f.path, err)
	}
	there := false
	for _, e := range entries {
		if e.Name() == name && !e.IsDir() { // a link would lead to another's folder
			return nil, a.declined(configs.Invalid, fmt.Errorf("%s is there, but is no folder", name), "move it away")
		}
		if e.Name() != name && strings.EqualFold(e.Name(), name) {
			return nil, a.declined(configs.Invalid, fmt.Errorf("there is a folder %s, which differs from %s in upper and lower case only", e.Name(), name), "if it is the same, rename it to "+name+"; else rename the other in the inventory")
		}
		there = there || e.Name() == name
	}
	if !there && !made {
		return nil, nil
	}
	if !there {
		// The owner's group may read: people look things up here.
		if err := dir.Mkdir(name, 0o750); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, a.failed(f.path, err)
		}
		if err := f.flushDir(dir); err != nil {
			return nil, a.failed(f.path, err)
		}
	}
	sub, err := dir.OpenRoot(name)
	if err != nil {
		return nil, a.failed(f.path, err)
	}
	return sub, nil
}

// list is what lies in dir.
func list(dir *os.Root) ([]os.DirEntry, error) { return fs.ReadDir(dir.FS(), ".") }

// item is the one that a device has here.
func (f *Folder) item(customer, device string) configs.Item {
	return configs.Item{Organization: customer, ID: customer + "/" + device, Name: device, URL: fileURL(f.path, customer, device)}
}

func fileURL(parts ...string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(filepath.Join(parts...))}).String()
}

// place is the device's name in an item that this package made. The organization
// must be the id's own: an id alone names nothing.
func place(item configs.Item) (device string, err error) {
	customer, device, _ := strings.Cut(item.ID, "/")
	if err := errors.Join(checkFolder(customer), checkFolder(device)); err != nil || customer != item.Organization {
		return "", fmt.Errorf("there is no item %q of organization %q", item.ID, item.Organization)
	}
	return device, nil
}

func checkFolder(name string) error {
	return errors.Join(devices.CheckName(name), checkName(name))
}

// reserved are the names that Windows gives to devices, with any ending.
var reserved = []string{"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}

// checkName tells why there can be no file called name. It is as strict as the
// strictest of the systems that a share is opened from.
func checkName(name string) error {
	stem, _, _ := strings.Cut(strings.ToUpper(name), ".")
	stem = strings.TrimRight(stem, " ")
	port := strings.TrimPrefix(strings.TrimPrefix(stem, "COM"), "LPT")
	switch {
	case name == "" || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.HasSuffix(name, " "):
		return fmt.Errorf("%q cannot be a name: it is empty, begins with a dot, or ends in a dot or blank", name)
	case len(name) > 255 || !utf8.ValidString(name):
		return fmt.Errorf("%.60q… cannot be a name: it is too long, or no text", name)
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || strings.ContainsRune(`<>:"/\|?*`, r) }):
		return fmt.Errorf(`%q cannot be a name: it holds one of <>:"/\|?* or a control character`, name)
	case slices.Contains(reserved, stem) || port != stem && utf8.RuneCountInString(port) == 1 && strings.ContainsAny(port, "0123456789¹²³"):
		return fmt.Errorf("%q cannot be a name: Windows keeps it for itself", name)
	case strings.EqualFold(name, indexName):
		return fmt.Errorf("%q cannot be a name: the folder's list is called so", name)
	}
	return nil
}

// An act is what is being done, and to which item, for errors.
type act struct{ op, item string }

func (a act) declined(why configs.Decline, err error, hint string) error {
	kind := devices.Broken
	if why == configs.Invalid {
		kind = devices.Usage
	}
	return &configs.Declined{Why: why, Err: &devices.Error{Kind: kind, Op: a.op, Device: a.item, Err: err, Hint: hint}}
}

// failed leaves open whether it was done. What has been said already stays.
func (a act) failed(path string, err error) error {
	if _, ok := errors.AsType[*configs.Declined](err); ok {
		return err
	}
	e := &devices.Error{Op: a.op, Device: a.item, Err: err}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		e.Hint = "make room in " + path + "; what waits is sent again"
	case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.EROFS):
		e.Hint = "let the account that runs Belay read and write in " + path
	case !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded):
		e.Hint = "see whether the share that " + path + " is in can be reached"
	}
	return e
}
