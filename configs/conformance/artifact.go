package conformance

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
)

// alone is the sealed original of a binary artifact.
func alone(name, original string) configs.Sealed {
	s := sealed(name, original)
	s.Alone = true
	return s
}

const artifact = "router.backup"

// withArtifact is a snapshot of a text with an artifact beside it.
func withArtifact(t *testing.T, minute int, text, bytes string) configs.Snapshot {
	s := snapshot(t, "acme", "rt-1", text, minute)
	s.Originals = append(s.Originals, alone(artifact, bytes))
	return s
}

func artifactHasNoText(t *testing.T, r configs.Repository) {
	s := withArtifact(t, 1, "hostname rt-1\n", "\x88\xac\xa1\xb1\x00\n")
	v := must[configs.Version](t)(r.Commit(t.Context(), s))
	wantTexts(t, r, v, s.Texts)
	got := must[[]configs.Sealed](t)(r.Originals(t.Context(), v))
	if diff := cmp.Diff(s.Originals, got, ignored); diff != "" {
		t.Errorf("originals (-kept +read):\n%s", diff)
	}
	want := []configs.VersionFile{
		{Name: configs.MainFile, Digest: s.Texts[0].Clean.Digest(), Bytes: s.Texts[0].Clean.Len(), OriginalDigest: s.Originals[0].Digest, OriginalBytes: s.Originals[0].Size},
		{Name: artifact, OriginalDigest: s.Originals[1].Digest, OriginalBytes: 6},
	}
	newest, _, err := r.Newest(t.Context(), v.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, files := range [][]configs.VersionFile{v.Files, newest.Files, all(t, r.History(t.Context(), v.ID))[0].Files} {
		if diff := cmp.Diff(want, files, ignored); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
	}
}

// artifactAlone: no two artifacts of one device are the same, so that they would
// make a version each night; but the first of a name is a version's.
func artifactAlone(t *testing.T, r configs.Repository) {
	for i, step := range []struct {
		text, artifact string
		isNew          bool
	}{
		{"a\n", "", true},
		{"a\n", "one", true}, // the first there is
		{"a\n", "two", false},
		{"a\n", "", false},      // the device gave none this time
		{"b\n", "three", true},  // the text decides
		{"b\n", "four", false},  //
		{"c\n", "", true},       //
		{"c\n", "five", true},   // that version had none
		{"c\n", "five", false},  //
		{"c\n", "seven", false}, //
	} {
		s := withArtifact(t, i, step.text, step.artifact)
		if step.artifact == "" {
			s.Originals = s.Originals[:1]
		}
		v := must[configs.Version](t)(r.Commit(t.Context(), s))
		if v.New != step.isNew {
			t.Errorf("step %d: New is %t, want %t", i, v.New, step.isNew)
		}
		if step.isNew {
			got := must[[]configs.Sealed](t)(r.Originals(t.Context(), v))
			if diff := cmp.Diff(s.Originals, got, ignored); diff != "" {
				t.Errorf("step %d: originals (-committed +read):\n%s", i, diff)
			}
		}
	}
}

func toldUnsaved(t *testing.T, r configs.Repository) {
	s := snapshot(t, "acme", "sw-1", "hostname sw-1\n", 1)
	s.Unsaved = true
	first := must[configs.Version](t)(r.Commit(t.Context(), s))
	s = snapshot(t, "acme", "sw-1", "hostname sw-1\n!\n", 2)
	second := must[configs.Version](t)(r.Commit(t.Context(), s))
	versions := all(t, r.History(t.Context(), first.ID))
	if !first.Unsaved || second.Unsaved || len(versions) != 2 || versions[0].Unsaved || !versions[1].Unsaved {
		t.Errorf("got %t, then %t, and of history %+v; want unsaved, then saved", first.Unsaved, second.Unsaved, versions)
	}
}
