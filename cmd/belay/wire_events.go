package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"belay/configs"
	"belay/configs/watch"
	"belay/devices"
	"belay/devices/events"
	"belay/devices/snmp"
)

// A hearing hears of changes between the nights, as events: in the settings says.
type hearing struct {
	watch     *watch.Watch
	listeners *events.Listeners
}

// openEvents takes the ports that the settings name; it is nil where they say
// nothing of events. trigger submits a capture and does not wait for it; failed
// is told what could not be remembered. Opening it again, as after a change of
// the settings, needs the ports: the one before must have ended.
func (w *workspace) openEvents(ctx context.Context, trigger func(watch.Trigger), alarms configs.Alarms, failed func(error)) (*hearing, error) {
	set := w.settings.Events
	if set == nil {
		return nil, nil
	}
	h := &hearing{}
	h.watch = watch.New(watch.Settings{
		Devices: w.inventory.Devices, Signals: w.signals(), Trigger: trigger, Failed: failed, Marks: w.ledger, Alarms: alarms, Now: w.now,
		Resolve: func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		},
		Poll: time.Duration(set.Poll), HoldOff: time.Duration(set.HoldOff), Flood: set.Flood, Ask: w.askChanged,
	})
	ears := events.Ears{Known: h.watch.Known, Admit: h.watch.Admit, Now: w.now}
	if s := set.Syslog; s != nil {
		ears.UDP, ears.TCP = s.UDP, s.TCP
		if s.TLS != nil {
			var err error
			if ears.Secure, err = w.secureSyslog(ctx, s.TLS); err != nil {
				return nil, &devices.Error{Kind: devices.Usage, Op: "read events.syslog.tls", Err: err}
			}
			ears.TLS = s.TLS.Listen
		}
	}
	if t := set.Traps; t != nil {
		var err error
		if ears.Receiver, err = w.trapReceiver(ctx, t); err != nil {
			return nil, fmt.Errorf("events.traps: %w", err)
		}
		ears.Traps = t.Listen
	}
	var err error
	if h.listeners, err = events.Open(ctx, ears); err != nil {
		return nil, err
	}
	return h, nil
}

// Run hears until ctx ends, and has given the ports back when it returns. It is
// called once. An error ends the hearing, and never the service: the nights remain.
func (h *hearing) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	messages := make(chan watch.Message)
	var heard, decided error
	var all sync.WaitGroup
	all.Go(func() { heard = h.listeners.Run(ctx); cancel() })
	all.Go(func() { decided = h.watch.Run(ctx, messages); cancel() })
	for e := range h.listeners.Events() { // closed when nothing listens any more
		select {
		case messages <- watch.Message{From: e.From, Host: e.Host, Text: e.Text, Trap: e.Trap}:
		case <-ctx.Done():
		}
	}
	all.Wait()
	return errors.Join(heard, decided)
}

// counts are the messages since the opening by what became of them.
func (h *hearing) counts() map[string]float64 {
	l, w := h.listeners.Counts(), h.watch.Counts()
	return map[string]float64{
		"announced a change": float64(w.Announced), "looked at": float64(w.Heard), "of an unknown address": float64(w.Unknown),
		"of an ambiguous address": float64(w.Ambiguous), "dropped in a flood": float64(w.Dropped), "lost in a full queue": float64(l.Overflow),
		"without proof": float64(l.Foreign), "connections closed": float64(l.Closed), "captures triggered": float64(w.Triggered),
	}
}

// signals are how each device tells of changes, by what its driver knows.
func (w *workspace) signals() func(devices.Device) *watch.Signals {
	type key struct {
		driver string
		asked  bool
	}
	var mu sync.Mutex
	known := map[key]*watch.Signals{}
	return func(d devices.Device) *watch.Signals {
		_, _, asked := forDevice(w.settings.SNMP, d)
		mu.Lock()
		defer mu.Unlock()
		k := key{d.Driver, asked}
		s, ok := known[k]
		if ok {
			return s
		}
		if driver, err := w.catalog.Find(d.Driver); err == nil { // a device without a driver is nobody's here
			c := &driver.Changed
			s = &watch.Signals{Traps: c.Traps, Says: c.Says}
			if asked {
				s.Poll, s.Saved = c.Poll, c.Saved
			}
		}
		known[k] = s
		return s
	}
}

// askChanged asks a device by SNMP when it last changed.
func (w *workspace) askChanged(ctx context.Context, d devices.Device, oids ...string) (watch.Reading, error) {
	probe, port, err := w.agent(ctx, d)
	if err != nil {
		return watch.Reading{}, err
	}
	r, err := probe.Ask(ctx, d.Address, port, oids...)
	if err != nil {
		return watch.Reading{}, err
	}
	values := map[string]watch.Value{}
	for oid, v := range r.Values {
		values[oid] = watch.Value(v)
	}
	return watch.Reading{UpTime: r.UpTime, Values: values}, nil
}

// secureSyslog is TLS as RFC 5425 wants it, where clients is set of both sides.
func (w *workspace) secureSyslog(ctx context.Context, s *syslogTLS) (*tls.Config, error) {
	certificate, err := os.ReadFile(w.settings.path(s.Certificate))
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	key, err := w.secrets.get(ctx, s.Key, "key")
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	pair, err := tls.X509KeyPair(certificate, []byte(key.Reveal()))
	if err != nil {
		return nil, errors.New("certificate and key do not belong together, or are no PEM")
	}
	c := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if s.Clients != "" {
		text, err := os.ReadFile(w.settings.path(s.Clients))
		if err != nil {
			return nil, fmt.Errorf("clients: %w", err)
		}
		c.ClientCAs, c.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		if !c.ClientCAs.AppendCertsFromPEM(text) {
			return nil, errors.New("clients: no certificate is in it")
		}
	}
	return c, nil
}

func (w *workspace) trapReceiver(ctx context.Context, t *trapsSetting) (*snmp.Receiver, error) {
	var communities []devices.Secret
	for i := range t.Communities {
		c, err := w.secrets.get(ctx, &t.Communities[i], "password")
		if err != nil {
			return nil, &devices.Error{Kind: devices.Usage, Op: fmt.Sprintf("read communities[%d]", i), Err: err}
		}
		communities = append(communities, c)
	}
	var users []snmp.Credentials
	for _, u := range t.Users {
		u.Version = "3"
		c, err := w.snmpCredentials(ctx, u)
		if err != nil {
			return nil, err
		}
		users = append(users, c)
	}
	engine, err := w.engineID(ctx)
	if err != nil {
		return nil, err
	}
	return snmp.NewReceiver(communities, users, engine)
}

// snmpCredentials are those of an SNMP setting.
func (w *workspace) snmpCredentials(ctx context.Context, set snmpSetting) (snmp.Credentials, error) {
	c := snmp.Credentials{Version: strings.TrimPrefix(fmt.Sprint(set.Version), "v"), User: set.User, AuthProtocol: set.Auth.Protocol, PrivacyProtocol: set.Privacy.Protocol, Context: set.Context}
	for _, f := range []struct {
		to   *devices.Secret
		from *secretSource
	}{{&c.Community, set.Community}, {&c.AuthPassword, set.Auth.Password}, {&c.PrivacyPassword, set.Privacy.Password}} {
		var err error
		if *f.to, err = w.secrets.get(ctx, f.from, "password"); err != nil {
			return snmp.Credentials{}, &devices.Error{Kind: devices.Usage, Op: "read the SNMP secrets", Err: err}
		}
	}
	return c, nil
}

// engineID is our SNMP engine id: drawn once, for devices keep keys for it. Its
// form is that of RFC 3411's SnmpEngineID: the first bit, an enterprise (none),
// 5 for bytes of its owner's choice.
func (w *workspace) engineID(ctx context.Context) ([]byte, error) {
	const kind, name = "events", "engine"
	for range 2 {
		id, drawn, err := configs.ReadMark[[]byte](ctx, w.ledger, kind, name)
		if err != nil || drawn {
			return id, err
		}
		id = append([]byte{0x80, 0, 0, 0, 5}, make([]byte, 12)...)
		if _, err := rand.Read(id[5:]); err != nil {
			return nil, err
		}
		text, err := json.Marshal(id)
		if err != nil {
			return nil, err
		}
		if _, err := w.ledger.SwapMark(ctx, kind, name, nil, text); err != nil { // or another process was first
			return nil, err
		}
	}
	return nil, errors.New("the SNMP engine id cannot be kept")
}
