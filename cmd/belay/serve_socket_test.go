package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"belay/configs"
)

// A process that is stopped holds its socket: the kernel takes the connection.
func TestAServiceThatIsStoppedIsNotWaitedForWithoutEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, socketFile))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	ended := make(chan error, 2)
	go func() { _, err := askWhich(t.Context(), dir, []string{"acme/fw"}); ended <- err }()
	go func() {
		_, err := askService(t.Context(), dir, captureRequest{}, func(configs.Result) { t.Error("told of a result") })
		ended <- err
	}()
	for range 2 {
		select {
		case err := <-ended:
			if !errors.Is(err, errNoService) && !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		case <-time.After(4 * headWithin):
			t.Fatal("it is waited for still")
		}
	}
}

func TestAServiceThatFallsSilentInItsAnswerIsGivenUpAndOneThatIsSlowIsNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, giveUp := context.WithCancelCause(t.Context())
		defer giveUp(nil)
		from, to := io.Pipe()
		context.AfterFunc(ctx, func() { _ = from.CloseWithError(ctx.Err()) }) // as the body of an answer does
		heard := 0
		go func() {
			for range 30 {
				time.Sleep(heartbeat)
				_, _ = io.WriteString(to, "\n")
			}
			_ = json.NewEncoder(to).Encode(answerOf(configs.Result{Device: "acme/fw"}))
		}()
		began := time.Now()
		_, err := hearAnswers(ctx, from, silentFor, giveUp, func(configs.Result) { heard++ })
		if !errors.Is(err, errSilent) || heard != 1 || time.Since(began) != 30*heartbeat+silentFor {
			t.Errorf("after %v, %d results: %v", time.Since(began), heard, err)
		}
	})
}

func TestAnAnswerThatTakesItsTimeBeats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &replies{news: make(chan struct{}, 1)}
		var out strings.Builder
		go func() { time.Sleep(5*heartbeat + time.Second); a.end() }()
		a.send(&out, flushed{})
		if out.String() != "\n\n\n\n\n" {
			t.Errorf("%q in a minute", out.String())
		}
	})
}

type flushed struct{}

func (flushed) Flush() error { return nil }
