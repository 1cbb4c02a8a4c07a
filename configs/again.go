package configs

import (
	"context"
	"errors"
	"fmt"

	"belay/devices"
)

// CheckSince is the name of the check that compares a device with a version.
const CheckSince = "unchanged since"

// A Rereading is what came of reading a device again, to compare it with a
// version. Nothing of it is kept.
type Rereading struct {
	Same     bool // whole, of the right device, and the same text as the version's
	Checks   []Check
	Identity devices.Identity
	Reached  devices.Reached
}

// Reread reads a device and compares it with a version, which is itself read
// back from disk. A difference is looked at twice: a log line may have landed in
// the first reading. An error says that there was nothing to compare.
func (b *Backup) Reread(ctx context.Context, d devices.Device, v Version) (Rereading, error) {
	kept, err := b.Repository.Texts(ctx, v)
	if err != nil {
		return Rereading{}, &devices.Error{Kind: devices.KindOf(err), Op: "read back", Device: d.String(), Err: err, Hint: "belay verify"}
	}
	var again Rereading
	for range 2 {
		r, err := b.read(ctx, d, Order{}, &v)
		if err != nil {
			return again, err
		}
		since := Check{Name: CheckSince, OK: r.agrees(kept), Detail: fmt.Sprintf("the same text as version %.10s", v.Commit)}
		if !since.OK {
			since.Detail = fmt.Sprintf("the configuration is not that of version %.10s any more", v.Commit)
		}
		again = Rereading{Checks: append(r.checks, since), Identity: r.Identity, Reached: r.Reached}
		if again.Same = len(failing(again.Checks)) == 0; again.Same || final(failing(r.checks)) {
			break
		}
	}
	return again, nil
}

// Import keeps what a person exported by hand as if it had been read: the same
// checks, the same redaction. Nobody read it twice, so c.Missing must say who
// attests it, which lowers its grade; o.Vouched is the attestation, and is kept.
// It is never verified, wherever it is proven.
func (b *Backup) Import(ctx context.Context, d devices.Device, c Capture, o Order) Result {
	f, mine := b.board(d.ID(), o)
	for !mine {
		select {
		case <-f.done:
			f, mine = b.board(d.ID(), o)
		case <-ctx.Done():
			return failure(Result{Device: d.String(), ID: d.ID()}, ctx.Err())
		}
	}
	return b.fly(ctx, d, f, func() Result { return b.take(ctx, d, c, o) })
}

func (b *Backup) take(ctx context.Context, d devices.Device, c Capture, o Order) Result {
	res := Result{Device: d.String(), ID: d.ID(), Checks: []Check{}}
	if o.Vouched == "" || len(c.Missing) == 0 {
		return failure(res, &devices.Error{Kind: devices.Usage, Op: "import", Device: d.String(), Err: errors.New("nobody attests it")})
	}
	last, kept, err := b.standing(ctx, d)
	if err != nil {
		return failure(res, &devices.Error{Kind: devices.KindOf(err), Op: "read back", Device: d.String(), Err: err})
	}
	if last != nil {
		res.Version = last.Commit
	}
	key, err := b.Sealer.FingerprintKey(ctx, d.Customer)
	if err != nil {
		return failure(res, &devices.Error{Kind: devices.KindOf(err), Op: "find the key of " + d.Customer, Err: err})
	}
	if last, err = b.identified(ctx, last, c.Identity); err != nil {
		return failure(res, &devices.Error{Kind: devices.KindOf(err), Op: "read history of", Device: d.String(), Err: err})
	}
	r, err := b.judged(ctx, d, o, c, last, key)
	if err != nil {
		return failure(res, err)
	}
	for i, check := range r.checks {
		if check.Name == CheckDevice && check.OK && len(c.Identity.Serials) == 0 { // no host key stands for it here
			r.checks[i].Detail = "the file names no serial number; " + o.Vouched
		}
	}
	if before := sizeOf(kept); before.all > 0 && !o.Successor {
		r.checks = append(r.checks, checkSize(r.size(), before))
	}
	res = b.settle(ctx, d, o, r, kept, res)
	res.Verified, res.Attested = false, o.Vouched
	return res
}

// sizes are those of one snapshot's texts, in bytes. The configuration is told
// apart: beside it may stand more than it is long.
type sizes struct{ main, all int }

func (s *sizes) add(name string, n int) {
	if s.all += n; name == MainFile {
		s.main += n
	}
}

// sizeOf is the size of redacted texts.
func sizeOf(texts []Text) (s sizes) {
	for _, t := range texts {
		s.add(t.Name, t.Clean.Len())
	}
	return s
}
