// Package conformance says what every implementation of the centre's ports must
// do, as test suites: one function a port. An implementation's own test calls
// its suite with a function that opens an empty store:
//
//	func TestItKeepsWhatEveryRepositoryKeeps(t *testing.T) {
//		conformance.Repository(t, func(t *testing.T) configs.Repository { return open(t, t.TempDir()) })
//	}
//
// A suite looks at nothing but the port. What only one store promises (how it
// survives a kill, what its files look like) is tested beside that store.
package conformance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"iter"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/redact"
	"belay/devices"
)

// at is a moment that every store can hold: whole seconds, as git has them.
func at(minute int) time.Time {
	return time.Date(2026, 3, 14, 2, minute, 0, 0, time.UTC)
}

// text makes what redact would have made.
func text(t *testing.T, name, s string) configs.Text {
	t.Helper()
	sum := sha256.Sum256([]byte(s))
	c, err := redact.Restore([]byte(s), hex.EncodeToString(sum[:]))
	if err != nil {
		t.Fatal(err)
	}
	return configs.Text{Name: name, Clean: c}
}

// sealed makes an original whose bytes no suite tries to open.
func sealed(name, original string) configs.Sealed {
	sum := sha256.Sum256([]byte(original))
	return configs.Sealed{Name: name, Bytes: []byte("sealed\x00\xff\n" + original), Digest: hex.EncodeToString(sum[:]), Size: len(original)}
}

// must is the value of a call that may not fail.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// all reads a sequence to its end.
func all[T any](t *testing.T, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var vs []T
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		vs = append(vs, v)
	}
	return vs
}

// firstError is the error a sequence ends with.
func firstError[T any](seq iter.Seq2[T, error]) error {
	for _, err := range seq {
		if err != nil {
			return err
		}
	}
	return nil
}

// canceled is a context that has ended already.
func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func wantCanceled(t *testing.T, op string, err error) {
	t.Helper()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%s with a canceled context: got error %v, want context.Canceled", op, err)
	}
}

// noNames are devices that would leave their folder, or have none.
var noNames = []devices.ID{"", "acme", "acme/", "/fw-hq", "../acme/fw-hq", "acme/..", "acme/fw hq", "acme/fw-hq.lock"}
