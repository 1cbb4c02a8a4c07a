package itglue

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"belay/configs"
	"belay/devices"
	"belay/store/docsystem/itglue/standin"
)

// canary is the secret in the configuration that is attached.
const canary = "enable secret canary-hunter2-canary-hunter2-canary\n"

// everything calls all that an account can do and returns what failed.
func everything(t *testing.T, a *Account, item configs.Item) map[string]error {
	t.Helper()
	ctx := t.Context()
	failed := map[string]error{}
	note := func(name string, err error) {
		if err != nil {
			failed[name] = err
		}
	}
	at, err := a.Attach(ctx, item, configs.Attached{Name: "fw-hq.txt", Bytes: []byte(strings.Repeat(canary, 20))})
	note("attach", err)
	if at.ID == "" {
		at = configs.Attachment{ID: "551201", Name: "fw-hq.txt"}
	}
	_, err = a.Attached(ctx, item)
	note("attached", err)
	_, err = a.FindItems(ctx, configs.Wanted{Organization: item.Organization, Device: "fw-hq", Serials: []string{"S1"}, MACs: []string{"00:09:0f:aa:10:2b"}})
	note("find items", err)
	_, err = a.Items(ctx, item.Organization, nil)
	note("items", err)
	note("restrict", a.Restrict(ctx, item))
	note("remove", a.RemoveAttachment(ctx, item, at))
	checks, err := a.Probe(ctx)
	note("probe", err)
	for _, c := range checks {
		if !c.OK {
			note("probe check", errors.New(c.Detail))
		}
	}
	return failed
}

// chain is err and all that it wraps.
func chain(err error) []error {
	all := []error{err}
	switch w := err.(type) { //nolint:errorlint // each link is looked at
	case interface{ Unwrap() error }:
		if next := w.Unwrap(); next != nil {
			all = append(all, chain(next)...)
		}
	case interface{ Unwrap() []error }:
		for _, next := range w.Unwrap() {
			all = append(all, chain(next)...)
		}
	}
	return all
}

// printed is every way in which err can get into a log.
func printed(err error) string {
	var b strings.Builder
	for _, e := range chain(err) {
		fmt.Fprintf(&b, "%v\n%+v\n%#v\n%q\n%s\n", e, e, e, e, devices.HintOf(e))
		if v := reflect.Indirect(reflect.ValueOf(e)); v.IsValid() {
			fmt.Fprintf(&b, "%+v\n", v)
		}
		if j, err := json.Marshal(e); err == nil {
			b.Write(j)
		}
	}
	return b.String()
}

func clean(t *testing.T, where string, texts ...string) {
	t.Helper()
	body := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(canary, 20)))
	for _, text := range texts {
		for _, secret := range []string{standin.Key, url.QueryEscape(standin.Key), base64.StdEncoding.EncodeToString([]byte(standin.Key)), "canary-hunter2", body[:40], body[200:240]} {
			if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
				t.Errorf("%s: %q is in: %.400s", where, secret, text)
			}
		}
	}
}

func TestNoFaultPutsTheKeyOrTheFileInAnErrorOrAURL(t *testing.T) {
	t.Parallel()
	for _, order := range []string{
		"down", "401", "403", "404", "405", "409", "413", "415", "422", "429", "429 retry-after=120", "500", "501", "502", "503", "504", "302", "500 done", "504 done",
		"drop", "drop on=GET", "cut", "cut on=GET", "late", "garbage", "list missing", "list missing=405",
	} {
		s, a, item := began(t)
		if err := s.Order(order); err != nil {
			t.Fatal(err)
		}
		failed := everything(t, a, item)
		if len(failed) == 0 && !strings.HasPrefix(order, "list") {
			t.Errorf("%s: nothing failed", order)
		}
		for name, err := range failed {
			clean(t, order+": "+name, printed(err))
			if d := devices.HintOf(err); name != "probe check" && d == "" && devices.HintOf(errors.Unwrap(err)) == "" {
				t.Errorf("%s: %s has no hint: %v", order, name, err)
			}
		}
		clean(t, order+": URLs", s.Asked()...)
	}
}

// A server that gives back all that it was told, as a proxy in debug mode does.
func TestAServerThatEchoesEverythingIsNotQuoted(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 201, 204, 301, 302, 307, 308, 400, 401, 403, 404, 405, 413, 415, 422, 429, 500, 502, 503, 504} {
		for _, shape := range []string{"title", "split", "error", "html", "text", "id"} {
			a := behind(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				told := fmt.Sprintf("%v %s", r.Header, body)
				w.Header().Set("Location", "/"+url.PathEscape(r.Header.Get("x-api-key"))+"?key="+url.QueryEscape(r.Header.Get("x-api-key")))
				w.Header().Set("Retry-After", r.Header.Get("x-api-key"))
				w.Header().Set("X-Echo", told)
				w.WriteHeader(status)
				switch shape {
				case "title":
					json.NewEncoder(w).Encode(map[string]any{"errors": []any{map[string]any{"status": status, "title": told, "detail": r.Header.Get("x-api-key")}}})
				case "split":
					json.NewEncoder(w).Encode(map[string]any{"errors": []any{map[string]any{"title": standin.Key[:9], "detail": standin.Key[9:]}, strings.ReplaceAll(standin.Key, "s", "s\x00")}})
				case "error":
					json.NewEncoder(w).Encode(map[string]any{"error": told, "errors": told})
				case "html":
					fmt.Fprintf(w, "<html><body>%s</body></html>", told)
				case "text":
					fmt.Fprint(w, told)
				case "id":
					json.NewEncoder(w).Encode(map[string]any{"data": []any{map[string]any{"id": told}}})
				}
			})
			a.client.rest.Nap = time.Microsecond
			for name, err := range everything(t, a, configs.Item{Organization: "1", ID: "7"}) {
				clean(t, fmt.Sprintf("%d %s: %s", status, shape, name), printed(err))
			}
		}
	}
}

func TestAnAccountThatIsPrintedDoesNotShowItsKey(t *testing.T) {
	t.Parallel()
	_, a, _ := began(t)
	clean(t, "an account", fmt.Sprintf("%v %+v %#v", a, a, a), fmt.Sprintf("%v %+v %#v", *a.client.rest, *a.client.rest, *a.client.rest))
}
