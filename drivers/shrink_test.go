package drivers_test

import (
	"testing"

	"belay/configs"
	"belay/configs/redact"
	"belay/devices/simulator"
)

// TestACopyHalfAsLongAsBeforeIsRefused: a previous version twice as long, for
// every system.
func TestACopyHalfAsLongAsBeforeIsRefused(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, p := range transcripts(t, c) {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			b, r := backup(puller(c, &simulator.Device{T: p.Transcript}))
			first, texts := capture(t, b, r, p.device())
			if first.Result != configs.Kept {
				t.Fatalf("%s: %s", first.Result, first.Error)
			}
			long, _ := redact.Rules{}.Apply([]byte(texts[configs.MainFile]+texts[configs.MainFile]), redact.Key{})
			if _, err := r.Commit(t.Context(), configs.Snapshot{Device: p.device(), Taken: first.Proofs[0].At, Identity: first.Identity,
				Texts: []configs.Text{{Name: configs.MainFile, Clean: long}}}); err != nil {
				t.Fatal(err)
			}
			again, after := capture(t, b, r, p.device())
			if again.Result != configs.Refused || after[configs.MainFile] != long.String() {
				t.Errorf("%s %s: a copy half as long took the place of the last version", again.Result, again.Error)
			}
		})
	}
}
