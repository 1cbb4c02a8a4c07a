package canary

import (
	"context"
	"crypto/sha256"
	"encoding/base64"

	gossh "golang.org/x/crypto/ssh"

	"belay/devices"
	"belay/devices/http"
	"belay/devices/simulator"
	"belay/drivers"
)

// serve puts a box behind SSH or, where its driver asks an API, behind HTTPS; key
// is the fingerprint of the key that it shows.
func serve(box *simulator.Device, driver *drivers.Driver) (address, key string, stop func() error, err error) {
	if _, _, api := driver.HTTPS(); api {
		s := &simulator.WebServer{Device: box}
		if err := s.Start("127.0.0.1:0"); err != nil {
			return "", "", nil, err
		}
		sum := sha256.Sum256(s.Certificate.Leaf.RawSubjectPublicKeyInfo)
		return s.Address(), "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:]), s.Close, nil
	}
	s := &simulator.Server{Device: box}
	if err := s.Start("127.0.0.1:0"); err != nil {
		return "", "", nil, err
	}
	return s.Address(), gossh.FingerprintSHA256(s.HostKey.PublicKey()), s.Close, nil
}

// asking reaches a canary's API. Its key stands in its device, also where a real
// one's certificate is verified.
func asking(with devices.Login) func(context.Context, devices.Device, *drivers.Driver) (drivers.Asker, devices.Login, error) {
	dialer := &http.Dialer{Keys: noTLSPins{}}
	return func(ctx context.Context, d devices.Device, _ *drivers.Driver) (drivers.Asker, devices.Login, error) {
		s, err := dialer.Dial(ctx, d, http.Options{})
		if err != nil {
			return nil, devices.Login{}, err
		}
		return s, with, nil
	}
}

type noTLSPins struct{}

func (noTLSPins) Check(_ context.Context, h http.Host, key http.Key) (bool, error) {
	return false, h.Compare(nil, key)
}
