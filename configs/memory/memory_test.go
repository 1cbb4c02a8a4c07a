package memory_test

import (
	"errors"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/conformance"
	"belay/configs/memory"
)

func TestTheRepositoryKeepsToThePort(t *testing.T) {
	t.Parallel()
	conformance.Repository(t, func(*testing.T) configs.Repository { return &memory.Repository{} })
}

func TestTheLedgerKeepsToThePort(t *testing.T) {
	t.Parallel()
	conformance.Ledger(t, func(*testing.T) configs.Ledger { return &memory.Ledger{} })
}

func TestTheCheckLogKeepsToThePort(t *testing.T) {
	t.Parallel()
	conformance.CheckLog(t, func(*testing.T) configs.CheckLog { return &memory.CheckLog{} })
}

func TestTheMarksKeepToThePort(t *testing.T) {
	t.Parallel()
	conformance.Marks(t, func(*testing.T) configs.Marks { return &memory.Marks{} })
}

func TestTheIndexKeepsToThePort(t *testing.T) {
	t.Parallel()
	conformance.Index(t, func(*testing.T) configs.Index { return &memory.Index{} })
}

func TestTheQuarantineKeepsToThePort(t *testing.T) {
	t.Parallel()
	conformance.Quarantine(t, func(*testing.T) configs.Quarantine { return &memory.Quarantine{} })
}

func TestTheSealerKeepsToThePort(t *testing.T) {
	t.Parallel()
	conformance.Sealer(t, func(*testing.T) configs.Sealer { return &memory.Sealer{} })
}

func TestTheOutboxKeepsToThePort(t *testing.T) {
	t.Parallel()
	conformance.Outbox(t, func(_ *testing.T, now func() time.Time) (configs.Outbox, configs.Ledger) {
		l := &memory.Ledger{}
		return &memory.Outbox{Ledger: l, Now: now}, l
	})
}

func TestTheItemsKeepToThePort(t *testing.T) {
	t.Parallel()
	conformance.Items(t, func(*testing.T) (configs.Items, configs.Ledger) {
		l := &memory.Ledger{}
		return &memory.Items{Ledger: l}, l
	})
}

func TestThePapersKeepToThePort(t *testing.T) {
	t.Parallel()
	conformance.Papers(t, func(*testing.T) configs.Papers { return &memory.Papers{} })
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
