package outbox_test

import (
	"bytes"
	"strings"
	"testing"

	"belay/configs"
)

// backup puts a binary artifact beside a snapshot's text.
func (s *scene) backup(name, bytes string) func(*configs.Snapshot) {
	return func(snap *configs.Snapshot) {
		sealed, err := s.sealer.Seal(s.t.Context(), snap.Device.Customer, []byte(bytes))
		if err != nil {
			s.t.Fatal(err)
		}
		snap.Originals = append(snap.Originals, configs.Sealed{Name: name, Bytes: sealed, Digest: digest(bytes), Size: len(bytes), Alone: true})
	}
}

func TestAnArtifactHangsAsItIsOrSealedAndNeverRedacted(t *testing.T) {
	t.Parallel()
	const artifact = "\x88\xac\xa1\xb1 " + canary
	for _, c := range []struct {
		form     configs.Form
		textOnly bool
		want     string // the end of the artifact's name; empty: it does not hang
	}{
		{configs.Original, false, ".backup"}, {configs.Original, true, ".backup.txt"},
		{configs.InSeal, false, ".age"}, {configs.InSeal, true, ".age.txt"},
		{configs.Redacted, false, ""}, {configs.Redacted, true, ""},
	} {
		s := newScene(t)
		s.place.Form, s.doc.Bound.TextOnly = c.form, c.textOnly
		item := s.device("acme/rt-1")
		v := s.commit("acme/rt-1", "hostname rt-1", s.backup("router.backup", artifact))
		p := s.mustProve(s.office(), v)
		as, files := s.doc.On(item.ID)
		if c.want == "" {
			if len(as) != 1 || strings.Contains(as[0].Name, "backup") || !p.OK {
				t.Errorf("%s: %d attachments, %+v; want the text alone, proven", c.form, len(as), as)
			}
			continue
		}
		if len(as) != 2 {
			t.Fatalf("%s: %d attachments, want 2", c.form, len(as))
		}
		i := 0
		if !strings.Contains(as[0].Name, "router.backup") {
			i = 1
		}
		name, got := as[i].Name, files[i]
		if !strings.HasSuffix(name, c.want) || !strings.Contains(name, "_router.backup_sha256-") {
			t.Errorf("%s, text only %t: it is called %s, want …%s", c.form, c.textOnly, name, c.want)
		}
		if c.form == configs.InSeal {
			if bytes.Contains(got, []byte(canary)) {
				t.Errorf("%s: it hangs open", c.form)
			}
			opened, err := s.sealer.Open(t.Context(), "acme", got)
			if err != nil {
				t.Fatal(err)
			}
			got = opened
		}
		if string(got) != artifact {
			t.Errorf("%s: %q hangs there, want the artifact byte for byte", c.form, got)
		}
	}
}
