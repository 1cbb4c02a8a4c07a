package conformance

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"belay/configs"
	"belay/configs/outbox"
)

// Documentation holds an implementation of configs.Documentation, with whatever
// more it can do, to its contract. Open gives one each time, with an item that
// nothing hangs on; it runs the same steps as "belay docs try" and more. Names
// end in .txt, as every system takes them.
func Documentation(t *testing.T, open func(t *testing.T) (configs.Documentation, configs.Item)) {
	for name, f := range map[string]func(*testing.T, configs.Documentation, configs.Item){
		"what docs try does succeeds":           triedOut,
		"what is attached is listed as told":    listedAsTold,
		"a name used twice replaces nothing":    sameNameTwice,
		"each of many is listed once":           listedOnce,
		"each of many at once is listed once":   listedOnceAtOnce,
		"a file of 1 MB arrives whole":          oneMegabyte,
		"a file that is too large is declined":  tooLarge,
		"an unknown item is declined as gone":   unknownItem,
		"items are listed as they are":          itemsListed,
		"what is removed is gone, and no other": removedOnce,
		"an item may be restricted twice":       restrictedTwice,
		"a canceled context is its error":       canceledDocumentation,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, item := open(t)
			f(t, doc, item)
		})
	}
}

func attach(t *testing.T, doc configs.Documentation, item configs.Item, name, text string) configs.Attachment {
	t.Helper()
	a, err := doc.Attach(t.Context(), item, configs.Attached{Name: name, Bytes: []byte(text)})
	if err != nil {
		t.Fatalf("attach %s: %v", name, err)
	}
	if a.ID == "" || a.Name != name {
		t.Errorf("attached %s, told to be attachment %q called %q", name, a.ID, a.Name)
	}
	return a
}

// hangs finds what hangs on item by its id, and fails where an id is listed twice.
func hangs(t *testing.T, doc configs.Documentation, item configs.Item) map[string]configs.Attachment {
	t.Helper()
	found := map[string]configs.Attachment{}
	for _, a := range must[[]configs.Attachment](t)(doc.Attached(t.Context(), item)) {
		if _, twice := found[a.ID]; twice {
			t.Errorf("attachment %s is listed twice", a.ID)
		}
		found[a.ID] = a
	}
	return found
}

// wantWhole compares what is listed with what was sent, as far as is told.
func wantWhole(t *testing.T, doc configs.Documentation, item configs.Item, a configs.Attachment, text string) {
	t.Helper()
	if a.Bytes >= 0 && a.Bytes != len(text) {
		t.Errorf("%s is listed with %d bytes, want %d", a.Name, a.Bytes, len(text))
	}
	if a.Digest != "" && !strings.EqualFold(a.Digest, digestOf(text)) {
		t.Errorf("%s is listed with the digest of something else", a.Name)
	}
	r, ok := doc.(configs.AttachmentReader)
	if !ok {
		return
	}
	got, err := r.ReadAttachment(t.Context(), item, a)
	if errors.Is(err, configs.ErrCannotRead) {
		return
	}
	if err != nil || !bytes.Equal(got, []byte(text)) {
		t.Errorf("%s: %d bytes came back that are not the %d sent (error %v)", a.Name, len(got), len(text), err)
	}
}

func triedOut(t *testing.T, doc configs.Documentation, item configs.Item) {
	checks := outbox.Try(t.Context(), doc, item, "belay-try_20260314T020100Z.txt")
	var steps []string
	for _, c := range checks {
		steps = append(steps, c.Name)
		if !c.OK {
			t.Errorf("%s: %s", c.Name, c.Detail)
		}
	}
	if want := []string{outbox.TryLook, outbox.TryUpload, outbox.TryList, outbox.TrySize, outbox.TryRead, outbox.TryDelete, outbox.TryGone}; !slices.Equal(steps, want) {
		t.Errorf("steps %v, want %v", steps, want)
	}
}

func listedAsTold(t *testing.T, doc configs.Documentation, item configs.Item) {
	if doc.Name() == "" {
		t.Error("the system has no name")
	}
	for name, text := range map[string]string{
		"fw-hq_20261121T223415Z_before_4f2c9a1b_sha256-1a2b3c4d.txt":                                                "hostname fw-hq\n",
		"a.b-c_d.e_20261121T223415Z_4f2c9a1b_sha256-00000000.redacted.txt":                                          "one line without an end",
		"sw-1_20261121T223415Z_4f2c9a1b_sha256-ffffffff.age.txt":                                                    "age-encryption.org/v1\n\x00\xff\x1b\r\n",
		strings.Repeat("n", 100) + "_20261121T223415Z_before_4f2c9a1b_vlan-" + strings.Repeat("x", 20) + ".dat.txt": "x",
		"T20391-fw-hq_receipt_sha256-1a2b3c4d.txt":                                                                  strings.Repeat("Zürich – 100 % \"kept\" & <whole>\r\n", 100),
		"looks-like-json_20261121T223415Z_4f2c9a1b_sha256-1a2b3c4d.txt":                                             `{"data":[{"id":"1"}],"meta":{}}`,
		"looks-like-html_20261121T223415Z_4f2c9a1b_sha256-1a2b3c4d.txt":                                             "<html><body>504</body></html>",
		"looks-like-base64_20261121T223415Z_4f2c9a1b_sha256-1a2b3c4d.txt":                                           "aG9zdG5hbWUgZnctaHEK",
		"ends-in-a-boundary_20261121T223415Z_4f2c9a1b_sha256-1a2b3c4d.txt":                                          "\r\n--XX--\r\nContent-Disposition: form-data\r\n\r\n",
	} {
		told := attach(t, doc, item, name, text)
		a, ok := hangs(t, doc, item)[told.ID]
		if !ok || a.Name != name {
			t.Errorf("%s was told to be attachment %s; listed: %t, as %q", name, told.ID, ok, a.Name)
			continue
		}
		wantWhole(t, doc, item, a, text)
	}
}

// A system may keep two files of one name apart by their ids, or may decline
// the second; it may not put one in the other's place.
func sameNameTwice(t *testing.T, doc configs.Documentation, item configs.Item) {
	const name = "fw-hq_20261121T223415Z_4f2c9a1b_sha256-1a2b3c4d.txt"
	first := attach(t, doc, item, name, "first")
	second, err := doc.Attach(t.Context(), item, configs.Attached{Name: name, Bytes: []byte("the second")})
	found := hangs(t, doc, item)
	if err == nil {
		if second.ID == first.ID || len(found) != 2 {
			t.Errorf("attachments %s and %s of one name, %d listed: want two", first.ID, second.ID, len(found))
		}
		wantWhole(t, doc, item, found[second.ID], "the second")
	} else if len(found) != 1 {
		t.Errorf("the second of one name failed (%v), and %d are listed", err, len(found))
	}
	wantWhole(t, doc, item, found[first.ID], "first")
}

func listedOnce(t *testing.T, doc configs.Documentation, item configs.Item) {
	const n = 60 // more than a page of most systems
	want := map[string]string{}
	for i := range n {
		name := fmt.Sprintf("fw-hq_20261121T22%02d00Z_4f2c9a1b_sha256-1a2b3c4d.txt", i)
		want[attach(t, doc, item, name, name).ID] = name
	}
	found := hangs(t, doc, item)
	if len(want) != n || len(found) != n {
		t.Errorf("%d ids were told, %d are listed, want %d", len(want), len(found), n)
	}
	for id, name := range want {
		if found[id].Name != name {
			t.Errorf("attachment %s is called %q, want %q", id, found[id].Name, name)
		}
	}
}

func listedOnceAtOnce(t *testing.T, doc configs.Documentation, item configs.Item) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			name := fmt.Sprintf("fw-hq_20261121T22%02d00Z_4f2c9a1b_sha256-1a2b3c4d.txt", i)
			if _, err := doc.Attach(t.Context(), item, configs.Attached{Name: name, Bytes: []byte(name)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	found := hangs(t, doc, item)
	if len(found) != 8 {
		t.Errorf("%d are listed, want 8", len(found))
	}
	for _, a := range found {
		wantWhole(t, doc, item, a, a.Name)
	}
}

func oneMegabyte(t *testing.T, doc configs.Documentation, item configs.Item) {
	text := strings.Repeat("interface GigabitEthernet0/0/1 \x00\xff\n", 1<<20/33+1)[:1<<20]
	if b, ok := doc.(configs.Bounded); ok && b.Bounds().MaxBytes > 0 && b.Bounds().MaxBytes < len(text) {
		t.Fatalf("bound to %d bytes: configurations are larger", b.Bounds().MaxBytes)
	}
	told := attach(t, doc, item, "core_20261121T223415Z_4f2c9a1b_sha256-1a2b3c4d.txt", text)
	wantWhole(t, doc, item, hangs(t, doc, item)[told.ID], text)
}

func tooLarge(t *testing.T, doc configs.Documentation, item configs.Item) {
	b, ok := doc.(configs.Bounded)
	if !ok || b.Bounds().MaxBytes == 0 || b.Bounds().MaxBytes > 16<<20 {
		return // no bound that a test can pass
	}
	_, err := doc.Attach(t.Context(), item, configs.Attached{Name: "core.txt", Bytes: make([]byte, b.Bounds().MaxBytes+1)})
	wantDeclined(t, "attach one byte too many", err, configs.TooLarge)
	if n := len(hangs(t, doc, item)); n != 0 {
		t.Errorf("%d files hang there, want none", n)
	}
}

func wantDeclined(t *testing.T, op string, err error, why configs.Decline) {
	t.Helper()
	if d, ok := errors.AsType[*configs.Declined](err); !ok || d.Why != why {
		t.Errorf("%s: got error %v, want it declined as %q", op, err, why)
	}
}

func unknownItem(t *testing.T, doc configs.Documentation, item configs.Item) {
	ghost := configs.Item{Organization: item.Organization, ID: "404404404"} // no customer/device either
	_, err := doc.Attach(t.Context(), ghost, configs.Attached{Name: "fw-hq.txt", Bytes: []byte("x")})
	wantDeclined(t, "attach", err, configs.Gone)
	_, err = doc.Attached(t.Context(), ghost)
	wantDeclined(t, "attached", err, configs.Gone)
}

func itemsListed(t *testing.T, doc configs.Documentation, item configs.Item) {
	l, ok := doc.(configs.ItemLister)
	if !ok {
		return
	}
	for name, ids := range map[string][]string{"by id": {item.ID, "404404404"}, "all of the organization": nil} {
		items := must[[]configs.Item](t)(l.Items(t.Context(), item.Organization, ids))
		i := slices.IndexFunc(items, func(it configs.Item) bool { return it.ID == item.ID })
		if i < 0 || items[i].Organization != item.Organization {
			t.Errorf("%s: the item is not among %v", name, items)
		}
		if slices.ContainsFunc(items, func(it configs.Item) bool { return it.ID == "404404404" }) {
			t.Errorf("%s: an item that does not exist is among %v", name, items)
		}
	}
	if items := must[[]configs.Item](t)(l.Items(t.Context(), item.Organization, []string{})); len(items) != 0 {
		t.Errorf("asked for no item, got %v", items)
	}
}

func removedOnce(t *testing.T, doc configs.Documentation, item configs.Item) {
	r, ok := doc.(configs.AttachmentRemover)
	if !ok {
		return
	}
	a, b := attach(t, doc, item, "a.txt", "a"), attach(t, doc, item, "b.txt", "b")
	for _, try := range []string{"first", "second"} {
		if err := r.RemoveAttachment(t.Context(), item, a); err != nil {
			t.Errorf("removed for the %s time: %v", try, err)
		}
	}
	found := hangs(t, doc, item)
	if _, ok := found[a.ID]; ok {
		t.Error("what was removed is still listed")
	}
	if _, ok := found[b.ID]; !ok {
		t.Error("what was not removed is gone")
	}
}

func restrictedTwice(t *testing.T, doc configs.Documentation, item configs.Item) {
	r, ok := doc.(configs.Restricter)
	if !ok {
		return
	}
	for range 2 {
		if err := r.Restrict(t.Context(), item); err != nil {
			t.Error(err)
		}
	}
}

func canceledDocumentation(t *testing.T, doc configs.Documentation, item configs.Item) {
	ctx := canceled(t)
	_, err := doc.Attach(ctx, item, configs.Attached{Name: "a.txt", Bytes: []byte("a")})
	wantCanceled(t, "attach", err)
	_, err = doc.Attached(ctx, item)
	wantCanceled(t, "attached", err)
	if f, ok := doc.(configs.ItemFinder); ok {
		_, err = f.FindItems(ctx, configs.Wanted{Organization: item.Organization, Customer: "acme", Device: "fw-hq", Serials: []string{"FGL2349L0AB"}})
		wantCanceled(t, "find items", err)
	}
	if l, ok := doc.(configs.ItemLister); ok {
		_, err = l.Items(ctx, item.Organization, []string{item.ID})
		wantCanceled(t, "items", err)
	}
	if n := len(hangs(t, doc, item)); n != 0 {
		t.Errorf("%d files hang there after a canceled upload", n)
	}
}

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
