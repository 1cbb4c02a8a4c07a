package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"belay/devices/simulator"
)

// sessions are the scripts to be played: with the race detector, which makes each
// command ten times as dear, those with a service, and of the others every sixth.
// make test plays all of them once more, without.
func sessions(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join("testdata", "script", "*.txtar"))
	if err != nil || len(all) < 30 {
		t.Fatalf("%d scripts, %v", len(all), err)
	}
	if !raced {
		return all
	}
	var some []string
	for i, file := range all {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if i%6 == 0 || strings.Contains(string(text), "belay serve") {
			some = append(some, file)
		}
	}
	return some
}

// TestSessions plays the scripts in testdata/script: sessions that a technician
// would recognize. Beside testscript's own commands they have
//
//	device NAME TRANSCRIPT [FAULT]   start a simulated device; sets $NAME (host:port), $NAME_port, $NAME_key, $NAME_serial
//	another NAME TRANSCRIPT OLD=NEW… the same, OLD replaced by NEW in all that it says: another box of the model
//	replay NAME FILE                 the same from a transcript in a file
//	order NAME [FAULT]               change what it does wrong from now on
//	configure NAME OLD NEW           somebody changes its configuration
//	shows NAME FILE                  its configuration is now the text of FILE
//	rekey NAME                       the same address, another host key
//	stands NAME OTHER                the box OTHER answers at NAME's address from now on
//	unplug NAME                      nothing answers at NAME's address any more
//	typed NAME REGEXP                one of the commands it was given matches
//	exits STATUS COMMAND…            run it and want this exit status
//	results DEVICE=RESULT…           standard output is exactly these results, one JSON object a line
//	field DEVICE NAME VALUE          a field in the last results, as JSON
//	let NAME REGEXP                  $NAME is the first group of what matches in standard output
//	damage REPOSITORY REVISION       a byte of this object flips on disk
//	meddle FILE                      an entry of the ledger is rewritten in place
//	sql FILE STATEMENT               somebody with SQLite alters the ledger
//	revealed CUSTOMER N REASON       N reveals stand in the ledger, one of them with this reason
//	plantednot NAME FILE             FILE holds none of the secrets planted in the device
//	nowhere FOLDER TEXT              no file below FOLDER holds TEXT
//	expand FILE…                     replace $NAME in a file
//	itglue NAME                      start a stand-in for IT Glue; $NAME is its URL, $ITGLUE_KEY its key
//	item NAME ORG ID ITEM SERIAL     it has this configuration item
//	glue NAME ORDER…                 what it does wrong from now on, in the stand-in's words
//	hung NAME ITEM COUNT [REGEXP]    so many attachments (with such a name) hang on the item
//	takedown NAME ITEM               somebody removes all that hangs on the item
//	flip FILE                        a bit flips in the middle of a file
//	clean NAME                       nothing was asked of it that must never be
//	webhook NAME                     start a webhook that people read; $NAME is its URL as a channel has it
//	fails NAME [STATUS]              it answers with this status from now on
//	heard NAME COUNT REGEXP          it was sent so many messages, the last of which matches
//	eventually REGEXP COMMAND…       run it until what it prints matches, for a minute at most
func TestSessions(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"git", "age"} {
		part(t, name, name)
	}
	testscript.Run(t, testscript.Params{
		Files:               sessions(t),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			l := lab{}
			env.Values[labKey{}] = l
			env.Values[docsKey{}] = shelves{}
			env.Values[apisKey{}] = map[string]*simulator.WebServer{}
			env.Values[hookKey{}] = &hook{}
			env.Defer(l.close)
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("XDG_CONFIG_HOME", "")
			env.Setenv("GORACE", "atexit_sleep_ms=0") // the race detector's children would end a second late
			env.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
			env.Setenv("today", time.Now().Format(time.RFC1123Z))
			env.Setenv("now", time.Now().Format(time.RFC3339))
			env.Setenv("BELAY_PASSWORD", boxPassword)
			env.Setenv("BELAY_ENABLE", boxEnable)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"device":     scriptDevice,
			"api":        scriptAPI,
			"another":    scriptAnother,
			"replay":     scriptReplay,
			"order":      scriptOrder,
			"configure":  scriptConfigure,
			"shows":      scriptShows,
			"rekey":      scriptRekey,
			"stands":     scriptStands,
			"unplug":     scriptUnplug,
			"typed":      scriptTyped,
			"exits":      scriptExits,
			"results":    scriptResults,
			"field":      scriptField,
			"let":        scriptLet,
			"damage":     scriptDamage,
			"meddle":     scriptMeddle,
			"sql":        scriptSQL,
			"revealed":   scriptRevealed,
			"plantednot": scriptPlantedNot,
			"nowhere":    scriptNowhere,
			"expand":     scriptExpand,
			"itglue":     scriptITGlue,
			"item":       scriptItem,
			"glue":       scriptGlue,
			"hung":       scriptHung,
			"takedown":   scriptTakeDown,
			"flip":       scriptFlip,
			"clean":      scriptClean,
			"webhook":    scriptWebhook,
			"fails":      scriptFails,
			"heard":      scriptHeard,
			"eventually": scriptEventually,
		},
	})
}

// A lab is one script's devices by name.
type lab map[string]*box

type labKey struct{}

func (l lab) close() {
	for _, b := range l {
		_ = b.server.Close()
	}
}

func boxOf(ts *testscript.TestScript, args []string, want int, usage string) *box {
	if len(args) < want {
		ts.Fatalf("usage: %s", usage)
	}
	b := ts.Value(labKey{}).(lab)[args[0]]
	if b == nil {
		ts.Fatalf("there is no device %s", args[0])
	}
	return b
}

func scriptDevice(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: device NAME TRANSCRIPT [FAULT]")
	}
	t, err := transcriptOf(args[1])
	ts.Check(err)
	serve(ts, args[0], t, strings.Join(args[2:], ","))
}

func scriptAnother(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: another NAME TRANSCRIPT OLD=NEW…")
	}
	text, err := sourceOf(args[1])
	ts.Check(err)
	for _, a := range args[2:] {
		old, now, ok := strings.Cut(a, "=")
		if !ok || !strings.Contains(text, old) {
			ts.Fatalf("the transcript does not hold %q", old)
		}
		text = strings.ReplaceAll(text, old, now)
	}
	t, err := simulator.Parse(args[1]+".txtar", []byte(text))
	ts.Check(err)
	serve(ts, args[0], t, "")
}

func scriptReplay(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: replay NAME FILE")
	}
	t, err := simulator.Parse(filepath.Base(args[1]), []byte(ts.ReadFile(args[1])))
	ts.Check(err)
	serve(ts, args[0], t, "")
}

func serve(ts *testscript.TestScript, name string, t *simulator.Transcript, fault string) {
	b, err := startBox(t, fault)
	ts.Check(err)
	ts.Value(labKey{}).(lab)[name] = b
	host, port, err := net.SplitHostPort(b.address)
	ts.Check(err)
	ts.Setenv(name, b.address)
	ts.Setenv(name+"_host", host)
	ts.Setenv(name+"_port", port)
	ts.Setenv(name+"_key", b.fingerprint())
	ts.Setenv(name+"_serial", strings.Join(t.Facts.Serials, ","))
}

func scriptOrder(ts *testscript.TestScript, _ bool, args []string) {
	b := boxOf(ts, args, 1, "order NAME [FAULT]")
	f, err := simulator.ParseFault(strings.Join(args[1:], ","))
	ts.Check(err)
	b.dev.Order(f)
}

func scriptConfigure(ts *testscript.TestScript, _ bool, args []string) {
	b := boxOf(ts, args, 3, "configure NAME OLD NEW")
	lines := strings.NewReplacer(`\n`, "\n")
	ts.Check(b.change(lines.Replace(args[1]), lines.Replace(args[2])))
}

func scriptShows(ts *testscript.TestScript, _ bool, args []string) {
	b := boxOf(ts, args, 2, "shows NAME FILE")
	b.dev.Say(b.command(), ts.ReadFile(args[1]))
}

func scriptRekey(ts *testscript.TestScript, _ bool, args []string) {
	b := boxOf(ts, args, 1, "rekey NAME")
	ts.Check(b.rekey())
	ts.Setenv(args[0]+"_key", b.fingerprint())
}

func scriptStands(ts *testscript.TestScript, _ bool, args []string) {
	const usage = "stands NAME OTHER"
	b, other := boxOf(ts, args, 2, usage), boxOf(ts, args[1:], 1, usage)
	ts.Check(b.server.Close())
	b.dev, b.server = other.dev, &simulator.Server{Device: other.dev, HostKey: other.server.HostKey}
	ts.Check(b.server.Start(b.address))
}

func scriptUnplug(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(boxOf(ts, args, 1, "unplug NAME").server.Close())
}

func scriptTyped(ts *testscript.TestScript, neg bool, args []string) {
	b := boxOf(ts, args, 2, "typed NAME REGEXP")
	re, err := regexp.Compile(args[1])
	ts.Check(err)
	commands := b.dev.Seen().Commands
	if slices.ContainsFunc(commands, re.MatchString) == neg {
		ts.Fatalf("%s was given %q", args[0], commands)
	}
}

func scriptExits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got, err := 0, ts.Exec(args[1], args[2:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

func scriptLet(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: let NAME REGEXP")
	}
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	found := re.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) != 2 {
		ts.Fatalf("%s does not match, or has no group", args[1])
	}
	ts.Setenv(args[0], found[1])
}
