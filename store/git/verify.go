package git

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"belay/configs"
	"belay/configs/redact"
)

// A Verified is what reading one version again has shown. Problems is empty
// where all of it is as it was kept.
type Verified struct {
	Version  configs.Version
	Problems []string
}

// Verify reads a customer's versions again, newest first: every text against
// its digest, every sealed original against its name and, where open is given,
// opened and against the original's digest. With a share below 1 it takes that
// part of the versions, the same each time for the same offset; offsets 0, share,
// 2·share … take all of them in turn. The chain of commits and folders is always
// read whole. An error means that the chain itself cannot be read any further.
func (s *Store) Verify(ctx context.Context, customer string, share, offset float64, open func(sealed []byte) ([]byte, error)) iter.Seq2[Verified, error] {
	return func(yield func(Verified, error) bool) {
		err := s.verify(ctx, customer, share, offset, open, func(v Verified) bool { return yield(v, nil) })
		if err != nil {
			yield(Verified{}, fmt.Errorf("verify the history of %s: %w", customer, err))
		}
	}
}

func (s *Store) verify(ctx context.Context, customer string, share, offset float64, open func([]byte) ([]byte, error), yield func(Verified) bool) (err error) {
	r, err := s.repo(customer)
	if err != nil {
		return err
	}
	if ok, err := r.exists(); !ok || err != nil {
		return err
	}
	head, err := r.head()
	if err != nil {
		return err
	}
	rd, err := r.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rd.close()) }()
	for c, err := range rd.walk(ctx, head) {
		if err != nil {
			return err
		}
		for _, ch := range c.changes {
			if ch.is.IsZero() || ch.moved != "" || !drawn(c.Hash, ch.name, share, offset) {
				continue
			}
			if !yield(rd.verify(c, ch, open)) {
				return nil
			}
		}
	}
	return nil
}

// drawn puts every version at a point of a circle, and takes those between
// offset and offset+share.
func drawn(c plumbing.Hash, name string, share, offset float64) bool {
	if share >= 1 {
		return true
	}
	sum := sha256.Sum256(append(c[:], name...))
	at := float64(binary.BigEndian.Uint64(sum[:8])>>11)/(1<<53) - offset
	for at < 0 {
		at++
	}
	for at >= 1 {
		at--
	}
	return at < share
}

func (rd *reader) verify(c step, ch change, open func([]byte) ([]byte, error)) Verified {
	d, files, err := rd.document(ch.is)
	if err != nil {
		d = document{Name: ch.name}
	}
	v := Verified{Version: d.version(c.Hash.String(), subject(c.Message))}
	note := func(what string, err error) {
		if err != nil {
			v.Problems = append(v.Problems, fmt.Sprintf("%s: %v", what, err))
		}
	}
	note(ch.name, err)
	for _, f := range d.Files {
		note(f.Name, rd.verifyText(files, f))
		if f.Original != "" {
			note(f.Original, rd.verifyOriginal(files, f, open))
		}
	}
	return v
}

func (rd *reader) verifyText(files []object.TreeEntry, f documentFile) error {
	data, err := rd.named(files, f.Name)
	if err == nil {
		_, err = redact.Restore(data, f.Digest)
	}
	return err
}

func (rd *reader) verifyOriginal(files []object.TreeEntry, f documentFile, open func([]byte) ([]byte, error)) error {
	data, err := rd.named(files, f.Original)
	if err != nil || open == nil {
		return err
	}
	if data, err = open(data); err != nil {
		return fmt.Errorf("open: %w", err)
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != f.OriginalDigest {
		return fmt.Errorf("the original has digest %x, not the recorded %s", sum, f.OriginalDigest)
	}
	return nil
}
