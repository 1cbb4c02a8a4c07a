package change

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"belay/configs"
	"belay/devices"
)

// The acts of a change, as they stand in the ledger. The detail of each is the
// fact's own fields, with the change's id as "change"; the time and the person
// are the event's. "attach" and "post receipt" are written with the delivery of
// a file, in one transaction.
const (
	actOpen    = "open change"
	actBefore  = "before"
	actAfter   = "after"
	actImport  = "import"
	actAttest  = "attest"
	actWaive   = "waive"
	actGate    = "gate"
	actSucceed = "succeed"
	actNotice  = "notice"
	actAttach  = "attach"
	actPost    = "post receipt"
	actClose   = "close change"
)

// opened is the detail of the event that opens a change.
type opened struct {
	Kind    Kind       `json:"kind"`
	Site    string     `json:"site,omitempty"`
	Ticket  string     `json:"ticket"`
	Old     devices.ID `json:"old,omitempty"`
	New     devices.ID `json:"new,omitempty"`
	OldName string     `json:"oldName,omitempty"`
	NewName string     `json:"newName,omitempty"`
	Serials []string   `json:"serials,omitempty"`
	Follows string     `json:"follows,omitempty"`
}

// about tells whether the change is one of that ticket and device. A person may
// write the ticket in small letters.
func (c Change) about(ticket string, device devices.ID) bool {
	of := c.Old
	if c.Kind == Install {
		of = c.New
	}
	return strings.EqualFold(c.Ticket, ticket) && of == device
}

// detail makes an event's detail of a fact.
func detail(id string, fact any) (map[string]any, error) {
	b, err := json.Marshal(fact)
	if err != nil {
		return nil, err
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, err
	}
	delete(m, "at")
	delete(m, "by")
	m["change"] = id
	return m, nil
}

// read makes a fact of an event's detail. Whatever the detail was made of, it is
// what would stand in the ledger that counts.
func read[T any](e configs.Event) (T, error) {
	var fact T
	b, err := json.Marshal(e.Detail)
	if err == nil {
		err = json.Unmarshal(b, &fact)
	}
	if err != nil {
		return fact, &devices.Error{Kind: devices.Damaged, Op: "read the ledger", Hint: "belay verify",
			Err: fmt.Errorf("entry %d of customer %q, %s: %w", e.Seq, e.Customer, e.Act, err)}
	}
	return fact, nil
}

// fold makes a change of its events, in the order of the ledger. ok is false
// where none opens it.
func fold(events []configs.Event) (c Change, ok bool, err error) {
	for _, e := range events {
		if err := c.apply(e); err != nil {
			return Change{}, false, err
		}
	}
	return c, c.ID != "", nil
}

// apply adds one event. Nothing comes before the opening, and nothing after the
// closing: what two people did at once is settled by who came first.
func (c *Change) apply(e configs.Event) error {
	id, _ := e.Detail["change"].(string)
	switch {
	case id == "" || c.ID == "" && e.Act != actOpen || c.Closing != nil:
		return nil
	case c.ID != "" && (id != c.ID || e.Customer != c.Customer):
		return nil
	}
	if slices.Contains(facts, e.Act) {
		c.posted = len(c.Receipts)
	}
	switch e.Act {
	case actOpen:
		return c.open(id, e)
	case actBefore, actAfter, actImport:
		k, err := read[Capture](e)
		k.At, k.By = e.At, e.By
		if k.Phase == Before && c.Succession != nil && c.Succession.Device == k.Device {
			return err // of the new box, which has the old one's name
		}
		c.Captures = append(c.Captures, k)
		return err
	case actSucceed:
		s, err := read[Succession](e)
		s.At, s.By = e.At, e.By
		if c.Succession.same(s) {
			return err
		}
		c.Succession = &s
		c.gated = slices.ContainsFunc(c.Gates, func(g Gate) bool { return g.Open })
		c.words = len(c.Attests)
		if c.New == "" {
			c.New, c.NewName = s.Device, strings.TrimPrefix(string(s.Device), c.Customer+"/")
		}
		return err
	case actClose:
		k, err := read[Closing](e)
		k.At, k.By = e.At, e.By
		c.Closing = &k
		return err
	case actAttest:
		return add(&c.Attests, e, func(f *Attest) (*time.Time, *configs.Person) { return &f.At, &f.By })
	case actWaive:
		return add(&c.Waivers, e, func(f *Waiver) (*time.Time, *configs.Person) { return &f.At, &f.By })
	case actGate:
		return add(&c.Gates, e, func(f *Gate) (*time.Time, *configs.Person) { return &f.At, &f.By })
	case actNotice:
		n, err := read[Notice](e)
		if n.At, n.By = e.At, e.By; err == nil && c.noticed(n.Text) == nil {
			c.Notices = append(c.Notices, n)
		}
		return err
	case actAttach:
		err := add(&c.Attachments, e, func(f *Attachment) (*time.Time, *configs.Person) { return &f.At, &f.By })
		if err != nil {
			return err
		}
		a := c.Attachments[len(c.Attachments)-1]
		if a.Form != configs.Receipt && slices.ContainsFunc(c.Captures, func(k Capture) bool { return k.Version == a.Version }) {
			c.posted = len(c.Receipts) // else a receipt tells of it with its capture, or not at all
		}
		return nil
	case actPost:
		return add(&c.Receipts, e, func(f *Posted) (*time.Time, *configs.Person) { return &f.At, &f.By })
	}
	return nil
}

// facts are the acts that a receipt must tell of, beside attachments.
var facts = []string{actOpen, actBefore, actAfter, actImport, actAttest, actWaive, actSucceed}

// add appends a fact whose time and person are the event's.
func add[T any](list *[]T, e configs.Event, stamp func(*T) (*time.Time, *configs.Person)) error {
	fact, err := read[T](e)
	if err != nil {
		return err
	}
	at, by := stamp(&fact)
	*at, *by = e.At, e.By
	*list = append(*list, fact)
	return nil
}

// open applies the event that opens a change. Of several the first counts; a
// later one may name the new device where that was left open.
func (c *Change) open(id string, e configs.Event) error {
	o, err := read[opened](e)
	if err != nil {
		return err
	}
	if c.ID != "" {
		if c.New == "" && c.Kind == Replace && o.Kind == Replace && c.about(o.Ticket, o.Old) {
			c.New, c.NewName = o.New, o.NewName
		}
		return nil
	}
	*c = Change{
		ID: id, Kind: o.Kind, Customer: e.Customer, Site: o.Site, Ticket: o.Ticket, Old: o.Old, New: o.New,
		OldName: o.OldName, NewName: o.NewName, Serials: slices.Clone(o.Serials), Follows: o.Follows, By: e.By, At: e.At,
	}
	return nil
}
