package memory_test

import (
	"errors"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/conformance"
	"belay/configs/memory"
)

var item = configs.Item{Organization: "2041", ID: "88121", Name: "fw-hq", Serials: []string{"FGL2349L0AB"}}

func TestTheDocumentationKeepsToThePort(t *testing.T) {
	t.Parallel()
	for name, doc := range map[string]func() *memory.Documentation{
		"all it can":         func() *memory.Documentation { return &memory.Documentation{} },
		"no size":            func() *memory.Documentation { return &memory.Documentation{NoSize: true} },
		"gives nothing back": func() *memory.Documentation { return &memory.Documentation{NoRead: true} },
		"bound": func() *memory.Documentation {
			return &memory.Documentation{Bound: configs.Bounds{MaxBytes: 2 << 20, TextOnly: true}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conformance.Documentation(t, func(*testing.T) (configs.Documentation, configs.Item) {
				d := doc()
				d.Add(item, configs.Item{Organization: "2042", ID: "88122"})
				return d, item
			})
		})
	}
}

func TestTroubleIsAsItIsTold(t *testing.T) {
	t.Parallel()
	lost := errors.New("connection lost")
	now := time.Date(2026, 3, 14, 2, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		trouble      memory.Trouble
		err          error
		sooner, late int
		bytes        int
	}{
		"none":                {memory.Trouble{}, nil, 1, 1, 5},
		"not done":            {memory.Trouble{Err: lost}, lost, 0, 0, 0},
		"done, answer lost":   {memory.Trouble{Err: lost, Done: true}, lost, 1, 1, 5},
		"late, answer lost":   {memory.Trouble{Err: lost, Late: time.Minute}, lost, 0, 1, 5},
		"late, but confirmed": {memory.Trouble{Late: time.Minute}, nil, 0, 1, 5},
		"cut":                 {memory.Trouble{Cut: 2}, nil, 1, 1, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := now
			d := &memory.Documentation{Now: func() time.Time { return now }, Trouble: func(string, configs.Item) memory.Trouble { return c.trouble }}
			d.Add(item)
			if _, err := d.Attach(t.Context(), item, configs.Attached{Name: "a.txt", Bytes: []byte("bytes")}); !errors.Is(err, c.err) {
				t.Errorf("got error %v, want %v", err, c.err)
			}
			if as, _ := d.On(item.ID); len(as) != c.sooner {
				t.Errorf("%d hang there at once, want %d", len(as), c.sooner)
			}
			now = now.Add(time.Minute)
			as, bs := d.On(item.ID)
			if len(as) != c.late {
				t.Fatalf("%d hang there a minute later, want %d", len(as), c.late)
			}
			for i, a := range as {
				if a.Bytes != c.bytes || len(bs[i]) != c.bytes {
					t.Errorf("%d bytes, listed as %d, want %d", len(bs[i]), a.Bytes, c.bytes)
				}
			}
		})
	}
}
