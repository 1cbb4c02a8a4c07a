package devices_test

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"belay/devices"
)

func TestAnAddressThatIsGivenUpInAMomentIsWaitedFor(t *testing.T) {
	t.Parallel()
	first, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tries := 0
	again := func() (net.Listener, error) {
		if tries++; tries == 3 {
			first.Close()
		}
		return net.Listen("tcp", first.Addr().String())
	}
	second, err := devices.Listen(t.Context(), again)
	if err != nil || tries < 3 {
		t.Fatalf("after %d tries: %v", tries, err)
	}
	defer second.Close()
	began := time.Now()
	if _, err := devices.Listen(t.Context(), again); !errors.Is(err, syscall.EADDRINUSE) || time.Since(began) > time.Minute {
		t.Errorf("one that stays taken: %v after %v", err, time.Since(began))
	}
}
