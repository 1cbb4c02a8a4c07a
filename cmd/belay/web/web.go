// Package web is what the service answers over HTTP: whether it lives, whether
// it can work, and its figures for Prometheus. It shows no configuration and no
// name of a person, needs no sign-in, and is meant for the loopback interface
// or a network of the MSP's own.
package web

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// A Check is one condition of health or readiness; nil is well. Its error is
// shown to whoever asks, and so holds no secret.
type Check struct {
	Name string
	Ask  func(ctx context.Context) error
}

// A Site answers /healthz, /readyz and /metrics.
type Site struct {
	Health  []Check // a failing one wants a restart
	Ready   []Check // a failing one wants a person
	Metrics prometheus.Gatherer
	Log     func(error) // what a scrape could not gather; may be nil
}

// patience is how long one condition is waited for.
const patience = 5 * time.Second

// Handler answers requests.
func (s *Site) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", answer(s.Health))
	mux.HandleFunc("GET /readyz", answer(s.Ready))
	options := promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, Timeout: 30 * time.Second, MaxRequestsInFlight: 2}
	if s.Log != nil {
		options.ErrorLog = logger(s.Log)
	}
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.Metrics, options))
	return mux
}

type logger func(error)

// Println is what promhttp wants of a log.
func (l logger) Println(v ...any) {
	for _, e := range v {
		if err, ok := e.(error); ok {
			l(err)
		}
	}
}

// answer holds the conditions: 200 where all are well, 503 where one is not.
func answer(checks []Check) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, end := context.WithTimeout(r.Context(), patience)
		defer end()
		said := map[string]string{}
		status := http.StatusOK
		for _, c := range checks {
			said[c.Name] = "ok"
			if err := c.Ask(ctx); err != nil {
				said[c.Name], status = err.Error(), http.StatusServiceUnavailable
			}
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(said) // who has gone away needs no answer
	}
}

// Serve answers on l until ctx ends.
func (s *Site) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10,
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		grace, end := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer end()
		if server.Shutdown(grace) != nil {
			_ = server.Close()
		}
	})
	err := server.Serve(l)
	if stop() {
		return err
	}
	<-ended
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
