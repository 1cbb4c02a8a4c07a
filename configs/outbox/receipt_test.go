package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/configs/outbox"
	"belay/devices"
)

type ctx = context.Context

// ticket takes notes, or fails.
type ticket struct {
	keys []string
	errs []error
}

func (k *ticket) Name() string { return "mail to support@msp.example" }

func (k *ticket) Post(_ ctx, n configs.Note) (string, error) {
	k.keys = append(k.keys, n.Key)
	if len(k.errs) > 0 {
		err := k.errs[0]
		k.errs = k.errs[1:]
		return "", err
	}
	return fmt.Sprintf("note %d", len(k.keys)), nil
}

const receiptText = "receipt of T20391-fw-hq\n"

func receipt(to string) configs.Letter {
	d := digest(receiptText)
	return configs.Letter{To: to, Customer: "acme", Device: "acme/fw-hq", Version: d, File: "text", Form: configs.Receipt,
		Name: outbox.ReceiptName("T20391-fw-hq", "text", d, true), Change: "T20391-fw-hq", Ticket: "T20391", Urgent: true, By: ada}
}

func TestAReceiptReachesItsTicketUnderOneKey(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	k := &ticket{errs: []error{errors.New("dropped"), &configs.Declined{Why: configs.Busy, Err: errors.New("451")}}}
	o := s.office()
	o.Tickets = func(name string) (configs.TicketSystem, bool) { return k, name == "helpdesk" }
	o.Note = func(_ ctx, l configs.Letter) (configs.Note, error) {
		return configs.Note{Ticket: l.Ticket, Key: l.Name, Text: receiptText}, nil
	}
	for i := range 2 {
		ls, err := o.Send(t.Context(), receipt("helpdesk"))
		if devices.KindOf(err) != devices.AttachmentPending || len(ls) != 1 || !ls[0].Proven.IsZero() || ls[0].Began.IsZero() {
			t.Fatalf("try %d: letters %+v, error %v", i, ls, err)
		}
		if len(s.events("post receipt")) != 0 {
			t.Fatal("the ledger says that it was posted")
		}
		s.pass(time.Hour)
	}
	ls, err := o.Send(t.Context(), receipt("helpdesk"))
	if err != nil || ls[0].Proven.IsZero() || ls[0].Attachment.ID != "note 3" {
		t.Fatalf("letters %+v, error %v", ls, err)
	}
	if _, err := o.Send(t.Context(), receipt("helpdesk")); err != nil {
		t.Fatal(err)
	}
	if want := []string{ls[0].Name, ls[0].Name, ls[0].Name}; !cmp.Equal(k.keys, want) {
		t.Errorf("posted with the keys %v, want %v", k.keys, want)
	}
	es := s.events("post receipt")
	want := map[string]any{"change": "T20391-fw-hq", "digest": digest(receiptText), "to": "helpdesk", "id": "note 3"}
	if len(es) != 1 || es[0].By != ada || cmp.Diff(want, es[0].Detail) != "" {
		t.Errorf("events %+v, want one with %v", es, want)
	}
}

func TestAReceiptIsFiledBesideTheAttachmentsAndStays(t *testing.T) {
	t.Parallel()
	for name, sealed := range map[string]bool{"plain": false, "sealed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.place.Keep, s.doc.Bound.TextOnly = 1, true
			it := s.device("acme/fw-hq")
			paper := configs.Paper{Customer: "acme", Change: "T20391-fw-hq", Kind: "receipt", Digest: digest(receiptText), Bytes: []byte(receiptText), By: ada, At: s.Now(), Sealed: sealed}
			if sealed {
				var err error
				if paper.Bytes, err = s.sealer.Seal(t.Context(), "acme", paper.Bytes); err != nil {
					t.Fatal(err)
				}
			}
			l := receipt("itglue")
			if _, err := s.office().Send(t.Context(), l); err == nil || s.doc.Calls()["Attach"] != 0 {
				t.Errorf("sent a paper that is not filed (error %v)", err)
			}
			if err := s.papers.FilePaper(t.Context(), paper); err != nil {
				t.Fatal(err)
			}
			ls, err := s.office().Send(t.Context(), l)
			if err != nil || ls[0].Proven.IsZero() {
				t.Fatalf("letters %+v, error %v", ls, err)
			}
			s.nights("acme/fw-hq", 0, 3)
			as, files := s.doc.On(it.ID)
			if len(as) != 2 || as[0].Name != l.Name || string(files[0]) != receiptText {
				t.Errorf("there hang %+v", as)
			}
			es := s.events("post receipt")
			want := map[string]any{"change": "T20391-fw-hq", "digest": digest(receiptText), "to": "itglue", "id": as[0].ID}
			if len(es) != 1 || cmp.Diff(want, es[0].Detail) != "" {
				t.Errorf("events %+v, want one with %v", es, want)
			}
		})
	}
}

func TestReceiptsAreNamedByTheirFormat(t *testing.T) {
	t.Parallel()
	d := strings.Repeat("0123456789abcdef", 4)
	for _, c := range []struct {
		format   string
		textOnly bool
		want     string
	}{
		{"text", false, "C1_receipt_sha256-01234567.txt"}, {"json", false, "C1_receipt_sha256-01234567.json"}, {"html", false, "C1_receipt_sha256-01234567.html"},
		{"text", true, "C1_receipt_sha256-01234567.txt"}, {"json", true, "C1_receipt_sha256-01234567.json.txt"}, {"html", true, "C1_receipt_sha256-01234567.html.txt"},
	} {
		if got := outbox.ReceiptName("C1", c.format, d, c.textOnly); got != c.want {
			t.Errorf("%s, text only %t: %s, want %s", c.format, c.textOnly, got, c.want)
		}
	}
}

func TestALetterToASystemThatIsNoLongerSetUpWaitsForAPerson(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	_, err := s.office().Send(t.Context(), receipt("helpdesk"))
	if devices.KindOf(err) != devices.AttachmentPending || !strings.Contains(err.Error(), "helpdesk") {
		t.Errorf("error %v", err)
	}
	if l := s.letters(configs.LetterFilter{})[0]; l.Due.Sub(s.Now()) != 6*time.Hour {
		t.Errorf("due in %v", l.Due.Sub(s.Now()))
	}
}

func TestASystemThatMakesItsOwnPlacesNeedsNoOrganization(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.place.System, s.place.Own, s.place.Organization, s.place.Form = own{s}, true, nil, configs.InSeal
	s.devices["acme/fw-hq"] = devices.Device{Customer: "acme", Name: "fw-hq"}
	v := s.commit("acme/fw-hq", "one", func(snap *configs.Snapshot) { snap.Identity.Serials = nil })
	s.mustProve(s.office(), v)
	if as, _ := s.doc.On("acme/fw-hq"); len(as) != 1 || !strings.HasSuffix(as[0].Name, ".age") {
		t.Errorf("there hang %+v", as)
	}
	if m, _, _ := s.items.Mapped(t.Context(), "itglue", "acme/fw-hq"); m.How != "folder" {
		t.Errorf("mapping %+v", m)
	}
}

// own is a system as a folder is.
type own struct{ s *scene }

func (o own) Name() string { return "folder" }

func (o own) Attach(ctx ctx, it configs.Item, f configs.Attached) (configs.Attachment, error) {
	o.s.doc.Add(it)
	return o.s.doc.Attach(ctx, it, f)
}

func (o own) Attached(ctx ctx, it configs.Item) ([]configs.Attachment, error) {
	return o.s.doc.Attached(ctx, it)
}

func (o own) FindItems(_ ctx, w configs.Wanted) ([]configs.Item, error) {
	return []configs.Item{{Organization: w.Customer, ID: w.Customer + "/" + w.Device}}, nil
}
