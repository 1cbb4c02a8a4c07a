package outbox_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"belay/configs"
	"belay/configs/memory"
	"belay/devices"
)

// nights keeps and proves one version a night; what fails is for the next one.
func (s *scene) nights(id devices.ID, from, to int, also ...func(*configs.Snapshot)) {
	for n := from; n < to; n++ {
		s.prove(s.office(), s.commit(id, fmt.Sprintf("night %d", n), also...))
		s.pass(24 * time.Hour)
	}
}

func night(from, to int) (texts []string) {
	for n := from; n < to; n++ {
		texts = append(texts, fmt.Sprintf("night %d", n))
	}
	return texts
}

func TestTheNewestNightsStayAndAllThatIsOfAChange(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.place.Keep = 3
	it := s.device("acme/fw-hq")
	s.nights("acme/fw-hq", 0, 2)
	s.nights("acme/fw-hq", 2, 3, inChange("C1", "before"))
	s.nights("acme/fw-hq", 3, 8)
	s.nights("acme/fw-hq", 8, 9, inChange("C1", "after"))
	s.wantOne("acme/fw-hq", append(night(5, 8), "night 2", "night 8")...)
	var gone []string
	for _, e := range s.events("unattach") {
		if e.Detail["why"] != "newer ones hang there" || e.Detail["name"] == "" || e.Device != "acme/fw-hq" || e.Detail["item"].(map[string]any)["id"] != it.ID {
			t.Errorf("event %+v", e)
		}
		gone = append(gone, e.Detail["attachment"].(string))
	}
	if want := []string{"1001", "1002", "1004", "1005"}; !slices.Equal(gone, want) {
		t.Errorf("taken down %v, want the oldest first: %v", gone, want)
	}
	for _, l := range s.letters(configs.LetterFilter{}) {
		if removed := slices.Contains(gone, l.Attachment.ID); removed == l.Removed.IsZero() || l.Proven.IsZero() {
			t.Errorf("letter %s: removed %v, want %t", l.Name, l.Removed, removed)
		}
	}
}

func TestAVersionOfSeveralFilesCountsOnce(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.place.Keep = 2
	s.device("acme/fw-hq")
	for n := range 4 {
		s.mustProve(s.office(), s.commit("acme/fw-hq", fmt.Sprint(n), func(snap *configs.Snapshot) { s.add(snap, "vlan.dat", fmt.Sprintf("vlan %d", n)) }))
		s.pass(24 * time.Hour)
	}
	s.wantOne("acme/fw-hq", "2", "vlan 2", "3", "vlan 3")
}

func TestRetentionTouchesNothingThatIsNotOurs(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.place.Keep = 1
	it := s.device("acme/fw-hq")
	put := func(name, text string) {
		t.Helper()
		if _, err := s.doc.Attach(t.Context(), it, configs.Attached{Name: name, Bytes: []byte(text)}); err != nil {
			t.Fatal(err)
		}
	}
	put("rack photo.jpg", "photo")
	put("fw-hq_20240101T000000Z_4f2c9a1b_sha256-1a2b3c4d.txt", "of another tool, or of us before the outbox was lost")
	// Another device of the same customer had the item: its letters are its own.
	s.devices["acme/fw-b"] = devices.Device{Customer: "acme", Name: "fw-b", Serials: it.Serials}
	s.prove(s.office(), s.commit("acme/fw-b", "neighbor", func(snap *configs.Snapshot) { snap.Identity.Serials = it.Serials }))
	delete(s.devices, "acme/fw-b")
	s.nights("acme/fw-hq", 0, 3)
	put("notes.txt", "notes")
	s.nights("acme/fw-hq", 3, 6)
	_, files := s.doc.On(it.ID)
	var left []string
	for _, f := range files {
		left = append(left, string(f))
	}
	want := []string{"photo", "of another tool, or of us before the outbox was lost", original("neighbor"), "notes", original("night 5")}
	if !slices.Equal(left, want) {
		t.Errorf("there hang %q, want %q", left, want)
	}
}

func TestWhatAPersonRenamedOrTookDownIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.place.Keep = 1
	it := s.device("acme/fw-hq")
	s.place.System = renamed{s.doc, "1001"}
	s.nights("acme/fw-hq", 0, 1)
	s.place.Keep = 9
	s.nights("acme/fw-hq", 1, 2)
	if err := s.doc.RemoveAttachment(t.Context(), it, configs.Attachment{ID: "1002"}); err != nil {
		t.Fatal(err)
	}
	s.place.Keep = 1
	s.doc.Calls()
	s.nights("acme/fw-hq", 2, 4)
	s.wantOne("acme/fw-hq", "night 0", "night 3")
	if n := s.doc.Calls()["RemoveAttachment"]; n != 1 { // night 2
		t.Errorf("%d removals, want 1", n)
	}
	if ls := s.letters(configs.LetterFilter{}); ls[1].Removed.IsZero() {
		t.Error("nobody noted that the second is gone")
	}
}

// renamed shows one attachment under the name that a person gave it.
type renamed struct {
	*memory.Documentation
	id string
}

func (r renamed) Attached(ctx ctx, it configs.Item) ([]configs.Attachment, error) {
	all, err := r.Documentation.Attached(ctx, it)
	for i := range all {
		if all[i].ID == r.id && len(all) > 1 {
			all[i].Name = "before the migration.txt"
		}
	}
	return all, err
}

func TestWhatHangsOnTheItemOfTheBoxBeforeStays(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.place.Keep = 1
	s.device("acme/fw-hq")
	s.nights("acme/fw-hq", 0, 2)
	s.doc.Add(configs.Item{Organization: "org-acme", ID: "new", Serials: []string{"SN-NEW"}})
	s.nights("acme/fw-hq", 2, 4, func(snap *configs.Snapshot) { snap.Identity.Serials = []string{"SN-NEW"} })
	s.wantOne("acme/fw-hq", "night 1")
	if ls := s.letters(configs.LetterFilter{Hanging: true}); len(s.names("new")) != 1 || len(ls) != 2 {
		t.Errorf("on the new item %v, %d letters hang", s.names("new"), len(ls))
	}
}

func TestNothingIsTakenDownBeforeANewerOneIsProven(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.place.Keep = 1
	s.device("acme/fw-hq")
	s.nights("acme/fw-hq", 0, 1)
	for _, op := range []string{"Attach", "Attached"} { // not sent; sent, but not seen
		s.doc.Fail = func(asked string) error {
			if asked == op {
				return errors.New("500")
			}
			return nil
		}
		s.nights("acme/fw-hq", 1, 4)
		if _, files := s.doc.On("ci-acme-fw-hq"); string(files[0]) != original("night 0") {
			t.Fatalf("%s fails: the only proven one is gone", op)
		}
	}
	if n := s.doc.Calls()["RemoveAttachment"]; n != 0 {
		t.Errorf("%d removals", n)
	}
}

func TestARemovalThatFailedIsTriedWithTheNextOne(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.place.Keep = 1
	s.device("acme/fw-hq")
	fail := true
	s.doc.Fail = func(op string) error {
		if fail && op == "RemoveAttachment" {
			return errors.New("500 " + op)
		}
		return nil
	}
	s.nights("acme/fw-hq", 0, 3)
	s.wantOne("acme/fw-hq", night(0, 3)...)
	if len(s.logged) == 0 || !strings.Contains(s.logged[0], "tried again") {
		t.Errorf("logged %q", s.logged)
	}
	if ls := s.letters(configs.LetterFilter{Hanging: true}); len(ls) != 3 || ls[0].Lease != "" {
		t.Errorf("hanging letters %+v", ls)
	}
	fail = false
	s.nights("acme/fw-hq", 3, 4)
	s.wantOne("acme/fw-hq", "night 3")
}

// patient takes its time to remove.
type patient struct{ *memory.Documentation }

func (p patient) RemoveAttachment(ctx ctx, it configs.Item, a configs.Attachment) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(5 * time.Minute):
		return p.Documentation.RemoveAttachment(ctx, it, a)
	}
}

func TestARemovalMayTakeItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.doc.Now, s.outbox.Now = time.Now, time.Now
		s.place.Keep, s.place.System = 1, patient{s.doc}
		s.device("acme/fw-hq")
		o := s.office()
		o.Now = time.Now
		for _, text := range []string{"one", "two"} {
			s.mustProve(o, s.commit("acme/fw-hq", text))
			time.Sleep(time.Hour)
		}
		s.wantOne("acme/fw-hq", "two")
	})
}

func TestWhatWasTakenDownHangsAgainWhereItIsAskedFor(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.place.Keep = 1
	s.device("acme/fw-hq")
	first := s.commit("acme/fw-hq", "one")
	s.mustProve(s.office(), first)
	s.pass(time.Hour)
	s.mustProve(s.office(), s.commit("acme/fw-hq", "two"))
	s.wantOne("acme/fw-hq", "two")
	s.pass(time.Hour)
	if p := s.mustProve(s.office(), first); !p.At.Equal(s.Now()) {
		t.Errorf("proof %+v is of what does not hang there any more", p)
	}
	s.wantOne("acme/fw-hq", "one", "two")
}
