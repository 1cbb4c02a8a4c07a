package snmp

import (
	"context"
	"strings"

	"github.com/gosnmp/gosnmp"
)

// A Reading is what a device says of a few objects, with its own time.
type Reading struct {
	UpTime uint32           // sysUpTime: hundredths of a second since the agent began; starts again after 497 days
	Values map[string]Value // by the object as it was asked for; those the device lacks are not in it
}

// A Value is what one object holds.
type Value struct {
	Ticks  bool   // a point in the device's time, as sysUpTime counts it
	Number uint64 // where it is a number
	Text   string // where it is a text or an object identifier
}

// Ask asks for a few objects and the device's own time, in one question.
func (p Probe) Ask(ctx context.Context, address string, port int, oids ...string) (reading Reading, err error) {
	err = p.each(ctx, port, func(p Probe, c Credentials, port uint16) error {
		reading, err = p.read(ctx, c, address, port, oids)
		return err
	})
	return reading, err
}

func (p Probe) read(ctx context.Context, c Credentials, address string, port uint16, oids []string) (Reading, error) {
	s, err := open(ctx, c, address, port, p.Timeout, max(0, p.Retries))
	if err != nil {
		return Reading{}, explain(ctx, c, hostPort(address, port), nil, err)
	}
	defer s.close()
	dotted := []string{sysUpTime}
	for _, oid := range oids {
		dotted = append(dotted, "."+strings.TrimPrefix(oid, "."))
	}
	v, err := s.get(dotted)
	if _, ok := v[sysUpTime]; err == nil && !ok {
		err = errRefused
	}
	if err != nil {
		return Reading{}, explain(ctx, c, hostPort(address, port), s.heard, err)
	}
	r := Reading{UpTime: uint32(v.number(sysUpTime)), Values: map[string]Value{}} //nolint:gosec // TimeTicks are 32 bits
	for i, oid := range oids {
		if found, ok := v[dotted[i+1]]; ok {
			r.Values[oid] = Value{Ticks: found.Type == gosnmp.TimeTicks, Number: v.number(dotted[i+1]), Text: v.text(dotted[i+1])}
		}
	}
	return r, nil
}
