package web

import (
	"context"
	"testing"
	"time"
)

func TestACustomerOfWhomNothingWasProvenHasNoYoungAge(t *testing.T) {
	t.Parallel()
	m := NewMetrics(func(context.Context) (Figures, error) {
		return Figures{Customers: map[string]CustomerFigures{
			"acme":   {Devices: map[string]int{"kept": 2}, Unproven: 2},
			"globex": {Devices: map[string]int{"kept": 2}, Unproven: 1, Oldest: time.Hour},
		}}, nil
	})
	families, err := m.Gather()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range families {
		if f.GetName() == "belay_oldest_proven_seconds" {
			for _, x := range f.GetMetric() {
				seen[x.GetLabel()[0].GetValue()] = true
			}
		}
	}
	if seen["acme"] || !seen["globex"] {
		t.Errorf("an age is told of %v", seen)
	}
}
