package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"belay/configs/report"
	"belay/devices"
)

// runServeStatus prints what the running service says of itself. Settings that are
// wrong do not hide it: it goes on with those that it has, and that is when somebody
// asks.
func (p *program) runServeStatus(ctx context.Context) error {
	var data string
	settings, wrong := readSettings(p.config)
	if wrong == nil {
		data = settings.Data
	} else {
		data = dataFolder(p.config)
	}
	ctx, end := context.WithTimeout(ctx, 10*time.Second)
	defer end()
	st, err := askStatus(ctx, data)
	switch {
	case err != nil && wrong != nil:
		return wrong
	case err != nil:
		return &devices.Error{Op: "ask the service of " + data, Err: err, Hint: "belay serve; or systemctl status belay"}
	case wrong != nil && st.Refused == "": // it has not looked yet, or was started with others
		st.Refused = wrong.Error()
	}
	if p.json {
		return p.printJSON(st)
	}
	return p.say("%s", st)
}

// dataFolder is the data folder of settings that are wrong, as far as they can be
// read; else the one that is taken where they name none.
func dataFolder(file string) string {
	if file == "" {
		file = settingsFile
	}
	s := defaults(file)
	if dir, err := filepath.Abs(filepath.Dir(file)); err == nil {
		s.dir = dir
	}
	text, _ := os.ReadFile(file) //nolint:gosec // settings that cannot be read name no folder
	var only struct {
		Data string `yaml:"data"`
	}
	if yaml.Unmarshal(text, &only) != nil {
		for line := range strings.Lines(string(text)) { // one alone may be well
			if strings.HasPrefix(line, "data:") && yaml.Unmarshal([]byte(line), &only) == nil {
				break
			}
		}
	}
	if only.Data != "" {
		s.Data = only.Data
	}
	return s.path(s.Data)
}

// String is the status as people read it.
func (st serviceStatus) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "running since %s, %s\n", st.Since.Local().Format("2006-01-02 15:04:05"), report.Plural(st.Devices, "device"))
	if st.Refused != "" {
		fmt.Fprintf(&b, "changed settings were refused, the old ones stay: %s\n", st.Refused)
	}
	if st.Round != nil {
		fmt.Fprintf(&b, "a round began at %s%s\n", st.Round.Began.Local().Format("15:04:05"), st.rest())
	}
	fmt.Fprintf(&b, "%d captures under way, %d waiting, %d to be tried again\n", st.Busy, st.Waiting, st.Retries)
	if !st.Next.IsZero() {
		fmt.Fprintf(&b, "next due at %s\n", st.Next.Local().Format("2006-01-02 15:04"))
	}
	for _, name := range slices.Sorted(maps.Keys(st.Chores)) {
		fmt.Fprintf(&b, "%s fails: %s\n", name, st.Chores[name])
	}
	return b.String()
}

// rest is what the round waits for.
func (st serviceStatus) rest() string {
	at := func(t time.Time) string { return t.Local().Format("15:04") }
	switch {
	case st.Round.Pending == 0 && !st.Next.IsZero():
		return "; all its devices were asked, and it goes on with those that are due at " + at(st.Next)
	case st.Round.Pending == 0:
		return "; all its devices were asked"
	case st.Busy+st.Waiting == 0 && !st.Again.IsZero():
		return fmt.Sprintf("; all its devices were asked, and what failed is tried again, next at %s (%s)", at(st.Again), report.Plural(st.Round.Pending, "device"))
	}
	return fmt.Sprintf(", %s to go", report.Plural(st.Round.Pending, "device"))
}
