package main

import (
	"testing"

	"belay/devices"
	"belay/drivers"
)

// TestTelnetIsOffUnlessTheDeviceSaysSo: and only for what is typed at a prompt.
func TestTelnetIsOffUnlessTheDeviceSaysSo(t *testing.T) {
	t.Parallel()
	c, err := drivers.Load("")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		driver string
		also   []string
		want   bool
	}{
		{"cisco_ios", nil, false},
		{"cisco_ios", []string{"startup", "transfer"}, false},
		{"cisco_ios", []string{"telnet"}, true},
		{"frr", []string{"telnet"}, false}, // read by channels of its own
	} {
		with, err := c.Find(tt.driver)
		if err != nil {
			t.Fatal(err)
		}
		if got := byTelnet(devices.Device{Also: tt.also}, with); got != tt.want {
			t.Errorf("%s with %v: %v", tt.driver, tt.also, got)
		}
	}
}
