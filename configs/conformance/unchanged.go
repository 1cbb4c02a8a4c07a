package conformance

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"belay/configs"
)

// unchangedIsTold: whoever asks first whether there is anything to keep must seal
// nothing where there is not, and must be sent on to Commit where there is.
func unchangedIsTold(t *testing.T, r configs.Repository) {
	kept := withArtifact(t, 1, "hostname rt-1\n", "one")
	ask := func(what string, change func(*configs.Snapshot), want bool) {
		t.Helper()
		s := withArtifact(t, 2, "hostname rt-1\n", "one")
		change(&s)
		for i := range s.Originals {
			s.Originals[i].Bytes = nil
		}
		v, ok, err := r.Unchanged(t.Context(), s)
		if err != nil || ok != want {
			t.Errorf("%s: told unchanged %t (%v), want %t", what, ok, err, want)
		}
		if !ok {
			return
		}
		if diff := cmp.Diff(must[configs.Version](t)(r.Commit(t.Context(), s)), v, ignored); diff != "" || v.New {
			t.Errorf("%s: not the version that Commit returns (-commit +told):\n%s", what, diff)
		}
	}
	as := func(*configs.Snapshot) {}
	ask("nothing is kept yet", as, false)
	must[configs.Version](t)(r.Commit(t.Context(), kept))
	ask("all as it was", as, true)
	ask("the artifact was not given this time", func(s *configs.Snapshot) { s.Originals = s.Originals[:1] }, true)
	ask("another clock in the original", func(s *configs.Snapshot) { s.Originals[0] = sealed(configs.MainFile, "clock") }, true)
	ask("another salt in the original", func(s *configs.Snapshot) { s.Salted, s.Originals[0] = true, sealed(configs.MainFile, "salt") }, false)
	ask("another artifact", func(s *configs.Snapshot) { s.Originals[1] = alone(artifact, "two") }, false)
	ask("a first artifact", func(s *configs.Snapshot) { s.Originals = append(s.Originals, alone("second.backup", "one")) }, false)
	ask("another text", func(s *configs.Snapshot) { s.Texts[0] = text(t, configs.MainFile, "hostname rt-2\n") }, false)
	ask("a further text", func(s *configs.Snapshot) { s.Texts = append(s.Texts, text(t, "vlan.txt", "1\n")) }, false)
	ask("a version is wanted always", func(s *configs.Snapshot) { s.Always = true }, false)
	ask("another device", func(s *configs.Snapshot) { s.Device.Name = "rt-2" }, false)
	if n := len(all(t, r.History(t.Context(), kept.Device.ID()))); n != 1 {
		t.Errorf("%d versions, want 1: to ask keeps nothing", n)
	}
}

func standingIsReadBack(t *testing.T, r configs.Repository) {
	s := withArtifact(t, 1, "hostname rt-1\n", "one")
	if v, texts, ok, err := r.Standing(t.Context(), s.Device.ID()); ok || err != nil || len(texts) > 0 || v.Commit != "" {
		t.Errorf("of what was never kept stands %+v, %d texts, %t, %v", v, len(texts), ok, err)
	}
	for minute, text1 := range []string{"hostname rt-1\n", "hostname rt-1\n!\n"} {
		s := withArtifact(t, minute, text1, "one")
		s.Texts = append(s.Texts, text(t, "vlan.txt", "1\n"))
		want := must[configs.Version](t)(r.Commit(t.Context(), s))
		v, texts, ok, err := r.Standing(t.Context(), want.ID)
		if err != nil || !ok {
			t.Fatalf("standing: %t, %v", ok, err)
		}
		if diff := cmp.Diff(want, v, ignored); diff != "" {
			t.Errorf("not the version that was kept (-kept +standing):\n%s", diff)
		}
		if diff := cmp.Diff(s.Texts, texts, cmpopts.SortSlices(func(a, b configs.Text) bool { return a.Name < b.Name })); diff != "" {
			t.Errorf("texts (-kept +standing):\n%s", diff)
		}
	}
}
