package outbox_test

import (
	"slices"
	"strings"
	"testing"

	"belay/configs"
	"belay/devices"
)

// shows makes the device answer with serial numbers.
func shows(serials ...string) func(*configs.Snapshot) {
	return func(snap *configs.Snapshot) { snap.Identity.Serials = serials }
}

// refusedWith wants that nothing was attached, and why.
func (s *scene) refusedWith(err error, item string, hung int, why string) {
	s.t.Helper()
	if err == nil || !strings.Contains(err.Error(), why) || devices.KindOf(err) != devices.AttachmentPending {
		s.t.Errorf("kind %v, error %v, want %q", devices.KindOf(err), err, why)
	}
	if names := s.names(item); len(names) != hung {
		s.t.Errorf("on %s hang %v, want %d", item, names, hung)
	}
}

// A person matches an item before the device has ever been read. Then another
// customer's box answers at its address.
func TestAnItemThatWasMatchedBlindlyTakesOnlyTheBoxWhoseNumberItHas(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	const id = devices.ID("acme/fw-hq")
	it := configs.Item{Organization: "org-acme", ID: "9", Serials: []string{"SN-ACME"}}
	s.doc.Add(it)
	o := s.office()
	d := devices.Device{Customer: "acme", Name: "fw-hq"}
	s.devices[id] = d
	if _, err := o.Confirm(t.Context(), s.place, d, "9", ada); err != nil {
		t.Fatal(err)
	}
	_, err := s.prove(o, s.commit(id, "of another customer", shows("SN-ZETA")))
	s.refusedWith(err, "9", 0, "SN-ZETA")
	s.mustProve(o, s.commit(id, "the right one", shows("sn-acme")))
	if n := len(s.names("9")); n != 1 {
		t.Errorf("%d attachments", n)
	}
}

// An item without a number takes the first box, and from then on no other.
func TestAnItemThatWasMatchedBlindlyStaysWithTheFirstBox(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	const id = devices.ID("acme/fw-hq")
	s.doc.Add(configs.Item{Organization: "org-acme", ID: "9"})
	o := s.office()
	d := devices.Device{Customer: "acme", Name: "fw-hq"}
	s.devices[id] = d
	if _, err := o.Confirm(t.Context(), s.place, d, "9", ada); err != nil {
		t.Fatal(err)
	}
	s.mustProve(o, s.commit(id, "one", shows("SN-1")))
	if m, _, _ := s.items.Mapped(t.Context(), "itglue", id); !slices.Equal(m.Serials, []string{"SN-1"}) || m.How != "person" {
		t.Errorf("remembered: %+v", m)
	}
	_, err := s.prove(o, s.commit(id, "two", shows("SN-2")))
	s.refusedWith(err, "9", 1, "SN-2")
}

// Somebody gives the item to another box, in the documentation system.
func TestARememberedItemThatIsAnotherBoxsByNowIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	const id = devices.ID("acme/fw-hq")
	it := configs.Item{Organization: "org-acme", ID: "9", Serials: []string{"SN-1"}}
	s.doc.Add(it)
	s.mustProve(s.office(), s.commit(id, "one", shows("SN-1")))
	it.Serials = []string{"SN-7"}
	s.doc.Drop("9") // and what hung there
	s.doc.Add(it)
	_, err := s.prove(s.office(), s.commit(id, "two", shows("SN-1")))
	s.refusedWith(err, "9", 0, "no item with serial number SN-1")
	// The item that is the box's by now is found.
	s.doc.Add(configs.Item{Organization: "org-acme", ID: "10", Serials: []string{"SN-1"}})
	s.mustProve(s.office(), s.commit(id, "three", shows("SN-1")))
	if n := len(s.names("10")); n != 1 {
		t.Errorf("%d attachments on its item of now", n)
	}
}

// The two members of a pair have an item each, or one for both; whichever
// answers, the item stays.
func TestAPairThatFailsOverKeepsItsItem(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	const id = devices.ID("acme/fw-hq")
	s.devices[id] = devices.Device{Customer: "acme", Name: "fw-hq", Serials: []string{"SN-A", "SN-B"}}
	s.doc.Add(configs.Item{Organization: "org-acme", ID: "9", Serials: []string{"SN-A"}})
	o := s.office()
	s.mustProve(o, s.commit(id, "one", shows("SN-A")))
	s.mustProve(o, s.commit(id, "two", shows("SN-B")))
	if n := len(s.names("9")); n != 2 {
		t.Errorf("%d attachments", n)
	}
}

// A person who knows the device's number may say that the item's is wrong.
func TestAPersonMayMatchAnItemWhoseNumberIsMistyped(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	const id = devices.ID("acme/fw-hq")
	d := devices.Device{Customer: "acme", Name: "fw-hq", Serials: []string{"SN-1"}}
	s.devices[id] = d
	s.doc.Add(configs.Item{Organization: "org-acme", ID: "9", Serials: []string{"SN-I"}})
	o := s.office()
	if _, err := o.Confirm(t.Context(), s.place, d, "9", ada); err != nil {
		t.Fatal(err)
	}
	s.mustProve(o, s.commit(id, "one", shows("SN-1")))
	if m, remembered, err := o.Match(t.Context(), s.place, d, ada); !remembered || err != nil || m.Item.ID != "9" {
		t.Errorf("%+v, remembered %t, %v", m, remembered, err)
	}
}

// Two devices of the inventory that show one serial number are one box, or one of
// them is a mistake: only a person can tell.
func TestASecondDeviceWithTheSameNumberDoesNotGetTheItem(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	for _, name := range []string{"fw-a", "fw-b"} {
		s.devices[devices.ID("acme/"+name)] = devices.Device{Customer: "acme", Name: name}
	}
	s.doc.Add(configs.Item{Organization: "org-acme", ID: "9", Serials: []string{"SN-1"}})
	o := s.office()
	s.mustProve(o, s.commit("acme/fw-a", "one", shows("SN-1")))
	v := s.commit("acme/fw-b", "two", shows("SN-1"))
	_, err := s.prove(o, v)
	s.refusedWith(err, "9", 1, "matched to acme/fw-a")
	if _, err := o.Confirm(t.Context(), s.place, s.devices["acme/fw-b"], "9", ada); devices.KindOf(err) != devices.NotAllowed {
		t.Errorf("a person could: %v", err)
	}
	// Where the first is gone from the inventory, the item is the second's.
	delete(s.devices, "acme/fw-a")
	s.mustProve(o, s.commit("acme/fw-b", "three", shows("SN-1")))
}
