package simulator

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gosnmp/gosnmp"

	"belay/devices"
)

// An Agent answers SNMP v2c (Get, GetNext, GetBulk) from the transcript's snmp
// values over UDP. Sets are counted and refused, but for those by the community
// that may write which ask for the transcript's transfer. Another community gets
// no answer, as with real agents. There is no v3: that is tested against net-snmp.
type Agent struct {
	Device    *Device
	Community string // empty: "public"
	Write     string // the community that may set; empty: none
	TFTPPort  int    // where it sends files to
	SFTPPort  int

	service
	conn net.PacketConn

	mu      sync.Mutex
	jobs    map[string]*job // transfers, by their row
	results int
}

// Start listens on a UDP address such as 127.12.0.5:1161; port 0 takes a free one.
func (a *Agent) Start(address string) error {
	conn, err := devices.Listen(context.Background(), func() (net.PacketConn, error) { return net.ListenPacket("udp", address) })
	if err != nil {
		return fmt.Errorf("answer SNMP for %s: %w", a.Device.T.Name, err)
	}
	a.conn = conn
	a.begin(conn.LocalAddr(), conn.Close)
	a.running.Go(a.serve)
	return nil
}

func (a *Agent) serve() {
	buffer := make([]byte, 65536)
	for {
		n, from, err := a.conn.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		// Whatever is not understood gets no answer: this is UDP.
		answer, due, err := a.answer(buffer[:n])
		switch {
		case err != nil:
		case due == nil:
			_, _ = a.conn.WriteTo(answer, from)
		default:
			a.running.Go(func() {
				<-due
				_, _ = a.conn.WriteTo(answer, from)
			})
		}
	}
}

var errNoAnswer = errors.New("no answer is due")

// answer is what is said to a request, and when it is due: nil for at once.
func (a *Agent) answer(request []byte) (answer []byte, due <-chan struct{}, err error) {
	decoder := &gosnmp.GoSNMP{Version: gosnmp.Version2c}
	p, err := decoder.SnmpDecodePacket(request)
	if err != nil {
		return nil, nil, err
	}
	b := a.Device.now()
	writes := a.Write != "" && p.Community == a.Write
	if p.Version != gosnmp.Version2c || p.Community != cmp.Or(a.Community, "public") && !writes || b.fault.Tarpit || b.fault.RefuseTCP {
		return nil, nil, errNoAnswer
	}
	objects, err := b.objects()
	if err != nil {
		return nil, nil, err
	}
	if more := a.dynamic(b.Transfer); len(more) > 0 {
		objects = append(objects, more...)
		slices.SortFunc(objects, func(x, y gosnmp.SnmpPDU) int { return byObject(x, y.Name) })
	}
	r := &gosnmp.SnmpPacket{Version: p.Version, Community: p.Community, PDUType: gosnmp.GetResponse, RequestID: p.RequestID}
	switch p.PDUType {
	case gosnmp.GetRequest:
		for _, v := range p.Variables {
			r.Variables = append(r.Variables, get(objects, v.Name))
		}
	case gosnmp.GetNextRequest:
		for _, v := range p.Variables {
			r.Variables = append(r.Variables, next(objects, v.Name))
		}
	case gosnmp.GetBulkRequest:
		r.Variables = bulk(objects, p)
	case gosnmp.SetRequest:
		r.Error, r.ErrorIndex = gosnmp.NotWritable, 1
		if writes {
			r.Error, r.ErrorIndex, due = a.set(b, p.Variables)
		}
		a.Device.count(func(s *Seen) {
			s.Sets++
			if r.Error != gosnmp.NoError {
				s.SetsRefused++
			}
		})
		for _, v := range p.Variables {
			r.Variables = append(r.Variables, gosnmp.SnmpPDU{Name: v.Name, Type: gosnmp.Null})
		}
	default:
		return nil, nil, errNoAnswer
	}
	answer, err = r.MarshalMsg()
	return answer, due, err
}

func get(objects []gosnmp.SnmpPDU, oid string) gosnmp.SnmpPDU {
	if i, ok := slices.BinarySearchFunc(objects, oid, byObject); ok {
		return objects[i]
	}
	return gosnmp.SnmpPDU{Name: oid, Type: gosnmp.NoSuchObject}
}

func next(objects []gosnmp.SnmpPDU, oid string) gosnmp.SnmpPDU {
	i, ok := slices.BinarySearchFunc(objects, oid, byObject)
	if ok {
		i++
	}
	if i < len(objects) {
		return objects[i]
	}
	return gosnmp.SnmpPDU{Name: oid, Type: gosnmp.EndOfMibView}
}

// bulkLimit keeps an answer within one datagram.
const bulkLimit = 60

func bulk(objects []gosnmp.SnmpPDU, p *gosnmp.SnmpPacket) []gosnmp.SnmpPDU {
	var out []gosnmp.SnmpPDU
	single := min(int(p.NonRepeaters), len(p.Variables))
	for _, v := range p.Variables[:single] {
		out = append(out, next(objects, v.Name))
	}
	row := slices.Clone(p.Variables[single:])
	for range p.MaxRepetitions {
		ended := true
		for i, v := range row {
			row[i] = next(objects, v.Name)
			ended = ended && row[i].Type == gosnmp.EndOfMibView
			out = append(out, row[i])
		}
		if ended || len(out) >= bulkLimit {
			break
		}
	}
	return out
}

// objects are the snmp values in their order.
func (t *Transcript) objects() ([]gosnmp.SnmpPDU, error) {
	var out []gosnmp.SnmpPDU
	for oid, value := range t.SNMP {
		if _, err := numbers(oid); err != nil {
			return nil, fmt.Errorf("snmp: %q is no object identifier", oid)
		}
		pdu, err := object(value)
		if err != nil {
			return nil, fmt.Errorf("snmp: %s: %w", oid, err)
		}
		pdu.Name = oid
		out = append(out, pdu)
	}
	slices.SortFunc(out, func(a, b gosnmp.SnmpPDU) int { return byObject(a, b.Name) })
	return out, nil
}

func byObject(p gosnmp.SnmpPDU, oid string) int {
	a, errA := numbers(p.Name)
	b, errB := numbers(oid)
	if errA != nil || errB != nil {
		return cmp.Compare(p.Name, oid)
	}
	return slices.Compare(a, b)
}

func numbers(oid string) ([]uint64, error) {
	var out []uint64
	for s := range strings.SplitSeq(strings.TrimPrefix(oid, "."), ".") {
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

// object gives a value its type: that which it names, or that of YAML.
func object(value any) (gosnmp.SnmpPDU, error) {
	s, ok := value.(string)
	if !ok {
		n, err := strconv.ParseInt(fmt.Sprint(value), 10, 32)
		if err != nil {
			return gosnmp.SnmpPDU{}, errors.New("is neither an integer of 32 bits nor a string")
		}
		return gosnmp.SnmpPDU{Type: gosnmp.Integer, Value: int(n)}, nil
	}
	kind, rest, named := strings.Cut(s, ": ")
	if !named {
		return gosnmp.SnmpPDU{Type: gosnmp.OctetString, Value: s}, nil
	}
	switch kind {
	case "STRING":
		return gosnmp.SnmpPDU{Type: gosnmp.OctetString, Value: rest}, nil
	case "Hex-STRING":
		b, err := hex.DecodeString(strings.ReplaceAll(rest, " ", ""))
		return gosnmp.SnmpPDU{Type: gosnmp.OctetString, Value: b}, err
	case "OID":
		_, err := numbers(rest)
		return gosnmp.SnmpPDU{Type: gosnmp.ObjectIdentifier, Value: "." + strings.TrimPrefix(rest, ".")}, err
	case "INTEGER":
		n, err := strconv.ParseInt(rest, 10, 32)
		return gosnmp.SnmpPDU{Type: gosnmp.Integer, Value: int(n)}, err
	case "TimeTicks", "Gauge32", "Counter32":
		n, err := strconv.ParseUint(rest, 10, 32)
		types := map[string]gosnmp.Asn1BER{"TimeTicks": gosnmp.TimeTicks, "Gauge32": gosnmp.Gauge32, "Counter32": gosnmp.Counter32}
		return gosnmp.SnmpPDU{Type: types[kind], Value: uint32(n)}, err
	case "Counter64":
		n, err := strconv.ParseUint(rest, 10, 64)
		return gosnmp.SnmpPDU{Type: gosnmp.Counter64, Value: n}, err
	case "IpAddress":
		ip := net.ParseIP(rest).To4()
		if ip == nil {
			return gosnmp.SnmpPDU{}, errors.New("is no IPv4 address")
		}
		return gosnmp.SnmpPDU{Type: gosnmp.IPAddress, Value: []byte(ip)}, nil
	}
	return gosnmp.SnmpPDU{Type: gosnmp.OctetString, Value: s}, nil
}
