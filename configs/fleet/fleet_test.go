package fleet

import (
	"context"
	"fmt"
	"sync"
	"testing"
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
	Run(t.Context(), list, Limits{All: 7, Site: 3}, func(_ context.Context, d devices.Device) configs.Result {
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
	Run(t.Context(), fleetOf(20, "hq", "depot", "lab"), Limits{All: 5, Site: 2}, func(_ context.Context, d devices.Device) configs.Result {
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
	Run(t.Context(), fleetOf(10, "dead", "fine"), Limits{All: 4, Site: 2}, func(_ context.Context, d devices.Device) configs.Result {
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
	Run(ctx, fleetOf(50, "hq"), Limits{All: 2, Site: 2}, func(context.Context, devices.Device) configs.Result {
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
