package itglue

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"belay/store/docsystem/internal/rest"
)

// IT Glue's API speaks a dialect of JSON:API.
const (
	mediaType = "application/vnd.api+json"
	pageMost  = 1000 // rows of a page; more is refused
	pageLeast = 50   // below this a time-out has other reasons than the page's size
	pagesMost = 5000 // a list that does not end by then never will
)

// A client says things in IT Glue's words.
type client struct {
	rest *rest.Client
}

// A word is an id: the ids of resources are strings, those that refer to others
// are numbers, and some samples have it the other way round.
type word string

func (w *word) UnmarshalJSON(b []byte) error {
	var s string
	switch {
	case string(b) == "null":
		*w = ""
		return nil
	case json.Unmarshal(b, &s) == nil:
		*w = word(strings.TrimSpace(s))
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(b, &n); err != nil {
		return err
	}
	*w = word(n.String())
	return nil
}

// A resource is one thing in an answer.
type resource[A any] struct {
	ID            word   `json:"id"`
	Type          string `json:"type"`
	Attributes    A      `json:"attributes"`
	Relationships struct {
		Attachments *struct {
			Data []struct {
				ID word `json:"id"`
			} `json:"data"`
		} `json:"attachments"`
	} `json:"relationships"`
	Included *[]resource[attachment] `json:"included"` // beside "data" as a rule; the vendor's sample has it here
}

// configuration is the attributes of a device's record, as far as they matter.
type configuration struct {
	Organization word   `json:"organization-id"`
	Name         string `json:"name"`
	Serial       string `json:"serial-number"`
	MAC          string `json:"mac-address"` // free text, spelled in any way
	Archived     bool   `json:"archived"`
	Restricted   *bool  `json:"restricted"` // not in every answer
	URL          string `json:"resource-url"`
}

// attachment is the attributes of a file. The content's type is guessed by the
// system and the content itself is not given back.
type attachment struct {
	Name     string `json:"name"`                 // shown, and may be changed by people
	FileName string `json:"attachment-file-name"` // as it was sent
	Size     *int   `json:"attachment-file-size"`
	URL      string `json:"download-url"` // of the web application: the key is never sent there
	Created  string `json:"created-at"`
}

// A list is one page.
type list[A any] struct {
	Data []resource[A] `json:"data"`
	Meta *struct {
		Next  *int `json:"next-page"`
		Total *int `json:"total-count"`
	} `json:"meta"`
}

// get asks for one thing.
func (c *client) get(ctx context.Context, op, path string, query url.Values, v any) error {
	return c.rest.JSON(ctx, rest.Request{Op: op, Path: path, Query: query}, v)
}

// write changes something. It takes no query: a filter on a request that writes
// would change all that the filter fits.
func (c *client) write(ctx context.Context, op, method, path string, data any) (rest.Response, error) {
	body, err := json.Marshal(map[string]any{"data": data})
	if err != nil {
		return rest.Response{}, fmt.Errorf("%s: %w", op, err)
	}
	return c.rest.Do(ctx, rest.Request{Op: op, Method: method, Path: path, Type: mediaType, Body: body})
}

// pages asks for all pages of a list and returns each resource once. A page that
// is too much for the gateway (504) is asked for in halves, from the beginning.
func pages[A any](ctx context.Context, c *client, op, path string, query url.Values) ([]resource[A], error) {
	size := pageMost
	for {
		all, err := pagesOf[A](ctx, c, op, path, query, size)
		if err == nil || rest.StatusOf(err) != http.StatusGatewayTimeout || size/2 < pageLeast {
			return all, err
		}
		size /= 2
	}
}

func pagesOf[A any](ctx context.Context, c *client, op, path string, query url.Values, size int) ([]resource[A], error) {
	var all []resource[A]
	seen := map[word]bool{}
	for number := 1; ; {
		q := url.Values{"page[size]": {strconv.Itoa(size)}, "page[number]": {strconv.Itoa(number)}}
		for name, values := range query {
			q[name] = values
		}
		r := rest.Request{Op: op, Path: path, Query: q}
		var page list[A]
		if err := c.rest.JSON(ctx, r, &page); err != nil {
			return nil, err
		}
		if page.Data == nil {
			return nil, c.rest.Odd(r, "it answered without a list")
		}
		for _, row := range page.Data {
			if row.ID == "" {
				return nil, c.rest.Odd(r, "a row of its list has no id")
			}
			if !seen[row.ID] { // rows move to the next page when one is added meanwhile
				seen[row.ID] = true
				all = append(all, row)
			}
		}
		next := 0
		switch {
		case page.Meta != nil && page.Meta.Next != nil:
			next = *page.Meta.Next
		case page.Meta == nil && len(page.Data) >= size: // a proxy in between may keep the rest from us
			next = number + 1
		}
		switch {
		case next == 0:
			return all, nil
		case next <= number || number >= pagesMost:
			return nil, c.rest.Odd(r, fmt.Sprintf("its list does not end: page %d follows page %d", next, number))
		}
		number = next
	}
}

// orList writes values as a filter takes them: any of them will do.
func orList(values []string) string {
	escaped := make([]string, len(values))
	for i, v := range values {
		escaped[i] = strings.ReplaceAll(v, ",", `\,`)
	}
	return strings.Join(escaped, ",")
}
