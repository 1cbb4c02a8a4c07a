package http

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"golang.org/x/time/rate"

	"belay/devices"
)

// tries is how often one request is sent where the server asks to wait.
const tries = 5

// A Session is a conversation with one API: its cookies stay. Requests go one
// after the other.
type Session struct {
	device devices.Device
	host   Host
	public bool
	way    Way
	tls    *tls.Config
	limit  time.Duration
	nap    time.Duration
	pace   *rate.Limiter
	client *http.Client
	spare  chan *tls.Conn // a connection that nothing was sent on yet
	ctx    context.Context
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	key     Key
	pinned  bool
	reached devices.Reached
}

// A Request is one question. What is in it is shown nowhere.
type Request struct {
	Method   string // empty: GET
	Path     string // with its query, escaped already: "/api/v2/monitor/system/status?vdom=root"
	Headers  map[string]string
	User     string // with Password, as RFC 7617 has it; empty: neither
	Password devices.Secret
	Body     string
	Once     bool          // sent once, whatever comes of it: a password must not be offered again
	Idle     time.Duration // a server silent for so long is given up; 0: DefaultIdle
}

// An Answer is what came back, whatever its status.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	Open   bool // nothing said how long it is: it ended where the connection did
}

var (
	errClosed   = errors.New("the session was closed")
	errStalled  = errors.New("the device fell silent")
	errRedirect = errors.New("it redirects to where nothing is sent")
	errTooLong  = fmt.Errorf("answer of more than %d MB", maxAnswer>>20)
)

// Reached tells how the device was reached.
func (s *Session) Reached() devices.Reached {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reached
}

// seen notes what was agreed on.
func (s *Session) seen(state tls.ConnectionState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := devices.Reached{
		Address: s.host.Address, Via: s.way.Via(), HostKey: s.key.Fingerprint, HostKeyType: s.key.Type, NewHostKey: s.pinned,
		Server: tls.VersionName(state.Version), Cipher: tls.CipherSuiteName(state.CipherSuite),
	}
	if state.CurveID != 0 {
		r.KeyExchange = state.CurveID.String()
	}
	if state.Version < tls.VersionTLS12 {
		r.Weak = append(r.Weak, r.Server)
	}
	if slices.ContainsFunc(tls.InsecureCipherSuites(), func(c *tls.CipherSuite) bool { return c.ID == state.CipherSuite }) {
		r.Weak = append(r.Weak, r.Cipher)
	}
	s.reached = r
}

// Close ends the session at once, with whatever is under way in it. It may be
// called twice.
func (s *Session) Close() error {
	s.cancel(errClosed)
	select {
	case c := <-s.spare:
		_ = c.Close()
	default:
	}
	if s.client != nil {
		s.client.CloseIdleConnections()
	}
	return s.way.Close()
}

// transport opens connections the session's way. HTTP/2 is left alone: devices
// do it badly, and one request at a time gains nothing by it.
func (s *Session) transport() *http.Transport {
	return &http.Transport{
		DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			select {
			case c := <-s.spare:
				return c, nil
			default:
			}
			c, err := s.connect(ctx)
			if err != nil {
				return nil, err
			}
			return c, nil
		},
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return nil, errRedirect // nothing goes anywhere in clear
		},
		DisableCompression:     true, // an original is what the device sends
		MaxConnsPerHost:        1,
		MaxResponseHeaderBytes: 1 << 20,
	}
}

// redirect follows a question within the device; anything sent besides is for the
// one who was asked.
func (s *Session) redirect(req *http.Request, via []*http.Request) error {
	if via[0].Method != http.MethodGet {
		return http.ErrUseLastResponse
	}
	if len(via) > 3 || req.URL.Scheme != "https" || !strings.EqualFold(hostPort(req.URL), s.host.Address) {
		return errRedirect
	}
	return nil
}

// hostPort is where a URL leads, port and all.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// Do sends a request and reads its answer to the end. An answer that asks to wait
// (429, 503 with Retry-After) is waited for. The error is a *devices.Error.
func (s *Session) Do(ctx context.Context, r Request) (Answer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(context.Cause(s.ctx)) })()
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	if r.Idle <= 0 {
		r.Idle = DefaultIdle
	}
	req, err := s.request(ctx, r)
	if err != nil {
		return Answer{}, err
	}
	t := &try{session: s, request: r}
	client := *s.client
	client.Transport = t
	again := &retryablehttp.Client{
		HTTPClient: &client, RetryMax: tries - 1, CheckRetry: t.again, Backoff: t.wait,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
		PrepareRetry: func(req *http.Request) error { // the cookies are added at every try
			req.Header.Del("Cookie")
			if own := r.Headers["Cookie"]; own != "" {
				req.Header.Set("Cookie", own)
			}
			return nil
		},
	}
	resp, err := again.Do(req)
	if err != nil {
		return Answer{}, s.lost(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body) // in memory already
	if err != nil {
		return Answer{}, s.lost(ctx, err)
	}
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return Answer{}, s.lost(ctx, errRedirect)
	}
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: body, Open: t.open}, nil
}

func (s *Session) request(ctx context.Context, r Request) (*retryablehttp.Request, error) {
	bad := &devices.Error{Kind: devices.Usage, Op: "ask", Device: s.device.String(), Err: errors.New("the request cannot be written")}
	if !strings.HasPrefix(r.Path, "/") || strings.HasPrefix(r.Path, "//") {
		return nil, bad
	}
	var body any
	if r.Body != "" {
		body = []byte(r.Body)
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, r.Method, "https://"+s.host.Address+r.Path, body)
	if err != nil {
		return nil, bad // its text would show the address
	}
	req.Header.Set("User-Agent", "belay")
	req.Header.Set("Accept", "*/*")
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		req.Header.Set(name, r.Headers[name])
	}
	if r.User != "" {
		req.SetBasicAuth(r.User, r.Password.Reveal())
	}
	return req, nil
}

// A try is one request on its way, first or again.
type try struct {
	session *Session
	request Request
	open    bool
}

// RoundTrip waits for its turn, sends one request and reads the answer to its end,
// for as long as it goes on coming.
func (t *try) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := t.session.pace.Wait(req.Context()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	defer cancel(nil)
	idle := time.AfterFunc(t.request.Idle, func() { cancel(errStalled) })
	defer idle.Stop()
	silent := func(err error) error {
		if errors.Is(context.Cause(ctx), errStalled) {
			return fmt.Errorf("%w: no byte for %v", errStalled, t.request.Idle)
		}
		return err
	}
	resp, err := t.session.client.Transport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, silent(err)
	}
	body, err := io.ReadAll(io.LimitReader(&awake{resp.Body, idle, t.request.Idle}, maxAnswer+1))
	_ = resp.Body.Close() // read to its end, or given up
	switch {
	case len(body) > maxAnswer:
		return nil, errTooLong
	case err != nil:
		return nil, fmt.Errorf("connection lost after %d bytes: %w", len(body), silent(err))
	}
	t.open = resp.ContentLength < 0 && len(resp.TransferEncoding) == 0
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// awake notes that bytes come.
type awake struct {
	io.Reader
	timer *time.Timer
	idle  time.Duration
}

func (a *awake) Read(p []byte) (int, error) {
	n, err := a.Reader.Read(p)
	if n > 0 {
		a.timer.Reset(a.idle)
	}
	return n, err
}
