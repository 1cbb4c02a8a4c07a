package configs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	same := kept != nil && r.agrees(kept)
	s := Snapshot{
		Device: d, Taken: r.Began, By: o.By, Ticket: o.Ticket, Change: o.Change, Phase: o.Phase, Reason: o.Vouched,
		Driver: r.Driver, Identity: r.Identity, Grade: grade, Checks: r.checks, Texts: r.texts, Reached: r.Reached,
		Warnings: r.Warnings, Gaps: len(r.report.Gaps), Salted: r.Rules.salted(), Always: o.Twice,
	}
	if !same || s.Salted || s.Always {
		sealed, err := b.seal(ctx, d.Customer, r.Capture)
		if err != nil {
			return fail("seal", err)
		}
		s.Originals = sealed
	}
	v, err := b.Repository.Commit(ctx, s)
	if err != nil {
		return fail("keep", err)
	}
	res.Version, res.Result = v.Commit, Unchanged
	if v.New {
		res.Result = Kept
	}
	proof := b.readBack(ctx, v, r, same)
	res.Proofs = append(res.Proofs, proof)
	if !proof.OK {
		return failure(res, &devices.Error{Kind: devices.Damaged, Op: "read back", Device: d.String(), Err: errors.New(proof.Detail), Hint: "belay verify"})
	}
	if err := b.Quarantine.Release(ctx, d.ID()); err != nil {
		return fail("release from quarantine", err)
	}
	return b.prove(ctx, v, res)
}

// readBack proves that what is on disk is what was read. The texts of an
// unchanged version were read back before they were compared.
func (b *Backup) readBack(ctx context.Context, v Version, r reading, same bool) Proof {
	p := Proof{Name: "read back", Done: true, OK: true, At: b.Now(), Detail: fmt.Sprintf("%d bytes", r.size())}
	wrong := func(format string, args ...any) Proof {
		p.OK, p.Detail = false, fmt.Sprintf(format, args...)
		return p
	}
	if same && !v.New {
		return p
	}
	texts, err := b.Repository.Texts(ctx, v)
	if err != nil {
		return wrong("%v", err)
	}
	if !r.agrees(texts) {
		return wrong("version %s holds another text than was read", v.Commit)
	}
	originals, err := b.Repository.Originals(ctx, v)
	if err != nil {
		return wrong("%v", err)
	}
	for _, o := range originals {
		plain, err := b.Sealer.Open(ctx, v.ID.Customer(), o.Bytes)
		if err != nil {
			return wrong("open the original of %s: %v", o.Name, err)
		}
		if sum := sha256.Sum256(plain); hex.EncodeToString(sum[:]) != o.Digest {
			return wrong("the original of %s is not what was sealed", o.Name)
		}
	}
	return p
}

// prove asks every second place what it has.
func (b *Backup) prove(ctx context.Context, v Version, res Result) Result {
	var unproven error
	for _, prover := range b.Provers {
		p, err := prover.Prove(ctx, v)
		if err != nil {
			p.Done, p.OK, p.Detail = true, false, err.Error()
		}
		if !p.Done {
			continue
		}
		res.Proofs = append(res.Proofs, p)
		switch {
		case p.OK && p.Second:
			res.Verified = true
		case !p.OK && err == nil:
			err = errors.New(p.Detail)
			fallthrough
		case !p.OK:
			unproven = &devices.Error{Kind: devices.Unproven, Op: "prove in a second place", Device: res.Device, Err: err, Hint: devices.HintOf(err)}
		}
	}
	if unproven != nil && !res.Verified {
		res.Err, res.Error, res.Hint = unproven, unproven.Error(), devices.HintOf(unproven)
	}
	return res
}
