package change

import (
	_ "embed" // for receipt.html
	"fmt"
	"html/template"
	"strings"

	"belay/devices"
)

// The columns of a receipt in text, and those of its labels.
const (
	textWidth  = 80
	labelWidth = 12
)

// Text is the receipt for a ticket: 80 columns, no markup.
func (r Receipt) Text() string {
	var b strings.Builder
	for i, s := range r.sections() {
		if i > 0 {
			b.WriteByte('\n')
		}
		title := s.Title
		if s.Standing != "" {
			title += ": " + s.Standing
		}
		fmt.Fprintf(&b, "%s\n%s\n", hard(wrap(title, textWidth), textWidth), strings.Repeat("-", textWidth))
		for _, row := range s.Rows {
			label := row.Label
			for _, v := range row.Values {
				for line := range strings.Lines(hard(wrap(v, textWidth-labelWidth), textWidth-labelWidth)) {
					fmt.Fprintf(&b, "%-*s%s\n", labelWidth, label, strings.TrimSuffix(line, "\n"))
					label = ""
				}
			}
		}
	}
	b.WriteString("\nThe JSON form is signed: belay receipt verify FILE\n")
	return b.String()
}

// hard breaks the words that are longer than a line.
func hard(s string, width int) string {
	var b strings.Builder
	column := 0
	for _, r := range s {
		if r == '\n' {
			column = 0
		} else if column++; column > width {
			b.WriteByte('\n')
			column = 1
		}
		b.WriteRune(r)
	}
	return b.String()
}

//go:embed receipt.html
var receiptHTML string

// HTML is the receipt as a page that prints on one sheet for an ordinary
// replacement. It asks nothing of a network and runs nothing.
func (r Receipt) HTML() ([]byte, error) {
	t, err := template.New("receipt").Parse(receiptHTML)
	var b strings.Builder
	if err == nil {
		err = t.Execute(&b, struct {
			Title    string
			Sections []section
		}{r.Change, r.sections()})
	}
	if err != nil {
		return nil, &devices.Error{Kind: devices.Broken, Op: "print the receipt of " + r.Change, Err: err}
	}
	return []byte(b.String()), nil
}
