package main

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"belay/devices/simulator"
	"belay/drivers"
)

// A herd is one simulated device for each built-in transcript.
type herd struct {
	*play
	boxes    map[string]*box
	names    []string          // customer/name, in order
	canaries map[string]string // every secret planted, and where
	known    map[[6]byte][]planted
}

// newHerd starts the devices, each with the login of its transcript, which the
// program has from the environment, from a file or from the vault.
func newHerd(t *testing.T) *herd {
	t.Helper()
	catalog, err := drivers.Load("")
	if err != nil {
		t.Fatal(err)
	}
	h := &herd{boxes: map[string]*box{}, canaries: map[string]string{}}
	logins, inventory := "", "devices:\n"
	var env []string
	files := map[string]string{}
	for i, d := range catalog.All() {
		if raced && i%8 > 0 { // make test takes all of them once more, without
			continue
		}
		if public, _, _ := d.HTTPS(); public || d.Road() == "snmp" {
			continue // a service's certificate is verified, and a transfer needs a receiver: their own tests look for secrets
		}
		for j, s := range catalog.Transcripts(d.Name) {
			tr, err := simulator.Parse(s.Name, s.Text)
			if err != nil {
				t.Fatal(err)
			}
			b, stop, err := serveRoad(d, &simulator.Device{T: tr})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = stop() })
			customer := []string{"acme", "globex"}[i%2]
			name := customer + "/" + strings.TrimSuffix(s.Name, ".txtar")
			h.names, h.boxes[name] = append(h.names, name), b
			inventory += b.entry(customer, strings.TrimSuffix(s.Name, ".txtar"))
			variable := fmt.Sprintf("BELAY_%d_%d", i, j)
			enable := tr.Login.Enable
			if enable == "" {
				enable = tr.Login.Password
			}
			env = append(env, variable+"="+tr.Login.Password)
			files[variable+".txt"] = enable
			logins += fmt.Sprintf("  %s: {user: %s, password: {env: %s}, enable: {file: %s.txt}}\n", name, tr.Login.User, variable, variable)
			for _, secret := range append(slices.Clone(tr.Gone), tr.Login.Password, enable) {
				if len(secret) >= 6 && !recorded.MatchString(secret) {
					h.canaries[secret] = s.Name
				}
			}
		}
	}
	h.play = newPlay(t, "inventory: [devices.yaml]\nhost_keys: first-use\nconcurrency: {all: 8, site: 8}\nremotes: {default: {url: 'remotes/{customer}.git', elsewhere: true}}\nlogins:\n"+logins, inventory, env...)
	for name, text := range files {
		h.write(name, text+"\n")
	}
	for _, customer := range []string{"acme", "globex"} {
		h.bare("remotes/" + customer + ".git")
	}
	return h
}

// recorded is the beginning of what "drivers record" writes for a secret.
var recorded = regexp.MustCompile(`^canary[0-9a-f]{0,7}$`)

// TestNoSecretIsAnywhereInClear takes every system there is, also while it does
// wrong, and looks through everything the program wrote or said for the secrets
// planted in the devices and in the logins.
func TestNoSecretIsAnywhereInClear(t *testing.T) {
	t.Parallel()
	part(t, "git", "git")
	h := newHerd(t)
	first := h.wants(0, "capture", "--all", "--json")
	results, err := objects(first.out)
	if err != nil || len(results) != len(h.names) {
		t.Fatalf("%d results for %d devices, %v", len(results), len(h.names), err)
	}
	for _, r := range results {
		if text(r, "result") != "kept" || string(r["verified"]) != "true" {
			t.Errorf("%s was %s: %s", text(r, "device"), text(r, "result"), text(r, "error"))
		}
	}
	h.misbehave(t)
	h.wants(5, "capture", "--all")
	h.wants(5, "capture", "--all", "--json")
	for i, name := range h.names {
		// What a device says wrong, a person looks at.
		if i < 10 {
			h.belay(append([]string{"drivers", "try", name}, []string{"--json"}[:i%2]...)...)
		}
		b := h.boxes[name]
		b.dev.Order(simulator.Fault{})
		for command, answer := range b.dev.T.Again { // other clocks and salts
			b.dev.Say(command, answer.Text())
		}
		if i >= 10 {
			h.wants(0, append([]string{"drivers", "try", name}, []string{"--json"}[:i%2]...)...)
		}
		h.wants(0, "drivers", "record", name, "--file", "-")
	}
	h.wants(0, append([]string{"capture"}, h.names...)...) // by name: those that refused the login rest
	h.shrink(t)
	h.belay("capture", "--all", "--json")
	for _, name := range h.names {
		h.wants(0, "show", name)
	}
	some := h.names[0]
	for _, args := range [][]string{
		{"log", some, "--json"}, {"show", some, "--json"}, {"diff", some, "~0", "~0", "--json"}, {"diff", some, "~0", "~0", "-y"},
		{"search", "(?i)password|secret|key"}, {"search", "--json", "."}, {"verify"}, {"verify", "--json"}, {"devices", "list"}, {"devices", "list", "--json"},
		{"keys", "list"}, {"keys", "login", "--list"}, {"drivers", "list"}, {"init"},
	} {
		h.wants(0, args...)
	}
	secrets := slices.Sorted(maps.Keys(h.canaries))
	for i := range secrets {
		secrets[i] = regexp.QuoteMeta(secrets[i])
	}
	for _, pattern := range []string{secrets[0], strings.Join(secrets, "|")} { // somebody looks for them
		h.wants(0, "search", "--customer", "acme", "--", pattern)
	}
	for _, found := range h.look() {
		t.Error(found)
	}
	t.Logf("%d devices, %d canaries, %d commands", len(h.names), len(h.canaries), len(h.all))

	// The same look finds what is planted, wherever it is planted.
	h.plant(t)
}

// misbehave gives each device a fault; errors quote its secrets where they can.
func (h *herd) misbehave(t *testing.T) {
	t.Helper()
	faults := []string{"cut-line=25", "error", "wrong-box", "empty", "reset", "close-channel", "refuse", "lookalike=prompt,cut-line=60", "unreachable", "error=quote"}
	for i, name := range h.names {
		b := h.boxes[name]
		f, err := simulator.ParseFault(faults[i%len(faults)])
		if err != nil {
			t.Fatal(err)
		}
		if f.Error == "quote" {
			f.Error = h.quote(b)
		}
		b.dev.Order(f)
	}
}

// quote is an error that shows a line of the configuration with a secret in it.
func (h *herd) quote(b *box) string {
	for line := range strings.Lines(b.dev.Configuration(b.command())) {
		for _, secret := range b.dev.T.Gone {
			if len(secret) >= 6 && strings.Contains(line, secret) {
				return "% Invalid input detected\n" + strings.TrimSpace(line) + "\n% Invalid input detected"
			}
		}
	}
	return "% Invalid input detected"
}

// shrink leaves a third of each configuration: it is held in quarantine.
func (h *herd) shrink(t *testing.T) {
	t.Helper()
	for _, name := range h.names {
		b := h.boxes[name]
		lines := strings.SplitAfter(b.dev.Configuration(b.command()), "\n")
		b.dev.Say(b.command(), strings.Join(lines[:len(lines)/3], ""))
	}
}

// look searches all that the program wrote and said.
func (h *herd) look() (found []string) {
	h.t.Helper()
	for _, s := range h.all {
		where := "belay " + strings.Join(s.args, " ")
		if s.args[0] == "search" {
			where = "a search" // it may be for a canary
		}
		found = append(found, h.holds("standard output of "+where, []byte(s.out))...)
		found = append(found, h.holds("standard error of "+where, []byte(s.err))...)
	}
	for _, folder := range []string{"belay-data", "remotes"} {
		if err := filepath.WalkDir(h.path(folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			found = append(found, h.holds("the name "+path, []byte(path))...)
			if d.IsDir() {
				if strings.HasSuffix(path, ".git") {
					found = append(found, h.holds("an object of "+path, h.objects(path))...)
				}
				return nil
			}
			if !d.Type().IsRegular() { // a service's socket
				return nil
			}
			data, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) { // a service's, for a moment
				return nil
			}
			found = append(found, h.holds(path, data)...)
			return err
		}); err != nil {
			h.t.Fatal(err)
		}
	}
	return append(found, h.holds("a row of the ledger", h.rows())...)
}

// A planted text is a canary as it is, or as JSON or base64 would write it.
type planted struct{ form, secret, from string }

// index finds the planted texts by their first bytes.
func (h *herd) index() map[[6]byte][]planted {
	if h.known != nil {
		return h.known
	}
	h.known = map[[6]byte][]planted{}
	for secret, from := range h.canaries {
		forms := []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))}
		if quoted, err := json.Marshal(secret); err == nil {
			forms = append(forms, strings.Trim(string(quoted), `"`))
		}
		for _, form := range forms {
			at := [6]byte([]byte(form))
			h.known[at] = append(h.known[at], planted{form, secret, from})
		}
	}
	return h.known
}

// holds tells which canaries stand in data.
func (h *herd) holds(where string, data []byte) (found []string) {
	index := h.index()
	for i := range max(0, len(data)-5) {
		for _, p := range index[[6]byte(data[i:i+6])] {
			if bytes.HasPrefix(data[i:], []byte(p.form)) {
				found = append(found, fmt.Sprintf("%s holds %q of %s: …%q…", where, p.secret, p.from, data[max(0, i-60):min(len(data), i+60)]))
			}
		}
	}
	return found
}

// objects is the contents of every object of a repository.
func (h *herd) objects(repo string) []byte {
	h.t.Helper()
	out, err := exec.CommandContext(h.t.Context(), "git", "-C", repo, "cat-file", "--batch-all-objects", "--batch", "--unordered").Output()
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// rows is everything in the ledger's tables: a text that is long lies in pieces
// on disk.
func (h *herd) rows() []byte {
	h.t.Helper()
	db, err := sql.Open("sqlite", "file:"+h.path("belay-data/belay.db")+"?mode=ro")
	if err != nil {
		h.t.Fatal(err)
	}
	defer db.Close()
	var all bytes.Buffer
	read := func(query string, each func(values []any)) {
		rows, err := db.QueryContext(h.t.Context(), query)
		if err != nil {
			h.t.Fatal(err)
		}
		defer rows.Close()
		columns, err := rows.Columns()
		if err != nil {
			h.t.Fatal(err)
		}
		for rows.Next() {
			values, into := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			if err := rows.Scan(into...); err != nil {
				h.t.Fatal(err)
			}
			each(values)
		}
		if err := rows.Err(); err != nil {
			h.t.Fatal(err)
		}
	}
	var tables []string
	read("SELECT name FROM sqlite_master WHERE type = 'table'", func(v []any) { tables = append(tables, v[0].(string)) })
	for _, table := range tables {
		read(`SELECT * FROM "`+table+`"`, func(values []any) {
			for _, v := range values {
				if b, ok := v.([]byte); ok {
					v = string(b)
				}
				fmt.Fprintln(&all, v)
			}
		})
	}
	if len(tables) < 3 || all.Len() < 1000 {
		h.t.Errorf("the ledger has %d tables with %d bytes: that cannot be all", len(tables), all.Len())
	}
	return all.Bytes()
}

// plant puts one canary where it must not be, place by place, and wants it found.
func (h *herd) plant(t *testing.T) {
	t.Helper()
	secret := h.boxes[h.names[0]].dev.T.Gone[0]
	if _, ok := h.canaries[secret]; !ok {
		t.Fatalf("%q is no canary", secret)
	}
	finds := func(where string) {
		t.Helper()
		if !slices.ContainsFunc(h.look(), func(f string) bool { return strings.Contains(f, where) }) {
			t.Errorf("a canary planted in %s is not found", where)
		}
	}
	h.write("belay-data/customers/acme/left-behind.tmp", "x"+secret+"y")
	finds("left-behind.tmp")
	cmd := exec.CommandContext(t.Context(), "git", "-C", h.path("remotes/globex.git"), "hash-object", "-w", "--stdin")
	cmd.Stdin = strings.NewReader("username admin password 0 " + secret + "\n")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	finds("an object of " + h.path("remotes/globex.git"))
	h.wants(0, "search", "nothing", "--as", secret)
	finds("a row of the ledger")
	h.all = append(h.all, said{args: []string{"nothing"}, err: "error: " + secret})
	finds("standard error of belay nothing")
}
