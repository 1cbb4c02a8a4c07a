package main

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// layers is the import table of the design: what each package of ours may
// import of ours. A trailing slash means the package and all below it.
var layers = []struct {
	pkg string
	may []string
}{
	{"belay/cmd/", []string{"belay/"}},
	{"belay/devices/events", []string{"belay/devices", "belay/devices/snmp"}},
	{"belay/devices/", []string{"belay/devices"}},
	{"belay/devices", nil},
	{"belay/configs/redact", []string{"belay/configs/diff"}},
	{"belay/configs/diff", []string{"belay/configs/redact"}},
	{"belay/configs/fleet", []string{"belay/devices", "belay/configs", "belay/configs/diff"}},
	{"belay/configs/report", []string{"belay/devices", "belay/configs", "belay/configs/redact", "belay/configs/diff"}},
	{"belay/configs/history", []string{"belay/devices", "belay/configs", "belay/configs/redact", "belay/configs/diff"}},
	{"belay/configs/change", []string{"belay/devices", "belay/configs", "belay/configs/diff"}},
	{"belay/configs/conformance", []string{"belay/devices", "belay/configs", "belay/configs/redact", "belay/configs/outbox"}},
	{"belay/configs/", []string{"belay/devices", "belay/configs", "belay/configs/redact"}},
	{"belay/configs", []string{"belay/devices", "belay/configs/redact"}},
	{"belay/drivers", []string{"belay/devices", "belay/devices/", "belay/configs", "belay/configs/redact"}},
	{"belay/store/docsystem", []string{"belay/devices", "belay/configs", "belay/store/docsystem/"}},
	{"belay/store/docsystem/itglue/standin", nil}, // services of other people: they know nothing of ours
	{"belay/store/docsystem/hudu/standin", nil},
	{"belay/store/docsystem/", []string{"belay/devices", "belay/configs", "belay/store/docsystem/internal/"}},
	{"belay/store/", []string{"belay/devices", "belay/configs", "belay/configs/redact"}},
	{"belay/store", nil},
}

// owners are the outside modules that only certain packages may touch.
var owners = map[string][]string{
	"golang.org/x/crypto/ssh":        {"belay/devices/ssh", "belay/devices/receive", "belay/devices/simulator", "belay/store/git", "belay/configs/change", "belay/cmd/belay", "belay/cmd/belay/canary"},
	"golang.org/x/net/":              {"belay/devices/ssh", "belay/configs/change"},
	"github.com/gosnmp/gosnmp":       {"belay/devices/snmp", "belay/devices/simulator"},
	"github.com/go-git/":             {"belay/store/git"},
	"modernc.org/sqlite":             {"belay/store/ledger"},
	"filippo.io/age":                 {"belay/store/vault"},
	"github.com/klauspost/compress/": {"belay/store/vault", "belay/store/ledger"},
	"github.com/goccy/go-yaml":       {"belay/devices", "belay/devices/simulator", "belay/drivers", "belay/cmd/belay"},
	"golang.org/x/tools/txtar":       {"belay/devices/simulator"},
	"github.com/aymanbagabas/":       {"belay/configs/diff"},
	"github.com/hiddeco/sshsig":      {"belay/configs/change"},
	"github.com/emersion/go-message": {"belay/configs/change"},
	"github.com/wneessen/go-mail":    {"belay/store/tickets"},
	"github.com/hashicorp/":          {"belay/store/docsystem/internal/rest", "belay/devices/http"},
	"golang.org/x/time/":             {"belay/devices/http"},
	"github.com/google/go-cmp/":      {"belay/configs/conformance"}, // a suite for tests
	"github.com/spf13/":              {"belay/cmd/belay"},
	"github.com/vbauerster/mpb":      {"belay/cmd/belay"},
	"golang.org/x/term":              {"belay/cmd/belay"},
	"golang.org/x/sys/":              {"belay/store/git"},
	"github.com/prometheus/":         {"belay/cmd/belay/web"},
	"github.com/robfig/cron/":        {"belay/configs/schedule"},
	"github.com/pin/tftp/":           {"belay/devices/receive", "belay/devices/simulator"},
	"github.com/pkg/sftp":            {"belay/devices/receive", "belay/devices/simulator", "belay/devices/ssh"},
	"github.com/leodido/go-syslog/":  {"belay/devices/events"},
	"github.com/nicholas-fedor/":     {"belay/cmd/belay/notify"},
	"github.com/coreos/go-systemd/":  {"belay/cmd/belay"},
}

// allowed tells whether one of the patterns covers the path.
func allowed(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if strings.HasSuffix(p, "/") {
			return strings.HasPrefix(path+"/", p)
		}
		return path == p
	})
}

// covers finds the table's row for a package: the first whose name fits.
func covers(row, pkg string) bool {
	if strings.HasSuffix(row, "/") {
		return strings.HasPrefix(pkg, row)
	}
	return pkg == row
}

func TestPackagesImportOnlyWhatTheDesignAllows(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "belay/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	unused := maps.Clone(owners)
	for d := json.NewDecoder(strings.NewReader(string(out))); ; n++ {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range forbidden(p.ImportPath, p.Imports) {
			t.Error(wrong)
		}
		for module, who := range unused {
			if slices.ContainsFunc(p.Imports, func(imp string) bool { return strings.HasPrefix(imp+"/", strings.TrimSuffix(module, "/")) }) {
				unused[module] = slices.DeleteFunc(slices.Clone(who), func(pkg string) bool { return pkg == p.ImportPath })
			}
		}
	}
	for module, who := range unused {
		if len(who) > 0 {
			t.Errorf("%s is allowed in %s, which do without it", module, strings.Join(who, ", "))
		}
	}
	if n < 10 {
		t.Errorf("only %d packages seen", n)
	}
}

// forbidden lists the imports of pkg that the tables do not allow.
func forbidden(pkg string, imports []string) []string {
	var wrong []string
	at := slices.IndexFunc(layers, func(l struct {
		pkg string
		may []string
	}) bool {
		return covers(l.pkg, pkg)
	})
	if at < 0 {
		return []string{pkg + " has no place in the table"}
	}
	for _, imp := range imports {
		if strings.HasPrefix(imp, "belay/") {
			if !allowed(layers[at].may, imp) {
				wrong = append(wrong, pkg+" may not import "+imp)
			}
			continue
		}
		if first, _, _ := strings.Cut(imp, "/"); !strings.Contains(first, ".") {
			continue // the standard library
		}
		owned := false
		for module, who := range owners {
			if strings.HasPrefix(imp+"/", strings.TrimSuffix(module, "/")) {
				owned = owned || slices.Contains(who, pkg)
			}
		}
		if !owned {
			wrong = append(wrong, pkg+" does not own "+imp)
		}
	}
	return wrong
}

func TestTheTableRefusesWhatItShould(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ pkg, imp string }{
		{"belay/drivers", "belay/store/git"},
		{"belay/store/git", "belay/drivers"},
		{"belay/devices", "belay/configs"},
		{"belay/configs", "belay/store/ledger"},
		{"belay/devices/ssh", "belay/devices/snmp"},
		{"belay/configs/fleet", "belay/drivers"},
		{"belay/store/ledger", "github.com/go-git/go-git/v5"},
		{"belay/configs", "golang.org/x/crypto/ssh"},
		{"belay/elsewhere", "fmt"},
		{"belay/configs/change", "belay/configs/outbox"},
		{"belay/configs/outbox", "belay/store/ledger"},
		{"belay/store/tickets", "belay/store/ledger"},
		{"belay/store/docsystem/itglue", "belay/store/docsystem/hudu"},
		{"belay/store/docsystem/hudu/standin", "belay/configs"},
		{"belay/store/docsystem/hudu", "github.com/hashicorp/go-retryablehttp"},
	} {
		if len(forbidden(c.pkg, []string{c.imp})) == 0 {
			t.Errorf("%s may import %s", c.pkg, c.imp)
		}
	}
}
