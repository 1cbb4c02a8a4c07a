package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"belay/devices"
)

const handshakeForTests = 2 * time.Second // which a busy machine keeps

// answerAll says yes to a session's requests up to and including the last.
func answerAll(reqs <-chan *ssh.Request, last string, no ...string) map[string][]byte {
	got := map[string][]byte{}
	for r := range reqs {
		got[r.Type] = r.Payload
		ok := !strings.Contains(strings.Join(no, ","), r.Type)
		if r.WantReply {
			r.Reply(ok, nil)
		}
		if r.Type == last {
			break
		}
	}
	go ssh.DiscardRequests(reqs)
	return got
}

func sendStatus(ch ssh.Channel, status uint32) {
	ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
}

func TestAShellIsATerminalWideAndHigh(t *testing.T) {
	t.Parallel()
	asked := make(chan map[string][]byte, 2)
	p := startPeer(t, func(p *peer) {
		p.session = func(ch ssh.Channel, reqs <-chan *ssh.Request) {
			asked <- answerAll(reqs, "shell")
			line := make([]byte, 5)
			if _, err := io.ReadFull(ch, line); err != nil {
				return
			}
			fmt.Fprintf(ch, "out %s", line)
			fmt.Fprint(ch.Stderr(), "err")
		}
	})
	c := open(t, p, &Dialer{}, with(login("a", rightPassword)))
	for _, term := range []devices.Terminal{{}, {Type: "dumb", Width: 80, Height: 24}} {
		s, err := c.Shell(soon(t), term)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(s, "hello"); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(s)
		if err != nil || !strings.Contains(string(got), "out hello") || !strings.Contains(string(got), "err") {
			t.Errorf("read %q, %v: want both streams and io.EOF", got, err)
		}
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Error(err)
		}
		var pty struct {
			Term                         string
			Columns, Rows, Width, Height uint32
			Modes                        string
		}
		if err := ssh.Unmarshal((<-asked)["pty-req"], &pty); err != nil {
			t.Fatal(err)
		}
		want := devices.Terminal{Type: "vt100", Width: 511, Height: 1000}
		if term.Type != "" {
			want = term
		}
		if got := (devices.Terminal{Type: pty.Term, Width: int(pty.Columns), Height: int(pty.Rows)}); got != want {
			t.Errorf("terminal %+v, want %+v", got, want)
		}
		// RFC 4254, section 8: ECHO is 53, the speeds are 128 and 129.
		if want := "\x35\x00\x00\x00\x01\x80\x00\x00\x96\x00\x81\x00\x00\x96\x00\x00"; pty.Modes != want {
			t.Errorf("modes %q, want %q", pty.Modes, want)
		}
	}
}

func TestAServerWithoutTerminalsStillGivesAShell(t *testing.T) {
	t.Parallel()
	p := startPeer(t, func(p *peer) {
		p.session = func(ch ssh.Channel, reqs <-chan *ssh.Request) {
			answerAll(reqs, "shell", "pty-req")
			io.WriteString(ch, "router>")
		}
	})
	s, err := open(t, p, &Dialer{}, with(login("a", rightPassword))).Shell(soon(t), devices.Terminal{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(s); err != nil || string(got) != "router>" {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestARefusedSessionIsDenied(t *testing.T) {
	t.Parallel()
	none := startPeer(t, nil)
	c := open(t, none, &Dialer{}, with(login("a", rightPassword)))
	if _, err := c.Shell(soon(t), devices.Terminal{}); err == nil {
		t.Error("a shell without a session")
	} else {
		mustSay(t, err, devices.Denied, "open a shell on", "no more sessions")
	}
	deaf := startPeer(t, func(p *peer) {
		p.session = func(ch ssh.Channel, reqs <-chan *ssh.Request) { answerAll(reqs, "", "shell", "exec") }
	})
	c = open(t, deaf, &Dialer{}, with(login("a", rightPassword)))
	if _, err := c.Shell(soon(t), devices.Terminal{}); err == nil {
		t.Error("a shell that was refused")
	} else {
		mustSay(t, err, devices.Denied, "gives no shell")
	}
	if status, err := c.Run(soon(t), "show", io.Discard); err == nil || status != -1 {
		t.Errorf("a command that was refused: %d, %v", status, err)
	} else {
		mustSay(t, err, devices.Denied, "run a command on")
	}
}

func TestADeviceThatDoesNotAnswerTheShellIsHungUpOn(t *testing.T) {
	t.Parallel()
	p := startPeer(t, func(p *peer) {
		p.session = func(_ ssh.Channel, reqs <-chan *ssh.Request) {
			for range reqs { // no reply, ever
			}
		}
	})
	c := open(t, p, &Dialer{Handshake: 3 * time.Second}, with(login("a", rightPassword)))
	if _, err := c.Shell(soon(t), devices.Terminal{}); err == nil {
		t.Error("a shell that nobody gave")
	} else {
		mustSay(t, err, devices.Unreachable, "no answer within 3s")
	}
	eventually(t, "the connection is closed", func() bool { return p.open.Load() == 0 })
}

// hanging answers every request and then says nothing more.
func hanging(p *peer) {
	p.session = func(ch ssh.Channel, reqs <-chan *ssh.Request) {
		io.WriteString(ch, "begin")
		for r := range reqs {
			if r.WantReply {
				r.Reply(true, nil)
			}
		}
	}
}

func TestCancelingEndsAShellAndACommandAtOnce(t *testing.T) {
	t.Parallel()
	p := startPeer(t, hanging)
	ctx, cancel := context.WithCancel(soon(t))
	s, err := open(t, p, &Dialer{}, with(login("a", rightPassword))).Shell(ctx, devices.Terminal{})
	if err != nil {
		t.Fatal(err)
	}
	begin := make([]byte, len("begin"))
	if _, err := io.ReadFull(s, begin); err != nil || string(begin) != "begin" {
		t.Errorf("read %q, %v", begin, err)
	}
	cancel()
	if got, err := io.ReadAll(s); len(got) > 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("read %q, %v", got, err)
	}
	if _, err := s.Write([]byte("x")); err == nil {
		t.Error("a write after the end succeeded")
	}

	ctx, cancel = context.WithCancel(soon(t))
	defer cancel()
	var got lockedBuffer
	go func() { // once something has come
		for got.String() == "" && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	status, err := open(t, p, &Dialer{}, with(login("a", rightPassword))).Run(ctx, "show", &got)
	if status != -1 || !errors.Is(err, context.Canceled) || got.String() != "begin" {
		t.Errorf("status %d, %q, %v", status, got.String(), err)
	}
	eventually(t, "both connections are closed", func() bool { return p.open.Load() == 0 })
}

func TestClosingAClientEndsItsShell(t *testing.T) {
	t.Parallel()
	p := startPeer(t, hanging)
	c := open(t, p, &Dialer{}, with(login("a", rightPassword)))
	s, err := c.Shell(soon(t), devices.Terminal{})
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(20*time.Millisecond, func() { c.Close() })
	if _, err := io.ReadAll(s); !errors.Is(err, errClosed) {
		t.Errorf("read ends with %v", err)
	}
	s.Close()
	c.Close()
	if _, err := c.Shell(soon(t), devices.Terminal{}); err == nil {
		t.Error("a closed client gives a shell")
	}
}

func TestStandardErrorStaysApart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, out, err string
		status         int
		want           string
	}{
		{"a warning beside the text", "config\n", "warning\n", 0, "config\n"},
		{"a failed command", "half\n", "no such file\n", 2, "half\nno such file\n"},
		{"a failure without a status", "", "denied\n", -1, "denied\n"},
		{"no status", "config\n", "warning\n", -1, "config\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := startPeer(t, func(p *peer) {
				p.session = func(ch ssh.Channel, reqs <-chan *ssh.Request) {
					answerAll(reqs, "exec")
					io.WriteString(ch.Stderr(), c.err)
					io.WriteString(ch, c.out)
					if c.status >= 0 {
						sendStatus(ch, uint32(c.status))
					}
				}
			})
			var got lockedBuffer
			status, err := open(t, p, &Dialer{}, with(login("a", rightPassword))).Run(soon(t), "show", &got)
			if err != nil || status != c.status || got.String() != c.want {
				t.Errorf("status %d, output %q, %v; want %d, %q", status, got.String(), err, c.status, c.want)
			}
		})
	}
}

func TestAWriterThatFailsEndsTheCommand(t *testing.T) {
	t.Parallel()
	full := errors.New("too much")
	p := startPeer(t, hanging)
	_, err := open(t, p, &Dialer{}, with(login("a", rightPassword))).Run(soon(t), "show", failing{full})
	if !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestADeadConnectionIsFoundByItsSilence(t *testing.T) {
	t.Parallel()
	p := startPeer(t, func(p *peer) {
		hanging(p)
		p.global = func(reqs <-chan *ssh.Request) {
			for range reqs { // no reply: as dead as can be made over loopback
			}
		}
	})
	s, err := open(t, p, &Dialer{Keepalive: time.Second}, with(login("a", rightPassword))).Shell(soon(t), devices.Terminal{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(s); !errors.Is(err, errDead) {
		t.Errorf("read ends with %v", err)
	}
	eventually(t, "the connection is closed", func() bool { return p.open.Load() == 0 })
}

func TestSignsOfLifeAreAskedForOnlyWhereTheyMayBe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		silence bool // NoKeepalive
		talks   bool
		asked   bool
	}{{"silent device", false, false, true}, {"driver forbids", true, false, false}, {"talking device", false, true, false}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			asked := make(chan string, 100)
			p := startPeer(t, func(p *peer) {
				hanging(p)
				p.global = func(reqs <-chan *ssh.Request) {
					for r := range reqs {
						asked <- r.Type
						r.Reply(false, nil)
					}
				}
				if c.talks {
					p.session = func(ch ssh.Channel, reqs <-chan *ssh.Request) {
						answerAll(reqs, "shell")
						for range 40 {
							if _, err := ch.Write([]byte(".")); err != nil {
								return
							}
							time.Sleep(100 * time.Millisecond)
						}
					}
				}
			})
			o := with(login("a", rightPassword))
			o.NoKeepalive = c.silence
			limit := time.Second
			if c.talks {
				limit = 3 * time.Second // between two words a busy machine may rest
			}
			s, err := open(t, p, &Dialer{Keepalive: limit}, o).Shell(soon(t), devices.Terminal{})
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { _, err := io.ReadAll(s); ended <- err }()
			over := limit + 300*time.Millisecond
			if c.asked {
				over = 20 * time.Second
			}
			what := ""
			select {
			case what = <-asked:
			case <-time.After(over):
			}
			s.Close()
			if err := <-ended; err != nil && !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("the shell ended with %v", err)
			}
			if want := map[bool]string{true: "keepalive@openssh.com"}[c.asked]; what != want {
				t.Errorf("asked %q, want %q", what, want)
			}
		})
	}
}
