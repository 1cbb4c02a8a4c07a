package drivers_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"belay/configs"
	"belay/configs/memory"
	"belay/devices"
	"belay/devices/simulator"
	"belay/drivers"
)

var update = flag.Bool("update", false, "write the kept texts of the transcripts anew: read them before you commit")

// builtin are the built-in drivers, made once: nobody changes them.
var builtin = sync.OnceValues(func() (*drivers.Catalog, error) { return drivers.Load("") })

// load gives the built-in drivers, or ends the test.
func load(t testing.TB) *drivers.Catalog {
	t.Helper()
	c, err := builtin()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A played is one transcript with its driver.
type played struct {
	*simulator.Transcript
	driver *drivers.Driver
}

// transcripts gives every transcript of every driver.
func transcripts(t testing.TB, c *drivers.Catalog) []played {
	t.Helper()
	var all []played
	for _, d := range c.All() {
		for _, s := range c.Transcripts(d.Name) {
			tr, err := simulator.Parse(s.Name, s.Text)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, played{tr, d})
		}
	}
	return all
}

// byRoad gives those of some roads, of which there have to be at least so many.
func byRoad(t testing.TB, c *drivers.Catalog, least int, roads ...string) []played {
	t.Helper()
	all := slices.DeleteFunc(transcripts(t, c), func(p played) bool { return !slices.Contains(roads, p.driver.Road()) })
	if len(all) < least {
		t.Fatalf("only %d transcripts of %v", len(all), roads)
	}
	return all
}

// puller reads one simulated device in memory.
func puller(c *drivers.Catalog, d *simulator.Device) *drivers.Puller {
	login := devices.Login{User: d.T.Login.User, Password: devices.NewSecret(d.T.Login.Password), Enable: devices.NewSecret(d.T.Login.Enable)}
	return &drivers.Puller{
		Catalog: c, Idle: 30 * time.Second, Now: time.Now,
		Dial: func(context.Context, devices.Device, *drivers.Driver) (drivers.Conn, devices.Login, error) {
			return d.Conn(), login, nil
		},
		DialHTTPS: overTLS(d, login), Agent: overSNMP(d),
	}
}

// backup is everything around a puller, in memory.
func backup(p configs.Puller) (*configs.Backup, *memory.Repository) {
	r := &memory.Repository{}
	return &configs.Backup{Puller: p, Repository: r, Sealer: &memory.Sealer{}, CheckLog: &memory.CheckLog{}, Quarantine: &memory.Quarantine{}, Now: time.Now}, r
}

func (p played) device() devices.Device {
	dev := devices.Device{Customer: "acme", Name: "box", Driver: p.Driver, Serials: p.Facts.Serials, Address: "192.0.2.1"}
	if p.driver.Road() == "snmp" {
		dev.Also = []string{"transfer"}
	}
	return dev
}

// capture takes one device and returns the texts that were kept.
func capture(t *testing.T, b *configs.Backup, r *memory.Repository, d devices.Device) (configs.Result, map[string]string) {
	t.Helper()
	res := b.Capture(t.Context(), d, configs.Order{By: configs.Person{Name: "Test"}})
	texts := map[string]string{}
	if v, ok, err := r.Newest(t.Context(), d.ID()); err != nil {
		t.Fatal(err)
	} else if ok {
		kept, err := r.Texts(t.Context(), v)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range kept {
			texts[k.Name] = k.Clean.String()
		}
	}
	return res, texts
}

func TestTranscriptsAreKeptAsWritten(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, p := range transcripts(t, c) {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			dev := &simulator.Device{T: p.Transcript}
			b, r := backup(puller(c, dev))
			res, texts := capture(t, b, r, p.device())
			if res.Result != configs.Kept {
				t.Fatalf("%s: %s\n%+v", res.Result, res.Error, res.Checks)
			}
			if *update {
				rewrite(t, p.Name, texts)
				return
			}
			if diff := cmp.Diff(p.Kept, texts); diff != "" {
				t.Errorf("kept text (-transcript +now), go test ./drivers -update rewrites it:\n%s", diff)
			}
			want := p.Facts
			if diff := cmp.Diff(want, res.Identity); diff != "" {
				t.Errorf("facts (-transcript +now):\n%s", diff)
			}
			if string(res.Grade) != p.Grade {
				t.Errorf("grade %s (missing: %q), the transcript says %s", res.Grade, res.Missing, p.Grade)
			}
			for _, secret := range p.Gone {
				for name, text := range texts {
					if strings.Contains(text, secret) {
						t.Errorf("%s still holds %q", name, secret)
					}
				}
				if strings.Contains(fmt.Sprintf("%+v", res), secret) {
					t.Errorf("the result shows %q", secret)
				}
			}
			if len(p.Gone) == 0 {
				t.Error("the transcript plants no secret: -- gone -- is empty")
			}
			for _, w := range res.Warnings {
				t.Errorf("warning: %s", w)
			}
			for _, command := range dev.Seen().Commands {
				if p.HTTP != nil && p.HTTP.By != "" { // what the body asks for stands behind the line
					command = strings.Join(strings.Fields(command)[:2], " ")
				}
				if !slices.ContainsFunc(allowed(p.driver), func(a *regexp.Regexp) bool { return a.MatchString(command) }) {
					t.Errorf("%q was typed, which is none of the driver's commands", command)
				}
			}
		})
	}
}

var word = regexp.MustCompile(`\\\{(?:each|serial|name)\\\}`)

// allowed is all that the driver may type; {each} and the like are any word.
func allowed(d *drivers.Driver) []*regexp.Regexp {
	list := []*regexp.Regexp{regexp.MustCompile(`^(?:|exit|quit|logout)$`)}
	for _, c := range d.Commands() {
		for one := range strings.SplitSeq(c, "  or  ") {
			list = append(list, regexp.MustCompile("^"+word.ReplaceAllString(regexp.QuoteMeta(one), `\S+`)+"$"))
		}
	}
	return list
}

// TestASecondReadingIsUnchanged: other clocks, counters and salts are no change.
func TestASecondReadingIsUnchanged(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, p := range transcripts(t, c) {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			if len(p.Again) == 0 {
				t.Fatal("the transcript has no again/ section")
			}
			dev := &simulator.Device{T: p.Transcript}
			b, r := backup(puller(c, dev))
			first, before := capture(t, b, r, p.device())
			dev.Second = true
			second, after := capture(t, b, r, p.device())
			if first.Result != configs.Kept || second.Result != configs.Unchanged {
				t.Errorf("first %s %s, second %s %s\n%s", first.Result, first.Error, second.Result, second.Error, cmp.Diff(before, after))
			}
			for name, text := range before { // what comes from a remote is held to this
				if p.driver.Rules.Redact.Hides([]byte(text)) {
					t.Errorf("%s was made clean, and there is something left to hide", name)
				}
			}
		})
	}
}

// rewrite puts the kept texts into the transcript's file.
func rewrite(t *testing.T, name string, texts map[string]string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	a := txtar.Parse(text)
	a.Files = slices.DeleteFunc(a.Files, func(f txtar.File) bool { return strings.HasPrefix(f.Name, "kept/") })
	at := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == "gone" })
	if at < 0 {
		at = len(a.Files)
	}
	for _, n := range slices.Sorted(maps.Keys(texts)) {
		body := texts[n]
		if !strings.HasSuffix(body, "\n") {
			body += "␄\n"
		}
		a.Files = slices.Insert(a.Files, at, txtar.File{Name: "kept/" + n, Data: []byte(body)})
	}
	if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestEveryDriverHasALiteralToLookForFirst(t *testing.T) {
	t.Parallel()
	for _, d := range load(t).All() {
		for _, p := range d.Rules.Redact.Slow() {
			t.Errorf("%s: %q holds no literal: name one in near, or every line is matched against it", d.Name, p)
		}
	}
}
