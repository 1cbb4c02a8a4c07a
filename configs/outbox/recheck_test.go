package outbox_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/memory"
	"belay/configs/outbox"
	"belay/devices"
)

// recheck looks for all that should hang, and returns what is wrong by name.
func (s *scene) recheck(o *outbox.Office, after string) (all []outbox.Recheck, err error) {
	for r, err := range o.Recheck(s.t.Context(), "acme", after) {
		if err != nil {
			return all, err
		}
		all = append(all, r)
	}
	return all, nil
}

func (s *scene) wrong(o *outbox.Office) (problems []string) {
	s.t.Helper()
	all, err := s.recheck(o, "")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range all {
		if r.Problem != "" {
			problems = append(problems, string(r.Letter.Device)+": "+r.Problem)
		}
	}
	return problems
}

func TestWhatHangsIsAskedForAgainWithOneListAnItem(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	o := s.office()
	for _, id := range []devices.ID{"acme/fw", "acme/sw", "globex/fw"} {
		s.device(id)
		for _, text := range []string{"one", "two"} {
			s.mustProve(o, s.commit(id, text+string(id)))
			s.pass(time.Minute)
		}
	}
	s.doc.Calls()
	all, err := s.recheck(s.office(), "")
	if err != nil || len(all) != 4 || all[3].Through != 1 || all[1].At == "" || all[0].At != "" || len(s.wrong(s.office())) > 0 {
		t.Fatalf("%+v, %v", all, err)
	}
	if calls := s.doc.Calls(); calls["Attached"] != 4 || len(calls) != 1 {
		t.Errorf("two readings of two items asked %v", calls)
	}
	if rest, err := s.recheck(s.office(), all[1].At); err != nil || len(rest) != 2 || rest[0].Letter.Device != "acme/sw" {
		t.Errorf("behind the first item: %+v, %v", rest, err)
	}
}

func TestAnAttachmentThatIsGoneIsToldAndSentAgain(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	o := s.office()
	item := s.device("acme/fw")
	v := s.commit("acme/fw", "one")
	s.mustProve(o, v)
	hung, _ := s.doc.On(item.ID)
	if err := s.doc.RemoveAttachment(t.Context(), item, hung[0]); err != nil {
		t.Fatal(err)
	}
	l := s.letters(configs.LetterFilter{})[0]
	if hangs, err := o.Hangs(t.Context(), l); hangs || err != nil {
		t.Errorf("hangs: %t, %v", hangs, err)
	}
	if len(s.letters(configs.LetterFilter{Waiting: true})) != 0 {
		t.Error("to look changed something")
	}
	if got := s.wrong(o); len(got) != 1 || !strings.Contains(got[0], "acme/fw: it does not hang on item ci-acme-fw") {
		t.Errorf("told %q", got)
	}
	if e := s.events("unattach"); len(e) != 1 || e[0].Device != "acme/fw" || e[0].Detail["attachment"] != hung[0].ID || e[0].Detail["version"] != v.Commit {
		t.Errorf("events %+v", e)
	}
	waiting := s.letters(configs.LetterFilter{Waiting: true})
	if len(waiting) != 1 || waiting[0].Error == "" || waiting[0].Tries != 0 || waiting[0].Lease != "" {
		t.Errorf("waiting: %+v", waiting)
	}
	if got := s.wrong(o); len(got) != 0 {
		t.Errorf("it is told twice: %q", got)
	}
	s.drain(s.office())
	s.wantOne("acme/fw", "one")
	if hangs, err := o.Hangs(t.Context(), s.letters(configs.LetterFilter{})[0]); !hangs || err != nil {
		t.Errorf("hangs again: %t, %v", hangs, err)
	}
	if got := s.wrong(o); len(got) != 0 {
		t.Errorf("it hangs again, and %q", got)
	}
	s.wantNoSecret()
}

// A person has put another file of the name in its place: that stays, as evidence,
// and what was kept is hung beside it.
func TestAnAttachmentThatDiffersStaysAndTheRightOneIsSent(t *testing.T) {
	t.Parallel()
	for _, noSize := range []bool{false, true} {
		s := newScene(t)
		s.doc.NoSize = noSize
		o := s.office()
		item := s.device("acme/fw")
		s.mustProve(o, s.commit("acme/fw", "one"))
		if got := s.wrong(o); len(got) != 0 {
			t.Errorf("before: %q", got)
		}
		hung, _ := s.doc.On(item.ID)
		if err := s.doc.RemoveAttachment(t.Context(), item, hung[0]); err != nil {
			t.Fatal(err)
		}
		if _, err := s.doc.Attach(t.Context(), item, configs.Attached{Name: hung[0].Name, Bytes: []byte("altered")}); err != nil {
			t.Fatal(err)
		}
		if got := s.wrong(o); len(got) != 1 || !strings.Contains(got[0], "is not what was sent") {
			t.Errorf("told %q", got)
		}
		s.drain(s.office())
		_, files := s.doc.On(item.ID)
		if len(files) != 2 || !slices.ContainsFunc(files, func(f []byte) bool { return string(f) == original("one") }) {
			t.Errorf("%q hang there", files)
		}
		if got := s.wrong(o); len(got) != 0 {
			t.Errorf("the right one hangs there: %q", got)
		}
	}
}

func TestAnItemThatIsGoneTakesItsAttachmentsAlong(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	o := s.office()
	item := s.device("acme/fw")
	s.mustProve(o, s.commit("acme/fw", "one"))
	s.doc.Drop(item.ID)
	if got := s.wrong(o); len(got) != 1 || len(s.letters(configs.LetterFilter{Waiting: true})) != 1 {
		t.Errorf("told %q", got)
	}
}

// A system that does not answer says nothing of what hangs there; another one is
// asked all the same.
func TestASystemThatDoesNotAnswerIsNoLoss(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	o := s.office()
	for _, id := range []devices.ID{"acme/fw", "acme/sw"} {
		s.device(id)
		s.mustProve(o, s.commit(id, "one"+string(id)))
	}
	down := false
	s.doc.Trouble = func(op string, item configs.Item) memory.Trouble {
		if down && item.ID == "ci-acme-fw" {
			return memory.Trouble{Err: errors.New("gateway timeout")}
		}
		return memory.Trouble{}
	}
	down = true
	all, err := s.recheck(o, "")
	if len(all) != 0 || devices.KindOf(err) != devices.AttachmentPending || !strings.Contains(err.Error(), "gateway timeout") {
		t.Errorf("%+v, %v", all, err)
	}
	if len(s.letters(configs.LetterFilter{Waiting: true})) != 0 || len(s.events("unattach")) != 0 {
		t.Error("what was not answered was taken for lost")
	}
	down = false
	s.pass(time.Hour)
	if got := s.wrong(o); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

// Somebody has it in hand at this moment, or has taken it down since: it is his.
func TestWhatIsInAnothersHandsIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	o := s.office()
	item := s.device("acme/fw")
	s.mustProve(o, s.commit("acme/fw", "one"))
	hung, _ := s.doc.On(item.ID)
	if err := s.doc.RemoveAttachment(t.Context(), item, hung[0]); err != nil {
		t.Fatal(err)
	}
	l := s.letters(configs.LetterFilter{})[0]
	if _, ok, err := s.outbox.Claim(t.Context(), l.ID, s.Now().Add(time.Minute)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if all, err := s.recheck(o, ""); err == nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	if len(s.events("unattach")) != 0 {
		t.Error("the ledger tells of it")
	}
}
