package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os/exec"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"golang.org/x/crypto/ssh"

	"belay/devices"
)

// RereadRemote has a customer's remote give all that it names of ours, main and
// the tags, as a clone would, and holds every object to its name. Nothing of it
// is kept and nothing written: objects are read as they come, and what they are
// made of stands here. Parts without a name tell how far it is; the last one is
// named and says what is wrong with what the remote gives. An error means that it
// could not be told. Where no remote is set up, or it has nothing, there is no part.
func (s *Store) RereadRemote(ctx context.Context, customer string) iter.Seq2[Part, error] {
	return func(yield func(Part, error) bool) {
		yield = heard(yield)
		part, err := s.rereadRemote(ctx, customer, func(p Part) bool { return yield(p, nil) })
		switch {
		case err != nil:
			yield(Part{}, fmt.Errorf("fetch what the remote of %s holds: %w", customer, err))
		case part.Name != "":
			yield(part, nil)
		}
	}
}

// A remote may take that long for each so many bytes of the history besides what
// it may be silent for, and send so many times what the history takes here: it is
// packed well here, and seldom there.
const (
	slowest  = 64 << 10 // bytes a second
	looseFor = 16
	least    = 64 << 20
)

func (s *Store) rereadRemote(ctx context.Context, customer string, yield func(Part) bool) (part Part, err error) {
	r, err := s.repo(customer)
	if err != nil {
		return part, err
	}
	remote, ok := s.remote(customer)
	if !ok {
		return part, nil
	}
	if there, err := r.exists(); !there || err != nil {
		return part, err
	}
	size, err := s.Bytes(customer)
	if err != nil {
		return part, err
	}
	for again := true; ; again = false {
		t, err := s.transport(remote)
		if err != nil {
			return part, unproven(customer, "the remote", err)
		}
		silence := remote.timeout()
		fetching, cancel := context.WithTimeout(ctx, silence+time.Duration(size/slowest)*time.Second)
		from := &stream{silence: silence, most: looseFor*size + least, shown: yield}
		part, err = r.regain(fetching, cancel, t, from)
		switch _, told := errors.AsType[*devices.Error](err); {
		case ctx.Err() != nil:
			return Part{}, ctx.Err()
		case errors.Is(err, errEnded):
			return Part{}, err
		case again && !told && !from.late && (err != nil || len(part.Problems) > 0):
			continue // a connection may break, and another git pack anew over there
		case err != nil && from.late:
			err = fmt.Errorf("it did not give all in its time: %w", err)
		}
		if err != nil {
			return Part{}, unproven(customer, t.place(), err)
		}
		return part, nil
	}
}

// regain asks for all that is to be proven and reads what comes. cancel ends a
// remote that would go on.
func (r *repo) regain(ctx context.Context, cancel func(), t *carrier, from *stream) (part Part, err error) {
	defer func() { err = errors.Join(err, t.close()) }()
	defer cancel()
	silent := time.AfterFunc(from.silence, cancel) // until something comes
	defer silent.Stop()
	session, err := t.uploads(ctx)
	if err != nil {
		from.late = ctx.Err() != nil
		return part, err
	}
	over := false
	defer func() {
		from.late = ctx.Err() != nil
		if cancel(); !over {
			_ = session.Close() // what it says of being cut off is of no interest
		}
	}()
	theirs, err := session.AdvertisedReferencesContext(ctx)
	silent.Stop() // what is read here next may take its time
	if errors.Is(err, transport.ErrEmptyRemoteRepository) {
		return part, nil // that is told where it is asked
	}
	if err != nil {
		return part, err
	}
	rd, err := r.open()
	if err != nil {
		return part, err
	}
	defer func() { err = errors.Join(err, rd.close()) }()
	due, wants, err := rd.due(ctx, r, theirs.References)
	if err != nil {
		return part, here(err)
	}
	if len(wants) == 0 {
		return part, nil
	}
	part.Name, part.Through = "objects", 1
	problem := ""
	silent.Reset(from.silence)
	pack, said, err := clone(ctx, session, theirs.Capabilities, wants)
	if silent.Stop(); err != nil {
		from.err = err
	} else {
		from.r, from.due, from.cancel = pack, due, cancel
		problem, err = rd.hold(ctx, from, due)
		part.Bytes = from.since
	}
	switch {
	case err == nil && problem == "", ctx.Err() != nil, from.own:
		return part, err
	case from.err == nil && err != nil:
		return part, err
	case from.err == nil: // it would go on, but what it gives has no sense any more
		part.Problems = []string{problem}
		return part, nil
	}
	// The other side has ended: with all that it has, because it could not go on,
	// or because the connection broke.
	over = true
	silent.Reset(from.silence) // it may have closed its side, and not end
	ended := session.Close()
	words := strings.TrimSpace(said.String() + " " + errorWords(from.err))
	_, local := errors.AsType[*exec.ExitError](ended)
	_, remote := errors.AsType[*ssh.ExitError](ended)
	switch {
	case ctx.Err() != nil:
		return part, ctx.Err()
	case local || remote || words != "":
		if words == "" {
			words = ended.Error()
		}
		part.Problems = []string{fmt.Sprintf("it names %d objects and could not give them all: it ended after %d and said %q", len(due.all), due.got, words)}
		return part, nil
	case err != nil || ended != nil:
		return part, fmt.Errorf("it ended after %d of %d objects: %w", due.got, len(due.all), errors.Join(err, ended))
	}
	part.Problems = []string{problem}
	return part, nil
}

// here says that something could not be read on this side: no word on the remote,
// and as damage it is told where it is read.
func here(err error) error {
	if devices.KindOf(err) != devices.Damaged {
		return err
	}
	return &devices.Error{Kind: devices.Broken, Op: "read here what the remote's is held to", Err: errors.New(err.Error()), Hint: "belay scrub status lists what is damaged here"}
}

// band is what go-git writes before the words of a remote that gives up.
const band = "unexpected error: "

func errorWords(err error) string {
	_, words, _ := strings.Cut(err.Error(), band)
	return strings.Trim(words, "\x00\r\n ")
}

// clone asks for all of what is wanted, without a word of what is here: the
// pack that comes stands for itself. said keeps what the remote says beside it.
func clone(ctx context.Context, session transport.UploadPackSession, can *capability.List, wants []plumbing.Hash) (pack io.Reader, said *tail, err error) {
	req := packp.NewUploadPackRequest()
	req.Wants = wants
	said = &tail{}
	for _, c := range []capability.Capability{capability.OFSDelta, capability.Sideband64k, capability.NoProgress} {
		if can.Supports(c) {
			if err := req.Capabilities.Set(c); err != nil {
				return nil, said, err
			}
		}
	}
	resp, err := session.UploadPack(ctx, req)
	if err != nil {
		return nil, said, err
	}
	if !req.Capabilities.Supports(capability.Sideband64k) {
		return resp, said, nil
	}
	d := sideband.NewDemuxer(sideband.Sideband64k, resp)
	d.Progress = said
	return d, said, nil
}

// A stream is the pack as it comes: bounded in its bytes and its silences, and
// told of now and then.
type stream struct {
	r       io.Reader
	silence time.Duration
	most    int64
	shown   func(Part) bool
	due     *dues
	cancel  func()
	n       int64
	since   int64 // bytes of which nothing was told yet
	err     error // why it has ended
	own     bool  // on this side
	late    bool  // it was cut off
}

var errTooMuch = errors.New("it sends many times what the history takes here: it was cut off")

func (s *stream) Read(p []byte) (int, error) {
	if s.err == nil && s.n > s.most {
		s.err, s.own = errTooMuch, true
	}
	if s.err == nil && s.since >= stretch {
		if !s.shown(Part{Bytes: s.since, Through: s.due.through()}) {
			s.err, s.own = errEnded, true
		}
		s.since = 0
	}
	if s.err != nil {
		return 0, s.err
	}
	silent := time.AfterFunc(s.silence, s.cancel)
	n, err := s.r.Read(p)
	silent.Stop()
	s.n, s.since, s.err = s.n+int64(n), s.since+int64(n), err
	return n, err
}
