package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"belay/configs"
	"belay/configs/alarm"
	"belay/configs/change"
	"belay/configs/history"
	"belay/configs/outbox"
	"belay/configs/watch"
	"belay/devices"
	"belay/devices/receive"
	"belay/devices/ssh"
	"belay/drivers"
	"belay/store/git"
	"belay/store/ledger"
	"belay/store/vault"
)

// A workspace is every part put together, as the settings say. This file is the
// only one that knows them all.
type workspace struct {
	settings  *settings
	inventory *devices.Inventory
	byID      map[devices.ID]int // place in inventory.Devices
	catalog   *drivers.Catalog
	by        configs.Person
	secrets   *secrets
	vault     *vault.Vault
	ledger    *ledger.Ledger
	store     *git.Store
	dialer    *ssh.Dialer
	puller    *drivers.Puller
	backup    *configs.Backup
	office    *outbox.Office
	desk      *change.Desk
	alarms    *alarm.Bell
	history   *history.History
	now       func() time.Time
	turns     *turns
	sessions  chan struct{}     // one for each session that may be open
	incoming  *receive.Receiver // takes what devices were asked to send; nil: none was yet

	opening sync.Mutex
	hanging map[string]*atomic.Int32         // posts to each ticket folder that do not return
	systems map[string]configs.Documentation // those opened so far, by their name in the settings
}

type openOptions struct {
	firstUse   bool          // pin unknown host keys, whatever the settings say
	secretsFor time.Duration // how long a secret is taken for the same; 0: as long as the workspace is open
}

// open reads the settings and puts the parts together.
func (p *program) open(ctx context.Context, o openOptions) (w *workspace, err error) {
	s, err := readSettings(p.config)
	if err != nil {
		return nil, err
	}
	w = &workspace{settings: s, now: p.now, sessions: make(chan struct{}, s.Concurrency.All)}
	defer func(opened *workspace) { // not w: it is nil by then
		if err != nil {
			opened.close()
		}
	}(w)
	if w.by, err = p.person(s.Email); err != nil {
		return nil, err
	}
	if w.inventory, err = devices.Load(s.dir, s.Inventory); err != nil {
		return nil, err
	}
	w.byID = make(map[devices.ID]int, len(w.inventory.Devices))
	for i, d := range w.inventory.Devices {
		w.byID[d.ID()] = i
	}
	for _, warning := range w.inventory.Warnings {
		warn(p.err, "%s", warning)
	}
	for _, name := range s.strangers(w.inventory) {
		warn(p.err, "%s: customers.%s: the inventory has no device of that customer", s.file, name)
	}
	if w.catalog, err = drivers.Load(s.Drivers); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.Data, 0o700); err != nil {
		return nil, &devices.Error{Kind: devices.Usage, Op: "make the data folder", Err: err}
	}
	if w.vault, err = vault.New(s.Data, s.master(), p.now); err != nil {
		return nil, err
	}
	w.vault.Made = func(file string) {
		fmt.Fprintf(p.err, "belay: made the master identity in %s\nbelay: hint: keep a copy of it in a safe place (belay keys escrow): without it no original can be opened\n", file)
	}
	w.secrets = &secrets{s: s, vault: w.vault.Get, now: p.now, good: o.secretsFor}
	if w.ledger, err = ledger.Open(ctx, s.Data); err != nil {
		return nil, err
	}
	w.ledger.Now = p.now // leases end by the same clock as letters are due
	if err := w.openStore(ctx); err != nil {
		return nil, err
	}
	hosts, err := w.jumpHosts(ctx)
	if err != nil {
		return nil, err
	}
	w.dialer = &ssh.Dialer{
		HostKeys: &pins{ledger: w.ledger, by: w.by, now: p.now, firstUse: o.firstUse || s.HostKeys == "first-use"},
		Hosts:    hosts, Now: p.now,
	}
	w.puller = &drivers.Puller{Catalog: w.catalog, Dial: w.dial, DialHTTPS: w.dialHTTPS(w.apis(w.dialer.HostKeys.(*pins))), Agent: w.sender, Now: p.now}
	w.turns = newTurns()
	w.backup = &configs.Backup{
		Puller: w.puller, Repository: w.store, Sealer: w.vault, Provers: []configs.Prover{owing(ctx, w.store, aPush)},
		CheckLog: w.ledger, Quarantine: w.ledger, Now: p.now, Pause: time.Second, Turn: w.turns.wait,
	}
	w.openOffice(ctx, p)
	w.alarms = w.openTell(p)
	w.backup.Saved = func(ctx context.Context, d devices.Device, unsaved bool, at time.Time) error {
		over, err := watch.Found(ctx, w.ledger, d.ID(), unsaved, at)
		if err == nil && over {
			err = w.alarms.Clear(ctx, configs.Alarm{Cause: configs.AlarmUnsaved, Customer: d.Customer, Device: d.ID()})
		}
		return err
	}
	w.openCanaries()
	w.openHistory()
	return w, nil
}

// close unwinds what open opened.
func (w *workspace) close() {
	if w.incoming != nil {
		w.incoming.Close()
	}
	if w.ledger != nil {
		_ = w.ledger.Close() // all that was acknowledged is on disk
	}
}

// dial reaches a device with the logins that the settings have for it.
func (w *workspace) dial(ctx context.Context, d devices.Device, with *drivers.Driver) (drivers.Conn, devices.Login, error) {
	logins, err := w.secrets.logins(ctx, d)
	if err != nil {
		return nil, devices.Login{}, err
	}
	leave := func() {}
	if !aPersonWaits(ctx) {
		w.turns.stepBack(ctx) // a login is a good part of what a small device costs
		select {
		case w.sessions <- struct{}{}:
		case <-ctx.Done():
			return nil, devices.Login{}, ctx.Err()
		}
		leave = func() { <-w.sessions }
	}
	c, err := w.connect(ctx, d, with, logins, leave)
	if err != nil {
		leave()
		return nil, devices.Login{}, err
	}
	took := c.Reached().Login
	for _, l := range logins {
		if l.Name == took {
			return c, l, nil
		}
	}
	return c, logins[0], nil
}

// A session counts among those that may be open until it is closed.
type session struct {
	*ssh.Client
	done func()
}

func (s *session) Close() error {
	defer s.done()
	return s.Client.Close()
}

// connect logs in; leave is called when the session is closed.
func (w *workspace) connect(ctx context.Context, d devices.Device, with *drivers.Driver, logins []devices.Login, leave func()) (drivers.Conn, error) {
	leave = sync.OnceFunc(leave)
	if byTelnet(d, with) {
		return w.connectTelnet(ctx, d, logins, leave)
	}
	c, err := w.dialer.Dial(ctx, d, ssh.Options{Port: with.Port, Auth: with.Auth, NoKeepalive: !with.Keepalive, Logins: logins})
	if err != nil {
		return nil, err
	}
	return &session{c, leave}, nil
}

// openStore sets up the repositories and the customers' remotes.
func (w *workspace) openStore(ctx context.Context) error {
	w.store = &git.Store{Dir: w.settings.Data, Now: w.now, Remotes: map[string]git.Remote{}}
	for customer, r := range w.settings.Remotes {
		key, err := w.secrets.get(ctx, r.Key, "key")
		if err != nil {
			return &devices.Error{Kind: devices.Usage, Op: "read the key of remote " + customer, Err: err}
		}
		password, err := w.secrets.get(ctx, r.Password, "password")
		if err != nil {
			return &devices.Error{Kind: devices.Usage, Op: "read the password of remote " + customer, Err: err}
		}
		remote := git.Remote{URL: r.URL, Key: key, User: r.User, Password: password, Elsewhere: r.Elsewhere}
		if !strings.Contains(remote.URL, ":") {
			remote.URL = w.settings.path(remote.URL)
		}
		if r.KnownHosts != "" {
			remote.KnownHosts = w.settings.path(r.KnownHosts)
		}
		w.store.Remotes[customer] = remote
	}
	return nil
}

func (w *workspace) jumpHosts(ctx context.Context) (map[string]ssh.Hop, error) {
	hosts := map[string]ssh.Hop{}
	for name, j := range w.settings.JumpHosts {
		hop := ssh.Hop{Address: j.Address, HostKeys: j.HostKeys, Legacy: j.Legacy}
		if j.Login != "" {
			list, ok := w.settings.Logins[j.Login]
			if !ok {
				return nil, &devices.Error{Kind: devices.Usage, Op: "set up jump host " + name, Err: fmt.Errorf("there is no login %q", j.Login)}
			}
			var err error
			if hop.Login, err = w.secrets.named(ctx, j.Login, list); err != nil {
				return nil, err
			}
		}
		hosts[name] = hop
	}
	return hosts, nil
}

// master is where the master identity is to be had: what the settings say, or a
// file in the user's configuration folder. A file is made at first use.
func (s *settings) master() vault.Master {
	if m := s.Master; m != nil {
		return vault.Master{File: s.maybe(m.File), Create: m.File != "", Value: devices.NewSecret(os.Getenv(m.Env)), Command: m.Command, Environ: s.environ()}
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		dir = filepath.Dir(s.Data) // a user without a home folder
	}
	return vault.Master{File: filepath.Join(dir, "belay", "master.age"), Create: true}
}

func (s *settings) maybe(p string) string {
	if p == "" {
		return ""
	}
	return s.path(p)
}
