package hudu

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"belay/configs"
	"belay/devices"
	"belay/store/docsystem/hudu/standin"
	"belay/store/docsystem/internal/rest"
	"belay/store/docsystem/internal/system"
)

// open is the Decline of an error that leaves open what was done.
const ambiguous configs.Decline = "ambiguous"

func sortOf(err error) configs.Decline {
	if d, ok := errors.AsType[*configs.Declined](err); ok {
		return d.Why
	}
	if err != nil {
		return ambiguous
	}
	return ""
}

func TestEveryFaultOfAnUploadSaysWhetherItMayHaveArrived(t *testing.T) {
	t.Parallel()
	const text = "hostname fw-hq\npassword kanarienvogel"
	for _, c := range []struct {
		order string
		why   configs.Decline
		hangs int // how many there are afterwards
	}{
		{"429", configs.Busy, 0},
		{"429 retry-after=7", configs.Busy, 0},
		{"401", configs.Unauthorized, 0},
		{"404", configs.Invalid, 0}, // a web page: it says nothing of the asset
		{"500", ambiguous, 0},
		{"502", ambiguous, 0},
		{"503", ambiguous, 0},
		{"504", ambiguous, 0},
		{"cut", ambiguous, 0},
		{"drop", ambiguous, 1},
		{"late", ambiguous, 0},
		{"cap 100", configs.TooLarge, 0},
		{"scope 1000", configs.Unauthorized, 0},
		{"down", configs.Busy, 0},
		{"null on", "", 1},
		{"wrapped on", "", 1},
		{"unowned on", "", 1},
	} {
		t.Run(c.order, func(t *testing.T) {
			t.Parallel()
			s := play(t, "clear")
			s.order(t, c.order)
			a, err := s.hudu.Attach(t.Context(), s.item, file("fw-hq_1.txt", text))
			silent(t, err)
			if got := sortOf(err); got != c.why || (err == nil) != (a.ID != "") {
				t.Errorf("got %+v and %q: %v; want %q", a, got, err, c.why)
			}
			if got := len(s.Uploads()); got != c.hangs {
				t.Errorf("%d hang there, want %d", got, c.hangs)
			}
			if got := s.Calls("POST /uploads"); got > 1 {
				t.Errorf("it was sent %d times", got)
			}
			if err != nil && devices.HintOf(err) == "" {
				t.Errorf("no hint for %v", err)
			}
			if strings.Contains(errorText(err), "<html>") || strings.Contains(errorText(err), "kanarienvogel") || strings.Contains(errorText(err), "127.0.0.1") && c.order != "down" {
				t.Errorf("the error quotes too much: %v", err)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestEveryFaultOfAListIsAnErrorAndNeverAnEmptyList(t *testing.T) {
	t.Parallel()
	for _, order := range []string{"429", "401", "404", "500", "502", "503", "504", "cut", "down"} {
		s := play(t)
		if _, err := s.hudu.Attach(t.Context(), s.item, file("fw-hq_1.txt", "x")); err != nil {
			t.Fatal(err)
		}
		s.order(t, order)
		got, err := s.hudu.Attached(t.Context(), s.item)
		if err == nil || got != nil {
			t.Errorf("%s: got %v without an error", order, got)
		}
		if sortOf(err) == configs.Gone {
			t.Errorf("%s: the item is said to be gone: %v", order, err)
		}
		silent(t, err)
		if _, err = s.hudu.FindItems(t.Context(), configs.Wanted{Organization: s.item.Organization, Serials: []string{"FGT60F0001"}}); err == nil {
			t.Errorf("%s: found without an error", order)
		}
		silent(t, err)
		if _, err = s.hudu.Items(t.Context(), s.item.Organization, []string{s.item.ID}); err == nil {
			t.Errorf("%s: looked at without an error", order)
		}
		silent(t, err)
		silent(t, s.hudu.RemoveAttachment(t.Context(), s.item, configs.Attachment{ID: "1", Name: "a"}))
		_, err = s.hudu.ReadAttachment(t.Context(), s.item, configs.Attachment{ID: "1", Name: "a"})
		silent(t, err)
	}
}

func TestAPassingFaultOfAListIsWaitedOut(t *testing.T) {
	t.Parallel()
	for _, order := range []string{"500 next=2 on=GET", "502 next=1", "cut next=1 on=GET"} {
		s := play(t)
		s.order(t, order)
		if _, err := s.hudu.Attached(t.Context(), s.item); err != nil {
			t.Errorf("%s: %v", order, err)
		}
	}
}

func TestWhatAnswersWithSomethingElseIsNotTakenForHudu(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"null": "null", "nothing": "", "a web page": "<html>log in</html>", "an object": `{"ok":true}`, "no number": `[{"name":"a.txt"}]`,
		"no list": `{"uploads":null,"assets":null}`, "text": `"uploads"`, "cut short": `[{"id":1,"name":"a.txt"`,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		t.Cleanup(server.Close)
		h, err := open(system.Options{URL: server.URL, Key: devices.NewSecret(standin.Key)}, time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		item := configs.Item{Organization: "1", ID: "2"}
		if got, err := h.Attached(t.Context(), item); err == nil {
			t.Errorf("%s: listed as %v", name, got)
		}
		if a, err := h.Attach(t.Context(), item, file("a.txt", "x")); sortOf(err) != ambiguous {
			t.Errorf("%s: attached as %v, error %v; want it left open", name, a, err)
		}
		if got, err := h.Items(t.Context(), "1", []string{"2"}); err == nil {
			t.Errorf("%s: items %v", name, got)
		}
		if checks, err := h.Probe(t.Context()); err != nil || len(checks) != 1 || checks[0].OK {
			t.Errorf("%s: probed %v, error %v; want it to fail at once", name, checks, err)
		}
	}
}

// answering is a Hudu that says what a test wants, by method and path.
func answering(t *testing.T, answers map[string]string) *Hudu {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, body, _ := strings.Cut(answers[r.Method+" "+strings.TrimPrefix(r.URL.Path, prefix)], " ")
		code, err := strconv.Atoi(status)
		if err != nil {
			t.Errorf("%s %s was not expected", r.Method, r.URL.Path)
			code = http.StatusTeapot
		}
		if code == http.StatusFound {
			http.Redirect(w, r, body, code)
			return
		}
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	h, err := open(system.Options{URL: server.URL, Key: devices.NewSecret(standin.Key)}, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestAFileThatHuduPutElsewhereIsNoSuccess(t *testing.T) {
	t.Parallel()
	h := answering(t, map[string]string{"POST /uploads": `201 {"id":"9","name":"a.txt","uploadable_id":3,"uploadable_type":"Asset"}`})
	if a, err := h.Attach(t.Context(), configs.Item{Organization: "1", ID: "2"}, file("a.txt", "x")); sortOf(err) != ambiguous {
		t.Errorf("got %v, error %v; want it left open", a, err)
	}
	if a, err := h.Attach(t.Context(), configs.Item{Organization: "1", ID: "3"}, file("a.txt", "x")); err != nil || a.ID != "9" || a.Bytes != -1 {
		t.Errorf("got %v, error %v", a, err)
	}
}

func TestAnAssetThatIsAnsweredForAnotherCompanyIsGone(t *testing.T) {
	t.Parallel()
	for _, asset := range []string{`{"id":2,"company_id":7}`, `{"id":3,"company_id":1}`, `{}`, `null`} {
		h := answering(t, map[string]string{"GET /uploads": "200 []", "GET /companies/1/assets/2": `200 {"asset":` + asset + `}`})
		_, err := h.Attached(t.Context(), configs.Item{Organization: "1", ID: "2"})
		wantDeclined(t, err, configs.Gone)
	}
	h := answering(t, map[string]string{"GET /uploads": `200 {"uploads":[]}`, "GET /companies/1/assets/2": `200 {"asset":{"id":"2","company_id":"1"}}`})
	if got, err := h.Attached(t.Context(), configs.Item{Organization: "1", ID: "2"}); err != nil || len(got) != 0 {
		t.Errorf("listed %v, error %v; want nothing", got, err)
	}
}

func TestAHuduWithoutUploadsSaysNothingOfTheAsset(t *testing.T) {
	t.Parallel()
	h := answering(t, map[string]string{"GET /uploads": `404 {"status":404,"error":"Not Found"}`, "GET /assets": `404 {"error":"Not Found"}`})
	_, err := h.Attached(t.Context(), configs.Item{Organization: "1", ID: "2"})
	wantDeclined(t, err, configs.Invalid)
	_, err = h.Items(t.Context(), "1", []string{"2"})
	wantDeclined(t, err, configs.Invalid)
}

func TestARowThatTellsHalfIsNobodys(t *testing.T) {
	t.Parallel()
	h := answering(t, map[string]string{
		"GET /uploads":              `200 [{"id":1,"name":"a","uploadable_type":"Asset"},{"id":2,"name":"b","uploadable_id":2},{"id":3,"name":"c","uploadable_id":null,"uploadable_type":null,"size":null,"created_date":"yesterday"}]`,
		"GET /companies/1/assets/2": `200 {"asset":{"id":2,"company_id":1}}`,
	})
	got, err := h.Attached(t.Context(), configs.Item{Organization: "1", ID: "2"})
	if err != nil || len(got) != 1 || got[0].Name != "c" || !got[0].Unowned || got[0].Bytes != -1 || !got[0].At.IsZero() {
		t.Errorf("listed %+v, error %v; want the one that tells nothing, marked", got, err)
	}
}

func TestAnUploadThatSomebodyElseDeletedMeanwhileIsGone(t *testing.T) {
	t.Parallel()
	h := answering(t, map[string]string{"GET /uploads/9": `200 {"upload":{"id":9,"name":"a"}}`, "DELETE /uploads/9": `404 {"error":"Upload not found"}`})
	if err := h.RemoveAttachment(t.Context(), configs.Item{Organization: "1", ID: "2"}, configs.Attachment{ID: "9", Name: "a"}); err != nil {
		t.Error(err)
	}
}

func TestAStorageThatRefusesIsNotTakenForAWrongKey(t *testing.T) {
	t.Parallel()
	storage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	t.Cleanup(storage.Close)
	h := answering(t, map[string]string{"GET /api_info": `200 {"version":"2.44.0"}`, "GET /uploads/9": "302 " + storage.URL + "/9?X-Amz-Signature=c2lnbmVk"})
	_, err := h.ReadAttachment(t.Context(), configs.Item{Organization: "1", ID: "2"}, configs.Attachment{ID: "9", Name: "a"})
	if sortOf(err) != ambiguous || !strings.Contains(err.Error(), "storage") {
		t.Errorf("got %v; want it to name the storage", err)
	}
	silent(t, err)
}

func TestAListThatGoesRoundInCirclesEnds(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { // it knows no pages
		calls.Add(1)
		var rows []string
		for i := range 100 {
			rows = append(rows, `{"id":`+strconv.Itoa(i+1)+`,"name":"a","uploadable_id":2,"uploadable_type":"Asset"}`)
		}
		_, _ = w.Write([]byte("[" + strings.Join(rows, ",") + "]"))
	}))
	t.Cleanup(server.Close)
	h, err := open(system.Options{URL: server.URL, Key: devices.NewSecret(standin.Key)}, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	got, err := h.Attached(t.Context(), configs.Item{Organization: "1", ID: "2"})
	if err != nil || len(got) != 100 || calls.Load() != 2 {
		t.Errorf("%d listed by %d requests, error %v; want 100 by 2", len(got), calls.Load(), err)
	}
}

func TestWhatWasLostOnItsWayBackIsFoundInTheList(t *testing.T) {
	t.Parallel()
	for order, at := range map[string]int{"drop next=1": 1, "late next=1": 0} {
		s := play(t)
		s.order(t, order)
		_, err := s.hudu.Attach(t.Context(), s.item, file("fw-hq_1.txt", "x"))
		if sortOf(err) != ambiguous {
			t.Fatalf("%s: %v", order, err)
		}
		got, err := s.hudu.Attached(t.Context(), s.item)
		if err != nil || len(got) != at {
			t.Errorf("%s: %d listed at first, error %v; want %d", order, len(got), err, at)
		}
		s.Settle()
		got, err = s.hudu.Attached(t.Context(), s.item)
		if err != nil || len(got) != 1 || got[0].Name != "fw-hq_1.txt" {
			t.Errorf("%s: listed %v, error %v; want it once", order, got, err)
		}
	}
}

func TestAServerThatComesBackIsTheSame(t *testing.T) {
	t.Parallel()
	s := play(t)
	s.order(t, "down")
	_, err := s.hudu.Attach(t.Context(), s.item, file("a.txt", "x"))
	wantDeclined(t, err, configs.Busy)
	s.order(t, "up")
	if _, err = s.hudu.Attach(t.Context(), s.item, file("a.txt", "x")); err != nil {
		t.Error(err)
	}
}

func TestASlowAnswerIsGivenUpWithTheContext(t *testing.T) {
	t.Parallel()
	s := play(t)
	s.order(t, "slow 1h")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := s.hudu.Attach(ctx, s.item, file("a.txt", "x"))
		done <- err
	}()
	for len(s.Uploads()) == 0 { // it is there, and only the answer is missing
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; sortOf(err) != ambiguous || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v; want it left open, and canceled", err)
	}
}

func TestEveryRequestWaitsForItsTurnAndTooManyHoldTheAccount(t *testing.T) {
	t.Parallel()
	s := play(t)
	var turns atomic.Int64
	var held atomic.Int64
	h, err := open(system.Options{
		URL: "http://" + s.hudu.client.rest.Base.Host, Key: devices.NewSecret(standin.Key),
		Pace: func(context.Context) error { turns.Add(1); return nil },
		Hold: func(d time.Duration) { held.Store(int64(d)) },
	}, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = h.Attach(t.Context(), s.item, file("a.txt", "x")); err != nil {
		t.Fatal(err)
	}
	if _, err = h.Attached(t.Context(), s.item); err != nil {
		t.Fatal(err)
	}
	if turns.Load() != int64(s.AllCalls()) || turns.Load() != 2 {
		t.Errorf("%d turns for %d requests, want 2 for a file and its proof", turns.Load(), s.AllCalls())
	}
	s.order(t, "429 next=1 retry-after=90")
	_, err = h.Attach(t.Context(), s.item, file("a.txt", "x"))
	wantDeclined(t, err, configs.Busy)
	if time.Duration(held.Load()) != 90*time.Second {
		t.Errorf("held for %v, want 90 s", time.Duration(held.Load()))
	}
	s.order(t, "429 next=1")
	_, err = h.Attach(t.Context(), s.item, file("a.txt", "x"))
	if d, ok := errors.AsType[*configs.Declined](err); !ok || d.After != rest.BusyTime || rest.StatusOf(err) != http.StatusTooManyRequests {
		t.Errorf("got %v; want it busy for %v", err, rest.BusyTime)
	}
}
