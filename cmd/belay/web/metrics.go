package web

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Figures are what the service knows at the moment of a scrape.
type Figures struct {
	Customers map[string]CustomerFigures

	Waiting  map[string]int // captures that wait for a place, by why
	Underway map[string]int // captures under way, by why
	Retries  int            // captures that wait to be tried again
	Resting  map[string]int // after a refused login: "device", "site"

	OutboxWaiting map[string]int           // letters by system
	OutboxOldest  map[string]time.Duration // age of the oldest that waits, by system

	ScrubDone   float64 // share of this pass, 0 to 1
	ScrubLate   bool
	ScrubPassed time.Time // when the last pass ended whole; zero: never
	Damages     int       // standing

	Alarms   map[string]int // standing, by cause
	Doubt    bool           // a canary was kept: nothing is called verified
	Canaries map[string]int // of the last round: "caught", "kept", "failed"

	RoundEnded time.Time          // when the last round ended; zero: never
	DiskFree   float64            // bytes free where the data is
	Messages   map[string]float64 // syslog and trap messages since the start, by what became of them
}

// CustomerFigures are one customer's.
type CustomerFigures struct {
	Devices  map[string]int // by the outcome of their newest reading, or "never"
	Oldest   time.Duration  // age of the oldest of its devices' newest proven copies
	Unproven int            // devices that never had a copy proven in a second place
	Stale    time.Duration  // age of the oldest of its devices' newest good readings
}

// Metrics turns figures into Prometheus metrics. The figures are read at each
// scrape; what is counted as it happens has a method.
type Metrics struct {
	*prometheus.Registry
	took     *prometheus.HistogramVec
	outcomes *prometheus.CounterVec
	reloads  *prometheus.CounterVec
}

// names of the metrics that a scrape reads off the figures.
var (
	devicesDesc  = desc("devices", "Devices by customer and by the outcome of their newest reading.", "customer", "state")
	provenDesc   = desc("oldest_proven_seconds", "Age of the oldest among the customer's devices' newest copies that are proven in a second place.", "customer")
	unprovenDesc = desc("devices_never_proven", "Devices of the customer of which no copy was ever proven in a second place.", "customer")
	goodDesc     = desc("oldest_good_seconds", "Age of the oldest among the customer's devices' newest whole readings.", "customer")
	waitingDesc  = desc("captures_waiting", "Captures that wait for a place.", "why")
	underwayDesc = desc("captures_underway", "Captures under way: devices that are read, and what was read that is still being kept and proven.", "why")
	retriesDesc  = desc("captures_to_retry", "Captures that wait to be tried again.")
	restingDesc  = desc("resting", "Devices and sites that rest after a refused login.", "what")
	outboxDesc   = desc("outbox_waiting", "Attachments and receipts that wait.", "system")
	outboxAge    = desc("outbox_oldest_seconds", "Age of the oldest attachment or receipt that waits.", "system")
	scrubDesc    = desc("scrub_progress_ratio", "How much of this pass of the scrub is done.")
	scrubLate    = desc("scrub_late", "1 where the pass will not end in its time.")
	scrubPassed  = desc("scrub_passed_timestamp_seconds", "When the last pass of the scrub ended.")
	damagesDesc  = desc("damages", "Damages that were found and stand.")
	alarmsDesc   = desc("alarms", "Alarms that stand.", "cause")
	doubtDesc    = desc("doubt", "1 while a canary that was kept is not understood.")
	canariesDesc = desc("canaries", "Canaries of the last round by what became of them.", "state")
	roundDesc    = desc("round_ended_timestamp_seconds", "When the last round of the schedule ended.")
	diskDesc     = desc("disk_free_bytes", "Free space where the data is.")
	messagesDesc = desc("messages_total", "Syslog and trap messages by what became of them.", "what")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("belay_"+name, help, labels, nil)
}

// NewMetrics registers all metrics; read is called at each scrape.
func NewMetrics(read func(context.Context) (Figures, error)) *Metrics {
	m := &Metrics{
		Registry: prometheus.NewRegistry(),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "belay_capture_seconds", Help: "How long captures took, by outcome.",
			Buckets: []float64{0.25, 0.5, 1, 2, 5, 10, 30, 60, 180, 600, 1800},
		}, []string{"result"}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "belay_captures_total", Help: "Captures by why and outcome."}, []string{"why", "result"}),
		reloads:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "belay_settings_reloads_total", Help: "Times the settings were read again."}, []string{"result"}),
	}
	m.MustRegister(m.took, m.outcomes, m.reloads, scrape(read), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Captured counts one capture.
func (m *Metrics) Captured(why, result string, seconds float64) {
	m.took.WithLabelValues(result).Observe(seconds)
	m.outcomes.WithLabelValues(why, result).Inc()
}

// Reloaded counts one reading of the settings.
func (m *Metrics) Reloaded(ok bool) {
	result := "taken"
	if !ok {
		result = "refused"
	}
	m.reloads.WithLabelValues(result).Inc()
}

// scrape is a collector that reads the figures.
type scrape func(context.Context) (Figures, error)

// Describe names all metrics.
func (scrape) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		devicesDesc, provenDesc, unprovenDesc, goodDesc, waitingDesc, underwayDesc, retriesDesc, restingDesc, outboxDesc, outboxAge,
		scrubDesc, scrubLate, scrubPassed, damagesDesc, alarmsDesc, doubtDesc, canariesDesc, roundDesc, diskDesc, messagesDesc,
	} {
		c <- d
	}
}

// Collect reads the figures and sends them.
func (s scrape) Collect(c chan<- prometheus.Metric) {
	ctx, end := context.WithTimeout(context.Background(), patience)
	defer end()
	f, err := s(ctx)
	if err != nil {
		c <- prometheus.NewInvalidMetric(devicesDesc, err)
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	each := func(d *prometheus.Desc, by map[string]int) {
		for label, n := range by {
			gauge(d, float64(n), label)
		}
	}
	for name, k := range f.Customers {
		for state, n := range k.Devices {
			gauge(devicesDesc, float64(n), name, state)
		}
		all := 0
		for _, n := range k.Devices {
			all += n
		}
		if k.Unproven < all { // where nothing was ever proven there is no age, least of all a young one
			gauge(provenDesc, k.Oldest.Seconds(), name)
		}
		gauge(unprovenDesc, float64(k.Unproven), name)
		gauge(goodDesc, k.Stale.Seconds(), name)
	}
	each(waitingDesc, f.Waiting)
	each(underwayDesc, f.Underway)
	gauge(retriesDesc, float64(f.Retries))
	each(restingDesc, f.Resting)
	each(outboxDesc, f.OutboxWaiting)
	for system, age := range f.OutboxOldest {
		gauge(outboxAge, age.Seconds(), system)
	}
	gauge(scrubDesc, f.ScrubDone)
	gauge(scrubLate, truth(f.ScrubLate))
	gauge(scrubPassed, stamp(f.ScrubPassed))
	gauge(damagesDesc, float64(f.Damages))
	each(alarmsDesc, f.Alarms)
	gauge(doubtDesc, truth(f.Doubt))
	each(canariesDesc, f.Canaries)
	gauge(roundDesc, stamp(f.RoundEnded))
	gauge(diskDesc, f.DiskFree)
	for what, n := range f.Messages {
		c <- prometheus.MustNewConstMetric(messagesDesc, prometheus.CounterValue, n, what)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// stamp is a time as Prometheus has it; 0 for never.
func stamp(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
