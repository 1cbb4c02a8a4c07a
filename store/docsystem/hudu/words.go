package hudu

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// An id is the number of a record. Some answers put it in quotes.
type id int64

func (i *id) UnmarshalJSON(b []byte) error {
	text := strings.Trim(string(b), `"`)
	if text == "null" || text == "" {
		*i = 0
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	*i = id(n)
	return err
}

func (i id) String() string { return strconv.FormatInt(int64(i), 10) }

// number tells whether an id of ours is one that Hudu may have given.
func number(s string) bool {
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && n > 0 && s == strconv.FormatInt(n, 10)
}

func null(body []byte) bool { return string(bytes.TrimSpace(body)) == "null" }

// A company is a customer.
type company struct {
	ID id `json:"id"`
}

// A layout is the form of a sort of assets.
type layout struct {
	ID     id     `json:"id"`
	Name   string `json:"name"`
	Active *bool  `json:"active"`
	Files  *bool  `json:"include_files"` // nil: this version does not say
}

// An asset is a device's record, as far as it is needed.
type asset struct {
	ID       id      `json:"id"`
	Company  id      `json:"company_id"`
	Name     string  `json:"name"`
	Serial   string  `json:"primary_serial"`
	Archived bool    `json:"archived"`
	URL      string  `json:"url"`
	Fields   []field `json:"fields"`
}

// A field is one line of an asset's form. Its value may be anything.
type field struct {
	Label string `json:"label"`
	Value any    `json:"value"`
}

// An upload is a file that hangs on a record.
type upload struct {
	ID       id     `json:"id"`
	URL      string `json:"url"`
	Name     string `json:"name"`
	Size     any    `json:"size"` // digits, or a text for people
	Created  moment `json:"created_date"`
	Archived any    `json:"archived_at"`
	Record   id     `json:"uploadable_id"`
	Type     string `json:"uploadable_type"`
}

func (c company) number() id { return c.ID }
func (l layout) number() id  { return l.ID }
func (a asset) number() id   { return a.ID }
func (u upload) number() id  { return u.ID }

// uploadOf reads one upload, which may stand in an envelope.
func uploadOf(body []byte) (upload, bool) {
	var v struct {
		upload
		Wrapped *upload `json:"upload"`
	}
	if json.Unmarshal(body, &v) != nil {
		return upload{}, false
	}
	if v.Wrapped != nil {
		v.upload = *v.Wrapped
	}
	return v.upload, v.ID != 0
}

// owned tells whether Hudu says anything of what u hangs on.
func (u upload) owned() bool { return u.Record != 0 || u.Type != "" }

// on tells whether it hangs on an asset. The type belongs to it: an article may
// have the same number.
func (u upload) on(asset string) bool { return u.Type == "Asset" && u.Record.String() == asset }

// bytes is its size, -1 where Hudu tells it only roughly.
func (u upload) bytes() int {
	switch s := u.Size.(type) {
	case float64:
		if s >= 0 && s == float64(int(s)) {
			return int(s)
		}
	case string:
		if n, err := strconv.ParseUint(s, 10, 48); err == nil {
			return int(n)
		}
	}
	return -1
}

// A moment is a time that may be written in a way we do not know: then none.
type moment struct{ time.Time }

func (m *moment) UnmarshalJSON(b []byte) error {
	if t, err := time.Parse(time.RFC3339, strings.Trim(string(b), `"`)); err == nil {
		m.Time = t.UTC()
	}
	return nil
}
