package ledger

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/devices"
)

func letter(id devices.ID, version string) configs.Letter {
	return configs.Letter{To: "itglue", Device: id, Version: version, File: configs.MainFile, Form: configs.Original,
		Name: version + ".txt", By: configs.Person{Name: "Ada Example"}, Put: time.Date(2026, 3, 14, 2, 0, 0, 0, time.UTC)}
}

func allLetters(t *testing.T, l *Ledger, f configs.LetterFilter) (letters []configs.Letter) {
	t.Helper()
	for p, err := range l.Letters(t.Context(), f) {
		if err != nil {
			t.Fatal(err)
		}
		letters = append(letters, p)
	}
	return letters
}

func TestLeasesEndByTheMachinesClock(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir()) // Now is not set
	ps, err := l.Put(t.Context(), letter("acme/fw-hq", "v1"))
	if err != nil {
		t.Fatal(err)
	}
	for ended, until := range map[bool]time.Time{true: time.Now().Add(-time.Second), false: time.Now().Add(time.Hour)} {
		p, ok, err := l.Claim(t.Context(), ps[0].ID, until)
		if err != nil || !ok {
			t.Fatalf("claimed %t, error %v", ok, err)
		}
		if err := l.Save(t.Context(), p); errors.Is(err, configs.ErrLeaseLost) != ended || err != nil && !ended {
			t.Errorf("until %s: save gave %v", until, err)
		}
		if _, ok, err := l.Claim(t.Context(), ps[0].ID, time.Now().Add(-time.Second)); ok != ended || err != nil {
			t.Errorf("until %s: claimed by another: %t, error %v", until, ok, err)
		}
		p.Lease = ""
		if err := l.Save(t.Context(), p); !ended && err != nil {
			t.Error(err)
		}
	}
}

func TestTwoProcessesShareTheirLetters(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ls := []*Ledger{open(t, dir), open(t, dir)}
	const letters, hands = 40, 8
	var wg sync.WaitGroup
	for hand := range hands {
		wg.Go(func() {
			l := ls[hand%2]
			for i := range letters { // all put the same
				if _, err := l.Put(t.Context(), letter("acme/fw-hq", fmt.Sprint("v", i))); err != nil {
					t.Error(err)
					return
				}
			}
			for p, err := range l.Letters(t.Context(), configs.LetterFilter{Waiting: true}) {
				if err != nil {
					t.Error(err)
					return
				}
				c, ok, err := l.Claim(t.Context(), p.ID, time.Now().Add(time.Hour))
				if err != nil {
					t.Error(err)
				}
				if !ok || !c.Proven.IsZero() {
					continue // in another's hands, who keeps it
				}
				c.Tries++
				c.Proven = time.Now()
				e := event("acme", "attach")
				e.Detail = map[string]any{"version": c.Version}
				if err := l.Save(t.Context(), c, e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	told := map[any]int{}
	for e, err := range ls[0].Events(t.Context(), configs.Filter{Act: "attach"}) {
		if err != nil {
			t.Fatal(err)
		}
		told[e.Detail["version"]]++
	}
	all := allLetters(t, ls[1], configs.LetterFilter{})
	for _, p := range all {
		if p.Tries != 1 || told[p.Version] != 1 {
			t.Errorf("letter %s was sent %d times, and told %d times", p.Version, p.Tries, told[p.Version])
		}
	}
	if len(all) != letters || len(told) != letters {
		t.Errorf("%d letters, %d told, want %d", len(all), len(told), letters)
	}
	if err := ls[0].Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAnOlderDatabaseIsBroughtForward(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, File))
	if err != nil {
		t.Fatal(err)
	}
	text, err := migrations.ReadFile("migrations/1.sql")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), string(text)+"; PRAGMA user_version = 1"); err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	e := event("acme", "open change")
	e.Detail = map[string]any{"change": "T1"}
	for _, e := range []configs.Event{event("acme", "capture"), e} {
		if err := appendEvent(t.Context(), tx, e); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(tx.Commit(), db.Close()); err != nil {
		t.Fatal(err)
	}
	l := open(t, dir)
	var acts []string
	for e, err := range l.Events(t.Context(), configs.Filter{Change: "T1"}) {
		if err != nil {
			t.Fatal(err)
		}
		acts = append(acts, e.Act)
	}
	if diff := cmp.Diff([]string{"open change"}, acts); diff != "" {
		t.Errorf("events of the change (-want +got):\n%s", diff)
	}
	if _, err := l.Put(t.Context(), letter("acme/fw-hq", "v1")); err != nil {
		t.Error(err)
	}
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
	open(t, dir) // and no second time
}

func TestAnAlteredPaperIsDamage(t *testing.T) {
	t.Parallel()
	// The digests are the document's: of a sealed one they say nothing about the bytes here.
	for name, alter := range map[string]string{
		"a receipt":                "UPDATE papers SET body = CAST('another receipt' AS BLOB) WHERE sealed = 0",
		"a sealed message":         "UPDATE papers SET body = CAST('another message' AS BLOB) WHERE sealed = 1",
		"a receipt and its sum":    "UPDATE papers SET body = x'00', sum = x'6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d' WHERE sealed = 0",
		"a receipt's digest":       "UPDATE papers SET digest = '" + strings.Repeat("ab", 32) + "' WHERE sealed = 0",
		"a sealed message, sealed": "UPDATE papers SET sealed = 0 WHERE sealed = 1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := open(t, t.TempDir())
			fileBoth(t, l, "acme")
			if err := l.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := l.write.db.ExecContext(t.Context(), alter); err == nil || !strings.Contains(err.Error(), "not altered") {
				t.Errorf("the database let it happen: %v", err)
			}
			if _, err := l.write.db.ExecContext(t.Context(), "DROP TRIGGER papers_stand; "+alter); err != nil {
				t.Fatal(err)
			}
			if _, err := l.Papers(t.Context(), "acme", "T1"); devices.KindOf(err) != devices.Damaged || devices.HintOf(err) == "" {
				t.Errorf("read as %v", err)
			}
			if err := l.Check(t.Context()); devices.KindOf(err) != devices.Damaged {
				t.Errorf("check: got %v", err)
			}
		})
	}
}

// fileBoth files a receipt and a sealed message for a customer's change T1.
func fileBoth(t *testing.T, l *Ledger, customer string) {
	t.Helper()
	receipt := []byte("receipt: paper of " + customer + ".")
	p := configs.Paper{Customer: customer, Change: "T1", Kind: "receipt", Digest: digest(receipt), Bytes: receipt, At: event(customer, "x").At}
	m := p
	m.Kind, m.Sealed, m.Digest, m.Bytes = "message", true, digest([]byte("the message")), []byte("sealed: paper of "+customer+".")
	for _, p := range []configs.Paper{p, m} {
		if err := l.FilePaper(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
}

func digest(b []byte) string { return fmt.Sprintf("%x", payloadDigest(nil, b)) }

func TestOfADestroyedCustomerOnlyWhereFilesHangIsKnown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir)
	at := event("acme", "x").At
	item := configs.Item{Organization: "2041", ID: "77", Name: "canary of acme", Serials: []string{"canary of acme"}, MACs: []string{"canary of acme"}, URL: "https://canary of acme"}
	attachment := configs.Attachment{ID: "9001", Name: "canary of acme.txt", Bytes: 12, Digest: "3f2a", URL: "https://canary of acme"}
	ids := map[string]int64{}
	for _, customer := range []string{"acme", "acme-2", "bolt"} { // acme is no beginning of acme-2
		fileBoth(t, l, customer)
		if err := l.Map(t.Context(), configs.Mapping{To: "itglue", Device: devices.ID(customer + "/fw-hq"), Item: item, How: "serial", At: at}); err != nil {
			t.Fatal(err)
		}
		if err := l.Hold(t.Context(), configs.Refusal{ID: devices.ID(customer + "/fw-hq")}); err != nil {
			t.Fatal(err)
		}
		for version, become := range map[string]func(*configs.Letter){
			"waits": nil,
			"began": func(p *configs.Letter) { p.Began, p.Error, p.Hint = at, "canary of acme", "canary of acme" },
			"hangs": func(p *configs.Letter) { p.Proven = at },
			"went":  func(p *configs.Letter) { p.Proven, p.Removed = at, at },
		} {
			p := letter(devices.ID(customer+"/fw-hq"), version)
			p.Name, p.Ticket, p.Change, p.By.Email = "canary of acme.txt", "canary of acme", "canary of acme", "canary of acme"
			ps, err := l.Put(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			ids[customer+" "+version] = ps[0].ID
			c, _, err := l.Claim(t.Context(), ps[0].ID, time.Now().Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			if become != nil {
				c.Item, c.Attachment = item, attachment
				become(&c)
			}
			if version != "waits" {
				c.Lease = ""
			}
			if err := l.Save(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if version != "began" {
				continue
			}
			if c, _, err = l.Claim(t.Context(), c.ID, time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			defer func() { // it was under way
				if err := l.Save(t.Context(), c); errors.Is(err, configs.ErrLeaseLost) != (customer == "acme") {
					t.Errorf("%s: saved after the destruction: %v", customer, err)
				}
			}()
		}
	}
	e := event("acme", "")
	e.Detail = map[string]any{"ticket": "T7"}
	if err := l.Destroy(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if ps, err := l.Papers(t.Context(), "acme", "T1"); err != nil || len(ps) != 0 {
		t.Errorf("acme's papers: %d, %v", len(ps), err)
	}
	if _, ok, err := l.Mapped(t.Context(), "itglue", "acme/fw-hq"); ok || err != nil {
		t.Errorf("acme's item is known: %t, %v", ok, err)
	}
	for customer, want := range map[string]bool{"acme": false, "acme-2": true, "bolt": true} {
		if _, ok, err := l.Held(t.Context(), devices.ID(customer+"/fw-hq")); ok != want || err != nil {
			t.Errorf("held of %s: %t, %v", customer, ok, err)
		}
	}
	left := map[string]configs.Letter{}
	for _, p := range allLetters(t, l, configs.LetterFilter{Customer: "acme"}) {
		if text := fmt.Sprint(p); strings.Contains(text, "canary") {
			t.Errorf("left: %s", text)
		}
		if p.Item.Organization != "2041" || p.Item.ID != "77" || p.Attachment.ID != "9001" || p.Attachment.Bytes != 12 {
			t.Errorf("where it hangs is forgotten: %+v", p)
		}
		left[p.Version] = p
	}
	if _, ok := left["waits"]; ok || len(left) != 3 || left["hangs"].Proven.IsZero() || left["began"].Began.IsZero() || left["began"].Error == "" || left["went"].Removed.IsZero() {
		t.Errorf("left: %+v", left)
	}
	if due := allLetters(t, l, configs.LetterFilter{Customer: "acme", DueBy: at.AddDate(200, 0, 0)}); len(due) != 0 {
		t.Errorf("still to be sent: %+v", due)
	}
	for _, customer := range []string{"acme-2", "bolt"} {
		ps, err := l.Papers(t.Context(), customer, "T1")
		if _, ok, e := l.Mapped(t.Context(), "itglue", devices.ID(customer+"/fw-hq")); len(ps) != 2 || !ok || err != nil || e != nil {
			t.Errorf("%s: %d papers, mapped %t, errors %v, %v", customer, len(ps), ok, err, e)
		}
		letters := allLetters(t, l, configs.LetterFilter{Customer: customer})
		if len(letters) != 4 || letters[0].Name == "" || letters[0].Ticket == "" {
			t.Errorf("%s: letters %+v", customer, letters)
		}
	}
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files { // nor is it in free pages or in the log
		if b, err := os.ReadFile(f); err != nil || strings.Contains(string(b), "paper of acme.") {
			t.Errorf("%s still holds a paper of acme, or cannot be read: %v", f, err)
		}
	}
}
