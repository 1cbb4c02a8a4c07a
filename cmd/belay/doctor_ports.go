package main

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
)

// A port is where the service is to listen by the settings.
type port struct{ word, network, at string }

// ports are those of Prometheus, of syslog and of traps.
func (s *settings) ports() (all []port) {
	if s.Listen != "" {
		all = append(all, port{"listen", "tcp", s.Listen})
	}
	if s.Events == nil {
		return all
	}
	if l := s.Events.Syslog; l != nil {
		if l.UDP != "" {
			all = append(all, port{"events.syslog.udp", "udp", l.UDP})
		}
		if l.TCP != "" {
			all = append(all, port{"events.syslog.tcp", "tcp", l.TCP})
		}
		if l.TLS != nil {
			all = append(all, port{"events.syslog.tls", "tcp", l.TLS.Listen})
		}
	}
	if t := s.Events.Traps; t != nil {
		all = append(all, port{"events.traps", "udp", t.Listen})
	}
	return all
}

// checkPorts opens each for a moment, unless the service has it.
func checkPorts(ctx context.Context, x *patient) (found []finding) {
	all := x.settings.ports()
	if len(all) == 0 {
		return []finding{fine("the settings name none to listen at")}
	}
	_, _, served := running(x.settings.Data)
	for _, p := range all {
		if served {
			found = append(found, fine("%s: %s is the service's", p.word, p.at))
			continue
		}
		switch err := p.try(ctx); {
		case errors.Is(err, syscall.EACCES): // one below 1024, which the unit of systemd lets it open
			found = append(found, strange("run belay doctor as the service runs", "%s: %v", p.word, err))
		case err != nil:
			found = append(found, broken("name another address, or end what holds it", "%s: %v", p.word, err))
		default:
			found = append(found, fine("%s: %s is free", p.word, p.at))
		}
	}
	return found
}

func (p port) try(ctx context.Context) error {
	var c net.ListenConfig
	var l io.Closer
	var err error
	if p.network == "udp" {
		l, err = c.ListenPacket(ctx, "udp", p.at)
	} else {
		l, err = c.Listen(ctx, "tcp", p.at)
	}
	if err != nil {
		return err
	}
	return l.Close()
}
