package main

import (
	"context"
	"errors"
	"net"
	"sync"

	"belay/cmd/belay/web"
	"belay/devices"
)

// A page is the address that Prometheus asks at, while it is open.
type page struct {
	at   string
	stop func() // nil: none is open
}

// show opens the address of the settings for Prometheus, and closes the one before
// where that was another. What cannot be opened leaves the one before.
func (s *server) show(ctx context.Context, w *workspace) error {
	at := w.settings.Listen
	if at == s.page.at {
		return nil
	}
	if at == "" {
		s.hide()
		return nil
	}
	stop, err := s.showAt(ctx, at)
	if err != nil && s.page.stop != nil && portOf(at) == portOf(s.page.at) { // it may be our own that holds it, for fewer or more to ask
		before := s.page.at
		s.hide()
		if stop, err = s.showAt(ctx, at); err != nil {
			back, backErr := s.showAt(ctx, before)
			if backErr == nil {
				s.page = page{before, back}
			}
			err = errors.Join(err, backErr)
		}
	}
	if err != nil {
		return &devices.Error{Kind: devices.Usage, Op: "listen for Prometheus", Err: err, Hint: "listen: in the settings names another address, or \"\" for none"}
	}
	s.hide()
	s.page = page{at, stop}
	return nil
}

func portOf(at string) string {
	_, port, _ := net.SplitHostPort(at)
	return port
}

// hide closes the address, if one is open.
func (s *server) hide() {
	if s.page.stop != nil {
		s.page.stop()
	}
	s.page = page{}
}

func (s *server) showAt(ctx context.Context, at string) (stop func(), err error) {
	l, err := devices.Listen(ctx, func() (net.Listener, error) { return net.Listen("tcp", at) })
	if err != nil {
		return nil, err
	}
	site := &web.Site{Health: s.health(), Ready: s.ready(), Metrics: s.metrics, Log: func(err error) { s.log.Warn("metrics", "error", tame(err.Error())) }}
	open, cancel := context.WithCancel(ctx)
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := site.Serve(open, l); err != nil {
			s.log.Error("metrics", "error", err.Error())
		}
	})
	return func() { cancel(); ended.Wait() }, nil
}
