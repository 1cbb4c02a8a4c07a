package main

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"belay/configs"
	"belay/configs/memory"
	"belay/configs/scrub"
	"belay/devices"
	"belay/store/docsystem"
	hudu "belay/store/docsystem/hudu/standin"
	itglue "belay/store/docsystem/itglue/standin"
	"belay/store/ledger"
)

// attached is a scrub of nothing but what hangs in a documentation system, where
// two devices of acme have hung their files.
func attached(t *testing.T, a archive) (y *yard, s *scrub.Scrub, w *workspace) {
	t.Helper()
	y = newYard(t, a, 5)
	o, end := y.start()
	t.Cleanup(end)
	if n := y.night(t.Context(), o, 0); n > 0 {
		t.Fatalf("%d pending", n)
	}
	l, err := ledger.Open(t.Context(), y.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	l.Now = y.Now
	sys, err := docsystem.Find(y.kind)
	if err != nil {
		t.Fatal(err)
	}
	d, err := sys.Open(docsystem.Options{URL: y.porch.url, Key: devices.NewSecret(y.key)})
	if err != nil {
		t.Fatal(err)
	}
	w = &workspace{ledger: l, office: o, now: y.Now, settings: &settings{Documentation: map[string]documentation{"docs": {y.kind: {}}}}, systems: map[string]configs.Documentation{"docs": d}}
	s = &scrub.Scrub{Marks: l, Ledger: l, Alarms: &memory.Alarms{}, Now: y.Now, Every: scrub.Week,
		Customers: func(context.Context) ([]string, error) { return []string{"acme"}, nil },
		Shelves:   []scrub.Shelf{rack{name: "attachments", size: small, read: w.askAttachments, stands: w.stillMissing}}}
	return y, s, w
}

func TestAnAttachmentWithOtherBytesOfTheSameSizeIsFoundAndStands(t *testing.T) {
	t.Parallel()
	a := huduArchive()
	server := a.handler.(*hudu.Server)
	y, s, w := attached(t, a)
	var rotten hudu.Upload
	for _, u := range server.Uploads() {
		if strings.Contains(u.Name, "fw-000") {
			rotten = u
		}
	}
	downloads := server.Calls("GET /uploads/{id}")
	server.Rot(rotten.ID)
	found, whole := 0, 0
	for range contentTurns { // each has its turn once
		r, err := s.All(t.Context())
		if err != nil || len(r.Unread) > 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		found += len(r.Found)
		for why, n := range r.Short {
			if whole += n; why != notItsTurn {
				t.Errorf("%d %s", n, why)
			}
		}
		if r.Cleared > 0 || r.Standing != found || r.Away != found {
			t.Errorf("a look at its name and size clears it: %+v", r)
		}
		for _, d := range r.Found {
			if !strings.HasPrefix(d.Key, contentKey) || d.Device != "acme/fw-000" || !strings.Contains(d.String(), "and not its bytes") {
				t.Errorf("%+v", d)
			}
		}
		y.pass(scrub.Week)
	}
	if n := server.Calls("GET /uploads/{id}") - downloads; found != 1 || n != 2 || whole != 2*(contentTurns-1) {
		t.Errorf("%d found with %d downloads in all turns of two attachments, %d times by name and size alone", found, n, whole)
	}
	item := configs.Item{Organization: "1", ID: strconv.Itoa(rotten.Record)}
	if err := w.systems["docs"].(configs.AttachmentRemover).RemoveAttachment(t.Context(), item, configs.Attachment{ID: strconv.Itoa(rotten.ID), Name: rotten.Name}); err != nil {
		t.Fatal(err)
	}
	if r, err := s.All(t.Context()); err != nil || len(r.Found) != 1 || r.Cleared != 1 || !strings.Contains(r.Found[0].String(), "does not hang") {
		t.Errorf("taken down by a person: %+v, %v", r, err)
	}
	y.pass(scrub.Week)
	if err := w.office.Drain(t.Context(), y.Now(), nil); err != nil {
		t.Fatal(err)
	}
	if r, err := s.All(t.Context()); err != nil || r.Standing > 0 || r.Cleared != 1 {
		t.Errorf("sent again: %+v, %v", r, err)
	}
}

func TestNothingIsReadBackWhileDeliveriesWait(t *testing.T) {
	t.Parallel()
	a := huduArchive()
	server := a.handler.(*hudu.Server)
	y, s, w := attached(t, a)
	server.Add(hudu.Fault{Status: 503, Method: "POST"})
	if n := y.night(t.Context(), w.office, 1); n != 5 {
		t.Fatalf("%d pending", n)
	}
	server.Clear()
	y.pass(contentTurns * scrub.Week) // they are due by now, and nobody sends them
	downloads, unread := server.Calls("GET /uploads/{id}"), 0
	for range contentTurns {
		r, err := s.All(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, why := range r.Unread {
			if unread++; !strings.Contains(why, "deliveries wait, which go first") {
				t.Error(why)
			}
		}
		y.pass(scrub.Week)
	}
	if n := server.Calls("GET /uploads/{id}") - downloads; n != 0 || unread == 0 {
		t.Errorf("%d downloads while deliveries wait, said %d times", n, unread)
	}
}

func TestWhereNoContentIsGivenBackTheReportSaysSo(t *testing.T) {
	t.Parallel()
	old := huduArchive()
	old.handler.(*hudu.Server).Set(func(s *hudu.Switches) { s.Version = "2.40.1" })
	glue := glueArchive()
	for name, a := range map[string]archive{"IT Glue": glue, "Hudu": old} {
		y, s, _ := attached(t, a)
		for _, at := range glue.handler.(*itglue.Server).AllAttachments() { // which nobody can see from here
			glue.handler.(*itglue.Server).Rot(at.ID)
		}
		said := map[string]int{}
		for range contentTurns {
			r, err := s.All(t.Context())
			if err != nil || r.Standing > 0 {
				t.Fatalf("%+v, %v", r, err)
			}
			for why, n := range r.Short {
				said[why] += n
			}
			y.pass(scrub.Week)
		}
		if !slices.ContainsFunc(slices.Collect(maps.Keys(said)), func(why string) bool {
			return strings.HasPrefix(why, "attachments by name and size alone: "+name+" gives their content back to nobody")
		}) {
			t.Errorf("%s: said %v", name, said)
		}
		if now, err := s.Progress(t.Context()); err != nil || len(now.Short) == 0 {
			t.Errorf("%s: the status says %+v, %v", name, now.Short, err)
		}
	}
}
