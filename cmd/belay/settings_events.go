package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// An eventsSetting says how Belay hears of changes between the nights.
type eventsSetting struct {
	Syslog  *syslogSetting `yaml:"syslog"`
	Traps   *trapsSetting  `yaml:"traps"`
	Poll    duration       `yaml:"poll"`     // between two questions by SNMP, where snmp: has a way to ask; default 5m
	HoldOff duration       `yaml:"hold_off"` // a device is captured when it was quiet for so long; default 2m
	Flood   int            `yaml:"flood"`    // messages a minute from one device that are too many; default 100
}

type syslogSetting struct {
	UDP string     `yaml:"udp"` // host:port; an empty host is every address of this machine
	TCP string     `yaml:"tcp"`
	TLS *syslogTLS `yaml:"tls"`
}

type syslogTLS struct {
	Listen      string        `yaml:"listen"`
	Certificate string        `yaml:"certificate"` // file, PEM; others of its chain behind it
	Key         *secretSource `yaml:"key"`
	Clients     string        `yaml:"clients"` // file, PEM: who signs the devices' certificates; empty: they need none
}

type trapsSetting struct {
	Listen      string         `yaml:"listen"`
	Communities []secretSource `yaml:"communities"`
	Users       []snmpSetting  `yaml:"users"` // of SNMPv3
}

func (s *eventsSetting) check() error {
	if s.Flood < 0 {
		return fmt.Errorf("flood: %d is no number of messages a minute", s.Flood)
	}
	if s.Syslog != nil {
		if err := s.Syslog.check(); err != nil {
			return fmt.Errorf("syslog: %w", err)
		}
	}
	if s.Traps != nil {
		if err := s.Traps.check(); err != nil {
			return fmt.Errorf("traps: %w", err)
		}
	}
	return nil
}

func (s *syslogSetting) check() error {
	if s.UDP == "" && s.TCP == "" && s.TLS == nil {
		return errors.New("say where to listen: udp, tcp, tls")
	}
	for _, l := range []struct{ word, at string }{{"udp", s.UDP}, {"tcp", s.TCP}} {
		if l.at == "" {
			continue
		}
		if err := checkListen(l.at); err != nil {
			return fmt.Errorf("%s: %w", l.word, err)
		}
	}
	if s.TLS == nil {
		return nil
	}
	if err := checkListen(s.TLS.Listen); err != nil {
		return fmt.Errorf("tls.listen: %w", err)
	}
	if s.TLS.Certificate == "" || s.TLS.Key == nil {
		return errors.New("tls: certificate or key is missing")
	}
	return nil
}

func (s *trapsSetting) check() error {
	if err := checkListen(s.Listen); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if len(s.Communities)+len(s.Users) == 0 {
		return errors.New("whose traps are believed: say communities, users or both")
	}
	names := map[string]bool{}
	for i, u := range s.Users {
		version := strings.TrimPrefix(strings.ToLower(fmt.Sprint(u.Version)), "v")
		switch {
		case u.Version != nil && version != "3":
			return fmt.Errorf("users[%d]: users are of version 3; communities are for 2c", i)
		case u.User == "":
			return fmt.Errorf("users[%d]: user is missing", i)
		case u.Community != nil:
			return fmt.Errorf("users[%d]: a user has no community", i)
		case names[u.User]:
			return fmt.Errorf("users[%d]: %q is there twice", i, u.User)
		}
		names[u.User] = true
	}
	return nil
}

// checkListen tells why a text is nowhere to listen.
func checkListen(at string) error {
	_, port, err := net.SplitHostPort(at)
	if n, wrong := strconv.Atoi(port); err != nil || wrong != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%q: want HOST:PORT or :PORT, as :514", at)
	}
	return nil
}
