package snmp

import (
	"testing"

	"github.com/gosnmp/gosnmp"
)

func TestNobodyWithoutANameIsBelievedAndWhoIsMisledIsToldWhoWeAre(t *testing.T) {
	t.Parallel()
	const engine = "\x80\x00\x00\x00\x05engine"
	r, err := NewReceiver(nil, []Credentials{{Version: "3", User: "open"}}, []byte(engine))
	if err != nil {
		t.Fatal(err)
	}
	send := func(user, to string, what gosnmp.PDUType) (Notice, *gosnmp.SnmpPacket, error) {
		t.Helper()
		p := &gosnmp.SnmpPacket{Version: gosnmp.Version3, MsgFlags: gosnmp.NoAuthNoPriv | gosnmp.Reportable, SecurityModel: gosnmp.UserSecurityModel, PDUType: what,
			SecurityParameters: &gosnmp.UsmSecurityParameters{UserName: user, AuthoritativeEngineID: to, AuthenticationProtocol: gosnmp.NoAuth, PrivacyProtocol: gosnmp.NoPriv},
			Variables:          []gosnmp.SnmpPDU{{Name: sysUpTime, Type: gosnmp.TimeTicks, Value: uint32(1)}, {Name: snmpTrapOID, Type: gosnmp.ObjectIdentifier, Value: ".1.3.6.1.4.1.9.9.43.2.0.1"}}}
		datagram, err := p.MarshalMsg()
		if err != nil {
			t.Fatal(err)
		}
		n, answer, err := r.Read(datagram)
		if answer == nil {
			return n, nil, err
		}
		said := &gosnmp.GoSNMP{Version: gosnmp.Version3, SecurityModel: gosnmp.UserSecurityModel, SecurityParameters: &gosnmp.UsmSecurityParameters{UserName: user, AuthenticationProtocol: gosnmp.NoAuth, PrivacyProtocol: gosnmp.NoPriv}}
		got, wrong := said.SnmpDecodePacket(answer)
		if wrong != nil {
			t.Fatal(wrong)
		}
		if got.MsgFlags&gosnmp.Reportable != 0 {
			t.Error("an answer asks for a report")
		}
		return n, got, err
	}
	for _, what := range []gosnmp.PDUType{gosnmp.SNMPv2Trap, gosnmp.InformRequest} {
		for _, to := range []string{engine, "another engine"} {
			if n, answer, err := send("", to, what); err == nil || answer != nil {
				t.Errorf("%v of nobody: %+v, %v", what, n, answer)
			}
		}
	}
	if n, answer, err := send("open", "another engine", gosnmp.SNMPv2Trap); err != nil || answer != nil || n.Trap != "1.3.6.1.4.1.9.9.43.2.0.1" || n.User != "open" {
		t.Errorf("%+v, %v, %v", n, answer, err)
	}
	if n, answer, err := send("open", engine, gosnmp.InformRequest); err != nil || answer == nil || answer.PDUType != gosnmp.GetResponse || !n.Inform {
		t.Errorf("%+v, %v, %v", n, answer, err)
	}
	n, answer, err := send("open", "another engine", gosnmp.InformRequest)
	if err == nil || answer == nil || answer.PDUType != gosnmp.Report || n.Trap != "" {
		t.Fatalf("%+v, %v, %v", n, answer, err)
	}
	if u, ok := answer.SecurityParameters.(*gosnmp.UsmSecurityParameters); !ok || u.AuthoritativeEngineID != engine {
		t.Errorf("%+v", answer.SecurityParameters)
	}
}
