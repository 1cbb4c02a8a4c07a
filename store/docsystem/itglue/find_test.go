package itglue

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/devices"
	"belay/store/docsystem/internal/system"
	"belay/store/docsystem/itglue/standin"
)

func ids(items []configs.Item) []string {
	list := []string{}
	for _, i := range items {
		list = append(list, i.ID)
	}
	slices.Sort(list)
	return list
}

func TestAnItemIsFoundBySerialThenByMACAndNeverByName(t *testing.T) {
	t.Parallel()
	s, a, fw := began(t)
	acme := atoi(t, fw.Organization)
	globex := acme + 1
	add := func(c standin.Configuration) string { return strconv.Itoa(s.AddConfiguration(c)) }
	add(standin.Configuration{Organization: globex, Name: "FW-01", Serial: "FGT60FTK2109001", MAC: "00:09:0f:aa:10:2b"})
	add(standin.Configuration{Organization: acme, Name: "FW-02", Serial: "FGT60FTK21090011"})
	old := add(standin.Configuration{Organization: acme, Name: "FW-OLD", Serial: "SN,7", Archived: true})
	sw := add(standin.Configuration{Organization: acme, Name: "SW-01", MAC: "0009.0faa.1099"})
	twin := add(standin.Configuration{Organization: acme, Name: "SW-02", Serial: " twin1 "})
	other := add(standin.Configuration{Organization: acme, Name: "SW-03", Serial: "TWIN1"})
	for name, c := range map[string]struct {
		w    configs.Wanted
		want []string
	}{
		"by serial":                 {configs.Wanted{Serials: []string{" fgt60ftk2109001 "}}, []string{fw.ID}},
		"by any of several":         {configs.Wanted{Serials: []string{"NONE", "FGT60FTK2109001"}}, []string{fw.ID}},
		"a serial before a MAC":     {configs.Wanted{Serials: []string{"TWIN1"}, MACs: []string{"00:09:0f:aa:10:2b"}}, []string{twin, other}},
		"by MAC in another form":    {configs.Wanted{Serials: []string{"NONE"}, MACs: []string{"00090FAA102B"}}, []string{fw.ID}},
		"by MAC with dots":          {configs.Wanted{MACs: []string{"00:09:0F:AA:10:99"}}, []string{sw}},
		"a comma in a serial":       {configs.Wanted{Serials: []string{"SN,7"}}, []string{old}},
		"a part of a serial":        {configs.Wanted{Serials: []string{"2109001"}}, nil},
		"the name alone":            {configs.Wanted{Device: "FW-01"}, nil},
		"a MAC that is nobody's":    {configs.Wanted{MACs: []string{"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "", "x"}}, nil},
		"serials of nothing at all": {configs.Wanted{Serials: []string{"", "  "}}, nil},
	} {
		c.w.Organization = fw.Organization
		got, err := a.FindItems(t.Context(), c.w)
		slices.Sort(c.want)
		if err != nil || !slices.Equal(ids(got), c.want) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, c.want)
		}
		for _, i := range got {
			if i.Archived != (i.ID == old) {
				t.Errorf("%s: %s is archived: %v", name, i, i.Archived)
			}
		}
	}
	if asked := strings.Join(s.Asked(), "\n"); !strings.Contains(asked, url.QueryEscape(`SN\,7`)+"&") {
		t.Errorf("a comma in a serial makes two of it: %s", asked)
	}
	for _, organization := range []string{"", "*", "1,2"} {
		if got, err := a.FindItems(t.Context(), configs.Wanted{Organization: organization, Serials: []string{"TWIN1"}}); declined(err) != configs.Invalid {
			t.Errorf("organization %q: %v, %v", organization, got, err)
		}
	}
}

func TestItemsTellWhereTheyAreNow(t *testing.T) {
	t.Parallel()
	s, a, fw := began(t)
	acme := atoi(t, fw.Organization)
	var all []string
	for i := range 250 {
		all = append(all, strconv.Itoa(s.AddConfiguration(standin.Configuration{Organization: acme, Name: fmt.Sprint("SW-", i)})))
	}
	s.Change(atoi(t, all[7]), func(c *standin.Configuration) { c.Organization = acme + 1 })
	s.Remove(atoi(t, all[8]))
	items, err := a.Items(t.Context(), fw.Organization, append(slices.Clone(all), "404404", "no-number", all[0]))
	if err != nil || len(items) != 249 || s.Calls("GET /configurations") != 3 {
		t.Errorf("%d items in %d calls, %v; want 249 in 3", len(items), s.Calls("GET /configurations"), err)
	}
	for _, i := range items {
		if moved := i.ID == all[7]; (i.Organization != fw.Organization) != moved {
			t.Errorf("%s is told to be of organization %s", i.ID, i.Organization)
		}
	}
	items, err = a.Items(t.Context(), fw.Organization, nil)
	if err != nil || len(items) != 249 || slices.Contains(ids(items), all[7]) {
		t.Errorf("of the organization are %d items, %v; want 249 without the one that moved", len(items), err)
	}
	s.Set(func(w *standin.Switches) { w.SlowPages = 100 })
	if slow, err := a.Items(t.Context(), fw.Organization, nil); err != nil || !cmp.Equal(slow, items) {
		t.Errorf("in small pages: %d items, %v", len(slow), err)
	}
	want := configs.Item{Organization: fw.Organization, ID: fw.ID, Name: "FW-01", Serials: []string{"FGT60FTK2109001"}, MACs: []string{"00:09:0f:aa:10:2b"}, URL: "https://msp.example.net/" + fw.Organization + "/configurations/" + fw.ID}
	if diff := cmp.Diff(want, items[0]); diff != "" {
		t.Error(diff)
	}
}

func TestAnAccountThatIgnoresFiltersGivesNothingThatWasNotAskedFor(t *testing.T) {
	t.Parallel()
	s, _, fw := began(t)
	acme := atoi(t, fw.Organization)
	s.AddConfiguration(standin.Configuration{Organization: acme, Name: "SW-01"})
	s.AddConfiguration(standin.Configuration{Organization: acme + 1, Name: "FW-01", Serial: "FGT60FTK2109001"})
	a := behind(t, func(w http.ResponseWriter, r *http.Request) { s.ServeHTTP(w, unfiltered(r)) })
	byID, err := a.Items(t.Context(), fw.Organization, []string{fw.ID})
	if err != nil || !slices.Equal(ids(byID), []string{fw.ID}) {
		t.Errorf("asked for one item, got %v, %v", byID, err)
	}
	all, err := a.Items(t.Context(), fw.Organization, nil)
	if err != nil || len(all) != 2 || slices.ContainsFunc(all, func(i configs.Item) bool { return i.Organization != fw.Organization }) {
		t.Errorf("asked for those of one customer, got %v, %v", all, err)
	}
}

// unfiltered is r as a proxy passes it on that drops what it does not know.
func unfiltered(r *http.Request) *http.Request {
	q := r.URL.Query()
	for name := range q {
		if strings.HasPrefix(name, "filter") {
			q.Del(name)
		}
	}
	r = r.Clone(r.Context())
	r.URL.RawQuery = q.Encode()
	return r
}

// A list is a small account in which everything that misleads is likely: names
// that customers share, serial numbers with a slip of the pen, duplicates.
func shuffled(r *rand.Rand) (*standin.Server, configs.Wanted, []string) {
	s := standin.New()
	digits := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte("0123456789"[r.IntN(10)])
		}
		return b.String()
	}
	serial, address := "FGT60F"+digits(8), "00090f"+digits(6)
	slips := []func() string{
		func() string { return serial }, func() string { return strings.ToLower(serial) }, func() string { return " " + serial + "\t" },
		func() string { return serial + digits(1) }, func() string { return digits(1) + serial }, func() string { return serial[1:] }, func() string { return serial[:len(serial)-1] },
		func() string { return strings.Replace(serial, "0", "O", 1) }, func() string { return strings.Replace(serial, "6", "6-", 1) }, func() string { return serial[:6] + digits(8) },
		func() string { return "" }, func() string { return "N/A" }, func() string { return serial + "," + digits(3) },
	}
	m := strings.ToUpper(devices.MAC(address))
	spelled := []string{m, strings.ToLower(m), strings.ReplaceAll(m, ":", "-"), address, "0009.0f" + address[6:8] + "." + address[8:], "", "", strings.ToUpper(devices.MAC("00090f" + digits(6))), m[:16], "N/A"}
	var rows []standin.Configuration
	for organization := range 3 {
		for range 1 + r.IntN(8) {
			rows = append(rows, standin.Configuration{
				Organization: organization + 1, Name: fmt.Sprintf("FW-%02d", r.IntN(3)),
				Serial: slips[r.IntN(len(slips))](), MAC: spelled[r.IntN(len(spelled))], Archived: r.IntN(9) == 0,
			})
		}
	}
	r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	// What is right is written down here without the adapter's help.
	bySerial, byMAC := []string{}, []string{}
	plain := strings.NewReplacer(":", "", "-", "", ".", "")
	for _, c := range rows {
		id := strconv.Itoa(s.AddConfiguration(c))
		if c.Organization != 2 {
			continue
		}
		if strings.EqualFold(strings.TrimSpace(c.Serial), serial) {
			bySerial = append(bySerial, id)
		}
		if strings.EqualFold(plain.Replace(c.MAC), address) {
			byMAC = append(byMAC, id)
		}
	}
	if len(bySerial) == 0 {
		bySerial = byMAC
	}
	slices.Sort(bySerial)
	return s, configs.Wanted{Organization: "2", Device: "FW-01", Serials: []string{serial}, MACs: []string{address}}, bySerial
}

func TestOfTenThousandShuffledListsNoneGivesAnothersItem(t *testing.T) {
	t.Parallel()
	var current atomic.Pointer[standin.Server]
	var deaf atomic.Bool // to filters, as a proxy or a slip of the pen makes it
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if deaf.Load() {
			r = unfiltered(r)
		}
		current.Load().ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	a := open(t, front.URL, system.Options{})
	r := rand.New(rand.NewPCG(20391, 7))
	lists := 10_000
	counts := map[string]int{}
	for n := range lists {
		s, w, want := shuffled(r)
		current.Store(s)
		deaf.Store(n%3 == 0)
		got, err := a.FindItems(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(ids(got), want) {
			t.Fatalf("list %d: found %v, want %v", n, got, want)
		}
		for _, i := range got {
			if i.Organization != "2" {
				t.Fatalf("list %d: %s is another customer's", n, i)
			}
		}
		counts[[]string{"none", "one", "several"}[min(len(got), 2)]]++
		if bad := s.Violations(); len(bad) > 0 {
			t.Fatalf("list %d: %v", n, bad)
		}
	}
	for _, k := range []string{"none", "one", "several"} {
		if counts[k] < lists/20 {
			t.Errorf("the lists are too kind: %v", counts)
		}
	}
}
