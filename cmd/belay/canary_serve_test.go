package main

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"belay/devices/simulator"
)

// TestNoSecretOfTheServiceIsAnywhereInClear has the service live through two days
// among systems that repeat what they are told, devices that err and strangers
// that send what they like, and looks through everything that was written and said.
func TestNoSecretOfTheServiceIsAnywhereInClear(t *testing.T) {
	t.Parallel()
	part(t, "git", "git")
	w := newWatchHerd(t)
	d := serveAt(w.play, 0)
	w.does("capture", "--all", "--json")
	master, err := os.ReadFile(w.path(".config/belay/master.age"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(master)) {
		if strings.HasPrefix(line, "AGE-SECRET-KEY-") {
			w.canaries[strings.TrimSpace(line)] = "the master identity"
		}
	}

	// A device reports a change, by words that are not only words; its login fits no
	// longer, and what the next one says of itself holds a secret.
	if err := w.boxes["globex/sw"].change("Annex, rack 2", "Annex, rack 3"); err != nil {
		t.Fatal(err)
	}
	w.hears("<189>7: sw: *Mar  1 00:01:02.003: %SYS-5-CONFIG_I: Configured from console by jm\x1b[31m<root@x>\r\nTicket:T666 on vty0 (192.0.2.5)",
		"<189>8: sw: *Mar  1 00:01:03.003: %PARSER-5-CFGLOG_LOGGEDCMD: User:"+"mallory\x07  logged command:username x password 0 "+canaryInSyslog,
		"<13>"+canaryInSyslog, "<189>9: nobody: *Mar  1 00:01:02.003: "+canaryInSyslog+strings.Repeat("x", 60_000))
	w.traps2c(canaryGuess)
	w.traps2c(canaryTrap)
	if !d.says("captured after a change", time.Minute) {
		t.Fatalf("the message triggered nothing\n%s", d.log())
	}
	w.asks()
	good, err := os.ReadFile(w.path("belay.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	w.write("belay.yaml", strings.Replace(string(good), "host_keys: first-use", `"host\e]0;x_keys": "\e[31mno`+"\"", 1))
	if !d.says("settings were refused", time.Minute) {
		t.Fatalf("settings that are wrong were taken\n%s", d.log())
	}
	w.write("belay.yaml", string(good))
	if !d.says("read again", time.Minute) {
		t.Fatalf("settings that are right were refused\n%s", d.log())
	}
	for _, found := range w.searches() { // also the ledger's log, and what is there for a moment
		t.Error(found)
	}
	d.stop(syscall.SIGTERM, time.Minute)
	w.all = append(w.all, said{args: []string{"serve"}, err: d.log()})

	// A night: some changed, without a ticket; some err; nobody over there behaves.
	for _, fault := range []string{"", "error=quote", "wrong-box", "", "refuse"} {
		i := len(w.names) - 5
		b := w.boxes[w.names[i]]
		w.names = append(w.names[i+1:], w.names[i])
		if fault == "error=quote" {
			fault = "error=" + strings.ReplaceAll(w.quote(b), "\n", " ")
		}
		f, err := simulator.ParseFault(fault)
		if err != nil {
			f = simulator.Fault{Error: strings.TrimPrefix(fault, "error=")}
		}
		b.dev.Order(f)
	}
	for _, name := range []string{"acme/fw", "globex/tor"} {
		b := w.boxes[name]
		gone := slices.Clone(b.dev.T.Gone)
		slices.SortFunc(gone, func(x, y string) int { return len(y) - len(x) })
		text := b.dev.Configuration(b.command())
		for _, secret := range gone {
			if len(secret) >= 6 && secret != "canary" && strings.Contains(text, secret) {
				turned := secret[:len(secret)-1] + "z"
				text, w.canaries[turned] = strings.ReplaceAll(text, secret, turned), "a secret that was changed"
			}
		}
		b.dev.Say(b.command(), text)
	}
	w.docs.does("500")
	w.ahead = 26 * time.Hour
	d = serveAt(w.play, w.ahead)
	if !d.says("the round ended", 2*time.Minute) || !d.says("the canaries were captured", time.Minute) {
		t.Fatalf("the night does not end\n%s", d.log())
	}
	w.asks()
	w.does("serve", "--status")
	w.does("serve", "--status", "--json")
	for _, f := range []string{"422", "401 POST"} {
		w.docs.does(f)
		w.does("docs", "queue", "--send")
	}
	w.docs.does("")
	w.rude.does("500")
	for _, args := range [][]string{
		{"digest"}, {"digest", "--json"}, {"digest", "--html"}, {"digest", "--send"}, {"alarms"}, {"alarms", "--json"}, {"tell", "--json"},
		{"scrub", "--all"}, {"scrub", "--json"}, {"doctor"}, {"doctor", "--json"}, {"canaries", "--json"}, {"schedule"}, {"schedule", "--json"},
		{"index", "rebuild"}, {"index", "check", "--json"}, {"search", "--all-devices", "."}, {"log", "globex/sw", "--json"}, {"blame", "globex/tor"},
		{"diff", "globex/tor"}, {"diff", "acme/fw", "--json"}, {"verify", "--json"}, {"backup", "spare"}, {"backup", "check", "spare"},
		{"backup", "spare", "--json"}, {"restore", "spare", "--to", "restored", "--json"}, {"restore", "catch-up"}, {"gate", "acme/fw"},
	} {
		w.does(args...)
	}
	for _, found := range w.searches("spare", "restored") {
		t.Error(found)
	}
	d.stop(syscall.SIGTERM, time.Minute)
	w.all = append(w.all, said{args: []string{"serve"}, err: d.log()})
	children, err := os.ReadFile(w.path("children.log"))
	if err != nil {
		t.Fatal(err)
	}
	for where, what := range map[string]string{"what a channel was told": w.noc.heard.String(), "what a program was given": string(children)} {
		for _, found := range append(w.searches("spare", "restored"), w.holds(where, []byte(what))...) {
			t.Error(found)
		}
	}
	w.had(t, d, string(children))
}

// had tells whether there was anything to leak.
func (w *watchHerd) had(t *testing.T, d *duty, children string) {
	said := map[string]string{
		"channel":           w.noc.heard.String(),
		"log":               d.log(),
		"children":          children,
		"git":               w.git("belay-data/customers/globex/history.git", "log", "--format=%an|%(trailers:only,unfold,separator=;)"),
		"search":            w.said("search"),
		"alarms":            w.said("alarms"),
		"backup, and again": w.said("restore"),
	}
	for where, want := range map[string][]string{
		"channel": {"changed without a ticket", "<redacted:"}, "children": {"receive-pack", "print-password"}, "git": {"jm"}, "search": {"<redacted:"},
		"alarms": {}, "backup, and again": {"versions"}, "log": {"channel rude"},
	} {
		for _, s := range want {
			if !strings.Contains(said[where], s) {
				t.Errorf("%s: nothing of %q:\n%.6000s", where, s, said[where])
			}
		}
	}
	if strings.Contains(said["git"], "T666") && strings.Contains(said["git"], "Ticket") {
		t.Errorf("a message became a trailer:\n%s", said["git"])
	}
	t.Logf("%d canaries, %d commands", len(w.canaries), len(w.all))
	// The same look finds what is planted, wherever it is planted.
	for _, secret := range []string{canaryTrap, canaryPush, canaryInSyslog, canaryFromAPass} {
		w.write("spare/content/planted", secret)
		if !slices.ContainsFunc(w.searches("spare"), func(f string) bool { return strings.Contains(f, "planted") && strings.Contains(f, secret) }) {
			t.Errorf("%s is not found where it is planted", secret)
		}
	}
}
