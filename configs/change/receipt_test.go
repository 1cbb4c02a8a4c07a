package change

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/devices"
)

var ada = configs.Person{Name: "Ada Example", Email: "ada@msp.example", Claimed: true}

// taken is a good capture of a device, proven in a second place.
func taken(phase string, device devices.ID, serial, mark string) Capture {
	when := at(9, 10)
	if phase == After {
		when = at(9, 40)
	}
	k := Capture{At: when.Add(time.Minute), By: ada, Phase: phase, Device: device, Version: strings.Repeat(mark, 40), Taken: when, Driver: "fortios", Verified: true,
		Grade:    configs.Grade{Level: configs.Partial, Missing: []string{"certificates <local>: export them by hand"}},
		Identity: devices.Identity{Hostname: "fw-hq", Model: "FortiGate 60F", Version: "7.4.3", Serials: []string{serial}},
		HostKey:  "SHA256:" + strings.Repeat(mark, 43), Seconds: 12.3456789,
		Files: []configs.VersionFile{{Name: configs.MainFile, Digest: strings.Repeat(mark, 64), Bytes: 98268, OriginalDigest: strings.Repeat("e", 64), OriginalBytes: 98300}},
		Proofs: []configs.Proof{
			{Name: "read back", Done: true, OK: true, Detail: "1 file", At: when.Add(10 * time.Second)},
			{Name: "remote", Done: true, OK: true, Second: true, Detail: "main and the tag are there", At: when.Add(20 * time.Second)},
			{Name: "hudu"},
		}}
	for _, name := range []string{configs.CheckAnswered, configs.CheckFailure, configs.CheckStart, configs.CheckEnd, configs.CheckSections, configs.CheckBalance, configs.CheckDevice, configs.CheckSize, configs.CheckAgree} {
		k.Checks = append(k.Checks, configs.Check{Name: name, OK: true, Detail: "as it should be"})
	}
	return k
}

func hung(k Capture, item string) Attachment {
	return Attachment{At: k.At.Add(time.Minute), By: ada, Arrival: configs.Arrival{System: "itglue", Phase: k.Phase, Version: k.Version, File: configs.MainFile, Form: configs.Original,
		Item: configs.Item{Organization: "2041", ID: item, Name: "FW-HQ"}, Attachment: "77" + item, Name: "fw-hq_20260314T091000Z_" + k.Phase + "_4f2c9a1b_sha256-1a2b3c4d.txt",
		Bytes: 98300, Digest: strings.Repeat("e", 64), Second: true, How: "id, name and size"}}
}

func policy() Policy { return Policy{Systems: []string{"itglue"}, Wording: DefaultWording()} }

// replaced is an ordinary replacement, with a refused try at its beginning.
func replaced() Change {
	c := terms().Change
	before, after := taken(Before, c.Old, "FGT60FTK1", "a"), taken(After, c.New, "FGT60FTK2", "b")
	refused := Capture{At: at(9, 5), By: ada, Phase: Before, Device: c.Old, Checks: []configs.Check{{Name: configs.CheckEnd, Detail: "cut short after 61 lines"}}}
	c.Captures = []Capture{refused, before, after}
	c.Attachments = []Attachment{hung(before, "12"), hung(after, "13"), {Arrival: configs.Arrival{System: "itglue", Version: before.Version, File: "text", Form: configs.Receipt}}}
	c.Gates = []Gate{{At: at(9, 6), By: ada, Why: []string{"end mark: cut short after 61 lines"}}, {At: at(9, 12), By: ada, Open: true, Version: before.Version}}
	c.Succession = &Succession{At: at(9, 40), By: ada, Device: c.New, Serials: []string{"FGT60FTK2"}, HostKey: after.HostKey}
	c.gated = true
	c.Notices = []Notice{{At: at(9, 8), By: ada, To: "olga@acme.example", Text: "The backup takes longer than expected."}}
	return c
}

// waivedAway is a removal without a backup.
func waivedAway(t *testing.T) Change {
	t.Helper()
	terms := terms()
	w, err := judge(t, terms, eml(agreed))
	if err != nil {
		t.Fatal(err)
	}
	c := terms.Change
	c.Kind, c.New, c.NewName, c.Waivers = Remove, "", "", []Waiver{w}
	c.Captures = []Capture{{At: at(9, 5), By: ada, Phase: Before, Device: c.Old, Error: "log in: the device refused the password"}}
	c.Gates = []Gate{{At: at(10, 1), By: ada, Open: true, Waived: true}}
	return c
}

func receiptOf(t testing.TB, c Change) Receipt {
	t.Helper()
	r, err := MakeReceipt(c, policy(), at(10, 30))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func flat(s string) string { return strings.Join(strings.Fields(s), " ") }

func forms(t *testing.T, r Receipt) (text, page string) {
	t.Helper()
	b, err := r.HTML()
	if err != nil {
		t.Fatal(err)
	}
	return r.Text(), string(b)
}

func TestAReceiptTellsAllThatIsKnown(t *testing.T) {
	t.Parallel()
	c := replaced()
	for i := range c.Captures {
		c.Captures[i].Unproven = "read by telnet: unencrypted"
	}
	r := receiptOf(t, c)
	if r.Old.Standing != WordVerified || r.New.Standing != WordVerified || r.State != Proven || len(r.Missing) != 0 {
		t.Errorf("old %q, new %q, %s, missing %q", r.Old.Standing, r.New.Standing, r.State, r.Missing)
	}
	if diff := cmp.Diff(c.Attachments[:1], r.Old.Attachments); diff != "" {
		t.Error(diff)
	}
	want := []string{"T20391-fw-hq", "replace", "proven", "T20391", "acme, site hq", "Ada Example <ada@msp.example> (as claimed)", "2026-03-14 09:10:00 UTC",
		"acme/fw-hq", "FGT60FTK1", "FGT60FTK2", "SHA256:" + strings.Repeat("a", 43), "fortios", "partial; missing: certificates", "FortiGate 60F, 7.4.3",
		strings.Repeat("a", 40), strings.Repeat("b", 40), strings.Repeat("a", 64), strings.Repeat("e", 64), "98268 bytes redacted, 98300", "two readings agree", "read by telnet: unencrypted",
		"read back: proven 2026-03-14 09:10:10 UTC; 1 file", "remote: proven in a second place", "hudu: not set up",
		"running.conf in itglue, item 12 (FW-HQ) of organization 2041: attachment 7712", "by id, name and size, a second place",
		"refused, end mark: cut short after 61 lines", "shut; end mark", "open", "olga@acme.example: The backup takes longer",
		"git -C customers/acme/history.git diff change/T20391-fw-hq/before change/T20391-fw-hq/after", "nothing"}
	text, page := forms(t, r)
	page = strings.NewReplacer("&lt;", "<", "&gt;", ">").Replace(regexp.MustCompile(`</?(span|dd|dt|b)[^>]*>`).ReplaceAllString(page, " "))
	for _, w := range want {
		if !strings.Contains(flat(text), w) {
			t.Errorf("the text does not say %q:\n%s", w, text)
		}
		if !strings.Contains(flat(page), w) {
			t.Errorf("the page does not say %q", w)
		}
	}
	for line := range strings.Lines(text) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestAWaivedDeviceIsNeverCalledVerified(t *testing.T) {
	t.Parallel()
	c := waivedAway(t)
	r := receiptOf(t, c)
	if r.Old.Standing != WordWaived || r.New != nil {
		t.Errorf("old %+v, new %+v", r.Old, r.New)
	}
	text, page := forms(t, r)
	for name, form := range map[string]string{"text": text, "page": page} {
		_, shown, found := strings.Cut(form, "</style>")
		if !found {
			shown = form
		}
		if strings.Contains(strings.ToLower(shown), "verified") {
			t.Errorf("the %s says verified:\n%s", name, shown)
		}
		for _, want := range []string{"WAIVED, not backed up", "Olga Owner", clauseA, clauseB, "2026-1 (en)", "1@acme.example", c.Waivers[0].Digest, c.Waivers[0].Paper,
			"FGT60FTK1, as the device showed", "open, WAIVED, not backed up", "The old configuration: WAIVED, not backed up.", "the last try failed: log in"} {
			if !strings.Contains(flat(strings.NewReplacer("&lt;", "<", "&gt;", ">", "&#34;", `"`).Replace(shown)), want) {
				t.Errorf("the %s does not say %q:\n%s", name, want, shown)
			}
		}
	}
	// In a replacement the word belongs to the new device alone.
	c = replaced()
	c.Captures, c.Attachments, c.Waivers = c.Captures[2:], c.Attachments[1:2], waivedAway(t).Waivers
	r = receiptOf(t, c)
	if r.Old.Standing != WordWaived || r.New.Standing != WordVerified || r.Compare != "" {
		t.Errorf("old %q, new %q, compare %q", r.Old.Standing, r.New.Standing, r.Compare)
	}
	if n := strings.Count(r.Text(), "verified"); n != 1 {
		t.Errorf("verified stands %d times:\n%s", n, r.Text())
	}
}

func TestAReceiptSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Change)
		want   []string
	}{
		"nothing":               {func(*Change) {}, nil},
		"an attachment":         {func(c *Change) { c.Attachments = c.Attachments[1:] }, []string{"The old configuration: running.conf is not attached in itglue yet."}},
		"the new configuration": {func(c *Change) { c.Captures = c.Captures[:2] }, []string{"The new configuration: not backed up."}},
		"a second place": {func(c *Change) {
			c.Captures[1].Proofs[1].OK, c.Captures[1].Verified, c.Attachments[0].Second = false, false, false
		}, []string{"The old configuration: not backed up.", "The old configuration: not proven when it was taken: remote: main and the tag are there."}},
		"a refused copy": {func(c *Change) { c.Captures = c.Captures[:1] },
			[]string{"The old configuration: not backed up.", "The old configuration: check end mark: cut short after 61 lines.", "The new configuration: not backed up."}},
		"a waiver that does not hold": {func(c *Change) {
			c.Captures = c.Captures[2:]
			c.Waivers = []Waiver{{Kind: ByEmail, MessageID: "1@x", Given: at(9, 50), At: at(9, 55), Digest: "d", Wording: DefaultWording(), Contact: terms().Contacts[1]}}
		}, []string{"The old configuration: not backed up.", "The waiver does not hold: the waiver was given after the device was taken away."}},
	} {
		changed := replaced()
		c.change(&changed)
		if diff := cmp.Diff(c.want, receiptOf(t, changed).Missing); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func TestTheVersionsThatCountAreCompared(t *testing.T) {
	t.Parallel()
	c := replaced()
	again := taken(Before, c.Old, "FGT60FTK1", "c")
	c.Captures = append(c.Captures, again)
	if r := receiptOf(t, c); r.Compare != "git -C customers/acme/history.git diff change/T20391-fw-hq/before-2 change/T20391-fw-hq/after" || r.Old.Version != again.Version {
		t.Errorf("%s of %s", r.Compare, r.Old.Version)
	}
	// A later one that is not proven does not take its place.
	unproven := taken(Before, c.Old, "FGT60FTK1", "d")
	unproven.Proofs, unproven.Verified = unproven.Proofs[:1], false
	c.Captures = append(c.Captures, unproven)
	if r := receiptOf(t, c); r.Old.Version != again.Version {
		t.Errorf("it rests on %s", r.Old.Version)
	}
}

// A receipt can hold no secret, because nothing that holds one is put in.
func TestAReceiptIsMadeOfRecordedFactsAlone(t *testing.T) {
	t.Parallel()
	made := reflect.TypeOf(MakeReceipt)
	var in []string
	for i := range made.NumIn() {
		in = append(in, made.In(i).String())
	}
	if diff := cmp.Diff([]string{"change.Change", "change.Policy", "time.Time"}, in); diff != "" {
		t.Error(diff)
	}
	seen := map[reflect.Type]bool{}
	var look func(path string, p reflect.Type)
	look = func(path string, p reflect.Type) {
		if seen[p] || p == reflect.TypeFor[time.Time]() {
			return
		}
		seen[p] = true
		switch p.Kind() {
		case reflect.Pointer, reflect.Slice:
			if p.Elem().Kind() == reflect.Uint8 {
				t.Errorf("%s holds bytes", path)
			}
			look(path, p.Elem())
		case reflect.Struct:
			for i := range p.NumField() {
				look(path+"."+p.Field(i).Name, p.Field(i).Type)
			}
		case reflect.String, reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64:
		default:
			t.Errorf("%s is a %s", path, p)
		}
		if p == reflect.TypeFor[devices.Secret]() || p == reflect.TypeFor[devices.Login]() {
			t.Errorf("%s is a %s", path, p)
		}
	}
	look("Change", made.In(0))
	look("Policy", made.In(1))
	look("Receipt", made.Out(0))
}

func TestAReceiptObeysNoStringOfADevice(t *testing.T) {
	t.Parallel()
	c := replaced()
	c.Captures[1].Identity.Hostname = "fw\x1b[2J\u2028<script>alert(1)</script>\u202e\x7f\xff\nVerified: yes"
	c.Ticket = `T1"><img src=x>`
	r := receiptOf(t, c)
	if c.Captures[1].Identity.Hostname == r.Old.Captures[1].Identity.Hostname {
		t.Error("the string stands as it was")
	}
	text, page := forms(t, r)
	file, err := r.Sign(key(1))
	if err != nil {
		t.Fatal(err)
	}
	for name, form := range map[string]string{"text": text, "page": page, "file": string(file)} {
		if i := strings.IndexAny(form, "\x1b\x7f\u2028\u202e"); i >= 0 || strings.Contains(form, `\u001b`) || strings.Contains(form, "\nVerified") {
			t.Errorf("%s: control characters are in it", name)
		}
	}
	for _, bad := range []string{"<script", "<img", "http:", "https:", "url(", "@import", "<link"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if bad := regexp.MustCompile(`<[^>]*\s(src|on[a-z]+|href)=[^>]*>`).FindString(page); bad != "" {
		t.Errorf("the page has %s", bad)
	}
}

func TestAnOrdinaryReplacementPrintsOnOnePage(t *testing.T) {
	t.Parallel()
	need(t, "chromium", "chromium")
	need(t, "pdfinfo", "poppler-utils")
	dir := t.TempDir()
	_, page := forms(t, receiptOf(t, replaced()))
	path, pdf := filepath.Join(dir, "receipt.html"), filepath.Join(dir, "receipt.pdf")
	for _, size := range []string{"A4", "Letter"} {
		sized := strings.Replace(page, "@page {", "@page { size: "+size+";", 1)
		if err := os.WriteFile(path, []byte(sized), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		if out, err := exec.CommandContext(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-pdf-header-footer",
			"--user-data-dir="+filepath.Join(dir, size), "--print-to-pdf="+pdf, "file://"+path).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		out, err := exec.CommandContext(ctx, "pdfinfo", pdf).Output()
		if err != nil || !regexp.MustCompile(`(?m)^Pages: +1$`).Match(out) {
			t.Errorf("%s: %v\n%s", size, err, out)
		}
	}
}

// need skips at a desk where a program is missing, and fails under CI=true.
func need(t *testing.T, program, from string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing: apt install %s", program, from)
		}
		t.Skipf("%s is missing: apt install %s", program, from)
	}
}
