package standin

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func ask(t *testing.T, method, url, kind string, body []byte) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("x-api-key", Key)
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, ""
	}
	return resp.StatusCode, string(text)
}

func form(t *testing.T, fields map[string]string, name, text string) (string, []byte) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for k, v := range fields {
		if err := w.WriteField(k, v); err != nil {
			t.Fatal(err)
		}
	}
	if name != "" {
		part, err := w.CreateFormFile("file", name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(part, text)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.Bytes()
}

func start(t *testing.T) (*Server, string) {
	t.Helper()
	s := New()
	url, err := s.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, url + "/api/v1"
}

func TestEveryOrderIsUnderstoodOrRefused(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	for _, line := range []string{
		"down", "up", "up", "clear", "settle", "401", "404 next=1", "429 after=3 next=2 retry-after=2", "500 on=POST", "502", "503", "504 next=1", "drop next=2", "cut", "late",
		"slow 2s", "version 2.40.1", "page 100", "cap 1000", "scope 3,4", "scope all", "unowned on", "wrapped on", "bucket off", "null on", "sizes on", "ignored on", "keep on",
	} {
		if err := s.Order(line); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	for _, line := range []string{"", "dance", "slow", "slow two", "429 sometimes=1", "429 next=x", "null maybe", "scope a", "cap", "unowned"} {
		if s.Order(line) == nil {
			t.Errorf("%q was taken for an order", line)
		}
	}
}

func TestUploadsAreTakenAsHuduTakesThem(t *testing.T) {
	t.Parallel()
	s, url := start(t)
	id := s.AddAsset(Asset{Company: s.AddCompany("Acme"), Name: "fw-hq"})
	good := map[string]string{"upload[uploadable_id]": "2", "upload[uploadable_type]": "Asset"}
	if id != 2 {
		t.Fatalf("the asset is %d", id)
	}
	for _, c := range []struct {
		fields map[string]string
		name   string
		status int
	}{
		{good, "a.txt", http.StatusCreated},
		{good, "a.txt", http.StatusCreated},
		{good, "", http.StatusBadRequest},
		{map[string]string{"upload[uploadable_id]": "9", "upload[uploadable_type]": "Asset"}, "a.txt", http.StatusUnprocessableEntity},
		{map[string]string{"upload[uploadable_id]": "2", "upload[uploadable_type]": "Company"}, "a.txt", http.StatusUnprocessableEntity},
		{map[string]string{"upload[uploadable_id]": "2"}, "a.txt", http.StatusUnprocessableEntity},
	} {
		kind, body := form(t, c.fields, c.name, "hostname")
		if got, text := ask(t, "POST", url+"/uploads", kind, body); got != c.status {
			t.Errorf("%v %q: %d %s, want %d", c.fields, c.name, got, text, c.status)
		}
	}
	if got, _ := ask(t, "POST", url+"/uploads", "application/json", []byte(`{}`)); got != http.StatusBadRequest {
		t.Errorf("JSON: %d", got)
	}
	if got := s.Uploads(); len(got) != 2 || string(got[0].Bytes) != "hostname" || got[0].ID == got[1].ID || !got[1].At.After(got[0].At) {
		t.Errorf("%+v hang there, want the same file twice", got)
	}
}

func TestOddVersionsAnswerOddly(t *testing.T) {
	t.Parallel()
	s, url := start(t)
	s.AddAsset(Asset{Company: s.AddCompany("Acme"), Name: "fw-hq"})
	s.Hang(Upload{Name: "a.txt", Type: "Asset", Record: 2, Bytes: bytes.Repeat([]byte("x"), 12595)})
	for _, c := range []struct {
		order, path string
		status      int
		says        string
	}{
		{"clear", "/uploads?page=1&page_size=1000", 200, `"uploadable_id":2`},
		{"clear", "/uploads?record=2", 400, "record is not a valid filter parameter."},
		{"clear", "/assets?mac=2", 400, "mac is not a valid filter parameter."},
		{"clear", "/uploads/3?download=true", 200, "xxxxx"},
		{"bucket on", "/uploads/3?download=true", 302, ""},
		{"version 2.40.1", "/uploads?page=1", 400, "page is not a valid filter parameter."},
		{"clear", "/uploads/3?download=true", 200, `"name":"a.txt"`},
		{"sizes on", "/uploads", 200, `"size":"12.3 KB"`},
		{"wrapped on", "/uploads/3", 200, `{"upload":{`},
		{"null on", "/uploads/9", 200, "null"},
		{"null off", "/uploads/9", 404, "Upload not found"},
		{"clear", "/nothing", 404, `"status":404`},
		{"429 next=1", "/uploads", 429, "Retry later"},
		{"502 next=1", "/uploads", 502, "<html>"},
		{"scope 7", "/companies/1/assets/2", 401, "error"},
		{"scope all", "/companies/1/assets/2", 200, `"asset":{`},
	} {
		if err := s.Order(c.order); err != nil {
			t.Fatal(err)
		}
		if got, text := ask(t, "GET", url+c.path, "", nil); got != c.status || !strings.Contains(text, c.says) {
			t.Errorf("%s, %s: %d %.200s; want %d and %q", c.order, c.path, got, text, c.status, c.says)
		}
	}
	if err := s.Order("unowned on"); err != nil {
		t.Fatal(err)
	}
	if _, text := ask(t, "GET", url+"/uploads", "", nil); strings.Contains(text, "uploadable") || !strings.Contains(text, "a.txt") {
		t.Errorf("unowned: %s", text)
	}
}

func TestFaultsComeWhenTheyAreOrderedAndGo(t *testing.T) {
	t.Parallel()
	s, url := start(t)
	if err := s.Order("500 after=1 next=2"); err != nil {
		t.Fatal(err)
	}
	var got []int
	for range 4 {
		status, _ := ask(t, "GET", url+"/api_info", "", nil)
		got = append(got, status)
	}
	if !slices.Equal(got, []int{200, 500, 500, 200}) || s.Calls("GET /api_info") != 4 {
		t.Errorf("statuses %v after %d calls", got, s.Calls("GET /api_info"))
	}
}

func TestBadMannersAreRemembered(t *testing.T) {
	t.Parallel()
	s, url := start(t)
	ask(t, "GET", url+"/asset_passwords", "", nil)
	s.mu.Lock()
	storage := s.storage
	s.mu.Unlock()
	if got, _ := ask(t, "GET", storage+"/bucket/1", "", nil); got != http.StatusForbidden {
		t.Errorf("without a signature: %d", got)
	}
	if got := s.Violations(); len(got) != 2 {
		t.Errorf("violations %v, want two", got)
	}
}
