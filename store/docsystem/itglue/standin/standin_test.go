package standin_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"belay/store/docsystem/itglue/standin"
)

const jsonAPI = "application/vnd.api+json"

// A visitor asks the stand-in over HTTP.
type visitor struct {
	t    *testing.T
	s    *standin.Server
	base string
	key  string
}

func visit(t *testing.T) visitor {
	t.Helper()
	s := standin.New()
	base, err := s.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.AddOrganization(standin.Organization{ID: 1, Name: "Acme Dental"})
	s.AddOrganization(standin.Organization{ID: 2, Name: "Acme Dental Labs"})
	s.AddConfiguration(standin.Configuration{ID: 11, Organization: 1, Name: "FW-HQ", Serial: "FGT1", Interfaces: []standin.Interface{{Name: "wan", MAC: "00:09:0f:00:00:01"}}})
	s.AddConfiguration(standin.Configuration{ID: 12, Organization: 1, Name: "FW-HQ-2", Serial: "FGT12", Archived: true})
	s.AddConfiguration(standin.Configuration{ID: 21, Organization: 2, Name: "FW-HQ", Synced: true})
	return visitor{t, s, base, standin.Key}
}

func (v visitor) ask(method, path, kind, body string) (int, string, error) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), method, v.base+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	if v.key != "" {
		req.Header.Set("x-api-key", v.key)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(answer), err
}

// want asks and compares status and a part of the answer.
func (v visitor) want(status int, part, method, path, body string) string {
	v.t.Helper()
	kind := ""
	if body != "" {
		kind = jsonAPI
	}
	got, answer, err := v.ask(method, path, kind, body)
	if err != nil || got != status || !strings.Contains(answer, part) {
		v.t.Errorf("%s %s: %d %.300s, %v; want %d with %s", method, path, got, answer, err, status, part)
	}
	return answer
}

// rows are the ids in an answer, in its order.
func rows(t *testing.T, answer string) []string {
	t.Helper()
	var a struct {
		Data []struct{ ID string }
	}
	if err := json.Unmarshal([]byte(answer), &a); err != nil {
		t.Fatalf("%v in %.300s", err, answer)
	}
	var ids []string
	for _, r := range a.Data {
		ids = append(ids, r.ID)
	}
	return ids
}

func TestAKeyIsLookedAtFirst(t *testing.T) {
	t.Parallel()
	v := visit(t)
	v.s.AddKey("ITG.europe", standin.Access{Region: "eu"})
	for key, status := range map[string]int{"": 401, "ITG.wrong": 403, "ITG.europe": 403, standin.Key: 200} {
		v.key = key
		v.want(status, "", "GET", "/organizations", "")
	}
	if err := v.s.Order("key 401"); err != nil {
		t.Fatal(err)
	}
	v.key = "ITG.wrong"
	v.want(401, `"status":401`, "GET", "/organizations", "")
}

func TestFiltersMatchAsTheRealOnesDo(t *testing.T) {
	t.Parallel()
	v := visit(t)
	for query, want := range map[string][]string{
		"filter[name]=fw-hq":                          {"11", "12", "21"}, // a part, in either case
		"filter[organization_id]=1":                   {"11", "12"},
		"filter[organization_id]=1&filter[name]=HQ-2": {"12"},
		"filter[serial_number]=FGT1":                  {"11", "12"},
		"filter[id]=11,21":                            {"11", "21"},
		"filter[archived]=true":                       {"12"},
		"filter[archived]=0":                          {"11", "21"},
		"filter[serial]=FGT1":                         {"11", "12", "21"}, // unknown: ignored without a word
		"filter[organization-id]=1":                   {"11", "12", "21"},
		"sort=-id":                                    {"21", "12", "11"},
	} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if got := rows(t, v.want(200, "", "GET", "/configurations?"+q.Encode(), "")); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
	if got := rows(t, v.want(200, "", "GET", "/organizations?filter[name]=Acme+Dental", "")); !slices.Equal(got, []string{"1"}) {
		t.Errorf("organizations are found by a part of their name: %v", got)
	}
	v.want(422, "psa_integration_type", "GET", "/configurations?filter[psa_id]=7", "")
	v.want(422, "", "GET", "/configurations?page[size]=1001", "")
	v.want(200, `"next-page":2`, "GET", "/configurations?page[size]=2", "")
	v.want(200, `"organization-id":1`, "GET", "/configurations/11", "")
	v.want(200, `"data":[]`, "GET", "/configurations?page[size]=2&page[number]=9", "")
	v.want(200, `"mac-address":"00:09:0f:00:00:01"`, "GET", "/configurations/11/relationships/configuration_interfaces", "")
	v.want(404, "", "GET", "/configurations/99", "")
}

const hung = `{"data":{"type":"attachments","attributes":{"attachment":{"content":"eA==","file_name":"a.txt"}}}}`

func TestAttachmentsAreTakenStrictlyAndNeverReplaced(t *testing.T) {
	t.Parallel()
	v := visit(t)
	const path = "/configurations/11/relationships/attachments"
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"no JSON":        {`{"data":`, 400},
		"line breaks":    {strings.Replace(hung, "eA==", `eA=\n=`, 1), 422},
		"no padding":     {strings.Replace(hung, "eA==", "eA", 1), 422},
		"loose bits":     {strings.Replace(hung, "eA==", "eB==", 1), 422},
		"a data URL":     {strings.Replace(hung, "eA==", "data:text/plain;base64,eA==", 1), 422},
		"URL alphabet":   {strings.Replace(hung, "eA==", "_-8=", 1), 422},
		"no name":        {strings.Replace(hung, "a.txt", "", 1), 422},
		"hyphen in name": {strings.Replace(hung, "file_name", "file-name", 1), 422},
		"another type":   {strings.Replace(hung, `"attachments"`, `"files"`, 1), 422},
	} {
		if status, answer, err := v.ask("POST", path, jsonAPI, c.body); status != c.status || err != nil {
			t.Errorf("%s: %d %s, %v", name, status, answer, err)
		}
	}
	if status, _, _ := v.ask("POST", path, "application/json", hung); status != 415 {
		t.Errorf("plain JSON is answered %d", status)
	}
	if n := len(v.s.Attachments(11)); n != 0 {
		t.Fatalf("%d attachments hang there", n)
	}
	v.want(404, "", "POST", "/configurations/99/relationships/attachments", hung)
	v.want(201, `"attachment-file-size":1`, "POST", path, hung)
	v.want(201, "", "POST", path, `{"data":[`+hung[8:len(hung)-1]+`,`+hung[8:len(hung)-1]+`]}`)
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	m.WriteField("data[type]", "attachments")
	f, _ := m.CreateFormFile("data[attributes][attachment]", "b.txt")
	f.Write([]byte("xyz"))
	m.Close()
	if status, answer, err := v.ask("POST", path, m.FormDataContentType(), form.String()); status != 201 || err != nil {
		t.Errorf("a form is answered %d %s, %v", status, answer, err)
	}
	there := v.s.Attachments(11)
	var want []string
	for _, a := range there {
		want = append(want, fmt.Sprint(a.ID))
	}
	slices.Reverse(want) // newest first
	if got := rows(t, v.want(200, "", "GET", path, "")); len(got) != 4 || !slices.Equal(got, want) || string(there[3].Bytes) != "xyz" {
		t.Errorf("listed are %v, want %v", got, want)
	}

	v.want(200, `"attachment-file-name":"a.txt"`, "PATCH", path+"/"+want[3], `{"data":{"type":"attachments","attributes":{"name":"kept.txt","attachment-file-name":"z"}}}`)
	v.want(200, `"name":"kept.txt"`, "GET", path+"/"+want[3], "")
	v.want(404, "", "GET", "/configurations/12/relationships/attachments/"+want[3], "")
	v.want(404, "", "DELETE", path, `{"data":[{"type":"attachments","attributes":{"id":`+want[0]+`}},{"type":"attachments","attributes":{"id":9}}]}`)
	v.want(200, want[0], "DELETE", path, `{"data":[{"type":"attachments","attributes":{"id":`+want[0]+`}},{"type":"attachments","attributes":{"id":"`+want[1]+`"}}]}`)
	if got := rows(t, v.want(200, "", "GET", path, "")); !slices.Equal(got, want[2:]) {
		t.Errorf("left are %v, want %v", got, want[2:])
	}
	v.want(404, "", "DELETE", path+"/"+want[2], "")
	for order, part := range map[string]string{"include inside": `"included":[{`, "clear": `},"included":[`} {
		if err := v.s.Order(order); err != nil {
			t.Fatal(err)
		}
		answer := v.want(200, part, "GET", "/configurations/11?include=attachments", "")
		var top map[string]json.RawMessage
		if err := json.Unmarshal([]byte(answer), &top); err != nil || (top["included"] == nil) != (order == "include inside") {
			t.Errorf("%s: top level holds %v, %v", order, slices.Sorted(maps.Keys(top)), err)
		}
	}
}

func TestRecordsFromElsewhereKeepWhatIsNotTheirs(t *testing.T) {
	t.Parallel()
	v := visit(t)
	patch := func(attributes string) string {
		return `{"data":{"type":"configurations","attributes":` + attributes + `}}`
	}
	v.want(422, "synced", "PATCH", "/configurations/21", patch(`{"name":"X","restricted":true}`))
	v.want(200, `"restricted":true`, "PATCH", "/configurations/21", patch(`{"restricted":true,"serial_number":"S9"}`))
	v.want(200, `"name":"FW-NEW"`, "PATCH", "/configurations/11", patch(`{"name":"FW-NEW","asset-tag":"7"}`))
	v.want(422, "relationships", "PATCH", "/configurations/11", `{"data":{"type":"configurations","attributes":{},"relationships":{"x":1}}}`)
	if c := v.s.Configurations()[2]; c.Name != "FW-HQ" || c.Serial != "S9" || !c.Restricted {
		t.Errorf("the record is now %+v", c)
	}
}

func TestPasswordsAreShownOnlyToAKeyThatMay(t *testing.T) {
	t.Parallel()
	v := visit(t)
	v.s.AddPassword(standin.Password{ID: 71, Organization: 1, Configuration: 11, Name: "backup", Username: "belay", Password: "s3cr3t"})
	v.s.AddKey("ITG.all", standin.Access{Passwords: true})
	shown := func(path string) bool {
		return strings.Contains(v.want(200, `"username":"belay"`, "GET", path, ""), "s3cr3t")
	}
	if shown("/passwords/71") || shown("/passwords") {
		t.Error("a key without the right sees a password")
	}
	v.key = "ITG.all"
	if !shown("/passwords/71") || shown("/passwords/71?show_password=false") || shown("/organizations/1/relationships/passwords") {
		t.Error("a key with the right sees too little or too much")
	}
}

func TestWhatNobodyMaySendIsNoticed(t *testing.T) {
	t.Parallel()
	v := visit(t)
	v.want(200, "", "GET", "/configurations?filter[organization_id]=1", "")
	if bad := v.s.Violations(); len(bad) != 0 {
		t.Errorf("a filter on a GET counts as %v", bad)
	}
	v.ask("DELETE", "/configurations/11/relationships/attachments?filter[id]=1", jsonAPI, `{"data":[]}`)
	v.ask("PATCH", "/configurations/11?filter%5Borganization_id%5D=1", jsonAPI, `{}`)
	v.ask("DELETE", "/configurations", jsonAPI, `{}`)
	v.ask("GET", "/configurations?key="+standin.Key, "", "")
	if bad := v.s.Violations(); len(bad) != 4 {
		t.Errorf("noticed are %v, want 4", bad)
	}
}
