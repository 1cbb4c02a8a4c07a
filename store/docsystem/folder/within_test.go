package folder

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/devices"
)

// operations are all that a folder can be asked, of one file.
var operations = map[string]func(context.Context, *Folder) error{
	"find": func(ctx context.Context, f *Folder) error {
		_, err := f.FindItems(ctx, configs.Wanted{Customer: "acme", Device: "fw-hq"})
		return err
	},
	"items": func(ctx context.Context, f *Folder) error {
		_, err := f.Items(ctx, "acme", nil)
		return err
	},
	"attach": func(ctx context.Context, f *Folder) error {
		_, err := f.Attach(ctx, fwHQ, configs.Attached{Name: "a.txt", Bytes: []byte("x")})
		return err
	},
	"attached": func(ctx context.Context, f *Folder) error {
		_, err := f.Attached(ctx, fwHQ)
		return err
	},
	"read": func(ctx context.Context, f *Folder) error {
		_, err := f.ReadAttachment(ctx, fwHQ, configs.Attachment{ID: "a.txt"})
		return err
	},
	"remove": func(ctx context.Context, f *Folder) error {
		return f.RemoveAttachment(ctx, fwHQ, configs.Attachment{ID: "a.txt"})
	},
}

// hung is a folder in a share whose server is gone until the channel is closed.
// It counts who has asked it. Channel and folder belong to one bubble.
func hung(t *testing.T, path string) (*Folder, chan struct{}, *atomic.Int32) {
	t.Helper()
	f, back, asked := open(t, path), make(chan struct{}), new(atomic.Int32)
	f.enter = func(path string) (*os.Root, error) {
		asked.Add(1)
		<-back
		return os.OpenRoot(path)
	}
	return f, back, asked
}

// wantLeftOpen checks what is told of something that may be done yet.
func wantLeftOpen(t *testing.T, err, want error, hint string) {
	t.Helper()
	if d, ok := errors.AsType[*configs.Declined](err); ok || err == nil || want != nil && !errors.Is(err, want) {
		t.Errorf("error %v (declined %v), want it left open because of %v", err, d, want)
	}
	if !strings.Contains(devices.HintOf(err), hint) {
		t.Errorf("hint %q, want %q in it", devices.HintOf(err), hint)
	}
}

func TestNobodyIsHeldByAShareThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for name, ask := range operations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			attach(t, open(t, root), fwHQ, "a.txt", "x")
			synctest.Test(t, func(t *testing.T) {
				f, back, _ := hung(t, root)
				ctx, cancel := context.WithCancel(t.Context())
				began := time.Now()
				time.AfterFunc(time.Second, cancel)
				wantLeftOpen(t, ask(ctx, f), context.Canceled, "")
				if took := time.Since(began); took != time.Second {
					t.Errorf("a caller who was interrupted after a second was held for %v", took)
				}
				began = time.Now()
				wantLeftOpen(t, ask(t.Context(), f), nil, "see whether the share")
				if took := time.Since(began); took != 2*time.Minute {
					t.Errorf("a patient caller was held for %v", took)
				}
				close(back)
				synctest.Wait()
				if err := ask(t.Context(), f); err != nil || f.hang.Load() != 0 {
					t.Errorf("the server is back; error %v, %d hang", err, f.hang.Load())
				}
			})
		})
	}
}

func TestAShareInWhichManyHangIsLeftAlone(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	attach(t, open(t, root), fwHQ, "a.txt", "x")
	synctest.Test(t, func(t *testing.T) {
		f, back, asked := hung(t, root)
		for range 4 {
			wantLeftOpen(t, operations["attach"](t.Context(), f), nil, "see whether the share")
		}
		began := time.Now()
		for name, ask := range operations {
			err := ask(t.Context(), f)
			wantDeclined(t, name, err, configs.Busy)
			if !strings.Contains(devices.HintOf(err), "see whether the share") {
				t.Errorf("%s: hint %q", name, devices.HintOf(err))
			}
		}
		if n, took := asked.Load(), time.Since(began); n != 4 || took != 0 {
			t.Errorf("the share was asked %d times, and the last callers were held for %v", n, took)
		}
		close(back)
		synctest.Wait()
		for name, ask := range operations {
			if err := ask(t.Context(), f); err != nil {
				t.Errorf("%s, when the server is back: %v", name, err)
			}
		}
	})
}

func TestManyAtWorkAreNotManyThatHang(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f, back, _ := hung(t, root)
		ended := make(chan error)
		for range 20 {
			go func() { _, err := f.Items(t.Context(), "acme", nil); ended <- err }()
		}
		synctest.Wait()
		close(back)
		for range 20 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestWhatWasGivenUpDoesNotAppearLater(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hang func(f *Folder, wait func())
		want []string
	}{
		"before it began": {func(f *Folder, wait func()) {
			f.enter = func(path string) (*os.Root, error) { wait(); return os.OpenRoot(path) }
		}, nil},
		"while it was written": {func(f *Folder, wait func()) {
			f.flush = func(file *os.File) error {
				if i, err := file.Stat(); err != nil || !i.IsDir() {
					wait()
				}
				return file.Sync()
			}
		}, nil},
		"where a share has no links": {func(f *Folder, wait func()) {
			f.link = func(*os.Root, string, string) error { wait(); return syscall.EPERM }
		}, nil},
		"at the last moment": {func(f *Folder, wait func()) { // too late: then it is there whole
			f.link = func(dir *os.Root, from, to string) error { wait(); return dir.Link(from, to) }
		}, []string{"a.txt"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			home := filepath.Join(root, "acme", "fw-hq")
			if err := os.MkdirAll(home, 0o700); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				f, back := open(t, root), make(chan struct{})
				c.hang(f, func() { <-back })
				text := []byte("hostname fw-hq\n")
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				_, err := f.Attach(ctx, fwHQ, configs.Attached{Name: "a.txt", Bytes: text})
				wantLeftOpen(t, err, context.Canceled, "")
				close(back)
				text[0] = 'H' // it is the caller's again: the race detector sees who still reads it
				synctest.Wait()
				if names := lies(t, home); !cmp.Equal(names, c.want) {
					t.Errorf("there lies %v, want %v", names, c.want)
				}
				if got := attach(t, f, fwHQ, "a.txt", "hostname fw-hq\n"); got.Bytes != 15 {
					t.Errorf("sent again: %+v", got)
				}
			})
		})
	}
}

func TestARemovalThatWasGivenUpTakesNothingAwayLater(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	attach(t, open(t, root), fwHQ, "a.txt", "x")
	synctest.Test(t, func(t *testing.T) {
		f, back, _ := hung(t, root)
		wantLeftOpen(t, operations["remove"](t.Context(), f), nil, "see whether the share")
		close(back)
		synctest.Wait()
		if names := lies(t, root, "acme", "fw-hq"); !cmp.Equal(names, []string{"a.txt", "index.csv"}) {
			t.Errorf("there lies %v", names)
		}
	})
}
