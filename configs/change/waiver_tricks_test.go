package change

import (
	"strings"
	"testing"
)

// parts is a mail of several parts, each with its own fields.
func partsOf(kind string, parts ...string) []byte {
	body := ""
	for _, p := range parts {
		body += "--x\n" + p + "\n"
	}
	return eml(body+"--x--\n", "Content-Type: "+kind+"; boundary=x")
}

const htmlType = "Content-Type: text/html; charset=utf-8"

func htmlOf(body string) []byte { return eml(body, htmlType) }

// What a contact's mail program shows is what the contact wrote. Each of these
// holds both clauses somewhere, and shows something else.
func TestClausesThatNoMailProgramShowsAreNotAgreedTo(t *testing.T) {
	t.Parallel()
	const no = "<p>No, we want the backup. FGT60FTK1</p>"
	clauses := clauseA + " " + clauseB
	plain := "Content-Type: text/plain\n\n"
	for name, raw := range map[string][]byte{
		"another text in HTML":              partsOf("multipart/alternative", plain+agreed, "Content-Type: text/html\n\n"+no),
		"another text in HTML, nested":      partsOf("multipart/mixed", "Content-Type: multipart/alternative; boundary=y\n\n--y\n"+plain+agreed+"\n--y\nContent-Type: text/html\n\n"+no+"\n--y--\n"),
		"HTML first":                        partsOf("multipart/alternative", "Content-Type: text/html\n\n<p>"+agreed+"</p>", plain+"No, we want the backup. FGT60FTK1"),
		"a third alternative":               partsOf("multipart/alternative", plain+agreed, plain+"No. FGT60FTK1", "Content-Type: text/html\n\n<p>"+agreed+"</p>"),
		"not displayed":                     htmlOf(no + `<div style="display: none">` + clauses + `</div>`),
		"not displayed, in capitals":        htmlOf(no + `<DIV STYLE="color:red;DISPLAY:NONE!important">` + clauses + `</DIV>`),
		"not displayed around":              htmlOf(no + `<div style="display:none"><p><span>` + clauses + `</span></p></div>`),
		"hidden":                            htmlOf(no + `<span hidden>` + clauses + `</span>`),
		"invisible":                         htmlOf(no + `<span style="visibility:hidden">` + clauses + `</span>`),
		"without size":                      htmlOf(no + `<span style="font-size:0px">` + clauses + `</span>`),
		"too small to read":                 htmlOf(no + `<span style="font-size: 1px">` + clauses + `</span>`),
		"without height":                    htmlOf(no + `<div style="max-height:0;overflow:hidden">` + clauses + `</div>`),
		"transparent":                       htmlOf(no + `<span style="opacity:0.0">` + clauses + `</span>`),
		"hidden from Outlook":               htmlOf(no + `<span style="mso-hide:all">` + clauses + `</span>`),
		"a style in a sheet":                htmlOf("<style>.x{display:none}</style>" + no + `<div class=x>` + clauses + `</div>`),
		"struck out":                        htmlOf(no + `<p><s>` + clauses + `</s></p>`),
		"struck out as in old times":        htmlOf(no + `<p><strike>` + clauses + `</strike></p>`),
		"deleted":                           htmlOf(no + `<p><del>` + clauses + `</del></p>`),
		"struck out by a style":             htmlOf(no + `<p style="text-decoration: line-through red">` + clauses + `</p>`),
		"one word struck out":               htmlOf(no + "The provider is <s>not</s> responsible for what follows from going on without a backup. " + "Remedial work <s>that becomes necessary because there is no backup</s> is billable."),
		"struck out in plain text":          eml("No. FGT60FTK1\n~~" + clauseA + "~~\n~~" + clauseB + "~~"),
		"an escape":                         htmlOf(no + `<div style="d\\69splay:none">` + clauses + `</div>`),
		"a style with a comment in it":      htmlOf(no + `<div style="dis/**/play:none">` + clauses + `</div>`),
		"white on white":                    htmlOf(no + `<p style="color:#FFFFFF">` + clauses + `</p><font color=white>` + clauses + `</font>`),
		"black on black":                    htmlOf(no + `<div style="background: #000"><p style="color: #000">` + clauses + `</p></div>`),
		"far to the left":                   htmlOf(no + `<p style="text-indent:-9999px">` + clauses + `</p>`),
		"a comment":                         htmlOf(no + "<!-- " + clauses + " -->"),
		"a conditional comment":             htmlOf(no + "<!--[if mso]>" + clauses + "<![endif]-->"),
		"a template":                        htmlOf(no + "<template></style>" + clauses + "</template>"),
		"a head":                            htmlOf("<html><head><title>" + clauses + "</title></head><body>" + no),
		"no frames":                         htmlOf(no + "<noframes>" + clauses + "</noframes>"),
		"no script":                         htmlOf(no + "<noscript>" + clauses + "</noscript>"),
		"a frame":                           htmlOf(no + "<iframe>" + clauses + "</iframe>"),
		"a field to fill in":                htmlOf(no + "<textarea>" + clauses + "</textarea><select><option>" + clauses + "</option></select>"),
		"an object":                         htmlOf(no + "<object>" + clauses + "</object><video>" + clauses + "</video>"),
		"details that are closed":           htmlOf(no + "<details><summary>more</summary>" + clauses + "</details>"),
		"a quote in a table":                htmlOf(no + "<blockquote><table><tr><td></blockquote>" + clauses + "</td></tr></table></blockquote>"),
		"the other part of a page":          partsOf("multipart/related", "Content-Type: text/html\n\n"+no, plain+agreed),
		"a digest of messages":              partsOf("multipart/digest", "\nSubject: x\n\n"+agreed),
		"an attachment that is inline":      partsOf("multipart/mixed", plain+"No. FGT60FTK1", "Content-Type: text/plain\nContent-Disposition: inline; filename=form.txt\n\n"+agreed),
		"an attachment with a name only":    partsOf("multipart/mixed", plain+"No. FGT60FTK1", "Content-Type: text/plain; name=\"form.txt\"\n\n"+agreed),
		"an attachment of two names":        partsOf("multipart/mixed", plain+"No. FGT60FTK1", "Content-Type: text/plain\nContent-Disposition: attachment; filename=a; filename=b\n\n"+agreed),
		"an attachment spelled wrong":       partsOf("multipart/mixed", plain+"No. FGT60FTK1", "Content-Type: text/plain\nContent-Disposition: =?x?=\n\n"+agreed),
		"an attachment twice":               partsOf("multipart/mixed", plain+"No. FGT60FTK1", "Content-Type: text/plain\nContent-Disposition: inline\nContent-Disposition: attachment\n\n"+agreed),
		"boundaries that two programs read": eml("--x\n"+plain+"No. FGT60FTK1\n--x\nContent-Disposition: attachment\n\n"+agreed+"\n--x--\n", "Content-Type: multipart/mixed; boundary=x; boundary=y"),
		"two types":                         eml("<p>No. FGT60FTK1</p><!-- "+agreed+" -->", "Content-Type: text/html", "+Content-Type: text/plain"),
		"two encodings":                     eml(agreed, "Content-Transfer-Encoding: 7bit", "+Content-Transfer-Encoding: base64"),
		"a message alone":                   eml("Subject: x\n\n"+agreed, "Content-Type: message/rfc822"),
		"turned around":                     eml("\u202e"+agreed, "Content-Type: text/plain; charset=utf-8"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := ReadMessage(raw)
			if err != nil {
				return // as good
			}
			if w, err := terms().JudgeMail(m); err == nil {
				t.Errorf("accepted: %q\n%+v", m.Text, w)
			}
		})
	}
}

// What mail programs put into an honest answer hides nothing.
func TestTheStylesOfMailProgramsHideNothing(t *testing.T) {
	t.Parallel()
	p := func(style, text string) string { return "<p " + style + ">" + text + "</p>" }
	sheet := `<html xmlns:o="urn:schemas-microsoft-com:office:office"><head><style><!--
@font-face {font-family:Calibri; panose-1:2 15 5 2 2 2 4 3 2 4;}
p.MsoNormal {margin:0in; font-size:11.0pt; font-family:"Calibri",sans-serif; mso-ligatures:standardcontextual;}
a:link {mso-style-priority:99; color:#0563C1; text-decoration:underline;}
@media only screen and (max-width:600px) {.w {width:100%!important; height:auto}}
--></style><!--[if gte mso 9]><xml><o:shapedefaults v:ext="edit" spidmax="1026" /></xml><![endif]--></head><body lang=EN-US link="#0563C1">`
	for name, raw := range map[string][]byte{
		"Outlook": htmlOf(sheet + `<div class=WordSection1><p class=MsoNormal><span style='font-size:11.0pt;mso-fareast-language:EN-US'>` + clauseA + `<o:p></o:p></span></p>` +
			p(`class=MsoNormal style='margin-left:.5in;text-indent:-.25in;line-height:107%'`, clauseB) + p("class=MsoNormal", "FGT60FTK1") + `</div></body></html>`),
		"Outlook on the web": htmlOf(`<html><head><style type="text/css" style="display:none;"> P {margin-top:0;margin-bottom:0;} </style></head><body dir="ltr"><div class="elementToProof" style="font-family: Aptos, Calibri; font-size: 12pt; color: rgb(0, 0, 0);">` + agreed + `</div><div id="appendonsend"></div><hr style="display:inline-block;width:98%"><div id="divRplyFwdMsg" dir="ltr"><b>From:</b> MSP</div></body></html>`),
		"Gmail":              htmlOf(`<div dir="ltr"><div>` + clauseA + `</div><div><br></div><div>` + clauseB + `</div><div>FGT60FTK1<br clear="all"></div></div><br><div class="gmail_quote gmail_quote_container"><div dir="ltr" class="gmail_attr">On Sat, MSP wrote:<br></div><blockquote class="gmail_quote">x</blockquote></div>`),
		"Apple":              htmlOf(`<html><head></head><body style="word-wrap: break-word; line-break: after-white-space;"><div style="-webkit-text-size-adjust:auto; text-decoration:none; letter-spacing:0px; text-indent:0px">` + agreed + `</div><blockquote type="cite">x</blockquote></body></html>`),
		"a dark ground":      htmlOf(`<body bgcolor="#202020"><table><tr><td><span style="color:#ffffff">` + agreed + `</span></td></tr></table>`),
		"a white ground":     htmlOf(`<div style="background-color:white;color:white"><span style="color:black">` + agreed + `</span></div>`),
		"a Chinese font":     htmlOf(`<div style="font-family:\5FAE\8F6F; font-size:14px">` + agreed + `</div>`),
		"a hidden preview":   htmlOf(`<div style="display:none;max-height:0">preview</div>` + p("", agreed)),
		"words in bold":      htmlOf(strings.ReplaceAll(agreed, " ", "&nbsp;<b></b>")),
		"a part with a mark": partsOf("multipart/mixed", "Content-Type: text/plain; format=flowed\nContent-Disposition: inline\n\n"+agreed, "Content-Type: text/plain; name=disclaimer.txt\n\nx"),
		"Apple Mail's parts": partsOf("multipart/alternative", "Content-Type: text/plain\n\n"+agreed, "Content-Type: multipart/related; boundary=y\n\n--y\nContent-Type: text/html\n\n<p>"+agreed+"</p>\n--y\nContent-Type: image/png; name=logo.png\n\n\x00\n--y--\n"),
		"one filter of two":  eml(agreed, "Authentication-Results: in.acme.example; spf=pass", "+Authentication-Results: mx.msp.example; spf=fail; dkim=none; dmarc=none"),
		"a list at the end":  eml(agreed + "\n--\nOlga Owner\nMail: olga@acme.example\nPhone: 1\nFax: 2\n"),
	} {
		if _, err := judge(t, terms(), raw); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whoever forwards what we wrote has written none of it.
func TestWhatIsForwardedOrQuotedInAnyLanguageIsNotAgreedTo(t *testing.T) {
	t.Parallel()
	form := Form(terms().Change, DefaultWording(), terms().Contacts[1], []string{"FGT60FTK1"})
	for name, raw := range map[string][]byte{
		"Gmail":                    eml("FYI FGT60FTK1\n\n---------- Forwarded message ---------\nFrom: MSP <support@msp.example>\n\n" + agreed),
		"Gmail in Polish":          eml("FGT60FTK1\n\n---------- Przekazana wiadomosc ---------\nOd: MSP <support@msp.example>\n\n" + agreed),
		"Outlook in Polish":        eml("FGT60FTK1\n\nOd: MSP <support@msp.example>\nWyslano: sobota, 14 marca 2026 09:10\nDo: Olga Owner\nTemat: x\n\n" + agreed),
		"Outlook in Russian":       eml("FGT60FTK1\n\nОт: MSP <support@msp.example>\nОтправлено: 14 марта 2026 г. 9:10\nКому: Olga Owner\nТема: x\n\n"+agreed, "Content-Type: text/plain; charset=utf-8"),
		"Outlook, sender in a tag": htmlOf("<p>FGT60FTK1</p><div><p><b>From:</b> MSP &lt;support@msp.example&gt;<br><b>Sent:</b> Saturday<br><b>To:</b> Olga<br></p></div><p>" + agreed + "</p>"),
		"Apple":                    eml("FGT60FTK1\n\nBegin forwarded message:\n\n" + agreed),
		"the form, wrapped":        eml("FGT60FTK1\n" + strings.Replace(form, "answer above", "answer\nabove", 1)),
		"the form, without dashes": eml("FGT60FTK1\n" + strings.Replace(form, "---- Please write your answer above this line ----", "Please write your answer above this line", 1)),
		"the form on one line":     htmlOf("<p>FGT60FTK1 " + strings.ReplaceAll(form, "\n", " ") + "</p>"),
		"a quote in a quote":       eml("FGT60FTK1\n>> " + clauseA + "\n> > " + clauseB),
		"marks of HTML":            htmlOf("<p>FGT60FTK1</p><p>&gt; " + clauseA + "</p><p>&gt; " + clauseB + "</p>"),
		"Gmail's quote":            htmlOf(`<p>FGT60FTK1</p><div class="gmail_quote gmail_quote_container"><p>` + agreed + `</p></div>`),
		"Outlook's quote":          htmlOf(`<p>FGT60FTK1</p><div id="divRplyFwdMsg">x</div><div><p>` + agreed + `</p></div>`),
		"Apple's quote":            htmlOf(`<p>FGT60FTK1</p><div type="cite"><p>` + agreed + `</p></div>`),
		"cited":                    htmlOf(`<p>FGT60FTK1</p><q>` + clauseA + `</q><q>` + clauseB + `</q>`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := ReadMessage(raw)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := terms().JudgeMail(m); err == nil {
				t.Errorf("accepted: %q", m.Text)
			}
		})
	}
}

// A sender who is not the contact, however the fields are written.
func TestNoSpellingOfTheFieldsMakesAContactOfAStranger(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string][]byte{
		"an encoded address":       eml(agreed, "From: =?utf-8?q?olga=40acme=2Eexample?= <mallory@evil.example>"),
		"an encoded bracket":       eml(agreed, "From: =?utf-8?q?=3Colga=40acme=2Eexample=3E?= <mallory@evil.example>"),
		"a comment":                eml(agreed, "From: mallory@evil.example (olga@acme.example)"),
		"a group of two":           eml(agreed, "From: all: olga@acme.example, mallory@evil.example;"),
		"a route":                  eml(agreed, "From: <@acme.example,@x:mallory@evil.example>"),
		"a field with a blank":     eml(agreed, "From: olga@acme.example", "+From : mallory@evil.example"),
		"a field in capitals":      eml(agreed, "+FROM: mallory@evil.example"),
		"a zero in it":             eml(agreed, "From: olga@acme.example\x00.evil.example"),
		"a longer host":            eml(agreed, "From: olga@acme.example.evil.example"),
		"a part behind a plus":     eml(agreed, "From: olga+x@acme.example"),
		"a Cyrillic letter":        eml(agreed, "From: olg\u0430@acme.example"),
		"a wide letter":            eml(agreed, "From: olga@acme.ex\uff41mple"),
		"an encoded sender":        eml(agreed, "Sender: =?utf-8?q?Olga?= <mallory@evil.example>"),
		"a hard failure of SPF":    eml(agreed, "Authentication-Results: mx.msp.example; spf=fail smtp.mailfrom=x; dkim=none"),
		"a failure in a comment":   eml(agreed, "Authentication-Results: mx.msp.example; spf=none smtp.mailfrom=\"(\"@x; dmarc=fail header.from=acme.example; dkim=none header.i=\")\"@x"),
		"a failure of an old mail": eml(agreed, "Received-SPF: fail (mx.msp.example: domain of acme.example does not designate 192.0.2.1)"),
		"a date of two":            eml(agreed, "+Date: Sat, 14 Mar 2026 09:31:00 +0000"),
		"a date without a year":    eml(agreed, "Date: 14 Mar 09:30:00 +0000"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := ReadMessage(raw)
			if err != nil {
				return // as good
			}
			if w, err := terms().JudgeMail(m); err == nil {
				t.Errorf("accepted: from %q\n%+v", m.From, w)
			}
		})
	}
}

// One permission is one message, however its id is written.
func TestAMessageIDIsTheSameHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"<1@acme.example>", "1@acme.example", "< 1@acme.example >", "<1@ACME.example>", "<1@acme.example> (again)", "(again) <1@acme.example>", "<1@acme.\u200bexample>"} {
		terms := terms()
		terms.Used = UsedIn(Change{ID: "T1-x", Waivers: []Waiver{{MessageID: "1@acme.example"}}})
		m, err := ReadMessage(eml(agreed, "Message-ID: "+id))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := terms.JudgeMail(m); err == nil {
			t.Errorf("%q was accepted a second time, as %q", id, m.ID)
		}
	}
}
