package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/change"
	"belay/configs/redact"
	"belay/devices"
	"belay/devices/simulator"
	"belay/store/docsystem/itglue/standin"
)

// benchPlay writes settings with an IT Glue and an inventory, for runs within this
// process.
func benchPlay(b *testing.B, inventory, url string) (settings string) {
	b.Helper()
	dir := b.TempDir()
	for name, text := range map[string]string{
		"devices.csv": inventory, "password": boxPassword, "enable": boxEnable, "key": standin.Key,
		"belay.yaml": "inventory: [devices.csv]\nhost_keys: first-use\nmaster: {file: master.age}\n" +
			"logins: {default: {user: belay, password: {file: password}, enable: {file: enable}}}\n" +
			"documentation: {itglue: {itglue: {url: '" + url + "', key: {file: key}, attach: original}}}\n" +
			"customers: {acme: {documentation: itglue, organization: 2041}}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return filepath.Join(dir, "belay.yaml")
}

// BenchmarkBefore is a technician's wait with a configuration of 1 MB that is read
// twice, kept and proven in IT Glue, until the gate opens: under 5 s and what the
// device takes itself, which is in it.
func BenchmarkBefore(b *testing.B) {
	tr, err := simulator.Parse("bench.txtar", []byte(benchSwitch+benchConfig(1, 1<<20)))
	if err != nil {
		b.Fatal(err)
	}
	sw, err := startBox(tr, "")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = sw.server.Close() })
	glue := standin.New()
	glue.AddOrganization(standin.Organization{ID: 2041, Name: "Acme"})
	glue.AddConfiguration(standin.Configuration{ID: 88121, Organization: 2041, Name: "SW-BENCH", Serial: "FOC0000X000"})
	url, err := glue.Start("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(glue.Close)
	host, port, err := net.SplitHostPort(sw.address)
	if err != nil {
		b.Fatal(err)
	}
	settings := benchPlay(b, fmt.Sprintf("name,customer,address,port,driver,serial\nsw,acme,%s,%s,cisco_ios,FOC0000X000\n", host, port), url)
	n := 0
	for b.Loop() {
		n++
		var said bytes.Buffer
		if code := inProcess([]string{"--config", settings, "before", "acme/sw", "--ticket", fmt.Sprintf("T%d", n)}, &said); code != 0 || !strings.Contains(said.String(), "GATE OPEN") {
			b.Fatalf("exit status %d: %.800s", code, said.String())
		}
	}
	b.StopTimer()
	if hung := glue.Attachments(88121); len(hung) != n || len(hung[0].Bytes) < 1_000_000 {
		b.Errorf("%d files hang there, want %d of 1 MB", len(hung), n)
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/gate")
}

// BenchmarkLongHistory is what commands of a change look up, with 500 devices and
// 2,000 changes on record: well under a second each.
func BenchmarkLongHistory(b *testing.B) {
	const boxes, changes = 500, 2000
	var rows strings.Builder
	rows.WriteString("name,customer,address,driver,serial\n")
	for i := range boxes {
		fmt.Fprintf(&rows, "sw%03d,acme,192.0.2.%d,cisco_ios,FOC%08d\n", i, i%250, i)
	}
	p := &program{in: strings.NewReader(""), out: io.Discard, err: io.Discard, now: time.Now, config: benchPlay(b, rows.String(), "http://127.0.0.1:1")}
	w, err := p.open(b.Context(), openOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(w.close)
	var wg sync.WaitGroup
	each := func(n int, do func(i int) error) {
		for worker := range 16 {
			wg.Go(func() {
				for i := worker; i < n; i += 16 {
					if err := do(i); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
	each(boxes, func(i int) error {
		d := w.inventory.Devices[i]
		text := []byte(benchConfig(i, 2<<10))
		sum := sha256.Sum256(text)
		digest := hex.EncodeToString(sum[:])
		clean, err := redact.Restore(text, digest)
		if err != nil {
			return err
		}
		sealed, err := w.vault.Seal(b.Context(), d.Customer, text)
		if err != nil {
			return err
		}
		_, err = w.store.Commit(b.Context(), configs.Snapshot{
			Device: d, Taken: time.Now(), By: w.by, Driver: d.Driver, Identity: devices.Identity{Serials: d.Serials},
			Texts:     []configs.Text{{Name: configs.MainFile, Clean: clean}},
			Originals: []configs.Sealed{{Name: configs.MainFile, Bytes: sealed, Digest: digest, Size: len(text)}},
		})
		return err
	})
	// All are as the first: opened by the book one after the other they would take a minute.
	c, _, err := w.desk.Book.Open(b.Context(), change.Opening{Ticket: "T", Old: w.inventory.Devices[0], By: w.by})
	if err == nil {
		err = w.desk.Book.RecordGate(b.Context(), c, change.Gate{By: w.by, Why: []string{"no before was taken within this change"}})
	}
	if err != nil {
		b.Fatal(err)
	}
	var first []configs.Event
	for e, err := range w.ledger.Events(b.Context(), configs.Filter{Change: c.ID}) {
		if err != nil {
			b.Fatal(err)
		}
		first = append(first, e)
	}
	each(changes, func(i int) error {
		d := w.inventory.Devices[i%boxes]
		for _, e := range append(slices.Clone(first), first[1], first[1], first[1]) {
			e.Device, e.Detail = d.ID(), maps.Clone(e.Detail)
			e.Detail["change"] = fmt.Sprintf("T%d-%s", i, d.Name)
			if e.Detail["ticket"] != nil {
				e.Detail["ticket"], e.Detail["old"], e.Detail["oldName"] = fmt.Sprintf("T%d", i), d.ID(), d.Name
			}
			if err := w.ledger.Append(b.Context(), e); err != nil {
				return err
			}
		}
		return nil
	})
	if b.Failed() {
		return
	}
	last := w.inventory.Devices[(changes-1)%boxes]
	for _, of := range []struct {
		name string
		look func() error
	}{
		{"known", func() error { _, err := w.known(b.Context()); return err }},
		{"change", func() error {
			c, err := w.desk.Book.Get(b.Context(), "acme", fmt.Sprintf("T%d-%s", changes-1, last.Name))
			if err == nil && len(c.Gates) != 4 {
				err = fmt.Errorf("it has %d answers of the gate", len(c.Gates))
			}
			return err
		}},
		{"open", func() error {
			_, isNew, err := w.desk.Book.Open(b.Context(), change.Opening{Ticket: fmt.Sprintf("T%d", changes-1), Old: last, By: w.by})
			if isNew {
				return errors.New("it was opened before")
			}
			return err
		}},
		{"list", func() error { _, err := w.desk.Book.List(b.Context(), "acme"); return err }},
	} {
		b.Run(of.name, func(b *testing.B) {
			for b.Loop() {
				if err := of.look(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
