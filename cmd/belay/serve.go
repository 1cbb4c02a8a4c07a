package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"belay/cmd/belay/web"
	"belay/configs/fleet"
	"belay/configs/round"
	"belay/devices"
)

func (p *program) serveCommand() *cobra.Command {
	var status bool
	cmd := &cobra.Command{
		Use: "serve", Short: "Capture every device on schedule and when something changed", Args: cobra.NoArgs,
		Long: `Runs until it is stopped. It captures each device when its schedule (schedules: in the
settings) says so and when the device reports a change (events:), brings attachments to
their items, reads again what is stored, and tells people what they need to know (tell:).

One service works on a data folder; commands work beside it at any time. The settings,
the inventory and drivers of your own are read again when a file changes or on SIGHUP, and
refused whole when they are wrong. SIGTERM and Ctrl-C stop it cleanly in the middle of
anything; what was due is caught up after the next start. A systemd unit, a container
file, alert rules and a dashboard are in cmd/belay/deploy of the source.

Exit status: 0 stopped when asked; 1 something broke; 2 wrong settings, or another service
works on this data. With --status: 0 a service runs, 1 none does.`,
		Example: "  belay serve\n  belay serve --status",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if status {
				return p.runServeStatus(cmd.Context())
			}
			return p.runServe(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&status, "status", false, "ask the running service what it does")
	return cmd
}

// A server is the service while it runs.
type server struct {
	p       *program
	log     *slog.Logger
	live    *live
	options openOptions
	engine  *fleet.Engine
	rounds  *round.Rounds
	metrics *web.Metrics
	chores  *chores
	since   time.Time
	plans   plans
	seen    sightings
	events  ears
	wake    chan struct{} // a round has ended: what follows rounds may be done
	packed  time.Time     // when that was begun last; of its chore alone

	page      page           // guarded by reloading
	beside    sync.WaitGroup // what is done beside rounds and chores
	reloading sync.Mutex
}

// secretsFor is how long the service takes a secret for the same.
const secretsFor = 5 * time.Minute

func (p *program) runServe(ctx context.Context) error {
	s, done, err := p.openServer(ctx)
	if err != nil {
		return err
	}
	defer done()
	return s.run(ctx)
}

// openServer puts the service together, alone on its data folder until done is
// called. It does nothing yet: see run.
func (p *program) openServer(ctx context.Context) (s *server, done func(), err error) {
	settings, err := readSettings(p.config)
	if err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(settings.Data, 0o700); err != nil {
		return nil, nil, &devices.Error{Kind: devices.Usage, Op: "make the data folder", Err: err}
	}
	release, err := lockService(settings.Data)
	if err != nil {
		return nil, nil, err
	}
	s = &server{
		p: p, log: slog.New(slog.NewTextHandler(p.err, nil)), live: &live{}, options: openOptions{secretsFor: secretsFor},
		chores: &chores{failed: map[string]failedChore{}, done: map[string]time.Time{}}, since: p.now(), wake: make(chan struct{}, 1),
	}
	if p.json {
		s.log = slog.New(slog.NewJSONHandler(p.err, nil))
	}
	w, err := p.open(ctx, s.options)
	if err == nil {
		err = s.assemble(ctx, w)
	}
	if err != nil {
		_ = release() // the lock ends with the process in any case
		return nil, nil, err
	}
	s.live.replace(w, w.files())
	_, leave := s.live.use() // engine and rounds keep their marks in this one's ledger, whatever takes its place
	return s, func() {
		leave()
		s.live.end()
		_ = release()
	}, nil
}

// assemble sets up what captures and when, by the settings of w.
func (s *server) assemble(ctx context.Context, w *workspace) error {
	if err := s.plans.read(ctx, w); err != nil {
		w.close()
		return err
	}
	s.metrics = web.NewMetrics(s.figures)
	s.openEngine(w)
	s.openRounds(w)
	return nil
}

// run works until ctx ends.
func (s *server) run(ctx context.Context) (err error) {
	w, leave := s.live.use()
	defer leave()
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(ctx)
	defer func() {
		stop()
		wg.Wait()
		s.beside.Wait()
		s.events.close() // opened meanwhile by whoever was reading the settings again
		s.hide()
	}()
	if err := s.listen(ctx, &wg, w); err != nil {
		return err
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	s.hear(ctx)
	s.start(ctx, &wg, s.allChores())
	s.log.Info("belay serves", "version", version, "devices", len(w.inventory.Devices), "data", w.settings.Data)
	if next := s.next(s.p.now()); next.IsZero() {
		s.log.Warn("no schedule is for any device: nothing is captured by itself", "hint", "schedules: in the settings; belay schedule")
	} else {
		s.log.Info("the next device is due", "at", next)
	}
	tellSystemd(daemon.SdNotifyReady)
	for {
		select {
		case <-hup:
			s.reload(ctx)
		case <-ctx.Done():
			tellSystemd(daemon.SdNotifyStopping)
			s.log.Info("belay stops")
			return s.end(ctx)
		}
	}
}

// endWithin is how long what is under way when the service stops may take, and
// writing down what was done. A systemd unit waits for longer than both.
const (
	endWithin   = 90 * time.Second
	writeWithin = 20 * time.Second
)

// end waits for what is under way and writes down what was done, also where
// something hung.
func (s *server) end(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	waiting, done := context.WithTimeout(ctx, endWithin)
	defer done()
	err := s.engine.Wait(waiting)
	s.events.close()
	writing, done := context.WithTimeout(ctx, writeWithin)
	defer done()
	return errors.Join(err, s.rounds.Flush(writing))
}

// tellSystemd tells systemd, where it listens; elsewhere nobody is told.
func tellSystemd(state string) {
	_, _ = daemon.SdNotify(false, state)
}

// reload reads everything anew, one at a time.
func (s *server) reload(ctx context.Context) { s.reread(ctx, true) }

// reread is a reload. Unless somebody asked for it, a refusal that was told is not
// told again.
func (s *server) reread(ctx context.Context, asked bool) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	news, err := s.p.reopen(ctx, s.live, s.options)
	s.metrics.Reloaded(err == nil)
	s.toldOfReload(ctx, err)
	switch {
	case err != nil && !news && !asked:
		return
	case err != nil:
		s.log.Error("the settings were refused: the old ones stay", "error", tame(err.Error()), "hint", tame(devices.HintOf(err)))
		return
	}
	w, leave := s.live.use()
	defer leave()
	if err := s.plans.read(ctx, w); err != nil { // the settings were checked when they were read
		s.log.Error("the schedules were refused", "error", tame(err.Error()))
	}
	s.engine.SetLimits(limitsOf(w.settings))
	s.hear(ctx)
	if err := s.show(ctx, w); err != nil {
		s.log.Error("the old address for Prometheus stays", "error", tame(err.Error()), "hint", tame(devices.HintOf(err)))
	}
	s.log.Info("the settings were read again", "devices", len(w.inventory.Devices))
}

// listen opens the socket for commands and the address for Prometheus.
func (s *server) listen(ctx context.Context, wg *sync.WaitGroup, w *workspace) error {
	l, err := listenSocket(w.settings.Data)
	if err != nil {
		s.log.Warn("commands cannot ask this service: they work beside it", "error", err.Error())
	} else {
		requests := &http.Server{Handler: s.requests(ctx), ReadHeaderTimeout: 5 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
		wg.Go(func() {
			if err := requests.Serve(l); err != nil && ctx.Err() == nil {
				s.log.Error("requests of commands", "error", err.Error())
			}
			// What is under way is told to whoever asked for it, also when we stop.
			limit, done := context.WithTimeout(context.WithoutCancel(ctx), endWithin+answerWithin)
			defer done()
			_ = errors.Join(requests.Shutdown(limit), requests.Close()) // nobody is left who would hear of it
		})
		context.AfterFunc(ctx, func() { _ = l.Close() }) // from now on commands work by themselves
	}
	s.reloading.Lock() // whoever reads the settings again shows, too
	defer s.reloading.Unlock()
	return s.show(ctx, w)
}
