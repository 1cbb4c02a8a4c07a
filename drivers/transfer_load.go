package drivers

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"belay/devices"
	"belay/devices/receive"
	"belay/devices/snmp"
)

// A transfer is how a device is made to send its configuration.
type transfer struct {
	by    receive.Protocol
	set   [][]assignSpec
	clear [][]assignSpec
	state transferStates
	fixed bool // the row is always the same one
}

var words = devices.Pattern(`\{(\w+)\}`)

// put puts words into a text.
func put(text string, with map[string]string) string {
	return words().ReplaceAllStringFunc(text, func(w string) string {
		if value, ok := with[w[1:len(w)-1]]; ok {
			return value
		}
		return w
	})
}

// requests are what is set, one request after the other.
func requests(list [][]assignSpec, with map[string]string) ([]snmp.Request, error) {
	var all []snmp.Request
	for _, assigns := range list {
		var out []snmp.Assignment
		for _, s := range assigns {
			a, err := s.assignment(with)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.OID, err)
			}
			out = append(out, a)
		}
		r, err := snmp.NewRequest(out)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// assignment is one object with its value.
func (s assignSpec) assignment(with map[string]string) (a snmp.Assignment, err error) {
	a.OID = absolute(put(s.OID, with))
	n := 0
	for _, given := range []*string{s.Int, s.Text, s.Addr, s.Inet} {
		if given != nil {
			n++
		}
	}
	switch {
	case n != 1:
		return a, fmt.Errorf("wants one of int, text, addr, inet")
	case s.Int != nil:
		a.Number, err = strconv.Atoi(put(*s.Int, with))
	case s.Text != nil:
		a.Kind, a.Text = snmp.Text, put(*s.Text, with)
	case s.Addr != nil:
		a.Kind = snmp.Address
		a.IP, err = netip.ParseAddr(put(*s.Addr, with))
	default:
		a.Kind = snmp.Inet
		a.IP, err = netip.ParseAddr(put(*s.Inet, with))
	}
	return a, err
}

// transfer compiles what is set, and tries it with words of every form.
func (c *compiler) transfer(s *spec) *transfer {
	t := s.Transfer
	if t == nil {
		c.wrong("transfer: missing: road snmp needs it")
		return nil
	}
	out := &transfer{by: receive.Protocol(t.By), state: t.State}
	if out.by != receive.TFTP && out.by != receive.SFTP {
		c.wrong("transfer.by: %q is neither tftp nor sftp", t.By)
	}
	for _, list := range [][]assignSpec{t.Before, t.Set, t.Start} {
		if len(list) > 0 {
			out.set = append(out.set, list)
		}
	}
	for _, a := range t.Clear {
		out.clear = append(out.clear, []assignSpec{a})
	}
	if len(t.Set) == 0 {
		c.wrong("transfer.set: missing")
	}
	if t.State.OID != "" && len(t.State.Done) == 0 {
		c.wrong("transfer.state.done: missing: which values say that the file was sent")
	}
	out.fixed = !strings.Contains(fmt.Sprint(t.State.OID, t.State.Match), "{row}") && t.State.Match == ""
	for value := range t.State.Failed {
		if n, err := strconv.Atoi(value); err != nil || slices.Contains(t.State.Done, n) || slices.Contains(t.State.Busy, n) {
			c.wrong("transfer.state.failed: %q is no number, or says something else too", value)
		}
	}
	for _, oid := range []string{t.State.OID, t.State.Why, t.State.Match} {
		if o := absolute(put(oid, sample(nil))); oid != "" && !objectID().MatchString(o) {
			c.wrong("transfer.state: %q is no object identifier", oid)
		}
	}
	named := false
	for _, a := range t.Set {
		named = named || a.Text != nil && strings.Contains(*a.Text, "{file}")
	}
	if !named {
		c.wrong("transfer.set: no text is {file}: what is sent would not be known for the device's")
	}
	for i, step := range s.Pull {
		for _, list := range [][][]assignSpec{out.set, out.clear} {
			if _, err := requests(list, sample(step.Transfer)); err != nil {
				c.wrong("pull[%d]: transfer: %v", i, err)
			}
		}
	}
	return out
}

// sample are words of the right form.
func sample(step map[string]string) map[string]string {
	with := map[string]string{
		"row": "4711", "file": strings.Repeat("a", 26), "user": "user", "password": "password",
		"address": "192.0.2.1", "family": "1", "port": "22", "result": "1",
	}
	for word, value := range step {
		with[word] = value
	}
	return with
}
