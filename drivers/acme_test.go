package drivers_test

import (
	"strings"
	"testing"
	"time"

	"belay/configs"
	"belay/devices/simulator"
	"belay/drivers"
)

// An acmeBox is a device of a system that a test makes up, with its driver.
type acmeBox struct {
	c *drivers.Catalog
	p played
	d *simulator.Device
}

// acmeBoxOf loads a user's driver and plays its transcript.
func acmeBoxOf(t *testing.T, driver, transcript string) *acmeBox {
	t.Helper()
	c, err := drivers.Load(folder(t, false, map[string]string{"acme_os.yaml": driver}))
	if err != nil {
		t.Fatal(err)
	}
	d, err := c.Find("acme_os")
	if err != nil {
		t.Fatal(err)
	}
	tr, err := simulator.Parse("acme_os-one.txtar", []byte(transcript))
	if err != nil {
		t.Fatal(err)
	}
	return &acmeBox{c, played{tr, d}, &simulator.Device{T: tr}}
}

// capture reads the box once, with what the inventory allows besides.
func (a *acmeBox) capture(t *testing.T, also ...string) (configs.Result, map[string]string) {
	t.Helper()
	pull := puller(a.c, a.d)
	pull.Idle = 3 * time.Second
	b, r := backup(pull)
	dev := a.p.device()
	dev.Also = also
	return capture(t, b, r, dev)
}

// kept wants the box to be kept, and gives its texts.
func (a *acmeBox) kept(t *testing.T, also ...string) (configs.Result, map[string]string) {
	t.Helper()
	res, texts := a.capture(t, also...)
	if res.Result != configs.Kept {
		t.Fatalf("%s: %s\n%+v", res.Result, res.Error, res.Checks)
	}
	return res, texts
}

// typed is what was typed at the box, one command a line.
func (a *acmeBox) typed() string { return strings.Join(a.d.Seen().Commands, "\n") }

// swap changes one thing in a text and fails where it is not there.
func swap(t *testing.T, text, old, by string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("%q is not in it", old)
	}
	return strings.Replace(text, old, by, 1)
}

const plainAcme = `title: Acme OS
road: shell
prompt: '^[\w.\-/]+# ?$'
failure: ['^% ']
pull:
  - {run: show version, facts: true}
  - {run: show running-config, keep: running.conf}
logout: exit
facts: {hostname: '^hostname (\S+)', serial: '^Serial: (\S+)'}
complete: {ends: '^end\n*\z', sections: ['^version ']}
grade: {level: restore}
secrets:
  - {name: password, find: '^password (?P<secret>\S+)'}
`

const acmeBoxText = `made up
-- device.yaml --
driver: acme_os
facts: {hostname: fw, serials: [ACME0001]}
grade: restore
login: {user: belay, password: canary-login}
prompt: "fw# "
unknown: "%% Unknown command\n"
-- show version --
Acme OS 1.2
Serial: ACME0001
-- show running-config --
version 1.2
hostname fw
password canary-one
context red
context blue
end
`

// boxText is the made-up device with more sections, and more in its sheet.
func boxText(sheet, sections string) string {
	text := strings.ReplaceAll(acmeBoxText, "%%", "%")
	return strings.Replace(text, "prompt: ", sheet+"prompt: ", 1) + sections
}
