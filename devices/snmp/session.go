package snmp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/gosnmp/gosnmp"
)

// A session is one conversation with one agent.
type session struct {
	library *gosnmp.GoSNMP
	heard   *ear
	stop    func() bool // ends the watch over the context
}

// open readies a socket; nothing is sent.
func open(ctx context.Context, c Credentials, address string, port uint16, timeout time.Duration, retries int) (*session, error) {
	s := &session{library: &gosnmp.GoSNMP{
		Target: address, Port: port, Context: ctx, Timeout: timeout, Retries: retries,
		MaxOids: gosnmp.MaxOids, MaxRepetitions: 20,
	}}
	c.apply(s.library)
	if err := s.library.Connect(); err != nil {
		return nil, err
	}
	s.heard = &ear{Conn: s.library.Conn}
	s.library.Conn = s.heard
	// The library looks at the context's deadline only.
	s.stop = context.AfterFunc(ctx, func() { _ = s.heard.Close() })
	return s, nil
}

func (s *session) close() {
	s.stop()
	_ = s.library.Close()
}

// errRefused means that the agent knows us and shows us nothing.
var errRefused = errors.New("the agent refuses these objects")

// values are the objects an agent has; those it lacks are not in it.
type values map[string]gosnmp.SnmpPDU

// get asks for all objects at once, and for halves where that is too much for
// the agent or one of the objects makes it stumble.
func (s *session) get(oids []string) (values, error) {
	all := values{}
	for len(oids) > gosnmp.MaxOids {
		part, err := s.get(oids[:gosnmp.MaxOids])
		if err != nil {
			return nil, err
		}
		all.add(part)
		oids = oids[gosnmp.MaxOids:]
	}
	answer, err := s.library.Get(oids)
	switch {
	case err != nil:
		return nil, err
	case answer.PDUType != gosnmp.GetResponse:
		return nil, fmt.Errorf("an answer of type %v", answer.PDUType)
	case answer.Error == gosnmp.AuthorizationError || answer.Error == gosnmp.NoAccess:
		return nil, errRefused
	case answer.Error != gosnmp.NoError && len(oids) == 1:
		return all, nil
	case answer.Error != gosnmp.NoError:
		for _, half := range [][]string{oids[:len(oids)/2], oids[len(oids)/2:]} {
			part, err := s.get(half)
			if err != nil {
				return nil, err
			}
			all.add(part)
		}
		return all, nil
	}
	for _, v := range answer.Variables {
		switch v.Type {
		case gosnmp.NoSuchObject, gosnmp.NoSuchInstance, gosnmp.EndOfMibView, gosnmp.Null:
		default:
			all[v.Name] = v
		}
	}
	return all, nil
}

func (v values) add(more values) {
	for oid, value := range more {
		v[oid] = value
	}
}

// text is an object's value for people, without what terminals would act on.
func (v values) text(oid string) string {
	switch value := v[oid].Value.(type) {
	case []byte:
		return clean(value)
	case string:
		return value
	}
	return ""
}

// number is an object's value, 0 where it is no number.
func (v values) number(oid string) uint64 {
	value, ok := v[oid]
	if !ok || value.Type == gosnmp.OctetString || value.Type == gosnmp.ObjectIdentifier {
		return 0
	}
	return gosnmp.ToBigInt(value.Value).Uint64()
}

// An ear listens to what the agent says when it refuses: the library throws such
// reports away as not authentic, which they cannot be, and gives one error for
// all. They serve for hints only: anybody could have sent them.
type ear struct {
	net.Conn
	anything bool // something came back
	report   int  // the last of usmStats that was reported, 0 for none
}

// The last but one number of usmStats objects (SNMP-USER-BASED-SM-MIB, RFC 3414).
const (
	unsupportedLevel = 1
	unknownUser      = 3
	wrongDigest      = 5
	decryption       = 6
)

// Read notes what is read. 1.3.6.1.6.3.15.1.1.N.0 stands readable in a report.
func (e *ear) Read(p []byte) (int, error) {
	n, err := e.Conn.Read(p)
	if n > 0 {
		e.anything = true
	}
	usmStats := []byte{0x06, 0x0a, 0x2b, 6, 1, 6, 3, 15, 1, 1}
	if i := bytes.Index(p[:n], usmStats); i >= 0 && i+len(usmStats) < n {
		e.report = int(p[i+len(usmStats)])
	}
	return n, err
}

func hostPort(address string, port uint16) string {
	return net.JoinHostPort(address, strconv.Itoa(int(port)))
}
