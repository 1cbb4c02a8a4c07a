package standin

import (
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parseUpload reads the form of an upload, before the lock is taken: its body
// comes as slowly as the client sends it.
func parseUpload(r *http.Request) (*Upload, *answer) {
	bad := func(text string) (*Upload, *answer) {
		a := refusal(http.StatusBadRequest, text)
		return nil, &a
	}
	parts, err := r.MultipartReader()
	if err != nil {
		return bad("param is missing or the value is empty: upload")
	}
	var u Upload
	var file bool
	for {
		part, err := parts.NextPart()
		if err == io.EOF { //nolint:errorlint // the reader's own
			break
		} else if err != nil {
			return bad("the form is cut short")
		}
		body, err := io.ReadAll(part)
		if err != nil {
			return bad("the form is cut short")
		}
		switch part.FormName() {
		case "file":
			file, u.Name, u.Bytes = true, part.FileName(), body
		case "upload[uploadable_id]":
			u.Record, _ = strconv.Atoi(string(body)) // a wrong one is no record's
		case "upload[uploadable_type]":
			u.Type = string(body)
		}
	}
	if !file || u.Name == "" {
		return bad("param is missing or the value is empty: file")
	}
	return &u, nil
}

func (s *Server) postUpload(u Upload, late bool) answer {
	if !slices.Contains([]string{"Asset", "Website", "AssetPassword", "Article"}, u.Type) {
		return refusal(http.StatusUnprocessableEntity, "Uploadable type is not supported")
	}
	if u.Type == "Asset" {
		a, ok := s.asset(u.Record)
		if !ok {
			return refusal(http.StatusUnprocessableEntity, "Uploadable must exist")
		}
		if !s.sees(a.Company) {
			return refusal(http.StatusUnauthorized, "You are not authorized")
		}
	}
	if late {
		s.late = append(s.late, u)
		return answer{}
	}
	row := s.uploadRow(s.hang(u), false)
	if s.switches.Wrapped {
		return asJSON(http.StatusCreated, map[string]any{"upload": row})
	}
	return asJSON(http.StatusCreated, row)
}

// uploadRow is an upload as an answer shows it. A list of an older version does
// not say what it hangs on.
func (s *Server) uploadRow(u Upload, unowned bool) map[string]any {
	row := map[string]any{
		"id": u.ID, "url": fmt.Sprintf("/file/%d", u.ID), "name": u.Name, "ext": strings.TrimPrefix(path.Ext(u.Name), "."), "mime": "text/plain",
		"size": strconv.Itoa(len(u.Bytes)), "created_date": u.At.Format("2006-01-02T15:04:05.000Z"), "archived_at": nil,
	}
	if s.switches.Sizes {
		row["size"] = fmt.Sprintf("%.1f KB", float64(len(u.Bytes))/1024)
	}
	if u.Archived {
		row["archived_at"] = u.At.Add(time.Hour).Format("2006-01-02T15:04:05.000Z")
	}
	if !unowned {
		row["uploadable_id"], row["uploadable_type"] = u.Record, u.Type
	}
	return row
}

// listUploads is a bare list of all that hangs anywhere. Which records a scoped
// key is shown is not documented: here those of its companies.
func (s *Server) listUploads(r *http.Request) answer {
	all := rows(s.uploads, func(u Upload) map[string]any { return s.uploadRow(u, s.switches.Unowned) }, func(u Upload) bool {
		a, ok := s.asset(u.Record)
		return u.Type != "Asset" || ok && s.sees(a.Company)
	})
	if s.downloads() {
		return s.list(r, "", nil, all)
	}
	for _, name := range []string{"page", "page_size"} {
		if r.URL.Query().Has(name) {
			return refusal(http.StatusBadRequest, name+" is not a valid filter parameter.")
		}
	}
	return asJSON(http.StatusOK, all)
}

// downloads tells whether this version pages uploads and gives them back: both
// came with 2.41.
func (s *Server) downloads() bool {
	var major, minor int
	_, _ = fmt.Sscanf(s.switches.Version, "%d.%d", &major, &minor) // anything else is an old one
	return major > 2 || major == 2 && minor >= 41
}

func (s *Server) showUpload(id int, download bool) answer {
	i := slices.IndexFunc(s.uploads, func(u Upload) bool { return u.ID == id })
	if i < 0 {
		return s.missing("Upload")
	}
	u := s.uploads[i]
	if a, ok := s.asset(u.Record); u.Type == "Asset" && ok && !s.sees(a.Company) {
		return refusal(http.StatusUnauthorized, "You are not authorized")
	}
	switch {
	case !download || !s.downloads(): // an older one does not know the parameter
		row := s.uploadRow(u, false)
		if s.switches.Wrapped {
			return asJSON(http.StatusOK, map[string]any{"upload": row})
		}
		return asJSON(http.StatusOK, row)
	case s.switches.Bucket:
		return answer{status: http.StatusFound, kind: "text/html", header: http.Header{"Location": {fmt.Sprintf("%s/bucket/%d?X-Amz-Signature=%s", s.storage, id, signature)}}}
	}
	return answer{status: http.StatusOK, kind: "text/plain", body: u.Bytes}
}

func (s *Server) deleteUpload(id int) answer {
	i := slices.IndexFunc(s.uploads, func(u Upload) bool { return u.ID == id })
	switch {
	case s.switches.Keep:
		return refusal(http.StatusUnauthorized, "You are not authorized")
	case i < 0:
		return refusal(http.StatusNotFound, "Upload not found")
	}
	s.uploads = slices.Delete(s.uploads, i, i+1)
	return answer{status: http.StatusNoContent}
}

// signature opens the object storage. It is a secret for as long as it lives.
const signature = "c2lnbmVkLWJ5LW5vYm9keQ"

// serveBucket is the object storage: it takes the signature for a key, and
// remembers the headers that it is sent.
func (s *Server) serveBucket(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.bucket = append(s.bucket, r.Header.Clone())
	if r.Header.Get("X-Api-Key") != "" || r.Header.Get("Authorization") != "" {
		s.violations = append(s.violations, "the key was sent to the object storage")
	}
	id, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/bucket/")) // another path is no file's
	i := slices.IndexFunc(s.uploads, func(u Upload) bool { return u.ID == id })
	a := answer{status: http.StatusForbidden, kind: "application/xml", body: []byte("<Error><Code>AccessDenied</Code></Error>")}
	if r.URL.Query().Get("X-Amz-Signature") == signature && i >= 0 {
		a = answer{status: http.StatusOK, kind: "binary/octet-stream", body: s.uploads[i].Bytes}
	}
	s.mu.Unlock()
	a.write(w)
}
