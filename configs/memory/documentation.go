package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"belay/configs"
	"belay/devices"
)

// A Documentation system in memory behaves as the real ones do: it takes the
// same file twice as two, lists the newest first and, where it is told to, does
// what it was asked and says that it did not. The zero value is ready and has no
// items.
type Documentation struct {
	Faults
	// Trouble is asked for each operation that Fail lets pass; nil: none.
	Trouble func(op string, item configs.Item) Trouble
	Pace    func(ctx context.Context) error // waits before each request; nil: never
	Now     func() time.Time                // nil: attachments have no time, and nothing is late
	Bound   configs.Bounds
	NoSize  bool // sizes are listed as -1
	NoRead  bool // attachments are not given back

	mu    sync.Mutex
	items []configs.Item
	hung  map[string][]hanging // by the ID of the item, oldest first
	late  []hanging
	calls map[string]int
	made  int
}

// Trouble is what goes wrong with one operation.
type Trouble struct {
	Err  error         // what the caller is told
	Done bool          // it is carried out all the same
	Late time.Duration // an upload is carried out, but is there only after this time
	Cut  int           // bytes that an upload loses on its way
}

// A hanging is an attachment with its bytes and its place.
type hanging struct {
	item       string // ID of the item
	attachment configs.Attachment
	bytes      []byte
	from       time.Time // it is there from then on
}

var (
	_ configs.Documentation     = (*Documentation)(nil)
	_ configs.ItemFinder        = (*Documentation)(nil)
	_ configs.ItemLister        = (*Documentation)(nil)
	_ configs.AttachmentReader  = (*Documentation)(nil)
	_ configs.AttachmentRemover = (*Documentation)(nil)
	_ configs.Restricter        = (*Documentation)(nil)
	_ configs.Bounded           = (*Documentation)(nil)
	_ configs.Prober            = (*Documentation)(nil)
)

// Add makes items, or alters those that have the same ID.
func (d *Documentation) Add(items ...configs.Item) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, it := range items {
		d.items = append(slices.DeleteFunc(d.items, func(o configs.Item) bool { return o.ID == it.ID }), it)
	}
}

// Drop takes an item away, with all that hangs on it.
func (d *Documentation) Drop(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.items = slices.DeleteFunc(d.items, func(o configs.Item) bool { return o.ID == id })
	delete(d.hung, id)
}

// Calls is how often each operation was asked for since the last call.
func (d *Documentation) Calls() map[string]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	calls := d.calls
	d.calls = nil
	return calls
}

// On is what hangs on the item with that ID by now, oldest first, with the
// bytes of each, whatever trouble there is.
func (d *Documentation) On(id string) ([]configs.Attachment, [][]byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.land()
	var as []configs.Attachment
	var bs [][]byte
	for _, h := range d.hung[id] {
		as, bs = append(as, h.attachment), append(bs, slices.Clone(h.bytes))
	}
	return as, bs
}

// Name is the product's.
func (d *Documentation) Name() string { return "memory" }

// Bounds is what it takes.
func (d *Documentation) Bounds() configs.Bounds { return d.Bound }

// ask begins an operation: it counts, waits for its turn and meets its trouble.
// It returns with the lock held unless there is an error.
func (d *Documentation) ask(ctx context.Context, op string, item configs.Item) (Trouble, error) {
	if d.Pace != nil {
		if err := d.Pace(ctx); err != nil {
			return Trouble{}, err
		}
	}
	if err := ctx.Err(); err != nil {
		return Trouble{}, err
	}
	d.mu.Lock()
	if d.calls == nil {
		d.calls = map[string]int{}
	}
	d.calls[op]++
	d.mu.Unlock()
	if err := d.check(ctx, op); err != nil {
		return Trouble{}, err
	}
	var trouble Trouble
	if d.Trouble != nil {
		trouble = d.Trouble(op, item)
	}
	if trouble.Err != nil && !trouble.Done && trouble.Late == 0 {
		return trouble, trouble.Err
	}
	d.mu.Lock()
	d.land()
	return trouble, nil
}

// land hangs what was late and is there by now.
func (d *Documentation) land() {
	d.late = slices.DeleteFunc(d.late, func(h hanging) bool {
		if d.now().Before(h.from) {
			return false
		}
		if d.hung == nil {
			d.hung = map[string][]hanging{}
		}
		d.hung[h.item] = append(d.hung[h.item], h)
		return true
	})
}

func (d *Documentation) now() time.Time {
	if d.Now == nil {
		return time.Time{}
	}
	return d.Now()
}

// there tells whether item is, in whatever organization.
func (d *Documentation) there(item configs.Item) error {
	if !slices.ContainsFunc(d.items, func(it configs.Item) bool { return it.ID == item.ID }) {
		return &configs.Declined{Why: configs.Gone, Err: fmt.Errorf("there is no item %s", item.ID)}
	}
	return nil
}

// Attach hangs f on item.
func (d *Documentation) Attach(ctx context.Context, item configs.Item, f configs.Attached) (configs.Attachment, error) {
	trouble, err := d.ask(ctx, "Attach", item)
	if err != nil {
		return configs.Attachment{}, err
	}
	defer d.mu.Unlock()
	if err := d.there(item); err != nil {
		return configs.Attachment{}, err
	}
	if d.Bound.MaxBytes > 0 && len(f.Bytes) > d.Bound.MaxBytes {
		return configs.Attachment{}, &configs.Declined{Why: configs.TooLarge, Err: fmt.Errorf("%d bytes are more than %d", len(f.Bytes), d.Bound.MaxBytes)}
	}
	if f.Name == "" || d.Bound.TextOnly && !strings.HasSuffix(f.Name, ".txt") {
		return configs.Attachment{}, &configs.Declined{Why: configs.Invalid, Err: fmt.Errorf("%q is no name for a file here", f.Name)}
	}
	d.made++
	h := hanging{item: item.ID, bytes: slices.Clone(f.Bytes[:max(0, len(f.Bytes)-trouble.Cut)]), from: d.now().Add(trouble.Late)}
	h.attachment = configs.Attachment{ID: strconv.Itoa(1000 + d.made), Name: f.Name, Bytes: len(h.bytes), At: d.now()}
	if d.NoSize {
		h.attachment.Bytes = -1
	}
	d.late = append(d.late, h)
	d.land()
	if trouble.Err != nil {
		return configs.Attachment{}, trouble.Err
	}
	return h.attachment, nil
}

// Attached lists what hangs on item, newest first.
func (d *Documentation) Attached(ctx context.Context, item configs.Item) ([]configs.Attachment, error) {
	trouble, err := d.ask(ctx, "Attached", item)
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	if err := errors.Join(trouble.Err, d.there(item)); err != nil {
		return nil, err
	}
	var all []configs.Attachment
	for _, h := range slices.Backward(d.hung[item.ID]) {
		all = append(all, h.attachment)
	}
	return all, nil
}

// ReadAttachment gives an attachment's bytes back.
func (d *Documentation) ReadAttachment(ctx context.Context, item configs.Item, a configs.Attachment) ([]byte, error) {
	if d.NoRead {
		return nil, configs.ErrCannotRead
	}
	trouble, err := d.ask(ctx, "ReadAttachment", item)
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	for _, h := range d.hung[item.ID] {
		if h.attachment.ID == a.ID {
			return slices.Clone(h.bytes), trouble.Err
		}
	}
	return nil, &configs.Declined{Why: configs.Gone, Err: fmt.Errorf("there is no attachment %s", a.ID)}
}

// RemoveAttachment takes one attachment down.
func (d *Documentation) RemoveAttachment(ctx context.Context, item configs.Item, a configs.Attachment) error {
	trouble, err := d.ask(ctx, "RemoveAttachment", item)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	if len(d.hung[item.ID]) == 0 {
		return trouble.Err
	}
	d.hung[item.ID] = slices.DeleteFunc(slices.Clone(d.hung[item.ID]), func(h hanging) bool { return h.attachment.ID == a.ID })
	return trouble.Err
}

// Restrict hides an item.
func (d *Documentation) Restrict(ctx context.Context, item configs.Item) error {
	trouble, err := d.ask(ctx, "Restrict", item)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	if err := d.there(item); err != nil {
		return err
	}
	for i := range d.items {
		d.items[i].Restricted = d.items[i].Restricted || d.items[i].ID == item.ID
	}
	return trouble.Err
}

// FindItems looks by serial number, and where none has it by MAC address.
func (d *Documentation) FindItems(ctx context.Context, w configs.Wanted) ([]configs.Item, error) {
	trouble, err := d.ask(ctx, "FindItems", configs.Item{Organization: w.Organization})
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	var serial, mac []configs.Item
	for _, it := range d.items {
		switch {
		case it.Organization != w.Organization:
		case devices.Shared(w.Serials, it.Serials):
			serial = append(serial, cloneItem(it))
		case devices.Shared(w.MACs, it.MACs):
			mac = append(mac, cloneItem(it))
		}
	}
	if len(serial) == 0 {
		serial = mac
	}
	return serial, trouble.Err
}

// Items are those with the ids wherever they are now, or an organization's.
func (d *Documentation) Items(ctx context.Context, organization string, ids []string) ([]configs.Item, error) {
	trouble, err := d.ask(ctx, "Items", configs.Item{Organization: organization})
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	var found []configs.Item
	for _, it := range d.items {
		if ids != nil && slices.Contains(ids, it.ID) || ids == nil && it.Organization == organization {
			found = append(found, cloneItem(it))
		}
	}
	return found, trouble.Err
}

// Probe tells how many items there are.
func (d *Documentation) Probe(ctx context.Context) ([]configs.Check, error) {
	trouble, err := d.ask(ctx, "Probe", configs.Item{})
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	return []configs.Check{{Name: "items", OK: true, Detail: fmt.Sprintf("%d items", len(d.items))}}, trouble.Err
}

func cloneItem(it configs.Item) configs.Item {
	it.Serials, it.MACs = slices.Clone(it.Serials), slices.Clone(it.MACs)
	return it
}
