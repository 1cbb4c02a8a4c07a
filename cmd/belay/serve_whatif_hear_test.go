package main

import (
	"errors"
	"net"
	"strings"
	"testing"
)

func TestWhatCouldNotHearHearsWhenItCan(t *testing.T) {
	t.Parallel()
	taken, err := net.ListenPacket("udp", ownHost()+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	b := setBench(t, "events: {syslog: {udp: '"+taken.LocalAddr().String()+"'}}\n", "fw")
	t.Cleanup(b.events.close)
	w, leave := b.live.use()
	t.Cleanup(leave)
	standing := func() int {
		t.Helper()
		list, err := w.alarms.Standing(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	b.hear(t.Context())
	for range 3 {
		if err := b.hearAgain(t.Context(), w); err == nil {
			t.Fatal("nobody is told that the port is taken")
		}
	}
	if n := strings.Count(b.said(), "not heard of"); n != 1 || standing() != 1 {
		t.Errorf("it was said %d times, %d alarms stand", n, standing())
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.hearAgain(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if b.events.hearing == nil || standing() != 0 {
		t.Errorf("it does not hear, or %d alarms stand", standing())
	}
	first := b.events.hearing
	if err := b.hearAgain(t.Context(), w); err != nil || b.events.hearing != first {
		t.Errorf("what hears was begun anew: %v", err)
	}
	b.events.broke(errors.New("it ended by itself"))
	if err := b.hearAgain(t.Context(), w); err != nil || b.events.hearing == first || b.events.hearing == nil {
		t.Errorf("what had ended was not begun anew: %v", err)
	}
}
