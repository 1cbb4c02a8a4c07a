package snmp

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/gosnmp/gosnmp"
)

// A Kind is how a value is sent.
type Kind uint8

const (
	Integer Kind = iota
	Text         // OCTET STRING
	Address      // IpAddress
	Inet         // InetAddress (RFC 4001): an address as an OCTET STRING
)

// An Assignment gives one object its value.
type Assignment struct {
	OID    string // with or without a leading dot
	Kind   Kind
	Number int
	Text   string
	IP     netip.Addr
}

// A Request is what may be set at all: that a device send its own configuration to
// somebody, or that the row which asked for it goes. There is no other way to make
// one than NewRequest, which knows the tables; nothing but a Request is ever set.
type Request struct{ objects []gosnmp.SnmpPDU }

// An upload is a table, or a group, that makes devices send files. The same
// tables make them take a configuration: what each column may hold is written
// down, so that only one direction is left.
type upload struct {
	mib  string
	at   string            // what all columns begin with
	may  map[string]string // column: the integers it may hold, or text, address, inet
	with map[string]string // a request that gives this column this value …
	must []string          // … gives these columns one too: they hold the direction
}

func uploads() []upload {
	const e = ".1.3.6.1.4.1."
	const create, destroy = "4", "6" // RowStatus createAndGo, destroy (RFC 2579)
	both := create + " " + destroy
	copies := func(mib, at string) upload { // RADLAN-COPY-MIB rlCopyTable and its descendants
		return upload{mib, at, map[string]string{
			"3": "1", "4": "address", "5": "1", "7": "2 3", // from: local, running or startup
			"8": "3", "9": "address", "11": "text", "12": "4", "17": both, // to: tftp, a backup
		}, map[string]string{"17": create}, []string{"3", "7", "8"}}
	}
	operations := func(mib, at, protocols string) upload { // the family of H3C's config-man MIB
		return upload{mib, at, map[string]string{
			"2": "3 6", "3": protocols, "4": "text", "5": "address", "6": "text", "7": "text", "9": both, "10": "port",
		}, map[string]string{"9": create}, []string{"2"}} // running or startup to the net
	}
	group := func(mib, at string) upload { // agentTransferUploadGroup of FASTPATH-SWITCHING-MIB: it only uploads
		return upload{mib, at, map[string]string{
			"1": "1 5", "2": "address", "3": "text", "4": "text", "5": "2 10", "6": "1", "8": "1 2", "9": "inet", "11": "text", "12": "text",
		}, nil, nil}
	}
	return []upload{
		{"CISCO-CONFIG-COPY-MIB", e + "9.9.96.1.1.1.1.", map[string]string{
			"2": "1 5", "3": "3 4", "4": "1", // from startup or running to a file of the network
			"5": "address", "6": "text", "7": "text", "8": "text", "14": both, "15": "1 2", "16": "inet",
		}, map[string]string{"14": create}, []string{"3", "4"}},
		{"OLD-CISCO-SYS-MIB", e + "9.2.1.", map[string]string{"55": "text"}, nil, nil}, // writeNet
		copies("CISCOSB-COPY-MIB", e+"9.6.1.101.87.2.1."),
		copies("RADLAN-COPY-MIB", e+"89.87.2.1."),
		operations("HUAWEI-CONFIG-MAN-MIB", e+"2011.6.10.1.2.4.1.", "2 3"),
		operations("HH3C-CONFIG-MAN-MIB", e+"25506.2.4.1.2.4.1.", "2"),
		operations("H3C-CONFIG-MAN-MIB", e+"2011.10.2.4.1.2.4.1.", "2"),
		group("NETGEAR-SWITCHING-MIB", e+"4526.10.1.2.9.1."),
		group("NG700-SWITCHING-MIB", e+"4526.11.1.2.9.1."),
		group("EdgeSwitch-SWITCHING-MIB", e+"4413.1.1.1.2.9.1."),
		{"FOUNDRY-SN-AGENT-MIB", e + "1991.1.1.2.1.", map[string]string{
			"5": "address", "8": "text", "9": "20 22", // snAgCfgLoad: flash or running to the server
		}, map[string]string{"9": ""}, []string{"5", "8"}},
		{"HP-ICF-DOWNLOAD-MIB", e + "11.2.14.11.1.3.9.1.", map[string]string{
			"2": "1 2", "3": "inet", "4": "text", "9": "2", "10": "1", // no reset afterwards
			"13": both, "17": "2", "18": "2 3", "19": "1", // put the startup or the running configuration
		}, map[string]string{"13": create}, []string{"10", "17", "18"}},
		{"DLINKSW-SYSTEM-FILE-MIB", e + "171.14.14.1.2.1.", map[string]string{
			"2": "2", "3": "text", "4": "text", "5": "1 2", "6": "inet", "12": both, // local to a TFTP server
		}, map[string]string{"12": create}, []string{"2"}},
	}
}

// NewRequest makes a request of assignments, or says which of them might do
// anything else than have a configuration sent.
func NewRequest(list []Assignment) (Request, error) {
	if len(list) == 0 {
		return Request{}, fmt.Errorf("nothing is set")
	}
	var r Request
	var in *upload
	given := map[string]string{}
	for _, a := range list {
		oid := "." + strings.TrimPrefix(a.OID, ".")
		u, column := uploadOf(oid)
		switch {
		case u == nil:
			return Request{}, fmt.Errorf("%s is no object that makes a device send its configuration", oid)
		case in != nil && in.mib != u.mib:
			return Request{}, fmt.Errorf("%s and %s in one request", in.mib, u.mib)
		}
		in = u
		v, err := a.value(u.may[column])
		if err != nil {
			return Request{}, fmt.Errorf("%s column %s (%s): %w", u.mib, column, oid, err)
		}
		v.Name = oid
		r.objects = append(r.objects, v)
		given[column] = fmt.Sprint(a.Number)
	}
	for column, value := range in.with {
		if got, ok := given[column]; !ok || value != "" && got != value {
			continue
		}
		for _, m := range in.must {
			if given[m] == "" {
				return Request{}, fmt.Errorf("%s: column %s is missing, which says what is sent where", in.mib, m)
			}
		}
	}
	return r, nil
}

func uploadOf(oid string) (*upload, string) {
	for _, u := range uploads() {
		rest, ok := strings.CutPrefix(oid, u.at)
		if !ok {
			continue
		}
		column, row, ok := strings.Cut(rest, ".")
		if _, known := u.may[column]; !known || !ok {
			continue
		}
		for n := range strings.SplitSeq(row, ".") {
			if _, err := strconv.ParseUint(n, 10, 32); err != nil {
				return nil, ""
			}
		}
		return &u, column
	}
	return nil, ""
}

// value is what is sent, where it may be.
func (a Assignment) value(may string) (v gosnmp.SnmpPDU, err error) {
	kinds := map[string]Kind{"text": Text, "address": Address, "inet": Inet}
	kind, named := kinds[may]
	if a.Kind != kind {
		return v, fmt.Errorf("the value is of another kind")
	}
	switch {
	case !named && may == "port" && a.Number > 0 && a.Number < 1<<16, !named && slices.Contains(strings.Fields(may), fmt.Sprint(a.Number)):
		return gosnmp.SnmpPDU{Type: gosnmp.Integer, Value: a.Number}, nil
	case !named:
		return v, fmt.Errorf("may be %s, not %d", strings.Join(strings.Fields(may), " or "), a.Number)
	case kind == Text && (len(a.Text) > 255 || strings.ContainsFunc(a.Text, func(c rune) bool { return c < '!' || c > '~' })):
		return v, fmt.Errorf("the text is no plain word")
	case kind == Text:
		return gosnmp.SnmpPDU{Type: gosnmp.OctetString, Value: a.Text}, nil
	case kind == Address && a.IP.Unmap().Is4():
		return gosnmp.SnmpPDU{Type: gosnmp.IPAddress, Value: a.IP.Unmap().String()}, nil
	case kind == Inet && a.IP.IsValid():
		return gosnmp.SnmpPDU{Type: gosnmp.OctetString, Value: a.IP.Unmap().AsSlice()}, nil
	}
	return v, fmt.Errorf("the device wants an IPv4 address")
}
