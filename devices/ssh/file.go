package ssh

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"belay/devices"
)

const (
	// fewAtOnce is how many requests for parts of a file a device gets at a time:
	// small ones have little memory.
	fewAtOnce = 8
	// mostSaid is how much of a device's refusal is told, in bytes.
	mostSaid = 200
)

// errNoSFTP says that SFTP is not spoken here: SCP is tried.
var errNoSFTP = errors.New("the device does not speak SFTP")

// Get fetches a file over the open connection, by SFTP or else by SCP, and writes
// it to out as it comes. A file that the device does not give is a *fs.PathError,
// as far as can be told fs.ErrNotExist or fs.ErrPermission: nothing was written
// then, and the connection is as before. Any other error leaves a part in out.
// How long and how much is out's to bound; when ctx is over the whole connection
// is closed.
func (c *Client) Get(ctx context.Context, path string, out io.Writer) error {
	if !plainPath().MatchString(path) {
		return &devices.Error{Kind: devices.Usage, Op: "fetch a file from", Device: c.reached.Address, Err: fmt.Errorf("%q is no plain path", path)}
	}
	defer context.AfterFunc(ctx, func() { c.fail(context.Cause(ctx)) })()
	err := c.bySFTP(ctx, path, out)
	if errors.Is(err, errNoSFTP) {
		err = c.bySCP(ctx, path, out)
	}
	if err == nil {
		return nil
	}
	if _, declined := errors.AsType[*fs.PathError](err); declined {
		return err
	}
	if cause := c.why(nil); cause != nil {
		err = cause
	}
	if e, ok := errors.AsType[*devices.Error](err); ok {
		return e
	}
	return &devices.Error{Kind: devices.Unreachable, Op: "fetch a file from", Device: c.reached.Address, Err: fmt.Errorf("%s: %w", path, err)}
}

// plainPath is what needs no quotes in any shell, and is no option.
var plainPath = devices.Pattern(`^[\w./:][\w./:\-]*$`)

// A duct is a channel as the SFTP client wants it; what comes counts as a sign of
// life. Close lets the device end the channel, as OpenSSH's clients do: Dropbear
// mixes up channels that are closed under its running programs.
type duct struct {
	c *Client
	ssh.Channel
}

func (d duct) Close() error {
	time.AfterFunc(goodbye, func() { _ = d.Channel.Close() })
	return d.CloseWrite()
}

func (d duct) Read(p []byte) (int, error) {
	n, err := d.Channel.Read(p)
	if n > 0 {
		d.c.heard.Add(1)
	}
	return n, err
}

func (c *Client) bySFTP(ctx context.Context, path string, out io.Writer) error {
	ch, exits, err := c.open(ctx, "fetch a file from", func(ch ssh.Channel) error {
		ok, err := ch.SendRequest("subsystem", true, ssh.Marshal(struct{ Name string }{"sftp"}))
		if err == nil && !ok {
			err = errNoSFTP
		}
		return err
	})
	if err != nil {
		return err
	}
	defer ch.Close()
	go c.collect(ch.Stderr())
	client, err := sftp.NewClientPipe(duct{c, ch}, duct{c, ch}, sftp.MaxConcurrentRequestsPerFile(fewAtOnce), sftp.UseFstat(true))
	if err != nil {
		// Some promise SFTP and have no program for it.
		if cut := c.cut(); cut != nil || c.why(nil) != nil {
			return c.why(cut)
		}
		c.ended(exits)
		return errNoSFTP
	}
	err = c.download(client, path, out)
	if _, declined := errors.AsType[*fs.PathError](err); err == nil || declined {
		go func() { _ = client.Close() }() // which waits until the device has closed the channel, or for ever
		c.ended(exits)
	}
	return err
}

// ended waits until the device has closed a channel.
func (c *Client) ended(exits <-chan exit) exit {
	select {
	case e := <-exits:
		return e
	case <-time.After(goodbye):
		return exit{status: -1}
	}
}

func (c *Client) download(client *sftp.Client, path string, out io.Writer) error {
	f, err := client.Open(path)
	if err != nil {
		return declinedFile(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("ask how large it is: %w", err)
	}
	if info.IsDir() {
		return &fs.PathError{Op: "get", Path: path, Err: errors.New("it is a folder")}
	}
	n, err := f.WriteTo(out)
	if err != nil {
		return fmt.Errorf("after %d bytes: %w", n, err)
	}
	// A server that does not tell the size is taken to say 0.
	if size := info.Size(); size > 0 && n != size {
		return fmt.Errorf("%d bytes came of %d", n, size)
	}
	return nil
}

// declinedFile sorts what an SFTP server said to the opening of a file.
func declinedFile(path string, err error) error {
	var status *sftp.StatusError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = fs.ErrNotExist
	case errors.Is(err, fs.ErrPermission):
		err = fs.ErrPermission
	case errors.As(err, &status):
	default:
		return err
	}
	return &fs.PathError{Op: "get", Path: path, Err: err}
}

// bySCP speaks the protocol of scp -f: a line with the size, the bytes, and a
// zero where all of them were read over there.
func (c *Client) bySCP(ctx context.Context, path string, out io.Writer) error {
	ch, exits, err := c.open(ctx, "fetch a file from", func(ch ssh.Channel) error {
		ok, err := ch.SendRequest("exec", true, ssh.Marshal(struct{ Command string }{"scp -f " + path}))
		if err == nil && !ok {
			err = &fs.PathError{Op: "get", Path: path, Err: errors.New("the device gives files neither by SFTP nor by SCP")}
		}
		return err
	})
	if err != nil {
		if declined, ok := errors.AsType[*fs.PathError](err); ok {
			return declined
		}
		return err
	}
	defer ch.Close()
	aside := make(chan []byte, 1)
	go func() { aside <- c.collect(ch.Stderr()) }()
	in := bufio.NewReader(duct{c, ch})
	size, err := c.scpHeader(ch, in, path)
	if errors.Is(err, io.EOF) {
		return c.noSCP(path, exits, aside)
	}
	if _, declined := errors.AsType[*fs.PathError](err); declined {
		_ = ch.CloseWrite()
		c.ended(exits)
	}
	if err != nil {
		return err
	}
	if _, err := ch.Write([]byte{0}); err != nil {
		return err
	}
	if n, err := io.CopyN(out, in, size); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("%d bytes came of %d: %w", n, size, err)
	}
	closing, err := in.ReadByte()
	switch {
	case err != nil:
		return fmt.Errorf("all %d bytes came, but not that they are all: %w", size, err)
	case closing != 0:
		return fmt.Errorf("the device could not read all of it: %s", said(in))
	}
	_, err = ch.Write([]byte{0})
	if err != nil && !errors.Is(err, io.EOF) { // it may have hung up: nothing is missing
		return err
	}
	c.ended(exits)
	return nil
}

// scpHeader asks for the file and reads how large it is.
func (c *Client) scpHeader(ch io.Writer, in *bufio.Reader, path string) (size int64, err error) {
	if _, err := ch.Write([]byte{0}); err != nil {
		return 0, err
	}
	for {
		kind, err := in.ReadByte()
		if err != nil {
			return 0, err
		}
		switch kind {
		case 0:
			continue // some say first that they are ready
		case 1, 2:
			text := said(in)
			return 0, &fs.PathError{Op: "get", Path: path, Err: scpRefusal(text)}
		}
		line, err := in.ReadSlice('\n')
		if err != nil {
			return 0, fmt.Errorf("the device does not speak SCP: %w", err)
		}
		if kind == 'T' { // times, which nobody asked for
			if _, err := ch.Write([]byte{0}); err != nil {
				return 0, err
			}
			continue
		}
		m := scpLine().FindSubmatch(line)
		if kind != 'C' || m == nil {
			return 0, errors.New("the device does not speak SCP: it announces no file")
		}
		return strconv.ParseInt(string(m[1]), 10, 64)
	}
}

var scpLine = devices.Pattern(`^[0-7]{3,4} (\d{1,15}) `)

// said is what the device says on one line, or the beginning of a longer one, fit to
// be shown.
func said(in *bufio.Reader) string {
	raw, _ := in.ReadSlice('\n') // what there is of it
	line := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, string(raw))
	return strings.TrimPrefix(line[:min(len(line), mostSaid)], "scp: ")
}

// scpRefusal sorts what a device says instead of a file.
func scpRefusal(text string) error {
	low := strings.ToLower(text)
	for _, known := range []struct {
		word string
		err  error
	}{{"no such file", fs.ErrNotExist}, {"not found", fs.ErrNotExist}, {"not exist", fs.ErrNotExist}, {"permission", fs.ErrPermission}, {"denied", fs.ErrPermission}, {"not allowed", fs.ErrPermission}} {
		if strings.Contains(low, known.word) {
			return fmt.Errorf("%w (%s)", known.err, text)
		}
	}
	if text == "" {
		text = "the device does not give it"
	}
	return errors.New(text)
}

// noSCP tells why nothing at all came: the command was not understood, or the
// connection was lost.
func (c *Client) noSCP(path string, exits <-chan exit, aside <-chan []byte) error {
	if c.ended(exits).status <= 0 {
		if cut := c.cut(); cut != nil || c.why(nil) != nil {
			return c.why(cut)
		}
		return errors.New("the device ended the transfer before it began")
	}
	text := ""
	select {
	case line := <-aside:
		text = said(bufio.NewReader(strings.NewReader(string(line))))
	case <-time.After(goodbye):
	}
	return &fs.PathError{Op: "get", Path: path, Err: scpRefusal(text)}
}
