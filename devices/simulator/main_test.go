package simulator

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"belay/devices"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const config = "show running-config"

func transcript(t *testing.T, name string) *Transcript {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	tr, err := Parse(name, data)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// lab is the switch without gates, with a fault.
func lab(t *testing.T, fault string) *Device {
	t.Helper()
	f, err := ParseFault(fault)
	if err != nil {
		t.Fatal(err)
	}
	tr := transcript(t, "switch.txtar")
	tr.Gates = nil
	return &Device{T: tr, Fault: f}
}

// A talk is a client that types and reads.
type talk struct {
	t        *testing.T
	rw       io.ReadWriteCloser
	segments []string
}

// shell opens a shell in memory.
func shellOf(t *testing.T, d *Device) *talk {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	c := d.Conn()
	rw, err := c.Shell(ctx, devices.Terminal{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(); cancel() })
	return &talk{t: t, rw: rw}
}

func (k *talk) typed(s string) {
	k.t.Helper()
	if _, err := io.WriteString(k.rw, s); err != nil {
		k.t.Fatalf("type %q: %v", s, err)
	}
}

// until reads until the text ends in one of the given ways.
func (k *talk) until(ends ...string) string {
	k.t.Helper()
	var text strings.Builder
	buffer := make([]byte, 65536)
	stuck := time.AfterFunc(20*time.Second, func() { _ = k.rw.Close() }) // so that a wait for the wrong text ends
	defer stuck.Stop()
	for {
		n, err := k.rw.Read(buffer)
		if n > 0 {
			k.segments = append(k.segments, string(buffer[:n]))
			text.Write(buffer[:n])
		}
		for _, end := range ends {
			if strings.HasSuffix(text.String(), end) {
				return text.String()
			}
		}
		if err != nil {
			k.t.Fatalf("after %q: %v", text.String(), err)
		}
	}
}

// rest reads to the end, whatever that is.
func (k *talk) rest() (string, error) {
	b, err := io.ReadAll(k.rw)
	return string(b), err
}

// privileged logs in up to the privileged prompt.
func (k *talk) privileged() *talk {
	k.t.Helper()
	k.until("lab-sw-1>")
	k.typed("enable\n")
	k.until("Password: ")
	k.typed("canary-enable-switch\n")
	k.until("lab-sw-1#")
	k.segments = nil
	return k
}

// ask types a command and returns what comes, up to the prompt.
func (k *talk) ask(command string) string {
	k.t.Helper()
	k.typed(command + "\n")
	return k.until("\nlab-sw-1#")
}

// said is what an undisturbed switch says to a command, echo and prompt included.
func said(tr *Transcript, command string) string {
	text := command + "\n" + tr.Answers[command].Text() + tr.Prompt
	return strings.ReplaceAll(text, "\n", "\r\n")
}
