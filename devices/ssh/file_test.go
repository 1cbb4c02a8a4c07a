package ssh

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"belay/devices"
)

// A filed file is what an SFTP server of ours gives, however large it says it is.
type filed struct {
	text  string
	size  int64
	dir   bool
	fails error
}

func (f filed) Fileread(r *sftp.Request) (io.ReaderAt, error) {
	if f.fails != nil {
		return nil, f.fails
	}
	return strings.NewReader(f.text), nil
}

func (f filed) Filewrite(*sftp.Request) (io.WriterAt, error) {
	return nil, sftp.ErrSSHFxPermissionDenied
}
func (f filed) Filecmd(*sftp.Request) error { return sftp.ErrSSHFxPermissionDenied }
func (f filed) Filelist(*sftp.Request) (sftp.ListerAt, error) {
	return f, nil
}

func (f filed) ListAt(infos []os.FileInfo, _ int64) (int, error) { infos[0] = f; return 1, nil }
func (f filed) Name() string                                     { return "file" }
func (f filed) Size() int64                                      { return f.size }
func (f filed) ModTime() time.Time                               { return time.Unix(0, 0) }
func (f filed) IsDir() bool                                      { return f.dir }
func (f filed) Sys() any                                         { return nil }
func (f filed) Mode() fs.FileMode {
	if f.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}

// transfers makes a peer whose every session is one transfer: of a subsystem, or
// of a command. nil refuses it.
func transfers(subsystem func(ssh.Channel), command func(ssh.Channel, string) (status int)) func(*peer) {
	return func(p *peer) {
		p.session = func(ch ssh.Channel, reqs <-chan *ssh.Request) {
			for r := range reqs {
				var name struct{ Name string }
				_ = ssh.Unmarshal(r.Payload, &name)
				yes := r.Type == "subsystem" && subsystem != nil || r.Type == "exec" && command != nil
				_ = r.Reply(yes, nil)
				if !yes {
					continue
				}
				if r.Type == "subsystem" {
					subsystem(ch)
				} else if status := command(ch, name.Name); status >= 0 {
					_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(status)}))
				}
				return
			}
		}
	}
}

func serveSFTP(f filed) func(ssh.Channel) {
	return func(ch ssh.Channel) {
		s := sftp.NewRequestServer(ch, sftp.Handlers{FileGet: f, FilePut: f, FileCmd: f, FileList: f})
		_ = s.Serve()
		_ = s.Close()
	}
}

// says plays the other side of scp: the client's zero before each part, and what
// is left over at the end.
func says(t *testing.T, status int, parts ...string) func(ssh.Channel, string) int {
	return func(ch ssh.Channel, command string) int {
		if command != "scp -f /conf/startup" {
			t.Errorf("command %q", command)
		}
		zero := make([]byte, 1)
		for _, part := range parts {
			if _, err := io.ReadFull(ch, zero); part == "" && err != nil {
				return status // the client, who has all of it, may hang up before that is read
			} else if err != nil || zero[0] != 0 {
				t.Errorf("%.40q: before %q came %v, %v; want a zero", parts, part, zero, err)
				return -1
			}
			_, _ = io.WriteString(ch, part)
		}
		return status
	}
}

// endless declines a file in a line that does not end.
func endless(ch ssh.Channel, _ string) int {
	_, err := io.WriteString(ch, "\x01scp: No such file ")
	for err == nil {
		_, err = io.WriteString(ch, strings.Repeat("canary ", 4000))
	}
	return 1
}

func get(t *testing.T, p *peer) (string, error) {
	t.Helper()
	c := open(t, p, &Dialer{}, with(login("main", rightPassword)))
	var out bytes.Buffer
	err := c.Get(soon(t), "/conf/startup", &out)
	return out.String(), err
}

func TestAFileIsFetchedWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\x00\xff\r\nvlan 7\n", 30_000)
	for name, c := range map[string]struct {
		sftp  func(ssh.Channel)
		scp   func(ssh.Channel, string) int
		want  string
		says  string // of the error
		not   error  // an error that it is
		given bool   // false: the device declined, and nothing was written
	}{
		"by SFTP":                       {sftp: serveSFTP(filed{text: long, size: int64(len(long))}), want: long, given: true},
		"by SFTP, small":                {sftp: serveSFTP(filed{text: "x", size: 1}), want: "x", given: true},
		"by SFTP, empty":                {sftp: serveSFTP(filed{}), want: "", given: true},
		"by SFTP, no size told":         {sftp: serveSFTP(filed{text: "x\n", size: 0}), want: "x\n", given: true},
		"by SFTP, less than it should":  {sftp: serveSFTP(filed{text: "x\n", size: 3}), says: "2 bytes came of 3", given: true},
		"by SFTP, more than it should":  {sftp: serveSFTP(filed{text: "xyz\n", size: 3}), says: "4 bytes came of 3", given: true},
		"by SFTP, long and cut":         {sftp: serveSFTP(filed{text: long, size: int64(len(long)) + 1}), says: "bytes came of", given: true},
		"by SFTP, not there":            {sftp: serveSFTP(filed{fails: os.ErrNotExist}), not: fs.ErrNotExist},
		"by SFTP, not allowed":          {sftp: serveSFTP(filed{fails: sftp.ErrSSHFxPermissionDenied}), not: fs.ErrPermission},
		"by SFTP, fails":                {sftp: serveSFTP(filed{fails: sftp.ErrSSHFxFailure})},
		"by SFTP, a folder":             {sftp: serveSFTP(filed{dir: true}), says: "folder"},
		"SFTP hangs up, SCP gives it":   {sftp: func(ssh.Channel) {}, scp: says(t, 0, "C0644 3 startup\n", "abc\x00", ""), want: "abc", given: true},
		"by SCP":                        {scp: says(t, 0, "C0644 "+strconv.Itoa(len(long))+" startup\n", long+"\x00", ""), want: long, given: true},
		"by SCP, empty":                 {scp: says(t, 0, "C0644 0 startup\n", "\x00", ""), want: "", given: true},
		"by SCP, ready, times, no exit": {scp: says(t, -1, "\x00T1 0 1 0\n", "C0600 2 startup\n", "ab\x00"), want: "ab", given: true},
		"by SCP, cut":                   {scp: says(t, 0, "C0644 4 startup\n", "abc"), says: "3 bytes came of 4", given: true},
		"by SCP, no closing status":     {scp: says(t, 0, "C0644 3 startup\n", "abc"), says: "not that they are all", given: true},
		"by SCP, a bad closing status":  {scp: says(t, 1, "C0644 3 startup\n", "abc\x01scp: /conf/startup: Input/output error\n"), says: "/conf/startup: Input/output error", given: true},
		"by SCP, not there":             {scp: says(t, 1, "\x01scp: /conf/startup: No such file or directory\n"), not: fs.ErrNotExist},
		"by SCP, not allowed":           {scp: says(t, 1, "\x02Access \x1b[31mdenied\n"), not: fs.ErrPermission},
		"by SCP, some other word":       {scp: says(t, 1, "\x01501-Permission\n"), not: fs.ErrPermission},
		"by SCP, fails":                 {scp: says(t, 1, "\x01busy\n"), says: "busy"},
		"no scp there":                  {scp: says(t, 127), says: "does not give it"},
		"scp ends at once":              {scp: says(t, 0), says: "before it began", given: true},
		"a banner instead of SCP":       {scp: says(t, 0, "Welcome to switch 7\n"), says: "does not speak SCP", given: true},
		"a folder instead of a file":    {scp: says(t, 0, "D0755 0 startup\n"), says: "does not speak SCP", given: true},
		"a size that is none":           {scp: says(t, 0, "C0644 -3 startup\n"), says: "does not speak SCP", given: true},
		"by SCP, endless words":         {scp: endless, not: fs.ErrNotExist},
		"neither SFTP nor SCP":          {says: "neither by SFTP nor by SCP"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := get(t, startPeer(t, transfers(c.sftp, c.scp)))
			failing := c.says != "" || !c.given
			var declined *fs.PathError
			switch {
			case !failing && (err != nil || got != c.want):
				t.Errorf("%d bytes, %v; want %d", len(got), err, len(c.want))
			case failing && err == nil:
				t.Errorf("%d bytes, and no error", len(got))
			case failing && (!strings.Contains(err.Error(), c.says) || c.not != nil && !errors.Is(err, c.not)):
				t.Errorf("%v; want %q, %v", err, c.says, c.not)
			case errors.As(err, &declined) == c.given && failing:
				t.Errorf("%v: declined %t, want %t", err, !c.given, c.given)
			case !c.given && got != "":
				t.Errorf("%q was written of what was declined", got)
			case failing && strings.ContainsAny(err.Error(), "\x1b\n"):
				t.Errorf("%q obeys the device", err)
			}
		})
	}
}

func TestAPathThatCouldBeACommandIsNotSent(t *testing.T) {
	t.Parallel()
	p := startPeer(t, transfers(nil, func(_ ssh.Channel, command string) int { t.Errorf("%q was run", command); return 0 }))
	c := open(t, p, &Dialer{}, with(login("main", rightPassword)))
	for _, path := range []string{"", "-r", "/a b", "/a;reboot", "$(reboot)", "/a\nb", "/a'b", "/*"} {
		if err := c.Get(soon(t), path, io.Discard); devices.KindOf(err) != devices.Usage {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestAFileThatStallsEndsWithItsContext(t *testing.T) {
	t.Parallel()
	stall := func(ch ssh.Channel) { _, _ = io.Copy(io.Discard, ch) }
	for name, serve := range map[string]func(*peer){
		"SFTP does not answer": transfers(stall, nil),
		"SCP does not answer":  transfers(nil, func(ch ssh.Channel, _ string) int { stall(ch); return 0 }),
		"SCP stalls": transfers(nil, func(ch ssh.Channel, _ string) int {
			_, _ = io.WriteString(ch, "C0644 9 startup\nabc")
			stall(ch)
			return 0
		}),
	} {
		p := startPeer(t, serve)
		c := open(t, p, &Dialer{}, with(login("main", rightPassword)))
		ctx, cancel := context.WithCancelCause(soon(t))
		why := errors.New("the technician has gone")
		time.AfterFunc(200*time.Millisecond, func() { cancel(why) })
		if err := c.Get(ctx, "/conf/startup", io.Discard); !errors.Is(err, why) {
			t.Errorf("%s: %v", name, err)
		}
		cancel(nil)
	}
}

// A full writer takes so many bytes and no more.
type full int

func (f *full) Write(p []byte) (int, error) {
	if *f -= full(len(p)); *f < 0 {
		return 0, errors.New("answer of more than enough")
	}
	return len(p), nil
}

func TestTheWriterBoundsAFile(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 500_000)
	for name, serve := range map[string]func(*peer){
		"SFTP": transfers(serveSFTP(filed{text: long, size: int64(len(long))}), nil),
		"SCP":  transfers(nil, says(t, 0, "C0644 500000 startup\n", long+"\x00")),
	} {
		p := startPeer(t, serve)
		c := open(t, p, &Dialer{}, with(login("main", rightPassword)))
		most := full(100_000)
		if err := c.Get(soon(t), "/conf/startup", &most); err == nil || !strings.Contains(err.Error(), "more than enough") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
