package events

import (
	"bytes"
	"net/netip"
	"strings"
	"unicode"

	"github.com/leodido/go-syslog/v4/ciscoios"
	"github.com/leodido/go-syslog/v4/rfc3164"
	"github.com/leodido/go-syslog/v4/rfc5424"

	"belay/devices"
)

func (l *Listeners) syslogDatagram(from netip.AddrPort, datagram []byte) {
	l.message(plain(from.Addr()), datagram)
}

// message hears one syslog message.
func (l *Listeners) message(from netip.Addr, raw []byte) {
	raw = bytes.Trim(raw, "\x00\r\n\t ")
	if len(raw) == 0 || !l.admit(from) {
		return
	}
	l.say(Event{From: from, Kind: Syslog, Host: host(raw), Text: text(raw)})
}

// priority is what RFC 3164 and RFC 5424 begin a message with.
var priority = devices.Pattern(`^<\d{1,3}>(?:1 )?\s*`)

// text is a message without its priority. The header stays: which part of it is
// a header, a tag or a counter every vendor sees otherwise, and the drivers'
// patterns know it better than a parser.
func text(raw []byte) string {
	if len(raw) > longest {
		raw = raw[:longest]
	}
	said := strings.ToValidUTF8(string(priority().ReplaceAll(raw, nil)), "\ufffd")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, said))
}

// mostHeader is where a host name stands, if anywhere.
const mostHeader = 512

// host is how a message names its sender, empty where it does not, or where it
// has no form that is known. Nothing is lost by that: From is what counts.
func host(raw []byte) (name string) {
	defer func() { // the parsers are generated, and what they read anybody may send
		if recover() != nil {
			name = ""
		}
	}()
	header := raw[:min(len(raw), mostHeader)]
	if bytes.HasPrefix(priority().Find(header), []byte("<")) && bytes.HasSuffix(priority().Find(header), []byte("1 ")) {
		if m, _ := rfc5424.NewParser(rfc5424.WithBestEffort()).Parse(header); m != nil {
			if s, ok := m.(*rfc5424.SyslogMessage); ok && s.Hostname != nil {
				return *s.Hostname
			}
		}
		return ""
	}
	// Cisco counts its messages, names itself after that only when told to, and
	// gives thousandths of seconds: "<189>123: sw1: *Mar  1 00:01:02.003: %SYS-5-…".
	if s := origin().FindSubmatch(header); s != nil {
		return string(s[1])
	}
	for _, counted := range []bool{false, true} {
		parser := rfc3164.NewParser(rfc3164.WithRFC3339(), rfc3164.WithLenientDay(), rfc3164.WithSecondFractions())
		if counted {
			parser = rfc3164.NewParser(rfc3164.WithCiscoIOSComponents(ciscoios.DisableSequenceNumber | ciscoios.DisableHostname))
		}
		m, err := parser.Parse(header)
		if s, ok := m.(*rfc3164.SyslogMessage); err == nil && ok && s.Hostname != nil && !strings.ContainsAny(*s.Hostname, "%:") {
			return *s.Hostname
		}
	}
	return ""
}

// origin is Cisco's "logging origin-id": a name between the counters and the time.
var origin = devices.Pattern(`^<\d{1,3}>(?:\d+: )+([A-Za-z][\w.\-]*): [*.]?(?:\d{4} )?[A-Z][a-z]{2} `)
