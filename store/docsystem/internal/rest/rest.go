// Package rest is the one HTTP client of all documentation systems. It knows
// what they have in common: a key in a header, a pace, refusals that are certain
// and failures that are not. What a system's words mean is its adapter's.
//
// A GET is tried again a few times; anything else is sent once, because only
// the outbox knows how to find out whether it has been done. Whether it may have
// been is what the errors tell apart: *configs.Declined says that it was
// certainly not, every other error leaves it open.
//
// The key is put on a request at the last moment and only where the request goes
// to the system's own address. No error holds it, nor a body, nor a URL.
package rest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"belay/configs"
	"belay/devices"
	"belay/store/docsystem/internal/system"
)

// The bounds of one try, where a Request does not set its own.
const (
	askTime    = 30 * time.Second  // a request without a body
	uploadTime = 120 * time.Second // one with a body
	answerCap  = 64 << 20          // bytes of an answer
	tries      = 3                 // of a GET
	longestNap = 30 * time.Second  // what a GET waits because it was told to; longer is the caller's to wait
	BusyTime   = 30 * time.Second  // how long an account is held that is told "too many" and not how long
)

// A Client talks to one account of one system. New makes it; its fields are not
// changed afterwards, and it may be used by many at once.
type Client struct {
	Title  string   // the product's name, for errors
	Base   *url.URL // what Request.Path is appended to
	Header string   // the header that the key goes in
	Key    devices.Secret
	Accept string                      // media type of the answers
	Hint   func(status int) string     // what to do about a status; "" or nil: the usual
	Pace   func(context.Context) error // waits for leave to send one request; nil: always
	Hold   func(time.Duration)         // tells the account to pause; nil: nobody cares
	Nap    time.Duration               // before the second try of a GET, doubled for the next; 0: 250 ms

	transport http.RoundTripper
}

// A Request is one call.
type Request struct {
	Op     string // for errors: "list the attachments of item 12"
	Method string // empty: GET
	Path   string // below Base, escaped already: "/configurations/12"
	Query  url.Values
	Type   string // media type of Body
	Body   []byte
	Limit  int64         // bytes of the answer that are taken; 0: 64 MB
	Time   time.Duration // for one try, without the wait for its turn; 0: 30 s, or 120 s with a body
}

// A Response is an answer with a status of success, read to its end.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// New completes c with what the settings say: the key, the pace and the file of
// certificates to trust. Title, Base and Header must be set.
func New(c Client, o system.Options) (*Client, error) {
	c.Key, c.Pace, c.Hold = devices.NewSecret(strings.TrimSpace(o.Key.Reveal())), o.Pace, o.Hold
	if c.Key.IsZero() {
		return nil, c.usage("no key is set", "set key: {env: NAME}, {file: …} or {command: […]}")
	}
	if strings.ContainsFunc(c.Key.Reveal(), func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return nil, c.usage("the key holds a blank or a character that no key has", "set the key alone, without quotes and without a name before it")
	}
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     30 * time.Second,
	}
	if o.CA != "" {
		pool, err := trusted(o.CA)
		if err != nil {
			return nil, c.usage(err.Error(), "ca: names a file with certificates in PEM form")
		}
		t.TLSClientConfig.RootCAs = pool
	}
	c.transport = t
	return &c, nil
}

func trusted(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the certificates to trust: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("the certificates to trust: there is none in %s", file)
	}
	return pool, nil
}

func (c *Client) usage(what, hint string) error {
	return &devices.Error{Kind: devices.Usage, Op: "open " + c.Title, Err: errors.New(what), Hint: hint}
}

// Address reads the address of a system: https, or http on this very machine. It
// holds no user, password or query, and neither does the error.
func Address(title, raw string) (*url.URL, error) {
	bad := func(what string) error {
		return (&Client{Title: title}).usage(what, "set url: to the system's address, such as https://docs.example.net")
	}
	u, err := url.Parse(strings.TrimSpace(raw))
	switch {
	case err != nil: // its text may quote a password
		return nil, bad("the address cannot be read")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, bad("the address holds more than scheme, host and path; the key has a setting of its own")
	case u.Host == "" || u.Opaque != "" || u.Hostname() == "":
		return nil, bad("the address names no host")
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		u.Path = strings.TrimRight(u.Path, "/")
		u.RawPath = ""
		return u, nil
	}
	return nil, bad("the address is not https: key and configurations would be readable on the way")
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Do sends r and returns the answer where its status is one of success.
func (c *Client) Do(ctx context.Context, r Request) (Response, error) {
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	if r.Limit == 0 {
		r.Limit = answerCap
	}
	if r.Time == 0 {
		if r.Time = askTime; len(r.Body) > 0 {
			r.Time = uploadTime
		}
	}
	t := &try{client: c, request: r}
	req, err := c.request(ctx, r)
	if err != nil {
		return Response{}, err
	}
	resp, err := t.send(req)
	if err != nil {
		return Response{}, c.lost(ctx, r, t.sent.Load(), err)
	}
	answer, err := io.ReadAll(resp.Body) // in memory already
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return Response{}, c.lost(ctx, r, true, err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return Response{}, c.refused(r, resp, answer)
	}
	return Response{Status: resp.StatusCode, Header: resp.Header, Body: answer}, nil
}

// JSON is Do, with the answer decoded into v.
func (c *Client) JSON(ctx context.Context, r Request, v any) error {
	resp, err := c.Do(ctx, r)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(resp.Body, v); err != nil { // its text may quote the answer
		return c.Odd(r, "it answered, but not with the JSON that was expected"+page(resp.Body))
	}
	return nil
}

// Odd is the error of an answer that makes no sense: what was asked may have
// been done.
func (c *Client) Odd(r Request, what string) error {
	return &devices.Error{Op: r.Op, Err: fmt.Errorf("%s: %s", c.Title, what), Hint: "check that url: is the address of the API of " + c.Title + "; else try again later"}
}

func (c *Client) request(ctx context.Context, r Request) (*retryablehttp.Request, error) {
	u := *c.Base
	u.RawQuery = r.Query.Encode()
	path, err := url.PathUnescape(r.Path)
	if err != nil {
		return nil, c.Declined(r.Op, configs.Invalid, "the path cannot be read")
	}
	u.Path, u.RawPath = c.Base.Path+path, c.Base.EscapedPath()+r.Path
	var body any // a nil []byte in an interface would be a body
	if r.Body != nil {
		body = r.Body
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, r.Method, u.String(), body)
	if err != nil { // its text holds the URL
		return nil, c.Declined(r.Op, configs.Invalid, "the request cannot be made")
	}
	if c.Accept != "" {
		req.Header.Set("Accept", c.Accept)
	}
	req.Header.Set("User-Agent", "belay")
	if r.Type != "" {
		req.Header.Set("Content-Type", r.Type)
	}
	return req, nil
}
