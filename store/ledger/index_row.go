package ledger

import (
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/klauspost/compress/zstd"

	"belay/configs"
	"belay/devices"
)

// An indexRow is one version as it goes into the tables. What versions have in
// common is in phrases, so that a row is small.
type indexRow struct {
	id      devices.ID
	name    string
	taken   int64
	version []byte
	who     string
	about   string
	subject string
	change  string
	sums    []byte
	texts   []indexText
}

type indexText struct {
	file string
	body []byte
}

// about is what seldom changes from one version of a device to the next.
type about struct {
	Name     string           `json:"n"`
	Driver   string           `json:"d,omitempty"`
	Identity devices.Identity `json:"i"`
	Grade    configs.Grade    `json:"g"`
	Files    []string         `json:"f,omitempty"`
	Unsaved  bool             `json:"u,omitempty"`
}

func indexRows(customer string, versions []configs.Indexed) ([]indexRow, error) {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	rows := make([]indexRow, len(versions))
	for i, v := range versions {
		if err := checkID(v.Version.ID); err != nil {
			return nil, err
		}
		if v.Version.ID.Customer() != customer {
			return nil, fmt.Errorf("%s is not customer %s's", v.Version.ID, customer)
		}
		if rows[i], err = indexRowOf(v.Version); err != nil {
			return nil, fmt.Errorf("version %s of %s: %w", v.Version.Commit, v.Version.ID, err)
		}
		for _, t := range v.Texts {
			rows[i].texts = append(rows[i].texts, indexText{t.Name, w.EncodeAll(t.Clean.Bytes(), nil)})
		}
	}
	return rows, w.Close()
}

func indexRowOf(v configs.Version) (indexRow, error) {
	row := indexRow{id: v.ID, name: v.Name, taken: nanos(v.Taken)}
	a := about{Name: v.Name, Driver: v.Driver, Identity: v.Identity, Grade: v.Grade, Unsaved: v.Unsaved}
	for _, f := range v.Files {
		a.Files = append(a.Files, f.Name)
		for _, digest := range []string{f.Digest, f.OriginalDigest} {
			b, err := hex.DecodeString(digest)
			if err != nil {
				return row, fmt.Errorf("digest %q: %w", digest, err)
			}
			row.sums = append(binary.AppendUvarint(row.sums, uint64(len(b))), b...)
		}
		row.sums = binary.AppendUvarint(binary.AppendUvarint(row.sums, uint64(f.Bytes)), uint64(f.OriginalBytes))
	}
	if row.sums == nil {
		row.sums = []byte{}
	}
	var errs [5]error
	row.version, errs[0] = hash(v.Commit)
	row.who, errs[1] = phrase(v.By)
	row.about, errs[2] = phrase(a)
	row.subject, errs[3] = phrase(v.Subject)
	if v.Ticket != "" || v.Change != "" || v.Phase != "" {
		row.change, errs[4] = phrase([]string{v.Ticket, v.Change, v.Phase})
	}
	return row, errors.Join(errs[:]...)
}

func phrase(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

func phraseHash(text string) int64 {
	h := fnv.New64a()
	h.Write([]byte(text)) // a hash never fails to write
	return int64(h.Sum64())
}

// An indexed is a version that was read from the index.
type indexed struct {
	version configs.Version
	place   int64
}

func scanIndexed(rows *sql.Rows) (x indexed, err error) {
	v := &x.version
	var taken int64
	var commit, sums []byte
	var who, what, subject, change sql.NullString
	if err := rows.Scan(&v.ID, &x.place, &taken, &commit, &who, &what, &subject, &change, &sums); err != nil {
		return x, err
	}
	v.Taken, v.Commit = moment(taken), hex.EncodeToString(commit)
	var a about
	var belongs []string
	for _, p := range []struct {
		text sql.NullString
		to   any
	}{{who, &v.By}, {what, &a}, {subject, &v.Subject}, {change, &belongs}} {
		if p.text.Valid && err == nil {
			err = json.Unmarshal([]byte(p.text.String), p.to)
		}
	}
	if len(belongs) == 3 {
		v.Ticket, v.Change, v.Phase = belongs[0], belongs[1], belongs[2]
	}
	v.Name, v.Driver, v.Identity, v.Grade, v.Unsaved = a.Name, a.Driver, a.Identity, a.Grade, a.Unsaved
	if err == nil && (a.Name == "" || change.Valid && len(belongs) != 3) {
		err = errors.New("a phrase is missing")
	}
	for _, name := range a.Files {
		f := configs.VersionFile{Name: name}
		if sums, err = takeSums(sums, &f, err); err != nil {
			break
		}
		v.Files = append(v.Files, f)
	}
	if err != nil {
		return x, &devices.Error{Kind: devices.Damaged, Op: "read version " + v.Commit, Device: string(v.ID), Err: err, Hint: "belay index rebuild --customer " + v.ID.Customer()}
	}
	return x, nil
}

// takeSums reads what stands of one file, and returns the rest.
func takeSums(b []byte, f *configs.VersionFile, err error) ([]byte, error) {
	next := func() (n uint64) {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			err = errors.Join(err, errors.New("the digests are cut short"))
			return 0
		}
		b = b[size:]
		return n
	}
	for _, to := range []*string{&f.Digest, &f.OriginalDigest} {
		n := next()
		if n > uint64(len(b)) {
			return b, errors.New("the digests are cut short")
		}
		*to, b = hex.EncodeToString(b[:n]), b[n:]
	}
	f.Bytes, f.OriginalBytes = int(next()), int(next())
	return b, err
}
