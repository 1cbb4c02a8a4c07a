package configs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"belay/configs/redact"
	"belay/devices"
)

// salted tells whether the system encrypts its secrets anew at each display,
// so that the same text may hide a new password.
func (r Rules) salted() bool {
	return slices.ContainsFunc(r.Redact.Secrets, func(s redact.Rule) bool { return s.Salted })
}

// keep commits a whole reading, or finds it unchanged, and proves what is kept.
func (b *Backup) keep(ctx context.Context, d devices.Device, o Order, r reading, grade Grade, kept []Text, res Result) Result {
	fail := func(op string, err error) Result {
		return failure(res, &devices.Error{Kind: devices.KindOf(err), Op: op, Device: d.String(), Err: err})
	}
	// A capture that was asked to stop keeps what it has proven to be whole.
	ctx = context.WithoutCancel(ctx)
	b.turn(ctx)()
	same := kept != nil && r.agrees(kept)
	s := Snapshot{
		Device: d, Taken: r.Began, By: o.By, Ticket: o.Ticket, Change: o.Change, Phase: o.Phase, Reason: o.Vouched,
		Driver: r.Driver, Identity: r.Identity, Grade: grade, Checks: r.checks, Texts: r.texts, Reached: r.Reached,
		Warnings: r.Warnings, Gaps: len(r.report.Gaps), Salted: r.Rules.salted(), Unsaved: r.Unsaved, Always: o.Twice,
	}
	v, held, err := b.held(ctx, s, r, same)
	if err != nil {
		return fail("compare", err)
	}
	if !held { // perhaps another process kept another text meanwhile, and no version may be without its original
		if s.Originals, err = b.seal(ctx, d.Customer, r.Capture); err != nil {
			return fail("seal", err)
		}
		if v, err = b.Repository.Commit(ctx, s); err != nil {
			return fail("keep", err)
		}
	}
	res.Version, res.Result = v.Commit, Unchanged
	if v.New {
		res.Result = Kept
	}
	proof, err := b.readBack(ctx, v, r, same)
	res.Proofs = append(res.Proofs, proof)
	if err != nil {
		hint := devices.HintOf(err)
		if hint == "" {
			hint = "belay verify"
		}
		return failure(res, &devices.Error{Kind: devices.KindOf(err), Op: "read back", Device: d.String(), Err: err, Hint: hint})
	}
	if err := b.Quarantine.Release(ctx, d.ID()); err != nil {
		return fail("release from quarantine", err)
	}
	if b.Saved != nil {
		if err := b.Saved(ctx, d, r.Unsaved, r.Began); err != nil {
			return fail("note whether its configuration is saved", err)
		}
	}
	return b.prove(ctx, v, res)
}

// held tells whether the version that stands has all of an unchanged reading:
// then nothing need be sealed.
func (b *Backup) held(ctx context.Context, s Snapshot, r reading, same bool) (Version, bool, error) {
	if !same {
		return Version{}, false, nil
	}
	for _, f := range r.Files {
		s.Originals = append(s.Originals, f.original())
	}
	return b.Repository.Unchanged(ctx, s)
}

// readBack proves that what is on disk is what was read.
func (b *Backup) readBack(ctx context.Context, v Version, r reading, same bool) (Proof, error) {
	p := Proof{Name: "read back", Done: true, OK: true, At: b.Now(), Detail: fmt.Sprintf("%d bytes", r.size().all)}
	err := b.compare(ctx, v, r, same)
	if err != nil {
		p.OK, p.Detail = false, err.Error()
	}
	return p, err
}

// compare reads the texts and opens the originals. The texts of an unchanged
// version were read back before they were compared.
func (b *Backup) compare(ctx context.Context, v Version, r reading, same bool) error {
	if same && !v.New {
		return nil
	}
	wrong := func(format string, args ...any) error {
		return &devices.Error{Kind: devices.Damaged, Op: "compare", Err: fmt.Errorf(format, args...)}
	}
	texts, err := b.Repository.Texts(ctx, v)
	if err != nil {
		return err
	}
	if !r.agrees(texts) {
		return wrong("version %s holds another text than was read", v.Commit)
	}
	originals, err := b.Repository.Originals(ctx, v)
	if err != nil {
		return err
	}
	for _, f := range r.Files {
		i := slices.IndexFunc(originals, func(o Sealed) bool { return o.Name == f.Name })
		if i < 0 && f.Sealed && !v.New {
			continue // another process kept the text, and had none of it
		}
		if i < 0 {
			return wrong("version %s holds no original of %s", v.Commit, f.Name)
		}
		plain, err := b.Sealer.Open(ctx, v.ID.Customer(), originals[i].Bytes)
		if err != nil {
			return fmt.Errorf("open the original of %s: %w", f.Name, err)
		}
		want := originals[i].Digest
		if v.New {
			want = Digest(f.Raw)
		}
		if Digest(plain) != want {
			return wrong("the original of %s is not what was sealed", f.Name)
		}
	}
	return nil
}

// AfterDoubt is the command that ends a doubt, once a person has understood it.
const AfterDoubt = "belay canaries understood --reason …"

// doubted is why nothing may be called verified now, nil where nothing speaks
// against it. Where that cannot be told nothing is verified either.
func (b *Backup) doubted(ctx context.Context, device string) error {
	if b.Doubt == nil {
		return nil
	}
	why, err := b.Doubt(ctx)
	switch {
	case devices.KindOf(err) == devices.Damaged:
		return &devices.Error{Kind: devices.Damaged, Op: "ask whether the checks are in doubt for", Device: device, Err: err, Hint: devices.HintOf(err)}
	case err != nil:
		return &devices.Error{Kind: devices.Unproven, Op: "call verified", Device: device, Err: fmt.Errorf("whether the checks are in doubt cannot be told: %w", err), Hint: devices.HintOf(err)}
	case why != "":
		return &devices.Error{Kind: devices.Unproven, Op: "call verified", Device: device, Err: errors.New(why), Hint: AfterDoubt}
	}
	return nil
}

// prove asks every second place what it has. One proof is enough; another place
// that failed is then a warning, but an attachment that is still to come remains
// one: it is owed. While there is a doubt no proof is enough.
func (b *Backup) prove(ctx context.Context, v Version, res Result) Result {
	var unproven, pending error
	for _, prover := range b.Provers {
		p, err := prover.Prove(ctx, v)
		if err != nil {
			p.Done, p.OK, p.Detail = true, false, err.Error()
		}
		if !p.Done {
			continue
		}
		res.Proofs = append(res.Proofs, p)
		res.Verified = res.Verified || p.OK && p.Second
		if p.OK {
			continue
		}
		if err == nil {
			err = errors.New(p.Detail)
		}
		if devices.KindOf(err) == devices.AttachmentPending && pending == nil {
			pending = &devices.Error{Kind: devices.AttachmentPending, Op: "attach", Device: res.Device, Err: err, Hint: devices.HintOf(err)}
		}
		kind := devices.Unproven
		if devices.KindOf(err) == devices.Damaged {
			kind = devices.Damaged // here, not over there
		}
		if unproven == nil || kind == devices.Damaged {
			unproven = &devices.Error{Kind: kind, Op: "prove in a second place", Device: res.Device, Err: err, Hint: devices.HintOf(err)}
		}
	}
	doubt := b.doubted(ctx, res.Device)
	if doubt != nil {
		res.Verified, res.Doubted = false, true
	}
	switch {
	case devices.KindOf(unproven) == devices.Damaged:
		return failure(res, unproven)
	case devices.KindOf(doubt) == devices.Damaged:
		return failure(res, doubt)
	case doubt != nil:
		if unproven != nil {
			res.Warnings = append(res.Warnings, unproven.Error())
		}
		res.Err, res.Error, res.Hint = doubt, doubt.Error(), devices.HintOf(doubt)
	case unproven == nil:
	case res.Verified && pending != nil:
		res.Err, res.Error, res.Hint = pending, pending.Error(), devices.HintOf(pending)
	case res.Verified:
		res.Warnings = append(res.Warnings, unproven.Error())
	default:
		res.Err, res.Error, res.Hint = unproven, unproven.Error(), devices.HintOf(unproven)
	}
	return res
}
