package notify

import (
	"errors"
	"fmt"
	"mime"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"

	"belay/devices"
)

// A leg is one service that a message goes to, by its own URL.
type leg struct {
	scheme string
	url    devices.Secret
}

// parse reads a channel's URL. Its own errors name nothing of it but the service.
func parse(secret devices.Secret) ([]leg, error) {
	u, err := url.Parse(strings.TrimSpace(secret.Reveal()))
	if err != nil || u.Scheme == "" {
		return nil, errors.New("its URL cannot be read: want SERVICE://…, as smtp://… or slack://…")
	}
	scheme, custom, _ := strings.Cut(strings.ToLower(u.Scheme), "+")
	if !known(scheme) {
		return nil, errors.New("its URL is of no service that can be told: want smtp, slack, teams, generic, …")
	}
	if err := safe(u, custom); err != nil {
		return nil, fmt.Errorf("%s: %w", scheme, err)
	}
	all := []*url.URL{u}
	if scheme == "smtp" {
		if all, err = mails(u); err != nil {
			return nil, err
		}
	}
	var legs []leg
	for _, u := range all {
		l := leg{scheme, devices.NewSecret(u.String())}
		if scheme != "matrix" { // which logs in as soon as it is opened
			if _, err := l.open(); err != nil {
				return nil, fmt.Errorf("%s: its URL lacks something, or has too much: compare it with the service's page", scheme)
			}
		}
		legs = append(legs, l)
	}
	return legs, nil
}

func known(scheme string) bool {
	// logger only writes to a log, where nobody looks for alarms; and of telegram
	// shoutrrr says that a message was sent when it was not.
	return scheme != "logger" && scheme != "telegram" && slices.Contains((&router.ServiceRouter{}).ListServices(), scheme)
}

// safe refuses what would send a message readable, or to whoever answers. On this
// machine there is nobody between.
func safe(u *url.URL, custom string) error {
	if host := u.Hostname(); host == "localhost" || net.ParseIP(host).IsLoopback() {
		return nil
	}
	bad := custom == "http"
	for key, values := range u.Query() {
		switch strings.ToLower(key) {
		case "disabletls", "skiptlsverify", "insecureskipverify", "disabletlsverification":
			for _, v := range values {
				bad = bad || !slices.Contains([]string{"", "no", "false", "0"}, strings.ToLower(v))
			}
		}
	}
	if bad {
		return errors.New("its URL turns off TLS, or the look at the certificate: the message would go to whoever answers")
	}
	return nil
}

// mails makes one URL for each recipient. What is not on this machine is sent
// encrypted or not at all, as shoutrrr does not by itself.
func mails(u *url.URL) ([]*url.URL, error) {
	q := u.Query()
	var to []string
	for key, values := range q {
		switch strings.ToLower(key) {
		case "to", "toaddresses":
			for _, v := range values {
				to = append(to, strings.Split(v, ",")...)
			}
			q.Del(key)
		case "subject", "title", "usehtml", "requirestarttls", "usestarttls", "starttls", "timeout":
			q.Del(key)
		}
	}
	host := u.Hostname()
	if host != "localhost" && !net.ParseIP(host).IsLoopback() {
		q.Set("usestarttls", "yes")
		q.Set("requirestarttls", "yes")
	}
	q.Set("usehtml", "yes")
	var all []*url.URL
	slices.Sort(to)
	for _, address := range slices.Compact(to) {
		if address = strings.TrimSpace(address); address == "" {
			continue
		}
		one := *u
		q.Set("toaddresses", address)
		one.RawQuery = q.Encode()
		all = append(all, &one)
	}
	if len(all) == 0 {
		return nil, errors.New("smtp: its URL names no recipient: add ?to=ADDRESS")
	}
	return all, nil
}

func (l leg) open() (types.Service, error) {
	return (&router.ServiceRouter{}).Locate(l.url.Reveal())
}

// errShut stands for a service that could not be opened: nothing was sent.
var errShut = errors.New("the service cannot be opened")

// errPanic stands for whatever a service fell over.
var errPanic = errors.New("the service's part of shoutrrr broke")

// send is one message to one service, however long it takes.
func (l leg) send(m Message) (err error) {
	defer func() {
		if recover() != nil { // what it says may hold the URL
			err = errPanic
		}
	}()
	s, err := l.open()
	if err != nil {
		return errShut
	}
	text, params := m.Text, types.Params{}
	subject := signed(strings.Join(strings.Fields(m.Subject), " "))
	switch {
	case l.scheme == "smtp":
		params.SetTitle(mime.QEncoding.Encode("utf-8", subject))
		page := m.HTML
		if page == "" {
			page = "<pre>" + escape(m.Text) + "</pre>"
		}
		// Shoutrrr would put the text into the page as it is.
		if err := s.SetTemplateString("HTML", strings.ReplaceAll(page, "{{", `{{"{{"}}`)); err != nil {
			return err
		}
	case titled(l.scheme):
		params.SetTitle(subject)
	case strings.HasPrefix(text, strings.TrimPrefix(subject, sender)): // it begins with what it is about
		text = signed(text)
	default:
		text = subject + "\n\n" + text
	}
	return s.Send(cut(text, room(l.scheme)), &params)
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// sender begins what a list of messages shows of one: who it is from.
const sender = "Belay: "

func signed(s string) string { return sender + strings.TrimPrefix(s, sender) }

// titled services show a title of their own; some others refuse one.
func titled(scheme string) bool {
	switch scheme {
	case "slack", "teams", "discord", "generic", "ntfy", "gotify", "pushover", "pushbullet", "opsgenie":
		return true
	}
	return false
}

// room is how many bytes of text a service takes at least.
func room(scheme string) int {
	switch scheme {
	case "smtp", "generic":
		return 1 << 20
	case "teams":
		return 12_000 // of 28 kB, in which each line is wrapped
	case "slack", "mattermost", "zulip":
		return 9_000
	case "pushover":
		return 1_000
	case "wecom", "discord":
		return 1_900
	}
	return 3_500
}

// cut leaves whole lines of a text that is too long.
func cut(text string, most int) string {
	const rest = "\n… the rest: belay digest, belay alarms\n"
	if len(text) <= most {
		return text
	}
	text = text[:most-len(rest)]
	if i := strings.LastIndexByte(text, '\n'); i > 0 {
		text = text[:i]
	}
	return strings.ToValidUTF8(text, "") + rest
}
