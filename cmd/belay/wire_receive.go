package main

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"sync"

	gossh "golang.org/x/crypto/ssh"

	"belay/devices"
	"belay/devices/receive"
	"belay/drivers"
)

// receiver is what takes files from devices: one for the whole program, so that
// captures at the same time share its ports.
func (w *workspace) receiver(ctx context.Context) (*receive.Receiver, error) {
	w.opening.Lock()
	defer w.opening.Unlock()
	if w.incoming != nil {
		return w.incoming, nil
	}
	set := cmp.Or(w.settings.Receive, &receiveSetting{})
	r := &receive.Receiver{TFTP: cmp.Or(set.TFTP, ":69"), SFTP: set.SFTP}
	key, err := w.secrets.get(ctx, set.HostKey, "key")
	if err != nil {
		return nil, &devices.Error{Kind: devices.Usage, Op: "read the receiver's host key", Err: err}
	}
	if !key.IsZero() {
		if r.HostKey, err = gossh.ParsePrivateKey([]byte(key.Reveal())); err != nil {
			return nil, &devices.Error{Kind: devices.Usage, Op: "read the receiver's host key", Err: errors.New("it is no private key"), Hint: "make one: ssh-keygen -t ed25519 -N '' -f receiver"}
		}
	}
	w.incoming = r
	return r, nil
}

// sender tells how a device is asked to send its configuration.
func (w *workspace) sender(ctx context.Context, d devices.Device, _ *drivers.Driver) (drivers.Agent, error) {
	var a drivers.Agent
	probe, port, err := w.agent(ctx, d)
	if err != nil {
		return a, err
	}
	_, set, _ := forDevice(w.settings.SNMP, d)
	if set.Write == nil {
		return a, &devices.Error{Kind: devices.Usage, Op: "ask for a transfer", Device: d.String(), Err: errors.New("the settings have no community or user that may write"),
			Hint: "add write: {version: 2c, community: {env: …}} to its snmp: entry in " + w.settings.file + "; belay drivers show prints what the device needs"}
	}
	a.Read, a.Port = probe, port
	if a.Write, err = w.snmpCredentials(ctx, *set.Write); err != nil {
		return a, err
	}
	if a.Receiver, err = w.receiver(ctx); err != nil {
		return a, err
	}
	if r := w.settings.Receive; r != nil && r.Address != "" {
		a.To, _ = netip.ParseAddr(r.Address) // checked when the settings were read
	}
	leave, err := w.seat(ctx)
	if err != nil {
		return a, err
	}
	a.Leave = sync.OnceFunc(leave)
	return a, nil
}
