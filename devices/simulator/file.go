package simulator

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// packedMark is the first line of a file whose bytes stand there in base64.
const packedMark = "base64:\n"

func decodeFile(data []byte, answer Answer) (Answer, error) {
	packed, ok := bytes.CutPrefix(data, []byte(packedMark))
	if !ok {
		if len(answer) > 1 {
			return nil, errors.New("a file waits for no key (␅)")
		}
		return answer, nil
	}
	plain, err := base64.StdEncoding.DecodeString(string(bytes.Join(bytes.Fields(packed), nil)))
	return Answer{string(plain)}, err
}

func encodeAnswer(command string, a Answer) []byte {
	text := a.Text()
	if !strings.HasPrefix(command, filePrefix) || utf8.ValidString(text) && !strings.ContainsAny(text, "\x00\x04\x05") && !strings.HasPrefix(text, packedMark) {
		return []byte(encode(a))
	}
	var b bytes.Buffer
	b.WriteString(packedMark)
	packed := base64.StdEncoding.EncodeToString([]byte(text))
	for len(packed) > 0 {
		n := min(len(packed), 76)
		b.WriteString(packed[:n] + "\n")
		packed = packed[n:]
	}
	return b.Bytes()
}

// A transfer is one fetching of a file: its bytes, perhaps spoiled, how many it
// was announced to have, and how it ends.
type transfer struct {
	bytes string
	size  int
	end   ending
}

// file is what the device gives of a path. What it does not give is a *fs.PathError.
func (d *Device) file(ctx context.Context, name string) (transfer, error) {
	b := d.now()
	section := filePrefix + name
	d.count(func(s *Seen) { s.Commands = append(s.Commands, section) })
	if b.fault.Tarpit {
		return transfer{}, silence.stop(ctx)
	}
	if err := wait(ctx, d.Latency); err != nil {
		return transfer{}, err
	}
	whole, ok := b.answers[section]
	if !ok {
		return transfer{}, &fs.PathError{Op: "get", Path: name, Err: fs.ErrNotExist}
	}
	a, end, _ := d.answer(b, section, true)
	t := transfer{a.Text(), len(whole.Text()), end}
	switch f := b.fault; {
	case f.Error != "" && t.bytes != whole.Text():
		return transfer{}, &fs.PathError{Op: "get", Path: name, Err: errors.New(strings.TrimSpace(f.Error))}
	case f.Empty && t.bytes == "":
		t.size = 0
	case f.CutByte > 0 && t.bytes != whole.Text():
		t.bytes = whole.Text()[:f.CutByte] // no line end besides
	case f.CutLine == 0 && f.CutByte == 0 && end == promptly:
		t.size = len(t.bytes) // another text, not a shorter one
	}
	return t, nil
}

// Get fetches a file over a connection in memory.
func (c *Conn) Get(ctx context.Context, name string, out io.Writer) error {
	if err := c.usable(ctx); err != nil {
		return err
	}
	ctx, cancel := c.within(ctx)
	defer cancel(nil)
	t, err := c.d.file(ctx, name)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(out, t.bytes); err != nil {
		return err
	}
	err = t.end.stop(ctx)
	if errors.Is(err, ErrReset) {
		err = c.reset()
		c.cancel(err)
	}
	if err == nil && len(t.bytes) != t.size {
		err = fmt.Errorf("%d bytes came of %d", len(t.bytes), t.size)
	}
	return err
}

// scp plays scp -f on a channel.
func (d *Device) scp(ctx context.Context, name string, ch io.ReadWriter) (status int, err error) {
	in := bufio.NewReader(ch)
	ready := func() error {
		c, err := in.ReadByte()
		if err == nil && c != 0 {
			err = errors.New("the client is not ready")
		}
		return err
	}
	if err := ready(); err != nil {
		return 1, err
	}
	t, err := d.file(ctx, name)
	if refused, ok := errors.AsType[*fs.PathError](err); ok {
		word := refused.Err.Error()
		if errors.Is(err, fs.ErrNotExist) {
			word = "No such file or directory"
		}
		_, err = fmt.Fprintf(ch, "\x01scp: %s: %s\n", name, word)
		return 1, err
	}
	if err != nil {
		return 1, err
	}
	if _, err := fmt.Fprintf(ch, "C0600 %d %s\n", t.size, path.Base(name)); err != nil {
		return 1, err
	}
	if err := ready(); err != nil {
		return 1, err
	}
	if _, err := io.WriteString(ch, t.bytes); err != nil {
		return 1, err
	}
	if err := t.end.stop(ctx); err != nil || len(t.bytes) != t.size {
		return 1, err
	}
	if _, err := ch.Write([]byte{0}); err != nil {
		return 1, err
	}
	return 0, ready()
}

// sftp serves the device's files, to be read, on a channel. The error is how a
// transfer ended that was ordered to end badly.
func (s *Server) sftp(ctx context.Context, ch ssh.Channel) error {
	shelf := &shelf{d: s.Device, ctx: ctx, ended: make(chan error, 1)}
	server := sftp.NewRequestServer(ch, sftp.Handlers{FileGet: shelf, FilePut: shelf, FileCmd: shelf, FileList: shelf})
	served := make(chan struct{})
	s.running.Go(func() {
		_ = server.Serve() // io.EOF, or what the client did: it knows
		close(served)
	})
	select {
	case err := <-shelf.ended:
		return err
	case <-served:
		return server.Close()
	}
}

// gives tells whether there are files, and whether they are fetched so.
func (d *Device) gives(by string) bool {
	if d.T.Files != "" && d.T.Files != by {
		return false
	}
	for command := range d.T.Answers {
		if strings.HasPrefix(command, filePrefix) {
			return true
		}
	}
	return false
}

// A shelf is the files of a device as the SFTP server asks for them.
type shelf struct {
	d     *Device
	ctx   context.Context
	ended chan error
	last  transfer
}

// Fileread begins a transfer.
func (s *shelf) Fileread(r *sftp.Request) (io.ReaderAt, error) {
	t, err := s.d.file(s.ctx, s.d.named(r.Filepath))
	if refused, ok := errors.AsType[*fs.PathError](err); ok {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, os.ErrNotExist
		}
		return nil, refused.Err
	}
	s.last = t
	return &reading{s, t, strings.NewReader(t.bytes)}, err
}

// named is a path as the transcript has it: SFTP makes every path absolute.
func (d *Device) named(name string) string {
	if _, ok := d.now().answers[filePrefix+name]; !ok {
		return strings.TrimPrefix(name, "/")
	}
	return name
}

type reading struct {
	s    *shelf
	t    transfer
	from *strings.Reader
}

// ReadAt gives what there is, and at its end does what was ordered.
func (r *reading) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.from.ReadAt(p, off)
	if errors.Is(err, io.EOF) && r.t.end != promptly {
		if n > 0 {
			return n, nil
		}
		if stop := r.t.end.stop(r.s.ctx); stop != nil {
			select {
			case r.s.ended <- stop:
			default:
			}
			return 0, stop
		}
	}
	return n, err
}

// Filelist tells how large a file is.
func (s *shelf) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	name := s.d.named(r.Filepath)
	whole, ok := s.d.now().answers[filePrefix+name]
	if !ok {
		return nil, os.ErrNotExist
	}
	size := len(whole.Text())
	if s.last.bytes != "" || s.last.size > 0 || s.d.fault().Empty {
		size = s.last.size
	}
	return listing{about{path.Base(name), size}}, nil
}

// Filewrite and Filecmd are refused: nobody writes on a device.
func (s *shelf) Filewrite(*sftp.Request) (io.WriterAt, error) {
	return nil, sftp.ErrSSHFxPermissionDenied
}

// Filecmd is refused too.
func (s *shelf) Filecmd(*sftp.Request) error { return sftp.ErrSSHFxPermissionDenied }

type listing []fs.FileInfo

func (l listing) ListAt(infos []fs.FileInfo, at int64) (int, error) {
	n := copy(infos, l[min(int(at), len(l)):])
	if n < len(infos) {
		return n, io.EOF
	}
	return n, nil
}

// about is what is told of a file.
type about struct {
	name string
	size int
}

func (a about) Name() string       { return a.name }
func (a about) Size() int64        { return int64(a.size) }
func (a about) Mode() fs.FileMode  { return 0o600 }
func (a about) ModTime() time.Time { return time.Unix(0, 0) }
func (a about) IsDir() bool        { return false }
func (a about) Sys() any           { return nil }
