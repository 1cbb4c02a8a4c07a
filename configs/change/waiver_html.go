package change

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/net/html"

	"belay/devices"
)

// plainText is the text of an HTML body as a mail program would show it, with
// "> " before the lines of a quote. What is hidden or struck out is not shown;
// hides tells that a style sheet hides text, of which it is not known which.
func plainText(body string) (text string, hides bool) {
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil { // parts within parts without end
		return "", true
	}
	p := page{start: true}
	p.show(doc, 0, colors{"", white})
	for n := range doc.Descendants() {
		hides = hides || n.Data == "style" && n.FirstChild != nil && sheetHides(n.FirstChild.Data)
	}
	return p.b.String(), hides
}

// A page is being read.
type page struct {
	b     strings.Builder
	start bool // of a line
	rest  int  // 1: all that follows is quoted
}

// Elements whose content nobody sees, or sees struck out.
var unshown = strings.Fields("head style script title template noframes noscript noembed iframe textarea select datalist object applet video audio canvas svg math dialog del s strike rp frameset")

// Elements that stand on lines of their own.
var blocks = strings.Fields("br p div li ul ol dl dt dd tr table hr pre body h1 h2 h3 h4 h5 h6 blockquote q section article center address")

// The marks that mail programs put on what they quote; of the latter, on the
// line above it.
var (
	quoteClass = devices.Pattern(`(?i)\b(gmail_quote\w*|yahoo_quoted|protonmail_quote|moz-cite-prefix|moz-forward-container|tutanota_quote|zmail_extra|ms-outlook-mobile-reference-message)\b`)
	quoteAbove = devices.Pattern(`(?i)^(x_)*(divRplyFwdMsg|appendonsend|reply-intro|mail-editor-reference-message-container|OLK_SRC_BODY_SECTION)$`)
)

func (p *page) line() {
	if !p.start {
		p.b.WriteByte('\n')
	}
	p.start = true
}

// colors are those of the letters and of the ground behind them.
type colors struct{ ink, ground string }

const white = "white"

// show writes what a node shows.
func (p *page) show(n *html.Node, quotes int, c colors) {
	switch n.Type {
	case html.TextNode:
		if c.ink != c.ground && c.ink != "transparent" {
			p.words(n.Data, quotes)
		}
		return
	case html.ElementNode:
		style := declarations(attribute(n, "style"))
		c = c.of(n, style)
		if slices.Contains(unshown, n.Data) || unseen(n, style) {
			return
		}
		if quoteAbove().MatchString(attribute(n, "id")) {
			p.line()
			p.rest = 1
		}
		if n.Data == "blockquote" || n.Data == "q" || strings.EqualFold(attribute(n, "type"), "cite") || quoteClass().MatchString(attribute(n, "class")) {
			p.line()
			defer p.line()
			quotes++
		}
		if slices.Contains(blocks, n.Data) {
			p.line()
			defer p.line()
		}
		if (n.Data == "td" || n.Data == "th") && !p.start {
			p.b.WriteByte(' ')
		}
	}
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		p.show(child, quotes, c)
	}
}

func (p *page) words(s string, quotes int) {
	words := strings.Join(strings.Fields(s), " ")
	if words == "" {
		if s != "" && !p.start {
			p.b.WriteByte(' ')
		}
		return
	}
	if p.start {
		p.b.WriteString(strings.Repeat("> ", quotes+p.rest))
	} else if strings.TrimLeftFunc(s, unicode.IsSpace) != s {
		p.b.WriteByte(' ')
	}
	p.b.WriteString(words)
	if strings.TrimRightFunc(s, unicode.IsSpace) != s {
		p.b.WriteByte(' ')
	}
	p.start = false
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

var (
	styleComment = devices.Pattern(`(?s)/\*.*?(\*/|$)`)
	length       = devices.Pattern(`^(-?[\d.]+)(px|pt|em|rem|ex|%|mm|cm|in|vw|vh)?$`)
)

// of is the colors within an element.
func (c colors) of(n *html.Node, style map[string]string) colors {
	for _, said := range []string{attribute(n, "color"), attribute(n, "text"), style["color"]} {
		if said != "" && said != "inherit" {
			c.ink = color(said)
		}
	}
	for _, said := range []string{attribute(n, "bgcolor"), attribute(n, "background"), style["background"], style["background-color"], style["background-image"]} {
		if said != "" && said != "inherit" && said != "none" && said != "transparent" {
			c.ground = color(said)
		}
	}
	return c
}

// color is a color by one of its names.
func color(s string) string {
	s = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(s)), " ", "")
	switch s {
	case "#fff", "#ffffff", "rgb(255,255,255)", "#fffffe", "#fefefe":
		return white
	}
	return s
}

// declarations of a style, in small letters. But in the names of fonts, escapes
// are only used to write a word so that it is not found: they hide.
func declarations(s string) map[string]string {
	style := map[string]string{}
	for d := range strings.SplitSeq(strings.ToLower(styleComment().ReplaceAllString(s, "")), ";") {
		name, value, _ := strings.Cut(d, ":")
		value, _, _ = strings.Cut(value, "!")
		name = strings.TrimSpace(name)
		if strings.Contains(d, `\`) && name != "font-family" && !strings.HasPrefix(name, "mso-") {
			name, value = "display", "none"
		}
		style[name] = strings.TrimSpace(value)
	}
	return style
}

// unseen tells whether an element hides its text, or strikes it out.
func unseen(n *html.Node, style map[string]string) bool {
	for _, a := range n.Attr {
		if a.Key == "hidden" {
			return true
		}
	}
	if n.Data == "details" && !slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "open" }) {
		return true
	}
	for name, value := range style {
		if conceals(name, value) {
			return true
		}
	}
	return false
}

// conceals tells whether a declaration hides text, or strikes it out.
func conceals(name, value string) bool {
	below := func(most float64) bool {
		m := length().FindStringSubmatch(value)
		if m == nil {
			return false
		}
		size, err := strconv.ParseFloat(m[1], 64)
		if m[2] == "em" || m[2] == "rem" {
			size *= 12
		}
		return err != nil || size < most
	}
	switch name {
	case "display":
		return value == "none"
	case "visibility", "content-visibility":
		return value == "hidden" || value == "collapse"
	case "opacity":
		return below(0.2)
	case "font-size":
		return below(4)
	case "font":
		first, _, _ := strings.Cut(value, " ")
		size, _, _ := strings.Cut(first, "/")
		return size == "0" || strings.HasPrefix(size, "0p") || strings.HasPrefix(size, "1p")
	case "max-height", "height", "max-width", "width", "line-height", "zoom":
		return below(0.1)
	case "text-indent", "margin-left", "margin-top", "margin", "left", "top":
		return below(-99)
	case "clip", "clip-path", "transform", "scale":
		return value != "none" && value != "auto"
	case "mso-hide":
		return value == "all"
	case "text-decoration", "text-decoration-line":
		return strings.Contains(value, "line-through")
	}
	return false
}

// sheetHides tells whether a rule of a style sheet hides text.
func sheetHides(sheet string) bool {
	sheet = styleComment().ReplaceAllString(strings.NewReplacer("<!--", "", "-->", "").Replace(sheet), "")
	for rule := range strings.SplitSeq(sheet, "{") {
		body, _, _ := strings.Cut(rule, "}")
		for name, value := range declarations(strings.ReplaceAll(body, `\`, "")) {
			if conceals(name, value) && !strings.Contains(name, "height") && !strings.Contains(name, "width") {
				return true
			}
		}
	}
	return false
}
