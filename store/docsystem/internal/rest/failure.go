package rest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"unicode"

	"belay/configs"
	"belay/devices"
)

// A Refusal is an answer whose status is none of success.
type Refusal struct {
	Title  string // who answered
	Status int
	Said   string // why, in their words, short and clean; may be empty
}

func (r *Refusal) Error() string {
	text := strings.TrimSpace(fmt.Sprintf("%s answered %d %s", r.Title, r.Status, strings.ToLower(http.StatusText(r.Status))))
	if r.Said != "" {
		text += ": " + r.Said
	}
	return text
}

// StatusOf is the status that err tells of, 0 where it tells of none.
func StatusOf(err error) int {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r.Status
	}
	return 0
}

// Declined makes the error of something that was certainly not done.
func (c *Client) Declined(op string, why configs.Decline, what string) error {
	return &configs.Declined{Why: why, Err: &devices.Error{Op: op, Err: fmt.Errorf("%s: %s", c.Title, what), Hint: c.hint(0, why)}}
}

// refused is the error of an answer that is not a yes. Up to 499 it is certain
// that nothing was done; an error of theirs, or a redirect of something that is
// no question, leaves it open.
func (c *Client) refused(r Request, resp *http.Response, body []byte) error {
	status := resp.StatusCode
	said := c.said(body)
	e := &devices.Error{Op: r.Op, Err: &Refusal{Title: c.Title, Status: status, Said: said}}
	if status < 400 || status > 499 {
		e.Hint = c.hint(status, configs.Busy)
		return e
	}
	d := &configs.Declined{Why: why(status), Err: e}
	e.Hint = c.hint(status, d.Why)
	if d.Why == configs.Unauthorized {
		e.Kind = devices.Usage
	}
	if status == http.StatusTooManyRequests {
		var told bool
		if d.After, told = retryAfter(resp); !told {
			d.After = BusyTime
		}
	}
	return d
}

// why sorts the statuses from 400 to 499.
func why(status int) configs.Decline {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return configs.Unauthorized
	case http.StatusNotFound, http.StatusGone:
		return configs.Gone
	case http.StatusRequestEntityTooLarge:
		return configs.TooLarge
	case http.StatusTooManyRequests, http.StatusRequestTimeout, http.StatusTooEarly:
		return configs.Busy
	}
	return configs.Invalid
}

// lost is the error of a request that had no answer. What never had a
// connection, with its TLS agreed, was certainly not carried out.
func (c *Client) lost(ctx context.Context, r Request, sent bool, err error) error {
	e := &devices.Error{Op: r.Op, Err: fmt.Errorf("%s: %w", c.Title, silence(ctx, bare(err))), Hint: c.hint(0, configs.Busy)}
	if distrusted(err) {
		e.Hint = "the certificate of " + c.Title + " is not trusted: set ca: to a file with the certificate of its issuer"
	}
	if !sent {
		d := &configs.Declined{Why: configs.Busy, Err: e}
		if held, ok := errors.AsType[*configs.Declined](err); ok {
			d.After = held.After
		}
		return d
	}
	return e
}

// silence is what is told of the lack of an answer. Of the errors of net/http
// only those are passed on that quote nothing of what the other side sent, such
// as a signed address.
func silence(ctx context.Context, err error) error {
	_, isNet := errors.AsType[*net.OpError](err)
	_, isDNS := errors.AsType[*net.DNSError](err)
	timeout, _ := errors.AsType[net.Error](err)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errPace), errors.Is(err, errRedirect), errors.Is(err, errTooLong), isNet, isDNS, distrusted(err):
		return err
	case errors.Is(err, context.DeadlineExceeded), timeout != nil && timeout.Timeout():
		return errors.New("no answer in time") // the caller's own time is not over
	}
	return errors.New("the connection was lost before the answer was complete")
}

// distrusted tells whether the other side's certificate was refused.
func distrusted(err error) bool {
	_, bad := errors.AsType[*tls.CertificateVerificationError](err)
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, other := errors.AsType[x509.HostnameError](err)
	return bad || unknown || other
}

func (c *Client) hint(status int, why configs.Decline) string {
	if c.Hint != nil {
		if h := c.Hint(status); h != "" {
			return h
		}
	}
	switch why {
	case configs.Unauthorized:
		return "check the key of " + c.Title + " in the settings, and what it may do there"
	case configs.Gone:
		return "look whether the item is still there: belay docs match shows which device has which"
	case configs.TooLarge:
		return "the system does not take a file of this size: attach the sealed form, or raise its limit there"
	case configs.Invalid:
		return "try what this account takes: belay docs try"
	}
	return "try again in a while; what waits for " + c.Title + " is tried again by itself: belay docs queue"
}

// The bounds of what is quoted of an answer.
const (
	quoteMost = 300 // characters
	quoteWord = 40  // of one word: what is longer may be a piece of what was sent
)

// said is what an answer gives as its reason: the titles and details of a
// JSON:API answer, or the text of a plain {"error": …}. Anything else is not
// quoted, and nothing is that holds the key.
func (c *Client) said(body []byte) string {
	var answer struct {
		Error  any `json:"error"`
		Errors any `json:"errors"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return strings.TrimPrefix(page(body), ": ")
	}
	var parts []string
	add := func(v any) {
		if s, ok := v.(string); ok && strings.TrimSpace(s) != "" {
			parts = append(parts, strings.TrimSpace(s))
		}
	}
	add(answer.Error)
	list, ok := answer.Errors.([]any)
	if !ok {
		add(answer.Errors)
	}
	for _, e := range list {
		add(e)
		if m, ok := e.(map[string]any); ok {
			add(m["title"])
			add(m["detail"])
		}
	}
	return c.quote(strings.Join(parts, ", "))
}

func (c *Client) quote(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || unicode.Is(unicode.Cf, r) {
			return -1
		}
		if unicode.IsControl(r) || unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, s)
	words := strings.Fields(s)
	whole := strings.ToLower(strings.Join(words, ""))
	if key := strings.ToLower(c.Key.Reveal()); key != "" && strings.Contains(whole, key) {
		return ""
	}
	for i, w := range words {
		if len(w) > quoteWord {
			words[i] = "…"
		}
	}
	quoted := []rune(strings.Join(words, " "))
	if len(quoted) > quoteMost {
		quoted = append(quoted[:quoteMost-1], '…')
	}
	return string(quoted)
}

// page says that a body is a web page, as gateways and log-in pages are.
func page(body []byte) string {
	start := bytes.ToLower(bytes.TrimSpace(body[:min(len(body), 512)]))
	if bytes.HasPrefix(start, []byte("<")) {
		return ": a web page"
	}
	return ""
}
