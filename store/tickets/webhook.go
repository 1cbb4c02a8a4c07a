package tickets

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"belay/configs"
	"belay/devices"
)

// Webhook sends notes as JSON to an address that somebody set up for it:
//
//	{"ticket", "subject", "text", "html", "files": [{"name", "base64"}], "key", "at"}
//
// with the key as Idempotency-Key besides. Any status of success means that the
// note is posted. Of a redirect only one that repeats the request on the same
// host is followed: any other would show the note to somebody else, or lose it.
type Webhook struct {
	URL     devices.Secret // whoever knows it may post, so it is one
	Token   devices.Secret // sent as Authorization: Bearer; empty: none
	CA      string         // file with certificates to trust besides the system's
	Timeout time.Duration  // for one note; 0: two minutes
}

var _ configs.TicketSystem = Webhook{}

// Name tells the host alone.
func (w Webhook) Name() string {
	u, err := w.address()
	if err != nil {
		return "webhook"
	}
	return "webhook of " + u.Host
}

// A request is what a note looks like.
type request struct {
	Ticket  string `json:"ticket"`
	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html,omitempty"`
	Files   []file `json:"files,omitempty"`
	Key     string `json:"key"`
	At      string `json:"at,omitempty"` // RFC 3339
}

type file struct {
	Name   string `json:"name"`
	Base64 string `json:"base64"`
}

func asRequest(n configs.Note) request {
	r := request{Ticket: n.Ticket, Subject: n.Subject, Text: n.Text, HTML: string(n.HTML), Key: n.Key}
	if !n.At.IsZero() {
		r.At = n.At.UTC().Format(time.RFC3339)
	}
	for _, f := range n.Files {
		r.Files = append(r.Files, file{f.Name, base64.StdEncoding.EncodeToString(f.Bytes)})
	}
	return r
}

// Post sends n. The id is what the answer calls "id", if it does.
func (w Webhook) Post(ctx context.Context, n configs.Note) (string, error) {
	a := act{n.Ticket}
	if err := a.ended(ctx); err != nil {
		return "", err
	}
	if err := a.check(n); err != nil {
		return "", err
	}
	u, err := w.address()
	if err != nil {
		return "", a.declined(configs.Invalid, err, "set url: https://… of the webhook")
	}
	roots, err := trusted(w.CA)
	if err != nil {
		return "", a.declined(configs.Invalid, err, trustHint)
	}
	body, err := json.Marshal(asRequest(n))
	if err != nil {
		return "", a.declined(configs.Invalid, errors.New("the note cannot be written as JSON"), "")
	}
	limit, cancel := context.WithTimeout(ctx, cmp.Or(w.Timeout, postTime))
	defer cancel()
	var sent atomic.Bool
	limit = httptrace.WithClientTrace(limit, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }})
	req, err := http.NewRequestWithContext(limit, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return "", a.declined(configs.Invalid, errors.New("the webhook's address cannot be used"), "set url: https://… of the webhook")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "belay")
	req.Header.Set("Idempotency-Key", n.Key)
	if !w.Token.IsZero() {
		req.Header.Set("Authorization", "Bearer "+w.Token.Reveal())
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport, CheckRedirect: sameHost}).Do(req)
	if err != nil {
		return "", a.lost(ctx, u.Host, sent.Load(), err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return "", a.refused(u.Host, resp)
	}
	return answerID(resp.Body), nil
}

// address reads the URL. Its own errors would quote it.
func (w Webhook) address() (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(w.URL.Reveal()))
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return nil, errors.New("the webhook's address cannot be read")
	case strings.ContainsFunc(w.Token.Reveal(), func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return nil, errors.New("the webhook's token holds a blank or a character that no token has")
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return u, nil
	}
	return nil, errors.New("the webhook's address is not https: the note would be readable on the way")
}

// sameHost follows what repeats the request on the same host.
func sameHost(req *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) > 3 || req.Method != first.Method || req.URL.Scheme != first.URL.Scheme || !strings.EqualFold(req.URL.Host, first.URL.Host) {
		return http.ErrUseLastResponse // which then is the answer
	}
	req.Header.Del("Referer") // the address before
	return nil
}

// refused sorts the answers that are none of success.
func (a act) refused(host string, resp *http.Response) error {
	code := resp.StatusCode
	err := fmt.Errorf("%s answered %d %s", host, code, http.StatusText(code))
	declined := func(why configs.Decline, hint string) error { return a.declined(why, err, hint) }
	switch {
	case code == http.StatusTemporaryRedirect, code == http.StatusPermanentRedirect:
		err = fmt.Errorf("%s redirects to another host, or too often", host)
		return declined(configs.Invalid, "set url: to the address that it redirects to, if that is right")
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusProxyAuthRequired:
		return declined(configs.Unauthorized, "check token: and url: of the webhook")
	case code == http.StatusNotFound, code == http.StatusGone:
		return declined(configs.Gone, "see whether the webhook still exists, and the ticket")
	case code == http.StatusRequestEntityTooLarge:
		return declined(configs.TooLarge, "let the webhook take larger requests")
	case code == http.StatusTooManyRequests, code == http.StatusTooEarly, code == http.StatusRequestTimeout:
		after, _ := strconv.Atoi(strings.TrimSpace(resp.Header.Get("Retry-After")))
		d := &configs.Declined{Why: configs.Busy, Err: a.wrong(devices.Broken, err, "nothing to do now: what waits is sent again")}
		if after > 0 && after < 7*24*3600 {
			d.After = time.Duration(after) * time.Second
		}
		return d
	case code == http.StatusConflict: // an earlier try with this key may still be in hand
	case code >= 400 && code < 500:
		return declined(configs.Invalid, "see what the webhook wants to be sent")
	}
	return a.open(err, "look at the ticket; what waits is sent again under the same key")
}

// lost is a request without an answer. Without a connection it was never sent.
// Err holds the address and is never passed on as it is.
func (a act) lost(ctx context.Context, host string, sent bool, err error) error {
	hint := "see whether " + host + " is up; what waits is sent again"
	switch {
	case ctx.Err() != nil:
		err, hint = ctx.Err(), ""
	case distrusted(err):
		err, hint = errors.New("its certificate is not trusted"), trustHint
	case errors.Is(err, context.DeadlineExceeded):
		err = errors.New("no answer came in time")
	case sent:
		err = errors.New("the connection broke before an answer came") // its text may quote the server
	default:
		network, ok := errors.AsType[*net.OpError](err)
		if err = errors.New("no connection could be made"); ok { // else its text may quote a proxy's password
			err = network
		}
	}
	err = fmt.Errorf("%s: %w", host, err)
	if sent {
		return a.open(err, hint)
	}
	return a.declined(configs.Busy, err, hint)
}

// answerID is the "id" of an answer in JSON, a word or a number. An answer
// without one is as good.
func answerID(body io.Reader) string {
	var answer struct {
		ID any `json:"id"`
	}
	d := json.NewDecoder(io.LimitReader(body, 64<<10))
	d.UseNumber()
	if d.Decode(&answer) != nil {
		return ""
	}
	var id string
	switch v := answer.ID.(type) {
	case string:
		id = v
	case json.Number:
		id = v.String()
	}
	if len(id) > 200 || strings.ContainsFunc(id, breaks) {
		return ""
	}
	return id
}
