package main

import (
	"errors"
	"fmt"
	"net/netip"
)

// A receiveSetting says where files are waited for that devices are asked by SNMP
// to send (also: [transfer]). Nothing listens there but while one is expected.
type receiveSetting struct {
	TFTP    string        `yaml:"tftp"`     // host:port; default :69, where most devices send to
	SFTP    string        `yaml:"sftp"`     // host:port; empty: files do not come this way
	Address string        `yaml:"address"`  // what devices send to; default: the address that this machine reaches them from
	HostKey *secretSource `yaml:"host_key"` // of SFTP, in OpenSSH's form; default: another one at each start
}

func (s *receiveSetting) check() error {
	for _, l := range []struct{ word, at string }{{"tftp", s.TFTP}, {"sftp", s.SFTP}} {
		if l.at == "" {
			continue
		}
		if err := checkListen(l.at); err != nil {
			return fmt.Errorf("%s: %w", l.word, err)
		}
	}
	if s.Address != "" {
		if _, err := netip.ParseAddr(s.Address); err != nil {
			return fmt.Errorf("address: %q is no IP address", s.Address)
		}
	}
	return nil
}

// checkReceive checks what devices that send their configuration need.
func (s *settings) checkReceive() error {
	for name, set := range s.SNMP {
		if set.Write != nil && set.Write.Write != nil {
			return fmt.Errorf("snmp.%s.write: holds another write", name)
		}
	}
	if s.Events != nil && s.Events.Traps != nil {
		for i, u := range s.Events.Traps.Users {
			if u.Write != nil {
				return fmt.Errorf("events: traps: users[%d]: traps write nothing", i)
			}
		}
	}
	if s.Receive == nil {
		return nil
	}
	if err := s.Receive.check(); err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	if s.Receive.HostKey != nil && s.Receive.SFTP == "" {
		return errors.New("receive: host_key is for sftp, which is not set")
	}
	return nil
}
