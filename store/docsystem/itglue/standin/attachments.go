package standin

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An Attachment is a file on a configuration.
type Attachment struct {
	ID            int
	Configuration int
	Name          string // shown; can be changed
	FileName      string // as it was sent
	Bytes         []byte
	At            time.Time
}

// Attachments are what hangs on a configuration, in the order it was hung.
func (s *Server) Attachments(configuration int) []Attachment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.hanging[strconv.Itoa(configuration)])
}

// AllAttachments are those of all configurations.
func (s *Server) AllAttachments() []Attachment {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Attachment
	for _, list := range s.hanging {
		all = append(all, list...)
	}
	slices.SortFunc(all, func(a, b Attachment) int { return a.ID - b.ID })
	return all
}

// Hang hangs a file on a configuration as a person at the web page would.
func (s *Server) Hang(configuration int, name string, content []byte) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hang(strconv.Itoa(configuration), name, content).ID
}

// Rot flips a bit of an attachment, as a disk does: its name and size stay.
func (s *Server) Rot(id int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, list := range s.hanging {
		for i, a := range list {
			if a.ID == id && len(a.Bytes) > 0 {
				list[i].Bytes = bytes.Clone(a.Bytes)
				list[i].Bytes[len(a.Bytes)/2] ^= 1
			}
		}
	}
}

// hang never looks whether there is one of that name: neither does the real one.
func (s *Server) hang(configuration, name string, content []byte) Attachment {
	id, _ := strconv.Atoi(configuration) // it was found by it
	a := Attachment{ID: s.id(), Configuration: id, Name: name, FileName: name, Bytes: bytes.Clone(content), At: s.now}
	s.hanging[configuration] = append(s.hanging[configuration], a)
	return a
}

func (s *Server) newestFirst(configuration string) []Attachment {
	list := slices.Clone(s.hanging[configuration])
	slices.Reverse(list)
	return list
}

func (a Attachment) row() row {
	// The type is guessed from more than the name, and oddly at times.
	kind := "text/plain"
	if bytes.HasPrefix(a.Bytes, []byte("#")) {
		kind = "application/x-ruby"
	}
	return row{ID: strconv.Itoa(a.ID), Type: "attachments", Attributes: map[string]any{
		"name": a.Name, "attachment-file-name": a.FileName, "attachment-content-type": kind, "attachment-file-size": len(a.Bytes),
		"ext": strings.TrimPrefix(path.Ext(a.FileName), "."), "viewable": false,
		"download-url": fmt.Sprintf("https://msp.example.net/attachments/%d", a.ID), "created-at": at(a.At), "updated-at": at(a.At),
	}}
}

// parent tells whether there is the configuration that a path names.
func (s *Server) parent(w http.ResponseWriter, q *request) bool {
	if s.configuration(q.args[0]) == nil {
		refuse(w, http.StatusNotFound, "Not Found", "", "")
		return false
	}
	return true
}

func (s *Server) listAttachments(w http.ResponseWriter, q *request) {
	if status := s.switches.ListMissing; status != 0 {
		refuse(w, status, http.StatusText(status), "", "")
		return
	}
	if !s.parent(w, q) {
		return
	}
	var rows []row
	for _, a := range s.newestFirst(q.args[0]) {
		rows = append(rows, a.row())
	}
	s.list(w, q, rows)
}

func (s *Server) showAttachment(w http.ResponseWriter, q *request) {
	if a := s.attachment(q.args); a != nil && s.switches.ListMissing == 0 {
		reply(w, http.StatusOK, map[string]any{"data": a.row()})
		return
	}
	refuse(w, http.StatusNotFound, "Not Found", "", "")
}

func (s *Server) attachment(args []string) *Attachment {
	list := s.hanging[args[0]]
	for i := range list {
		if strconv.Itoa(list[i].ID) == args[1] {
			return &list[i]
		}
	}
	return nil
}

// renameAttachment changes the name that is shown, and nothing else.
func (s *Server) renameAttachment(w http.ResponseWriter, q *request) {
	a := s.attachment(q.args)
	if a == nil {
		refuse(w, http.StatusNotFound, "Not Found", "", "")
		return
	}
	var body struct {
		Data struct{ Attributes struct{ Name *string } }
	}
	if json.Unmarshal(q.body, &body) != nil {
		refuse(w, http.StatusBadRequest, "Invalid JSON format", "", "")
		return
	}
	if n := body.Data.Attributes.Name; n != nil {
		a.Name = *n
	}
	reply(w, http.StatusOK, map[string]any{"data": a.row()})
}

// A file is one that is to be hung.
type file struct {
	name    string
	content []byte
}

// attach takes one file, an array of them, or a form.
func (s *Server) attach(w http.ResponseWriter, q *request) {
	if !s.parent(w, q) {
		return
	}
	files, single, status, wrong := q.files()
	if status != 0 {
		refuse(w, status, http.StatusText(status), wrong, "/data/attributes/attachment")
		return
	}
	var rows []row
	for _, f := range files {
		if q.short {
			f.content = f.content[:len(f.content)/2]
		}
		rows = append(rows, s.hang(q.args[0], f.name, f.content).row())
	}
	if single {
		reply(w, http.StatusCreated, map[string]any{"data": rows[0]})
		return
	}
	reply(w, http.StatusCreated, map[string]any{"data": rows})
}

// files reads what is to be hung; status is not 0 where it is wrong.
func (q *request) files() (files []file, single bool, status int, wrong string) {
	if q.mediaType() == "multipart/form-data" {
		f, ok := q.form()
		if !ok {
			return nil, false, http.StatusUnprocessableEntity, "attachment can't be blank"
		}
		return []file{f}, true, 0, ""
	}
	var body struct{ Data json.RawMessage }
	if json.Unmarshal(q.body, &body) != nil {
		return nil, false, http.StatusBadRequest, "Invalid JSON format"
	}
	type one struct {
		Type       string
		Attributes struct {
			Attachment struct {
				Content  string `json:"content"`
				FileName string `json:"file_name"`
			}
		}
	}
	var list []one
	if single = !bytes.HasPrefix(bytes.TrimSpace(body.Data), []byte("[")); single {
		list = make([]one, 1)
		if json.Unmarshal(body.Data, &list[0]) != nil {
			return nil, false, http.StatusUnprocessableEntity, "data is wrong"
		}
	} else if json.Unmarshal(body.Data, &list) != nil {
		return nil, false, http.StatusUnprocessableEntity, "data is wrong"
	}
	for _, o := range list {
		a := o.Attributes.Attachment
		content, err := base64.StdEncoding.Strict().DecodeString(a.Content)
		switch {
		case o.Type != "attachments":
			return nil, false, http.StatusUnprocessableEntity, "type is wrong"
		case a.Content == "" || a.FileName == "":
			return nil, false, http.StatusUnprocessableEntity, "content and file_name can't be blank"
		case err != nil || strings.ContainsAny(a.Content, "\r\n"): // which Go's decoder would pass over
			return nil, false, http.StatusUnprocessableEntity, "content is not base64: " + a.Content
		}
		files = append(files, file{a.FileName, content})
	}
	return files, single, 0, ""
}

func (q *request) form() (file, bool) {
	_, params, err := mime.ParseMediaType(q.Header.Get("Content-Type"))
	if err != nil {
		return file{}, false
	}
	var f file
	var typed bool
	for form := multipart.NewReader(bytes.NewReader(q.body), params["boundary"]); ; {
		part, err := form.NextPart()
		if err != nil {
			return f, typed && f.name != ""
		}
		content, err := io.ReadAll(part)
		switch {
		case err != nil:
			return file{}, false
		case part.FormName() == "data[type]":
			typed = string(content) == "attachments"
		case part.FormName() == "data[attributes][attachment]":
			f = file{part.FileName(), content}
		}
	}
}

// removeAttachments removes those that the body names. Where one is unknown it
// removes none, which is an assumption.
func (s *Server) removeAttachments(w http.ResponseWriter, q *request) {
	if !s.parent(w, q) {
		return
	}
	var body struct {
		Data []struct {
			Type       string
			Attributes struct{ ID any }
		}
	}
	if err := json.Unmarshal(q.body, &body); err != nil || len(body.Data) == 0 {
		refuse(w, http.StatusUnprocessableEntity, "Unprocessable Entity", "data is wrong", "/data")
		return
	}
	ids := map[int]bool{}
	var rows []row
	for _, d := range body.Data {
		a := s.attachment([]string{q.args[0], fmt.Sprint(d.Attributes.ID)})
		if a == nil {
			refuse(w, http.StatusNotFound, "Not Found", "", "")
			return
		}
		ids[a.ID] = true
		rows = append(rows, a.row())
	}
	s.hanging[q.args[0]] = slices.DeleteFunc(s.hanging[q.args[0]], func(a Attachment) bool { return ids[a.ID] })
	reply(w, http.StatusOK, map[string]any{"data": rows})
}
