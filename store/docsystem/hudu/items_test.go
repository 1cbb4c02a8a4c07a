package hudu

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/devices"
	"belay/store/docsystem/hudu/standin"
)

func names(items []configs.Item) []string {
	var all []string
	for _, it := range items {
		all = append(all, it.Name)
	}
	slices.Sort(all)
	return all
}

func TestAnAssetIsFoundByItsSerialElseByAnAddressAndNeverByItsName(t *testing.T) {
	t.Parallel()
	s := play(t)
	s.asset("twin-1", "TW-77")
	s.asset("twin-2", "tw-77 ")
	s.asset("stack", "ST-1, ST-2; ST-3")
	s.asset("longer", "FGT60F00011")
	s.asset("dotted", "", standin.Field{Label: "WAN MAC", Value: "0011.2233.4455"})
	s.asset("dashed", "X-1", standin.Field{Label: "MAC Address", Value: "<p>00-11-22-33-44-66<br>aa-bb-cc-dd-ee-01</p>"})
	s.asset("elsewhere", "", standin.Field{Label: "Notes", Value: "00:11:22:33:44:77"})
	s.asset("trailing", "TR-9 ")
	s.asset("nobody", "", standin.Field{Label: "MAC", Value: "00:00:00:00:00:00"})
	s.asset("shared-1", "", standin.Field{Label: "MAC", Value: "02:00:00:00:00:01"})
	s.asset("shared-2", "", standin.Field{Label: "LAN mac", Value: "020000000001"})
	bolt := s.AddCompany("Bolt")
	s.AddAsset(standin.Asset{Company: bolt, Layout: s.layout, Name: "bolt's", Serial: "BOLT-1", Fields: []standin.Field{{Label: "MAC", Value: "02:00:00:00:00:02"}}})
	for _, ignored := range []string{"ignored off", "ignored on"} {
		s.order(t, ignored)
		for _, c := range []struct {
			what string
			w    configs.Wanted
			want []string
		}{
			{"its serial", configs.Wanted{Serials: []string{"FGT60F0001"}}, []string{"fw-hq"}},
			{"its serial written otherwise", configs.Wanted{Serials: []string{" fgt60f0001 "}}, []string{"fw-hq"}},
			{"two of one serial, written otherwise", configs.Wanted{Serials: []string{"TW-77"}}, []string{"twin-1", "twin-2"}},
			{"one of a stack", configs.Wanted{Serials: []string{"st-2"}}, []string{"stack"}},
			{"part of a serial", configs.Wanted{Serials: []string{"FGT60F"}}, nil},
			{"serial before address", configs.Wanted{Serials: []string{"X-1"}, MACs: []string{"00:11:22:33:44:55"}}, []string{"dashed"}},
			{"address where no serial fits", configs.Wanted{Serials: []string{"none"}, MACs: []string{"00:11:22:33:44:55"}}, []string{"dotted"}},
			{"serial with a blank before address", configs.Wanted{Serials: []string{"TR-9"}, MACs: []string{"00:11:22:33:44:55"}}, []string{"trailing"}},
			{"address among others", configs.Wanted{MACs: []string{"AA-BB-CC-DD-EE-01"}}, []string{"dashed"}},
			{"address in another field", configs.Wanted{MACs: []string{"00:11:22:33:44:77"}}, nil},
			{"address that is nobody's", configs.Wanted{MACs: []string{"00:00:00:00:00:00"}}, nil},
			{"several of one address", configs.Wanted{MACs: []string{"02:00:00:00:00:01"}}, []string{"shared-1", "shared-2"}},
			{"another company's serial", configs.Wanted{Serials: []string{"BOLT-1"}}, nil},
			{"another company's address", configs.Wanted{MACs: []string{"02:00:00:00:00:02"}}, nil},
			{"its name alone", configs.Wanted{Device: "fw-hq"}, nil},
			{"nothing but blanks", configs.Wanted{Device: "fw-hq", Serials: []string{" "}, MACs: []string{""}}, nil},
		} {
			c.w.Organization, c.w.Customer = s.item.Organization, "acme"
			calls := s.AllCalls()
			got, err := s.hudu.FindItems(t.Context(), c.w)
			if calls = s.AllCalls() - calls; calls > 1 || calls > 0 && strings.TrimSpace(strings.Join(append(c.w.Serials, c.w.MACs...), "")) == "" {
				t.Errorf("%s, %s: %d requests", ignored, c.what, calls)
			}
			if diff := cmp.Diff(c.want, names(got)); diff != "" || err != nil {
				t.Errorf("%s, %s: error %v (-want +got):\n%s", ignored, c.what, err, diff)
			}
		}
	}
}

func TestWithoutACompanyNothingIsAskedFor(t *testing.T) {
	t.Parallel()
	s := play(t)
	for _, organization := range []string{"", "acme", "1&company_id=2"} {
		_, err := s.hudu.FindItems(t.Context(), configs.Wanted{Organization: organization, Serials: []string{"FGT60F0001"}})
		wantDeclined(t, err, configs.Invalid)
		if !strings.Contains(devices.HintOf(err), "organization:") {
			t.Errorf("hint %q does not name the setting", devices.HintOf(err))
		}
		_, err = s.hudu.Items(t.Context(), organization, nil)
		wantDeclined(t, err, configs.Invalid)
	}
	if s.AllCalls() != 0 {
		t.Error("something was asked for")
	}
}

func TestItemsAreWhereTheyAreNow(t *testing.T) {
	t.Parallel()
	for _, orders := range [][]string{nil, {"ignored on"}, {"null on"}} {
		s := play(t, orders...)
		bolt := s.AddCompany("Bolt")
		var ids []string
		for i := range 8 {
			ids = append(ids, s.asset(fmt.Sprintf("sw-%d", i), "").ID)
		}
		number := func(i int) int { n, _ := strconv.Atoi(ids[i]); return n }
		s.Change(number(1), func(a *standin.Asset) { a.Company = bolt })
		s.Change(number(2), func(a *standin.Asset) { a.Archived = true })
		s.RemoveAsset(number(3))
		for _, c := range []struct {
			ids  []string
			want []string
		}{
			{[]string{ids[0], ids[1], ids[2], ids[3]}, []string{"sw-0", "sw-1 moved", "sw-2 archived"}},
			{append(slices.Clone(ids), "x", "0"), []string{"sw-0", "sw-1 moved", "sw-2 archived", "sw-4", "sw-5", "sw-6", "sw-7"}},
			{nil, []string{"fw-hq", "sw-0", "sw-2 archived", "sw-4", "sw-5", "sw-6", "sw-7"}},
			{[]string{}, nil},
			{[]string{"x"}, nil},
		} {
			got, err := s.hudu.Items(t.Context(), s.item.Organization, c.ids)
			for i := range got {
				if got[i].Organization != s.item.Organization {
					got[i].Name += " moved"
				}
				if got[i].Archived {
					got[i].Name += " archived"
				}
			}
			if diff := cmp.Diff(c.want, names(got)); diff != "" || err != nil {
				t.Errorf("%v, %v: error %v (-want +got):\n%s", orders, c.ids, err, diff)
			}
		}
	}
}

func TestAnItemTellsWhatItsAssetSays(t *testing.T) {
	t.Parallel()
	s := play(t)
	it := s.asset("core", " C-1 , C-2", standin.Field{Label: "MACs", Value: "AABB.CCDD.EE01 / aa:bb:cc:dd:ee:02, AA-BB-CC-DD-EE-01, none"})
	got, err := s.hudu.Items(t.Context(), it.Organization, []string{it.ID})
	want := []configs.Item{{
		Organization: it.Organization, ID: it.ID, Name: "core", Serials: []string{"C-1", "C-2"},
		MACs: []string{"aa:bb:cc:dd:ee:01", "aa:bb:cc:dd:ee:02"}, URL: "http://" + s.hudu.client.rest.Base.Host + "/a/a-" + it.ID,
	}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}

func TestAnAddressOfTheObjectStorageIsNotShown(t *testing.T) {
	t.Parallel()
	s := play(t)
	host := s.hudu.client.rest.Base.Host
	for said, want := range map[string]string{
		"/file/9":                                    "http://" + host + "/file/9",
		"http://" + host + "/file/9?key=1#x":         "http://" + host + "/file/9",
		"https://bucket.example.net/9?Signature=abc": "",
		"//bucket.example.net/9":                     "",
		"https://" + host + "/file/9":                "",
		"javascript:alert(1)":                        "",
		"":                                           "",
		"%zz":                                        "",
	} {
		if got := s.hudu.address(said); got != want {
			t.Errorf("%q is shown as %q, want %q", said, got, want)
		}
	}
}

// Companies of one MSP have the same names for their devices, people mistype
// serial numbers, and imports leave duplicates.
func TestInShuffledListsNothingIsFoundThatIsAnothersOrHasAnotherSerial(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 2026))
	for round := range 3 {
		s := play(t)
		if round == 1 {
			s.order(t, "ignored on")
		}
		companies := []int{s.company, s.AddCompany("Bolt"), s.AddCompany("Cask")}
		serials := make([]string, 40)
		for i := range serials {
			serials[i] = fmt.Sprintf("FG%06d", r.IntN(1000000))
		}
		var all []standin.Asset
		for range 200 {
			serial := []byte(serials[r.IntN(len(serials))])
			if r.IntN(3) == 0 {
				serial[2+r.IntN(6)] = byte('0' + r.IntN(10))
			}
			if r.IntN(5) == 0 {
				serial = []byte(" " + strings.ToLower(string(serial)))
			}
			a := standin.Asset{Company: companies[r.IntN(3)], Layout: s.layout, Name: fmt.Sprintf("fw-%d", r.IntN(5)), Serial: string(serial)}
			a.ID = s.AddAsset(a)
			all = append(all, a)
		}
		for _, serial := range serials[:20] {
			company := companies[r.IntN(3)]
			found, err := s.hudu.FindItems(t.Context(), configs.Wanted{Organization: strconv.Itoa(company), Device: "fw-1", Serials: []string{serial}})
			if err != nil {
				t.Fatal(err)
			}
			var got, want []string
			for _, it := range found {
				got = append(got, it.Organization+"/"+it.ID)
			}
			for _, a := range all {
				if a.Company == company && strings.EqualFold(strings.TrimSpace(a.Serial), serial) {
					want = append(want, fmt.Sprintf("%d/%d", a.Company, a.ID))
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("round %d, %s of %d: (-want +got)\n%s", round, serial, company, diff)
			}
		}
	}
}
