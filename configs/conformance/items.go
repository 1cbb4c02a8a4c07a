package conformance

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"belay/configs"
	"belay/devices"
)

// Items holds an implementation of configs.Items to its contract. Open gives an
// empty one each time, and the ledger that gets its events.
func Items(t *testing.T, open func(t *testing.T) (configs.Items, configs.Ledger)) {
	for name, f := range map[string]func(*testing.T, configs.Items, configs.Ledger){
		"a mapping is remembered and told":         mappedReadsBack,
		"a new mapping takes the old one's place":  mappedAnew,
		"mappings are those of their system":       mappingsOfASystem,
		"a mapping that nobody can use is refused": badMappings,
		"a canceled context is its error":          canceledItems,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i, l := open(t)
			f(t, i, l)
		})
	}
}

func mapping(to string, id devices.ID, item string) configs.Mapping {
	return configs.Mapping{To: to, Device: id, How: "serial", Serials: []string{"FGL2349L0AB", "FGL2349L0AC"}, By: configs.Person{Name: "Ada Example", Email: "ada@example.net", Claimed: true}, At: at(1),
		Item: configs.Item{Organization: "2041", ID: item, Name: "FW – HQ", Serials: []string{"FGL2349L0AB"}, MACs: []string{"00:00:5e:00:53:01"}, URL: "https://glue.example.net/" + item}}
}

func mappedReadsBack(t *testing.T, i configs.Items, l configs.Ledger) {
	if m, ok, err := i.Mapped(t.Context(), "itglue", "acme/fw-hq"); ok || err != nil {
		t.Errorf("before the first: %+v, %t, %v", m, ok, err)
	}
	m := mapping("itglue", "acme/fw-hq", "77")
	if err := i.Map(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got, ok, err := i.Mapped(t.Context(), "itglue", "acme/fw-hq")
	if diff := cmp.Diff(m, got); err != nil || !ok || diff != "" {
		t.Errorf("mapped %t, error %v (-want +got):\n%s", ok, err, diff)
	}
	for _, other := range []struct {
		to string
		id devices.ID
	}{{"hudu", "acme/fw-hq"}, {"itglue", "bolt/fw-hq"}, {"itglue", "acme/sw-1"}} {
		if m, ok, err := i.Mapped(t.Context(), other.to, other.id); ok || err != nil {
			t.Errorf("%s in %s: %+v, %t, %v", other.id, other.to, m, ok, err)
		}
	}
	want := []configs.Event{{Seq: 1, At: m.At, Customer: "acme", Device: m.Device, By: m.By, Act: "map", Detail: map[string]any{
		"system": "itglue", "organization": "2041", "item": "77", "name": "FW – HQ", "how": "serial", "before": ""}}}
	if diff := cmp.Diff(want, all(t, l.Events(t.Context(), configs.Filter{}))); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func mappedAnew(t *testing.T, i configs.Items, l configs.Ledger) {
	second := configs.Mapping{To: "itglue", Device: "acme/fw-hq", Item: configs.Item{Organization: "2041", ID: "78"}, How: "person", By: configs.Person{Name: "Bo"}, At: at(2)}
	for _, m := range []configs.Mapping{mapping("itglue", "acme/fw-hq", "77"), second} {
		if err := i.Map(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	got, ok, err := i.Mapped(t.Context(), "itglue", "acme/fw-hq")
	if diff := cmp.Diff(second, got, cmpopts.EquateEmpty()); err != nil || !ok || diff != "" {
		t.Errorf("mapped %t, error %v (-want +got):\n%s", ok, err, diff)
	}
	es := all(t, l.Events(t.Context(), configs.Filter{Act: "map"}))
	if len(es) != 2 || es[1].Detail["before"] != "item 77 of organization 2041" || es[1].By.Name != "Bo" {
		t.Errorf("events: %+v", es)
	}
}

func mappingsOfASystem(t *testing.T, i configs.Items, _ configs.Ledger) {
	want := []configs.Mapping{mapping("itglue", "acme/fw-hq", "1"), mapping("itglue", "acme/sw-1", "2"), mapping("itglue", "bolt/fw-hq", "3")}
	for _, m := range []configs.Mapping{want[2], mapping("hudu", "acme/fw-hq", "9"), want[0], want[1]} {
		if err := i.Map(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, all(t, i.Mappings(t.Context(), "itglue"))); diff != "" {
		t.Errorf("by device (-want +got):\n%s", diff)
	}
	if none := all(t, i.Mappings(t.Context(), "folder")); len(none) != 0 {
		t.Errorf("of a system without any: %+v", none)
	}
	for m, err := range i.Mappings(t.Context(), "itglue") { // whoever reads may map
		if err != nil {
			t.Fatal(err)
		}
		m.How = "person"
		if err := i.Map(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

func badMappings(t *testing.T, i configs.Items, l configs.Ledger) {
	for name, spoil := range map[string]func(*configs.Mapping){
		"no system":             func(m *configs.Mapping) { m.To = "" },
		"no item":               func(m *configs.Mapping) { m.Item.ID = "" },
		"no reason":             func(m *configs.Mapping) { m.How = "" },
		"no time":               func(m *configs.Mapping) { m.At = time.Time{} },
		"a device that is none": func(m *configs.Mapping) { m.Device = "acme" },
	} {
		m := mapping("itglue", "acme/fw-hq", "77")
		spoil(&m)
		if err := i.Map(t.Context(), m); err == nil {
			t.Errorf("a mapping with %s was remembered", name)
		}
	}
	if es := all(t, l.Events(t.Context(), configs.Filter{})); len(es) != 0 {
		t.Errorf("what was refused is in the ledger: %+v", es)
	}
}

func canceledItems(t *testing.T, i configs.Items, _ configs.Ledger) {
	ctx := canceled(t)
	wantCanceled(t, "map", i.Map(ctx, mapping("itglue", "acme/fw-hq", "77")))
	_, _, err := i.Mapped(ctx, "itglue", "acme/fw-hq")
	wantCanceled(t, "mapped", err)
	wantCanceled(t, "mappings", firstError(i.Mappings(ctx, "itglue")))
	if _, ok, err := i.Mapped(t.Context(), "itglue", "acme/fw-hq"); ok || err != nil {
		t.Errorf("mapped %t, error %v after a canceled call", ok, err)
	}
}
