package receive

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pin/tftp/v3"
	"go.uber.org/goleak"

	"belay/devices"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var here = []netip.Addr{netip.MustParseAddr("127.0.0.1")}

// expecting is a receiver that expects one file by TFTP.
func expecting(t *testing.T, r *Receiver, from ...netip.Addr) *File {
	t.Helper()
	if r.TFTP == "" {
		r.TFTP = "127.0.0.1:0"
	}
	r.Pause = 50 * time.Millisecond
	if from == nil {
		from = here
	}
	f, err := r.Expect(t.Context(), TFTP, from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	t.Cleanup(f.Close)
	return f
}

// put sends a text as devices do.
func put(t *testing.T, port int, name string, text io.Reader, size int) error {
	t.Helper()
	c, err := tftp.NewClient(net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	c.SetTimeout(200 * time.Millisecond)
	c.RequestTSize(size > 0)
	out, err := c.Send(name, "octet")
	if err != nil {
		return err
	}
	if o, ok := out.(tftp.OutgoingTransfer); ok && size > 0 {
		o.SetSize(int64(size))
	}
	_, err = out.ReadFrom(text)
	return err
}

func arrived(t *testing.T, f *File) ([]byte, error) {
	t.Helper()
	select {
	case <-f.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came of it")
	}
	return f.Text()
}

const text = "hostname sw-1\nend\n"

func TestAFileThatWasAskedForIsTakenOnce(t *testing.T) {
	t.Parallel()
	r := &Receiver{}
	f := expecting(t, r)
	if len(f.Name) != 26 {
		t.Errorf("the name has %d letters: some devices take 31 at most, and fewer than 26 can be guessed", len(f.Name))
	}
	big := strings.Repeat(text, 5000)
	if err := put(t, f.Port, "/"+f.Name, strings.NewReader(big), 0); err != nil {
		t.Fatal(err)
	}
	if got, err := arrived(t, f); err != nil || string(got) != big {
		t.Errorf("%d bytes of %d, %v", len(got), len(big), err)
	}
	if err := put(t, f.Port, f.Name, strings.NewReader("another text"), 0); err == nil {
		t.Error("a second file of that name was taken")
	}
	if got, err := f.Text(); err != nil || string(got) != big {
		t.Errorf("the second file took the place of the first: %v", err)
	}
	if n := r.Refused(); n[Twice] != 1 || len(n) != 1 {
		t.Errorf("counted %v", n)
	}
}

func TestWhatComesUnaskedIsRefusedAndCounted(t *testing.T) {
	t.Parallel()
	r := &Receiver{}
	f := expecting(t, r)
	if err := put(t, f.Port, "running-config", strings.NewReader(text), 0); err == nil {
		t.Error("a file nobody asked for was taken")
	}
	c, err := tftp.NewClient(net.JoinHostPort("127.0.0.1", strconv.Itoa(f.Port)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Receive(f.Name, "octet"); err == nil {
		t.Error("a file could be read")
	}
	if n := r.Refused(); n[Unasked] != 1 || n[NotAWrite] != 1 || len(n) != 2 {
		t.Errorf("counted %v", n)
	}
	if _, begun := f.Size(); begun {
		t.Error("what was refused counts as the file")
	}
}

func TestAnotherDevicesAddressIsRefused(t *testing.T) {
	t.Parallel()
	r := &Receiver{}
	f := expecting(t, r, netip.MustParseAddr("192.0.2.7"))
	if err := put(t, f.Port, f.Name, strings.NewReader(text), 0); err == nil {
		t.Error("a file from another address was taken")
	}
	if n := r.Refused(); n[Stranger] != 1 {
		t.Errorf("counted %v", n)
	}
	_, err := f.Text()
	if err == nil || !strings.Contains(err.Error(), "from 127.0.0.1 was refused") {
		t.Errorf("the error says nothing of who it was: %v", err)
	}
}

func TestALateFileIsRefused(t *testing.T) {
	t.Parallel()
	r := &Receiver{Life: time.Millisecond}
	f := expecting(t, r)
	if _, err := arrived(t, f); err == nil || !strings.Contains(err.Error(), "nothing came in time") {
		t.Errorf("%v", err)
	}
	if err := put(t, f.Port, f.Name, strings.NewReader(text), 0); err == nil {
		t.Error("a late file was taken")
	}
	if n := r.Refused(); n[Late] != 1 {
		t.Errorf("counted %v", n)
	}
}

func TestAFileThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"announced": 2000, "not announced": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &Receiver{Most: 1000}
			f := expecting(t, r)
			if err := put(t, f.Port, f.Name, strings.NewReader(strings.Repeat("x", 2000)), size); err == nil {
				t.Error("it was taken")
			}
			_, err := arrived(t, f)
			var fault *Fault
			if !errors.As(err, &fault) || !fault.TooLarge {
				t.Errorf("%v", err)
			}
			if n := r.Refused(); n[TooLarge] != 1 {
				t.Errorf("counted %v", n)
			}
		})
	}
}

func TestAFileOfExactlyTheMostIsTaken(t *testing.T) {
	t.Parallel()
	f := expecting(t, &Receiver{Most: 1024})
	if err := put(t, f.Port, f.Name, bytes.NewReader(make([]byte, 1024)), 1024); err != nil {
		t.Error(err)
	}
	if got, err := arrived(t, f); err != nil || len(got) != 1024 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// breaking gives so much and then an error.
type breaking struct{ left int }

func (b *breaking) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, errors.New("broken")
	}
	n := min(len(p), b.left)
	b.left -= n
	return n, nil
}

func TestAFileThatTheDeviceBreaksOffIsNoFile(t *testing.T) {
	t.Parallel()
	f := expecting(t, &Receiver{})
	if err := put(t, f.Port, f.Name, &breaking{2000}, 0); err == nil {
		t.Fatal("it did not break off")
	}
	if got, err := arrived(t, f); err == nil || got != nil || !strings.Contains(err.Error(), "broke off") {
		t.Errorf("%q %v", got, err)
	}
}

func TestThePortIsFreeBetweenTransfersAndSharedAmongThem(t *testing.T) {
	t.Parallel()
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := taken.LocalAddr().String()
	r := &Receiver{TFTP: at, Patience: 50 * time.Millisecond}
	if _, err := r.Expect(t.Context(), TFTP, here); devices.KindOf(err) != devices.Usage || devices.HintOf(err) == "" {
		t.Errorf("a port that is taken: %v", err)
	}
	r.Patience = 10 * time.Second
	time.AfterFunc(150*time.Millisecond, func() { _ = taken.Close() })
	one, two := expecting(t, r), expecting(t, r)
	if one.Port != two.Port || one.Name == two.Name {
		t.Errorf("ports %d and %d, names %s and %s", one.Port, two.Port, one.Name, two.Name)
	}
	one.Close()
	one.Close()
	if err := put(t, two.Port, two.Name, strings.NewReader(text), 0); err != nil {
		t.Errorf("the first to leave shut the door on the second: %v", err)
	}
	two.Close()
	again, err := net.ListenPacket("udp", at)
	if err != nil {
		t.Errorf("the port is still taken: %v", err)
	} else {
		again.Close()
	}
}

func TestWhereNothingListensIsSaid(t *testing.T) {
	t.Parallel()
	_, err := (&Receiver{}).Expect(t.Context(), SFTP, here)
	if devices.KindOf(err) != devices.Usage || !strings.Contains(devices.HintOf(err), "receive: {sftp:") {
		t.Errorf("%v, hint %q", err, devices.HintOf(err))
	}
}

func TestNothingIsTakenAfterTheFileIsClosed(t *testing.T) {
	t.Parallel()
	r := &Receiver{}
	keep, f := expecting(t, r), expecting(t, r)
	f.Close()
	if err := put(t, keep.Port, f.Name, strings.NewReader(text), 0); err == nil {
		t.Error("it was taken")
	}
	if _, err := arrived(t, f); err == nil {
		t.Error("there is a file")
	}
	if n := r.Refused(); n[Unasked] != 1 {
		t.Errorf("counted %v", n)
	}
}
