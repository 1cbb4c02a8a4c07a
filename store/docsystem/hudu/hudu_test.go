package hudu

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/conformance"
	"belay/devices"
	"belay/store/docsystem/hudu/standin"
	"belay/store/docsystem/internal/system"
)

// scene is a Hudu with one company, one firewall in it, and us.
type scene struct {
	*standin.Server
	hudu    *Hudu
	company int
	layout  int
	item    configs.Item
}

func play(t *testing.T, orders ...string) *scene {
	t.Helper()
	s := &scene{Server: standin.New()}
	url, err := s.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.order(t, orders...)
	s.company = s.AddCompany("Acme")
	s.layout = s.AddLayout("Firewall", true)
	s.item = s.asset("fw-hq", "FGT60F0001")
	if s.hudu, err = open(system.Options{URL: url, Key: devices.NewSecret(standin.Key)}, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, v := range s.Violations() {
			t.Errorf("violation: %s", v)
		}
	})
	return s
}

func (s *scene) order(t *testing.T, orders ...string) {
	t.Helper()
	for _, o := range orders {
		if err := s.Order(o); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *scene) asset(name, serial string, fields ...standin.Field) configs.Item {
	id := s.AddAsset(standin.Asset{Company: s.company, Layout: s.layout, Name: name, Serial: serial, Fields: fields})
	return configs.Item{Organization: strconv.Itoa(s.company), ID: strconv.Itoa(id)}
}

func file(name, text string) configs.Attached {
	return configs.Attached{Name: name, Bytes: []byte(text)}
}

func wantDeclined(t *testing.T, err error, why configs.Decline) {
	t.Helper()
	if d, ok := errors.AsType[*configs.Declined](err); !ok || d.Why != why {
		t.Errorf("got %v, want it declined as %s", err, why)
	}
	silent(t, err)
}

// silent fails where an error tells the key, or the signature of a download.
func silent(t *testing.T, err error) {
	t.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, text := range []string{e.Error(), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e), devices.HintOf(e)} {
			for _, secret := range []string{standin.Key, "Signature", "c2lnbmVk", "hostname fw-hq"} {
				if strings.Contains(text, secret) {
					t.Errorf("the error tells %s: %s", secret, text)
				}
			}
		}
	}
}

func TestHuduDoesWhatEveryDocumentationSystemMust(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		orders []string
	}{
		{"recent", nil},
		{"2.41.0, downloads from object storage", []string{"version 2.41.0", "bucket on"}},
		{"2.40.1, unpaged, nothing read back", []string{"version 2.40.1"}},
		{"wrapped, null for missing, sizes for people", []string{"wrapped on", "null on", "sizes on"}},
		{"short pages and ignored filters", []string{"page 25", "ignored on"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conformance.Documentation(t, func(t *testing.T) (configs.Documentation, configs.Item) {
				s := play(t, c.orders...)
				other := s.asset("fw-hq", "FGT60F0002")
				id, _ := strconv.Atoi(other.ID)
				s.Hang(standin.Upload{Name: "a.txt", Type: "Asset", Record: id, Bytes: []byte("another's")})
				return s.hudu, s.item
			})
		})
	}
}

func TestAnUploadOfAnotherRecordIsNeverListed(t *testing.T) {
	t.Parallel()
	s := play(t)
	id, _ := strconv.Atoi(s.item.ID)
	mine := s.Hang(standin.Upload{Name: "mine.txt", Type: "Asset", Record: id, Bytes: []byte("x")})
	s.Hang(standin.Upload{Name: "article.txt", Type: "Article", Record: id})
	s.Hang(standin.Upload{Name: "other.txt", Type: "Asset", Record: id + 1000})
	s.Hang(standin.Upload{Name: "archived.txt", Type: "Asset", Record: id, Archived: true})
	got, err := s.hudu.Attached(t.Context(), s.item)
	if err != nil || len(got) != 1 || got[0].ID != strconv.Itoa(mine) || got[0].Unowned || got[0].Bytes != 1 || got[0].At.IsZero() {
		t.Errorf("got %+v, error %v; want mine.txt alone", got, err)
	}
	if want := fmt.Sprintf("/file/%d", mine); !strings.HasSuffix(got[0].URL, want) || !strings.HasPrefix(got[0].URL, "http://127.0.0.1:") {
		t.Errorf("its address is %q, want that of Hudu ending in %s", got[0].URL, want)
	}
}

func TestWhereNothingSaysWhatUploadsHangOnTheyAreMarked(t *testing.T) {
	t.Parallel()
	s := play(t, "version 2.40.1", "unowned on")
	a, err := s.hudu.Attach(t.Context(), s.item, file("fw-hq_1.txt", "x"))
	if err != nil {
		t.Fatal(err)
	}
	s.Hang(standin.Upload{Name: "logo.png", Type: "Article", Record: 1})
	got, err := s.hudu.Attached(t.Context(), s.item)
	if err != nil || len(got) != 2 || got[0].ID != a.ID || !got[0].Unowned || !got[1].Unowned {
		t.Errorf("got %+v, error %v; want both, marked", got, err)
	}
	gone := s.item
	gone.ID = "4040"
	_, err = s.hudu.Attached(t.Context(), gone)
	wantDeclined(t, err, configs.Gone)
}

func TestALongListIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		orders []string
		calls  int
	}{
		{nil, 2}, {[]string{"page 100"}, 12}, {[]string{"page 1000"}, 2}, {[]string{"version 2.40.1"}, 2},
	} {
		s := play(t, c.orders...)
		id, _ := strconv.Atoi(s.item.ID)
		for i := range 1101 {
			s.Hang(standin.Upload{Name: fmt.Sprintf("photo-%d.jpg", i), Type: "Article", Record: 7})
		}
		s.Hang(standin.Upload{Name: "last.txt", Type: "Asset", Record: id})
		got, err := s.hudu.Attached(t.Context(), s.item)
		if err != nil || len(got) != 1 || got[0].Name != "last.txt" {
			t.Errorf("%v: got %v, error %v; want the last of the list", c.orders, got, err)
		}
		if n := s.Calls("GET /uploads"); n != c.calls {
			t.Errorf("%v: %d requests for the list, want %d", c.orders, n, c.calls)
		}
	}
}

func TestAPageThatIsFullDoesNotEndTheList(t *testing.T) {
	t.Parallel()
	s := play(t)
	id, _ := strconv.Atoi(s.item.ID)
	for i := range 50 {
		s.Hang(standin.Upload{Name: fmt.Sprint(i), Type: "Asset", Record: id})
	}
	s.order(t, "page 50")
	if got, err := s.hudu.Attached(t.Context(), s.item); err != nil || len(got) != 50 || s.Calls("GET /uploads") != 2 {
		t.Errorf("%d listed by %d requests, error %v", len(got), s.Calls("GET /uploads"), err)
	}
}

func TestWhatIsTooLargeIsNotSent(t *testing.T) {
	t.Parallel()
	s := play(t)
	if got := s.hudu.Bounds(); got.MaxBytes != 100<<20 || got.TextOnly {
		t.Errorf("bounds %+v, want 100 MB of any name", got)
	}
	s.hudu.most = 10
	_, err := s.hudu.Attach(t.Context(), s.item, file("a.txt", "01234567890"))
	wantDeclined(t, err, configs.TooLarge)
	if s.AllCalls() != 0 {
		t.Error("it was sent all the same")
	}
	if _, err = s.hudu.Attach(t.Context(), s.item, file("a.txt", "0123456789")); err != nil {
		t.Error(err)
	}
}

func TestAnItemThatIsNoAssetIsNotAskedFor(t *testing.T) {
	t.Parallel()
	s := play(t)
	for _, item := range []configs.Item{
		{}, {Organization: s.item.Organization}, {ID: s.item.ID}, {Organization: s.item.Organization, ID: "../assets/1"},
		{Organization: "acme", ID: s.item.ID}, {Organization: s.item.Organization, ID: "0" + s.item.ID}, {Organization: s.item.Organization, ID: "-3"},
	} {
		_, err := s.hudu.Attach(t.Context(), item, file("a.txt", "x"))
		wantDeclined(t, err, configs.Gone)
		_, err = s.hudu.Attached(t.Context(), item)
		wantDeclined(t, err, configs.Gone)
	}
	if s.AllCalls() != 0 {
		t.Error("something was sent")
	}
}

func TestAnAssetThatIsGoneOrAnothersIsSaidToBeGone(t *testing.T) {
	t.Parallel()
	for _, orders := range [][]string{nil, {"null on"}} {
		s := play(t, orders...)
		moved := s.item
		moved.Organization = strconv.Itoa(s.AddCompany("Bolt"))
		_, err := s.hudu.Attached(t.Context(), moved)
		wantDeclined(t, err, configs.Gone)
		id, _ := strconv.Atoi(s.item.ID)
		s.RemoveAsset(id)
		_, err = s.hudu.Attach(t.Context(), s.item, file("a.txt", "hostname fw-hq"))
		wantDeclined(t, err, configs.Gone)
		_, err = s.hudu.Attached(t.Context(), s.item)
		wantDeclined(t, err, configs.Gone)
	}
}

func TestTheSettingsAreCheckedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	key := devices.NewSecret(standin.Key)
	for name, o := range map[string]system.Options{
		"no key":                {URL: "https://hudu.example.net"},
		"no address":            {Key: key},
		"not encrypted":         {URL: "http://hudu.example.net", Key: key},
		"a key in the address":  {URL: "https://u:" + standin.Key + "@hudu.example.net", Key: key},
		"no certificates there": {URL: "https://hudu.example.net", Key: key, CA: filepath.Join(t.TempDir(), "none.pem")},
	} {
		doc, err := System().Open(o)
		if doc != nil || devices.KindOf(err) != devices.Usage || devices.HintOf(err) == "" {
			t.Errorf("%s: got %v, error %v with hint %q; want wrong usage", name, doc, err, devices.HintOf(err))
		}
		silent(t, err)
	}
	for _, url := range []string{"https://hudu.example.net", "https://hudu.example.net/", "https://hudu.example.net/api/v1/"} {
		h, err := open(system.Options{URL: url, Key: key}, 0)
		if err != nil || h.client.rest.Base.String() != "https://hudu.example.net/api/v1" {
			t.Errorf("%s: base %v, error %v", url, h.client.rest.Base, err)
		}
	}
}

func TestACertificateOfOnesOwnIsTrustedOnlyWhenNamed(t *testing.T) {
	t.Parallel()
	in := standin.New()
	company := in.AddCompany("Acme")
	asset := in.AddAsset(standin.Asset{Company: company, Name: "fw-hq"})
	server := httptest.NewTLSServer(in)
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	item := configs.Item{Organization: strconv.Itoa(company), ID: strconv.Itoa(asset)}
	o := system.Options{URL: server.URL, Key: devices.NewSecret(standin.Key)}
	h, err := open(o, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Attach(t.Context(), item, file("a.txt", "x"))
	wantDeclined(t, err, configs.Busy)
	if !strings.Contains(devices.HintOf(err), "ca:") || in.AllCalls() != 0 {
		t.Errorf("hint %q after %d requests; want the setting named and none", devices.HintOf(err), in.AllCalls())
	}
	o.CA = ca
	if h, err = open(o, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	a, err := h.Attach(t.Context(), item, file("a.txt", "x"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := h.ReadAttachment(t.Context(), item, a); err != nil || !bytes.Equal(got, []byte("x")) {
		t.Errorf("read %q, error %v", got, err)
	}
}
