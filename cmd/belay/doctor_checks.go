package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"belay/configs/report"
	"belay/devices"
	"belay/store/vault"
)

// checkSettings is reached only where they could be read: what is wrong in them
// stops every command.
func checkSettings(_ context.Context, x *patient) []finding {
	found := []finding{fine("%s can be read; the data is in %s", x.settings.file, x.settings.Data)}
	for _, name := range x.settings.strangers(x.inventory) {
		found = append(found, strange("compare the spelling with the inventory's", "customers.%s: the inventory has no device of that customer", name))
	}
	if len(x.settings.Remotes) == 0 && len(x.settings.Documentation) == 0 {
		found = append(found, strange("belay init --print shows remotes and documentation", "no second place is set up: nothing can be verified"))
	}
	return found
}

func checkInventory(ctx context.Context, x *patient) []finding {
	found := []finding{fine("%s", report.Plural(len(x.inventory.Devices), "device"))}
	if len(x.inventory.Devices) == 0 {
		found[0] = strange("belay devices add CUSTOMER/NAME ADDRESS --driver NAME", "no device is in it")
	}
	for _, text := range x.inventory.Warnings { // duplicate addresses of one zone among them
		found = append(found, strange("", "%s", text))
	}
	for _, d := range x.inventory.Devices {
		with, err := x.catalog.Find(d.Driver)
		if err != nil {
			found = append(found, broken("belay drivers list", "%s%s: %v", d, at(d), err))
		} else if with.Road() == "snmp" {
			continue // nobody logs in there
		}
		if _, err := x.secrets.logins(ctx, d); err != nil {
			f := wrong(failed, err)
			if !strings.Contains(f.Detail, d.String()) {
				f.Detail = d.String() + ": " + f.Detail
			}
			f.Detail += at(d)
			found = append(found, f)
		}
	}
	return found
}

// checkSchedules looks for what a mistyped name leaves out: neither a schedule for
// nobody nor a device without one is wrong, and nobody would hear of either.
func checkSchedules(_ context.Context, x *patient) []finding {
	if len(x.settings.Schedules) == 0 {
		return []finding{fine("there are none: nothing is captured by itself")}
	}
	plan, err := x.settings.plan()
	if err != nil {
		return []finding{wrong(failed, err)}
	}
	var found []finding
	for i, s := range x.settings.Schedules {
		if !x.covers(s) {
			found = append(found, strange("compare the spelling with the inventory's", "schedules[%d]: the inventory has nothing of %s", i, s.governs()))
		}
	}
	var bare []string
	for _, d := range x.inventory.Devices {
		if len(plan.Rules(d)) == 0 {
			bare = append(bare, d.String())
		}
	}
	if len(bare) > 0 {
		return append(found, strange("belay schedule shows all; schedules: in "+x.settings.file+" says when", "%s", uncovered(bare)))
	}
	return append(found, fine("%d, and each device has one", len(x.settings.Schedules)))
}

// at is where the inventory has a device.
func at(d devices.Device) string {
	if s := d.Where.String(); s != "" {
		return " (" + s + ")"
	}
	return ""
}

// checkKeys opens every key, and makes none.
func checkKeys(ctx context.Context, x *patient) []finding {
	keys, err := x.vault.List(ctx)
	if err != nil {
		return []finding{wrong(failed, err)}
	}
	found := []finding{fine("the keys of %s open", report.Plural(len(keys), "customer"))}
	kept, err := x.store.Customers()
	if err != nil {
		found = append(found, wrong(failed, err))
	}
	for _, c := range kept {
		if !slices.ContainsFunc(keys, func(k vault.Key) bool { return k.Customer == c }) {
			found = append(found, broken("restore customers/"+c+"/key.age from a backup (belay backup list) or from escrow", "the key of %s is missing: none of its originals can be opened", c))
		}
	}
	there := func(name string) bool {
		_, err := os.Lstat(filepath.Join(x.settings.Data, name))
		return !errors.Is(err, fs.ErrNotExist)
	}
	if there("signer.age") || there("signer.pub") {
		if _, err := x.vault.SignerKey(ctx); err != nil {
			found = append(found, wrong(failed, err))
		}
	}
	if there("logins.age") {
		if _, err := x.vault.Names(ctx); err != nil {
			found = append(found, wrong(failed, err))
		}
	}
	if len(keys) == 0 && len(kept) == 0 && !there("signer.age") && !there("logins.age") {
		found[0] = fine("none is needed yet: the first capture makes them")
	}
	return found
}

func checkLedger(ctx context.Context, x *patient) []finding {
	if err := x.ledger.QuickCheck(ctx); err != nil {
		return []finding{wrong(failed, err)}
	}
	return []finding{fine("the database is in order")}
}

// checkHistories reads what main of each customer is, and opens the newest sealed
// original of one device.
func checkHistories(ctx context.Context, x *patient) []finding {
	customers, err := x.store.Customers()
	if err != nil {
		return []finding{wrong(failed, err)}
	}
	var found []finding
	seen := map[string]bool{}
	late := x.now().Add(5 * time.Minute)
	for _, d := range x.inventory.Devices {
		if seen[d.Customer] || ctx.Err() != nil {
			continue
		}
		v, ok, err := x.store.Newest(ctx, d.ID())
		if err == nil && !ok {
			continue
		}
		seen[d.Customer] = true
		if err == nil && v.Taken.After(late) {
			found = append(found, strange("see the clock", "%s: its newest version was taken in the future, at %s", d, v.Taken.UTC().Format(time.RFC3339)))
		}
		if err == nil {
			err = x.opens(ctx, d)
		}
		if err != nil {
			found = append(found, wrong(failed, err))
		}
	}
	for _, c := range customers {
		if !seen[c] && ctx.Err() == nil {
			if _, err := x.store.Cut(ctx, c); err != nil {
				found = append(found, wrong(failed, err))
			}
		}
	}
	return append([]finding{fine("kept for %s; belay verify reads all of it", report.Plural(len(customers), "customer"))}, found...)
}

func (x *patient) opens(ctx context.Context, d devices.Device) error {
	sealed, err := x.store.Latest(ctx, d.ID())
	if err != nil || len(sealed) == 0 {
		return err
	}
	_, err = x.vault.Open(ctx, d.Customer, sealed[0].Bytes)
	return err
}

var gitVersion = regexp.MustCompile(`git version (\d+)\.(\d+)`)

func checkGit(ctx context.Context, _ *patient) []finding {
	asked := exec.CommandContext(ctx, "git", "--version")
	asked.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")} // no secret of ours
	out, err := asked.Output()
	if err != nil {
		return []finding{broken("install git: histories are not packed without it, and remotes that are paths need it", "the program git: %v", err)}
	}
	m := gitVersion.FindSubmatch(out)
	if m == nil {
		return []finding{strange("", "git says %q of its version", strings.TrimSpace(string(out)))}
	}
	major, _ := strconv.Atoi(string(m[1])) // digits
	minor, _ := strconv.Atoi(string(m[2]))
	if major < 2 || major == 2 && minor < 30 {
		return []finding{strange("install git 2.30 or newer", "%s is old", strings.TrimSpace(string(out)))}
	}
	return []finding{fine("%s", strings.TrimSpace(string(out)))}
}

func checkService(_ context.Context, x *patient) []finding {
	pid, since, ok := running(x.settings.Data)
	switch {
	case ok:
		return []finding{fine("process %d serves, since %s", pid, since.Local().Format("2006-01-02 15:04"))}
	case len(x.settings.Schedules) > 0:
		return []finding{strange("belay serve, or systemctl start belay", "there are schedules and no service runs: nothing is captured by itself")}
	}
	return []finding{fine("none runs, and the settings have no schedules")}
}

func checkZones(context.Context, *patient) []finding {
	if _, err := time.LoadLocation("Europe/London"); err != nil {
		return []finding{broken("install tzdata", "there are no time zones on this machine: %v", err)}
	}
	name, _ := time.Now().Zone()
	return []finding{fine("they are there; this machine's is %s", fmt.Sprint(name))}
}
