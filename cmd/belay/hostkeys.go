package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"belay/configs"
	"belay/configs/alarm"
	"belay/devices/http"
	"belay/devices/ssh"
	"belay/store/ledger"
)

// pins is the ledger's host keys as the dialer asks for them.
type pins struct {
	ledger   *ledger.Ledger
	by       configs.Person
	now      func() time.Time
	alarms   *alarm.Bell // hears of a device that shows another key; nil: nobody does
	firstUse bool        // a host without a pinned key is trusted at its first word, which the ledger records
}

var _ ssh.HostKeys = (*pins)(nil)

// name is what a host's keys are kept under.
func name(h ssh.Host) string {
	if h.Device != "" {
		return string(h.Device)
	}
	return h.Address
}

// Known lists the keys pinned for a host.
func (p *pins) Known(ctx context.Context, h ssh.Host) ([]gossh.PublicKey, error) {
	rows, err := p.ledger.Pins(ctx, name(h))
	if err != nil {
		return nil, err
	}
	var keys []gossh.PublicKey
	for _, r := range rows {
		if strings.HasPrefix(r.Type, http.KeyType) {
			continue // the device was read by its API before
		}
		k, err := gossh.ParsePublicKey(r.Key)
		if err != nil {
			return nil, fmt.Errorf("pinned key %s of %s: %w", r.Fingerprint, name(h), err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// Check compares the key a host shows with those expected, and pins the first
// one where that is allowed.
func (p *pins) Check(ctx context.Context, h ssh.Host, key gossh.PublicKey) (bool, error) {
	known, err := p.Known(ctx, h)
	if err != nil {
		return false, err
	}
	err = h.Compare(known, key)
	var wrong *ssh.WrongKey
	if bad := p.hear(ctx, h, err); bad != nil {
		return false, errors.Join(err, bad)
	}
	if err == nil || !p.firstUse || !errors.As(err, &wrong) || len(wrong.Want) > 0 {
		return false, err
	}
	return true, p.ledger.AddPin(ctx, ledger.Pin{
		Host: name(h), Fingerprint: gossh.FingerprintSHA256(key), Type: key.Type(), Key: key.Marshal(),
		By: p.by, At: p.now(), Reason: "first use", FirstUse: true,
	})
}

// hear raises an alarm where a device shows another key than the one that is
// trusted, and clears it when it shows that one again.
func (p *pins) hear(ctx context.Context, h ssh.Host, err error) error {
	if p.alarms == nil || h.Device == "" {
		return nil
	}
	var wrong *ssh.WrongKey
	switch {
	case err == nil:
		// Where that fails the alarm goes on standing, which does no harm; to
		// refuse a device that shows the right key would.
		_ = p.alarms.ClearAll(ctx, configs.AlarmHostKey, h.Device)
	case errors.As(err, &wrong) && len(wrong.Want) > 0:
		return p.alarms.Raise(ctx, configs.Alarm{Cause: configs.AlarmHostKey, Customer: h.Device.Customer(), Device: h.Device, Key: wrong.Shown, At: p.now(),
			What: wrong.Error(), Hint: "compare the fingerprint on the device itself; if it is right: belay devices trust " + string(h.Device)})
	}
	return nil
}
