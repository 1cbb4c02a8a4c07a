package main

import (
	"strings"
	"testing"
	"time"
)

func TestALengthOfTimeThatIsNoneIsRefusedWithItsFieldAndLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"schedules:\n  - every: '@daily'\n  - every: '@daily'\n    jitter: 10": `:[4:13] schedules[1].jitter: "10" is no length of time: write 90s, 30m, 12h, 7d or 2w`,
		"schedules: [{every: '@daily', jitter: '10'}]":                         `:[1:39] schedules[0].jitter: "10" is no length of time`,
		"scrub:\n  every: weekly":                                              `:[2:10] scrub.every: "weekly" is no length of time`,
		"retention: {readings: 1y}":                                            `:[1:23] retention.readings: "1y" is no length of time`,
		"events: {poll: -5m}":                                                  `:[1:16] events.poll: "-5m" is no length of time`,
		"events: {hold_off: 2}":                                                `:[1:20] events.hold_off: "2" is no length of time`,
		"tell: {digest: {max_age: 26}}":                                        `:[1:26] tell.digest.max_age: "26" is no length of time`,
		"tell: {dead_man: {every: 0m}}":                                        `:[1:26] tell.dead_man.every: "0m" is no length of time`,
		"customers: {default: {gate: {notice: 10}}}":                           `:[1:38] customers.default.gate.notice: "10" is no length of time: write 4h, or 90m`,
	} {
		if _, err := settingsOf(t, text); err == nil || !strings.Contains(err.Error(), settingsFile+want) {
			t.Errorf("%s\n: %v, want %q", text, err, want)
		}
	}
	s, err := settingsOf(t, "schedules: [{every: '@daily', jitter: '90m'}]\nretention: {readings: 2w}\n")
	if err != nil || s.Schedules[0].Jitter != duration(90*time.Minute) || s.Retention.Readings != duration(14*24*time.Hour) {
		t.Errorf("%+v, %v", s, err)
	}
}
