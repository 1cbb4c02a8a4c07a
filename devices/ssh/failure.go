package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"

	"belay/devices"
)

var errNoLogin = errors.New("no login is given for it")

// failure is an error about one step, as a person sees it: about the device,
// and about the jump host where it is one.
func (w *way) failure(s step, kind devices.Kind, op string, err error) *devices.Error {
	e := &devices.Error{Kind: kind, Op: op, Device: w.device.String(), Hint: devices.HintOf(err), Err: err}
	if s.name != "" {
		e.Err = fmt.Errorf("jump host %s: %w", s.name, err)
	}
	return e
}

// who names a step in a hint.
func (s step) who() string {
	if s.name != "" {
		return "jump host " + s.name
	}
	return "device"
}

// judge turns what ended a handshake into an error of ours. A *refusal means
// that the next login may be tried.
func (w *way) judge(ctx, limit context.Context, s step, a *attempt, seen *sighting, err error) error {
	if err := seen.failed(); err != nil {
		return w.wrongKey(s, err)
	}
	if ctx.Err() != nil || limit.Err() != nil {
		return w.unreachable(ctx, limit, s, a, err)
	}
	if e, ok := errors.AsType[*ssh.AlgorithmNegotiationError](err); ok {
		return w.noCommon(s, e)
	}
	switch {
	case a.stop != nil:
		return &refusal{login: a.login, why: a.stop.Error(), final: errors.Is(a.stop, errChange), err: a.stop}
	case strings.Contains(err.Error(), "no common public key signature algorithm") && !s.legacy:
		return &refusal{login: a.login, why: "the " + s.who() + " wants signatures with SHA-1 of an RSA key", err: &devices.Error{Hint: "use an Ed25519 key, or set `legacy: true` for the " + s.who(), Err: err}}
	case errors.Is(err, errRefused):
		return &refusal{login: a.login, why: a.explain(), err: err}
	case strings.Contains(err.Error(), "unexpected message type 60 ") && a.sent:
		return &refusal{login: a.login, why: errChange.Error(), final: true, err: errChange}
	case len(a.tried) > 0:
		// Many devices hang up instead of refusing: too many keys, one wrong
		// password. To call that unreachable would have it tried again.
		return &refusal{login: a.login, why: "the server hung up after " + strings.Join(a.tried, " and "), err: err}
	}
	return w.unreachable(ctx, limit, s, a, err)
}

// denied says that every login was refused.
func (w *way) denied(s step, refusals []*refusal) error {
	var names []string
	var all []error
	hint := ""
	for _, r := range refusals {
		names = append(names, nameOf(r.login))
		all = append(all, r)
		if h := devices.HintOf(r.err); hint == "" && h != "" {
			hint = "; " + h
		}
		if errors.Is(r, errChange) {
			hint = "; log in by hand and change the password"
		}
	}
	e := w.failure(s, devices.Denied, "log in to", joined(all))
	e.Hint = fmt.Sprintf("the %s refused %s%s", s.who(), strings.Join(names, ", "), hint)
	return e
}

// joined is like errors.Join, on one line.
func joined(all []error) error {
	if len(all) == 1 {
		return all[0]
	}
	return oneLine(all)
}

type oneLine []error

func (o oneLine) Unwrap() []error { return o }
func (o oneLine) Error() string {
	texts := make([]string, len(o))
	for i, err := range o {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (w *way) wrongKey(s step, err error) error {
	wrong, ok := errors.AsType[*WrongKey](err)
	if !ok {
		return w.failure(s, devices.KindOf(err), "check the host key of", err)
	}
	e := w.failure(s, devices.NotAllowed, "check the host key of", err)
	switch {
	case s.name != "":
		e.Hint = fmt.Sprintf("compare the fingerprint on the jump host itself; if it is right, write %s into host_keys of the jump host in the settings", wrong.Shown)
	case len(s.host.Expected) > 0:
		e.Hint = at(w.device, "compare the fingerprint on the device itself; if it was replaced, correct the host key in the inventory")
	default:
		e.Hint = "compare the fingerprint on the device itself; if it is right: belay devices trust " + w.device.String()
	}
	return e
}

// noCommon explains that client and server share no algorithm.
func (w *way) noCommon(s step, err *ssh.AlgorithmNegotiationError) error {
	offers := err.RequestedAlgorithms
	e := w.failure(s, devices.Unreachable, "reach", err)
	if !s.legacy && slices.ContainsFunc(offers, isOld) {
		where := " in the inventory"
		if s.name != "" {
			where = " in the settings"
		}
		e.Hint = fmt.Sprintf("this %s only offers %s (%s); if it cannot be upgraded set `legacy: true` for it%s", s.who(), strings.Join(offers, ", "), err.What, where)
		return e
	}
	e.Hint = fmt.Sprintf("this %s only offers %s (%s), which Belay does not speak: upgrade it", s.who(), strings.Join(offers, ", "), err.What)
	return e
}

// unreachable says why no connection came to stand.
func (w *way) unreachable(ctx, limit context.Context, s step, a *attempt, err error) error {
	if ctx.Err() != nil {
		return w.failure(s, devices.Unreachable, "reach", context.Cause(ctx))
	}
	if limit.Err() != nil || isTimeout(err) {
		e := w.failure(s, devices.Unreachable, "reach", fmt.Errorf("no %s within %s: %w", a.stage, w.dialer.handshake(), context.DeadlineExceeded))
		e.Hint = "is it switched on, and may this machine reach " + s.host.Address + "?"
		if a.stage != "TCP connection" {
			e.Hint = s.host.Address + " takes connections but does not go on: too busy, or not SSH"
		}
		if a.agent != nil {
			e.Hint += "; or does its SSH agent wait for somebody to confirm?"
		}
		return e
	}
	e := w.failure(s, devices.Unreachable, "reach", err)
	e.Hint = hintFor(s, err)
	return e
}

func hintFor(s step, err error) string {
	forbidden, _ := errors.AsType[*ssh.OpenChannelError](err)
	text := err.Error()
	switch {
	case forbidden != nil && forbidden.Reason == ssh.Prohibited:
		return "the jump host before it does not allow forwarding to " + s.host.Address
	case forbidden != nil:
		return "the jump host before it cannot reach " + s.host.Address
	case strings.HasPrefix(text, "socks "):
		return "the SOCKS5 proxy did not connect to " + s.host.Address + ": check the proxy, its login and the address"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens at " + s.host.Address + ": is SSH enabled, and is the port right?"
	case isDNS(err) && s.name != "":
		return s.name + " is neither a jump host of the settings nor a host name that resolves"
	case isDNS(err):
		return "the name does not resolve: check its address in the inventory"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "there is no way to " + s.host.Address + " from this machine: is a jump host missing?"
	case strings.Contains(text, "keys are insecure"):
		return "the RSA host key of the " + s.who() + " is too short to be used: make a new one of 2048 bits on it"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return s.host.Address + " hung up during the handshake: all its lines may be in use, or it does not accept this machine"
	case strings.Contains(text, "overflow reading version"):
		return s.host.Address + " does not speak SSH"
	}
	return ""
}

// isTimeout tells whether the limit was met as the deadline of a connection,
// which may come a little before the context knows.
func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

func isDNS(err error) bool {
	_, ok := errors.AsType[*net.DNSError](err)
	return ok
}
