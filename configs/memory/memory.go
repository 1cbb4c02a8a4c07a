// Package memory holds every port of the centre in memory: for tests, and for
// trying something out without a disk. It passes the same suites as the real
// stores (configs/conformance) and fails where it is told to. Nothing here
// survives the process, and its seals are no encryption.
package memory

import (
	"context"
	"errors"
	"fmt"

	"belay/configs"
	"belay/devices"
)

// Faults makes a port fail on demand.
type Faults struct {
	// Fail is asked before each operation, by the name of its method; what it
	// returns is the operation's error. Nil: nothing fails. It is called from
	// many goroutines and must not change while the port is in use.
	Fail func(op string) error
}

// check is the first line of every operation.
func (f Faults) check(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if f.Fail == nil {
		return nil
	}
	return f.Fail(op)
}

// checkID tells why id cannot name a device: a store makes folders of it.
func checkID(id devices.ID) error {
	customer := id.Customer()
	if len(customer) >= len(id) {
		return fmt.Errorf("%q is no device: want customer/name", id)
	}
	return errors.Join(devices.CheckName(customer), devices.CheckName(string(id)[len(customer)+1:]))
}

var (
	_ configs.Repository = (*Repository)(nil)
	_ configs.Prover     = (*Prover)(nil)
	_ configs.Sealer     = (*Sealer)(nil)
	_ configs.Ledger     = (*Ledger)(nil)
	_ configs.CheckLog   = (*CheckLog)(nil)
	_ configs.Quarantine = (*Quarantine)(nil)
	_ configs.Puller     = (*Puller)(nil)
	_ configs.Outbox     = (*Outbox)(nil)
	_ configs.Items      = (*Items)(nil)
	_ configs.Papers     = (*Papers)(nil)
	_ configs.Marks      = (*Marks)(nil)
	_ configs.Index      = (*Index)(nil)
	_ configs.Alarms     = (*Alarms)(nil)
)
