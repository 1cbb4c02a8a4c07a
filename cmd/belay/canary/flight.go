package canary

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net"
	"strconv"

	gossh "golang.org/x/crypto/ssh"

	"belay/configs"
	"belay/configs/memory"
	"belay/configs/redact"
	"belay/devices"
	"belay/devices/simulator"
	"belay/devices/ssh"
	"belay/drivers"
)

// capture puts a canary behind SSH and takes its configuration as a device's is
// taken. text is what was kept of it while it was ill, if anything.
func (a *aviary) capture(ctx context.Context, c bird) (r configs.Result, text string, err error) {
	login := simulator.Login{User: "canary", Password: rand.Text(), Enable: rand.Text()}
	box := &simulator.Device{T: c.script, Login: &login}
	address, key, stop, err := serve(box, c.driver)
	if err != nil {
		return r, "", err
	}
	defer stop() //nolint:errcheck // it was only read from
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return r, "", err
	}
	d := devices.Device{
		Customer: "canary", Name: c.driver.Name, Driver: c.driver.Name, Address: host, Serials: c.script.Facts.Serials,
		HostKeys: []string{key},
	}
	if d.Port, err = strconv.Atoi(port); err != nil {
		return r, "", err
	}
	kept := &memory.Repository{}
	b := &configs.Backup{
		Puller: a.puller(login), Repository: kept, Sealer: newSeal(),
		CheckLog: &memory.CheckLog{}, Quarantine: &memory.Quarantine{}, Now: a.now,
	}
	order := configs.Order{By: configs.Person{Name: "canary"}}
	before := ""
	if c.ill.later {
		if r = b.Capture(ctx, d, order); r.Err != nil {
			return r, "", &unwell{r}
		}
		before = r.Version
	}
	box.Order(c.ill.fault(c.script))
	r = b.Capture(ctx, d, order)
	v, ok, err := kept.Newest(context.WithoutCancel(ctx), d.ID())
	if err != nil || !ok || v.Commit == before {
		return r, "", err
	}
	texts, err := kept.Texts(context.WithoutCancel(ctx), v)
	if err != nil {
		return r, "", err
	}
	for _, t := range texts {
		if t.Name == configs.MainFile {
			text = t.Clean.String()
		}
	}
	if text == "" {
		text = "(a version without a text)"
	}
	return r, text, nil
}

// An unwell canary did not come to be kept before it fell ill.
type unwell struct{ result configs.Result }

func (u *unwell) Error() string {
	return fmt.Sprintf("while it was well it came to %s: %s", u.result.Result, u.result.Error)
}

// puller is the one that reads real devices.
func (a *aviary) puller(login simulator.Login) configs.Puller {
	dialer := &ssh.Dialer{HostKeys: noPins{}, Now: a.now}
	with := devices.Login{Name: "canary", User: login.User, Password: devices.NewSecret(login.Password), Enable: devices.NewSecret(login.Enable)}
	var p configs.Puller = &drivers.Puller{
		Catalog: a.catalog, Now: a.now, Idle: a.within / 2,
		Dial: func(ctx context.Context, d devices.Device, driver *drivers.Driver) (drivers.Conn, devices.Login, error) {
			c, err := dialer.Dial(ctx, d, ssh.Options{Port: driver.Port, Auth: driver.Auth, NoKeepalive: true, Logins: []devices.Login{with}})
			if err != nil {
				return nil, devices.Login{}, err
			}
			return c, with, nil
		},
		DialHTTPS: asking(with),
	}
	if a.spoil != nil {
		p = a.spoil(p)
	}
	return p
}

// noPins knows no host key: a canary's stands in its device, and no other is taken.
type noPins struct{}

var _ ssh.HostKeys = noPins{}

func (noPins) Known(context.Context, ssh.Host) ([]gossh.PublicKey, error) { return nil, nil }

func (noPins) Check(_ context.Context, h ssh.Host, key gossh.PublicKey) (bool, error) {
	return false, h.Compare(nil, key)
}

// A seal is a sealer for one capture: its fingerprint key is drawn anew, and what
// it seals is forgotten with it. It does not encrypt: nothing of it is written.
type seal struct {
	memory.Sealer
	key redact.Key
}

func newSeal() *seal {
	return &seal{key: sha256.Sum256([]byte(rand.Text()))}
}

func (s *seal) FingerprintKey(context.Context, string) (redact.Key, error) { return s.key, nil }
