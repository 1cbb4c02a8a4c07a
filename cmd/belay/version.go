package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"belay/configs"
	"belay/configs/redact"
	"belay/devices"
)

// versionRow is a version as scripts read it.
type versionRow struct {
	Device  string         `json:"device"`
	Version string         `json:"version"`
	Taken   time.Time      `json:"taken"`
	By      configs.Person `json:"by"`
	Subject string         `json:"subject"`
	Ticket  string         `json:"ticket,omitempty"`
	Grade   configs.Level  `json:"grade"`
	Serials []string       `json:"serials,omitempty"`
	Unsaved bool           `json:"unsaved,omitempty"`
}

func rowOf(v configs.Version) versionRow {
	return versionRow{Device: v.ID.Customer() + "/" + v.Name, Version: v.Commit, Taken: v.Taken, By: v.By, Subject: v.Subject, Ticket: v.Ticket, Grade: v.Grade.Level, Serials: v.Identity.Serials, Unsaved: v.Unsaved}
}

func nothingKept(d devices.Device) error {
	return &devices.Error{Kind: devices.Refused, Op: "find a version of", Device: d.String(), Err: errors.New("nothing has been kept yet"), Hint: "belay capture " + d.String()}
}

// version finds a version by the beginning of its commit's name, by "~N" (N
// versions back), by a time at which it stood or, where at is empty, the newest one.
func (w *workspace) version(ctx context.Context, d devices.Device, at string) (configs.Version, error) {
	if t, ok := timeOf(at, w.now(), true); ok {
		return w.stood(ctx, d, t)
	}
	back := 0
	if at != "" && at[0] == '~' {
		if _, err := fmt.Sscanf(at, "~%d", &back); err != nil || back < 0 {
			return configs.Version{}, &devices.Error{Kind: devices.Usage, Err: fmt.Errorf("%q is no version: ~1 is the one before the newest", at)}
		}
		at = ""
	}
	var found []configs.Version
	seen := 0
	for v, err := range w.history.Versions(ctx, d.ID()) {
		if err != nil {
			return v, err
		}
		seen++
		if at == "" {
			if back == 0 {
				return v, nil
			}
			back--
			continue
		}
		if strings.HasPrefix(v.Commit, strings.ToLower(at)) {
			found = append(found, v)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return configs.Version{}, &devices.Error{Kind: devices.Usage, Device: d.String(), Op: "find a version of", Err: fmt.Errorf("%d versions begin with %s", len(found), at), Hint: "write more of it: belay log " + d.String()}
	case seen == 0:
		return configs.Version{}, nothingKept(d)
	case at == "":
		return configs.Version{}, &devices.Error{Kind: devices.Usage, Device: d.String(), Op: "find a version of", Err: fmt.Errorf("it has only %d", seen), Hint: "belay log " + d.String()}
	}
	why := fmt.Errorf("no version of it begins with %s", at)
	if strings.Trim(strings.ToLower(at), "0123456789abcdef") != "" {
		why = fmt.Errorf("%q is neither a version nor a time", at)
	}
	return configs.Version{}, &devices.Error{Kind: devices.Usage, Device: d.String(), Op: "find a version of", Err: why,
		Hint: "belay log " + d.String() + " lists its versions. " + aTime}
}

// text is one file of a version, read back.
func (w *workspace) text(ctx context.Context, v configs.Version, file string) (redact.Clean, error) {
	texts, err := w.store.Texts(ctx, v)
	if err != nil {
		return redact.Clean{}, err
	}
	var names []string
	for _, t := range texts {
		if t.Name == file {
			return t.Clean, nil
		}
		names = append(names, t.Name)
	}
	if slices.ContainsFunc(v.Files, func(f configs.VersionFile) bool { return f.Name == file && f.Alone() }) {
		return redact.Clean{}, &devices.Error{Kind: devices.Usage, Err: fmt.Errorf("%s of version %s is binary: only the sealed original is kept, and nothing of it can be shown or compared", file, short(v.Commit)),
			Hint: "belay reveal " + v.ID.Customer() + "/" + v.Name + " --at " + short(v.Commit) + " --file " + file + ` --reason "…" >` + file}
	}
	return redact.Clean{}, &devices.Error{Kind: devices.Usage, Err: fmt.Errorf("version %s has no file %s", short(v.Commit), file), Hint: "it has " + strings.Join(names, ", ")}
}

// withWorkspace opens the workspace for as long as do takes.
func (p *program) withWorkspace(ctx context.Context, do func(w *workspace) error) error {
	w, err := p.open(ctx, openOptions{})
	if err != nil {
		return err
	}
	defer w.close()
	return do(w)
}

// withDevice opens the workspace and finds one device.
func (p *program) withDevice(ctx context.Context, name string, do func(*workspace, devices.Device) error) error {
	return p.withWorkspace(ctx, func(w *workspace) error {
		d, err := w.inventory.Find(name)
		if err != nil {
			return err
		}
		return do(w, d)
	})
}
