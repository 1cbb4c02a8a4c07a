package outbox_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/memory"
	"belay/devices"
)

func TestOnlyAnItemBeyondDoubtIsTaken(t *testing.T) {
	t.Parallel()
	const id = devices.ID("acme/fw-hq")
	mine := configs.Item{Organization: "org-acme", ID: "1", Name: "fw-hq", Serials: []string{"sn-a "}}
	as := func(f func(*configs.Item)) configs.Item {
		it := mine
		f(&it)
		return it
	}
	mac := []string{"00:09:0f:aa:10:2b"}
	for name, c := range map[string]struct {
		items []configs.Item
		serve func(configs.Version) configs.Version
		want  string // id of the item; empty: refused
		how   string
		says  []string // what the refusal names
	}{
		"one serial":             {[]configs.Item{mine}, nil, "1", "serial", nil},
		"none":                   {nil, nil, "", "", []string{"no item", "SN-A", "org-acme"}},
		"two of one serial":      {[]configs.Item{mine, as(func(i *configs.Item) { i.ID, i.URL = "2", "https://docs.example.net/2" })}, nil, "", "", []string{"item 1 (fw-hq)", "item 2 (fw-hq)", "sn-a", "https://docs.example.net/2", "org-acme"}},
		"the other is archived":  {[]configs.Item{mine, as(func(i *configs.Item) { i.ID, i.Archived = "2", true })}, nil, "1", "serial", nil},
		"archived alone":         {[]configs.Item{as(func(i *configs.Item) { i.Archived = true })}, nil, "", "", []string{"item 1", "archived"}},
		"the name alone":         {[]configs.Item{as(func(i *configs.Item) { i.Serials = []string{"SN-B"} })}, nil, "", "", []string{"no item"}},
		"another organization":   {[]configs.Item{as(func(i *configs.Item) { i.Organization = "org-bolt" })}, nil, "", "", []string{"no item"}},
		"the MAC alone":          {[]configs.Item{as(func(i *configs.Item) { i.Serials, i.MACs = nil, mac })}, nil, "1", "mac", nil},
		"the MAC, other serial":  {[]configs.Item{as(func(i *configs.Item) { i.Serials, i.MACs = []string{"SN-8"}, mac })}, nil, "", "", []string{"item 1", "another serial number"}},
		"the serial goes before": {[]configs.Item{mine, as(func(i *configs.Item) { i.ID, i.Serials, i.MACs = "2", nil, mac })}, nil, "1", "serial", nil},
		"two of one MAC": {[]configs.Item{as(func(i *configs.Item) { i.Serials, i.MACs = nil, mac }), as(func(i *configs.Item) { i.ID, i.Serials, i.MACs = "2", nil, mac })},
			nil, "", "", []string{"item 1", "item 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.doc.Add(c.items...)
			s.devices[id] = devices.Device{Customer: "acme", Name: "fw-hq", Serials: []string{"SN-A"}, MACs: []string{"00-09-0F-AA-10-2B", mac[0]}}
			v := s.commit(id, "one", func(snap *configs.Snapshot) { snap.Identity.Serials = []string{"SN-A"} })
			_, err := s.prove(s.office(), v)
			if c.want != "" {
				m, _, _ := s.items.Mapped(t.Context(), "itglue", id)
				if err != nil || len(s.names(c.want)) != 1 || m.How != c.how || m.Item.ID != c.want || !slices.Equal(m.Serials, []string{"SN-A"}) || m.By != ada {
					t.Errorf("error %v, mapping %+v, there hang %v", err, m, s.names(c.want))
				}
				return
			}
			if devices.KindOf(err) != devices.AttachmentPending || !strings.Contains(devices.HintOf(err), "belay docs match acme/fw-hq --to itglue") {
				t.Fatalf("error %v of kind %v with hint %q", err, devices.KindOf(err), devices.HintOf(err))
			}
			for _, word := range c.says {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("the error does not name %q: %v", word, err)
				}
			}
			if n := s.doc.Calls()["Attach"]; n != 0 {
				t.Errorf("sent %d times", n)
			}
			if l := s.letters(configs.LetterFilter{})[0]; l.Due.Sub(s.Now()) != 6*time.Hour {
				t.Errorf("due in %v: nothing but a person helps", l.Due.Sub(s.Now()))
			}
		})
	}
}

// liar is a system that answers what it was not asked: IT Glue ignores filters
// that it does not know.
type liar struct {
	*memory.Documentation
	all []configs.Item
}

func (l liar) FindItems(ctx ctx, w configs.Wanted) ([]configs.Item, error) {
	if _, err := l.Documentation.FindItems(ctx, w); err != nil {
		return nil, err
	}
	return l.all, nil
}

func TestNothingHangsOnAnotherCustomersItemWhateverTheListsHold(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 1))
	attached, refused := 0, 0
	for n := range 10_000 {
		s := newScene(t)
		customers := []string{"acme", "bolt", "cord"}
		names, serials := []string{"fw-hq", "fw-hq", "sw-1"}, []string{"FGT60F001", "FGT60F002", "FGT60FOO1", "fgt60f001 ", "", "FGT60F01"}
		macs := []string{"00:09:0f:aa:10:2b", "00:09:0f:aa:10:2c", ""}
		var items []configs.Item
		for i := range 1 + r.IntN(12) {
			it := configs.Item{Organization: "org-" + customers[r.IntN(3)], ID: fmt.Sprint(i), Name: names[r.IntN(3)], Archived: r.IntN(6) == 0}
			if x := serials[r.IntN(6)]; x != "" {
				it.Serials = []string{x}
			}
			if x := macs[r.IntN(3)]; x != "" {
				it.MACs = []string{x}
			}
			items = append(items, it)
		}
		s.doc.Add(items...)
		if n%2 == 0 {
			s.place.System = liar{s.doc, items}
		}
		customer := customers[r.IntN(3)]
		id := devices.ID(customer + "/fw-hq")
		said := []string{"FGT60F001", "FGT60F002"}[r.IntN(2)]
		s.devices[id] = devices.Device{Customer: customer, Name: "fw-hq", Serials: []string{said}, MACs: macs[:1]}
		_, err := s.prove(s.office(), s.commit(id, "one", func(snap *configs.Snapshot) { snap.Identity.Serials = []string{said} }))
		var right []string // that could be told by its serial, or has none and the MAC
		for _, by := range []func(configs.Item) bool{
			func(i configs.Item) bool {
				return len(i.Serials) > 0 && strings.EqualFold(strings.TrimSpace(i.Serials[0]), said)
			},
			func(i configs.Item) bool { return len(i.Serials) == 0 && len(i.MACs) > 0 && i.MACs[0] == macs[0] },
		} {
			for _, i := range items {
				if i.Organization == "org-"+customer && by(i) && !i.Archived {
					right = append(right, i.ID)
				}
			}
			if len(right) > 0 && n%2 != 0 {
				break
			}
		}
		hang := 0
		for _, i := range items {
			if k := len(s.names(i.ID)); k > 0 {
				hang += k
				if i.Organization != "org-"+customer {
					t.Fatalf("list %d: hung on %s, which is not %s's", n, i, customer)
				}
				if !slices.Equal(right, []string{i.ID}) {
					t.Fatalf("list %d: hung on %s %v, which is in doubt: %v of %+v fit", n, i, i.Serials, right, items)
				}
			}
		}
		if n%2 == 0 && len(right) == 1 && err != nil {
			t.Fatalf("list %d: only %v fits of %+v, but %v", n, right, items, err)
		}
		switch {
		case err == nil && hang == 1:
			attached++
		case devices.KindOf(err) == devices.AttachmentPending && hang == 0:
			refused++
		default:
			t.Fatalf("list %d: error %v, %d files hang", n, err, hang)
		}
	}
	if attached < 1000 || refused < 1000 {
		t.Errorf("%d attached, %d refused: the lists show too little", attached, refused)
	}
}

func TestAnItemIsLookedAtBeforeEachUpload(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		happens func(*scene, configs.Item)
		says    string // empty: it is attached all the same
	}{
		"nothing":                 {func(*scene, configs.Item) {}, ""},
		"archived":                {func(s *scene, it configs.Item) { it.Archived = true; s.doc.Add(it) }, ""},
		"renamed":                 {func(s *scene, it configs.Item) { it.Name = "fw-old"; s.doc.Add(it) }, ""},
		"gone":                    {func(s *scene, it configs.Item) { s.doc.Drop(it.ID) }, "not there any more"},
		"moved":                   {func(s *scene, it configs.Item) { it.Organization = "org-bolt"; s.doc.Add(it) }, "belongs to organization org-bolt by now"},
		"the customer is another": {func(s *scene, _ configs.Item) { s.place.Organization = func(string) string { return "org-bolt" } }, "acme is organization org-bolt"},
		"no organization":         {func(s *scene, _ configs.Item) { s.place.Organization = func(string) string { return "" } }, "none is set"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			it := s.device("acme/fw-hq")
			o := s.office()
			s.mustProve(o, s.commit("acme/fw-hq", "one"))
			s.pass(61 * time.Minute) // what was seen is no longer good
			s.doc.Calls()
			c.happens(s, it)
			before := len(s.names(it.ID))
			_, err := s.prove(o, s.commit("acme/fw-hq", "two"))
			if c.says == "" {
				if err != nil || len(s.names(it.ID)) != 2 {
					t.Errorf("error %v, there hang %v", err, s.names(it.ID))
				}
				if (len(s.logged) == 1 && strings.Contains(s.logged[0], "archived")) != (name == "archived") {
					t.Errorf("logged %q", s.logged)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.says) || devices.HintOf(err) == "" {
				t.Errorf("error %v with hint %q, want that it %q", err, devices.HintOf(err), c.says)
			}
			if n := s.doc.Calls()["Attach"]; n != 0 || len(s.names(it.ID)) > before {
				t.Errorf("sent %d times", n)
			}
			if name == "no organization" && !strings.Contains(devices.HintOf(err), "organization: under customers: acme:") {
				t.Errorf("hint %q does not name the setting", devices.HintOf(err))
			}
		})
	}
}

func TestLooksOfManyLettersAreOneCall(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	var vs []configs.Version
	for i := range 90 {
		id := devices.ID(fmt.Sprintf("%s/fw-%d", []string{"acme", "bolt", "cord"}[i%3], i))
		s.device(id)
		s.mustProve(s.office(), s.commit(id, "one"))
		vs = append(vs, s.commit(id, "two"))
	}
	s.doc.Calls()
	o := s.office()
	for _, v := range vs {
		s.mustProve(o, v)
	}
	if c := s.doc.Calls(); c["Items"] != 3 || c["FindItems"] != 0 {
		t.Errorf("calls %v, want a look for each organization", c)
	}
}

func TestAnotherBoxIsMatchedAnewAndItsForerunnersLettersDoNotTakeItsItem(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	const id = devices.ID("acme/fw-hq")
	s.doc.Add(configs.Item{Organization: "org-acme", ID: "old", Serials: []string{"SN-OLD"}}, configs.Item{Organization: "org-acme", ID: "new", Serials: []string{"SN-NEW"}})
	box := func(serial string) func(*configs.Snapshot) {
		return func(snap *configs.Snapshot) { snap.Identity.Serials = []string{serial} }
	}
	o := s.office()
	s.mustProve(o, s.commit(id, "one", box("SN-OLD")))
	down := errors.New("down")
	s.doc.Fail = func(op string) error {
		if op == "Attach" {
			return &configs.Declined{Why: configs.Busy, Err: down}
		}
		return nil
	}
	s.prove(o, s.commit(id, "two", box("SN-OLD")))
	s.doc.Fail = nil
	s.mustProve(o, s.commit(id, "three", box("SN-NEW")))
	s.pass(time.Hour)
	s.drain(o)
	_, old := s.doc.On("old")
	_, fresh := s.doc.On("new")
	if len(old) != 2 || string(old[1]) != original("two") || len(fresh) != 1 || string(fresh[0]) != original("three") {
		t.Errorf("on the old item %q, on the new one %q", old, fresh)
	}
	if m, _, _ := s.items.Mapped(t.Context(), "itglue", id); m.Item.ID != "new" {
		t.Errorf("the device has item %s, want new", m.Item.ID)
	}
	// One that does not name its serial number this time is the same box.
	s.mustProve(o, s.commit(id, "four", box("")))
	if len(s.names("new")) != 2 {
		t.Errorf("on the new item %v", s.names("new"))
	}
}

func TestAPairIsFoundByEitherSerialNumber(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	const id = devices.ID("acme/fw-ha")
	s.devices[id] = devices.Device{Customer: "acme", Name: "fw-ha", Serials: []string{"SN-A", "SN-B"}}
	s.doc.Add(configs.Item{Organization: "org-acme", ID: "1", Serials: []string{"SN-A"}})
	o := s.office()
	for i, serial := range []string{"SN-B", "SN-A", "SN-B"} {
		s.mustProve(o, s.commit(id, fmt.Sprint(i), func(snap *configs.Snapshot) { snap.Identity.Serials = []string{serial} }))
	}
	if c := s.doc.Calls(); c["FindItems"] != 1 || len(s.names("1")) != 3 {
		t.Errorf("calls %v, there hang %v", c, s.names("1"))
	}
	// Another box that answers has none of the inventory's numbers: those say nothing of it.
	_, err := s.prove(o, s.commit(id, "other", func(snap *configs.Snapshot) { snap.Identity.Serials = []string{"SN-C"} }))
	if err == nil || len(s.names("1")) != 3 {
		t.Errorf("error %v, there hang %v", err, s.names("1"))
	}
}

func TestWhatAPersonMatchesIsSentAtOnce(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.device("acme/fw-hq")
	it := configs.Item{Organization: "org-acme", ID: "9", Name: "the firewall"}
	s.doc.Add(it)
	s.doc.Drop("ci-acme-fw-hq")
	o := s.office()
	v := s.commit("acme/fw-hq", "one")
	if _, err := s.prove(o, v); err == nil {
		t.Fatal("attached, with no item")
	}
	s.drain(o)
	if n := s.doc.Calls()["FindItems"]; n != 1 {
		t.Errorf("asked %d times before it was due", n)
	}
	if err := s.items.Map(t.Context(), configs.Mapping{To: "itglue", Device: "acme/fw-hq", Item: it, How: "person", Serials: []string{serial("acme/fw-hq")}, By: ada, At: s.Now()}); err != nil {
		t.Fatal(err)
	}
	if n, err := o.Retry(t.Context(), configs.LetterFilter{To: "itglue", Device: "acme/fw-hq"}); n != 1 || err != nil {
		t.Fatalf("%d letters to try again, error %v", n, err)
	}
	s.drain(o)
	if len(s.names("9")) != 1 {
		t.Errorf("there hang %v", s.names("9"))
	}
}

func TestAnItemIsHiddenOnceBeforeTheFirstOriginal(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.place.Restrict = true
	s.device("acme/fw-hq")
	fail := true
	s.doc.Fail = func(op string) error {
		if op == "Restrict" && fail {
			return &configs.Declined{Why: configs.Unauthorized, Err: errors.New("read only")}
		}
		return nil
	}
	o := s.office()
	v := s.commit("acme/fw-hq", "one")
	if _, err := s.prove(o, v); err == nil || len(s.names("ci-acme-fw-hq")) != 0 {
		t.Errorf("error %v, there hang %v: nothing may hang in the open", err, s.names("ci-acme-fw-hq"))
	}
	fail = false
	for i := range 3 {
		s.mustProve(s.office(), s.commit("acme/fw-hq", fmt.Sprint(i)))
	}
	if n := s.doc.Calls()["Restrict"]; n != 2 { // the one that was refused, and one
		t.Errorf("restricted %d times", n)
	}
	// Where nothing secret is attached, nothing is hidden.
	s.place.Form = configs.Redacted
	s.device("acme/sw-1")
	s.mustProve(s.office(), s.commit("acme/sw-1", "one"))
	if n := s.doc.Calls()["Restrict"]; n != 0 {
		t.Errorf("restricted %d times for a redacted text", n)
	}
}
