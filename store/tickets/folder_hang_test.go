package tickets

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"belay/configs"
)

// hung is a folder in a share whose server is gone until the channel is closed.
// It counts who has asked it.
func hung(path string) (Folder, chan struct{}, *atomic.Int32) {
	back, asked := make(chan struct{}), new(atomic.Int32)
	return Folder{Path: path, Hanging: new(atomic.Int32), enter: func(path string) (*os.Root, error) {
		asked.Add(1)
		<-back
		return os.OpenRoot(path)
	}}, back, asked
}

func TestAShareThatDoesNotAnswerHoldsNobody(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f, back, _ := hung(root)
		n := note()
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		time.AfterFunc(time.Second, cancel)
		_, err := f.Post(ctx, n)
		if d, ok := errors.AsType[*configs.Declined](err); ok || !errors.Is(err, context.Canceled) || time.Since(began) != time.Second {
			t.Errorf("interrupted after a second: error %v after %v, declined %v", err, time.Since(began), d)
		}
		for want, f := range map[time.Duration]Folder{2 * time.Minute: f, time.Minute: {Path: root, Timeout: time.Minute, enter: f.enter}} {
			began = time.Now()
			_, err = f.Post(t.Context(), n)
			wantDeclined(t, "silence", err, "")
			if took := time.Since(began); took != want {
				t.Errorf("a patient caller was held for %v, want %v", took, want)
			}
		}
		close(back)
		// They are the caller's again: the race detector sees who still reads them.
		n.HTML[0], n.Files[0].Bytes[0] = 'H', 'B'
		n.Files[0].Name = "other"
		synctest.Wait()
		n = note()
		if got := lies(t, root, n.Ticket); len(got) != 0 {
			t.Errorf("of notes that were given up there lies %q", got)
		}
		if _, err := f.Post(t.Context(), n); err != nil || f.Hanging.Load() != 0 {
			t.Errorf("the server is back; error %v, %d hang", err, f.Hanging.Load())
		}
	})
}

func TestAShareInWhichManyNotesHangIsLeftAlone(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f, back, asked := hung(root)
		for range 4 {
			_, err := f.Post(t.Context(), note())
			wantDeclined(t, "silence", err, "")
		}
		began := time.Now()
		_, err := Folder{Path: root, Hanging: f.Hanging, enter: f.enter}.Post(t.Context(), note()) // it is made anew for each note
		wantDeclined(t, "the fifth", err, configs.Busy)
		if n, took := asked.Load(), time.Since(began); n != 4 || took != 0 {
			t.Errorf("the share was asked %d times, and the last caller was held for %v", n, took)
		}
		close(back)
		synctest.Wait()
		id, err := f.Post(t.Context(), note())
		if err != nil {
			t.Errorf("the server is back: %v", err)
		}
		if _, err := os.Stat(filepath.Join(root, id+".json")); err != nil {
			t.Error(err)
		}
	})
}
