package redact

import (
	"bytes"
	"regexp"
	"sync"
)

// The generic look: what resembles a secret in any vendor's text. It is allowed
// to hide too much (the original is sealed), not to miss what it names here:
// private keys, values of passwords and keys by their names (see named), URLs
// with credentials, crypt hashes, FortiOS ENC values, JSON web tokens.

// What a gap is said to be.
const (
	kindKey       = "private key"
	kindPassword  = "password"
	kindCommunity = "community"
	kindShared    = "key"
	kindToken     = "token"
	kindURL       = "URL with credentials"
	kindHash      = "password hash"
	kindEncrypted = "encrypted value"
)

// A lookout is one pattern of the generic look.
type lookout struct {
	kind string
	find string // the group named secret, or all of it
	near []string
}

var lookouts = []lookout{
	{kindHash, `\$(?:\d{1,2}|2[abxy]|y|gy|sha\d+|argon2\w*|scrypt|pbkdf2[\w-]*)\$[\w./$=+,@-]{4,}`,
		[]string{"$0$", "$1$", "$2$", "$2a$", "$2b$", "$2x$", "$2y$", "$3$", "$4$", "$5$", "$6$", "$7$", "$8$", "$9$", "$10$", "$14$", "$y$", "$gy$", "$sha", "$argon2", "$scrypt$", "$pbkdf2"}},
	{kindEncrypted, `\bENC[ \t]+(?P<secret>[\w+/=.-]{8,})`, nil},
	{kindToken, `\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?`, nil},
	{kindToken, `(?i)\bbearer[ \t]+"?(?P<secret>[\w.~+/-]{16,}=*)`, nil},
	// PEM that was encoded once more (pfSense, OPNsense): "-----BEGIN " and then PRIV,
	// RSA PRI, EC PRIV, ENCRYPTED, OPENSSH, DSA PRI or OpenVPN; never a certificate.
	{kindKey, `LS0tLS1CRUdJTi(?:BQUklW|BSU0EgUFJ|BFQyBQUkl|BFTkNSWVBU|BPUEVOU1NI|BEU0EgUFJ|BPcGVuVlBO)[\w+/=]+`, nil},
	// What is armored otherwise: OpenVPN's static key, PKCS #12, SSH2 with four dashes.
	{kindKey, `-----BEGIN (?:OpenVPN Static key V1|PKCS12)-----(?P<secret>[^-]+)`, nil},
	{kindKey, `---- BEGIN SSH2 (?:ENCRYPTED )?PRIVATE KEY ----\n(?:Comment: .*\n)?(?P<secret>(?:[^\n-].*\n)+)`, nil},
	// The addresses of chat rooms that whoever knows them may write to.
	{kindURL, `\b(?:hooks\.slack\.com/(?:services|workflows)/|discord(?:app)?\.com/api/webhooks/|(?:outlook|[\w-]+\.webhook)\.office\.com/webhook\w*/|api\.telegram\.org/bot)(?P<secret>[^\s"'<>]+)`, nil},
}

// A general is the generic look made ready.
type general struct {
	scan  *scan  // the lookouts
	marks *words // what the hand-written parts go by: "private key", "://", nameEnds
}

var generic = sync.OnceValue(func() general {
	list := make([]*finder, 0, len(lookouts))
	for _, l := range lookouts {
		f, err := newFinder(regexp.MustCompile("(?m)"+l.find), l.near)
		if err != nil {
			panic(err) // a constant of this file
		}
		f.kind = l.kind
		list = append(list, f)
	}
	return general{newScan(list), newWords(append([]string{"private key", "://"}, nameEnds...))}
})

// look is where text still resembles a secret.
func look(text []byte) []span {
	var spans []span
	g := generic()
	g.scan.each(text, func(f *finder, m []int) {
		group := f.groups[0]
		spans = append(spans, span{start: m[2*group], end: m[2*group+1], kind: f.kind})
	})
	hidden := 0 // up to where a private key or a quoted value reaches
	lineStart, lineEnd := 0, -1
	g.marks.each(text, func(mark, end int) {
		if end <= hidden {
			return
		}
		if end-1 > lineEnd {
			lineStart, lineEnd = lineAround(text, end-1)
		}
		var s span
		var ok bool
		switch mark {
		case 0:
			if s, ok = privateKey(text, end, lineStart, lineEnd); ok {
				hidden = s.end
			}
		case 1:
			s, ok = credentials(text, end)
		default:
			s, ok = named(text, end-len(nameEnds[mark-2]), end, lineStart, lineEnd)
			if ok && isQuote(text[s.start-1]) && s.end < lineEnd && text[s.end] == text[s.start-1] {
				hidden = s.end
			}
		}
		if ok {
			spans = append(spans, s)
		}
	})
	return spans
}

// privateKey is the PEM block whose first line says "PRIVATE KEY" right before
// at. One that never ends is hidden as far as it looks like one.
func privateKey(text []byte, at, lineStart, lineEnd int) (span, bool) {
	start := max(lineStart, at-64)
	begin := bytes.LastIndex(text[start:at], []byte("-----BEGIN "))
	rest := bytes.TrimPrefix(text[at:lineEnd], []byte(" BLOCK"))
	if begin < 0 || !bytes.HasPrefix(rest, []byte("-----")) {
		return span{}, false
	}
	s := span{start: start + begin, end: lineEnd - len(rest) + 5, kind: kindKey}
	body := text[s.end:]
	if next := bytes.Index(body, []byte("-----BEGIN ")); next >= 0 {
		body = body[:next]
	}
	if last := bytes.Index(body, []byte("-----END ")); last >= 0 {
		if inside := token().ReplaceAll(body[:last], nil); len(inside) < last && len(bytes.TrimSpace(inside)) == 0 {
			return span{}, false // a rule has hidden the inside
		}
		after := body[last+len("-----END "):]
		if dashes := bytes.Index(after, []byte("-----")); dashes >= 0 && dashes < 64 {
			s.end += last + len("-----END ") + dashes + 5
			return s, true
		}
	}
	for len(body) > 0 {
		line, _, _ := bytes.Cut(body, []byte{'\n'})
		if !encoded(bytes.Trim(line, " \t\"'\\")) {
			break
		}
		s.end += len(line)
		if body = body[len(line):]; len(body) > 0 {
			s.end++
			body = body[1:]
		}
	}
	return s, true
}

// encoded tells whether a line may belong to a PEM block: base 64, a header, or
// nothing.
func encoded(line []byte) bool {
	if bytes.HasPrefix(line, []byte("Proc-Type:")) || bytes.HasPrefix(line, []byte("DEK-Info:")) {
		return true
	}
	for _, c := range line {
		if !isWord(c) && c != '+' && c != '/' && c != '=' && c != '\\' {
			return false
		}
	}
	return len(line) == 0 || len(line) >= 16
}

// credentials is the password in scheme://user:password@host, where "://" ends
// at at; or all of a long user part without one, which is a token.
func credentials(text []byte, at int) (span, bool) {
	if at < 4 || !isWord(text[at-4]) {
		return span{}, false
	}
	const longest = 1024
	end := at
	for end < min(len(text), at+longest) && !isBlank(text[end]) && !isQuote(text[end]) && text[end] != '<' && text[end] != '>' {
		end++
	}
	authority := text[at:end]
	host := bytes.LastIndexByte(authority, '@')
	if host < 0 {
		return span{}, false
	}
	colon := bytes.IndexAny(authority[:host], ":/")
	switch {
	case colon < 0 && host >= 20:
		return span{start: at, end: at + host, kind: kindURL}, true
	case colon < 0 || authority[colon] == '/':
		return span{}, false
	}
	password := authority[colon+1 : host]
	if port, _, path := bytes.Cut(password, []byte{'/'}); path && len(bytes.Trim(port, "0123456789")) == 0 {
		return span{}, false // host:port/path@…
	}
	return span{start: at + colon + 1, end: at + host, kind: kindURL}, len(password) > 0
}
