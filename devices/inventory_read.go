package devices

import (
	"errors"
	"fmt"
	"net"
	"strings"
)

// faultsShown is how many errors one reading reports; more help nobody.
const faultsShown = 20

// A reader gathers devices and everything wrong with them from several files.
type reader struct {
	devices  []Device
	warnings []string
	faults   []error
	unsaid   int // faults beyond faultsShown
}

// A cell is one text and where it stands.
type cell struct {
	text string
	at   Position
}

// An entry is one device as a file puts it: the cells of each field. A field that
// is there without cells was left empty on purpose and overrules the defaults.
type entry struct {
	at     Position
	fields map[string][]cell
}

// fault notes an error. format must not show a value that may hold a secret.
func (r *reader) fault(at Position, hint, format string, args ...any) {
	if len(r.faults) == faultsShown {
		r.unsaid++
		return
	}
	r.faults = append(r.faults, &Error{Kind: Usage, Op: "read inventory", Hint: hint,
		Err: fmt.Errorf("%s: %w", at, fmt.Errorf(format, args...))})
}

// count is how many faults there are.
func (r *reader) count() int { return len(r.faults) + r.unsaid }

func (r *reader) warn(at Position, format string, args ...any) {
	r.warnings = append(r.warnings, at.String()+": "+fmt.Sprintf(format, args...))
}

// inventory ends the reading: what holds between devices is checked here, over
// all files.
func (r *reader) inventory() (*Inventory, error) {
	r.checkUnique()
	if len(r.faults) > 0 {
		if r.unsaid > 0 {
			r.faults = append(r.faults, &Error{Kind: Usage, Op: "read inventory", Err: fmt.Errorf("and %d more errors", r.unsaid)})
		}
		return nil, errors.Join(r.faults...)
	}
	return &Inventory{Devices: r.devices, Warnings: r.warnings}, nil
}

// checkUnique compares without regard to case: names become folders, and two
// that differ by case are one folder on macOS.
func (r *reader) checkUnique() {
	names, ids := map[string]Device{}, map[string]Device{}
	customers, addresses := map[string]Device{}, map[string]Device{}
	for _, d := range r.devices {
		name, id, customer := strings.ToLower(d.String()), strings.ToLower(string(d.ID())), strings.ToLower(d.Customer)
		if other, ok := customers[customer]; !ok {
			customers[customer] = d
		} else if other.Customer != d.Customer {
			r.fault(d.Where, "write it one way: both would be one folder on some systems", "customer %s is written %s at %s", d.Customer, other.Customer, other.Where)
		}
		if other, ok := names[name]; ok {
			r.fault(d.Where, "give one of them another name", "%s is already at %s", d, other.Where)
		} else if other, ok := ids[id]; ok {
			r.fault(d.Where, "each device needs a first name of its own: its history is kept under it",
				"%s and %s at %s would share the history of %s", d, other, other.Where, d.ID())
		}
		names[name], ids[id] = d, d

		address := strings.ToLower(fmt.Sprintf("%s\x00%s\x00%s", d.Customer, d.Zone, net.JoinHostPort(d.Address, fmt.Sprint(d.Port))))
		if other, ok := addresses[address]; ok {
			r.warn(d.Where, "%s has the address of %s at %s", d, other, other.Where)
		}
		addresses[address] = d
	}
}
