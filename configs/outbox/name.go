package outbox

import (
	"path"
	"strings"

	"belay/configs"
)

// fileName is what a file of a version is called over there: of this version,
// file and form alone, so that a list tells whether it has arrived. A person
// reads the device, the time in UTC, the phase of a change, the commit and the
// beginning of the bytes' SHA-256.
func fileName(v configs.Version, file string, form configs.Form, digest string, textOnly bool) string {
	parts := []string{v.Name, v.Taken.UTC().Format("20060102T150405Z")}
	if v.Phase != "" {
		parts = append(parts, v.Phase)
	}
	parts = append(parts, head(v.Commit))
	if file != configs.MainFile {
		parts = append(parts, plainName(file))
	}
	name := strings.Join(append(parts, mark(digest)), "_")
	switch {
	case form == configs.Redacted:
		return name + ".redacted.txt"
	case form == configs.InSeal && textOnly:
		return name + ".age.txt"
	case form == configs.InSeal:
		return name + ".age"
	case recorded(v, file).Alone() && !textOnly:
		return name + extension(file)
	case recorded(v, file).Alone():
		return name + extension(file) + ".txt"
	}
	return name + ".txt"
}

// extension is an artifact's own: a device takes it back by that name.
func extension(file string) string {
	if e := strings.TrimPrefix(path.Ext(file), "."); e != "" && len(e) <= 10 && plainName(e) == e {
		return "." + e
	}
	return ".bin"
}

// ReceiptName is what a receipt of a change is called. The format is "text",
// "json" or "html".
func ReceiptName(change, format, digest string, textOnly bool) string {
	name := change + "_receipt_" + mark(digest)
	switch {
	case format != "json" && format != "html":
		return name + ".txt"
	case textOnly:
		return name + "." + format + ".txt"
	}
	return name + "." + format
}

// mark is the part of a name that tells the bytes.
func mark(digest string) string { return "sha256-" + head(digest) }

func head(hex string) string { return hex[:min(8, len(hex))] }

// plainName makes a name within a version fit for any system. One that had to be
// altered is told apart from what it now looks like.
func plainName(file string) string {
	plain := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '-'
	}, file)
	plain = strings.Trim(plain[:min(len(plain), 60)], ".-")
	if plain != file {
		plain += "-" + head(configs.Digest([]byte(file)))
	}
	return plain
}

func textOnly(p Place) bool {
	b, ok := p.System.(configs.Bounded)
	return ok && b.Bounds().TextOnly
}
