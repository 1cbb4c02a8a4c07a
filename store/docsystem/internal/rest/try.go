package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// A try is one call on its way: the transport that each of its requests goes
// through, first, again or redirected.
type try struct {
	client  *Client
	request Request
	sent    atomic.Bool // a connection was had: from here on it may have been carried out
}

// send sends a GET up to three times and all else once.
func (t *try) send(req *retryablehttp.Request) (*http.Response, error) {
	nap := t.client.Nap
	if nap == 0 {
		nap = 250 * time.Millisecond
	}
	again := &retryablehttp.Client{
		HTTPClient:   &http.Client{Transport: t, CheckRedirect: t.redirect},
		RetryWaitMin: nap, RetryWaitMax: 8 * nap,
		CheckRetry: t.again, Backoff: t.wait, ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	if t.request.Method == http.MethodGet {
		again.RetryMax = tries - 1
	}
	return again.Do(req)
}

// again decides whether a GET is worth another try. A gateway's time-out (504)
// is not: the same question would take as long again, so who asked may ask for
// less.
func (t *try) again(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if t.request.Method != http.MethodGet {
		return false, nil
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		return !errors.Is(err, errRedirect) && !errors.Is(err, errPace) && !errors.Is(err, errTooLong) && !distrusted(err), nil
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		after, told := retryAfter(resp)
		return told && after <= longestNap, nil
	case http.StatusServiceUnavailable:
		after, _ := retryAfter(resp)
		return after <= longestNap, nil
	}
	return resp.StatusCode == http.StatusInternalServerError || resp.StatusCode == http.StatusBadGateway, nil
}

func (t *try) wait(shortest, longest time.Duration, n int, resp *http.Response) time.Duration {
	if resp != nil {
		if after, told := retryAfter(resp); told {
			return after
		}
	}
	return retryablehttp.DefaultBackoff(shortest, longest, n, nil)
}

// The ends that are this package's own.
var (
	errRedirect = errors.New("it redirects to where nothing is sent")
	errPace     = errors.New("not sent, the account's turn did not come")
	errTooLong  = errors.New("the answer is longer than is taken")
)

// redirect follows a GET for a few steps, never to a place without encryption.
// Of anything else the redirect itself is the answer: who knows what was done.
func (t *try) redirect(req *http.Request, via []*http.Request) error {
	if t.request.Method != http.MethodGet {
		return http.ErrUseLastResponse
	}
	if len(via) > 5 || (req.URL.Scheme != "https" && !(req.URL.Scheme == "http" && t.client.Base.Scheme == "http" && loopback(req.URL.Hostname()))) {
		return errRedirect
	}
	req.Header.Del("Referer") // the address before may say who is asked for
	return nil
}

// RoundTrip waits for the account's turn, sends one request within its time and
// reads the answer to its end. Only here is the key put on, and only towards the
// system itself: a redirect may lead to a storage that must not see it.
func (t *try) RoundTrip(req *http.Request) (*http.Response, error) {
	ours := req.URL.Scheme == t.client.Base.Scheme && strings.EqualFold(req.URL.Host, t.client.Base.Host)
	if ours && t.client.Pace != nil {
		if err := t.client.Pace(req.Context()); err != nil {
			shut(req)
			return nil, fmt.Errorf("%w: %w", errPace, err)
		}
	}
	ctx, cancel := context.WithTimeout(req.Context(), t.request.Time)
	defer cancel()
	t.sent.Store(false) // of several tries of a GET the last one counts
	req = req.Clone(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { t.sent.Store(true) }}))
	if ours {
		req.Header.Set(t.client.Header, t.client.Key.Reveal())
	}
	resp, err := t.client.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, t.request.Limit+1))
	if shutErr := resp.Body.Close(); err == nil {
		err = shutErr
	}
	if int64(len(body)) > t.request.Limit {
		err = errTooLong
	}
	if err != nil && resp.StatusCode < 300 { // of a refusal the status is enough
		return nil, err
	}
	resp.Request = nil // it holds the key, and redirects keep the last answer
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if ours && t.client.Hold != nil {
		if after, told := retryAfter(resp); resp.StatusCode == http.StatusTooManyRequests || told && resp.StatusCode == http.StatusServiceUnavailable {
			if !told {
				after = BusyTime
			}
			t.client.Hold(after)
		}
	}
	return resp, nil
}

// shut closes the body of a request that is not sent, as a transport must.
func shut(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close() // nothing was read from it
	}
}

// retryAfter is how long an answer asks to wait, in seconds or as a date, which
// is compared with the answer's own: the two clocks need not agree.
func retryAfter(resp *http.Response) (time.Duration, bool) {
	said := strings.TrimSpace(resp.Header.Get("Retry-After"))
	if n, err := strconv.Atoi(said); err == nil && n >= 0 && n < 7*24*3600 {
		return time.Duration(n) * time.Second, true
	}
	until, err := http.ParseTime(said)
	now, err2 := http.ParseTime(resp.Header.Get("Date"))
	if err != nil || err2 != nil {
		return 0, false
	}
	return max(0, until.Sub(now)), true
}

// bare is err without the URL that net/http puts around it.
func bare(err error) error {
	for {
		u, ok := errors.AsType[*url.Error](err)
		if !ok {
			return err
		}
		err = u.Err
	}
}
