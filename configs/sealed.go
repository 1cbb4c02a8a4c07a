package configs

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
)

// CheckArtifact is the name of the check that holds a binary artifact to be one.
const CheckArtifact = "binary artifact"

// checkSealed holds a binary artifact to what can be told of it: that it is
// there, begins as one of its kind and opens. Nothing of it is told.
func (f File) checkSealed() Check {
	c := Check{Name: CheckArtifact, OK: true, Detail: fmt.Sprintf("%d bytes, SHA-256 %.12s…", len(f.Raw), Digest(f.Raw))}
	if err := f.wholeArtifact(); err != nil {
		c.OK, c.Detail = false, fmt.Sprintf("%d bytes: %v", len(f.Raw), err)
	}
	return c
}

func (f File) wholeArtifact() error {
	if len(f.Raw) == 0 {
		return errors.New("it is empty")
	}
	k := f.Complete
	if k == nil {
		return nil
	}
	if k.Starts != nil {
		if loc := k.Starts.FindIndex(latin1(f.Raw[:min(len(f.Raw), 4096)])); loc == nil || loc[0] != 0 {
			return fmt.Errorf("it does not begin with %s", written(k.Starts))
		}
	}
	return k.Balance.opens(f.Raw)
}

// latin1 makes a character of each byte, so that a pattern's \x88 is the byte 0x88.
func latin1(b []byte) []byte {
	out := make([]byte, 0, len(b)+len(b)/2)
	for _, c := range b {
		out = append(out, string(rune(c))...)
	}
	return out
}

// maxUnpacked is the most an artifact may unpack to, in bytes: a few kilobytes
// could keep us busy for a day.
const maxUnpacked = 8 << 30

// opens tells whether an archive can be read to its end.
func (s Structure) opens(b []byte) error {
	left := int64(maxUnpacked)
	read := func(r io.Reader) error {
		n, err := io.Copy(io.Discard, io.LimitReader(r, left+1))
		if left -= n; err == nil && left < 0 {
			err = fmt.Errorf("it unpacks to more than %d GB", maxUnpacked>>30)
		}
		return err
	}
	switch s {
	case Gzip:
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err == nil {
			err = read(z)
		}
		if err != nil {
			return fmt.Errorf("it does not open as gzip: %w", err)
		}
	case Zip:
		z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return fmt.Errorf("it does not open as zip: %w", err)
		}
		for i, member := range z.File {
			if member.Flags&1 != 0 {
				continue // encrypted: its sum cannot be told
			}
			r, err := member.Open()
			if err == nil {
				err = errors.Join(read(r), r.Close())
			}
			if err != nil {
				return fmt.Errorf("it does not open as zip: member %d: %w", i+1, err)
			}
		}
	}
	return nil
}

// unsaved tells whether the saved configuration is another one than the running
// one. What moves by itself is gone from both; blank lines and comments do not count.
func (r reading) unsaved() bool {
	lines := func(name string) [][]byte {
		var kept [][]byte
		for _, t := range r.texts {
			if t.Name != name {
				continue
			}
			for line := range bytes.Lines(t.Clean.Bytes()) {
				line = bytes.TrimRight(line, " \t\r\n")
				if len(line) > 0 && line[0] != '!' {
					kept = append(kept, line)
				}
			}
		}
		return kept
	}
	for _, f := range r.Files {
		if f.Saved && !f.Sealed && !slices.EqualFunc(lines(f.Name), lines(MainFile), bytes.Equal) {
			return true
		}
	}
	return false
}
