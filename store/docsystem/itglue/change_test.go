package itglue

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/devices"
	"belay/store/docsystem/internal/system"
	"belay/store/docsystem/itglue/standin"
)

func TestARemovalTakesOneAttachmentAndNoOther(t *testing.T) {
	t.Parallel()
	s, a, item := began(t)
	var told []configs.Attachment
	for i := range 3 {
		at, err := a.Attach(t.Context(), item, configs.Attached{Name: "same.txt", Bytes: fmt.Append(nil, i)})
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, at)
	}
	for range 2 { // the second time it is gone already
		if err := a.RemoveAttachment(t.Context(), item, told[1]); err != nil {
			t.Error(err)
		}
	}
	var left []string
	for _, at := range s.AllAttachments() {
		left = append(left, strconv.Itoa(at.ID))
	}
	if want := []string{told[0].ID, told[2].ID}; !slices.Equal(left, want) {
		t.Errorf("left are %v, want %v", left, want)
	}
	for _, id := range []string{"", "1,2", "1?filter[id]=2", "*"} {
		s.Forget()
		if err := a.RemoveAttachment(t.Context(), item, configs.Attachment{ID: id}); err == nil || s.AllCalls() != 0 {
			t.Errorf("the id %q was sent, or accepted: %v", id, err)
		}
	}
}

func TestARemovalIsBelievedOnlyWhenItIsSeen(t *testing.T) {
	t.Parallel()
	const list = `{"data":[{"id":"5","type":"attachments","attributes":{"name":"a.txt"}}],"meta":{"next-page":null}}`
	for name, c := range map[string]struct {
		answer, list string
		fine         bool
	}{
		"named in the answer":        {`{"data":[{"id":"5"}]}`, list, true},
		"another than named":         {`{"data":[{"id":"5"},{"id":"6"}]}`, `{"data":[]}`, false},
		"no word, and still there":   {``, list, false},
		"no word, and gone":          {``, `{"data":[]}`, true},
		"nothing, and still there":   {`{"data":[]}`, list, false},
		"a web page and still there": {`<html></html>`, list, false},
	} {
		a := behind(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				fmt.Fprint(w, c.list)
				return
			}
			if body, _ := io.ReadAll(r.Body); string(body) != `{"data":[{"attributes":{"id":5},"type":"attachments"}]}` || r.URL.RawQuery != "" {
				t.Errorf("asked to remove with %s and query %q", body, r.URL.RawQuery)
			}
			fmt.Fprint(w, c.answer)
		})
		if err := a.RemoveAttachment(t.Context(), configs.Item{ID: "7"}, configs.Attachment{ID: "5"}); (err == nil) != c.fine {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestARecordFromElsewhereIsRestrictedAndNothingElseOfItChanged(t *testing.T) {
	t.Parallel()
	s, a, item := began(t)
	s.Change(atoi(t, item.ID), func(c *standin.Configuration) { c.Synced = true })
	before := s.Configurations()[0]
	if err := a.Restrict(t.Context(), item); err != nil {
		t.Fatal(err)
	}
	before.Restricted = true
	if diff := cmp.Diff(before, s.Configurations()[0]); diff != "" {
		t.Error(diff)
	}
	if items, err := a.Items(t.Context(), item.Organization, []string{item.ID}); err != nil || len(items) != 1 || !items[0].Restricted {
		t.Errorf("listed as %+v, %v", items, err)
	}
	s.Remove(atoi(t, item.ID))
	if err := a.Restrict(t.Context(), item); declined(err) != configs.Gone {
		t.Errorf("an item that is gone: %v", err)
	}
	deaf := behind(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"data":{"id":"7","attributes":{"restricted":false}}}`)
	})
	if err := deaf.Restrict(t.Context(), configs.Item{ID: "7"}); err == nil {
		t.Error("an item that stayed open counts as restricted")
	}
}

func TestAProbeTellsWhatAKeyCanDo(t *testing.T) {
	t.Parallel()
	s, a, _ := began(t)
	checks, err := a.Probe(t.Context())
	if err != nil || len(checks) != 3 || slices.ContainsFunc(checks, func(c configs.Check) bool { return !c.OK }) ||
		!strings.Contains(checks[1].Detail, "2 organizations, 1 configurations") || !strings.Contains(checks[2].Detail, "90 days") {
		t.Errorf("%+v, %v", checks, err)
	}
	s.AddKey("odd-key", standin.Access{})
	s.AddKey("ITG.europe", standin.Access{Region: "eu"})
	for key, want := range map[string]string{"odd-key": "does not begin with ITG.", "ITG.europe": "region", "ITG.wrong": "90 days"} {
		checks, err := open(t, a.client.rest.Base.String(), system.Options{Key: devices.NewSecret(key)}).Probe(t.Context())
		if err != nil || !strings.Contains(checks[0].Detail, want) || checks[0].OK != (key == "odd-key") || strings.Contains(fmt.Sprint(checks), key) {
			t.Errorf("%s: %+v, %v", key, checks, err)
		}
	}
	for route := range strings.SplitSeq(strings.Join(s.Asked(), "\n"), "\n") {
		if !strings.HasPrefix(route, "GET ") {
			t.Errorf("a probe sent %s", route)
		}
	}
	s.Close()
	if _, err := a.Probe(t.Context()); declined(err) != configs.Busy {
		t.Errorf("nobody there: %v", err)
	}
}
