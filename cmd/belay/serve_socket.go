package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"belay/configs"
	"belay/devices"
)

// socketFile is where a running service takes requests of commands. Who may
// write to it may write to the data folder as well, and is believed as much.
const socketFile = "service.sock"

// A captureRequest asks the service for captures.
type captureRequest struct {
	Devices []devices.ID   `json:"devices"`
	Order   configs.Order  `json:"order"`
	Waits   bool           `json:"waits"` // a person waits: before all else
	By      configs.Person `json:"by"`
	Record  bool           `json:"record"` // in the ledger, and say that it was done
}

// A captureAnswer is one result. What a Result does not carry in JSON stands
// beside it.
type captureAnswer struct {
	Result configs.Result `json:"result"`
	ID     devices.ID     `json:"id"`
	Failed bool           `json:"failed"`
	Kind   devices.Kind   `json:"kind"`

	Recorded bool `json:"recorded,omitempty"` // the last: no result, but that the request is in the ledger, or why not
}

func answerOf(r configs.Result) captureAnswer {
	return captureAnswer{Result: r, ID: r.ID, Failed: r.Err != nil, Kind: devices.KindOf(r.Err)}
}

// result is the answer as it was before it was sent.
func (a captureAnswer) result() configs.Result {
	r := a.Result
	r.ID = a.ID
	if r.Checks == nil {
		r.Checks = []configs.Check{}
	}
	if a.Failed {
		r.Err = &devices.Error{Kind: a.Kind, Err: errors.New(r.Error), Hint: r.Hint}
	}
	return r
}

// listenSocket opens the socket in the data folder. Whoever holds the service's
// lock may take one away that a killed service left.
func listenSocket(dir string) (net.Listener, error) {
	path := filepath.Join(dir, socketFile)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	// From its first moment nobody else may write to it, whatever the folder allows.
	before := syscall.Umask(0o077)
	l, err := net.Listen("unix", path)
	syscall.Umask(before)
	if err != nil {
		return nil, err
	}
	return l, os.Chmod(path, 0o600)
}

// requests answers what commands ask of the service, which lives as long as life:
// what outlasts a request belongs to that, as what hears of changes does.
func (s *server) requests(life context.Context) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.status(r.Context())) // who has gone away needs no answer
	})
	mux.HandleFunc("GET /devices", func(w http.ResponseWriter, r *http.Request) { s.find(life, w, r) })
	mux.HandleFunc("POST /captures", func(w http.ResponseWriter, r *http.Request) { s.captures(life, w, r) })
	return mux
}

// captures has devices captured and sends each result as it comes.
func (s *server) captures(life context.Context, w http.ResponseWriter, r *http.Request) {
	var q captureRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 16<<20)).Decode(&q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var list []devices.Device
	err := s.orReload(life, func(w *workspace) (err error) { list, err = w.allOf(q.Devices); return err })
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	q.Order.By = q.By
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	to := http.NewResponseController(w)
	_ = to.Flush() // the asker may be gone: then ctx says so
	a := &replies{news: make(chan struct{}, 1)}
	var sent sync.WaitGroup
	sent.Go(func() { a.send(w, to) })
	began := s.p.now()
	var results []configs.Result
	s.capture(r.Context(), list, q, func(res configs.Result) {
		results = append(results, res.Brief())
		a.add(answerOf(res))
	})
	if q.Record {
		a.add(s.recordAsked(context.WithoutCancel(r.Context()), q.Order, began, results))
	}
	a.end()
	// A service that stops waits a moment for an asker that does not read.
	stop := context.AfterFunc(life, func() { _ = to.SetWriteDeadline(time.Now().Add(answerWithin)) })
	defer stop()
	sent.Wait()
}

// How long a service and whoever asks it wait for each other.
const (
	answerWithin = 5 * time.Second  // one that stops, for who asked it to read
	headWithin   = 30 * time.Second // for the beginning of an answer
	heartbeat    = 10 * time.Second // from one line of an answer to the next, at most
	silentFor    = 2 * time.Minute  // and until it is taken for stopped, or frozen
)

// replies wait for whoever asked: a command that is suspended, or whose output
// nobody reads, holds up nobody else's captures.
type replies struct {
	mu    sync.Mutex
	lines []byte
	ended bool
	news  chan struct{}
}

func (a *replies) add(one captureAnswer) {
	line, err := json.Marshal(one)
	if err != nil {
		return // texts and numbers always are
	}
	a.line(line)
}

func (a *replies) line(line []byte) {
	a.mu.Lock()
	a.lines = append(append(a.lines, line...), '\n')
	a.mu.Unlock()
	a.stir()
}

func (a *replies) end() {
	a.mu.Lock()
	a.ended = true
	a.mu.Unlock()
	a.stir()
}

func (a *replies) stir() {
	select {
	case a.news <- struct{}{}:
	default:
	}
}

// send writes what comes until it ends.
func (a *replies) send(w io.Writer, to interface{ Flush() error }) {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-a.news:
		case <-beat.C: // who waits for a slow device sees that the service lives
			a.line(nil)
			continue
		}
		a.mu.Lock()
		lines, ended := a.lines, a.ended
		a.lines = nil
		a.mu.Unlock()
		_, _ = w.Write(lines) // who has gone away needs no answer
		_ = to.Flush()
		if ended {
			return
		}
	}
}

// allOf are the devices of those ids.
func (w *workspace) allOf(ids []devices.ID) (list []devices.Device, err error) {
	for _, id := range ids {
		d, ok := w.device(id)
		if !ok {
			return nil, fmt.Errorf("the service knows no device %s", id)
		}
		list = append(list, d)
	}
	return list, nil
}

// overSocket is a client of the service of a data folder.
func overSocket(dir string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, ResponseHeaderTimeout: headWithin,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", filepath.Join(dir, socketFile))
		},
	}}
}

// askSocket sends a request to the service of a data folder. It fails with errNoService
// where nobody listens.
func askSocket(ctx context.Context, dir, method, what string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://service"+what, body)
	if err != nil {
		return nil, err
	}
	resp, err := overSocket(dir).Do(req)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, errNoService
	}
	return resp, nil
}

// errSilent says that a service has stopped in the middle of its answer, and not ended.
var errSilent = errors.New("it says nothing any more")

// errNoService says that no service answers: the command does the work itself.
var errNoService = errors.New("no service answers")

// askService has the running service capture devices, and record that where q asks
// for it: not when it is killed before. It fails with errNoService where nothing was begun.
func askService(ctx context.Context, dir string, q captureRequest, told func(configs.Result)) (recorded bool, err error) {
	body, err := json.Marshal(q)
	if err != nil {
		return false, err
	}
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	resp, err := askSocket(ctx, dir, http.MethodPost, "/captures", bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	defer func() { _ = resp.Body.Close() }() // it was read to its end
	if resp.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(io.LimitReader(resp.Body, 4096)) // the status says enough
		return false, &devices.Error{Kind: devices.Usage, Op: "ask the service", Err: errors.New(string(bytes.TrimSpace(why)))}
	}
	return hearAnswers(ctx, resp.Body, silentFor, giveUp, told)
}

// hearAnswers reads what a service answers, and gives up one that has become silent.
func hearAnswers(ctx context.Context, body io.Reader, most time.Duration, giveUp func(error), told func(configs.Result)) (recorded bool, err error) {
	silent := time.AfterFunc(most, func() { giveUp(errSilent) })
	defer silent.Stop()
	lines := bufio.NewReader(body)
	for {
		line, err := lines.ReadBytes('\n')
		silent.Reset(most)
		if len(bytes.TrimSpace(line)) > 0 {
			var a captureAnswer
			if err := json.Unmarshal(line, &a); err != nil {
				return false, fmt.Errorf("ask the service: %w", err)
			}
			if a.Recorded {
				return true, a.result().Err
			}
			told(a.result())
		}
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			if errors.Is(context.Cause(ctx), errSilent) {
				return false, &devices.Error{Kind: devices.Broken, Op: "ask the service", Err: errSilent, Hint: "see whether it is stopped or frozen; belay serve --status asks it"}
			}
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			return false, fmt.Errorf("ask the service: it ended in the middle: %w", err)
		}
	}
}

// A serviceStatus is what belay serve --status tells.
type serviceStatus struct {
	Since   time.Time         `json:"since"`
	Devices int               `json:"devices"`           // of the inventory, as it was read last
	Refused string            `json:"refused,omitempty"` // why changed settings were not taken
	Round   *roundStatus      `json:"round,omitempty"`
	Next    time.Time         `json:"next,omitzero"` // when a device is next due
	Waiting int               `json:"waiting"`
	Busy    int               `json:"busy"`
	Retries int               `json:"retries"`
	Again   time.Time         `json:"again,omitzero"`   // the next of those is tried
	Chores  map[string]string `json:"chores,omitempty"` // those whose last try failed, and why
}

type roundStatus struct {
	Began   time.Time `json:"began"`
	Pending int       `json:"pending"`
}

// askStatus is the running service's status.
func askStatus(ctx context.Context, dir string) (serviceStatus, error) {
	var st serviceStatus
	resp, err := askSocket(ctx, dir, http.MethodGet, "/status", nil)
	if err != nil {
		return st, err
	}
	defer func() { _ = resp.Body.Close() }() // it was read to its end
	return st, json.NewDecoder(resp.Body).Decode(&st)
}
