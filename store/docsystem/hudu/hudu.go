// Package hudu hangs files on the assets of a Hudu: client.go speaks its words,
// the rest translates them into ours. An organization is a company there, a
// configuration item an asset, an attachment an upload.
//
// Hudu lists uploads for the whole installation and filters by nothing, so one
// look at an item reads that list to its end. From version 2.41 on it gives
// uploads back, through a redirect where they lie in object storage; before, it
// neither pages them nor, in some versions, says what they hang on.
package hudu

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"belay/configs"
	"belay/store/docsystem/internal/rest"
	"belay/store/docsystem/internal/system"
)

// most is how large a file may be where the settings do not say. Hudu documents
// no bound; this is what others are known to have uploaded.
const most = 100 << 20

// Hudu is one installation, through one API key.
type Hudu struct {
	client   client
	most     int
	readable atomic.Bool // its version was seen to give uploads back
}

var (
	_ configs.Documentation     = (*Hudu)(nil)
	_ configs.ItemFinder        = (*Hudu)(nil)
	_ configs.ItemLister        = (*Hudu)(nil)
	_ configs.AttachmentReader  = (*Hudu)(nil)
	_ configs.AttachmentRemover = (*Hudu)(nil)
	_ configs.Bounded           = (*Hudu)(nil)
	_ configs.Prober            = (*Hudu)(nil)
)

// System is Hudu as the settings know it. Of the 300 requests that it allows in
// a minute a fifth is left to others, also in the minute of a burst.
func System() system.System {
	return system.System{
		Kind:      "hudu",
		Title:     title,
		Takes:     []string{"url", "key", "ca", "max_bytes"},
		Needs:     []string{"url", "key"},
		PerMinute: 210,
		Burst:     30,
		Elsewhere: true,
		Open: func(o system.Options) (configs.Documentation, error) {
			h, err := open(o, 0)
			if err != nil {
				return nil, err // not a nil *Hudu in an interface
			}
			return h, nil
		},
	}
}

// open is Open with the pause before a question is asked again.
func open(o system.Options, nap time.Duration) (*Hudu, error) {
	base, err := rest.Address(title, o.URL)
	if err != nil {
		return nil, err
	}
	if !strings.HasSuffix(base.Path, prefix) {
		base.Path += prefix
	}
	c, err := rest.New(rest.Client{Title: title, Base: base, Header: "X-Api-Key", Accept: "application/json", Hint: hint, Nap: nap}, o)
	if err != nil {
		return nil, err
	}
	h := &Hudu{client: client{c}, most: o.MaxBytes}
	if h.most <= 0 {
		h.most = most
	}
	return h, nil
}

// Name is the product's.
func (h *Hudu) Name() string { return title }

// Bounds is what it takes.
func (h *Hudu) Bounds() configs.Bounds { return configs.Bounds{MaxBytes: h.most} }

// Attach uploads f onto an asset.
func (h *Hudu) Attach(ctx context.Context, item configs.Item, f configs.Attached) (configs.Attachment, error) {
	op := "attach " + f.Name + " to " + item.String()
	if err := h.known(op, item); err != nil {
		return configs.Attachment{}, err
	}
	if len(f.Bytes) > h.most {
		return configs.Attachment{}, h.client.rest.Declined(op, configs.TooLarge, fmt.Sprintf("%d bytes, more than the %d that are sent", len(f.Bytes), h.most))
	}
	u, err := h.client.upload(ctx, op, item.ID, f)
	if err != nil {
		if declined(err, configs.Invalid) || declined(err, configs.Gone) { // it says so of an asset that is not there as well
			if gone := h.gone(ctx, op, item); declined(gone, configs.Gone) {
				return configs.Attachment{}, gone
			}
		}
		return configs.Attachment{}, err
	}
	if u.owned() && !u.on(item.ID) {
		return configs.Attachment{}, h.client.rest.Odd(rest.Request{Op: op}, "it took the file, but says that it hangs on another record")
	}
	return h.attachment(u), nil
}

// Attached lists the uploads on an asset, and those of which this version does
// not say what they hang on, marked as such: whoever looks for a name that
// nothing else has finds it among them.
func (h *Hudu) Attached(ctx context.Context, item configs.Item) ([]configs.Attachment, error) {
	op := "list what hangs on " + item.String()
	if err := h.known(op, item); err != nil {
		return nil, err
	}
	all, err := h.client.uploads(ctx, op)
	if err != nil {
		return nil, err
	}
	var found []configs.Attachment
	ours := false
	for _, u := range all {
		if u.Archived != nil || u.owned() && !u.on(item.ID) {
			continue // archived: it hangs there no more for those who look
		}
		ours = ours || u.owned()
		found = append(found, h.attachment(u))
	}
	if !ours { // the list would be the same if the asset were gone
		if err := h.gone(ctx, op, item); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// ReadAttachment downloads an upload, which Hudu allows from version 2.41 on:
// an older one would answer with what it knows about the file in its place.
func (h *Hudu) ReadAttachment(ctx context.Context, item configs.Item, a configs.Attachment) ([]byte, error) {
	op := "read " + a.Name + " back from " + item.String()
	if !number(a.ID) {
		return nil, h.client.rest.Declined(op, configs.Gone, "an upload has a number")
	}
	if !h.readable.Load() {
		v, err := h.client.version(ctx, op)
		if err != nil {
			return nil, err
		}
		if !v.pages() {
			return nil, fmt.Errorf("%s: Hudu %s: %w", op, v.text, configs.ErrCannotRead)
		}
		h.readable.Store(true)
	}
	return h.client.download(ctx, op, a.ID, int64(max(most, h.most)))
}

// RemoveAttachment deletes an upload after a look at it: the request names
// nothing but a number, and a deleted file does not come back.
func (h *Hudu) RemoveAttachment(ctx context.Context, item configs.Item, a configs.Attachment) error {
	op := "remove " + a.Name + " from " + item.String()
	if !number(a.ID) {
		return nil // never one of Hudu's
	}
	u, there, err := h.client.show(ctx, op, a.ID)
	if err != nil || !there {
		return err
	}
	if u.owned() && !u.on(item.ID) || u.Name != a.Name {
		return h.client.rest.Declined(op, configs.Invalid, "upload "+a.ID+" is another file or hangs on another record: it stays")
	}
	return h.client.remove(ctx, op, a.ID)
}

// known refuses items that cannot be Hudu's, before anything is sent.
func (h *Hudu) known(op string, item configs.Item) error {
	if !number(item.ID) || !number(item.Organization) {
		return h.client.rest.Declined(op, configs.Gone, "an asset has a number, and its company too")
	}
	return nil
}

// gone is an error where the asset is not the company's, or cannot be seen.
func (h *Hudu) gone(ctx context.Context, op string, item configs.Item) error {
	a, there, err := h.client.asset(ctx, op, item.Organization, item.ID)
	if err != nil {
		return err
	}
	if !there || a.ID.String() != item.ID || a.Company.String() != item.Organization {
		return h.client.rest.Declined(op, configs.Gone, "company "+item.Organization+" has no asset "+item.ID)
	}
	return nil
}

func (h *Hudu) attachment(u upload) configs.Attachment {
	return configs.Attachment{ID: u.ID.String(), Name: u.Name, Bytes: u.bytes(), At: u.Created.Time, URL: h.address(u.URL), Unowned: !u.owned()}
}

// address is the page of a record for people. Only one of Hudu's own is given:
// one of the object storage could let anybody in.
func (h *Hudu) address(said string) string {
	base := h.client.rest.Base
	u, err := url.Parse(said)
	if err != nil || said == "" {
		return ""
	}
	u = base.ResolveReference(u)
	if u.Host != base.Host || u.Scheme != base.Scheme {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
