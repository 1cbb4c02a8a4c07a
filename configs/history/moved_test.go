package history_test

import (
	"context"
	"testing"

	"belay/configs"
)

// An overtaken index is brought forward by another process just before we write.
type overtaken struct {
	configs.Index
	first func() error
}

func (o *overtaken) Extend(ctx context.Context, customer, from, to string, versions []configs.Indexed) error {
	if f := o.first; f != nil {
		o.first = nil
		if err := f(); err != nil {
			return err
		}
	}
	return o.Index.Extend(ctx, customer, from, to, versions)
}

func TestWhoIsOvertakenLooksAgain(t *testing.T) {
	t.Parallel()
	s := set(t)
	s.keep("sw", 1, "a\n")
	s.agree("acme/sw")
	s.keep("sw", 2, "b\n")
	other := s.another()
	s.Index = &overtaken{Index: s.ledger, first: func() error {
		err := other.Refresh(t.Context(), "acme")
		s.keep("sw", 3, "c\n")
		return err
	}}
	if err := s.Refresh(t.Context(), "acme"); err != nil {
		t.Error(err)
	}
	s.agree("acme/sw")
}
