package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"

	"belay/devices"
)

// A namedDevice is what a command needs to know of a device that the service
// captures for it.
type namedDevice struct {
	Customer string `json:"customer"`
	Name     string `json:"name"`
	FirstID  string `json:"first_id,omitempty"`
}

// find tells which devices are meant by the names that somebody typed.
func (s *server) find(life context.Context, w http.ResponseWriter, r *http.Request) {
	names := r.URL.Query()["name"]
	var list []namedDevice
	err := s.orReload(life, func(w *workspace) (err error) { list, err = findAll(w, names); return err })
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(list) // who has gone away needs no answer
}

// orReload looks something up in the inventory, and once more where that fails
// and somebody has just edited it.
func (s *server) orReload(life context.Context, look func(*workspace) error) error {
	try := func() error {
		w, leave := s.live.use()
		defer leave()
		return look(w)
	}
	err := try()
	if err != nil && s.live.changed() {
		s.reload(life)
		err = try()
	}
	return err
}

func findAll(w *workspace, names []string) ([]namedDevice, error) {
	var list []namedDevice
	for _, n := range names {
		d, err := w.inventory.Find(n)
		if err != nil {
			return nil, err
		}
		if found := (namedDevice{d.Customer, d.Name, d.FirstID}); !slices.Contains(list, found) {
			list = append(list, found)
		}
	}
	return list, nil
}

// openToAsk opens what a command needs that has a running service capture the
// devices that were named: nothing. The drivers, an inventory of ten thousand devices
// and a database would take longer than all else that such a command does. ok is false
// where no service answers or a name means nothing to it: whoever looks in the
// inventory says why.
func (p *program) openToAsk(ctx context.Context, names []string) (w *workspace, list []devices.Device, ok bool) {
	s, err := readSettings(p.config)
	if err != nil {
		return nil, nil, false
	}
	w = &workspace{settings: s, now: p.now}
	if w.by, err = p.person(s.Email); err != nil {
		return nil, nil, false
	}
	if list, err = askWhich(ctx, s.Data, names); err != nil || len(list) == 0 {
		return nil, nil, false
	}
	return w, list, true
}

// askWhich asks the running service which devices are meant. One that does not say so
// soon, as a process that is stopped, is not asked for anything.
func askWhich(ctx context.Context, dir string, names []string) (list []devices.Device, err error) {
	ctx, done := context.WithTimeout(ctx, headWithin/2)
	defer done()
	resp, err := askSocket(ctx, dir, http.MethodGet, "/devices?"+url.Values{"name": names}.Encode(), nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // it was read to its end
	if resp.StatusCode != http.StatusOK {
		return nil, errNoService
	}
	var found []namedDevice
	if err := json.NewDecoder(resp.Body).Decode(&found); err != nil {
		return nil, err
	}
	for _, d := range found {
		list = append(list, devices.Device{Customer: d.Customer, Name: d.Name, FirstID: d.FirstID})
	}
	return list, nil
}
