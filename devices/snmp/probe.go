package snmp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/gosnmp/gosnmp"

	"belay/devices"
)

// A Probe asks a device who it is.
type Probe struct {
	Credentials []Credentials // tried in this order until one is answered
	Timeout     time.Duration // for one answer; 0: 2 s
	Retries     int           // how often a question is asked again
}

// An Answer is what a device says of itself.
type Answer struct {
	devices.Identity
	Description string        // sysDescr
	UpTime      time.Duration // since the agent began; starts again after 497 days
	Location    string        // sysLocation
	Warnings    []string      // what was not answered though the device answers
}

// Identify asks the agent at address, a host name or an IP address, and port; 0
// is 161. A device that does not answer is devices.Unreachable: SNMPv2c does not
// tell a wrong community from a dead device.
func (p Probe) Identify(ctx context.Context, address string, port int) (answer Answer, err error) {
	err = p.each(ctx, port, func(p Probe, c Credentials, port uint16) error {
		answer, err = p.ask(ctx, c, address, port)
		return err
	})
	return answer, err
}

// unbroken turns a fall of the library over what a device answered into an error:
// it has stumbled over hostile packets before, and many devices are asked by one
// process.
func unbroken(ask func() error) (err error) {
	defer func() {
		if recover() != nil { // what it says may hold anything
			err = fault(devices.Refused, "", errors.New("its answer makes no sense"))
		}
	}()
	return ask()
}

// each asks with one of the credentials after the other until one is answered.
func (p Probe) each(ctx context.Context, port int, ask func(p Probe, c Credentials, port uint16) error) error {
	if port == 0 {
		port = 161
	}
	if p.Timeout <= 0 {
		p.Timeout = 2 * time.Second
	}
	if len(p.Credentials) == 0 {
		return fault(devices.Usage, "set snmp: in the settings", errors.New("no SNMP credentials"))
	}
	if port < 1 || port > 65535 {
		return fault(devices.Usage, "", fmt.Errorf("%d is no port", port))
	}
	for _, c := range p.Credentials {
		if err := c.Validate(); err != nil {
			return err
		}
	}
	var worst error
	for _, c := range p.Credentials {
		err := unbroken(func() error { return ask(p, c, uint16(port)) })
		if err == nil {
			return nil
		}
		// A refusal says more than silence.
		if worst == nil || devices.KindOf(worst) == devices.Unreachable {
			worst = err
		}
		if ctx.Err() != nil || errors.Is(err, syscall.ECONNREFUSED) {
			break
		}
	}
	return worst
}

// ask asks with one of the credentials.
func (p Probe) ask(ctx context.Context, c Credentials, address string, port uint16) (Answer, error) {
	s, err := open(ctx, c, address, port, p.Timeout, max(0, p.Retries))
	if err != nil {
		return Answer{}, explain(ctx, c, hostPort(address, port), nil, err)
	}
	defer s.close()
	oids := []string{sysDescr, sysObjectID, sysUpTime, sysName, sysLocation}
	for _, o := range vendorObjects() {
		oids = append(oids, o.oid)
	}
	v, err := s.get(oids)
	if err == nil && v.text(sysDescr) == "" && v.text(sysObjectID) == "" && v.text(sysName) == "" {
		err = errRefused
	}
	if err != nil {
		return Answer{}, explain(ctx, c, hostPort(address, port), s.heard, err)
	}
	parts, err := s.chassis()
	if ctx.Err() != nil {
		return Answer{}, explain(ctx, c, hostPort(address, port), s.heard, err)
	}
	answer := understand(v, parts)
	if err != nil {
		answer.Warnings = append(answer.Warnings, fmt.Sprintf("the table of parts was not read: %v", c.hide(err)))
	}
	return answer, nil
}

// understand puts together what the vendor's objects, the table of parts and the
// description say.
func understand(v values, parts []part) Answer {
	a := Answer{
		Identity:    devices.Identity{Hostname: v.text(sysName), ObjectID: v.text(sysObjectID)},
		Description: v.text(sysDescr),
		UpTime:      time.Duration(v.number(sysUpTime)) * 10 * time.Millisecond,
		Location:    v.text(sysLocation),
	}
	serials := func(s string) {
		if s != "" && !slices.Contains(a.Serials, s) {
			a.Serials = append(a.Serials, s)
		}
	}
	first := func(to *string, s string) {
		if *to == "" {
			*to = s
		}
	}
	chosen := ""
	for _, o := range vendorObjects() {
		switch text := v.text(o.oid); o.says {
		case serial:
			serials(text)
		case model:
			first(&a.Model, text)
		case version:
			first(&a.Version, text)
		case chosenSerial:
			chosen = text
		}
	}
	if m := versionForm.FindStringSubmatch(a.Description); m != nil {
		first(&a.Version, m[1])
	}
	for _, p := range parts {
		serials(p.serial)
		first(&a.Model, p.model)
		first(&a.Version, p.version)
	}
	if len(a.Serials) == 0 {
		serials(chosen)
	}
	return a
}

// versionForm finds the version where a description names it: "Version 15.2(4)E10,",
// "kernel JUNOS 20.2R3-S2.5,", "revision WC.16.10.0009,".
var versionForm = regexp.MustCompile(`(?i)\b(?:version|revision|junos)[ :]+v?((?:[a-z]{1,2}\.)?[0-9][\w.()-]*)`)

// clean is text for people: no control characters but line ends, no broken UTF-8.
func clean(b []byte) string {
	text := strings.ReplaceAll(strings.ToValidUTF8(string(b), "�"), "\r\n", "\n")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text))
}

func fault(kind devices.Kind, hint string, err error) error {
	return &devices.Error{Kind: kind, Op: "ask by SNMP", Hint: hint, Err: err}
}

// explain turns an error of the library into one a person can act on. Its text is
// ours as far as possible: the library's may hold anything.
func explain(ctx context.Context, c Credentials, at string, heard *ear, err error) error {
	say := func(kind devices.Kind, hint, text string) error {
		return fault(kind, hint, fmt.Errorf("%s: %s", at, text))
	}
	if ctx.Err() != nil {
		return fault(devices.Unreachable, "", fmt.Errorf("%s: %w", at, ctx.Err()))
	}
	if errors.Is(err, context.DeadlineExceeded) { // The socket's clock can strike before the context's.
		return fault(devices.Unreachable, "", fmt.Errorf("%s: %w", at, context.DeadlineExceeded))
	}
	const keys = "check user, auth protocol and auth password"
	report := 0
	if heard != nil {
		report = heard.report
	}
	switch {
	case errors.Is(err, errRefused):
		return say(devices.Denied, "let this community or user read the system group and ENTITY-MIB", "the agent answers, but shows nothing")
	case report == unknownUser || errors.Is(err, gosnmp.ErrUnknownUsername):
		return say(devices.Denied, keys, "the agent does not know the user")
	case report == wrongDigest || errors.Is(err, gosnmp.ErrWrongDigest):
		return say(devices.Denied, keys, "the agent does not accept the user's auth password or protocol")
	case report == unsupportedLevel || errors.Is(err, gosnmp.ErrUnknownSecurityLevel):
		return say(devices.Denied, "the agent's user has no such auth or privacy: check which it was made with", "the agent does not speak at this security level")
	case report == decryption || errors.Is(err, gosnmp.ErrDecryption):
		return say(devices.Denied, "check privacy protocol and privacy password", "the agent cannot decrypt the question")
	case errors.Is(err, gosnmp.ErrUnknownReportPDU):
		return say(devices.Denied, "check the SNMP context", "the agent does not have this context")
	case strings.Contains(err.Error(), "not authentic"):
		return say(devices.Denied, keys, "the answer was not made with this auth password")
	case errors.Is(err, syscall.ECONNREFUSED):
		return fault(devices.Unreachable, "switch SNMP on, or check the port", fmt.Errorf("%s: %w", at, syscall.ECONNREFUSED))
	case errors.Is(err, gosnmp.ErrMaxRetriesExceeded) && c.version() == "3" && heard != nil && heard.anything:
		hint := "check privacy protocol and privacy password"
		if c.Context != "" {
			hint += ", and the context"
		}
		return say(devices.Unreachable, hint, "the agent is there, but does not answer this user's questions")
	case errors.Is(err, gosnmp.ErrMaxRetriesExceeded) && c.version() == "3":
		return say(devices.Unreachable, "is SNMPv3 switched on, and does a filter let UDP through to it?", "no answer")
	case errors.Is(err, gosnmp.ErrMaxRetriesExceeded):
		return say(devices.Unreachable, "check the community, and the filters on the way and on the device", "no answer")
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return say(devices.Unreachable, "check the address", e.Err)
	}
	return say(devices.Unreachable, "", c.hide(err).Error())
}
