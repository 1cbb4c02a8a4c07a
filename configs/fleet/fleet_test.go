package fleet

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"belay/configs"
	"belay/devices"
)

// a fleet of n devices at each of the sites.
func fleetOf(n int, sites ...string) []devices.Device {
	var list []devices.Device
	for _, s := range sites {
		for i := range n {
			list = append(list, devices.Device{Customer: "acme", Name: fmt.Sprintf("%s-%d", s, i), Site: s})
		}
	}
	return list
}

func TestEveryDeviceIsCapturedOnce(t *testing.T) {
	t.Parallel()
	list := append(fleetOf(40, "hq", "depot"), devices.Device{Customer: "acme", Name: "alone"}, devices.Device{Customer: "beta", Name: "alone"})
	seen := map[string]int{}
	runAll(t.Context(), list, Limits{All: 7, Site: 3}, func(_ context.Context, d devices.Device) configs.Result {
		return configs.Result{Device: d.String()}
	}, func(r configs.Result) { seen[r.Device]++ })
	if len(seen) != len(list) {
		t.Errorf("captured %d devices of %d", len(seen), len(list))
	}
	for d, n := range seen {
		if n != 1 {
			t.Errorf("%s was captured %d times", d, n)
		}
	}
}

func TestTheLimitsHold(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now, most := map[string]int{}, map[string]int{}
	count := func(key string, by int) {
		now[key] += by
		most[key] = max(most[key], now[key])
	}
	runAll(t.Context(), fleetOf(20, "hq", "depot", "lab"), Limits{All: 5, Site: 2}, func(_ context.Context, d devices.Device) configs.Result {
		mu.Lock()
		count("all", 1)
		count(d.Site, 1)
		mu.Unlock()
		time.Sleep(time.Millisecond)
		mu.Lock()
		count("all", -1)
		count(d.Site, -1)
		mu.Unlock()
		return configs.Result{}
	}, func(configs.Result) {})
	if most["all"] != 5 {
		t.Errorf("%d captures at once, want the limit of 5 reached and held", most["all"])
	}
	for _, s := range []string{"hq", "depot", "lab"} {
		if most[s] > 2 {
			t.Errorf("%d captures at once at %s, the limit is 2", most[s], s)
		}
	}
}

func TestADeadSiteDelaysNobodyElse(t *testing.T) {
	t.Parallel()
	rest := make(chan struct{})
	others := 0
	runAll(t.Context(), fleetOf(10, "dead", "fine"), Limits{All: 4, Site: 2}, func(_ context.Context, d devices.Device) configs.Result {
		if d.Site == "dead" {
			<-rest
		}
		return configs.Result{Device: d.Site}
	}, func(r configs.Result) {
		if r.Device == "fine" {
			if others++; others == 10 {
				close(rest) // the dead site answers only when all others are through
			}
		}
	})
	if others != 10 {
		t.Errorf("%d of 10 devices of the other site were captured", others)
	}
}

func TestAnEndedContextLeavesTheRestOut(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	told := 0
	runAll(ctx, fleetOf(50, "hq"), Limits{All: 2, Site: 2}, func(context.Context, devices.Device) configs.Result {
		return configs.Result{}
	}, func(configs.Result) {
		if told++; told == 3 {
			cancel()
		}
	})
	if told < 3 || told > 5 {
		t.Errorf("%d devices were captured, want to stop soon after the third", told)
	}
}

func TestTheSitesTakeTurns(t *testing.T) {
	t.Parallel()
	list := append(fleetOf(4, "hq"), fleetOf(2, "depot", "lab")...)
	var order []string
	runAll(t.Context(), list, Limits{All: 1}, func(_ context.Context, d devices.Device) configs.Result {
		return configs.Result{Device: d.Site}
	}, func(r configs.Result) { order = append(order, r.Device) })
	if want := []string{"hq", "depot", "lab", "hq", "depot", "lab", "hq", "hq"}; !slices.Equal(order, want) {
		t.Errorf("captured in the order %q, want %q", order, want)
	}
}

func TestThoseThatWaitForASiteEndWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		began, told := 0, 0
		go func() {
			time.Sleep(time.Minute)
			cancel()
		}()
		runAll(ctx, fleetOf(9, "hq"), Limits{All: 4, Site: 1}, func(ctx context.Context, _ devices.Device) configs.Result {
			began++
			<-ctx.Done()
			return configs.Result{}
		}, func(configs.Result) { told++ })
		if began != 1 || told != 1 {
			t.Errorf("%d captures begun, %d told, want 1: the site has room for one", began, told)
		}
	})
}

func TestAnEndedContextBeginsNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	runAll(ctx, fleetOf(9, "hq"), Limits{}, func(context.Context, devices.Device) configs.Result {
		t.Error("a device was captured")
		return configs.Result{}
	}, func(configs.Result) { t.Error("a result was told") })
	runAll(t.Context(), nil, Limits{All: 3}, nil, nil) // no device, no end to wait for
}

func TestWithoutLimitsAllAreCapturedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		runAll(t.Context(), fleetOf(50, "hq", "depot"), Limits{}, func(context.Context, devices.Device) configs.Result {
			time.Sleep(time.Second)
			return configs.Result{}
		}, func(configs.Result) {})
		if d := time.Since(began); d != time.Second {
			t.Errorf("100 captures of a second took %v", d)
		}
	})
}

// runAll captures every device of list once and tells each result as it comes;
// those not begun are left out.
func runAll(ctx context.Context, list []devices.Device, limits Limits, capture func(context.Context, devices.Device) configs.Result, told func(configs.Result)) {
	jobs := make([]Job, len(list))
	for i, d := range list {
		jobs[i].Device = d
	}
	e := &Engine{Limits: limits, Capture: func(ctx context.Context, j Job) configs.Result { return capture(ctx, j.Device) }}
	e.Run(ctx, jobs, func(f Final) {
		if f.Tries > 0 {
			told(f.Result)
		}
	})
}
