package events

import (
	"net"
	"net/netip"
)

// trapDatagram hears one trap or inform, and answers the latter. It runs in one
// goroutine, as a snmp.Receiver wants it.
func (l *Listeners) trapDatagram(from netip.AddrPort, datagram []byte) {
	addr := plain(from.Addr())
	if !l.admit(addr) {
		return
	}
	n, answer, err := l.ears.Receiver.Read(datagram)
	if answer != nil {
		_, _ = l.traps.WriteTo(answer, net.UDPAddrFromAddrPort(from)) // lost, it is asked for again
	}
	if err != nil {
		if answer == nil {
			l.count.foreign.Add(1)
		}
		return
	}
	l.say(Event{From: addr, Kind: Trap, Trap: n.Trap, Vars: n.Vars})
}
