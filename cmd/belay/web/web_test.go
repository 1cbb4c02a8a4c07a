package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// full has a figure of every kind.
func full() Figures {
	return Figures{
		Customers: map[string]CustomerFigures{"acme": {Devices: map[string]int{"unchanged": 3, "never": 1}, Oldest: 26 * time.Hour, Unproven: 1, Stale: time.Hour}},
		Waiting:   map[string]int{"nightly": 5}, Underway: map[string]int{"asked": 1}, Retries: 2, Resting: map[string]int{"site": 1},
		OutboxWaiting: map[string]int{"itglue": 4}, OutboxOldest: map[string]time.Duration{"itglue": time.Minute},
		ScrubDone: 0.25, ScrubLate: true, ScrubPassed: time.Unix(1_790_000_000, 500_000_000), Damages: 1,
		Alarms: map[string]int{"damage": 1}, Doubt: true, Canaries: map[string]int{"caught": 3}, RoundEnded: time.Unix(1_790_000_100, 0),
		DiskFree: 7e9, Messages: map[string]float64{"announced a change": 7},
	}
}

func metrics(f Figures, err error) *Metrics {
	m := NewMetrics(func(context.Context) (Figures, error) { return f, err })
	m.Captured("nightly", "kept", 1.5)
	m.Reloaded(false)
	return m
}

func TestEveryFigureIsAMetric(t *testing.T) {
	t.Parallel()
	text := scrapeText(t, metrics(full(), nil))
	for _, want := range []string{
		`belay_devices{customer="acme",state="never"} 1`, `belay_devices{customer="acme",state="unchanged"} 3`,
		`belay_oldest_proven_seconds{customer="acme"} 93600`, `belay_devices_never_proven{customer="acme"} 1`, `belay_oldest_good_seconds{customer="acme"} 3600`,
		`belay_captures_waiting{why="nightly"} 5`, `belay_captures_underway{why="asked"} 1`, `belay_captures_to_retry 2`, `belay_resting{what="site"} 1`,
		`belay_outbox_waiting{system="itglue"} 4`, `belay_outbox_oldest_seconds{system="itglue"} 60`,
		`belay_scrub_progress_ratio 0.25`, `belay_scrub_late 1`, `belay_scrub_passed_timestamp_seconds 1.7900000005e+09`, `belay_damages 1`,
		`belay_alarms{cause="damage"} 1`, `belay_doubt 1`, `belay_canaries{state="caught"} 3`, `belay_round_ended_timestamp_seconds 1.7900001e+09`,
		`belay_disk_free_bytes 7e+09`, `belay_messages_total{what="announced a change"} 7`,
		`belay_captures_total{result="kept",why="nightly"} 1`, `belay_capture_seconds_bucket{result="kept",le="2"} 1`, `belay_settings_reloads_total{result="refused"} 1`,
	} {
		if !slices.Contains(strings.Split(text, "\n"), want) {
			t.Errorf("no line %s", want)
		}
	}
	problems, err := testutil.GatherAndLint(metrics(full(), nil))
	if err != nil || len(problems) > 0 {
		t.Errorf("prometheus' own lint: %v, %v", problems, err)
	}
}

func TestARoundThatNeverEndedIsNotDatedBeforeChrist(t *testing.T) {
	t.Parallel()
	if text := scrapeText(t, metrics(Figures{}, nil)); !strings.Contains(text, "\nbelay_round_ended_timestamp_seconds 0\n") {
		t.Errorf("a zero time is not 0:\n%s", text)
	}
}

func TestWhatCannotBeReadLeavesTheOtherMetrics(t *testing.T) {
	t.Parallel()
	text := scrapeText(t, metrics(full(), errors.New("the ledger is locked")))
	if strings.Contains(text, "belay_devices{") || !strings.Contains(text, "belay_captures_total{") {
		t.Errorf("want the counters and no figures:\n%s", text)
	}
}

func scrapeText(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	(&Site{Metrics: m}).Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestHealthAndReadinessNameWhatIsWrong(t *testing.T) {
	t.Parallel()
	well := Check{"clock", func(context.Context) error { return nil }}
	ill := Check{"ledger", func(context.Context) error { return errors.New("locked") }}
	s := &Site{Health: []Check{well}, Ready: []Check{well, ill}, Metrics: metrics(full(), nil)}
	for _, c := range []struct {
		path string
		code int
		want map[string]string
	}{
		{"/healthz", 200, map[string]string{"clock": "ok"}},
		{"/readyz", 503, map[string]string{"clock": "ok", "ledger": "locked"}},
	} {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, c.path, nil))
		var got map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got); w.Code != c.code || diff != "" {
			t.Errorf("%s: status %d, want %d (-want +got):\n%s", c.path, w.Code, c.code, diff)
		}
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/healthz", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST is answered with %d", w.Code)
	}
}

func TestItAnswersUntilItIsAskedToStop(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- (&Site{Metrics: metrics(full(), nil)}).Serve(ctx, l) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get("http://" + l.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, r.Body)
	if err := r.Body.Close(); err != nil || r.StatusCode != http.StatusOK {
		t.Errorf("status %d, %v", r.StatusCode, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("it still listens")
	}
}

// metricNames are the words of an expression that name metrics.
var metricNames = regexp.MustCompile(`\b(belay_[a-z_]+|process_[a-z_]+)\b`)

// TestAlertsAndDashboardAskForMetricsThatThereAre fails where a metric was
// renamed and the rules that come with the program were not.
func TestAlertsAndDashboardAskForMetricsThatThereAre(t *testing.T) {
	t.Parallel()
	there := map[string]bool{}
	for _, name := range metricNames.FindAllString(scrapeText(t, metrics(full(), nil)), -1) {
		there[name] = true
	}
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				For         string
				Labels      map[string]string
				Annotations map[string]string
			}
		}
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	read := func(file string, into any) {
		text, err := os.ReadFile("../deploy/" + file)
		if err == nil {
			err = yaml.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatal(file, err)
		}
	}
	read("alerts.yaml", &rules)
	read("dashboard.json", &board)
	asked := map[string]string{}
	for _, r := range rules.Groups[0].Rules {
		asked["alert "+r.Alert] = r.Expr
		if r.Annotations["summary"] == "" || r.Labels["severity"] == "" {
			t.Errorf("alert %s has no summary or severity", r.Alert)
		}
	}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			asked["panel "+p.Title] += " " + target.Expr
		}
	}
	if !strings.Contains(asked["alert BelayNeverProven"], "belay_devices_never_proven > 0") {
		t.Error("nobody is woken for a device of which nothing was ever proven")
	}
	if len(asked) < 20 {
		t.Errorf("only %d expressions found", len(asked))
	}
	for _, where := range slices.Sorted(maps.Keys(asked)) {
		names := metricNames.FindAllString(asked[where], -1)
		if len(names) == 0 && !strings.Contains(asked[where], "up{") {
			t.Errorf("%s asks for no metric: %s", where, asked[where])
		}
		for _, name := range names {
			if !there[name] {
				t.Errorf("%s asks for %s, which there is not", where, name)
			}
		}
	}
}
