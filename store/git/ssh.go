package git

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"belay/devices"
)

// dial logs in over ssh. The connection has the context's deadline from its
// first byte, and ends when the context does.
func (c *carrier) dial(ctx context.Context) error {
	signer, err := c.signer()
	if err != nil {
		return err
	}
	if c.remote.KnownHosts == "" {
		return usage(errors.New("no known_hosts file is set for the remote"), "set known_hosts: the remote's host key must be known before anything is sent")
	}
	known, err := knownhosts.New(c.remote.KnownHosts)
	if err != nil {
		return usage(fmt.Errorf("known hosts: %w", err), "make the file with the remote's host key in it: ssh-keyscan shows the key, compare its fingerprint")
	}
	host := strings.Trim(c.endpoint.Host, "[]")
	port := c.endpoint.Port
	if port == 0 {
		port = 22
	}
	address := net.JoinHostPort(host, strconv.Itoa(port))
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	c.hangUp = context.AfterFunc(ctx, func() { _ = conn.Close() }) // the error that counts is the context's
	user := c.endpoint.User
	if user == "" {
		user = "git"
	}
	config := &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: known, HostKeyAlgorithms: algorithms(known, address, conn.RemoteAddr()),
	}
	sshConn, channels, requests, err := ssh.NewClientConn(conn, address, config)
	if err != nil {
		c.hangUp()
		return errors.Join(c.explain(err), quietClose(conn))
	}
	c.ssh = ssh.NewClient(sshConn, channels, requests)
	return nil
}

// quietClose closes what may be closed already.
func quietClose(conn net.Conn) error {
	if err := conn.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func (c *carrier) signer() (ssh.Signer, error) {
	key := []byte(c.remote.Key.Reveal())
	if len(key) == 0 && c.remote.KeyFile != "" {
		var err error
		if key, err = os.ReadFile(c.remote.KeyFile); err != nil {
			return nil, usage(fmt.Errorf("key of the remote: %w", err), "set key to a private key that may write there")
		}
	}
	if len(key) == 0 {
		return nil, usage(errors.New("no key is set for the remote"), "set key to a private key that may write there")
	}
	var signer ssh.Signer
	var err error
	if c.remote.Passphrase.IsZero() {
		signer, err = ssh.ParsePrivateKey(key)
	} else {
		signer, err = ssh.ParsePrivateKeyWithPassphrase(key, []byte(c.remote.Passphrase.Reveal()))
	}
	if err != nil {
		return nil, usage(fmt.Errorf("key of the remote: %w", err), "set key to a private key in PEM or OpenSSH form, and its passphrase if it has one")
	}
	return signer, nil
}

// algorithms are those of the keys that are known for the host: asked for
// another kind, it would show a key that is not in the file. Nil: no preference.
func algorithms(known ssh.HostKeyCallback, address string, remote net.Addr) []string {
	nobody, err := ssh.NewPublicKey(ed25519.PublicKey(make([]byte, ed25519.PublicKeySize)))
	if err != nil {
		return nil
	}
	e, ok := errors.AsType[*knownhosts.KeyError](known(address, remote, nobody))
	if !ok {
		return nil
	}
	var names []string
	for _, k := range e.Want {
		if kind := k.Key.Type(); kind == ssh.KeyAlgoRSA {
			names = append(names, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		} else {
			names = append(names, kind)
		}
	}
	return names
}

func (c *carrier) explain(err error) error {
	e := &devices.Error{Op: "open remote", Err: err}
	switch key, ok := errors.AsType[*knownhosts.KeyError](err); {
	case ok && len(key.Want) > 0:
		e.Kind, e.Hint = devices.NotAllowed, "the remote shows another host key than "+key.Want[0].String()+": find out why before you replace that line; nothing was sent"
	case ok:
		e.Kind, e.Hint = devices.NotAllowed, "add the remote's host key to "+c.remote.KnownHosts+": ssh-keyscan shows it, compare its fingerprint"
	case strings.Contains(err.Error(), "unable to authenticate"):
		e.Kind, e.Hint = devices.Denied, "let Belay's public key log in there"
	}
	return e
}
