// Package spare keeps copies of Belay's data folder in another folder: several
// backups, of which each shares with the others what did not change. It knows the
// form of that folder and nothing of what is in the files.
//
// # The folder
//
//	FOLDER/
//	  README.txt               what this is, and how to restore it without Belay
//	  manifest-000012.json     one backup: written last, synced; the highest number is the newest
//	  content/27/27dc47b8…     the files, each by the SHA-256 of its bytes
//	  backup.lock              empty; locked by the process that writes
//
// A manifest is one JSON object; sum is the SHA-256 of the same object, compact,
// with sum empty, so one that was cut short or altered is none. Its files name each
// path of the data folder with its size and the digest under which it lies in
// content. signature, where it is there, is an SSH signature (PROTOCOL.sshsig, namespace
// belay-backup) of the 64 letters of sum, by the key that signs receipts: the sum
// proves that nothing was altered by chance, the signature that nobody did it on
// purpose. It is not under the sum, so an older Belay reads a signed manifest, and this
// one an unsigned. This package neither makes nor checks signatures. What no manifest names is left over from an interrupted backup, and the
// next one takes it away. So a backup is there whole or not at all, and the ones
// before stay as they were while it is made.
//
// Without Belay:
//
//	jq -r '.files[] | .sha256 + " " + .path' manifest-000012.json | while read -r sum path; do
//	    mkdir -p "data/$(dirname "$path")"; cp "content/${sum%"${sum#??}"}/$sum" "data/$path"; done
//
// And who signed it, allowed_signers being what belay keys signer prints:
//
//	jq -r .signature manifest-000012.json > sum.sig
//	jq -rj .sum manifest-000012.json | ssh-keygen -Y verify -f allowed_signers -I belay-receipts -n belay-backup -s sum.sig
package spare

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"belay/devices"
)

// Format is the version of the folder's form that this package writes.
const Format = 1

// A Manifest is one backup: what it holds, and what its making saw.
type Manifest struct {
	Format    int        `json:"format"`
	Number    int        `json:"number"` // the next backup into the same folder has a higher one
	Made      time.Time  `json:"made"`
	Belay     string     `json:"belay"` // the version of the program
	From      string     `json:"from"`  // the data folder
	Note      string     `json:"note"`  // what is not in it
	Chains    []Chain    `json:"chains"`
	Customers []Customer `json:"customers"`
	Problems  []string   `json:"problems,omitempty"` // what could not be copied whole
	Folders   []string   `json:"folders"`            // those that must be there though they may be empty
	Files     []File     `json:"files"`
	Sum       string     `json:"sum"`
	Signature string     `json:"signature,omitempty"` // of Sum
}

// A Chain is where a chain of the ledger ended: an anchor against one that is cut
// off later.
type Chain struct {
	Customer string `json:"customer"`
	Entries  int64  `json:"entries"`
	Hash     string `json:"hash"`
}

// A Customer is where a history stood.
type Customer struct {
	Name     string `json:"name"`
	Main     string `json:"main"`     // the commit
	Versions int    `json:"versions"` // commits that lead to it
}

// A File is one file of the data folder.
type File struct {
	Path   string `json:"path"` // below the data folder, with slashes
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Bytes is the size of all files.
func (m Manifest) Bytes() (n int64) {
	for _, f := range m.Files {
		n += f.Size
	}
	return n
}

func (m Manifest) sum() (string, error) {
	m.Sum, m.Signature = "", ""
	data, err := json.Marshal(m)
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), err
}

var (
	manifestName = devices.Pattern(`^manifest-(\d{6,9})\.json$`)
	digestForm   = devices.Pattern(`^[0-9a-f]{64}$`)
)

func nameOf(number int) string { return fmt.Sprintf("manifest-%06d.json", number) }

// Numbers lists the backups in a folder, the newest last. A folder that is missing
// or empty has none; one that holds something else is an error.
func Numbers(folder string) ([]int, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &devices.Error{Kind: devices.Usage, Op: "read the folder of backups", Err: err}
	}
	var numbers []int
	for _, e := range entries {
		name := e.Name()
		if m := manifestName().FindStringSubmatch(name); m != nil {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				return nil, err
			}
			numbers = append(numbers, n)
			continue
		}
		switch name {
		case "content", "README.txt", "README.txt.new", "backup.lock", "manifest.new", "lost+found", "copying":
		default:
			return nil, &devices.Error{Kind: devices.Usage, Op: "read the folder of backups", Err: fmt.Errorf("%s holds something else: %s", folder, name), Hint: "give backups a folder of their own"}
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// Read reads a backup's manifest: that of the number, or the newest for 0.
func Read(folder string, number int) (Manifest, error) {
	const op = "read the backup"
	numbers, err := Numbers(folder)
	if err != nil {
		return Manifest{}, err
	}
	if len(numbers) == 0 {
		return Manifest{}, &devices.Error{Kind: devices.Usage, Op: op, Err: fmt.Errorf("%s holds no backup: no manifest is there", folder), Hint: "belay backup FOLDER makes one; one that was interrupted is none"}
	}
	if number == 0 {
		number = numbers[len(numbers)-1]
	}
	if !slices.Contains(numbers, number) {
		return Manifest{}, &devices.Error{Kind: devices.Usage, Op: op, Err: fmt.Errorf("%s holds no backup number %d; it has %v", folder, number, numbers)}
	}
	file := filepath.Join(folder, nameOf(number))
	data, err := os.ReadFile(file)
	if err != nil {
		return Manifest{}, &devices.Error{Op: op, Err: err}
	}
	m, err := parse(data)
	if err == nil && m.Number != number {
		err = &devices.Error{Kind: devices.Damaged, Err: fmt.Errorf("it is that of number %d", m.Number)}
	}
	if err != nil {
		hint := devices.HintOf(err)
		if hint == "" && len(numbers) > 1 {
			hint = fmt.Sprintf("an older backup may be whole: --number, one of %v", numbers[:len(numbers)-1])
		}
		return Manifest{}, &devices.Error{Kind: devices.KindOf(err), Op: op, Err: fmt.Errorf("%s: %w", file, err), Hint: hint}
	}
	return m, nil
}

func parse(data []byte) (Manifest, error) {
	var form struct {
		Format int `json:"format"`
	}
	damaged := func(err error) error { return &devices.Error{Kind: devices.Damaged, Err: err} }
	if err := json.Unmarshal(data, &form); err != nil {
		return Manifest{}, damaged(err)
	}
	if form.Format > Format || form.Format < 1 {
		return Manifest{}, &devices.Error{Kind: devices.Usage, Err: fmt.Errorf("its format is %d, and this belay knows up to %d", form.Format, Format), Hint: "use the newer belay that wrote it"}
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return Manifest{}, damaged(err)
	}
	if sum, err := m.sum(); err != nil || sum != m.Sum {
		return Manifest{}, damaged(errors.New("it was altered: it does not match its own sum"))
	}
	seen := map[string]bool{}
	for _, f := range m.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Path)) || path.Clean(f.Path) != f.Path || seen[f.Path] || !digestForm().MatchString(f.SHA256) || f.Size < 0 {
			return Manifest{}, damaged(fmt.Errorf("it names a file that cannot be: %q", f.Path))
		}
		seen[f.Path] = true
	}
	for _, f := range m.Folders {
		if !filepath.IsLocal(filepath.FromSlash(f)) || path.Clean(f) != f {
			return Manifest{}, damaged(fmt.Errorf("it names a folder that cannot be: %q", f))
		}
	}
	return m, nil
}

func contentOf(folder, digest string) string {
	return filepath.Join(folder, "content", digest[:2], digest)
}
