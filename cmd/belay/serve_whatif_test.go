package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/fleet"
	"belay/devices"
)

// A bench is a service in this process whose devices are read by the test itself.
type bench struct {
	*server
	dir string
	end func() error // ends it, once, and returns what run did

	mu    sync.Mutex
	log   bytes.Buffer
	began time.Time
	ahead time.Duration
}

// now is the bench's clock. It begins at noon, and pass sets it ahead.
func (b *bench) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC).Add(time.Since(b.began) + b.ahead)
}

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ahead += d
}

func (b *bench) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.Write(p)
}

func (b *bench) said() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.String()
}

// setBench puts a service together that does nothing yet.
func setBench(t *testing.T, settings string, names ...string) *bench {
	t.Helper()
	b := &bench{dir: t.TempDir(), began: time.Now()}
	b.write(t, "belay.yaml", "inventory: [devices.yaml]\nmaster: {file: ./master.age}\nlogins: {default: {user: belay, password: {file: password}}}\n"+settings)
	b.write(t, "password", "canary-whatif")
	b.inventory(t, names...)
	p := &program{in: strings.NewReader(""), out: io.Discard, err: b, now: b.now, as: "Belay", config: filepath.Join(b.dir, "belay.yaml")}
	s, done, err := p.openServer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(done)
	b.server = s
	return b
}

// work has it run until the test ends.
func (b *bench) work(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- b.run(ctx) }()
	b.end = sync.OnceValue(func() error { stop(); return <-ran })
	t.Cleanup(func() {
		if err := b.end(); err != nil {
			t.Errorf("it ended with %v\n%s", err, b.said())
		}
	})
	b.until(t, func() bool {
		_, err := askStatus(t.Context(), filepath.Join(b.dir, "belay-data"))
		return err == nil
	})
}

func (b *bench) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) inventory(t *testing.T, names ...string) {
	t.Helper()
	text := "devices:\n"
	for _, name := range names {
		text += fmt.Sprintf("  - {customer: acme, name: %s, address: 127.0.0.1, driver: cisco_ios}\n", name)
	}
	b.write(t, "devices.yaml", text)
}

// until waits for something, and no longer.
func (b *bench) until(t *testing.T, is func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came to that\n%s", b.said())
		}
	}
}

func unchanged(d devices.Device) configs.Result {
	return configs.Result{Device: d.String(), ID: d.ID(), Result: configs.Unchanged, Verified: true, Checks: []configs.Check{}}
}

func TestARequestThatReadsTheSettingsAgainDoesNotEndTheHearingWithItself(t *testing.T) {
	t.Parallel()
	b := setBench(t, "events: {syslog: {udp: '127.0.0.1:0'}}\n", "fw")
	b.engine.Capture = func(_ context.Context, j fleet.Job) configs.Result { return unchanged(j.Device) }
	b.work(t)
	b.inventory(t, "fw", "new")
	var got []devices.ID
	q := captureRequest{Devices: []devices.ID{"acme/new"}, Waits: true}
	if _, err := askService(t.Context(), filepath.Join(b.dir, "belay-data"), q, func(r configs.Result) { got = append(got, r.ID) }); err != nil || len(got) != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	now := func() *hearing {
		b.events.mu.Lock()
		defer b.events.mu.Unlock()
		return b.events.hearing
	}
	for again := true; again; {
		var h *hearing
		b.until(t, func() bool { h = now(); return h != nil })
		select {
		case <-h.listeners.Events():
			if again = h != now(); !again { // or else the file was read once more
				t.Error("it hears no more of changes")
			}
		case <-time.After(300 * time.Millisecond):
			again = false
		}
	}
}

func TestAnAskerThatDoesNotReadHoldsUpNobody(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range 400 {
		names = append(names, fmt.Sprintf("d%03d", i))
	}
	b := setBench(t, "concurrency: {all: 4}\n", names...)
	b.engine.Capture = func(_ context.Context, j fleet.Job) configs.Result {
		r := unchanged(j.Device)
		r.Error = strings.Repeat("x", 4<<10) // more than a socket holds of all of them
		return r
	}
	b.work(t)
	q := captureRequest{}
	for _, name := range names {
		q.Devices = append(q.Devices, devices.ID("acme/"+name))
	}
	suspended, wake := make(chan struct{}), make(chan struct{})
	n := 0
	asked := make(chan error, 1)
	go func() {
		_, err := askService(t.Context(), filepath.Join(b.dir, "belay-data"), q, func(configs.Result) {
			if n++; n == 1 {
				close(suspended)
				<-wake // as a command that a person has suspended
			}
		})
		asked <- err
	}()
	<-suspended
	b.until(t, func() bool { // the others are captured all the same
		s := b.engine.Stats()
		return s.Waiting[fleet.Triggered]+s.UnderWay[fleet.Triggered] == 0
	})
	close(wake)
	if err := <-asked; err != nil || n != len(names) {
		t.Errorf("it was told of %d devices: %v", n, err)
	}
}

func TestWhatEndsWhileTheServiceStopsIsToldToWhoeverAsked(t *testing.T) {
	t.Parallel()
	b := setBench(t, "", "fw")
	begun := make(chan struct{})
	b.engine.Capture = func(ctx context.Context, j fleet.Job) configs.Result {
		close(begun)
		<-ctx.Done()
		time.Sleep(50 * time.Millisecond) // it was read, and is kept
		r := unchanged(j.Device)
		r.Result = configs.Kept
		return r
	}
	b.work(t)
	var got []configs.Outcome
	asked := make(chan error, 1)
	go func() {
		_, err := askService(t.Context(), filepath.Join(b.dir, "belay-data"), captureRequest{Devices: []devices.ID{"acme/fw"}, Waits: true, Record: true},
			func(r configs.Result) { got = append(got, r.Result) })
		asked <- err
	}()
	<-begun
	if err := b.end(); err != nil {
		t.Fatal(err)
	}
	if err := <-asked; err != nil || len(got) != 1 || got[0] != configs.Kept {
		t.Errorf("whoever asked was told %v, %v", got, err)
	}
}

// An inboxOf counts what it is sent.
type inboxOf struct {
	mu  sync.Mutex
	got []string
}

func (i *inboxOf) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.got = append(i.got, string(body))
}

func (i *inboxOf) text() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return strings.Join(i.got, "\n")
}

func (i *inboxOf) take() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	defer func() { i.got = nil }()
	return len(i.got)
}
