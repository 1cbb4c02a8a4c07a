package ledger

import "testing"

func TestAChainWhoseEndWasCutOffIsSeenByWhereItEnded(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir())
	for range 3 {
		append1(t, l, "acme")
	}
	heads, err := l.Heads(t.Context())
	if err != nil || len(heads) != 1 {
		t.Fatal(heads, err)
	}
	leads := func(h Head, want bool) {
		t.Helper()
		if got, err := l.Leads(t.Context(), h); err != nil || got != want {
			t.Errorf("entry %d of %q: %t, %v", h.Entries, h.Customer, got, err)
		}
	}
	leads(heads[0], true)
	append1(t, l, "acme")
	leads(heads[0], true) // it goes on from there
	other := heads[0]
	other.Hash = heads[0].Hash[2:] + "00"
	leads(other, false)
	other = heads[0]
	other.Entries = 9
	leads(other, false)
	other = heads[0]
	other.Customer = "globex"
	leads(other, false)
}
