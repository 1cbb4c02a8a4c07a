package report_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/configs/redact"
	"belay/configs/report"
	"belay/devices"
)

var update = flag.Bool("update", false, "write the golden files")

// morning is 09:00 of an ordinary day.
var morning = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// A night is the facts of one night over a fleet in good order.
type night struct{ report.Input }

func fleet(n int) *night {
	in := report.Input{Now: morning, Since: morning.Add(-24 * time.Hour), Newest: map[devices.ID]configs.Checked{},
		Canaries: &report.Canaries{Caught: 3, All: 3}}
	sites := []string{"hq", "depot", "", "annex"}
	for i := range n {
		d := devices.Device{Customer: []string{"acme", "globex"}[i%2], Name: fmt.Sprintf("sw-%04d", i), Address: fmt.Sprintf("10.0.%d.%d", i/250, i%250), Site: sites[i/2%4]}
		in.Devices = append(in.Devices, d)
		at := morning.Add(-7*time.Hour - time.Duration(i)*time.Millisecond)
		in.Newest[d.ID()] = configs.Checked{ID: d.ID(), At: at, Result: configs.Unchanged, Commit: "c0ffee", Verified: true, Good: at, Proven: at}
	}
	return &night{in}
}

// read gives a device another newest reading, after the good one of the night before.
func (n *night) read(i int, result configs.Outcome, text string) devices.Device {
	d := n.Devices[i]
	r := n.Newest[d.ID()]
	r.Result, r.Error, r.Verified = result, strings.ReplaceAll(text, "DEVICE", d.String()), false
	r.Good, r.Proven = r.Good.Add(-24*time.Hour), r.Proven.Add(-24*time.Hour)
	n.Newest[d.ID()] = r
	return d
}

// site has every device of a site fail alike.
func (n *night) site(customer, site string, result configs.Outcome, text string) {
	for i, d := range n.Devices {
		if d.Customer == customer && d.Site == site {
			n.read(i, result, strings.ReplaceAll(text, "ADDRESS", d.Address))
		}
	}
}

func clean(t *testing.T, text string) redact.Clean {
	t.Helper()
	rules := redact.Rules{Secrets: []redact.Rule{{Name: "password", Find: regexp.MustCompile(`password (?P<secret>\S+)`)}}}
	c, _ := rules.Apply([]byte(text), redact.Key{1})
	return c
}

func (n *night) change(t *testing.T, i int, by, ticket, was, is string) {
	t.Helper()
	d := n.Devices[i]
	n.Changed = append(n.Changed, report.Change{
		Version: configs.Version{ID: d.ID(), Name: d.Name, Commit: fmt.Sprintf("%010d5678", i), Taken: morning.Add(-10 * time.Hour), By: configs.Person{Name: by}, Ticket: ticket},
		Before:  "1234567890abcdef",
		Texts: func() ([]configs.Text, []configs.Text, error) {
			return []configs.Text{{Name: "running.conf", Clean: clean(t, was)}}, []configs.Text{{Name: "running.conf", Clean: clean(t, is)}}, nil
		},
	})
}

const refusedText = "check DEVICE: size: 61 % fewer lines than yesterday; end mark: it ended without `end`"

func nights(t *testing.T) map[string]report.Input {
	t.Helper()
	all := map[string]report.Input{}
	quiet := fleet(412)
	all["quiet"] = quiet.Input

	n := fleet(412)
	n.read(3, configs.Refused, refusedText)
	n.read(5, configs.Refused, "check DEVICE: size: 900 bytes, half or less of the 7815 kept before")
	n.site("globex", "annex", configs.Unreachable, "reach DEVICE: jump host annex: dial tcp 203.0.113.9:22: connect: no route to host")
	n.change(t, 10, "jm (reported by syslog)", "", "hostname sw\ninterface 1\n description old\nusername jm password hunter2-canary\n", "hostname sw\ninterface 1\n description new\nusername jm password hunter3-canary\n")
	n.change(t, 12, "Eve Example", "T20391", "a\n", "b\n")
	all["morning"] = n.Input

	n = fleet(40)
	n.site("acme", "hq", configs.Unreachable, "reach DEVICE: dial tcp ADDRESS:22: i/o timeout")
	n.site("globex", "depot", configs.Unreachable, "reach DEVICE: dial tcp ADDRESS:22: i/o timeout")
	n.read(0, configs.Unreachable, "reach DEVICE: connection refused")
	all["dead site"] = n.Input

	n = fleet(40)
	a := n.read(2, configs.Denied, "log in to DEVICE: the device refused the password of belay")
	n.read(10, configs.Denied, "log in to DEVICE: the device refused the password of belay")
	n.read(5, configs.Denied, "check the host key of DEVICE: its host key has changed: it shows SHA256:abc, expected is SHA256:def")
	n.Rests = []report.Rest{
		{Device: a.ID(), Site: a.SiteKey(), Since: morning.Add(-7 * time.Hour), Until: morning.Add(time.Hour)},
		{Site: a.SiteKey(), Since: morning.Add(-7 * time.Hour), Until: morning.Add(2 * time.Hour)},
		{Site: "globex/hq", Since: morning.Add(-30 * time.Hour), Until: morning.Add(time.Hour), Error: "two devices refused the login"},
	}
	all["wrong password"] = n.Input

	n = fleet(40)
	n.Doubt = "canary cuts-short was kept in the run of 22 Nov 01:15"
	n.Canaries = &report.Canaries{Caught: 2, All: 3, Kept: []string{"cuts-short"}}
	n.Alarms = []configs.Alarm{{Cause: configs.AlarmCanary, What: "the canary cuts-short was kept", Hint: "belay alarms", At: morning.Add(-8 * time.Hour)}}
	all["canary kept"] = n.Input

	n = fleet(40)
	n.Second = func(d devices.Device) bool { return d.Customer == "globex" }
	for _, d := range n.Devices {
		r := n.Newest[d.ID()]
		if d.Customer == "acme" || d.Name == "sw-0001" {
			r.Verified, r.Proven = false, time.Time{}
			n.Newest[d.ID()] = r
		}
	}
	all["one place"] = n.Input

	n = fleet(40)
	for _, i := range []int{4, 9, 11} {
		delete(n.Newest, n.Devices[i].ID())
	}
	d := n.Devices[13]
	n.Newest[d.ID()] = configs.Checked{ID: d.ID(), At: morning.Add(-time.Hour), Result: configs.Unreachable, Error: "reach " + d.String() + ": no TCP connection within 10s"}
	old := n.Newest[n.Devices[15].ID()]
	old.Good = old.Good.Add(-72 * time.Hour)
	n.Newest[old.ID] = old
	n.Unscheduled = []devices.ID{n.Devices[4].ID()}
	n.Added = []devices.ID{n.Devices[9].ID(), n.Devices[11].ID()}
	all["never captured"] = n.Input

	n = fleet(40)
	n.Removed = []string{"acme/sw-old", "acme/sw-older"}
	n.Renamed = []report.Rename{{ID: n.Devices[0].ID(), Old: "acme/sw-x", New: n.Devices[0].String()}}
	n.Missed = []report.Miss{{Schedule: "customer globex", Customer: "globex", Due: morning.Add(-8 * time.Hour), Devices: 12}}
	n.Unsaved = []report.Note{{Customer: "acme", Device: n.Devices[6].ID(), What: "its running configuration is not saved", Next: "belay capture " + n.Devices[6].String()}}
	n.Remotes = []report.Remote{{Customer: "acme", Since: morning.Add(-50 * time.Hour), Error: "the remote has commits that are not in this history"}}
	n.Damages = []report.Note{{Customer: "globex", Device: n.Devices[7].ID(), What: "the original of version 1234567890 cannot be opened; the remote has a good one", Next: "belay verify --customer globex"}}
	n.Outbox = &report.Outbox{Waiting: 7, Oldest: morning.Add(-26 * time.Hour), Why: "IT Glue answered 401"}
	n.Scrub = &report.Scrub{Done: 30, All: 120, Ends: morning.Add(-2 * time.Hour), Late: true}
	n.Disk = "the disk of the data folder is 97 % full: 2.1 GB are left"
	n.read(8, configs.Failed, "read DEVICE: \x1b[31mevil\x1b[0m \u202etxet\nbelay: error: forged line")
	all["many things"] = n.Input
	return all
}

func TestDigestsReadAsTheyShould(t *testing.T) {
	t.Parallel()
	for name, in := range nights(t) {
		d := report.Make(in)
		page, err := d.HTML()
		if err != nil {
			t.Fatal(err)
		}
		js, err := json.MarshalIndent(d, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		for ext, got := range map[string]string{".txt": d.Text(), ".html": page, ".json": string(js) + "\n"} {
			if ext != ".txt" && name != "morning" && name != "quiet" {
				continue
			}
			file := filepath.Join("testdata", strings.ReplaceAll(name, " ", "_")+ext)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		}
	}
}

func TestNoDigestSaysAnythingToATerminalOrTellsASecret(t *testing.T) {
	t.Parallel()
	for name, in := range nights(t) {
		d := report.Make(in)
		page, err := d.HTML()
		if err != nil {
			t.Fatal(err)
		}
		for form, text := range map[string]string{"text": d.Text(), "HTML": page} {
			if strings.ContainsAny(text, "\x1b\r\x00\u202e") {
				t.Errorf("%s: the %s says something to the terminal", name, form)
			}
			if strings.Contains(text, "canary\n") || strings.Contains(text, "hunter") {
				t.Errorf("%s: the %s tells a secret", name, form)
			}
		}
		_, below, _ := strings.Cut(d.Text(), "\n") // the first line is the subject, and as long as it is
		for line := range strings.Lines(below) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 100 && !strings.Contains(line, "    belay ") {
				t.Errorf("%s: %d columns: %s", name, n, line)
			}
			if strings.HasPrefix(line, "belay: error:") {
				t.Errorf("%s: a device forged a line: %s", name, line)
			}
		}
	}
}

func TestTheOrderOfTheFactsDoesNotMatter(t *testing.T) {
	t.Parallel()
	for name, in := range nights(t) {
		want := report.Make(in).Text()
		for seed := range uint64(5) {
			r := rand.New(rand.NewPCG(seed, 2))
			mix(r, in.Devices)
			mix(r, in.Changed)
			mix(r, in.Rests)
			mix(r, in.Added)
			mix(r, in.Removed)
			if d := cmp.Diff(want, report.Make(in).Text()); d != "" {
				t.Fatalf("%s:\n%s", name, d)
			}
		}
	}
}

func mix[T any](r *rand.Rand, all []T) {
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
}

func TestEachDeviceIsCountedOnce(t *testing.T) {
	t.Parallel()
	for name, in := range nights(t) {
		c := report.Make(in).Counts
		if sum := c.Verified + c.OnePlace + c.Unproven + c.Stale + c.Refused + c.Denied + c.Unreachable + c.Failed; sum != c.Devices || c.Devices != len(in.Devices) {
			t.Errorf("%s: %+v adds up to %d of %d", name, c, sum, len(in.Devices))
		}
		if in.Doubt != "" && c.Verified > 0 {
			t.Errorf("%s: %d devices are called verified though a canary was kept", name, c.Verified)
		}
	}
}

func TestADigestForOneCustomerKnowsNothingOfAnother(t *testing.T) {
	t.Parallel()
	for name, in := range nights(t) {
		d := report.Make(in.For("acme"))
		page, err := d.HTML()
		if err != nil {
			t.Fatal(err)
		}
		js, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{d.Text(), page, string(js)} {
			if strings.Contains(text, "globex") || strings.Contains(text, "disk") || strings.Contains(text, "cuts-short") || strings.Contains(text, "7 files") {
				t.Errorf("%s: the digest of acme tells of others:\n%s", name, text)
			}
		}
		if !strings.HasPrefix(d.Subject, "acme: ") && !strings.HasPrefix(d.Subject, "acme: RED") {
			t.Errorf("%s: %s", name, d.Subject)
		}
	}
}

func TestDiffsAreShortAndReadOnlyWhereTheyAreShown(t *testing.T) {
	t.Parallel()
	n := fleet(60)
	asked := 0
	for i := range 50 {
		n.change(t, i, "jm", "", strings.Repeat("old\n", 40), strings.Repeat("new "+strings.Repeat("x", 200)+"\n", 40))
		texts := n.Changed[i].Texts
		n.Changed[i].Texts = func() ([]configs.Text, []configs.Text, error) {
			asked++
			if i == 0 {
				return nil, nil, errors.New("damaged")
			}
			return texts()
		}
	}
	d := report.Make(n.Input)
	if asked != 20 || d.Counts.NoTicket != 50 {
		t.Errorf("%d diffs were made of %d changes, want 20 of 50", asked, d.Counts.NoTicket)
	}
	text := d.Text()
	if strings.Count(text, "more lines") != 19 || strings.Count(text, "cannot be read back") != 1 {
		t.Errorf("the diffs are not cut short:\n%s", text)
	}
	if lines := strings.Count(text, "\n"); lines > 19*14+50*4+10 {
		t.Errorf("%d lines", lines)
	}
}

func TestTenThousandDevicesThatAllFailAreStillOneMail(t *testing.T) {
	t.Parallel()
	n := fleet(10_000)
	for i, d := range n.Devices {
		n.Devices[i].Site = "s" + d.Name
		n.read(i, configs.Failed, "read DEVICE: the end is missing")
	}
	d := report.Make(n.Input)
	text := d.Text()
	if len(d.Lines) != 10_000 || !strings.Contains(text, "and 9600 more") || len(text) > 100_000 {
		t.Errorf("%d lines, %d bytes", len(d.Lines), len(text))
	}
}

func BenchmarkTenThousandDevices(b *testing.B) {
	n := fleet(10_000)
	n.site("acme", "hq", configs.Unreachable, "reach DEVICE: dial tcp ADDRESS:22: i/o timeout")
	for b.Loop() {
		_ = report.Make(n.Input).Text()
	}
}

func TestWhatWasProvenLongAgoIsNotVerified(t *testing.T) {
	t.Parallel()
	n := fleet(2)
	r := n.Newest[n.Devices[0].ID()]
	r.Proven = morning.Add(-27 * time.Hour)
	n.Newest[r.ID] = r
	if c := report.Make(n.Input).Counts; c.Verified != 1 || c.Unproven != 1 {
		t.Errorf("%+v", c)
	}
}
