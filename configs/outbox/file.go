package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"belay/configs"
	"belay/devices"
)

// version is that of a letter, and for a receipt the device's newest; stands
// tells whether it is of the box that stands there now.
func (o *Office) version(ctx context.Context, l configs.Letter) (v configs.Version, stands bool, err error) {
	newest, ok, err := o.Repository.Newest(ctx, l.Device)
	if err != nil {
		return configs.Version{}, false, err
	}
	if l.Form == configs.Receipt || ok && newest.Commit == l.Version {
		return newest, true, nil
	}
	for v, err := range o.Repository.History(ctx, l.Device) {
		if err != nil {
			return configs.Version{}, false, err
		}
		if v.Commit == l.Version {
			return v, !disjoint(v.Identity.Serials, newest.Identity.Serials), nil
		}
	}
	return configs.Version{}, false, missing(l, errors.New("history does not hold it"))
}

// file is what a letter brings: read from the store, compared with the digests
// that were recorded there, whole in memory and nowhere else.
func (o *Office) file(ctx context.Context, l configs.Letter, v configs.Version) (configs.Attached, error) {
	var data []byte
	var err error
	switch l.Form {
	case configs.Redacted:
		data, err = o.redacted(ctx, v, l)
	case configs.Original, configs.InSeal:
		data, err = o.original(ctx, v, l)
	case configs.Receipt:
		data, err = o.paper(ctx, l)
	default:
		err = stay(fmt.Errorf("nothing is attached as %q", l.Form))
	}
	if err != nil {
		return configs.Attached{}, err
	}
	if !strings.Contains(l.Name, mark(configs.Digest(data))) {
		return configs.Attached{}, missing(l, fmt.Errorf("what is kept has digest %s…, and is not what %s names", head(configs.Digest(data)), l.Name))
	}
	return configs.Attached{Name: l.Name, Bytes: data}, nil
}

func (o *Office) redacted(ctx context.Context, v configs.Version, l configs.Letter) ([]byte, error) {
	texts, err := o.Repository.Texts(ctx, v)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(texts, func(t configs.Text) bool { return t.Name == l.File })
	if i < 0 || texts[i].Clean.Digest() != recorded(v, l.File).Digest {
		return nil, missing(l, errors.New("the text is not the recorded one"))
	}
	return texts[i].Clean.Bytes(), nil
}

// original opens what was sealed, also where it goes out sealed: nothing is hung
// anywhere of which we do not know that it opens.
func (o *Office) original(ctx context.Context, v configs.Version, l configs.Letter) ([]byte, error) {
	sealed, err := o.sealed(ctx, v, l.File)
	if err != nil {
		return nil, err
	}
	plain, err := o.Sealer.Open(ctx, l.Customer, sealed.Bytes)
	if err != nil {
		return nil, fmt.Errorf("open the original of %s: %w", l.File, err)
	}
	if digest := configs.Digest(plain); digest != sealed.Digest || digest != recorded(v, l.File).OriginalDigest {
		return nil, missing(l, errors.New("the original is not the recorded one"))
	}
	if l.Form == configs.InSeal {
		return sealed.Bytes, nil
	}
	return plain, nil
}

func (o *Office) sealed(ctx context.Context, v configs.Version, file string) (configs.Sealed, error) {
	originals, err := o.Repository.Originals(ctx, v)
	if err != nil {
		return configs.Sealed{}, err
	}
	i := slices.IndexFunc(originals, func(s configs.Sealed) bool { return s.Name == file })
	if i < 0 {
		return configs.Sealed{}, stay(&devices.Error{Op: "read the original of", Device: string(v.ID), Err: fmt.Errorf("version %s holds none of %s", head(v.Commit), file),
			Hint: "belay capture " + string(v.ID)})
	}
	return originals[i], nil
}

func (o *Office) paper(ctx context.Context, l configs.Letter) ([]byte, error) {
	if o.Papers == nil {
		return nil, stay(errors.New("no papers are at hand"))
	}
	p, ok, err := o.Papers.Paper(ctx, l.Customer, l.Version)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, missing(l, errors.New("no such paper is filed"))
	}
	if p.Sealed {
		if p.Bytes, err = o.Sealer.Open(ctx, l.Customer, p.Bytes); err != nil {
			return nil, fmt.Errorf("open a paper of %s: %w", l.Change, err)
		}
	}
	if configs.Digest(p.Bytes) != l.Version {
		return nil, missing(l, errors.New("the paper is not the one that was filed"))
	}
	return p.Bytes, nil
}

func recorded(v configs.Version, file string) configs.VersionFile {
	for _, f := range v.Files {
		if f.Name == file {
			return f
		}
	}
	return configs.VersionFile{}
}

// missing says that the store does not hold what a letter is to bring.
func missing(l configs.Letter, err error) error {
	return stay(&devices.Error{Kind: devices.Damaged, Op: "read " + l.File + " of version " + head(l.Version) + " of", Device: string(l.Device), Err: err, Hint: "belay verify"})
}
