package snmp

import (
	"errors"
	"strconv"
	"strings"

	"github.com/gosnmp/gosnmp"
)

// A part is a chassis of the device: one, or one for each member of a stack.
type part struct {
	serial, model, version string
}

const (
	mostParts = 20000 // rows; the largest chassis known have a few thousand
	deepest   = 16    // containers around a part
)

var errTooManyParts = errors.New("it has no end")

// chassis reads the chassis from the table of parts, none where the agent has no
// such table. A chassis within another, as of a blade, is not one of them.
func (s *session) chassis() ([]part, error) {
	var indexes []string
	rows := 0
	err := s.library.BulkWalk(entPhysicalClass, func(v gosnmp.SnmpPDU) error {
		if rows++; rows > mostParts {
			return errTooManyParts
		}
		if class := (values{"": v}); class.number("") == classChassis {
			indexes = append(indexes, strings.TrimPrefix(v.Name, entPhysicalClass+"."))
		}
		return nil
	})
	if err != nil || len(indexes) == 0 {
		return nil, err
	}
	if indexes, err = s.outermost(indexes); err != nil {
		return nil, err
	}
	var oids []string
	for _, i := range indexes {
		oids = append(oids, entPhysicalSerialNum+i, entPhysicalModelName+i, entPhysicalSoftwareRev+i)
	}
	v, err := s.get(oids)
	if err != nil {
		return nil, err
	}
	var parts []part
	for _, i := range indexes {
		parts = append(parts, part{v.text(entPhysicalSerialNum + i), v.text(entPhysicalModelName + i), v.text(entPhysicalSoftwareRev + i)})
	}
	return parts, nil
}

// outermost leaves out those of the chassis that are in another of them.
func (s *session) outermost(indexes []string) ([]string, error) {
	if len(indexes) == 1 {
		return indexes, nil
	}
	isChassis := map[string]bool{}
	for _, i := range indexes {
		isChassis[i] = true
	}
	var outer []string
	for _, i := range indexes {
		at, inner := i, false
		for range deepest {
			v, err := s.get([]string{entPhysicalContainedIn + at})
			if err != nil {
				return nil, err
			}
			n := v.number(entPhysicalContainedIn + at)
			if n == 0 {
				break
			}
			if at = strconv.FormatUint(n, 10); isChassis[at] {
				inner = true
				break
			}
		}
		if !inner {
			outer = append(outer, i)
		}
	}
	return outer, nil
}
