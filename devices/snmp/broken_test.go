package snmp

import (
	"strings"
	"testing"

	"belay/devices"
)

func TestAnAnswerThatBreaksTheLibraryBreaksNothingElse(t *testing.T) {
	t.Parallel()
	p := Probe{Credentials: []Credentials{{Version: "2c", Community: devices.NewSecret("public")}}}
	err := p.each(t.Context(), 0, func(Probe, Credentials, uint16) error {
		var packet []byte
		_ = packet[len(packet):][3] // as a length that is not there
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "makes no sense") || devices.KindOf(err) == devices.Unreachable {
		t.Errorf("it is %v", err)
	}
}
