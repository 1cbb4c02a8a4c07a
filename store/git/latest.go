package git

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"belay/configs"
	"belay/devices"
)

// latest is latest.json, as the comment of package store has it.
type latest struct {
	Schema int          `json:"schema"`
	Commit string       `json:"commit"`
	Taken  time.Time    `json:"taken"`
	Files  []latestFile `json:"files"`
}

type latestFile struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
	Bytes  int    `json:"bytes"`
	Sealed string `json:"sealed"`
}

func (r *repo) latestDir(name string) string {
	return filepath.Join(filepath.Dir(r.dir), "latest", name)
}

// later are the originals of s to be kept beside v, the version that stands with
// the same texts: none where they are kept already. Old is what is kept there now.
func (r *repo) later(s configs.Snapshot, v configs.Version) (brought []configs.Sealed, old latest, err error) {
	for _, o := range s.Originals {
		if s.Salted || o.Alone { // else it brings nothing that the texts do not tell
			brought = append(brought, o)
		}
	}
	if len(brought) == 0 {
		return nil, latest{}, nil
	}
	kept := map[string]string{}
	for _, f := range v.Files {
		kept[f.Name] = f.OriginalDigest
	}
	if old, err = readLatest(r.latestDir(v.Name)); err != nil {
		return nil, latest{}, err
	}
	if old.Commit == v.Commit {
		for _, f := range old.Files {
			kept[f.Name] = f.Digest
		}
	}
	if !slices.ContainsFunc(brought, func(o configs.Sealed) bool { return kept[o.Name] != o.Digest }) {
		return nil, latest{}, nil
	}
	return brought, old, nil
}

// keepLatest keeps the snapshot's originals, the newest, beside the version that
// stands, if they are not what is kept already.
func (r *repo) keepLatest(s configs.Snapshot, v configs.Version) error {
	brought, old, err := r.later(s, v)
	if err != nil || len(brought) == 0 {
		return err
	}
	now := latest{Schema: 1, Commit: v.Commit, Taken: s.Taken.Round(0)}
	// What this reading did not bring stays: an artifact may be missing for a night.
	if old.Commit == v.Commit {
		now.Files = slices.DeleteFunc(old.Files, func(f latestFile) bool {
			return slices.ContainsFunc(brought, func(o configs.Sealed) bool { return o.Name == f.Name })
		})
	}
	for _, o := range brought {
		sum := sha256.Sum256(o.Bytes)
		now.Files = append(now.Files, latestFile{o.Name, o.Digest, o.Size, hex.EncodeToString(sum[:])})
	}
	dir := r.latestDir(v.Name)
	if err := makeDirs(dir); err != nil {
		return fmt.Errorf("keep latest original: %w", err)
	}
	for _, o := range brought {
		if err := replaceFile(filepath.Join(dir, o.Name+".age"), o.Bytes); err != nil {
			return fmt.Errorf("keep latest original: %w", err)
		}
	}
	data, err := json.MarshalIndent(now, "", "  ")
	if err == nil {
		err = replaceFile(filepath.Join(dir, "latest.json"), append(data, '\n'))
	}
	for _, d := range []string{dir, filepath.Dir(dir), filepath.Dir(r.dir)} { // made just now, or by a process that was killed
		if err == nil {
			err = syncDir(d)
		}
	}
	if err != nil {
		return fmt.Errorf("keep latest original: %w", err)
	}
	return nil
}

// dropLatest removes what stood beside the version before. It would be void
// anyway: it names that version.
func (r *repo) dropLatest(names ...string) error {
	for _, n := range names {
		if n == "" {
			continue
		}
		if err := os.RemoveAll(r.latestDir(n)); err != nil {
			return fmt.Errorf("remove what the new version replaces: %w", err)
		}
	}
	return nil
}

// readLatest is zero where there is none, and where it makes no sense: then it
// is void, as one beside another version, and the next capture replaces it.
func readLatest(dir string) (latest, error) {
	data, err := os.ReadFile(filepath.Join(dir, "latest.json"))
	if errors.Is(err, os.ErrNotExist) {
		return latest{}, nil
	}
	if err != nil {
		return latest{}, fmt.Errorf("read latest original: %w", err)
	}
	var l latest
	if json.Unmarshal(data, &l) != nil || l.Schema != 1 {
		return latest{}, nil //nolint:nilerr // a damaged note names no version, and is void
	}
	return l, nil
}

// Latest is the newest sealed originals of a device, which a restore wants:
// those of the newest version, or later ones where its text has not changed since:
// of binary artifacts, and of all where the device salts its secrets. Digest is empty where a writer was
// interrupted.
func (s *Store) Latest(ctx context.Context, id devices.ID) ([]configs.Sealed, error) {
	v, ok, err := s.Newest(ctx, id)
	if !ok || err != nil {
		return nil, err
	}
	sealed, err := s.Originals(ctx, v)
	if err != nil {
		return nil, err
	}
	r, err := s.device(id)
	if err != nil {
		return nil, err
	}
	dir := r.latestDir(v.Name)
	l, err := readLatest(dir)
	if err != nil || l.Commit != v.Commit {
		return sealed, err
	}
	for i := range sealed {
		data, err := os.ReadFile(filepath.Join(dir, sealed[i].Name+".age"))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read latest original of %s: %w", id, err)
		}
		sum := sha256.Sum256(data)
		now := configs.Sealed{Name: sealed[i].Name, Bytes: data, Alone: sealed[i].Alone}
		for _, f := range l.Files {
			if f.Name == now.Name && f.Sealed == hex.EncodeToString(sum[:]) {
				now.Digest, now.Size = f.Digest, f.Bytes
			}
		}
		sealed[i] = now
	}
	return sealed, nil
}
