package snmp

import (
	"context"
	"strings"

	"github.com/gosnmp/gosnmp"
)

// Column asks for a column of a table: row indexes and the numbers that they
// hold. It stops at mostParts rows.
func (p Probe) Column(ctx context.Context, address string, port int, oid string) (rows map[string]uint64, err error) {
	oid = "." + strings.TrimPrefix(oid, ".")
	err = p.each(ctx, port, func(p Probe, c Credentials, port uint16) error {
		s, err := open(ctx, c, address, port, p.Timeout, max(0, p.Retries))
		if err != nil {
			return explain(ctx, c, hostPort(address, port), nil, err)
		}
		defer s.close()
		rows = map[string]uint64{}
		err = s.library.BulkWalk(oid, func(v gosnmp.SnmpPDU) error {
			if len(rows) >= mostParts {
				return errTooManyParts
			}
			rows[strings.TrimPrefix(v.Name, oid+".")] = values{"": v}.number("")
			return nil
		})
		if err != nil {
			return explain(ctx, c, hostPort(address, port), s.heard, err)
		}
		return nil
	})
	return rows, err
}
