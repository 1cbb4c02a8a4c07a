package change

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/devices"
)

func at(hour, minute int) time.Time { return time.Date(2026, 3, 14, hour, minute, 0, 0, time.UTC) }

var (
	clauseA, clauseB = DefaultWording().Clauses[0], DefaultWording().Clauses[1]
	agreed           = clauseA + "\n" + clauseB + "\nSerial number FGT60FTK1.\n"
)

// terms are those of a firewall that is replaced at ten o'clock.
func terms() Terms {
	return Terms{
		Change: Change{ID: "T20391-fw-hq", Kind: Replace, Customer: "acme", Site: "hq", Ticket: "T20391", Old: "acme/fw-hq", New: "acme/fw-hq-new",
			OldName: "fw-hq", NewName: "fw-hq-new", By: configs.Person{Name: "Ada Example"}, At: at(9, 0)},
		Contacts: []Contact{
			{Name: "Carl Contact", Email: "carl@acme.example", From: at(0, 0).AddDate(-1, 0, 0), To: at(0, 0).AddDate(1, 0, 0)},
			{Name: "Olga Owner", Email: "olga@acme.example", Authorised: true, From: at(0, 0).AddDate(-1, 0, 0), To: at(0, 0).AddDate(1, 0, 0)},
			{Name: "Eva Ended", Email: "eva@acme.example", Authorised: true, From: at(0, 0).AddDate(-1, 0, 0), To: at(0, 0)},
			{Name: "Tom Tomorrow", Email: "tom@acme.example", Authorised: true, From: at(0, 0).AddDate(0, 0, 1), To: at(0, 0).AddDate(1, 0, 0)},
			{Name: "Una Unlimited", Email: "una@acme.example", Authorised: true},
		},
		Wording: DefaultWording(), Erased: []string{"FGT60FTK1"}, Known: []string{"FGT60FTK1"},
		By: configs.Person{Name: "Ada Example"}, Now: at(10, 0),
	}
}

// eml is a message of Olga's with other fields in the place of hers; an empty one
// is left out.
func eml(body string, fields ...string) []byte {
	head := []string{"From: Olga Owner <olga@acme.example>", "To: support@msp.example", "Subject: Re: ticket T20391",
		"Date: Sat, 14 Mar 2026 09:30:00 +0000", "Message-ID: <1@acme.example>"}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ":")
		head = slices.DeleteFunc(head, func(h string) bool { return strings.HasPrefix(h, name+":") && !strings.HasPrefix(f, "+") })
		if value != "" {
			head = append(head, strings.TrimPrefix(f, "+"))
		}
	}
	return []byte(strings.ReplaceAll(strings.Join(head, "\n")+"\n\n"+body, "\n", "\r\n"))
}

func judge(t *testing.T, terms Terms, raw []byte) (Waiver, error) {
	t.Helper()
	m, err := ReadMessage(raw)
	if err != nil {
		t.Fatal(err)
	}
	return terms.JudgeMail(m)
}

// wantFaults holds a refusal to all its sentences: as many as wanted, and each
// with the words of one.
func wantFaults(t *testing.T, err error, want ...string) {
	t.Helper()
	if devices.KindOf(err) != devices.GateShut || devices.HintOf(err) == "" {
		t.Fatalf("kind %v, hint %q, error %v", devices.KindOf(err), devices.HintOf(err), err)
	}
	f, _ := errors.AsType[Faults](err)
	if len(f) != len(want) {
		t.Errorf("%d faults, want %d: %q", len(f), len(want), f)
	}
	for _, w := range want {
		if !slices.ContainsFunc(f, func(s string) bool { return strings.Contains(s, w) }) {
			t.Errorf("no fault says %q: %q", w, f)
		}
	}
	for _, s := range f {
		if !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, `"`) {
			t.Errorf("no sentence: %q", s)
		}
	}
}

func TestAMailOfAnAuthorisedContactIsAWaiver(t *testing.T) {
	t.Parallel()
	raw := eml(agreed)
	w, err := judge(t, terms(), raw)
	if err != nil {
		t.Fatal(err)
	}
	want := Waiver{At: at(10, 0), By: configs.Person{Name: "Ada Example"}, Kind: ByEmail, Contact: terms().Contacts[1], Given: at(9, 30),
		Serials: []string{"FGT60FTK1"}, Wording: DefaultWording(), Digest: configs.Digest([]byte(agreed)), Compared: true,
		MessageID: "1@acme.example", Sender: "olga@acme.example", Paper: configs.Digest(raw)}
	if diff := cmp.Diff(want, w, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); diff != "" {
		t.Error(diff)
	}
}

func TestWhatMailProgramsDoToAClauseDoesNotMatter(t *testing.T) {
	t.Parallel()
	quoting := Wording{Version: "x", Language: "en", Clauses: []string{`The provider's work "as it is" comes without a backup - entirely.`, clauseB}}
	for name, c := range map[string]struct {
		raw     []byte
		wording Wording
	}{
		"wrapped lines":         {raw: eml(strings.ReplaceAll(agreed, " ", "\n"))},
		"no-break spaces":       {raw: eml(strings.ReplaceAll(agreed, " ", "\u00a0"), "Content-Type: text/plain; charset=utf-8")},
		"typographic":           {raw: eml("The provider’s work “as it is”\ncomes with\u00adout a backup – entirely.\n"+clauseB+" fgt60ftk1", "Content-Type: text/plain; charset=utf-8"), wording: quoting},
		"windows-1252":          {raw: eml("The provider\x92s work \x93as it is\x94 comes without a backup \x96 entirely. "+clauseB+" FGT60FTK1", "Content-Type: text/plain; charset=windows-1252"), wording: quoting},
		"quoted-printable":      {raw: eml(strings.ReplaceAll(agreed, "with", "wi=\nth"), "Content-Transfer-Encoding: quoted-printable")},
		"base64":                {raw: eml("VGhlIHByb3ZpZGVyIGlzIG5vdCByZXNwb25zaWJsZSBmb3Igd2hhdCBmb2xsb3dzIGZyb20gZ29p\nbmcgb24gd2l0aG91dCBhIGJhY2t1cC4gUmVtZWRpYWwgd29yayB0aGF0IGJlY29tZXMgbmVjZXNz\nYXJ5IGJlY2F1c2UgdGhlcmUgaXMgbm8gYmFja3VwIGlzIGJpbGxhYmxlLiBGR1Q2MEZUSzE=\n", "Content-Transfer-Encoding: base64")},
		"an encoded subject":    {raw: eml(agreed, "Subject: =?utf-8?q?Re=3A_Feuerwand_=5BT20391=5D_f=C3=A4llt?=")},
		"ticket in the body":    {raw: eml(agreed+"\nThis is ticket T20391.", "Subject: Re: firewall")},
		"HTML alone":            {raw: eml("<html><head><style>p{color:red}</style></head><body><div>"+clauseA+"</div><p>Remedial <b>work</b> that becomes necessary because there is no&nbsp;backup is billable.</p>FGT60FTK1<br><blockquote>old</blockquote></body>", "Content-Type: text/html; charset=utf-8")},
		"alternatives":          {raw: eml("--x\nContent-Type: text/plain\n\n"+agreed+"\n--x\nContent-Type: text/html\n\n<p>"+strings.ReplaceAll(agreed, "\n", "<br>")+"</p>\n--x--\n", "Content-Type: multipart/alternative; boundary=x")},
		"an empty alternative":  {raw: eml("--x\nContent-Type: text/plain\n\n \n--x\nContent-Type: text/html\n\n<p>"+agreed+"</p>\n--x--\n", "Content-Type: multipart/alternative; boundary=x")},
		"parts within parts":    {raw: eml("--x\nContent-Type: multipart/related; boundary=y\n\n--y\nContent-Type: text/html\n\n<p>"+agreed+"</p>\n--y\nContent-Type: image/png\n\n\x00\n--y--\n--x--\n", "Content-Type: multipart/mixed; boundary=x")},
		"an answer in between":  {raw: eml("On Sat, 14 Mar 2026 at 09:10, MSP Support\n<support@msp.example> wrote:\n\n> Please write both sentences.\n\n" + agreed)},
		"an address in capital": {raw: eml(agreed, "From: OLGA@Acme.Example")},
		"a mailbox file":        {raw: append([]byte("From olga@acme.example Sat Mar 14 09:30:00 2026\n"), eml(agreed)...)},
		"an unknown charset":    {raw: eml(agreed, "Content-Type: text/plain; charset=x-unheard-of")},
		"a part nobody reads":   {raw: eml("--x\n\n"+agreed+"\n--x\nContent-Type: text/plain\nContent-Transfer-Encoding: x-unheard-of\n\n?\n--x--\n", "Content-Type: multipart/mixed; boundary=x")},
		"one signature of two":  {raw: eml(agreed, "Authentication-Results: mx.msp.example; spf=fail smtp.mailfrom=x; dkim=fail (body hash) header.d=list.example; dkim=pass header.d=acme.example; dmarc=pass")},
	} {
		terms := terms()
		if c.wording.Version != "" {
			terms.Wording = c.wording
		}
		if _, err := judge(t, terms, c.raw); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAMailIsRefusedWithEachReason(t *testing.T) {
	t.Parallel()
	form := Form(terms().Change, DefaultWording(), terms().Contacts[1], []string{"FGT60FTK1"})
	swapped := func(t *Terms) { t.Change.Succession = &Succession{At: at(9, 45)} }
	for name, c := range map[string]struct {
		raw   []byte
		terms func(*Terms)
		want  []string
	}{
		"an ordinary contact":          {raw: eml(agreed, "From: carl@acme.example"), want: []string{"not an authorised one"}},
		"authority ended yesterday":    {raw: eml(agreed, "From: eva@acme.example"), want: []string{"had ended"}},
		"authority ended since":        {raw: eml(agreed), terms: func(t *Terms) { t.Contacts[1].To = at(9, 45) }, want: []string{"has ended since"}},
		"authority begins tomorrow":    {raw: eml(agreed, "From: tom@acme.example"), want: []string{"begins only"}},
		"authority without dates":      {raw: eml(agreed, "From: una@acme.example"), want: []string{"do not say from when"}},
		"a stranger":                   {raw: eml(agreed, "From: mallory@evil.example"), want: []string{"that of no contact"}},
		"another of the same domain":   {raw: eml(agreed, "From: olgas@acme.example"), want: []string{"that of no contact"}},
		"the address as display name":  {raw: eml(agreed, `From: "olga@acme.example" <mallory@evil.example>`), want: []string{"that of no contact"}},
		"a letter that folds":          {raw: eml(agreed, "From: o\u017fga@acme.example"), terms: func(t *Terms) { t.Contacts[1].Email = "osga@acme.example" }, want: []string{"that of no contact"}},
		"two senders":                  {raw: eml(agreed, "From: olga@acme.example, mallory@evil.example"), want: []string{"names 2", "that of no contact"}},
		"two From fields":              {raw: eml(agreed, "+From: mallory@evil.example"), want: []string{"more than one From", "names 2", "that of no contact"}},
		"no sender":                    {raw: eml(agreed, "From:"), want: []string{"names 0", "that of no contact"}},
		"a sender nobody can read":     {raw: eml(agreed, "From: olga@acme.example <mallory@evil.example"), want: []string{"cannot be read", "names 0", "that of no contact"}},
		"sent by another":              {raw: eml(agreed, "Sender: mallory@evil.example"), want: []string{"in the name of"}},
		"the first clause missing":     {raw: eml(clauseB + " FGT60FTK1"), want: []string{"not responsible for what follows"}},
		"the second clause missing":    {raw: eml(clauseA + " FGT60FTK1"), want: []string{"is billable"}},
		"a word changed":               {raw: eml(strings.Replace(agreed, "is not responsible", "is responsible", 1)), want: []string{"is missing, word for word"}},
		"a word before joined":         {raw: eml(strings.Replace(agreed, "Remedial", "Non-Remedial", 1)), want: []string{"is missing, word for word"}},
		"clauses in an attachment":     {raw: eml("--x\n\nSee attachment. FGT60FTK1\n--x\nContent-Type: text/plain\nContent-Disposition: attachment\n\n"+agreed+"\n--x--\n", "Content-Type: multipart/mixed; boundary=x"), want: []string{clauseA, clauseB}},
		"clauses in a message within":  {raw: eml("--x\n\nFGT60FTK1\n--x\nContent-Type: message/rfc822\n\nSubject: x\n\n"+agreed+"\n--x--\n", "Content-Type: multipart/mixed; boundary=x"), want: []string{clauseA, clauseB}},
		"quoted with marks":            {raw: eml("Yes. FGT60FTK1\n\n> " + clauseA + "\n> " + clauseB), want: []string{"only in what is quoted", clauseB}},
		"quoted after On wrote":        {raw: eml("Yes. FGT60FTK1\n\nOn Sat, 14 Mar 2026 at 09:10, MSP Support <\nsupport@msp.example> wrote:\n\n" + agreed), want: []string{clauseA, "only in what is quoted"}},
		"quoted after a separator":     {raw: eml("Yes. FGT60FTK1\n-----Original Message-----\n" + agreed), want: []string{clauseA, "only in what is quoted"}},
		"quoted as Outlook does":       {raw: eml("Yes. FGT60FTK1\n________________________________\nFrom: MSP <support@msp.example>\nSent: Saturday, March 14, 2026 9:10 AM\nTo: Olga Owner\nSubject: x\n\n" + agreed), want: []string{clauseA, "only in what is quoted"}},
		"quoted in HTML":               {raw: eml("<p>Yes. FGT60FTK1</p><div>On Sat, MSP Support wrote:<br></div><blockquote><div>"+clauseA+"</div><div>"+clauseB+"</div></blockquote>", "Content-Type: text/html"), want: []string{clauseA, "only in what is quoted"}},
		"an HTML quote alone":          {raw: eml("<p>Yes. FGT60FTK1</p><blockquote>Hello<blockquote><p>"+clauseA+"</p></blockquote><p>"+clauseB+"</p></blockquote>Bye", "Content-Type: text/html"), want: []string{clauseA, "only in what is quoted"}},
		"the form without quote marks": {raw: eml("Yes. FGT60FTK1\n" + form), want: []string{clauseA, "only in what is quoted"}},
		"no ticket":                    {raw: eml(agreed, "Subject: firewall"), want: []string{"names ticket T20391"}},
		"a longer ticket":              {raw: eml(agreed, "Subject: T203911"), want: []string{"names ticket T20391"}},
		"a ticket that is quoted":      {raw: eml(agreed+"\n> T20391", "Subject: firewall"), want: []string{"names ticket T20391"}},
		"no serial number":             {raw: eml(clauseA + clauseB), want: []string{"does not name serial number FGT60FTK1"}},
		"a longer serial number":       {raw: eml(strings.Replace(agreed, "TK1", "TK1-2", 1)), want: []string{"does not name serial number FGT60FTK1"}},
		"another box":                  {raw: eml(agreed), terms: func(t *Terms) { t.Known = []string{"FGT60FTK7"} }, want: []string{"not this device's", "FGT60FTK7, which"}},
		"a member of a pair missing":   {raw: eml(agreed), terms: func(t *Terms) { t.Known = append(t.Known, "FGT60FTK2") }, want: []string{"FGT60FTK2, which"}},
		"nothing is named":             {raw: eml(agreed), terms: func(t *Terms) { t.Erased, t.Known = nil, nil }, want: []string{"No serial number"}},
		"a drive is not named":         {raw: eml(agreed), terms: func(t *Terms) { t.Media = []string{"SSD-77"} }, want: []string{"SSD-77"}},
		"no Message-ID":                {raw: eml(agreed, "Message-ID:"), want: []string{"no Message-ID"}},
		"used before": {raw: eml(agreed), terms: func(t *Terms) {
			t.Used = UsedIn(Change{ID: "T1-x", Waivers: []Waiver{{MessageID: "<1@acme.example>"}}})
		}, want: []string{"another change, T1-x"}},
		"used before under another ID": {raw: eml(agreed), terms: func(t *Terms) {
			t.Used = UsedIn(Change{ID: "T1-x", Waivers: []Waiver{{Paper: configs.Digest(eml(agreed))}}})
		}, want: []string{"another change, T1-x"}},
		"no date":              {raw: eml(agreed, "Date:"), want: []string{"no date"}},
		"of tomorrow":          {raw: eml(agreed, "Date: Sun, 15 Mar 2026 09:30:00 +0000"), want: []string{"in the future"}},
		"of last year":         {raw: eml(agreed, "Date: Wed, 11 Feb 2026 09:30:00 +0000"), want: []string{"more than 30 days"}},
		"after the swap":       {raw: eml(agreed, "Date: Sat, 14 Mar 2026 09:50:00 +0000"), terms: swapped, want: []string{"permission comes before"}},
		"back-dated":           {raw: eml(agreed, "Received: from a by b with ESMTP id 1; Sat, 14 Mar 2026 09:50:00 +0000"), terms: swapped, want: []string{"arrived at"}},
		"DMARC failed":         {raw: eml(agreed, "Authentication-Results: mx.msp.example; dkim=pass; dmarc=fail (p=reject) header.from=acme.example"), want: []string{"forged"}},
		"SPF and DKIM failed":  {raw: eml(agreed, "Authentication-Results: mx.msp.example;\n spf=fail (by (another one) dkim=pass) smtp.mailfrom=x;\n dkim=fail"), want: []string{"forged"}},
		"a wording of nothing": {raw: eml(agreed), terms: func(t *Terms) { t.Wording.Clauses = []string{clauseA} }, want: []string{"fewer than two clauses"}},
		"everything at one time": {raw: eml("hello", "From: mallory@evil.example", "Subject: hello", "Message-ID:", "Date: Sun, 15 Mar 2026 09:30:00 +0000"),
			want: []string{"no contact", "no Message-ID", "future", "ticket", "serial number", clauseA, clauseB}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			terms := terms()
			if c.terms != nil {
				c.terms(&terms)
			}
			_, err := judge(t, terms, c.raw)
			wantFaults(t, err, c.want...)
		})
	}
}

func TestAPermissionOfTheSameChangeMayBeRecordedAgain(t *testing.T) {
	t.Parallel()
	terms := terms()
	terms.Used = UsedIn(Change{ID: terms.Change.ID, Waivers: []Waiver{{MessageID: "1@acme.example"}}})
	if _, err := judge(t, terms, eml(agreed)); err != nil {
		t.Error(err)
	}
}

func TestAPermissionForAChangeThatAClockAheadOpenedIsTaken(t *testing.T) {
	t.Parallel()
	terms := terms()
	terms.Change.At = terms.Now.AddDate(1, 0, 0)
	if _, err := judge(t, terms, eml(agreed)); err != nil {
		t.Error(err)
	}
}

func TestADeviceThatNeverShowedItsSerialNumberLeavesItUncompared(t *testing.T) {
	t.Parallel()
	terms := terms()
	terms.Known = nil
	if w, err := judge(t, terms, eml(agreed)); err != nil || w.Compared {
		t.Errorf("compared %t, %v", w.Compared, err)
	}
}

func TestAContactWithTwoTermsOfAuthorityIsHeard(t *testing.T) {
	t.Parallel()
	terms := terms()
	terms.Contacts = append(terms.Contacts, Contact{Name: "Eva Ended", Email: "eva@acme.example", Authorised: true, From: at(1, 0), To: at(23, 0)})
	if _, err := judge(t, terms, eml(agreed, "From: eva@acme.example")); err != nil {
		t.Error(err)
	}
}

func signed() Signed {
	return Signed{Number: "O-118", Contact: "Olga Owner", Initials: "OO", At: at(9, 40), Scan: configs.Digest([]byte("scan")),
		Text: Form(terms().Change, DefaultWording(), terms().Contacts[1], []string{"FGT60FTK1"})}
}

func TestAnInitialledFormIsAWaiver(t *testing.T) {
	t.Parallel()
	s := signed()
	w, err := terms().JudgeForm(s)
	want := Waiver{At: at(10, 0), By: configs.Person{Name: "Ada Example"}, Kind: ByForm, Contact: terms().Contacts[1], Given: at(9, 40), Serials: []string{"FGT60FTK1"},
		Wording: DefaultWording(), Digest: configs.Digest([]byte(s.Text)), Compared: true, Form: "O-118", Initials: "OO", Scan: s.Scan}
	if diff := cmp.Diff(want, w); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestAFormIsRefusedWithEachReason(t *testing.T) {
	t.Parallel()
	used := func(w Waiver) func(*Terms, *Signed) {
		return func(t *Terms, _ *Signed) { t.Used = UsedIn(Change{ID: "T1-x", Waivers: []Waiver{w}}) }
	}
	for name, c := range map[string]struct {
		change func(*Terms, *Signed)
		want   []string
	}{
		"a stranger":                {func(_ *Terms, s *Signed) { s.Contact = "Mallory" }, []string{"no contact of acme"}},
		"nobody":                    {func(t *Terms, s *Signed) { s.Contact, t.Contacts[1].Name = "", "" }, []string{"no contact of acme"}},
		"an ordinary contact":       {func(_ *Terms, s *Signed) { s.Contact = "carl@acme.example" }, []string{"not an authorised one"}},
		"authority ended yesterday": {func(_ *Terms, s *Signed) { s.Contact = "Eva Ended" }, []string{"had ended"}},
		"no number":                 {func(_ *Terms, s *Signed) { s.Number = " " }, []string{"no number"}},
		"no initials":               {func(_ *Terms, s *Signed) { s.Initials = "_" }, []string{"no initials"}},
		"no scan":                   {func(_ *Terms, s *Signed) { s.Scan = "scan.jpg" }, []string{"no scan"}},
		"the number used before":    {used(Waiver{Form: "o-118"}), []string{"Form O-118 was used for another change"}},
		"the scan used before":      {used(Waiver{Scan: signed().Scan}), []string{"This scan was used for another change"}},
		"initialled later":          {func(_ *Terms, s *Signed) { s.At = at(10, 2) }, []string{"in the future"}},
		"initialled after the swap": {func(t *Terms, s *Signed) { t.Change.Succession = &Succession{At: s.At} }, []string{"permission comes before"}},
		"initialled long ago":       {func(_ *Terms, s *Signed) { s.At = at(9, 0).AddDate(0, -2, 0) }, []string{"more than 30 days"}},
		"no time":                   {func(t *Terms, s *Signed) { s.At = time.Time{} }, []string{"no date"}},
		"a clause struck out":       {func(_ *Terms, s *Signed) { s.Text = "T20391 FGT60FTK1 " + clauseA }, []string{clauseB}},
		"another ticket":            {func(_ *Terms, s *Signed) { s.Text = strings.ReplaceAll(s.Text, "T20391", "T1") }, []string{"name ticket T20391"}},
		"another box":               {func(t *Terms, _ *Signed) { t.Erased = []string{"X1"} }, []string{"not this device's", "not among those", "name serial number X1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			terms, s := terms(), signed()
			c.change(&terms, &s)
			_, err := terms.JudgeForm(s)
			wantFaults(t, err, c.want...)
		})
	}
}

func TestTheFormFitsOnOnePage(t *testing.T) {
	t.Parallel()
	form := signed().Text
	lines := strings.Split(form, "\n")
	for _, l := range lines {
		if len(l) > 80 {
			t.Errorf("%d columns: %q", len(l), l)
		}
	}
	if len(lines) > 55 {
		t.Errorf("%d lines", len(lines))
	}
	for _, want := range []string{"T20391", "acme/fw-hq", "FGT60FTK1", clauseA, clauseB, "2026-1", "Initials:", "Date and time:", "write the following lines yourself"} {
		if !strings.Contains(strings.Join(strings.Fields(form), " "), want) {
			t.Errorf("it does not say %q", want)
		}
	}
}

func TestAWordingIsHeldToTwoClauses(t *testing.T) {
	t.Parallel()
	if err := DefaultWording().Check(); err != nil {
		t.Error(err)
	}
	for name, w := range map[string]Wording{
		"no version":     {Clauses: []string{clauseA, clauseB}},
		"one clause":     {Version: "1", Clauses: []string{clauseA}},
		"an empty one":   {Version: "1", Clauses: []string{clauseA, " "}},
		"the same one":   {Version: "1", Clauses: []string{clauseA, clauseA}},
		"one in another": {Version: "1", Clauses: []string{clauseA, "Also: " + clauseA}},
	} {
		if err := w.Check(); devices.KindOf(err) != devices.Usage || devices.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatIsNoMessageIsRefused(t *testing.T) {
	t.Parallel()
	deep := "Content-Type: multipart/mixed; boundary=b0\n\n"
	for i := range 40 {
		deep += fmt.Sprintf("--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n", i, i+1)
	}
	for i := range 41 {
		deep += fmt.Sprintf("--b%d--\n", 40-i)
	}
	for name, raw := range map[string]string{
		"Outlook's own": "\xd0\xcf\x11\xe0\xa1\xb1",
		"no head":       "hello\n",
		"cut short":     "Content-Type: multipart/mixed; boundary=x\n\n--x\n\nhello\n",
		"no end":        deep,
		"broken base64": "Content-Transfer-Encoding: base64\n\n!!!!\n",
	} {
		m, err := ReadMessage([]byte(raw))
		if devices.KindOf(err) != devices.Usage || devices.HintOf(err) == "" {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

func FuzzReadMessage(f *testing.F) {
	f.Add(eml(agreed))
	f.Add(eml("<blockquote><p>"+agreed, "Content-Type: text/html"))
	f.Add(eml("--x\n\na\n--x\nContent-Type: text/html\n\nb\n--x--\n", "Content-Type: multipart/alternative; boundary=x"))
	f.Add(eml("On 1 Jan wrote:\n> a\nFrom: x\nSent: y\n", "Authentication-Results: (((a; dmarc=fail"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := ReadMessage(raw)
		if err != nil {
			if devices.HintOf(err) == "" {
				t.Errorf("no hint: %v", err)
			}
			return
		}
		// A clause that was never in the text is never found there.
		if w, err := terms().JudgeMail(m); err == nil && (!names(m.Text, clauseA) || w.Sender != "olga@acme.example") {
			t.Errorf("accepted: %+v", w)
		}
	})
}
