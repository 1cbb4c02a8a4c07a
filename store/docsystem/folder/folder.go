// Package folder hangs attachments in a plain folder: a network share, or one
// that is synced elsewhere. It needs nothing but a path, so it is what serves
// where there is no documentation system, and an archive beside one where there is.
//
//	PATH/CUSTOMER/DEVICE/NAME        one file for each attachment, as it was sent
//	PATH/CUSTOMER/DEVICE/index.csv   what lies there, for people: time, name, bytes, SHA-256
//
// A folder has no configuration items: each device's own folder is its item,
// called CUSTOMER/DEVICE, made when the first file comes. A file is there whole
// or not at all, is never replaced by another of its name, and is listed with
// the size and the digest of what lies there now. The index is written anew
// after each change and never read.
//
// PATH is never made. Where a share is not mounted its mount point is an empty
// folder of this machine, or is missing: only of the latter can be told that
// something is wrong. So let PATH be a folder in the share, not the share's root.
package folder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"belay/configs"
	"belay/devices"
	"belay/store/docsystem/internal/system"
)

// System is the folder's line in the list of documentation systems.
func System() system.System {
	return system.System{
		Kind: "folder", Title: title,
		Takes: []string{"path"}, Needs: []string{"path"},
		Attach: configs.InSeal, Own: true,
		Open: func(o system.Options) (configs.Documentation, error) { return Open(o.Path) },
	}
}

const title = "folder"

// A Folder is the root of all customers' folders.
type Folder struct {
	path  string
	limit time.Duration                             // for one operation
	hang  atomic.Int32                              // operations that their callers have left
	enter func(path string) (*os.Root, error)       // os.OpenRoot; tests have poorer shares
	flush func(*os.File) error                      // (*os.File).Sync
	link  func(dir *os.Root, from, to string) error // (*os.Root).Link
	index sync.Mutex                                // held while an index is written: the last one knows most
}

var (
	_ configs.Documentation     = (*Folder)(nil)
	_ configs.ItemFinder        = (*Folder)(nil)
	_ configs.ItemLister        = (*Folder)(nil)
	_ configs.AttachmentReader  = (*Folder)(nil)
	_ configs.AttachmentRemover = (*Folder)(nil)
)

// Open looks at nothing yet: the share may be mounted later.
func Open(path string) (*Folder, error) {
	if !filepath.IsAbs(path) {
		return nil, &devices.Error{Kind: devices.Usage, Op: "open the folder", Err: fmt.Errorf("path: %q does not begin at the root", path), Hint: "give the whole path, as /mnt/share/network"}
	}
	return &Folder{path: filepath.Clean(path), limit: patience, enter: os.OpenRoot, flush: (*os.File).Sync, link: (*os.Root).Link}, nil
}

// Name is for people.
func (f *Folder) Name() string { return title }

// FindItems is the one item that the device has here: it need not be made yet.
func (f *Folder) FindItems(ctx context.Context, w configs.Wanted) ([]configs.Item, error) {
	a := act{"find the item of", w.Customer + "/" + w.Device}
	it := f.item(w.Customer, w.Device)
	return within(ctx, f, a, func(ctx context.Context) ([]configs.Item, error) {
		root, err := f.open(ctx, a)
		if err != nil {
			return nil, err
		}
		defer root.Close()
		if _, err := place(it); err != nil {
			return nil, a.declined(configs.Invalid, err, "rename it in the inventory")
		}
		return []configs.Item{it}, nil
	})
}

// Items are the devices' folders of a customer. An item that is asked for by its
// id is there as soon as it can be: none is ever gone.
func (f *Folder) Items(ctx context.Context, organization string, ids []string) ([]configs.Item, error) {
	a := act{"list the items of", organization}
	ids = slices.Clone(ids)
	return within(ctx, f, a, func(ctx context.Context) ([]configs.Item, error) { return f.items(ctx, a, organization, ids) })
}

func (f *Folder) items(ctx context.Context, a act, organization string, ids []string) ([]configs.Item, error) {
	root, err := f.open(ctx, a)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if ids == nil {
		if ids, err = f.devices(root, a, organization); err != nil {
			return nil, err
		}
	}
	var items []configs.Item
	for _, id := range ids {
		customer, device, _ := strings.Cut(id, "/")
		it := f.item(customer, device)
		if _, err := place(it); err == nil {
			items = append(items, it)
		}
	}
	return items, nil
}

// devices are the ids of the folders in a customer's.
func (f *Folder) devices(root *os.Root, a act, customer string) ([]string, error) {
	if checkFolder(customer) != nil {
		return nil, nil // nothing can be there
	}
	dir, err := f.child(root, a, customer, false)
	if dir == nil || err != nil {
		return nil, err
	}
	defer dir.Close()
	entries, err := list(dir)
	if err != nil {
		return nil, a.failed(f.path, err)
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() {
			ids = append(ids, customer+"/"+e.Name())
		}
	}
	return ids, nil
}

// Attach puts the file in the item's folder. One that lies there already with
// the same bytes is the attachment; with others the file is declined.
func (f *Folder) Attach(ctx context.Context, item configs.Item, file configs.Attached) (configs.Attachment, error) {
	a := act{"attach " + file.Name + " to", item.ID}
	file.Bytes = bytes.Clone(file.Bytes)
	return within(ctx, f, a, func(ctx context.Context) (configs.Attachment, error) { return f.attach(ctx, a, item, file) })
}

func (f *Folder) attach(ctx context.Context, a act, item configs.Item, file configs.Attached) (configs.Attachment, error) {
	if err := checkName(file.Name); err != nil {
		return configs.Attachment{}, a.declined(configs.Invalid, err, "")
	}
	dir, err := f.at(ctx, a, item, true)
	if err != nil {
		return configs.Attachment{}, err
	}
	defer dir.Close()
	if err := f.put(ctx, dir, a, file); err != nil {
		return configs.Attachment{}, err
	}
	hung, err := f.look(dir, item, file.Name)
	if err != nil {
		return configs.Attachment{}, a.failed(f.path, err)
	}
	if hung.Bytes != len(file.Bytes) || hung.Digest != configs.Digest(file.Bytes) {
		return configs.Attachment{}, a.failed(f.path, fmt.Errorf("%d bytes were written, and what is read again is not what they were", len(file.Bytes)))
	}
	f.writeIndex(ctx, dir, item)
	return hung, nil
}

// Attached lists the files in the item's folder, newest first; none where it is
// not made yet. A file that cannot be read, as another program has it, is listed
// without size and digest.
func (f *Folder) Attached(ctx context.Context, item configs.Item) ([]configs.Attachment, error) {
	a := act{"list the attachments of", item.ID}
	return within(ctx, f, a, func(ctx context.Context) ([]configs.Attachment, error) {
		dir, err := f.at(ctx, a, item, false)
		if dir == nil || err != nil {
			return nil, err
		}
		defer dir.Close()
		all, err := f.hanging(ctx, dir, item)
		if err != nil {
			return nil, a.failed(f.path, err)
		}
		return all, nil
	})
}

// ReadAttachment gives back what lies there.
func (f *Folder) ReadAttachment(ctx context.Context, item configs.Item, at configs.Attachment) ([]byte, error) {
	a := act{"read " + at.Name + " of", item.ID}
	return within(ctx, f, a, func(ctx context.Context) ([]byte, error) { return f.read(ctx, a, item, at) })
}

func (f *Folder) read(ctx context.Context, a act, item configs.Item, at configs.Attachment) ([]byte, error) {
	dir, err := f.at(ctx, a, item, false)
	if err != nil {
		return nil, err
	}
	gone := a.declined(configs.Gone, errors.New("there is no such file"), "")
	if dir == nil {
		return nil, gone
	}
	defer dir.Close()
	file, err := openFile(dir, at.ID)
	if errors.Is(err, os.ErrNotExist) {
		return nil, gone
	}
	if err != nil {
		return nil, a.failed(f.path, err)
	}
	defer file.Close()
	b, err := io.ReadAll(file)
	if err != nil {
		return nil, a.failed(f.path, err)
	}
	return b, nil
}

// RemoveAttachment removes the file.
func (f *Folder) RemoveAttachment(ctx context.Context, item configs.Item, at configs.Attachment) error {
	a := act{"remove " + at.Name + " from", item.ID}
	_, err := within(ctx, f, a, func(ctx context.Context) (struct{}, error) { return struct{}{}, f.remove(ctx, a, item, at) })
	return err
}

func (f *Folder) remove(ctx context.Context, a act, item configs.Item, at configs.Attachment) error {
	dir, err := f.at(ctx, a, item, false)
	if dir == nil || err != nil {
		return err
	}
	defer dir.Close()
	if err := f.take(ctx, dir, at.ID); err != nil {
		return a.failed(f.path, err)
	}
	f.writeIndex(ctx, dir, item)
	return nil
}
