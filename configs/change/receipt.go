package change

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"belay/configs"
	"belay/devices"
)

// A Receipt is what protects a technician: all that is known of a change at one
// moment. It is made of recorded facts alone, none of which holds a secret, and
// says of each thing how it stands, also of what is not proven.
type Receipt struct {
	Change     string         `json:"change"`
	Kind       Kind           `json:"kind"`
	Ticket     string         `json:"ticket"`
	Customer   string         `json:"customer"`
	Site       string         `json:"site,omitempty"`
	Follows    string         `json:"follows,omitempty"`
	Opened     time.Time      `json:"opened"`
	By         configs.Person `json:"by"`
	Made       time.Time      `json:"made"`
	State      State          `json:"state"`
	Old        *Side          `json:"old,omitempty"`
	New        *Side          `json:"new,omitempty"`
	Succession *Succession    `json:"succession,omitempty"`
	Waivers    []Waiver       `json:"waivers,omitempty"`
	Attests    []Attest       `json:"attests,omitempty"`
	Gates      []Gate         `json:"gates,omitempty"`
	Notices    []Notice       `json:"notices,omitempty"`
	Compare    string         `json:"compare,omitempty"` // the git command that shows what differs
	Missing    []string       `json:"missing,omitempty"` // what is not proven or still to come, a sentence each
	Closing    *Closing       `json:"closing,omitempty"`
}

// A Side is one of the two configurations of a change.
type Side struct {
	Device      devices.ID   `json:"device,omitempty"`
	Name        string       `json:"name,omitempty"`
	Standing    string       `json:"standing"`          // one of the words for how much is kept
	Version     string       `json:"version,omitempty"` // which the change rests on
	Captures    []Capture    `json:"captures,omitempty"`
	Attachments []Attachment `json:"attachments,omitempty"`
}

// MakeReceipt tells how a change stands at a time. The same facts, policy and time
// make the same receipt, byte for byte.
func MakeReceipt(c Change, p Policy, now time.Time) (Receipt, error) {
	r := Receipt{
		Change: c.ID, Kind: c.Kind, Ticket: c.Ticket, Customer: c.Customer, Site: c.Site, Follows: c.Follows,
		Opened: c.At, By: c.By, Made: now.UTC(), State: c.State(now, p), Succession: c.Succession,
		Waivers: c.Waivers, Attests: c.Attests, Gates: c.Gates, Notices: c.Notices, Closing: c.Closing,
	}
	if p.Doubt != "" {
		r.Missing = append(r.Missing, doubtWords(p.Doubt)+".")
	}
	if c.Kind != Install {
		r.Old = c.side(Before, c.Old, c.OldName, now, p)
		r.Missing = append(r.Missing, c.missing(r.Old, "The old configuration", p)...)
		if _, holds, why := c.waived(); !holds && len(why) > 0 {
			r.Missing = append(r.Missing, fmt.Sprintf("The waiver does not hold: %s.", strings.Join(why, "; ")))
		}
	}
	if c.Succession != nil && c.Kind == Replace && !c.gated {
		r.Missing = append(r.Missing, "The gate never opened before the new box was seen.")
	}
	if c.Kind != Remove {
		r.New = c.side(After, c.New, c.NewName, now, p)
		r.Missing = append(r.Missing, c.missing(r.New, "The new configuration", p)...)
	}
	r.Compare = r.compare()
	return r.clean()
}

// Tells tells whether a receipt that was made before may be given out still: it names
// every fact that a receipt must, and was not posted before the last of them.
func (c Change) Tells(r Receipt, digest string) (bool, error) {
	if slices.ContainsFunc(c.Receipts[:c.posted], func(p Posted) bool { return p.Digest == digest }) {
		return false, nil
	}
	now, err := MakeReceipt(c, Policy{}, r.Made)
	if err != nil {
		return false, err
	}
	was, err := json.Marshal(r.facts())
	if err != nil {
		return false, err
	}
	is, err := json.Marshal(now.facts())
	return bytes.Equal(was, is), err
}

// facts are what a receipt must tell, without what the policy or the hour makes of it.
func (r Receipt) facts() Receipt {
	of := Receipt{Change: r.Change, Customer: r.Customer, Succession: r.Succession, Waivers: r.Waivers, Attests: r.Attests}
	if r.Old != nil {
		of.Old = &Side{Device: r.Old.Device, Captures: r.Old.Captures, Attachments: r.Old.Attachments}
	}
	if r.New != nil {
		of.New = &Side{Device: r.New.Device, Captures: r.New.Captures, Attachments: r.New.Attachments}
	}
	return of
}

// side gathers what is known of one configuration.
func (c Change) side(phase string, device devices.ID, name string, now time.Time, p Policy) *Side {
	s := &Side{Device: device, Name: name, Standing: c.Standing(phase, now, p)}
	versions := map[string]bool{}
	for _, k := range c.Captures {
		if k.Phase != phase {
			continue
		}
		// Programs other than ours must print the same number.
		k.Seconds = math.Round(k.Seconds*1000) / 1000
		s.Captures = append(s.Captures, k)
		if versions[k.Version] = true; k.Version != "" {
			s.Version = k.Version
		}
	}
	if k, ok := c.Counts(phase, p); ok {
		s.Version = k.Version
	}
	for _, a := range c.Attachments {
		if a.Form != configs.Receipt && a.Version != "" && versions[a.Version] {
			s.Attachments = append(s.Attachments, a)
		}
	}
	return s
}

// capture is the one that the side rests on.
func (s *Side) capture() (k Capture, ok bool) {
	at := slices.IndexFunc(s.Captures, func(k Capture) bool { return k.Version == s.Version && s.Version != "" })
	if at < 0 {
		return Capture{}, false
	}
	return s.Captures[at], true
}

// missing is what of one configuration is not proven, or still to come.
func (c Change) missing(s *Side, which string, p Policy) (missing []string) {
	k, ok := s.capture()
	if !ok || s.Standing != WordVerified {
		missing = append(missing, fmt.Sprintf("%s: %s.", which, s.Standing))
	}
	if !ok {
		if len(s.Captures) == 0 {
			return missing
		}
		if k = s.Captures[len(s.Captures)-1]; k.Error != "" {
			missing = append(missing, fmt.Sprintf("%s: the last try failed: %s.", which, k.Error))
		}
	}
	for _, check := range k.failingChecks() {
		missing = append(missing, fmt.Sprintf("%s: check %s: %s.", which, check.Name, check.Detail))
	}
	for _, proof := range k.Proofs {
		if proof.Done && !proof.OK {
			missing = append(missing, fmt.Sprintf("%s: not proven when it was taken: %s: %s.", which, proof.Name, proof.Detail))
		}
	}
	for _, system := range p.Systems {
		for _, name := range c.unattached(k, func(a Attachment) bool { return a.System == system }) {
			missing = append(missing, fmt.Sprintf("%s: %s is not attached in %s yet.", which, name, system))
		}
	}
	return missing
}

// compare is the command that shows what differs, by the tags of the versions
// that count. Each capture within a change makes a tag, the second one numbered.
func (r Receipt) compare() string {
	if r.Old == nil || r.New == nil {
		return ""
	}
	tag := func(s *Side, phase string) string {
		var versions []string
		for _, k := range s.Captures {
			if k.Version != "" && !slices.Contains(versions, k.Version) {
				versions = append(versions, k.Version)
			}
		}
		switch n := slices.Index(versions, s.Version) + 1; n {
		case 0:
			return ""
		case 1:
			return fmt.Sprintf(" change/%s/%s", r.Change, phase)
		default:
			return fmt.Sprintf(" change/%s/%s-%d", r.Change, phase, n)
		}
	}
	before, after := tag(r.Old, Before), tag(r.New, After)
	if before == "" || after == "" {
		return ""
	}
	return "git -C customers/" + r.Customer + "/history.git diff" + before + after
}

// clean is a copy that shares nothing with the change, and whose strings hold
// nothing that a terminal obeys, a browser turns around or two programs that
// write JSON write differently.
func (r Receipt) clean() (Receipt, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return Receipt{}, &devices.Error{Kind: devices.Broken, Op: "make a receipt", Err: err}
	}
	var c Receipt
	if err := json.Unmarshal(b, &c); err != nil {
		return Receipt{}, &devices.Error{Kind: devices.Broken, Op: "make a receipt", Err: err}
	}
	cleanStrings(reflect.ValueOf(&c))
	return c, nil
}

func cleanStrings(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			cleanStrings(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			cleanStrings(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() { // not within a time
				cleanStrings(v.Field(i))
			}
		}
	case reflect.String:
		v.SetString(cleanString(v.String()))
	}
}

func cleanString(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), unicode.In(r, unicode.Zl, unicode.Zp):
			return ' '
		case unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}
