package hudu

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"belay/configs"
	"belay/devices"
	"belay/store/docsystem/hudu/standin"
)

func TestWhatDoesNotHangOnTheItemIsNotRemoved(t *testing.T) {
	t.Parallel()
	s := play(t)
	other := s.asset("sw-1", "")
	id, _ := strconv.Atoi(other.ID)
	hung := strconv.Itoa(s.Hang(standin.Upload{Name: "a.txt", Type: "Asset", Record: id}))
	wantDeclined(t, s.hudu.RemoveAttachment(t.Context(), s.item, configs.Attachment{ID: hung, Name: "a.txt"}), configs.Invalid)
	wantDeclined(t, s.hudu.RemoveAttachment(t.Context(), other, configs.Attachment{ID: hung, Name: "b.txt"}), configs.Invalid)
	if n := s.Calls("DELETE /uploads/{id}"); n != 0 || len(s.Uploads()) != 1 {
		t.Errorf("%d deletions were sent", n)
	}
	if err := s.hudu.RemoveAttachment(t.Context(), other, configs.Attachment{ID: hung, Name: "a.txt"}); err != nil || len(s.Uploads()) != 0 {
		t.Errorf("its own was not removed: %v", err)
	}
	for _, gone := range []string{"", "4040", "../assets/1"} {
		if err := s.hudu.RemoveAttachment(t.Context(), other, configs.Attachment{ID: gone, Name: "a.txt"}); err != nil {
			t.Errorf("%q, which is gone: %v", gone, err)
		}
	}
	s.order(t, "404 on=DELETE")
	hung = strconv.Itoa(s.Hang(standin.Upload{Name: "a.txt", Type: "Asset", Record: id}))
	wantDeclined(t, s.hudu.RemoveAttachment(t.Context(), other, configs.Attachment{ID: hung, Name: "a.txt"}), configs.Invalid)
}

func TestAKeyThatMayNotDeleteIsToldSo(t *testing.T) {
	t.Parallel()
	s := play(t, "keep on")
	a, err := s.hudu.Attach(t.Context(), s.item, file("a.txt", "x"))
	if err != nil {
		t.Fatal(err)
	}
	err = s.hudu.RemoveAttachment(t.Context(), s.item, a)
	wantDeclined(t, err, configs.Unauthorized)
	if !strings.Contains(err.Error(), "not delete") || !strings.Contains(devices.HintOf(err), "destructive") || len(s.Uploads()) != 1 {
		t.Errorf("%v, hint %q; want it to say that the right to delete is missing", err, devices.HintOf(err))
	}
}

func TestTheKeyNeverGoesToTheObjectStorage(t *testing.T) {
	t.Parallel()
	s := play(t, "bucket on")
	a, err := s.hudu.Attach(t.Context(), s.item, file("a.txt", "hostname fw-hq\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.hudu.ReadAttachment(t.Context(), s.item, a)
	if err != nil || string(got) != "hostname fw-hq\r\n" {
		t.Errorf("read %q, error %v", got, err)
	}
	headers := s.Bucket()
	if len(headers) != 1 {
		t.Fatalf("%d requests to the storage, want 1", len(headers))
	}
	for name, values := range headers[0] {
		if strings.Contains(strings.Join(values, " "), standin.Key) || name == "Referer" {
			t.Errorf("the storage was told %s: %v", name, values)
		}
	}
}

func TestBeforeVersion241NothingIsReadBackAndAnUpgradeIsNoticed(t *testing.T) {
	t.Parallel()
	s := play(t, "version 2.40.1")
	a, err := s.hudu.Attach(t.Context(), s.item, file("a.txt", "x"))
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"2.40.1", "1.99.0", "2", "unknown"} {
		s.order(t, "version "+version)
		if got, err := s.hudu.ReadAttachment(t.Context(), s.item, a); !errors.Is(err, configs.ErrCannotRead) {
			t.Errorf("%s: read %q, error %v", version, got, err)
		}
	}
	s.order(t, "version 2.41.0-beta")
	for range 2 {
		if got, err := s.hudu.ReadAttachment(t.Context(), s.item, a); err != nil || string(got) != "x" {
			t.Errorf("read %q, error %v", got, err)
		}
	}
	if n := s.Calls("GET /api_info"); n != 5 {
		t.Errorf("its version was asked for %d times, want 5: once it is new enough, no more", n)
	}
}

func TestAnUploadThatIsGoneIsNotReadAsNull(t *testing.T) {
	t.Parallel()
	for _, order := range []string{"null on", "null off"} {
		s := play(t, order)
		_, err := s.hudu.ReadAttachment(t.Context(), s.item, configs.Attachment{ID: "4040", Name: "a.txt"})
		wantDeclined(t, err, configs.Gone)
		a, err := s.hudu.Attach(t.Context(), s.item, file("null.txt", "null"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.hudu.ReadAttachment(t.Context(), s.item, a); err != nil || string(got) != "null" {
			t.Errorf("a file of the word null was read as %q, error %v", got, err)
		}
	}
}

func TestTheProbeTellsWhatTheAccountCanDoWithoutWriting(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		orders []string
		want   map[string]string // what the details say; "!" before it: the step fails
	}{
		{nil, map[string]string{"version": "Hudu 2.44.0", "list": "uploads are listed", "read back": "compared", "layouts": `"Switch"`, "delete": "not tried"}},
		{[]string{"version 2.40.1", "unowned on"}, map[string]string{"list": "by their names", "read back": "not before version 2.41", "layouts": "warning"}},
		{[]string{"401"}, map[string]string{"version": "!401"}},
		{[]string{"scope 9999"}, map[string]string{"companies": "!sees no company"}},
		{[]string{"502"}, map[string]string{"version": "!502"}},
	} {
		s := play(t)
		s.AddLayout("Switch", false)
		s.Hang(standin.Upload{Name: "a.txt", Type: "Article", Record: 1})
		s.order(t, c.orders...)
		checks, err := s.hudu.Probe(t.Context())
		if err != nil {
			t.Error(err)
		}
		for name, want := range c.want {
			want, fails := strings.CutPrefix(want, "!")
			i := slices.IndexFunc(checks, func(k configs.Check) bool { return k.Name == name })
			if i < 0 || checks[i].OK == fails || !strings.Contains(checks[i].Detail, want) {
				t.Errorf("%v: %+v; want %s to say %q, failing: %t", c.orders, checks, name, want, fails)
			}
			if fails && i != len(checks)-1 {
				t.Errorf("%v: it went on after a step that failed: %+v", c.orders, checks)
			}
		}
		for _, k := range checks {
			if strings.Contains(k.Detail, standin.Key) {
				t.Errorf("the key is told: %+v", k)
			}
		}
		for _, route := range []string{"POST /uploads", "DELETE /uploads/{id}"} {
			if s.Calls(route) != 0 {
				t.Errorf("%v: the probe sent %s", c.orders, route)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := play(t).hudu.Probe(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}
