package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/configs/memory"
	"belay/configs/outbox"
	"belay/devices"
)

func TestAVersionIsAttachedOnceAndProven(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	it := s.device("acme/fw-hq")
	v := s.commit("acme/fw-hq", "one")
	o := s.office()
	p := s.mustProve(o, v)
	if p.Name != "memory" || !p.Second || !p.At.Equal(s.Now()) {
		t.Errorf("proof %+v", p)
	}
	for _, word := range []string{it.ID, it.Organization, "attachment 1001", "bytes", "id, name and size"} {
		if !strings.Contains(p.Detail, word) {
			t.Errorf("the proof does not tell %q: %s", word, p.Detail)
		}
	}
	s.wantOne("acme/fw-hq", "one")
	if diff := cmp.Diff(map[string]int{"FindItems": 1, "Attach": 1, "Attached": 1}, s.doc.Calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	at := p.At
	for _, o := range []*outbox.Office{o, s.office()} { // unchanged: also for a process that was just started
		s.pass(26 * time.Hour)
		if p := s.mustProve(o, v); !p.At.Equal(at) || p.Detail == "" {
			t.Errorf("the recorded proof is %+v, want that of %v", p, at)
		}
	}
	if calls := s.doc.Calls(); len(calls) != 0 {
		t.Errorf("an unchanged version cost %v", calls)
	}
	if p, err := s.prove(o, configs.Version{ID: "nowhere/fw-hq"}); err != nil || p.Done || p.Name == "" {
		t.Errorf("a customer without the system: %+v, %v", p, err)
	}
	s.wantNoSecret()
}

func TestTheLedgerIsToldWhatAChangeReads(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.device("acme/fw-hq")
	v := s.commit("acme/fw-hq", "one", inChange("T20391-fw-hq", "before"))
	s.mustProve(s.office(), v)
	es := s.events("attach")
	if len(es) != 1 {
		t.Fatalf("%d events, want 1", len(es))
	}
	text := original("one")
	name := fmt.Sprintf("fw-hq_20261121T223415Z_before_%s_sha256-%s.txt", v.Commit[:8], digest(text)[:8])
	want := map[string]any{
		"change": "T20391-fw-hq", "system": "itglue", "phase": "before", "version": v.Commit, "file": configs.MainFile, "form": "original",
		"item":       map[string]any{"organization": "org-acme", "id": "ci-acme-fw-hq", "name": "fw-hq", "serials": []any{"SN-ACME-FW-HQ"}},
		"attachment": "1001", "name": name, "bytes": float64(len(text)), "digest": digest(text), "second": true, "how": "id, name and size",
	}
	if diff := cmp.Diff(want, es[0].Detail); diff != "" {
		t.Errorf("detail (-want +got):\n%s", diff)
	}
	if es[0].Customer != "acme" || es[0].Device != "acme/fw-hq" || es[0].By != ada || !es[0].At.Equal(s.Now()) {
		t.Errorf("event %+v", es[0])
	}
	if ls := s.letters(configs.LetterFilter{}); len(ls) != 1 || !ls[0].Urgent || ls[0].Ticket != "T20391" {
		t.Errorf("letters %+v, want an urgent one of the ticket", ls)
	}
}

func TestEachFormIsAttachedUnderANameOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		form     configs.Form
		textOnly bool
		end      string
	}{
		{configs.Original, false, ".txt"}, {configs.Redacted, false, ".redacted.txt"}, {configs.InSeal, false, ".age"},
		{configs.Original, true, ".txt"}, {configs.Redacted, true, ".redacted.txt"}, {configs.InSeal, true, ".age.txt"},
	} {
		t.Run(fmt.Sprintf("%s %t", c.form, c.textOnly), func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.place.Form, s.doc.Bound.TextOnly = c.form, c.textOnly
			s.device("acme/fw-hq")
			v := s.commit("acme/fw-hq", "one", func(snap *configs.Snapshot) { s.add(snap, "vlan/a b", "two"); s.add(snap, "vlan-a-b", "two") })
			s.mustProve(s.office(), v)
			as, files := s.doc.On("ci-acme-fw-hq")
			if len(as) != 3 {
				t.Fatalf("%d attachments, want 3", len(as))
			}
			names := map[string]bool{}
			for i, text := range []string{"one", "two", "two"} {
				got, want := files[i], original(text)
				switch c.form {
				case configs.Redacted:
					want = text + "\nsecret <redacted>\n"
				case configs.InSeal:
					plain, err := s.sealer.Open(t.Context(), "acme", got)
					if err != nil || strings.Contains(string(got), canary) {
						t.Errorf("what was sent is not sealed: %v", err)
					}
					got = plain
				}
				if string(got) != want {
					t.Errorf("file %d is %q, want %q", i, got, want)
				}
				if n := as[i].Name; !strings.HasSuffix(n, "_sha256-"+digest(string(files[i]))[:8]+c.end) || !strings.HasPrefix(n, "fw-hq_20261121T223415Z_"+v.Commit[:8]+"_") || strings.ContainsAny(n, "/ \\:") {
					t.Errorf("file %d is called %s", i, n)
				}
				names[as[i].Name] = true
			}
			if len(names) != 3 {
				t.Errorf("two files share a name: %v", slices.Collect(maps.Keys(names)))
			}
		})
	}
}

func TestATextWithoutItsSecretsIsNoSecondPlace(t *testing.T) {
	t.Parallel()
	for form, want := range map[configs.Form]bool{configs.Original: true, configs.InSeal: true, configs.Redacted: false} {
		t.Run(string(form), func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.place.Form, s.place.Second = form, true
			s.device("acme/fw-hq")
			v := s.commit("acme/fw-hq", "one")
			for _, when := range []string{"when it is hung", "from the record"} {
				proof, err := s.prove(s.office(), v)
				if err != nil || !proof.OK || proof.Second != want {
					t.Errorf("%s: a second place %t, want %t: %+v, %v", when, proof.Second, want, proof, err)
				}
			}
			told := 0
			for e, err := range s.ledger.Events(t.Context(), configs.Filter{Act: "attach"}) {
				if err != nil || e.Detail["second"] != want {
					t.Errorf("the ledger says %v, %v", e.Detail["second"], err)
				}
				told++
			}
			if told != 1 {
				t.Errorf("told %d times", told)
			}
		})
	}
}

func TestWhatIsNotAsRecordedIsNeverSent(t *testing.T) {
	t.Parallel()
	for name, form := range map[string]configs.Form{"original": configs.Original, "sealed": configs.InSeal, "redacted": configs.Redacted} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.place.Form = form
			s.device("acme/fw-hq")
			v := s.commit("acme/fw-hq", "one")
			o := s.office()
			o.Repository = altered{s.kept, s}
			_, err := s.prove(o, v)
			if devices.KindOf(err) != devices.Damaged || devices.HintOf(err) == "" {
				t.Errorf("error %v of kind %v, want damaged, with a hint", err, devices.KindOf(err))
			}
			if names := s.names("ci-acme-fw-hq"); len(names) != 0 || s.doc.Calls()["Attach"] != 0 {
				t.Errorf("sent all the same: %v", names)
			}
			s.wantNoSecret(err)
		})
	}
}

// altered is a store whose bytes were exchanged for others that are sound.
type altered struct {
	*memory.Repository
	s *scene
}

func (a altered) Originals(_ context.Context, v configs.Version) ([]configs.Sealed, error) {
	var snap configs.Snapshot
	snap.Device.Customer = v.ID.Customer()
	a.s.add(&snap, configs.MainFile, "another")
	return snap.Originals, nil
}

func (a altered) Texts(_ context.Context, v configs.Version) ([]configs.Text, error) {
	var snap configs.Snapshot
	snap.Device.Customer = v.ID.Customer()
	a.s.add(&snap, configs.MainFile, "another")
	return snap.Texts, nil
}

func TestALetterBringsOnlyWhatItsNameSays(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.device("acme/fw-hq")
	v := s.commit("acme/fw-hq", "one")
	_, err := s.office().Send(t.Context(), configs.Letter{To: "itglue", Device: v.ID, Version: v.Commit, File: configs.MainFile, Form: configs.InSeal, Name: "fw-hq_sha256-1a2b3c4d.age"})
	if devices.KindOf(err) != devices.Damaged || s.doc.Calls()["Attach"] != 0 {
		t.Errorf("error %v", err)
	}
}

func TestWhatCannotArriveIsPendingWithAHint(t *testing.T) {
	t.Parallel()
	declined := func(why configs.Decline) error {
		return &configs.Declined{Why: why, Err: errors.New("refused over there")}
	}
	for name, c := range map[string]struct {
		err  error
		hint string
		wait time.Duration
	}{
		"busy":           {declined(configs.Busy), "belay docs queue", 30 * time.Second},
		"busy for long":  {&configs.Declined{Why: configs.Busy, After: 7 * time.Minute, Err: errors.New("later")}, "belay docs queue", 7 * time.Minute},
		"busy for ever":  {&configs.Declined{Why: configs.Busy, After: 100 * 24 * time.Hour, Err: errors.New("later")}, "belay docs queue", time.Hour},
		"key refused":    {declined(configs.Unauthorized), "key", 15 * time.Minute},
		"too large":      {declined(configs.TooLarge), "by hand", 6 * time.Hour},
		"invalid":        {declined(configs.Invalid), "belay docs queue", 6 * time.Hour},
		"item gone":      {declined(configs.Gone), "belay docs match", 6 * time.Hour},
		"no answer":      {errors.New("time-out"), "belay docs queue", 30 * time.Second},
		"with a hint":    {&devices.Error{Op: "write", Err: errors.New("disk full"), Hint: "make room on the share"}, "make room", 30 * time.Second},
		"damaged there?": {&devices.Error{Kind: devices.Damaged, Op: "write", Err: errors.New("share damaged")}, "belay docs queue", 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.device("acme/fw-hq")
			s.doc.Fail = func(op string) error {
				if op == "Attach" {
					return c.err
				}
				return nil
			}
			p, err := s.prove(s.office(), s.commit("acme/fw-hq", "one"))
			if devices.KindOf(err) != devices.AttachmentPending || !errors.Is(err, c.err) || !strings.Contains(devices.HintOf(err), c.hint) || p.OK || !p.Done {
				t.Errorf("error %v of kind %v with hint %q, proof %+v", err, devices.KindOf(err), devices.HintOf(err), p)
			}
			l := s.letters(configs.LetterFilter{Waiting: true})[0]
			if got := l.Due.Sub(s.Now()); got != c.wait || l.Error == "" || l.Hint == "" || l.Lease != "" || l.Tries != 1 {
				t.Errorf("due in %v, want %v; letter %+v", got, c.wait, l)
			}
			if sent := !l.Began.IsZero(); sent != (name == "no answer" || name == "with a hint" || name == "damaged there?") {
				t.Errorf("it counts as sent: %t", sent)
			}
			s.wantNoSecret(err)
		})
	}
}

func TestTheWaitDoublesUpToAQuarterOfAnHour(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.device("acme/fw-hq")
	s.doc.Fail = func(op string) error {
		if op == "Attach" {
			return &configs.Declined{Why: configs.Busy, Err: errors.New("down")}
		}
		return nil
	}
	v := s.commit("acme/fw-hq", "one")
	var waits []time.Duration
	for range 7 {
		o := s.office()
		o.Jitter = func() float64 { return 0.5 }
		s.prove(o, v)
		l := s.letters(configs.LetterFilter{})[0]
		waits = append(waits, l.Due.Sub(s.Now()))
		s.pass(waits[len(waits)-1])
	}
	var want []time.Duration
	for _, w := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute, 15 * time.Minute} {
		want = append(want, w+w/8)
	}
	if !slices.Equal(waits, want) {
		t.Errorf("waits %v, want %v", waits, want)
	}
}
