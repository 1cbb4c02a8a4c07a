package report

import (
	"html/template"
	"strings"
)

// The page is one column that every mail program shows: no style sheet, no
// script, nothing that is fetched.
const page = `<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>{{.Subject}}</title></head>
<body style="font-family:sans-serif;max-width:48em">
<p><b>{{.Subject}}</b></p>
{{- if .Quiet}}
<p>{{.Quiet}}</p>
{{- end}}
{{- range .Customers}}
{{if .Name}}<h3>{{.Name}}</h3>
{{end}}<ul>
{{- range .Lines}}
<li>{{if .Site}}site {{.Site}}: {{end}}{{.Sentence}}
{{- if .Diff}}<pre style="background:#f4f4f4;padding:.5em">{{.Diff}}</pre>{{end}}
{{- if .Next}}<br><code>{{.Next}}</code>{{end}}</li>
{{- end}}
</ul>
{{- end}}
{{- if .More}}
<p>and {{.More}} more: <code>belay digest --json</code> shows all</p>
{{- end}}
</body></html>
`

type htmlLine struct{ Site, Sentence, Diff, Next string }

type htmlCustomer struct {
	Name  string
	Lines []htmlLine
}

// HTML is the digest as a page for mail.
func (d Digest) HTML() (string, error) {
	t, err := template.New("digest").Parse(page)
	if err != nil {
		return "", err
	}
	v := struct {
		Subject, Quiet string
		Customers      []htmlCustomer
		More           int
	}{Subject: tame(d.Subject), More: max(0, len(d.Lines)-mostText)}
	if len(d.Lines) == 0 {
		v.Quiet = d.quiet()
	}
	for i, l := range d.Lines[:min(len(d.Lines), mostText)] {
		if i == 0 || l.Customer != d.Lines[i-1].Customer {
			v.Customers = append(v.Customers, htmlCustomer{Name: tame(l.Customer)})
		}
		c := &v.Customers[len(v.Customers)-1]
		var lines []string
		for line := range strings.Lines(l.Diff) {
			lines = append(lines, tame(strings.TrimRight(line, "\n")))
		}
		c.Lines = append(c.Lines, htmlLine{tame(l.Site), tame(l.sentence()), strings.Join(lines, "\n"), tame(l.Next)})
	}
	var b strings.Builder
	if err := t.Execute(&b, v); err != nil {
		return "", err
	}
	return b.String(), nil
}
