package fleet

import (
	"context"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"belay/configs"
	"belay/devices"
)

// The kind of the marks that rests are kept as.
const restMarks = "rest"

const (
	aRest    = 20 * time.Hour      // a nightly run tries at most once a night
	together = 6 * time.Hour       // refusals no further apart are of one run, restarts or not
	unseen   = time.Minute         // how long what other processes did may go unseen
	stale    = 30 * 24 * time.Hour // a rest that has been over for so long is of a device that is gone
)

// Rests remember what rests, over restarts. A rest that is over is still known
// until a login succeeds: that device is tried last, its site one at a time.
type Rests struct {
	Marks configs.Marks
	Now   func() time.Time
	For   time.Duration // how long a rest is; 0: 20 hours

	writing sync.Mutex // held while marks are written or read anew; before mu
	mu      sync.Mutex
	loaded  time.Time
	known   map[string]Rest // by key
	unsaved map[string]bool // those that could not be written
	refused map[string]int  // how many devices of a site are known
}

// Refused notes that a device refused its login: it rests, and its site does
// when it is the second there, or when no login there has succeeded since the
// site rested the last time.
func (r *Rests) Refused(ctx context.Context, d devices.Device, cause error) error {
	if err := r.load(ctx); err != nil && r.never() {
		r.forget(nil) // remembered here at least
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	now := r.Now().Round(0)
	length := r.For
	if length <= 0 {
		length = aRest
	}
	rest := Rest{Device: d.ID(), Site: d.SiteKey(), Since: now, Until: now.Add(length), Error: shortened(cause.Error())}
	list := []Rest{rest}
	r.mu.Lock()
	by := []devices.ID{rest.Device}
	for _, o := range r.known {
		if o.Site == rest.Site && o.Device != "" && o.Device != rest.Device && now.Sub(o.Since).Abs() <= together {
			by = append(by, o.Device)
		}
	}
	if last, rested := r.known[SiteKey(rest.Site)]; d.Site != "" && (len(by) > 1 || rested) {
		if rested && len(by) == 1 {
			by = append(by, last.By...)
		}
		slices.Sort(by)
		list = append(list, Rest{Site: rest.Site, By: slices.Compact(by), Since: rest.Since, Until: rest.Until, Error: rest.Error})
	}
	var marks []configs.Mark
	for key, o := range r.known {
		if now.Sub(o.Until) > stale {
			marks = append(marks, configs.Mark{Key: key})
		}
	}
	var failed error
	for _, o := range list {
		m, err := o.mark()
		if err != nil {
			failed = err
		}
		marks = append(marks, m)
		r.remember(o)
		r.unsaved[m.Key] = true
	}
	r.mu.Unlock()
	if failed == nil {
		failed = r.Marks.SetMarks(ctx, restMarks, marks...)
	}
	if failed != nil {
		return &devices.Error{Kind: devices.KindOf(failed), Op: "remember that its login was refused:", Device: d.String(), Err: failed}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range marks {
		if m.Value == nil {
			r.drop(m.Key)
		}
		delete(r.unsaved, m.Key)
	}
	return nil
}

// Worked notes that a device let us in: neither it nor its site rests any more.
func (r *Rests) Worked(ctx context.Context, d devices.Device) error {
	if err := r.load(ctx); err != nil {
		return err
	}
	var keys []string
	r.mu.Lock()
	for _, key := range []string{DeviceKey(d.ID()), SiteKey(d.SiteKey())} {
		if _, ok := r.known[key]; ok {
			keys = append(keys, key)
		}
	}
	r.mu.Unlock()
	if len(keys) == 0 {
		return nil
	}
	return r.End(ctx, keys...)
}

// End ends rests, by Rest.Key. What does not rest is nothing to end.
func (r *Rests) End(ctx context.Context, keys ...string) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	marks := make([]configs.Mark, len(keys))
	for i, key := range keys {
		marks[i].Key = key
	}
	if err := r.Marks.SetMarks(ctx, restMarks, marks...); err != nil {
		return &devices.Error{Kind: devices.KindOf(err), Op: "end the rest of " + strings.Join(keys, ", "), Err: err}
	}
	r.forget(keys)
	return nil
}

// All is what rests now, by key.
func (r *Rests) All(ctx context.Context) iter.Seq2[Rest, error] {
	return func(yield func(Rest, error) bool) {
		now := r.Now()
		for m, err := range r.Marks.Marks(ctx, restMarks) {
			if err != nil {
				yield(Rest{}, &devices.Error{Kind: devices.KindOf(err), Op: "read what rests", Err: err})
				return
			}
			rest, err := restOf(m)
			if (err != nil || rest.active(now)) && !yield(rest, err) {
				return
			}
		}
	}
}

// Of is the rest of a device that this process knows of.
func (r *Rests) Of(id devices.ID) (Rest, bool) {
	now := r.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	rest, ok := r.known[DeviceKey(id)]
	return rest, ok && rest.active(now)
}

// find tells whether a device may be tried.
func (r *Rests) find(ctx context.Context, d *devices.Device) (f finding, err error) {
	if err := r.load(ctx); err != nil {
		return f, err
	}
	now := r.Now()
	r.mu.Lock()
	if len(r.known) == 0 {
		r.mu.Unlock()
		return f, nil
	}
	id, site := d.ID(), d.SiteKey()
	own, its := r.known[DeviceKey(id)]
	whole, all := r.known[SiteKey(site)]
	f.wary = all || r.refused[site] > 0
	r.mu.Unlock()
	if its {
		f.device = &own
	}
	for _, rest := range []Rest{own, whole} {
		if rest.active(now) && r.stands(ctx, &rest) && rest.active(now) {
			f.resting = &Resting{rest, now.Location()}
			return f, nil
		}
	}
	return f, nil
}

// stands looks whether a rest was ended by another process meanwhile, such as a
// capture that a person asked for. Where that cannot be read, it stands.
func (r *Rests) stands(ctx context.Context, rest *Rest) bool {
	key := rest.Key()
	r.mu.Lock()
	unsaved := r.unsaved[key]
	r.mu.Unlock()
	if unsaved {
		return true
	}
	value, err := r.Marks.Mark(ctx, restMarks, key)
	if err != nil {
		return true
	}
	if value == nil {
		r.forget([]string{key})
		return false
	}
	if now, err := restOf(configs.Mark{Key: key, Value: value}); err == nil {
		*rest = now
	}
	return true
}

// load reads the marks when they have not been read for a while. Where that
// fails later on, what was known stands: better an old rest than a locked account.
func (r *Rests) load(ctx context.Context) error {
	if r.isFresh() {
		return nil
	}
	r.save(ctx)
	r.writing.Lock()
	defer r.writing.Unlock()
	if r.isFresh() {
		return nil
	}
	var list []Rest
	for m, err := range r.Marks.Marks(ctx, restMarks) {
		if err != nil {
			if r.never() {
				return &devices.Error{Kind: devices.KindOf(err), Op: "read what rests", Err: err}
			}
			return nil //nolint:nilerr // see above
		}
		if rest, err := restOf(m); err == nil { // All tells of others
			list = append(list, rest)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for key := range r.known {
		if !r.unsaved[key] {
			r.drop(key)
		}
	}
	r.prepare()
	for _, rest := range list {
		if !r.unsaved[rest.Key()] {
			r.remember(rest)
		}
	}
	r.loaded = r.Now()
	return nil
}

// save writes what could not be written when it was noted.
func (r *Rests) save(ctx context.Context) {
	r.writing.Lock()
	defer r.writing.Unlock()
	r.mu.Lock()
	var marks []configs.Mark
	for key := range r.unsaved {
		if m, err := r.known[key].mark(); err == nil {
			marks = append(marks, m)
		}
	}
	r.mu.Unlock()
	if len(marks) == 0 || r.Marks.SetMarks(ctx, restMarks, marks...) != nil {
		return // whoever noted it was told; until it succeeds it is known here
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.unsaved)
}

func (r *Rests) isFresh() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	age := r.Now().Sub(r.loaded)
	return r.known != nil && !r.loaded.IsZero() && age >= 0 && age < unseen
}

// never tells whether the marks were never read.
func (r *Rests) never() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.loaded.IsZero()
}

func (r *Rests) prepare() {
	if r.known == nil {
		r.known, r.unsaved, r.refused = map[string]Rest{}, map[string]bool{}, map[string]int{}
	}
}

// remember and drop keep the count of a site's devices right.
func (r *Rests) remember(rest Rest) {
	r.drop(rest.Key())
	r.known[rest.Key()] = rest
	if rest.Device != "" {
		r.refused[rest.Site]++
	}
}

func (r *Rests) drop(key string) {
	rest, ok := r.known[key]
	if !ok {
		return
	}
	delete(r.known, key)
	if rest.Device != "" {
		if r.refused[rest.Site]--; r.refused[rest.Site] == 0 {
			delete(r.refused, rest.Site)
		}
	}
}

func (r *Rests) forget(keys []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.prepare()
	for _, key := range keys {
		r.drop(key)
		delete(r.unsaved, key)
	}
}

// count is how many devices and sites rest, as far as is known here.
func (r *Rests) count() (ofDevices, ofSites int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.Now()
	for _, rest := range r.known {
		switch {
		case !rest.active(now):
		case rest.Device != "":
			ofDevices++
		default:
			ofSites++
		}
	}
	return ofDevices, ofSites
}

// shortened is enough of an error for a mark.
func shortened(s string) string {
	const most = 300
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
