package alarm_test

import (
	"strings"
	"testing"

	"belay/configs"
)

func TestTheSubjectOfAnAlarmSaysWhatHappenedAndWhere(t *testing.T) {
	t.Parallel()
	for want, a := range map[string]configs.Alarm{
		"trouble of the service: the changed settings were refused, the old ones stay": {Cause: configs.AlarmService, Key: "settings", What: "the changed settings were refused, the old ones stay: belay.yaml:[1:1] x"},
		"disk nearly full: 400 MB are free where Belay keeps its data":                 {Cause: configs.AlarmDisk, What: "400 MB are free where Belay keeps its data"},
		"damage found: acme/sw-1":                                       {Cause: configs.AlarmDamage, Customer: "acme", Device: "acme/sw-1", What: "version 27dc: it is not there"},
		"damage found: acme: the copy":                                  {Cause: configs.AlarmDamage, Customer: "acme", What: "the copy: it is not there"},
		"flood of messages: several devices with the address 192.0.2.1": {Cause: configs.AlarmFlood, Key: "192.0.2.1", What: "several devices with the address 192.0.2.1: more than 100"},
		"canary kept: " + strings.Repeat("x", 126) + "…":                {Cause: configs.AlarmCanary, What: strings.Repeat("x", 400)},
		"unsaved changes: acme/sw-1":                                    {Cause: configs.AlarmUnsaved, Device: "acme/sw-1", What: "it is about to be replaced"},
	} {
		s := start()
		s.must(t, s.Raise(t.Context(), a))
		s.must(t, s.Deliver(t.Context()))
		s.heard(t, want)
		s.must(t, s.Clear(t.Context(), a))
		s.must(t, s.Deliver(t.Context()))
		if over := s.box.subjects("noc")[1]; !strings.HasPrefix(over, "over: "+want[:20]) || len([]rune(over)) > 140 {
			t.Errorf("its end: %q", over)
		}
	}
}
