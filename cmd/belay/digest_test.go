package main

import (
	"testing"
	"time"

	"belay/configs/scrub"
)

func TestTheDigestTakesTheTimesThatOtherCommandsTake(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	zone := time.FixedZone("there", 3600)
	for text, want := range map[string]time.Time{
		"3 days ago": now.AddDate(0, 0, -3), "36h": now.Add(-36 * time.Hour),
		"2026-11-20 08:00": time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC), "2026-11-20": time.Date(2026, 11, 19, 23, 0, 0, 0, time.UTC),
	} {
		if got, err := since(text, now.In(zone)); err != nil || !got.Equal(want) {
			t.Errorf("%q is %v (%v), want %v", text, got, err, want)
		}
	}
	if _, err := since("soon", now.In(zone)); err == nil {
		t.Error("soon is no time")
	}
}

func TestAPassIsAtSomethingOfACustomerOrOfNobody(t *testing.T) {
	t.Parallel()
	var p scrub.Progress
	p.Shelf = "ledger"
	if got := passAt(p); got != "ledger" {
		t.Errorf("%q", got)
	}
	p.Customer = "acme"
	if got := passAt(p); got != "ledger of acme" {
		t.Errorf("%q", got)
	}
}

func TestLittleRoomIsSaidInMegabytes(t *testing.T) {
	t.Parallel()
	for free, want := range map[uint64]string{0: "0 MB", 44_900_000: "44 MB", 999_999_999: "999 MB", 1_000_000_000: "1.0 GB", 2 << 30: "2.1 GB"} {
		if got := lowDisk(free); got != want+" are free where Belay keeps its data" {
			t.Errorf("%d: %s", free, got)
		}
	}
}
