package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// A wire is git's conversation with a receive-pack or upload-pack that runs
// somewhere. Whoever made it ends it when the context does.
type wire struct {
	in   io.WriteCloser
	out  io.Reader
	wait func() error
	said tail
	refs *packp.AdvRefs
	sent bool // nothing more is to be said
	over sync.Once
	end  error
}

var _ transport.ReceivePackSession = (*wire)(nil)

// AdvertisedReferences is what the other side says that it has.
func (w *wire) AdvertisedReferences() (*packp.AdvRefs, error) {
	return w.AdvertisedReferencesContext(context.Background())
}

// AdvertisedReferencesContext is what the other side says that it has.
func (w *wire) AdvertisedReferencesContext(ctx context.Context) (*packp.AdvRefs, error) {
	if w.refs != nil {
		return w.refs, nil
	}
	refs := packp.NewAdvRefs()
	if err := refs.Decode(w.out); err != nil && !errors.Is(err, packp.ErrEmptyAdvRefs) {
		w.sent = true // there is nobody to take leave of
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, w.explain(err)
	}
	w.refs = refs
	return refs, nil
}

// ReceivePack sends commands and pack, and reads what became of them.
func (w *wire) ReceivePack(ctx context.Context, req *packp.ReferenceUpdateRequest) (*packp.ReportStatus, error) {
	w.sent = true
	err := req.Encode(w.in)
	if err = errors.Join(err, w.in.Close()); err != nil {
		return nil, w.explain(err)
	}
	report := packp.NewReportStatus()
	if err := report.Decode(w.out); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, w.explain(err)
	}
	return report, nil
}

// Close takes leave and waits for the other side to end.
func (w *wire) Close() error {
	var err error
	if !w.sent {
		w.sent = true
		_, err = w.in.Write(pktline.FlushPkt)
	}
	if endErr := w.finish(); err == nil && endErr != nil {
		err = w.explain(endErr)
	}
	return err
}

// finish closes our side and waits for the other one, so that all it says is here.
func (w *wire) finish() error {
	w.over.Do(func() {
		err := w.in.Close()
		if errors.Is(err, os.ErrClosed) || errors.Is(err, io.EOF) {
			err = nil // closed before
		}
		w.end = errors.Join(err, w.wait())
	})
	return w.end
}

// explain prefers what the other side said to how the conversation ended.
func (w *wire) explain(err error) error {
	if endErr := w.finish(); !errors.Is(err, endErr) {
		err = errors.Join(err, endErr)
	}
	said := w.said.String()
	switch {
	case strings.Contains(said, "does not appear to be a git repository"), strings.Contains(said, "epository not found"):
		return fmt.Errorf("%w: %s", transport.ErrRepositoryNotFound, said)
	case said != "":
		return fmt.Errorf("the remote said %q: %w", said, err)
	}
	return err
}

// A tail keeps the end of what is written to it: errors stand last.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > 300 {
		t.b = t.b[len(t.b)-300:]
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(string(bytes.TrimSpace(t.b)), "?")
}

// execPath is a PATH with which git finds its own parts and no more.
func execPath(program string) string {
	if path, err := exec.LookPath(program); err == nil {
		return filepath.Dir(path)
	}
	return "/usr/bin:/bin"
}
