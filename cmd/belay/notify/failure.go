package notify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"belay/configs/alarm"
)

// status finds an HTTP status as Go writes it. Only the number is ever told, and
// only where the words behind it are its own: a token may hold numbers too.
var status = regexp.MustCompile(`\b([45]\d\d) ([A-Z][A-Za-z' -]+)`)

// explain says in words of ours why a message was not sent. None of the error's
// own text is in it: that repeats the URL, or the server's answer.
func explain(channel string, err error) error {
	if err == nil || delivered(err) {
		return nil
	}
	why, certain := reason(err)
	if !certain {
		return fmt.Errorf("channel %s: %s: %w", channel, why, alarm.ErrUnsure)
	}
	return fmt.Errorf("channel %s: %s", channel, why)
}

// delivered tells of a mail that was taken, whatever came after: a server that
// hangs up instead of saying goodbye has it all the same.
func delivered(err error) bool {
	text := err.Error()
	return strings.Contains(text, "error closing session") && !strings.Contains(text, "error sending message to recipient")
}

// reason sorts an error, and tells whether the message has certainly not been taken.
func reason(err error) (why string, certain bool) {
	text := err.Error() // many of shoutrrr's errors wrap nothing
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(text, p) {
				return true
			}
		}
		return false
	}
	if e, ok := errors.AsType[*textproto.Error](err); ok && e.Code >= 400 && e.Code < 600 {
		return answered("the mail server", e.Code, e.Code == 530 || e.Code == 534 || e.Code == 535), true
	}
	for _, found := range status.FindAllStringSubmatch(text, -1) {
		if code, err := strconv.Atoi(found[1]); err == nil && strings.HasPrefix(found[2], http.StatusText(code)) && http.StatusText(code) != "" {
			return answered("the service", code, code == 401 || code == 403 || code == 404), code < 500
		}
	}
	_, dns := errors.AsType[*net.DNSError](err)
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, errShut):
		return "it cannot be opened: its login is refused, or its address does not answer", true
	case dns, has("no such host"):
		return "its name does not resolve", true
	case errors.Is(err, syscall.ECONNREFUSED), has("connection refused"):
		return "nothing listens at its address", true
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), has("no route to host", "network is unreachable"):
		return "there is no way to its address", true
	case has("x509:", "certificate"):
		return "its certificate is not trusted", true
	case has("server does not support StartTLS"):
		return "the mail server does not encrypt, and nothing is sent without", true
	case has("proxyconnect"):
		return "the proxy does not let it through", true
	case errors.Is(err, context.DeadlineExceeded), isNet && timeout.Timeout(), has("timeout", "deadline exceeded", "timed out"):
		return "no answer in time", false
	case errors.Is(err, errPanic):
		return "it cannot be told: the library broke on it", false
	}
	return "the service did not take the message, or its answer makes no sense", false
}

func answered(who string, code int, credentials bool) string {
	s := fmt.Sprintf("%s answered %d", who, code)
	if credentials {
		s += ": is the URL still right?"
	}
	return s
}
