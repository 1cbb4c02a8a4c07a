package snmp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gosnmp/gosnmp"

	"belay/devices"
)

// A Writer may make one device send its configuration, and nothing else: it sets
// only Requests, and is made only for a device whose inventory entry allows it.
// Nothing else of this package sets anything.
type Writer struct {
	c       Credentials
	device  string
	address string
	port    uint16
	wait    time.Duration
}

// ErrUnanswered means that the agent did not answer a request. It may have done
// what it was asked: only the answer may be lost.
var ErrUnanswered = errors.New("the agent did not answer")

// ErrInTheWay means that the agent has a row, or a transfer, that does not go
// together with the request.
var ErrInTheWay = errors.New("something is in the way")

// NewWriter is refused for a device that may not be written to. Port 0 is 161;
// an answer is waited for so long, 15 s for 0: some answer when the file is sent.
func NewWriter(d devices.Device, c Credentials, address string, port int, wait time.Duration) (*Writer, error) {
	wrong := func(err error, hint string) error {
		return &devices.Error{Kind: devices.Usage, Op: "ask for a transfer", Device: d.String(), Err: err, Hint: hint}
	}
	port = cmp.Or(port, 161)
	switch {
	case !d.May("transfer"):
		return nil, wrong(errors.New("nobody has allowed it for this device"),
			"its driver has the device send its configuration on request, which needs the right to write by SNMP: write also: [transfer] into the device's inventory entry, and write: into its snmp: settings")
	case port < 1 || port > 65535:
		return nil, wrong(fmt.Errorf("%d is no port", port), "")
	}
	if err := c.Validate(); err != nil {
		return nil, wrong(err, devices.HintOf(err))
	}
	return &Writer{c, d.String(), address, uint16(port), cmp.Or(wait, 15*time.Second)}, nil
}

// Set sends a request, once: a device that has done it would take a second one
// for another transfer. ErrUnanswered is in the error of one without an answer.
func (w *Writer) Set(ctx context.Context, r Request) error {
	if len(r.objects) == 0 {
		return errors.New("an empty request")
	}
	return unbroken(func() error {
		s, err := open(ctx, w.c, w.address, w.port, w.wait, 0)
		if err != nil {
			return explain(ctx, w.c, hostPort(w.address, w.port), nil, err)
		}
		defer s.close()
		answer, err := s.library.Set(r.objects)
		if err != nil {
			err = explain(ctx, w.c, hostPort(w.address, w.port), s.heard, err)
			if ctx.Err() == nil && devices.KindOf(err) == devices.Unreachable {
				return &devices.Error{Kind: devices.Unreachable, Op: "ask for a transfer", Err: fmt.Errorf("%w: %w", ErrUnanswered, err),
					Hint: "the community or user under write: may be wrong, or may not come from this address"}
			}
			return err
		}
		return w.refused(answer)
	})
}

// refused is what an agent said no with.
func (w *Writer) refused(answer *gosnmp.SnmpPacket) error {
	if answer.Error == gosnmp.NoError {
		return nil
	}
	err := fmt.Errorf("the agent refuses object %d of the request: %v", answer.ErrorIndex, answer.Error)
	say := func(kind devices.Kind, hint string) error {
		return &devices.Error{Kind: kind, Op: "ask for a transfer", Err: err, Hint: hint}
	}
	switch answer.Error {
	case gosnmp.NoAccess, gosnmp.NotWritable, gosnmp.AuthorizationError, gosnmp.ReadOnly, gosnmp.NoSuchName:
		return say(devices.Denied, "the community or user under write: may not write this: belay drivers show prints what the device needs")
	case gosnmp.InconsistentValue, gosnmp.InconsistentName, gosnmp.ResourceUnavailable, gosnmp.CommitFailed:
		err = fmt.Errorf("%w: %w", ErrInTheWay, err)
		return say(devices.Unreachable, "another transfer may be under way on the device, or one that was not cleared up")
	}
	return say(devices.Unreachable, "the device does not know this way of sending its configuration")
}
