package report_test

import (
	"strings"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/report"
	"belay/devices"
)

// TestEachCauseIsToldOnce gives several facts of one cause.
func TestEachCauseIsToldOnce(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 3, 22, 9, 0, 0, 0, time.UTC)
	fw, sw := devices.Device{Customer: "acme", Name: "fw", Site: "hq"}, devices.Device{Customer: "acme", Name: "sw", Site: "hq"}
	old := configs.Checked{ID: sw.ID(), At: now.Add(-30 * time.Hour), Good: now.Add(-30 * time.Hour), Result: configs.Unchanged}
	denied := configs.Checked{ID: fw.ID(), At: now.Add(-time.Hour), Good: now.Add(-30 * time.Hour), Result: configs.Denied}
	for name, c := range map[string]struct {
		in        report.Input
		want, not []string
	}{
		"a site that rests": {
			report.Input{Devices: []devices.Device{sw}, Newest: map[devices.ID]configs.Checked{sw.ID(): old},
				Rests: []report.Rest{{Site: "acme/hq", Since: now.Add(-time.Hour), Until: now.Add(12 * time.Hour)}}},
			[]string{"sw: not tried, for the site rests until 21:00; no good reading since 21 Mar 03:00\n"}, []string{"belay capture"},
		},
		"a missed schedule": {
			report.Input{Devices: []devices.Device{sw}, Newest: map[devices.ID]configs.Checked{sw.ID(): old},
				Missed: []report.Miss{{Schedule: "customer acme", Customer: "acme", Due: now.Add(-7 * time.Hour), Devices: 1, Of: []devices.ID{sw.ID()}}}},
			[]string{"1 stale", "the schedule of customer acme, due 02:00"}, []string{"no good reading"},
		},
		"a missed schedule, and what failed before it": {
			report.Input{Devices: []devices.Device{fw}, Newest: map[devices.ID]configs.Checked{fw.ID(): {ID: fw.ID(), At: now.Add(-30 * time.Hour), Result: configs.Unreachable, Error: "no answer"}},
				Missed: []report.Miss{{Schedule: "customer acme", Customer: "acme", Due: now.Add(-7 * time.Hour), Devices: 1, Of: []devices.ID{fw.ID()}}}},
			[]string{"fw: unreachable, never captured: no answer"}, nil,
		},
		"two devices, each with its own": {
			report.Input{Devices: []devices.Device{fw, sw}, Newest: map[devices.ID]configs.Checked{fw.ID(): with(denied, "one thing"), sw.ID(): with(denied, "another")}},
			[]string{"for 2 different reasons, one of them another"}, []string{"1 times", "most often"},
		},
		"a host key": {
			report.Input{Devices: []devices.Device{fw}, Newest: map[devices.ID]configs.Checked{fw.ID(): with(denied, "its host key has changed")},
				Alarms: []configs.Alarm{{Cause: configs.AlarmHostKey, Customer: "acme", Device: fw.ID(), What: "another key", At: now}}},
			[]string{"compare the fingerprint", "belay devices trust acme/fw"}, []string{"another key"},
		},
		"a login named after its device": {
			report.Input{Devices: []devices.Device{fw}, Newest: map[devices.ID]configs.Checked{fw.ID(): with(denied, `login "acme/fw" (user "belay") refused`)}},
			[]string{`its login (user "belay") refused`}, []string{`"it"`},
		},
		"logins that were refused": { // a command for the site would leave out what rests
			report.Input{Devices: []devices.Device{fw, sw}, Newest: map[devices.ID]configs.Checked{fw.ID(): with(denied, "no"), sw.ID(): with(denied, "no")},
				Rests: []report.Rest{{Device: fw.ID(), Site: "acme/hq", Since: now.Add(-time.Hour), Until: now.Add(12 * time.Hour)}}},
			[]string{"put the login right first", "belay capture acme/fw acme/sw\n"}, []string{"--site"},
		},
		"logins that were refused, and nothing rests any more": {
			report.Input{Devices: []devices.Device{fw, sw}, Newest: map[devices.ID]configs.Checked{fw.ID(): with(denied, "no"), sw.ID(): with(denied, "no")}},
			[]string{"belay capture --customer acme --site hq\n"}, []string{"put the login right"},
		},
		"a full disk": {
			report.Input{Disk: "1.0 GB are free", Alarms: []configs.Alarm{{Cause: configs.AlarmDisk, What: "too little room", At: now}}},
			[]string{"1.0 GB are free"}, []string{"too little room"},
		},
	} {
		c.in.Now, c.in.Since = now, now.Add(-24*time.Hour)
		text := report.Make(c.in).Text()
		for _, w := range c.want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: it does not say %q:\n%s", name, w, text)
			}
		}
		for _, w := range c.not {
			if strings.Contains(text, w) {
				t.Errorf("%s: it says %q:\n%s", name, w, text)
			}
		}
	}
}

func with(c configs.Checked, text string) configs.Checked {
	c.Error = text
	return c
}
