package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/transport"

	"belay/devices"
)

// CatchUp gets what a customer's remote has beyond this history, as after a backup
// was restored: forward only, to a commit that leads on from ours, and with the tags
// of changes. It is read again, and looked at, before main moves. It returns how many commits came;
// a remote whose history is another one is left alone, and so is ours.
func (s *Store) CatchUp(ctx context.Context, customer string, look Look) (n int, err error) {
	r, err := s.repo(customer)
	if err != nil {
		return 0, err
	}
	remote, ok := s.remote(customer)
	if !ok {
		return 0, nil
	}
	t, err := s.transport(remote)
	if err != nil {
		return 0, unproven(customer, "the remote", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*pushTimeout)
	defer cancel()
	n, err = r.catchUp(ctx, t, s.git(), look)
	if err = errors.Join(err, t.close()); err != nil {
		e := &devices.Error{Kind: devices.KindOf(err), Op: "get what " + t.place() + " has", Device: customer, Hint: devices.HintOf(err), Err: err}
		switch {
		case errors.Is(err, errDiverged):
			e.Kind = devices.Unproven
			e.Hint = "both have versions that the other lacks, and nothing was changed: git clone " + t.place() + " beside, keep it, and give " + customer + " an empty repository to push to"
		case errors.Is(err, transport.ErrRepositoryNotFound):
			e.Kind = devices.Unproven
			e.Hint = "look where the repository of " + customer + " is now"
		}
		return 0, e
	}
	return n, nil
}

func (r *repo) catchUp(ctx context.Context, t *carrier, program string, look Look) (n int, err error) {
	theirs, err := t.ask(ctx)
	if err != nil {
		return 0, err
	}
	wanted := map[string]plumbing.Hash{}
	for name, h := range theirs {
		if name == mainRef || strings.HasPrefix(name, tagRoot) && !strings.HasSuffix(name, "^{}") {
			wanted[name] = h
		}
	}
	if wanted[mainRef].IsZero() {
		return 0, nil
	}
	if err := r.create(ctx); err != nil {
		return 0, err
	}
	head, err := r.head()
	if err != nil || head == wanted[mainRef] {
		return 0, err
	}
	if ahead, err := r.lacks(ctx, head, wanted[mainRef]); err != nil || !ahead {
		return 0, err // the next push brings them forward
	}
	// Maintenance clears folders of this name away, and would not find the new pack.
	m, err := lock(ctx, r.maintenanceLock())
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, m.unlock()) }()
	temp, err := os.MkdirTemp(r.dir, "belay-pack-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	if err := r.fetch(ctx, t, program, temp, wanted); err != nil {
		return 0, err
	}
	if !head.IsZero() {
		if err := r.git(ctx, program, temp, nil, nil, "merge-base", "--is-ancestor", head.String(), wanted[mainRef].String()); err != nil {
			return 0, errors.Join(errDiverged, ctx.Err())
		}
	}
	return r.adopt(ctx, &packing{program: program, temp: temp, held: m.f}, head, wanted, look)
}

// git runs git on the repository with the objects of temp besides.
func (r *repo) git(ctx context.Context, program, temp string, in io.Reader, out io.Writer, args ...string) error {
	c := exec.CommandContext(ctx, program, append([]string{"--git-dir", r.dir, "-c", "core.fsync=all", "-c", "pack.writeReverseIndex=false", "-c", noManyIndex, "-c", noGraph}, args...)...)
	c.Env = []string{"LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "PATH=" + execPath(program), "GIT_OBJECT_DIRECTORY=" + temp,
		"GIT_ALTERNATE_OBJECT_DIRECTORIES=" + filepath.Join(r.dir, "objects")}
	var said bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = in, out, &said
	c.WaitDelay = 5 * time.Second
	if err := c.Run(); err != nil {
		return fmt.Errorf("git %s: %w: %.300s", args[0], err, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}

// fetch puts one pack with all that is wanted into temp: git holds every object to
// its name, and looks that none is missing.
func (r *repo) fetch(ctx context.Context, t *carrier, program, temp string, wanted map[string]plumbing.Hash) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	session, err := t.uploads(ctx)
	if err != nil {
		return err
	}
	theirs, err := session.AdvertisedReferencesContext(ctx)
	if err != nil {
		return errors.Join(err, session.Close())
	}
	req := packp.NewUploadPackRequest()
	if theirs.Capabilities.Supports(capability.OFSDelta) {
		if err := req.Capabilities.Set(capability.OFSDelta); err != nil {
			return errors.Join(err, session.Close())
		}
	}
	req.Wants = slices.Compact(slices.SortedFunc(maps.Values(wanted), func(a, b plumbing.Hash) int { return bytes.Compare(a[:], b[:]) }))
	pack, err := session.UploadPack(ctx, req)
	if err != nil {
		return errors.Join(err, session.Close())
	}
	if err = r.git(ctx, program, temp, pack, io.Discard, "index-pack", "--stdin", "--strict"); err != nil {
		// Nobody reads the rest, and the other side would wait for it to go out: it is
		// cut off, here by the context and over ssh with the connection.
		cancel()
		err = errors.Join(err, t.close())
		_, _ = pack.Close(), session.Close() // what they say of being cut off is of no interest
		return err
	}
	return errors.Join(pack.Close(), session.Close())
}

// adopt brings the fetched pack into its place, reads the new versions again and
// moves main, then sets the tags.
func (r *repo) adopt(ctx context.Context, p *packing, head plumbing.Hash, wanted map[string]plumbing.Hash, look Look) (n int, err error) {
	l, err := r.acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, l.unlock()) }()
	packs, err := filepath.Glob(filepath.Join(p.temp, "pack", "pack-*.pack"))
	if err != nil || len(packs) != 1 {
		return 0, errors.Join(err, fmt.Errorf("%d packs came", len(packs)))
	}
	stem := strings.TrimSuffix(packs[0], ".pack")
	err = r.bring(stem)
	if errors.Is(err, errSeen) { // a person fetched it too: ours becomes another
		if err := r.packSome(ctx, p, filepath.Dir(stem), slices.Values([]string{filepath.Base(stem)})); err != nil {
			return 0, err
		}
		err = r.bring(filepath.Join(p.temp, p.name))
	}
	if err != nil {
		return 0, err
	}
	if n, err = r.readNew(ctx, l, head, wanted[mainRef], look); err != nil {
		return 0, err
	}
	if err := r.moveHead(ctx, l, head, wanted[mainRef]); err != nil {
		return 0, err
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if name == mainRef {
			continue
		}
		if err := r.adoptTag(name, wanted[name]); err != nil {
			return n, fmt.Errorf("%s: %w", name, err)
		}
	}
	return n, nil
}

// bring installs a pack that git made elsewhere on the disk.
func (r *repo) bring(stem string) error {
	pack, idx, err := syncPack(stem)
	if err != nil {
		return err
	}
	return r.install(pack, idx, filepath.Base(stem))
}

func (r *repo) adoptTag(name string, at plumbing.Hash) error {
	here, err := r.refs("refs/tags/")
	if err != nil {
		return err
	}
	if old, ok := here[name]; ok {
		if old != at {
			return errDiverged
		}
		return nil
	}
	change, _, ok := strings.Cut(strings.TrimPrefix(name, tagRoot), "/")
	if ours := ok && devices.CheckName(change) == nil && filepath.IsLocal(filepath.FromSlash(strings.TrimPrefix(name, tagRoot))); !ours {
		return nil
	}
	if err := r.tagFolder(change); err != nil {
		return err
	}
	path := filepath.Join(r.dir, filepath.FromSlash(name))
	if err := removeIfThere(path + ".lock"); err != nil {
		return err
	}
	if err := writeSynced(path+".lock", []byte(at.String()+"\n")); err != nil {
		return err
	}
	if err := os.Rename(path+".lock", path); err != nil {
		return err
	}
	return r.syncTags(change)
}

// uploads begins a conversation in which the other side sends.
func (c *carrier) uploads(ctx context.Context) (transport.UploadPackSession, error) {
	if c.http != nil {
		t, auth := c.web()
		return t.NewUploadPackSession(c.endpoint, auth)
	}
	return c.wire(ctx, "upload-pack")
}

var _ transport.UploadPackSession = (*wire)(nil)

// UploadPack asks for all that is wanted, whole: what is here already is not told.
func (w *wire) UploadPack(ctx context.Context, req *packp.UploadPackRequest) (*packp.UploadPackResponse, error) {
	w.sent = true
	err := req.UploadRequest.Encode(w.in)
	if err == nil {
		err = pktline.NewEncoder(w.in).EncodeString("done\n")
	}
	if err = errors.Join(err, w.in.Close()); err != nil {
		return nil, w.explain(err)
	}
	resp := packp.NewUploadPackResponse(req)
	if err := resp.Decode(io.NopCloser(w.out)); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, w.explain(err)
	}
	return resp, nil
}
