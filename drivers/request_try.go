package drivers

import (
	"cmp"
	"context"
	"time"

	"belay/devices"
)

// SignIn reaches a device whose driver asks an API, is let in and leaves again.
// Where every request says who we are, the driver's first one is sent.
func (p *Puller) SignIn(ctx context.Context, dev devices.Device) error {
	d, err := p.Catalog.Find(dev.Driver)
	if err != nil {
		return err
	}
	asker, login, err := p.DialHTTPS(ctx, dev, d)
	if err != nil {
		return err
	}
	defer asker.Close()
	talk := &conversation{d: d, asker: asker, login: login, dev: dev, idle: cmp.Or(p.Idle, 30*time.Second)}
	defer talk.close(ctx)
	if err = talk.open(ctx); err == nil && d.api.signIn == nil {
		_, err = talk.ask(ctx, d.steps[0].run[0], d.steps[0].http, false)
	}
	if err == nil {
		return nil
	}
	return &devices.Error{Kind: devices.KindOf(err), Op: "log in to", Device: dev.String(), Err: err}
}
