package memory

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"belay/configs"
	"belay/configs/redact"
	"belay/devices"
)

// A Sealer seals in name only: a head that names the customer, and the bytes
// turned so that no test finds them by looking. The zero value is ready.
type Sealer struct{ Faults }

// Seal makes plain unreadable to the eye.
func (s *Sealer) Seal(ctx context.Context, customer string, plain []byte) ([]byte, error) {
	if err := s.check(ctx, "Seal"); err != nil {
		return nil, err
	}
	if err := devices.CheckName(customer); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(plain)
	return slices.Concat(head(customer), sum[:], turn(plain)), nil
}

// Open is the reverse of Seal.
func (s *Sealer) Open(ctx context.Context, customer string, sealed []byte) ([]byte, error) {
	if err := s.check(ctx, "Open"); err != nil {
		return nil, err
	}
	rest, ok := bytes.CutPrefix(sealed, head(customer))
	if !ok || len(rest) < sha256.Size {
		return nil, &devices.Error{Kind: devices.Damaged, Op: "open", Err: fmt.Errorf("not sealed for %s", customer)}
	}
	plain := turn(rest[sha256.Size:])
	if sum := sha256.Sum256(plain); !bytes.Equal(sum[:], rest[:sha256.Size]) {
		return nil, &devices.Error{Kind: devices.Damaged, Op: "open", Err: fmt.Errorf("sealed bytes for %s were altered", customer)}
	}
	return plain, nil
}

// FingerprintKey is made of the customer's name, so that tests can foretell it.
func (s *Sealer) FingerprintKey(ctx context.Context, customer string) (redact.Key, error) {
	if err := s.check(ctx, "FingerprintKey"); err != nil {
		return redact.Key{}, err
	}
	if err := devices.CheckName(customer); err != nil {
		return redact.Key{}, err
	}
	return sha256.Sum256([]byte("fingerprints of " + customer)), nil
}

func head(customer string) []byte { return fmt.Appendf(nil, "not encrypted, for %s\n", customer) }

func turn(b []byte) []byte {
	b = slices.Clone(b)
	for i := range b {
		b[i] ^= 0xa5
	}
	return b
}

// A Prover says what it is told to; the zero value that no second place is set up.
type Prover struct {
	Faults
	Proof configs.Proof
}

// Prove returns the Proof.
func (p *Prover) Prove(ctx context.Context, _ configs.Version) (configs.Proof, error) {
	if err := p.check(ctx, "Prove"); err != nil {
		return configs.Proof{}, err
	}
	return p.Proof, nil
}

// A Puller hands out captures that a test prepared.
type Puller struct {
	Faults
	Capture func(d devices.Device) (configs.Capture, error) // nil: every device is unreachable
	Delay   time.Duration                                   // waited before each answer
}

// Pull asks Capture.
func (p *Puller) Pull(ctx context.Context, d devices.Device) (configs.Capture, error) {
	if err := p.check(ctx, "Pull"); err != nil {
		return configs.Capture{}, err
	}
	if p.Delay > 0 {
		select {
		case <-ctx.Done():
			return configs.Capture{}, ctx.Err()
		case <-time.After(p.Delay):
		}
	}
	if p.Capture == nil {
		return configs.Capture{}, &devices.Error{Kind: devices.Unreachable, Op: "read", Device: d.String(), Err: fmt.Errorf("nothing prepared")}
	}
	return p.Capture(d)
}
