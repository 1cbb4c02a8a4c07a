package snmp

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"github.com/gosnmp/gosnmp"

	"belay/devices"
)

// A Notice is a trap or an inform whose sender has shown that it may speak.
type Notice struct {
	Trap   string // object identifier of what happened, without a leading dot
	Inform bool   // the sender waits for an answer
	User   string // of SNMPv3; empty: version 1 or 2c
	Vars   []Var  // what was said besides
}

// A Var is one object that came with a notice.
type Var struct {
	OID  string // without a leading dot
	Text string // for people; a number as such
}

// A Receiver understands traps and informs. The library has a listener too, but
// that one answers informs before anybody could look at their community, has no
// word in whose packets are worth decrypting, and runs hot when its socket fails;
// so the socket is devices/events', and the library does the protocol.
// A Receiver is for one goroutine.
type Receiver struct {
	library     *gosnmp.GoSNMP
	communities []devices.Secret
	levels      map[string]gosnmp.SnmpV3MsgFlags // what each user's messages must have: auth, privacy
	engine      string                           // ours: informs are made for it (RFC 3414, section 1.5.1)
	strangers   int                              // messages for another engine or none: usmStatsUnknownEngineIDs
}

const (
	snmpTrapOID      = ".1.3.6.1.6.3.1.1.4.1.0" // SNMPv2-MIB (RFC 3418)
	genericTraps     = "1.3.6.1.6.3.1.1.5."     // snmpTraps: coldStart and so on
	unknownEngineIDs = ".1.3.6.1.6.3.15.1.1.4.0"

	specificTrap = 6 // enterpriseSpecific (RFC 1157)
)

// NewReceiver understands notices with one of the communities, and those of the
// users. engine is our own SNMP engine id, 5 to 32 bytes that stay the same.
func NewReceiver(communities []devices.Secret, users []Credentials, engine []byte) (*Receiver, error) {
	r := &Receiver{communities: communities, engine: string(engine), levels: map[string]gosnmp.SnmpV3MsgFlags{}}
	for _, c := range communities {
		if err := (Credentials{Version: "2c", Community: c}).Validate(); err != nil {
			return nil, err
		}
	}
	if len(engine) < 5 || len(engine) > 32 {
		return nil, fault(devices.Usage, "", fmt.Errorf("an engine id has 5 to 32 bytes, not %d", len(engine)))
	}
	r.library = &gosnmp.GoSNMP{Version: gosnmp.Version3, SecurityModel: gosnmp.UserSecurityModel, MsgFlags: gosnmp.NoAuthNoPriv}
	table := gosnmp.NewSnmpV3SecurityParametersTable(gosnmp.Logger{})
	// The nameless user asks which engine we are; read lets it do nothing else.
	known := []*gosnmp.UsmSecurityParameters{{AuthenticationProtocol: gosnmp.NoAuth, PrivacyProtocol: gosnmp.NoPriv}}
	for _, c := range users {
		if c.version() != "3" {
			return nil, fault(devices.Usage, "", errors.New("a user is of version 3"))
		}
		if err := c.Validate(); err != nil {
			return nil, err
		}
		if _, twice := r.levels[c.User]; twice {
			return nil, fault(devices.Usage, "", fmt.Errorf("the user %q is there twice", c.User))
		}
		var g gosnmp.GoSNMP
		c.apply(&g)
		r.levels[c.User] = g.MsgFlags
		known = append(known, g.SecurityParameters.(*gosnmp.UsmSecurityParameters)) //nolint:forcetypeassert // apply made it
	}
	for _, u := range known {
		if err := table.Add(u.UserName, u); err != nil {
			return nil, fault(devices.Usage, "", errors.New("the keys of an SNMPv3 user cannot be made")) // not the library's words: they may hold anything
		}
	}
	r.library.SetTrapSecurityParametersTable(table)
	return r, nil
}

var (
	errStranger = errors.New("the sender does not prove that it may speak")
	errNoNotice = errors.New("neither a trap nor an inform")
)

// Read understands one datagram. Where answer is not nil it is to be sent back:
// that of an inform, or which engine we are; the latter comes with an error, for
// nothing was noticed. Of what a stranger sends nothing is said at all.
func (r *Receiver) Read(datagram []byte) (n Notice, answer []byte, err error) {
	defer func() { // The library has stumbled over hostile packets before.
		if e := recover(); e != nil {
			n, answer, err = Notice{}, nil, errNoNotice
		}
	}()
	p, err := r.library.UnmarshalTrap(bytes.Clone(datagram), false) // which decrypts in place
	if err != nil {
		return Notice{}, nil, errStranger // the library's error may hold anything
	}
	if p.Version == gosnmp.Version3 {
		if answer, err = r.admit(p); err != nil {
			return Notice{}, answer, err
		}
	} else if !r.speaks(p.Community) {
		return Notice{}, nil, errStranger
	}
	if n, err = notice(p); err != nil {
		return Notice{}, nil, err
	}
	if n.Inform {
		answer, err = respond(p, gosnmp.GetResponse)
	}
	return n, answer, err
}

// speaks tells whether a community is one of ours; how long that takes does not
// tell how much of it is right.
func (r *Receiver) speaks(community string) bool {
	ok := 0
	for _, c := range r.communities {
		ok |= subtle.ConstantTimeCompare([]byte(c.Reveal()), []byte(community))
	}
	return ok == 1
}

// admit looks at what version 3 says of its sender. The library has checked the
// digest, if there is one; that there is one, and that the message was encrypted
// where the user's are, is seen to here. Whether a message is new is not: one
// heard twice triggers nothing that it did not trigger before.
func (r *Receiver) admit(p *gosnmp.SnmpPacket) (report []byte, err error) {
	u, ok := p.SecurityParameters.(*gosnmp.UsmSecurityParameters)
	if !ok || p.SecurityModel != gosnmp.UserSecurityModel {
		return nil, errStranger
	}
	level, known := r.levels[u.UserName]
	asks := u.UserName == "" && u.AuthoritativeEngineID == "" && p.PDUType == gosnmp.GetRequest && len(p.Variables) == 0 && p.MsgFlags&gosnmp.Reportable != 0
	misled := known && p.PDUType == gosnmp.InformRequest && u.AuthoritativeEngineID != r.engine
	switch {
	case asks || misled && p.MsgFlags&gosnmp.AuthPriv == level:
		r.strangers++
		u.AuthoritativeEngineID, u.AuthoritativeEngineBoots, u.AuthoritativeEngineTime = r.engine, 1, 1
		u.UserName, u.AuthenticationParameters, u.PrivacyParameters = "", "", nil
		p.MsgFlags = gosnmp.NoAuthNoPriv
		p.ContextEngineID = r.engine
		p.Variables = []gosnmp.SnmpPDU{{Name: unknownEngineIDs, Type: gosnmp.Counter32, Value: uint32(r.strangers)}} //nolint:gosec // it may wrap
		report, err = respond(p, gosnmp.Report)
		return report, errors.Join(errNoNotice, err)
	case !known || p.MsgFlags&gosnmp.AuthPriv != level:
		return nil, errStranger
	}
	return nil, nil
}

// respond makes a packet the answer to itself.
func respond(p *gosnmp.SnmpPacket, as gosnmp.PDUType) ([]byte, error) {
	p.PDUType, p.Error, p.ErrorIndex = as, gosnmp.NoError, 0
	p.MsgFlags &^= gosnmp.Reportable
	if p.Version == gosnmp.Version3 && p.MsgFlags&gosnmp.AuthPriv > gosnmp.AuthNoPriv {
		if err := p.SecurityParameters.InitPacket(p); err != nil { // a salt of our own
			return nil, errNoNotice
		}
	}
	answer, err := p.MarshalMsg()
	if err != nil {
		return nil, errNoNotice
	}
	return answer, nil
}

// notice is what a packet says.
func notice(p *gosnmp.SnmpPacket) (Notice, error) {
	n := Notice{Inform: p.PDUType == gosnmp.InformRequest}
	if u, ok := p.SecurityParameters.(*gosnmp.UsmSecurityParameters); ok && p.Version == gosnmp.Version3 {
		n.User = u.UserName
	}
	all := values{}
	for _, v := range p.Variables {
		all[v.Name] = v
		n.Vars = append(n.Vars, Var{strings.TrimPrefix(v.Name, "."), all.said(v.Name)})
	}
	switch {
	case p.PDUType == gosnmp.SNMPv2Trap || n.Inform:
		n.Trap = strings.TrimPrefix(all.text(snmpTrapOID), ".")
	case p.PDUType == gosnmp.Trap && p.GenericTrap == specificTrap: // as RFC 3584, section 3.1, puts it
		n.Trap = fmt.Sprintf("%s.0.%d", strings.TrimPrefix(p.Enterprise, "."), p.SpecificTrap)
	case p.PDUType == gosnmp.Trap:
		n.Trap = fmt.Sprintf("%s%d", genericTraps, p.GenericTrap+1)
	}
	if n.Trap == "" {
		return Notice{}, errNoNotice
	}
	return n, nil
}

// said is any object's value for people.
func (v values) said(oid string) string {
	switch v[oid].Type {
	case gosnmp.OctetString, gosnmp.ObjectIdentifier, gosnmp.IPAddress:
		return v.text(oid)
	case gosnmp.Integer, gosnmp.Counter32, gosnmp.Gauge32, gosnmp.TimeTicks, gosnmp.Counter64, gosnmp.Uinteger32:
		return gosnmp.ToBigInt(v[oid].Value).String()
	}
	return ""
}
