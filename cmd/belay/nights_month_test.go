//go:build linux

package main

import (
	"regexp"
	"strings"
	"time"

	"belay/configs"
	"belay/configs/watch"
	"belay/drivers"
)

// A happening is what comes about on one day of the month: before its night, late in it,
// and after its digest. want is how often devices are tried that night, where
// that is not once.
type happening struct {
	before, late, after func()
	want                map[string]int
}

// tries is the same number for several devices.
func tries(n int, names ...string) map[string]int {
	want := map[string]int{}
	for _, name := range names {
		want[name] = n
	}
	return want
}

// days is the month: what happens by the day of its digest, of which the first is
// Saturday, 6 March 2027, and the 23rd the Sunday on which the clocks go forward.
func (m *month) days() map[int]happening {
	branch := []string{"acme/rt1", "acme/sw4", "acme/sw5"}
	none := tries(0, branch...)
	return map[int]happening{
		// A text is read twice where its system has no mark at its end.
		1: {want: tries(2, "acme/fw", "initech/fw")},
		3: {before: func() { m.change("acme/sw1", "Annex, rack 2", "Annex, rack 3") }},
		4: {after: m.reportedChange},
		5: {after: m.changeWithTicket},
		6: {after: func() { m.unplug(branch...) }},
		7: {want: none, after: func() { m.write("password-n1", "not the password") }},
		8: {want: none},
		// What is refused is read once more: a line of a log may have come between.
		9: {want: map[string]int{"acme/rt1": 0, "acme/sw4": 0, "acme/sw5": 0, "initech/lab-a": 2}, before: func() { m.order("initech/lab-a", "cut-line=40") },
			after: func() { m.write("password-n1", boxPassword); m.order("initech/lab-a", "") }},
		10: {want: none, before: func() { m.order("globex/s1", "wrong-box") },
			after: func() { m.order("globex/s1", ""); m.remove("acme/sw3") }},
		11: {want: none, after: func() {
			m.belay("Ann Example", 0, "devices", "rename", "globex/s2", "s2-core")
			m.renamed("globex/s2", "globex/s2-core")
		}},
		12: {want: none},
		13: {want: none, after: func() { m.replug(branch...); m.stop() }},
		15: {after: func() { m.at(15, 11*time.Hour); m.start(); m.work(); m.digest(15) }},
		16: {after: func() { m.write("password-north", "not the password"); m.write("password-n1", "not the password") }},
		// The second refusal has the site rest: its third device is not tried. From
		// then on the first says it for all.
		17: {want: tries(0, "globex/n3")},
		18: {want: tries(0, "globex/n2", "globex/n3")},
		19: {want: tries(0, "globex/n2", "globex/n3"), after: m.rightPassword},
		20: {before: m.badDriver, after: m.understood},
		21: {after: m.replace},
		22: {want: tries(0, "acme/fw"), after: func() { m.remove("acme/fw"); m.must(m.boxes["acme/sw2"].rekey()) }},
		24: {after: func() {
			m.belay("Ann Example", 0, "devices", "trust", "acme/sw2", "--yes")
		}},
		25: {before: func() { m.at(25, time.Hour); m.stop() }, late: m.start, want: tries(0, "initech/fw", "initech/lab-a", "initech/lab-b"), after: m.wrongSettings},
		26: {before: func() { m.move("nas/globex.git", "nas/gone.git") }, after: func() { m.move("nas/gone.git", "nas/globex.git") }},
		28: {want: tries(2, "initech/fw")},
		27: {after: func() { m.change("initech/fw", `set timezone`, "set admin-concurrent disable\n    set timezone") }},
	}
}

// reportedChange is somebody who configures a switch that reports it by syslog.
func (m *month) reportedChange() {
	m.at(4, 14*time.Hour)
	m.change("acme/sw1", "Annex, rack 3", "Annex, rack 4")
	w, leave := m.server.live.use()
	d, err := w.inventory.Find("acme/sw1")
	leave()
	m.must(err)
	m.server.triggered(m.t.Context(), watch.Trigger{Device: d, By: configs.Person{Name: "jdoe (reported by syslog)", Email: "jdoe@msp.example", Claimed: true}, Why: "syslog"})
	m.work()
}

// changeWithTicket is a change as it should be, and a device that is new.
func (m *month) changeWithTicket() {
	m.at(5, 15*time.Hour)
	m.change("acme/sw1", "Annex, rack 4", "Annex, rack 5")
	m.belay("Bob Example", 0, "capture", "acme/sw1", "--ticket", "T20100")
	m.plug("acme/sw6", "cisco_ios-classic", 40)
	m.belay("Bob Example", 0, "devices", "add", "acme/sw6", m.boxes["acme/sw6"].address, "--driver", "cisco_ios", "--site", "hq")
	m.rows = append(m.rows, "acme/sw6")
	m.work()
}

// rightPassword is a site whose login is put right, and a technician who makes sure.
func (m *month) rightPassword() {
	m.write("password-north", boxPassword)
	m.write("password-n1", boxPassword)
	m.at(19, 16*time.Hour)
	m.belay("Ann Example", 0, "capture", "globex/n2")
	m.work()
}

// replace is a firewall that another one takes the place of.
func (m *month) replace() {
	for range 3 {
		m.belay("Ann Example", 3, "gate", "acme/fw")
		m.work()
	}
	m.at(21, 10*time.Hour+30*time.Minute)
	m.plug("acme/fw-2", "fortios-60f", 41)
	m.belay("Ann Example", 0, "before", "acme/fw", "--ticket", "T20391", "--new", "fw-2", "--address", m.boxes["acme/fw-2"].address)
	m.belay("Ann Example", 0, "gate", "acme/fw")
	m.unplug("acme/fw")
	m.at(21, 11*time.Hour)
	m.belay("Ann Example", 0, "after", "acme/fw-2", "--ticket", "T20391")
	m.belay("Ann Example", 0, "close", "T20391")
	m.rows = append(m.rows, "acme/fw-2")
	m.work()
}

// wrongSettings is an editor's slip, seen and put right.
func (m *month) wrongSettings() {
	m.edit("belay.yaml", func(s string) string { return strings.Replace(s, "first-use", "never", 1) })
	m.work()
	m.at(25, 12*time.Hour)
	m.edit("belay.yaml", func(s string) string { return strings.Replace(s, "never", "first-use", 1) })
	m.work()
}

// badDriver is a driver of somebody's own, in the place of one of ours, that takes
// any end for the end.
func (m *month) badDriver() {
	script, err := sourceOf("pfsense-plus")
	m.must(err)
	catalog, err := drivers.Load("")
	m.must(err)
	driver, _ := catalog.Source("pfsense")
	text := regexp.MustCompile(`(?s)\ncomplete:\n.*?\n\n`).ReplaceAllString(string(driver), "\ncomplete: {ends: '\\S\\s*\\z', sections: ['\\S']}\n\n")
	m.write("drivers/pfsense.yaml", text)
	m.write("drivers/testdata/pfsense-plus.txtar", script)
	m.edit("belay.yaml", func(s string) string { return "drivers: ./drivers\n" + s })
}

func (m *month) understood() {
	m.edit("belay.yaml", func(s string) string { return strings.Replace(s, "drivers: ./drivers\n", "", 1) })
	m.belay("Eve Example", 0, "canaries", "understood", "--reason", "a driver of ours took any end for the end; it is gone, T20555")
	m.work()
}
