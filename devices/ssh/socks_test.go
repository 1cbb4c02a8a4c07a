package ssh

import (
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"belay/devices"
)

// socks5 is just enough of RFC 1928 and RFC 1929.
func socks5(t *testing.T, user, pw string) string {
	t.Helper()
	return listen(t, func(c net.Conn) {
		read := func(n int) []byte {
			b := make([]byte, n)
			if _, err := io.ReadFull(c, b); err != nil {
				return make([]byte, n)
			}
			return b
		}
		read(int(read(2)[1]))
		c.Write([]byte{5, 2})
		gotUser := string(read(int(read(2)[1])))
		gotPassword := string(read(int(read(1)[0])))
		if gotUser != user || gotPassword != pw {
			c.Write([]byte{1, 1})
			return
		}
		c.Write([]byte{1, 0})
		if head := read(4); head[3] != 1 {
			return
		}
		address := net.IP(read(4)).String()
		to, err := net.Dial("tcp", net.JoinHostPort(address, strconv.Itoa(int(binary.BigEndian.Uint16(read(2))))))
		if err != nil {
			c.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0})
			return
		}
		defer to.Close()
		c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		var wg sync.WaitGroup
		wg.Go(func() {
			io.Copy(to, c)
			to.Close()
		})
		io.Copy(c, to)
		c.Close()
		wg.Wait()
	})
}

func TestADeviceIsReachedThroughASOCKS5Proxy(t *testing.T) {
	t.Parallel()
	p := startPeer(t, nil)
	proxy := socks5(t, "u", "canary-proxy")
	d := &Dialer{HostKeys: trusting(p.address, p.key.PublicKey())}
	dev := device(t, p.address)
	dev.Proxy = "socks5://u:canary-proxy@" + proxy
	c, err := d.Dial(t.Context(), dev, with(login("a", rightPassword)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, want := c.Reached().Via, []string{"socks5://" + proxy}; !slices.Equal(got, want) {
		t.Errorf("via %v, want %v", got, want)
	}

	dev.Proxy = "socks5://u:canary-wrong@" + proxy
	failsWith(t, d, dev, with(login("a", rightPassword)), devices.Unreachable, "SOCKS5 proxy")
	dev.Proxy = "socks5://u:canary-proxy@" + proxy
	dev.Port = 1
	failsWith(t, d, dev, with(login("a", rightPassword)), devices.Unreachable, "SOCKS5 proxy")

	address, hungUp := silent(t)
	dev.Proxy = "socks5://" + address
	failsWith(t, &Dialer{HostKeys: d.HostKeys, Handshake: 200 * time.Millisecond}, dev, with(login("a", rightPassword)), devices.Unreachable, "no TCP connection within 200ms")
	waitFor(t, "the connection to the proxy is closed", hungUp)
}
