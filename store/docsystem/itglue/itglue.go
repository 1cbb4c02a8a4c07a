// Package itglue hangs attachments on configurations in IT Glue. client.go has
// IT Glue's words, the rest translates them to ours.
//
// Three habits of the API shape it. A filter that IT Glue does not know is
// ignored without a word and the whole account comes back, and one that it knows
// may match a part: so every row is compared here again. Nothing that writes
// carries a filter. And no endpoint gives an attachment's bytes back to a key:
// that a file has arrived is proven by id, name and size. The download-url of an
// attachment is the web application's; whether that would take a key is not known,
// and a key goes to no other address than the API's.
package itglue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"belay/configs"
	"belay/devices"
	"belay/store/docsystem/internal/rest"
	"belay/store/docsystem/internal/system"
)

const title = "IT Glue"

// maxBytes is the largest file that is sent where the settings say nothing: in
// base64 and with its envelope it stays below the 10 MB that a request may have.
const maxBytes = 7_000_000

// regions are the hosts; an account lives in one of them.
var regions = []struct{ name, url string }{
	{"us", "https://api.itglue.com"},
	{"eu", "https://api.eu.itglue.com"},
	{"au", "https://api.au.itglue.com"},
}

// System describes IT Glue to the list of documentation systems. Of the 3,000
// requests in five minutes that an account has, Belay takes four fifths, the burst
// included: others use the account too. What is attached the settings must say.
func System() system.System {
	return system.System{
		Kind: "itglue", Title: title,
		Takes: []string{"region", "url", "key", "ca", "max_bytes"}, Needs: []string{"region|url", "key"},
		PerMinute: 468, Burst: 60, Elsewhere: true,
		Open: func(o system.Options) (configs.Documentation, error) { return Open(o) },
	}
}

// An Account is one account of IT Glue. Many may use it at once.
type Account struct {
	client *client
	max    int
	odd    bool // its key does not look like one
}

var (
	_ configs.Documentation     = (*Account)(nil)
	_ configs.ItemFinder        = (*Account)(nil)
	_ configs.ItemLister        = (*Account)(nil)
	_ configs.AttachmentRemover = (*Account)(nil)
	_ configs.Restricter        = (*Account)(nil)
	_ configs.Bounded           = (*Account)(nil)
	_ configs.Prober            = (*Account)(nil)
)

// Open makes an Account of the settings, without asking IT Glue anything.
func Open(o system.Options) (*Account, error) {
	address := o.URL
	if address == "" {
		var names []string
		for _, r := range regions {
			if strings.EqualFold(strings.TrimSpace(o.Region), r.name) {
				address = r.url
			}
			names = append(names, r.name)
		}
		if address == "" {
			what := fmt.Errorf("there is no region %q", o.Region)
			if o.Region == "" {
				what = errors.New("neither a region nor a url is set")
			}
			return nil, &devices.Error{Kind: devices.Usage, Op: "open " + title, Err: what, Hint: "set region: to one of " + strings.Join(names, ", ") + ", where your account lives, or url: to a proxy in front of it"}
		}
	}
	base, err := rest.Address(title, address)
	if err != nil {
		return nil, err
	}
	r, err := rest.New(rest.Client{Title: title, Base: base, Header: "x-api-key", Accept: mediaType, Hint: hint}, o)
	if err != nil {
		return nil, err
	}
	a := &Account{client: &client{rest: r}, max: o.MaxBytes, odd: !strings.HasPrefix(r.Key.Reveal(), "ITG.")}
	if a.max <= 0 {
		a.max = maxBytes
	}
	return a, nil
}

func hint(status int) string {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "check key: and region: of IT Glue in the settings: a key is good in its own region only, and one that nobody used for 90 days is revoked; an administrator makes a new one under Account, Settings, API Keys"
	case http.StatusRequestEntityTooLarge:
		return "IT Glue takes about 10 MB in one request, which is 7 MB of a file: lower max_bytes:, or attach the redacted or the sealed form"
	}
	return ""
}

// Name is the product's.
func (a *Account) Name() string { return title }

// Bounds tells what is taken. A name that ends in .txt keeps its type; others
// have come back under another one.
func (a *Account) Bounds() configs.Bounds {
	return configs.Bounds{MaxBytes: a.max, TextOnly: true}
}

// number tells whether an id may stand in a path: IT Glue's are all digits.
func number(id string) bool {
	return id != "" && strings.Trim(id, "0123456789") == ""
}

func (a *Account) noItem(op string, item configs.Item) error {
	return a.client.rest.Declined(op, configs.Gone, fmt.Sprintf("%q is no id of a configuration: they are numbers", item.ID))
}

// Attach uploads f as a new attachment; IT Glue never replaces one. A file that
// is too large is refused before it is sent.
func (a *Account) Attach(ctx context.Context, item configs.Item, f configs.Attached) (configs.Attachment, error) {
	op := fmt.Sprintf("attach %s to %s", f.Name, item)
	switch {
	case !number(item.ID):
		return configs.Attachment{}, a.noItem(op, item)
	case len(f.Bytes) > a.max:
		return configs.Attachment{}, a.client.rest.Declined(op, configs.TooLarge, fmt.Sprintf("the file has %d bytes, and %d are sent at most", len(f.Bytes), a.max))
	case !strings.HasSuffix(strings.ToLower(f.Name), ".txt"):
		return configs.Attachment{}, a.client.rest.Declined(op, configs.Invalid, "the name does not end in .txt, so the file would be given another type")
	}
	path := "/configurations/" + item.ID + "/relationships/attachments"
	resp, err := a.client.write(ctx, op, http.MethodPost, path, map[string]any{
		"type": "attachments",
		"attributes": map[string]any{"attachment": struct {
			Content  []byte `json:"content"` // standard base64 with padding and without line breaks
			FileName string `json:"file_name"`
		}{f.Bytes, f.Name}},
	})
	if err != nil {
		return configs.Attachment{}, err
	}
	var made struct {
		Data resource[attachment] `json:"data"`
	}
	if json.Unmarshal(resp.Body, &made) != nil || !number(string(made.Data.ID)) {
		return configs.Attachment{}, a.client.rest.Odd(rest.Request{Op: op}, "it took the file and did not say under which id")
	}
	return made.Data.attachment(), nil
}

func (r resource[A]) attachment() configs.Attachment {
	t, _ := any(r.Attributes).(attachment)
	made := configs.Attachment{ID: string(r.ID), Name: t.FileName, Bytes: -1, URL: t.URL}
	if made.Name == "" {
		made.Name = t.Name
	}
	if t.Size != nil {
		made.Bytes = *t.Size
	}
	if at, err := time.Parse(time.RFC3339, t.Created); err == nil {
		made.At = at
	}
	return made
}

// Attached lists what hangs on item, newest first. An account without the list
// has an older way: the item with its attachments included.
func (a *Account) Attached(ctx context.Context, item configs.Item) ([]configs.Attachment, error) {
	op := fmt.Sprintf("list the attachments of %s", item)
	if !number(item.ID) {
		return nil, a.noItem(op, item)
	}
	rows, err := pages[attachment](ctx, a.client, op, "/configurations/"+item.ID+"/relationships/attachments", nil)
	if s := rest.StatusOf(err); s == http.StatusNotFound || s == http.StatusMethodNotAllowed {
		rows, err = a.included(ctx, op, item)
	}
	if err != nil {
		return nil, err
	}
	var all []configs.Attachment
	for _, row := range rows {
		all = append(all, row.attachment())
	}
	return all, nil
}

// included is the older way. An answer that does not speak of attachments at all
// is no proof that there are none.
func (a *Account) included(ctx context.Context, op string, item configs.Item) ([]resource[attachment], error) {
	r := rest.Request{Op: op, Path: "/configurations/" + item.ID, Query: url.Values{"include": {"attachments"}}}
	var answer struct {
		Data     resource[configuration] `json:"data"`
		Included *[]resource[attachment] `json:"included"`
	}
	if err := a.client.get(ctx, op, r.Path, r.Query, &answer); err != nil {
		return nil, err
	}
	linked := answer.Data.Relationships.Attachments
	if string(answer.Data.ID) != item.ID || linked == nil && answer.Included == nil && answer.Data.Included == nil {
		return nil, a.client.rest.Odd(r, "it tells nothing of the attachments of this configuration")
	}
	var rows []resource[attachment]
	seen := map[word]bool{}
	for _, place := range []*[]resource[attachment]{answer.Included, answer.Data.Included} {
		if place == nil {
			continue
		}
		for _, row := range *place {
			if row.Type == "attachments" && row.ID != "" && !seen[row.ID] {
				seen[row.ID] = true
				rows = append(rows, row)
			}
		}
	}
	if linked != nil {
		for _, l := range linked.Data {
			if !seen[l.ID] {
				return nil, a.client.rest.Odd(r, "it names an attachment that it does not describe")
			}
		}
	}
	return rows, nil
}

// RemoveAttachment deletes one attachment, named by its id in the body. What the
// answer says was deleted must be that one; where it does not say, the list is
// asked.
func (a *Account) RemoveAttachment(ctx context.Context, item configs.Item, at configs.Attachment) error {
	op := fmt.Sprintf("remove attachment %s (%s) from %s", at.ID, at.Name, item)
	if !number(item.ID) || !number(at.ID) {
		return a.client.rest.Declined(op, configs.Invalid, "the ids are no numbers")
	}
	resp, err := a.client.write(ctx, op, http.MethodDelete, "/configurations/"+item.ID+"/relationships/attachments", []any{
		map[string]any{"type": "attachments", "attributes": map[string]any{"id": json.Number(at.ID)}},
	})
	if s := rest.StatusOf(err); s == http.StatusNotFound || s == http.StatusGone {
		return nil // it is not there any more, or its item is not
	}
	if err != nil {
		return err
	}
	var gone struct {
		Data []resource[attachment] `json:"data"`
	}
	if json.Unmarshal(resp.Body, &gone) == nil && len(gone.Data) > 0 {
		for _, row := range gone.Data {
			if string(row.ID) != at.ID {
				other := "another attachment"
				if number(string(row.ID)) { // else it may be anything
					other = "attachment " + string(row.ID)
				}
				return &devices.Error{Op: op, Err: fmt.Errorf("%s removed %s as well or instead", title, other), Hint: "look at the item in IT Glue, and tell its support: only one attachment was named"}
			}
		}
		return nil
	}
	left, err := a.Attached(ctx, item)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(left, func(l configs.Attachment) bool { return l.ID == at.ID }) {
		return &devices.Error{Op: op, Err: fmt.Errorf("%s accepted the request and the attachment is still there", title), Hint: "a proxy between here and IT Glue may drop the body of DELETE requests"}
	}
	return nil
}

// Restrict hides item from those who have no right of their own to see it. It
// works on records that come from a PSA or RMM too.
func (a *Account) Restrict(ctx context.Context, item configs.Item) error {
	op := fmt.Sprintf("restrict %s", item)
	if !number(item.ID) {
		return a.noItem(op, item)
	}
	resp, err := a.client.write(ctx, op, http.MethodPatch, "/configurations/"+item.ID, map[string]any{"type": "configurations", "attributes": map[string]any{"restricted": true}})
	if err != nil {
		return err
	}
	var now struct {
		Data resource[configuration] `json:"data"`
	}
	if json.Unmarshal(resp.Body, &now) != nil || string(now.Data.ID) != item.ID {
		return a.client.rest.Odd(rest.Request{Op: op}, "it answered without the configuration")
	}
	if r := now.Data.Attributes.Restricted; r != nil && !*r {
		return a.client.rest.Odd(rest.Request{Op: op}, "it accepted the change and the configuration is not restricted")
	}
	return nil
}
