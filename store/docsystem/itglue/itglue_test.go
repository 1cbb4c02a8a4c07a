package itglue

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/configs/conformance"
	"belay/devices"
	"belay/store/docsystem/internal/system"
	"belay/store/docsystem/itglue/standin"
)

// began starts a stand-in with two customers and the firewall of the first.
func began(t *testing.T) (*standin.Server, *Account, configs.Item) {
	t.Helper()
	s := standin.New()
	address, err := s.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		if bad := s.Violations(); len(bad) > 0 {
			t.Errorf("requests that may never be sent: %v", bad)
		}
	})
	acme := s.AddOrganization(standin.Organization{Name: "Acme Dental"})
	s.AddOrganization(standin.Organization{Name: "Globex Law"})
	fw := s.AddConfiguration(standin.Configuration{Organization: acme, Name: "FW-01", Serial: "FGT60FTK2109001", MAC: "00-09-0F-AA-10-2B"})
	return s, open(t, address, system.Options{}), configs.Item{Organization: strconv.Itoa(acme), ID: strconv.Itoa(fw), Name: "FW-01"}
}

func open(t *testing.T, address string, o system.Options) *Account {
	t.Helper()
	o.URL = address
	if o.Key.IsZero() {
		o.Key = devices.NewSecret(standin.Key)
	}
	a, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	a.client.rest.Nap = time.Millisecond
	return a
}

// behind starts a server of the test's own, for answers that IT Glue should not
// give.
func behind(t *testing.T, f http.HandlerFunc) *Account {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return open(t, s.URL, system.Options{})
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func text(n int) configs.Attached {
	return configs.Attached{Name: fmt.Sprintf("fw-hq_%d.txt", n), Bytes: fmt.Appendf(nil, "hostname fw-hq\n! %d\n", n)}
}

func declined(err error) configs.Decline {
	if d, ok := errors.AsType[*configs.Declined](err); ok {
		return d.Why
	}
	return ""
}

func TestITGlueIsADocumentationSystem(t *testing.T) {
	t.Parallel()
	conformance.Documentation(t, func(t *testing.T) (configs.Documentation, configs.Item) {
		_, a, item := began(t)
		return a, item
	})
}

func TestTheSettingsSayWhereAnAccountLives(t *testing.T) {
	t.Parallel()
	for o, want := range map[[2]string]string{
		{"us", ""}: "https://api.itglue.com", {"eu", ""}: "https://api.eu.itglue.com", {" AU ", ""}: "https://api.au.itglue.com",
		{"us", "https://proxy.example.net/glue/"}: "https://proxy.example.net/glue", {"", "http://127.0.0.1:9"}: "http://127.0.0.1:9",
		{"", ""}: "", {"uk", ""}: "", {"us", "http://proxy.example.net"}: "",
	} {
		a, err := Open(system.Options{Region: o[0], URL: o[1], Key: devices.NewSecret("ITG.x")})
		switch {
		case want == "" && (devices.KindOf(err) != devices.Usage || devices.HintOf(err) == ""):
			t.Errorf("%v is opened, or refused without a hint: %v", o, err)
		case want != "" && (err != nil || a.client.rest.Base.String() != want):
			t.Errorf("%v: %v, want %s", o, err, want)
		}
	}
	if _, err := Open(system.Options{Region: "us"}); devices.KindOf(err) != devices.Usage {
		t.Errorf("an account without a key: %v", err)
	}
	if s := System(); s.Attach != "" || s.PerMinute*5+s.Burst > 2400 || !s.Elsewhere {
		t.Errorf("the settings need not say what is attached, or the account is used up: %+v", s)
	}
}

func TestAFileArrivesByteForByteInTwoCalls(t *testing.T) {
	t.Parallel()
	s, a, item := began(t)
	f := configs.Attached{Name: "fw-hq.txt", Bytes: []byte("\x00\xff\xfehostname fw-hq\r\n<&>")}
	told, err := a.Attach(t.Context(), item, f)
	if err != nil {
		t.Fatal(err)
	}
	all, err := a.Attached(t.Context(), item)
	if err != nil || len(all) != 1 || !cmp.Equal(all[0], told) || told.Bytes != len(f.Bytes) || told.Name != f.Name || told.At.IsZero() {
		t.Errorf("told %+v, listed %+v, %v", told, all, err)
	}
	there := s.Attachments(atoi(t, item.ID))
	if len(there) != 1 || string(there[0].Bytes) != string(f.Bytes) || there[0].Name != f.Name {
		t.Errorf("there hang %+v", there)
	}
	if n := s.AllCalls(); n != 2 {
		t.Errorf("it took %d calls: %v", n, s.Asked())
	}
}

func TestWhatITGlueWouldNotTakeIsNotSent(t *testing.T) {
	t.Parallel()
	s, a, item := began(t)
	for name, c := range map[string]struct {
		item configs.Item
		f    configs.Attached
		why  configs.Decline
	}{
		"too large":        {item, configs.Attached{Name: "a.txt", Bytes: make([]byte, maxBytes+1)}, configs.TooLarge},
		"another ending":   {item, configs.Attached{Name: "a.conf", Bytes: []byte("x")}, configs.Invalid},
		"an id with a way": {configs.Item{ID: "1/../2"}, configs.Attached{Name: "a.txt", Bytes: []byte("x")}, configs.Gone},
		"no id":            {configs.Item{}, configs.Attached{Name: "a.txt", Bytes: []byte("x")}, configs.Gone},
	} {
		if _, err := a.Attach(t.Context(), c.item, c.f); declined(err) != c.why {
			t.Errorf("%s: %v, want %s", name, err, c.why)
		}
	}
	if n := s.AllCalls(); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
	if _, err := a.Attach(t.Context(), item, configs.Attached{Name: "a.txt", Bytes: make([]byte, maxBytes)}); err != nil {
		t.Errorf("the largest file that is sent does not fit into a request: %v", err)
	}
}

func TestALongListIsReadWholeInPagesThatTheGatewayBears(t *testing.T) {
	t.Parallel()
	s, a, item := began(t)
	want := map[string]bool{}
	for i := range 2345 {
		want[strconv.Itoa(s.Hang(atoi(t, item.ID), fmt.Sprintf("%d.txt", i), []byte("x")))] = true
	}
	for slow, calls := range map[int]int{0: 3, 500: 1 + 5, 130: 1 + 1 + 1 + 19} {
		s.Set(func(w *standin.Switches) { w.SlowPages = slow })
		s.Forget()
		all, err := a.Attached(t.Context(), item)
		if err != nil || len(all) != len(want) || s.AllCalls() != calls {
			t.Errorf("pages up to %d: %d attachments in %d calls, %v; want %d in %d", slow, len(all), s.AllCalls(), err, len(want), calls)
		}
		for _, at := range all {
			if !want[at.ID] {
				t.Errorf("attachment %s is nobody's", at.ID)
			}
		}
	}
	s.Set(func(w *standin.Switches) { w.SlowPages = 10 })
	if all, err := a.Attached(t.Context(), item); err == nil {
		t.Errorf("a list that never comes was read: %d attachments", len(all))
	}
}

func TestARowThatMovesToTheNextPageMeanwhileIsListedOnce(t *testing.T) {
	t.Parallel()
	a := behind(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("page[number]") == "1" {
			fmt.Fprint(w, `{"data":[{"id":"3","attributes":{}},{"id":"2","attributes":{}}],"meta":{"next-page":2}}`)
			return
		}
		fmt.Fprint(w, `{"data":[{"id":"2","attributes":{}},{"id":"1","attributes":{}}],"meta":{"next-page":null}}`)
	})
	if all, err := a.Attached(t.Context(), configs.Item{ID: "7"}); err != nil || len(all) != 3 {
		t.Errorf("listed are %v, %v", all, err)
	}
}

func TestWithoutAListTheAttachmentsAreIncluded(t *testing.T) {
	t.Parallel()
	for _, order := range [][]string{{"list missing"}, {"list missing=405"}, {"list missing", "include inside"}} {
		s, a, item := began(t)
		told, err := a.Attach(t.Context(), item, text(1))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range order {
			if err := s.Order(o); err != nil {
				t.Fatal(err)
			}
		}
		if all, err := a.Attached(t.Context(), item); err != nil || len(all) != 1 || !cmp.Equal(all[0], told) {
			t.Errorf("%v: listed %+v, %v, want %+v", order, all, err, told)
		}
		s.Remove(atoi(t, item.ID))
		if all, err := a.Attached(t.Context(), item); declined(err) != configs.Gone {
			t.Errorf("%v: an item that is gone has %v, %v", order, all, err)
		}
	}
}

func TestAnAnswerThatHidesAttachmentsIsNotAnEmptyList(t *testing.T) {
	t.Parallel()
	page := `{"data":[{"id":"%[1]s","type":"attachments","attributes":{}}],"meta":{"current-page":%[1]s,"next-page":1,"total-pages":9}}`
	for name, f := range map[string]http.HandlerFunc{
		"no list and nothing included": func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "attachments") {
				http.NotFound(w, r)
				return
			}
			fmt.Fprint(w, `{"data":{"id":"7","type":"configurations","attributes":{"name":"FW-01"}}}`)
		},
		"linked and not described": func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "attachments") {
				http.NotFound(w, r)
				return
			}
			fmt.Fprint(w, `{"data":{"id":"7","relationships":{"attachments":{"data":[{"id":"1"}]}}},"included":[]}`)
		},
		"another item": func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "attachments") {
				http.NotFound(w, r)
				return
			}
			fmt.Fprint(w, `{"data":{"id":"8","relationships":{"attachments":{"data":[]}}},"included":[]}`)
		},
		"pages in a circle": func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, page, r.URL.Query().Get("page[number]")) },
		"no list":           func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"errors":[]}`) },
		"a log-in page":     func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `<html>log in</html>`) },
		"rows without ids":  func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"data":[{"attributes":{}}]}`) },
	} {
		if all, err := behind(t, f).Attached(t.Context(), configs.Item{ID: "7"}); err == nil {
			t.Errorf("%s: taken for %d attachments", name, len(all))
		}
	}
}

func TestAnUploadWithoutAnIDLeavesOpenWhetherItHangs(t *testing.T) {
	t.Parallel()
	for _, body := range []string{``, `{}`, `{"data":null}`, `{"data":{"type":"attachments"}}`, `{"data":{"id":"../7"}}`, `<html>fine</html>`} {
		a := behind(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated); fmt.Fprint(w, body) })
		if told, err := a.Attach(t.Context(), configs.Item{ID: "7"}, text(1)); err == nil || declined(err) != "" {
			t.Errorf("%q: %+v, %v (declined %q)", body, told, err, declined(err))
		}
	}
	a := behind(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"data":{"id":551201}}`) })
	if told, err := a.Attach(t.Context(), configs.Item{ID: "7"}, text(1)); err != nil || told.ID != "551201" || told.Bytes != -1 {
		t.Errorf("a numeric id without attributes: %+v, %v", told, err)
	}
}

func TestWhatMayHaveBeenDoneIsToldFromWhatWasNot(t *testing.T) {
	t.Parallel()
	for order, c := range map[string]struct {
		why   configs.Decline // empty: open
		hangs int
	}{
		"drop next=1": {"", 1}, "garbage next=1": {"", 1}, "504 done next=1": {"", 1}, "500 done next=1": {"", 1}, "cut next=1": {"", 0},
		"500 next=1": {"", 0}, "502 next=1": {"", 0}, "504 next=1": {"", 0}, "late next=1": {"", 0},
		"429 next=1": {configs.Busy, 0}, "429 next=1 retry-after=7": {configs.Busy, 0}, "401 next=1": {configs.Unauthorized, 0}, "403 next=1": {configs.Unauthorized, 0},
		"404 next=1": {configs.Gone, 0}, "413 next=1": {configs.TooLarge, 0}, "422 next=1": {configs.Invalid, 0}, "415 next=1": {configs.Invalid, 0}, "down": {configs.Busy, 0},
	} {
		s, a, item := began(t)
		if err := s.Order(order); err != nil {
			t.Fatal(err)
		}
		_, err := a.Attach(t.Context(), item, text(1))
		if err == nil || declined(err) != c.why || len(s.Attachments(atoi(t, item.ID))) != c.hangs {
			t.Errorf("%s: %v (declined %q), %d hang there; want %q and %d", order, err, declined(err), len(s.Attachments(atoi(t, item.ID))), c.why, c.hangs)
		}
		if strings.HasPrefix(order, "late") {
			s.Settle()
			c.hangs = 1
		}
		if err := s.Up(); err != nil {
			t.Fatal(err)
		}
		if all, err := a.Attached(t.Context(), item); err != nil || len(all) != c.hangs {
			t.Errorf("%s: afterwards %d are listed, want %d, %v", order, len(all), c.hangs, err)
		}
	}
}

func TestAnOversizedRequestIsRefusedInEachOfTheWaysThatAreThinkable(t *testing.T) {
	t.Parallel()
	for order, why := range map[string]configs.Decline{"large 413": configs.TooLarge, "large 422": configs.Invalid, "large cut": ""} {
		s, a, item := began(t)
		a.max = 20 << 20
		if err := s.Order(order); err != nil {
			t.Fatal(err)
		}
		_, err := a.Attach(t.Context(), item, configs.Attached{Name: "a.txt", Bytes: make([]byte, 8<<20)})
		if err == nil || declined(err) != why || len(s.AllAttachments()) != 0 {
			t.Errorf("%s: %v (declined %q), want %q", order, err, declined(err), why)
		}
	}
}
