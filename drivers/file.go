package drivers

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"
	"time"

	"belay/configs"
	"belay/devices"
)

// A giver is a connection over which files can be fetched.
type giver interface {
	// Get writes a file to out. What the device does not give is a *fs.PathError,
	// and leaves the connection as it was.
	Get(ctx context.Context, path string, out io.Writer) error
}

// fileWord begins the line that stands for a file where others are commands: in
// what is asked, in transcripts and on the tape.
const fileWord = "file "

// plainFile is a path that needs no quotes. It may be relative: FortiOS calls its
// configuration sys_config.
var plainFile = devices.Pattern(`\A/?[\w.\-]+(?:[/:][\w.\-]+)*\z`)

// fetchesOnly tells why a file may not be asked for, or nil.
func fetchesOnly(path string) error {
	if !plainFile().MatchString(path) || strings.Contains(path, "..") || strings.HasPrefix(path, "-") {
		return fmt.Errorf("%q is no plain path", path)
	}
	return nil
}

// got is what a step with files asks for.
func (c *stepper) got(key string, s stepSpec, each bool) (lines []string) {
	if len(s.Run) > 0 || len(s.Request) > 0 {
		c.wrong("%s: get and run are two steps", key)
	}
	if s.Keep == "" {
		c.wrong("%s.get: wants keep besides", key)
	}
	for _, path := range s.Get {
		bare := path
		if each {
			bare = strings.ReplaceAll(path, eachWord, "a1")
		}
		if err := fetchesOnly(bare); err != nil {
			c.wrong("%s.get: %v", key, err)
		}
		lines = append(lines, fileWord+path)
	}
	return lines
}

// A backup is a command that writes a file on the device, of one name that nobody
// else uses, and the one that removes it. No other writing command loads, and these
// only in a step with also: backup-file: a person has allowed it for the device.
type backup struct{ save, remove func() *regexp.Regexp }

var backups = []backup{
	{devices.Pattern(`\A/system backup save name=belay dont-encrypt=yes\z`), devices.Pattern(`\A/file remove belay\.backup\z`)},
	{devices.Pattern(`\A(?:tmsh (?:-q )?)?save sys ucs belay\.ucs\z`), devices.Pattern(`\A(?:tmsh (?:-q )?)?delete sys ucs belay\.ucs\z`)},
}

// saves is the number of the backup that a command makes, removes that of the one
// that it takes away again; -1: none.
func saves(command string) int {
	return which(command, func(b backup) *regexp.Regexp { return b.save() })
}
func removes(command string) int {
	return which(command, func(b backup) *regexp.Regexp { return b.remove() })
}

func which(command string, part func(backup) *regexp.Regexp) int {
	for i, b := range backups {
		if part(b).MatchString(command) {
			return i
		}
	}
	return -1
}

// tidied holds a list of steps to removing what it has the device write.
func (c *stepper) tidied(key string, all []step) {
	for i, s := range all {
		for _, command := range s.run {
			if n := saves(command); n >= 0 && len(removal(n, all[i+1:])) == 0 {
				c.wrong("%s[%d]: no step behind it removes the file", key, i)
			}
		}
	}
}

// removal are the lines among steps that remove a backup.
func removal(n int, steps []step) []string {
	for _, s := range steps {
		if len(s.run) > 0 && removes(s.run[0]) == n {
			return s.run
		}
	}
	return nil
}

// withFiles answers the lines that stand for files by fetching them.
func (d *Driver) withFiles(ctx context.Context, conn Conn, idle time.Duration, run func(string, step) (answer, error)) func(string, step) (answer, error) {
	return func(line string, s step) (answer, error) {
		if !s.file {
			a, err := run(line, s)
			if d.files && s.keep == "" && devices.KindOf(err) == devices.Denied {
				return answer{status: 1}, nil // it gives files and runs no commands: the login itself was good
			}
			return a, err
		}
		a, err := fetch(ctx, conn, strings.TrimPrefix(line, fileWord), idle)
		switch {
		case s.sealed:
			a.text = nil
		case bytes.IndexByte(a.raw, 0) >= 0:
			a.fault = fmt.Sprintf("%s holds NUL bytes: it is no text", line)
		}
		return a, err
	}
}

// fetch takes a file. What the device declines is like a command that it does not
// understand.
func fetch(ctx context.Context, conn Conn, path string, idle time.Duration) (answer, error) {
	g, ok := conn.(giver)
	if !ok {
		return answer{status: 1, fault: "no file can be fetched over this connection"}, nil
	}
	ctx, w, done := watch(ctx, conn, idle)
	defer done()
	err := g.Get(ctx, path, w)
	if context.Cause(ctx) != nil {
		return answer{}, context.Cause(ctx)
	}
	if declined, ok := errors.AsType[*fs.PathError](err); ok {
		return answer{status: 1, fault: fmt.Sprintf("the device does not give the file %s: %v", path, declined.Err)}, nil
	}
	switch {
	case devices.KindOf(err) == devices.Denied: // no further channel: the login itself was good
		return answer{status: 1, fault: err.Error()}, nil
	case len(w.raw) > maxAnswer:
		return answer{}, fmt.Errorf("a file of more than %d MB", maxAnswer>>20)
	case err != nil:
		return answer{}, fmt.Errorf("the file %s was cut short: %w", path, err)
	}
	return answer{raw: w.raw, text: configs.Plain(w.raw)}, nil
}

// unpack decodes what a device wraps in text.
func (s step) unpack(a answer) answer {
	if s.as != "base64" || s.http != nil || a.fault != "" {
		return a
	}
	plain, err := base64.StdEncoding.AppendDecode(nil, bytes.Join(bytes.Fields(a.text), nil))
	if err != nil || len(plain) == 0 {
		a.fault = fmt.Sprintf("the answer to %q is not whole base64", s.run[0])
		return a
	}
	if a.raw, a.text = plain, nil; !s.sealed {
		a.text = configs.Plain(plain)
	}
	return a
}

// tidying is how long the removal of a file may take that an interrupted reading
// left on a device.
const tidying = time.Minute

// tidy removes what is left on the device where a reading ended before its own
// step did, on a connection of its own: that of the reading is closed by whatever
// ended it.
func (p *Puller) tidy(ctx context.Context, r *walk, conn Conn, err error) error {
	if len(r.left) == 0 {
		return err
	}
	if err == nil {
		r.c.Warnings = append(r.c.Warnings, fmt.Sprintf("%q was refused: the backup file may still be on the device", r.left[0]))
		return nil
	}
	_ = conn.Close()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidying)
	defer cancel()
	alone := *r.d
	alone.steps, alone.fits, alone.unsaved = []step{{run: r.left}}, nil, nil
	if _, left := p.once(ctx, r.dev, &alone, false, nil); left != nil {
		return fmt.Errorf("%w; and the backup file is still on the device: %w", err, left)
	}
	return err
}
