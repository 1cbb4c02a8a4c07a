package http

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"belay/devices"
)

// again decides whether a request is sent once more: only where the server asks
// for it and says that it did nothing. What was lost on the way is for those to
// repeat who know what a session is worth.
func (t *try) again(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	if err != nil || t.request.Once {
		return false, err
	}
	after, told := retryAfter(resp)
	return busy(resp.StatusCode, told) && after <= t.session.nap, nil
}

func busy(status int, told bool) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable && told
}

func (t *try) wait(_, _ time.Duration, n int, resp *http.Response) time.Duration {
	if resp != nil {
		if after, told := retryAfter(resp); told {
			return after
		}
	}
	return min(t.session.nap, retryablehttp.DefaultBackoff(time.Second, t.session.nap, n, nil))
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

func (s *Session) failure(kind devices.Kind, op string, err error, hint string) *devices.Error {
	return &devices.Error{Kind: kind, Op: op, Device: s.device.String(), Err: err, Hint: hint}
}

// judge turns what ended a handshake into an error of ours.
func (s *Session) judge(ctx, limit context.Context, err error) error {
	if wrong, ok := errors.AsType[*WrongKey](err); ok {
		hint := "compare the fingerprint on the device itself; if it is right: belay devices trust " + s.device.String()
		if len(s.host.Expected) > 0 {
			hint = at(s.device, "compare the fingerprint on the device itself; if it was replaced, correct the host key in the inventory")
		}
		return s.failure(devices.NotAllowed, "check the certificate of", wrong, hint)
	}
	if u, ok := errors.AsType[*unknown](err); ok {
		return s.failure(devices.KindOf(u.err), "check the certificate of", u.err, devices.HintOf(u.err))
	}
	if distrusted(err) {
		return s.failure(devices.NotAllowed, "check the certificate of", err, "a public service shows a certificate that this machine's authorities have signed: is something in between, or is the address wrong?")
	}
	return s.unreachable(ctx, limit, "TLS handshake", err)
}

// distrusted tells whether the other side's certificate was refused.
func distrusted(err error) bool {
	_, bad := errors.AsType[*tls.CertificateVerificationError](err)
	_, stranger := errors.AsType[x509.UnknownAuthorityError](err)
	_, other := errors.AsType[x509.HostnameError](err)
	return bad || stranger || other
}

// unreachable says why no connection came to stand.
func (s *Session) unreachable(ctx, limit context.Context, stage string, err error) error {
	if e, ok := errors.AsType[*devices.Error](err); ok {
		return e
	}
	if ctx.Err() != nil {
		return s.failure(devices.Unreachable, "reach", context.Cause(ctx), "")
	}
	if e, ok := errors.AsType[net.Error](err); limit.Err() != nil || ok && e.Timeout() {
		hint := "is it switched on, and may this machine reach " + s.host.Address + "?"
		if stage != "TCP connection" {
			hint = s.host.Address + " takes connections but does not go on: too busy, or not HTTPS"
		}
		return s.failure(devices.Unreachable, "reach", fmt.Errorf("no %s within %s: %w", stage, s.limit, context.DeadlineExceeded), hint)
	}
	return s.failure(devices.Unreachable, "reach", err, s.hint(err))
}

func (s *Session) hint(err error) string {
	text := err.Error()
	_, dns := errors.AsType[*net.DNSError](err)
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens at " + s.host.Address + ": is the API enabled, and is the port right?"
	case dns:
		return "the name does not resolve: check its address in the inventory"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "there is no way to " + s.host.Address + " from this machine: is a jump host missing?"
	case strings.HasPrefix(text, "socks "):
		return "the SOCKS5 proxy did not connect to " + s.host.Address + ": check the proxy, its login and the address"
	case plain:
		return s.host.Address + " does not speak TLS: is the port right?"
	case strings.Contains(text, "protocol version"), strings.Contains(text, "handshake failure"), strings.Contains(text, "insecure"):
		if !s.device.Legacy && !s.public {
			return "it speaks TLS only as it is no longer safe; if it cannot be upgraded set `legacy: true` for it in the inventory"
		}
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return s.host.Address + " hung up during the handshake: it may not accept this machine"
	}
	return ""
}

// lost is the error of a request that came to nothing. Of what net/http says only
// that is passed on which quotes nothing of what was sent or of where to.
func (s *Session) lost(ctx context.Context, err error) error {
	if e, ok := errors.AsType[*devices.Error](err); ok {
		return e // of a connection that had to be opened anew
	}
	if ctx.Err() != nil {
		return s.failure(devices.Unreachable, "ask", context.Cause(ctx), "")
	}
	for {
		u, ok := errors.AsType[*url.Error](err)
		if !ok {
			break
		}
		err = u.Err
	}
	_, network := errors.AsType[*net.OpError](err)
	kind, hint := devices.Unreachable, ""
	switch {
	case errors.Is(err, errRedirect):
		kind, hint = devices.NotAllowed, "is the address that of the API itself? Nothing is sent anywhere else"
	case errors.Is(err, errStalled), errors.Is(err, errTooLong), errors.Is(err, io.ErrUnexpectedEOF), network:
	case errors.Is(err, io.EOF):
		err = errors.New("the device closed the connection without an answer")
	default:
		err = errors.New("the answer is not HTTP, or was cut short")
	}
	return s.failure(kind, "ask", err, hint)
}
