package git

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"

	"belay/configs"
	"belay/devices"
)

// A Remote is a second place for histories: a bare repository that exists.
type Remote struct {
	URL        string // ssh://, https://, file:// or a path; {customer} is replaced
	Key        devices.Secret
	KeyFile    string         // read where Key is not given
	Passphrase devices.Secret // of the key
	KnownHosts string         // known_hosts file; ssh needs it
	User       string         // https; empty: the one in URL, or "git"
	Password   devices.Secret // https: password or token
	Elsewhere  bool           // a path on another machine: counts as a second place
	Timeout    time.Duration  // of a whole push; 0: two minutes
}

const pushTimeout = 2 * time.Minute

func (r Remote) timeout() time.Duration {
	if r.Timeout == 0 {
		return pushTimeout
	}
	return r.Timeout
}

// HasRemote tells whether one is set up for a customer.
func (s *Store) HasRemote(customer string) bool {
	_, ok := s.remote(customer)
	return ok
}

// errDiverged says that the remote's main is not an ancestor of ours.
var errDiverged = errors.New("the remote's main has commits that are not in this history")

type proving struct {
	version configs.Version
	remote  Remote
	answer  chan proof
}

type proof struct {
	configs.Proof
	err error
}

// Prove pushes all that is committed for the version's customer to its remote,
// fast-forward only, and asks the remote what it holds. One push serves all that
// wait. A proof that is done but not OK comes with a devices.Error of kind
// Unproven, whose hint says what to do.
func (s *Store) Prove(ctx context.Context, v configs.Version) (configs.Proof, error) {
	none := configs.Proof{Name: "remote"}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	r, err := s.device(v.ID)
	if err != nil {
		return none, err
	}
	remote, ok := s.remote(r.customer)
	if !ok {
		return none, nil
	}
	p := &proving{v, remote, make(chan proof, 1)}
	background := context.WithoutCancel(ctx)
	r.proofs.put(p, everyone, func(batch []*proving) {
		s.pushBatch(background, r, batch[len(batch)-1].remote, batch)
	})
	got, err := wait(ctx, &r.proofs, p, p.answer)
	if err != nil {
		return none, err
	}
	return got.Proof, got.err
}

func (s *Store) pushBatch(ctx context.Context, r *repo, remote Remote, batch []*proving) {
	timeout := remote.timeout()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var commits []string
	for _, p := range batch {
		commits = append(commits, p.version.Commit)
	}
	place, second := "the remote", false
	var has map[string]bool
	var at map[string]plumbing.Hash
	var err error
	for range 2 { // once more, where that may help
		var t *carrier
		if t, err = s.transport(remote); err != nil {
			break
		}
		place, second = t.place(), !t.local() || remote.Elsewhere
		at, has, err = r.push(ctx, t, commits)
		if _, told := errors.AsType[*devices.Error](err); err == nil || told || errors.Is(err, errDiverged) || ctx.Err() != nil {
			break
		}
	}
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("gave up after %s: %w", timeout, ctx.Err())
	}
	for _, p := range batch {
		got := proof{Proof: configs.Proof{Name: "remote", Done: true, Second: second, At: s.Now()}}
		err, tag := err, ""
		if err == nil && !has[p.version.Commit] {
			err = fmt.Errorf("commit %.12s is not in the remote's main", p.version.Commit)
		}
		if err == nil {
			tag, err = r.tagThere(p.version, at)
		}
		if err != nil {
			got.Detail, got.err = err.Error(), unproven(r.customer, place, err)
		} else {
			got.OK, got.Detail = true, fmt.Sprintf("%s has main at %.12s%s", place, at[mainRef], tag)
		}
		p.answer <- got
	}
}

// tagThere makes sure that a version of a change has its tag, here and at the
// remote, whose references are at, and says so for people. Another version needs none.
func (r *repo) tagThere(v configs.Version, at map[string]plumbing.Hash) (said string, err error) {
	if v.Change == "" || v.Phase == "" {
		return "", nil
	}
	rd, err := r.open()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, rd.close()) }()
	named, err := r.phaseTags(v.Change)
	if err != nil {
		return "", err
	}
	for _, p := range named {
		_, version, err := rd.tagged(p.at)
		if err != nil {
			return "", err
		}
		if version.String() != v.Commit {
			continue
		}
		if at["refs/tags/"+p.name(v.Change)] != p.at {
			return "", fmt.Errorf("the remote does not have the tag %s", p.name(v.Change))
		}
		return ", and the tag " + p.name(v.Change), nil
	}
	return "", damaged("find the tag", fmt.Errorf("no tag of change %s names version %.12s", v.Change, v.Commit))
}

// unproven puts the next thing to do beside what happened.
func unproven(customer, place string, err error) error {
	hint := devices.HintOf(err)
	switch {
	case hint != "":
	case errors.Is(err, errDiverged):
		hint = "somebody else wrote to " + place + "; nothing there was overwritten: look at it with git log, then give " + customer + " an empty repository or put the old main back; if this data folder was restored from a backup: belay restore catch-up"
	case errors.Is(err, transport.ErrRepositoryNotFound):
		hint = "make an empty bare repository there (git init --bare) and let Belay's key write to it"
	default:
		hint = "the copy is safe here; try again with belay verify once " + place + " can be reached"
	}
	kind := devices.Unproven
	if devices.KindOf(err) == devices.Damaged {
		kind = devices.Damaged
	}
	return &devices.Error{Kind: kind, Op: "prove in " + place, Device: customer, Hint: hint, Err: err}
}
