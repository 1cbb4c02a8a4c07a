package memory

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"sync"

	"belay/configs"
	"belay/devices"
)

// Papers keeps documents in memory. The zero value is ready.
type Papers struct {
	Faults

	mu    sync.Mutex
	filed []configs.Paper
}

// FilePaper keeps p, or what stands with its digest.
func (f *Papers) FilePaper(ctx context.Context, p configs.Paper) error {
	if err := f.check(ctx, "FilePaper"); err != nil {
		return err
	}
	if err := devices.CheckName(p.Customer); err != nil {
		return err
	}
	if digest, err := hex.DecodeString(p.Digest); err != nil || len(digest) != sha256.Size || hex.EncodeToString(digest) != p.Digest || p.Kind == "" || p.At.IsZero() {
		return errors.New("file a paper: it needs a kind, a time and the SHA-256 of the document")
	}
	if sum := sha256.Sum256(p.Bytes); !p.Sealed && hex.EncodeToString(sum[:]) != p.Digest {
		return errors.New("file a paper: these bytes are not those of its digest")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.find(p.Customer, p.Digest) < 0 {
		f.filed = append(f.filed, clonePaper(p))
	}
	return nil
}

func (f *Papers) find(customer, digest string) int {
	return slices.IndexFunc(f.filed, func(p configs.Paper) bool { return p.Customer == customer && p.Digest == digest })
}

// Paper finds one of a customer's again.
func (f *Papers) Paper(ctx context.Context, customer, digest string) (configs.Paper, bool, error) {
	if err := f.check(ctx, "Paper"); err != nil {
		return configs.Paper{}, false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.find(customer, digest)
	if i < 0 {
		return configs.Paper{}, false, nil
	}
	return clonePaper(f.filed[i]), true, nil
}

// Papers are those of a change, in the order they were filed.
func (f *Papers) Papers(ctx context.Context, customer, change string) ([]configs.Paper, error) {
	if err := f.check(ctx, "Papers"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var ps []configs.Paper
	for _, p := range f.filed {
		if p.Customer == customer && p.Change == change {
			ps = append(ps, clonePaper(p))
		}
	}
	return ps, nil
}

func clonePaper(p configs.Paper) configs.Paper {
	p.Bytes = bytes.Clone(p.Bytes)
	return p
}
