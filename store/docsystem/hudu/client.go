package hudu

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"belay/configs"
	"belay/devices"
	"belay/store/docsystem/internal/rest"
)

const (
	title  = "Hudu"
	prefix = "/api/v1"
)

// The bounds of paging.
const (
	pageSize  = 1000 // the most that a recent version gives
	pagesMost = 2000 // of one list: what is longer goes round in circles
)

// A client asks what Hudu's API offers, in its words.
type client struct{ rest *rest.Client }

// do is rest's, but that a web page for 404 says nothing of what was asked for:
// it comes from a proxy, or the address is not that of a Hudu.
func (c client) do(ctx context.Context, r rest.Request) (rest.Response, error) {
	resp, err := c.rest.Do(ctx, r)
	if !absent(err) {
		err = noRoute(err)
	}
	return resp, err
}

// ask is a GET that must be answered with JSON. What is not there is ok false:
// Hudu says so by 404, or by 200 and null.
func (c client) ask(ctx context.Context, op, path string, q url.Values, v any) (ok bool, err error) {
	r := rest.Request{Op: op, Path: path, Query: q}
	resp, err := c.do(ctx, r)
	if absent(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if null(resp.Body) {
		return false, nil
	}
	if json.Unmarshal(resp.Body, v) != nil { // its text may quote the answer
		return false, c.rest.Odd(r, "it answered, but not with the JSON that was expected")
	}
	return true, nil
}

func (c client) version(ctx context.Context, op string) (version, error) {
	var v struct {
		Version string `json:"version"`
	}
	ok, err := c.ask(ctx, op, "/api_info", nil, &v)
	if err == nil && (!ok || v.Version == "") {
		err = c.rest.Odd(rest.Request{Op: op}, "it does not tell its version")
	}
	return versionOf(v.Version), err
}

// A version is that of the installation.
type version struct {
	text         string
	major, minor int
}

func versionOf(text string) version {
	v := version{text: text}
	parts := strings.SplitN(strings.TrimPrefix(text, "v"), ".", 3)
	if len(parts) < 2 {
		return v
	}
	v.major, _ = strconv.Atoi(parts[0]) // what cannot be read is an old one
	v.minor, _ = strconv.Atoi(parts[1])
	return v
}

// pages tells whether uploads are paged and given back: both came with 2.41.
func (v version) pages() bool { return v.major > 2 || v.major == 2 && v.minor >= 41 }

// asset is one asset of a company.
func (c client) asset(ctx context.Context, op, company, id string) (asset, bool, error) {
	var v struct {
		Asset asset `json:"asset"`
	}
	ok, err := c.ask(ctx, op, "/companies/"+company+"/assets/"+id, nil, &v)
	return v.Asset, ok && v.Asset.ID != 0, err
}

// assets are those that the filters choose, in Hudu's opinion: the caller
// compares again.
func (c client) assets(ctx context.Context, op string, q url.Values) ([]asset, error) {
	return pages[asset](ctx, c, op, "/assets", "assets", q, pageSize)
}

func (c client) companies(ctx context.Context, op string) ([]company, error) {
	return one[company](ctx, c, op, "/companies", "companies", url.Values{"page": {"1"}, "page_size": {"1"}})
}

// layouts are all asset layouts; their list knows no size of a page.
func (c client) layouts(ctx context.Context, op string) ([]layout, error) {
	return pages[layout](ctx, c, op, "/asset_layouts", "asset_layouts", url.Values{}, 0)
}

// uploads are all of the installation. A version below 2.41 refuses to page
// them and gives them in one piece; a newer one would give the first 25.
func (c client) uploads(ctx context.Context, op string) ([]upload, error) {
	all, err := pages[upload](ctx, c, op, "/uploads", "uploads", url.Values{}, pageSize)
	if rest.StatusOf(err) != http.StatusBadRequest {
		return all, err
	}
	v, asked := c.version(ctx, op)
	if asked != nil || v.pages() {
		return nil, errors.Join(err, asked)
	}
	return one[upload](ctx, c, op, "/uploads", "uploads", nil)
}

// A row is anything that has a number.
type row interface{ number() id }

// pages reads a list to its end. Nobody tells how long it is, so a page that is
// short ends it, or one that brings nothing new: a server that knows no pages
// gives the same again and again. A page as long as the round numbers that
// servers cut at proves nothing.
func pages[T row](ctx context.Context, c client, op, path, envelope string, q url.Values, size int) ([]T, error) {
	if size > 0 {
		q.Set("page_size", strconv.Itoa(size))
	}
	var all []T
	seen := map[id]bool{}
	for n := 1; n <= pagesMost; n++ {
		q.Set("page", strconv.Itoa(n))
		part, err := one[T](ctx, c, op, path, envelope, q)
		if err != nil {
			return nil, err
		}
		fresh := 0
		for _, t := range part {
			if !seen[t.number()] {
				seen[t.number()] = true
				all = append(all, t)
				fresh++
			}
		}
		if fresh == 0 || len(part)%25 != 0 {
			return all, nil
		}
	}
	return nil, c.rest.Odd(rest.Request{Op: op}, "its list does not end")
}

// one reads one answer that is a list, bare or in its envelope. An answer
// without a list is no empty list: who looks for a file must not take it for
// missing.
func one[T row](ctx context.Context, c client, op, path, envelope string, q url.Values) ([]T, error) {
	r := rest.Request{Op: op, Path: path, Query: q}
	resp, err := c.do(ctx, r)
	if err != nil {
		return nil, noRoute(err)
	}
	list := json.RawMessage(resp.Body)
	var wrapped map[string]json.RawMessage
	if json.Unmarshal(resp.Body, &wrapped) == nil {
		list = wrapped[envelope]
	}
	var part []T
	if json.Unmarshal(list, &part) != nil || part == nil { // its text may quote the answer
		return nil, c.rest.Odd(r, "it answered, but with no list")
	}
	for _, t := range part {
		if t.number() == 0 {
			return nil, c.rest.Odd(r, "it lists something that has no number")
		}
	}
	return part, nil
}

// upload sends a file in the form that Hudu's own page sends.
func (c client) upload(ctx context.Context, op, asset string, f configs.Attached) (upload, error) {
	var body bytes.Buffer
	body.Grow(len(f.Bytes) + 1024)
	form := multipart.NewWriter(&body)
	err := errors.Join(form.WriteField("upload[uploadable_id]", asset), form.WriteField("upload[uploadable_type]", "Asset"))
	part, err2 := form.CreateFormFile("file", f.Name)
	if err = errors.Join(err, err2); err == nil {
		_, err = part.Write(f.Bytes)
	}
	if err = errors.Join(err, form.Close()); err != nil {
		return upload{}, c.rest.Declined(op, configs.Invalid, "the form cannot be made")
	}
	r := rest.Request{Op: op, Method: http.MethodPost, Path: "/uploads", Type: form.FormDataContentType(), Body: body.Bytes()}
	resp, err := c.do(ctx, r)
	if err != nil {
		return upload{}, err
	}
	u, ok := uploadOf(resp.Body)
	if !ok {
		return upload{}, c.rest.Odd(r, "it took the file, but does not say as what")
	}
	return u, nil
}

// show is what Hudu knows about one upload.
func (c client) show(ctx context.Context, op, id string) (u upload, there bool, err error) {
	var raw json.RawMessage
	if there, err = c.ask(ctx, op, "/uploads/"+id, nil, &raw); err != nil || !there {
		return upload{}, false, err
	}
	u, ok := uploadOf(raw)
	if !ok || u.ID.String() != id {
		return upload{}, false, c.rest.Odd(rest.Request{Op: op}, "it answers with something else than upload "+id)
	}
	return u, true, nil
}

// download reads a file, up to limit bytes. Where it lies in object storage the
// answer is a redirect, which rest follows without the key.
func (c client) download(ctx context.Context, op, id string, limit int64) ([]byte, error) {
	r := rest.Request{Op: op, Path: "/uploads/" + id, Query: url.Values{"download": {"true"}}, Limit: limit}
	resp, err := c.do(ctx, r)
	if rest.StatusOf(err) == http.StatusForbidden { // Hudu itself says 401
		return nil, &devices.Error{Op: op, Err: errors.New("the object storage of Hudu refuses the download"), Hint: "download a file in Hudu's own pages: if that fails too, its storage is not set up right"}
	}
	if err != nil {
		return nil, err
	}
	if null(resp.Body) && strings.Contains(resp.Header.Get("Content-Type"), "json") {
		return nil, c.rest.Declined(op, configs.Gone, "there is no upload "+id)
	}
	return resp.Body, nil
}

// remove deletes an upload. One that is gone is no error.
func (c client) remove(ctx context.Context, op, id string) error {
	_, err := c.do(ctx, rest.Request{Op: op, Method: http.MethodDelete, Path: "/uploads/" + id})
	if absent(err) {
		return nil
	}
	if declined(err, configs.Unauthorized) {
		return &configs.Declined{Why: configs.Unauthorized, Err: &devices.Error{
			Kind: devices.KindOf(err), Err: fmt.Errorf("the key may read and upload, but not delete: %w", err),
			Hint: "allow destructive actions for this API key in Hudu, or delete the upload there by hand",
		}}
	}
	return err
}

// absent tells whether Hudu itself said, in its JSON, that something is not
// there; a web page says no more than that the way there is wrong.
func absent(err error) bool {
	refusal, ok := errors.AsType[*rest.Refusal](err)
	return ok && declined(err, configs.Gone) && refusal.Said != "" && refusal.Said != "a web page"
}

// noRoute is err, but that a list is not there means nothing for the item that
// was looked for in it.
func noRoute(err error) error {
	if declined(err, configs.Gone) {
		return &configs.Declined{Why: configs.Invalid, Err: err}
	}
	return err
}

func declined(err error, why configs.Decline) bool {
	d, ok := errors.AsType[*configs.Declined](err)
	return ok && d.Why == why
}

// hint says what to do about an answer, where Hudu's ways differ from others'.
func hint(status int) string {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "Hudu refuses the API key: it may be wrong, bound to other companies or other addresses (Admin, API Keys)"
	case http.StatusNotFound:
		return "check that url: is the address of your Hudu, and that the asset is still there: belay docs match"
	}
	return ""
}
