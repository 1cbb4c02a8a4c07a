package memory_test

import (
	"errors"
	"testing"

	"belay/configs"
	"belay/configs/conformance"
	"belay/configs/memory"
)

func TestTheRepositoryKeepsToThePort(t *testing.T) {
	t.Parallel()
	conformance.Repository(t, func(*testing.T) configs.Repository { return &memory.Repository{} })
}

func TestAPortFailsWhereItIsTold(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	r := &memory.Repository{Faults: memory.Faults{Fail: func(op string) error {
		if op == "Commit" {
			return full
		}
		return nil
	}}}
	if _, err := r.Commit(t.Context(), configs.Snapshot{}); !errors.Is(err, full) {
		t.Errorf("commit: got %v, want the fault", err)
	}
	if _, _, err := r.Newest(t.Context(), "acme/fw-hq"); err != nil {
		t.Errorf("newest: got %v, want no fault", err)
	}
}
