package configs_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"belay/configs"
	"belay/devices"
)

const backupFile = "router.backup"

// with adds an artifact to a reading.
func (a answer) with(bytes string, k *configs.Completeness) answer {
	a.capture.Files = append(slices.Clone(a.capture.Files), configs.File{Name: backupFile, Raw: []byte(bytes), Sealed: true, Complete: k})
	return a
}

// startup adds the saved configuration to a reading.
func (a answer) startup(text string) answer {
	a.capture.Files = append(slices.Clone(a.capture.Files), configs.File{Name: "startup.conf", Raw: []byte(text), Text: []byte(text), Saved: true})
	return a
}

func TestAnArtifactIsSealedAndNeverATextAndDoesNotCountAsAChange(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	wantGood(t, s.capture(configs.Order{}, says(marked, config(3)).with("\x88\xac one", nil)), configs.Kept)
	snap := s.repository.asked[0]
	if len(snap.Texts) != 1 || len(snap.Originals) != 2 {
		t.Fatalf("%d texts and %d originals, want 1 and 2", len(snap.Texts), len(snap.Originals))
	}
	o := snap.Originals[1]
	plain, err := s.Sealer.Open(t.Context(), "acme", o.Bytes)
	if err != nil || string(plain) != "\x88\xac one" || o.Name != backupFile || !o.Alone || o.Size != 6 || o.Digest != configs.Digest(plain) || snap.Originals[0].Alone {
		t.Errorf("sealed %+v opens to %q (%v)", o, plain, err)
	}
	wantGood(t, s.capture(configs.Order{}, says(marked, config(3)).with("\x88\xac two", nil)), configs.Unchanged)
	if n := s.versions(); n != 1 {
		t.Errorf("%d versions, want 1", n)
	}
	wantGood(t, s.capture(configs.Order{}, says(marked, config(3))), configs.Unchanged) // none this time
	wantGood(t, s.capture(configs.Order{}, says(marked, config(4)).with("\x88\xac three", nil)), configs.Kept)
}

func TestTwoReadingsAgreeWhateverTheirArtifacts(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	wantGood(t, s.capture(configs.Order{}, says(unmarked, config(3)).with("one", nil), says(unmarked, config(3)).with("two", nil)), configs.Kept)
}

func TestAnArtifactThatIsNotReadBackIsNotKept(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.Repository = artless{s.repository}
	want(t, s.capture(configs.Order{}, says(marked, config(3)).with("one", nil)), configs.Failed, devices.Damaged)
}

// An artless repository loses artifacts.
type artless struct{ *repository }

func (r artless) Originals(ctx context.Context, v configs.Version) ([]configs.Sealed, error) {
	all, err := r.repository.Originals(ctx, v)
	return slices.DeleteFunc(all, func(o configs.Sealed) bool { return o.Alone }), err
}

func gzipped(t *testing.T) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(bytes.Repeat([]byte("ucs"), 1000)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zipped(t *testing.T) string {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range []string{"one", "two"} {
		m, err := w.CreateHeader(&zip.FileHeader{Name: name}) // stored: a bit that flips shows in the sum alone
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Write([]byte("member " + name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAnArtifactThatIsNotWholeIsRefused(t *testing.T) {
	t.Parallel()
	starts := &configs.Completeness{Starts: regexp.MustCompile(`(?m)\x88\xac\xa1\xb1`)}
	gz, zipFile := gzipped(t), zipped(t)
	packed := func(s configs.Structure) *configs.Completeness { return &configs.Completeness{Balance: s} }
	for name, c := range map[string]struct {
		bytes string
		rules *configs.Completeness
		whole bool
	}{
		"empty":                      {"", nil, false},
		"anything":                   {"\x00", nil, true},
		"the right magic":            {"\x88\xac\xa1\xb1\x00\x01", starts, true},
		"the magic behind something": {"\n\x88\xac\xa1\xb1\x00", starts, false},
		"the magic as UTF-8":         {"\u0088\u00ac\u00a1\u00b1", starts, false},
		"an error text":              {"no such item", starts, false},
		"gzip":                       {gz, packed(configs.Gzip), true},
		"gzip cut short":             {gz[:len(gz)-1], packed(configs.Gzip), false},
		"gzip with its end missing":  {gz[:len(gz)-8], packed(configs.Gzip), false},
		"no gzip":                    {"PK" + gz, packed(configs.Gzip), false},
		"zip":                        {zipFile, packed(configs.Zip), true},
		"zip cut short":              {zipFile[:len(zipFile)-1], packed(configs.Zip), false},
		"a bit of a member flipped":  {strings.Replace(zipFile, "member two", "member twn", 1), packed(configs.Zip), false},
	} {
		s := newScene(t)
		a := says(marked, config(3)).with(c.bytes, c.rules)
		if c.whole {
			wantGood(t, s.capture(configs.Order{}, a), configs.Kept)
			continue
		}
		r := s.capture(configs.Order{}, a, a)
		want(t, r, configs.Refused, devices.Refused)
		wantFailed(t, r.Checks, configs.CheckArtifact)
		held, ok := s.held()
		if !ok || len(held.Originals) != 2 || !held.Originals[1].Alone {
			t.Errorf("%s: in quarantine %+v", name, held.Originals)
		}
	}
}

// An artifact is often a hundred times as large as the text.
func TestAShrinkIsVouchedForByTheTextAndNotByTheArtifact(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	huge := strings.Repeat("x", 100_000)
	wantGood(t, s.capture(configs.Order{}, says(marked, config(400)).with(huge, nil)), configs.Kept)
	small := says(marked, config(100)).with(huge, nil)
	wantFailed(t, s.capture(configs.Order{}, small, small).Checks, configs.CheckSize)
	tiny := says(marked, config(3)).with(huge, nil)
	wantFailed(t, s.capture(configs.Order{Vouched: "ports were removed"}, tiny, tiny).Checks, configs.CheckSize)
	wantGood(t, s.capture(configs.Order{Vouched: "ports were removed"}, tiny), configs.Kept)
}

// Beside the configuration may stand texts that are longer than it is.
func TestAConfigurationThatShrankIsRefusedThoughMoreStandsBeside(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	beside := func(a answer, text string) answer {
		a.capture.Files = append(slices.Clone(a.capture.Files), configs.File{Name: "vlans.txt", Raw: []byte(text), Text: []byte(text)})
		return a
	}
	vlans := strings.Repeat("vlan 7\n", 2000)
	wantGood(t, s.capture(configs.Order{}, beside(says(marked, config(100)), vlans)), configs.Kept)
	small := beside(says(marked, config(30)), vlans)
	wantFailed(t, s.capture(configs.Order{}, small, small).Checks, configs.CheckSize)
	none := beside(says(marked, config(100)), "vlan 1\n")
	wantFailed(t, s.capture(configs.Order{}, none, none).Checks, configs.CheckSize)
	wantGood(t, s.capture(configs.Order{Vouched: "they were removed"}, none), configs.Kept)
}

func TestAFurtherTextIsHeldToItsOwnRules(t *testing.T) {
	t.Parallel()
	for text, whole := range map[string]bool{"vlan 1\nend\n": true, "vlan 1\n": false} {
		s := newScene(t)
		a := says(marked, config(3))
		a.capture.Files = append(a.capture.Files, configs.File{Name: "vlans.txt", Raw: []byte(text), Text: []byte(text),
			Complete: &configs.Completeness{Ends: regexp.MustCompile(`(?m)^end\n*\z`), Sections: []*regexp.Regexp{regexp.MustCompile(`(?m)^vlan `)}}})
		if whole {
			wantGood(t, s.capture(configs.Order{}, a), configs.Kept)
			continue
		}
		r := s.capture(configs.Order{}, a, a)
		wantFailed(t, r.Checks, configs.CheckEnd)
		if !strings.Contains(r.Error, "vlans.txt") {
			t.Errorf("%q does not say of which text", r.Error)
		}
	}
}

func TestChangesAreUnsavedWhereTheSavedTextIsAnother(t *testing.T) {
	t.Parallel()
	running := "! clock 12:00\nhostname fw-hq\n!\npassword hunter2\nend\n"
	for startup, unsaved := range map[string]bool{
		running: false,
		"! saved by ada\n\n! clock 09:00\nhostname fw-hq \npassword hunter2\n!\n!\nend\n": false,
		"hostname fw-hq\npassword hunter3\nend\n":                                         true,
		"hostname fw-hq\nend\n":                           true,
		"hostname fw-hq\npassword hunter2\nvlan 7\nend\n": true,
	} {
		s := newScene(t)
		told := map[bool]time.Time{}
		s.Saved = func(_ context.Context, d devices.Device, unsaved bool, at time.Time) error {
			told[unsaved] = at
			return nil
		}
		r := s.capture(configs.Order{}, says(marked, running).startup(startup))
		wantGood(t, r, configs.Kept)
		v, _, err := s.repository.Newest(t.Context(), s.device.ID())
		if err != nil {
			t.Fatal(err)
		}
		if r.Unsaved != unsaved || s.repository.asked[0].Unsaved != unsaved || v.Unsaved != unsaved {
			t.Errorf("%q: unsaved by the result %t, the snapshot %t, the version %t; want %t", startup, r.Unsaved, s.repository.asked[0].Unsaved, v.Unsaved, unsaved)
		}
		if at, ok := told[unsaved]; len(told) != 1 || !ok || !at.Equal(noon) {
			t.Errorf("%q: told %v, want %t of noon", startup, told, unsaved)
		}
	}
}

func TestADeviceThatSaysSoHasUnsavedChangesThoughItsTextStands(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	wantGood(t, s.capture(configs.Order{}, says(marked, config(3))), configs.Kept)
	a := says(marked, config(3))
	a.capture.Unsaved = true
	r := s.capture(configs.Order{}, a)
	wantGood(t, r, configs.Unchanged)
	if !r.Unsaved {
		t.Error("the result does not say so")
	}
	full := errors.New("disk full")
	s.Saved = func(context.Context, devices.Device, bool, time.Time) error { return full }
	if r := s.capture(configs.Order{}, a); !errors.Is(r.Err, full) {
		t.Errorf("%v, want that it could not be noted", r.Err)
	}
}
