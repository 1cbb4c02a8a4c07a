package history

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"

	"belay/configs"
	"belay/devices"
)

// A Report is what a check of one customer's index found.
type Report struct {
	Customer string
	Devices  int
	Versions int
	Sampled  int      // devices whose newest text was searched for a line of it
	Wrong    []string // where the index says otherwise than the history
}

// Check compares the index of a customer, or with "" of all, with history: where
// it stands, every version of every device in its order, and whether a sample of
// the newest texts can be found. Index and history may be of another moment than
// the check began in, but of one and the same.
func (h *History) Check(ctx context.Context, customer string, sample int) ([]Report, error) {
	customers := []string{customer}
	if customer == "" {
		var err error
		if customers, err = h.known(ctx); err != nil {
			return nil, err
		}
	}
	var reports []Report
	var errs []error
	for _, c := range customers {
		r, err := h.check(ctx, c, sample)
		reports, errs = append(reports, r), append(errs, err)
	}
	return reports, errors.Join(errs...)
}

func (h *History) check(ctx context.Context, customer string, sample int) (Report, error) {
	r := Report{Customer: customer}
	if err := h.Refresh(ctx, customer); err != nil && (devices.KindOf(err) != devices.Damaged || !h.stands(ctx, customer)) {
		return r, err
	}
	head, err := h.Index.Head(ctx, customer)
	if err != nil || head == "" {
		return r, err
	}
	left := map[devices.ID][]configs.Version{} // of the index, the oldest last
	newest := map[devices.ID]configs.Indexed{}
	total, seen := 0, 0
	for v, err := range h.Index.Since(ctx, customer, time.Time{}) {
		if err != nil {
			return r, err
		}
		total++
		left[v.ID] = nil
	}
	for id := range left {
		for v, err := range h.Index.Versions(ctx, id) {
			if err != nil {
				return r, err
			}
			left[id] = append(left[id], v)
		}
	}
	for v, err := range h.Walk.Along(ctx, customer, "", head) {
		if err != nil {
			return r, err
		}
		id, list := v.Version.ID, left[v.Version.ID]
		if v.Damage != nil {
			r.wrong("%s: version %s is damaged: %v", id, v.Version.Commit, v.Damage)
		}
		if v.Texts != nil {
			newest[id] = v
		}
		if seen++; len(list) == 0 {
			r.wrong("%s: version %s is missing", id, v.Version.Commit)
			continue
		}
		if got := list[len(list)-1]; !same(got, v.Version) {
			r.wrong("%s: version %s is not as in history", id, v.Version.Commit)
		}
		left[id] = list[:len(list)-1]
	}
	r.Devices, r.Versions = len(left), seen
	if total != seen {
		r.wrong("%d versions, and %d in history", total, seen)
	}
	for id, v := range newest {
		if r.Sampled == sample {
			break
		}
		r.Sampled++
		if err := h.searched(ctx, &r, id, v); err != nil {
			return r, err
		}
	}
	if now, err := h.Index.Head(ctx, customer); err != nil || now != head {
		return r, errors.Join(err, &devices.Error{Op: "check the index of", Device: customer, Err: configs.ErrIndexMoved, Hint: "check it once more"})
	}
	return r, nil
}

// searched looks for the longest line of a device's newest text.
func (h *History) searched(ctx context.Context, r *Report, id devices.ID, v configs.Indexed) error {
	for _, t := range v.Texts {
		longest := ""
		for line := range strings.Lines(t.Clean.String()) {
			if len(line) > len(longest) {
				longest = strings.TrimSuffix(line, "\n")
			}
		}
		found := false
		pattern := regexp.MustCompile("^" + regexp.QuoteMeta(longest) + "$")
		for f, err := range h.Index.Search(ctx, configs.Query{Customer: id.Customer(), Pattern: pattern}) {
			if err != nil {
				return err
			}
			found = found || f.ID == id && f.File == t.Name && f.Commit == v.Version.Commit
		}
		if !found {
			r.wrong("%s: %s cannot be searched", id, t.Name)
		}
	}
	return nil
}

func (r *Report) wrong(format string, args ...any) {
	r.Wrong = append(r.Wrong, fmt.Sprintf(format, args...))
}

// same compares what both have, times as moments.
func same(a, b configs.Version) bool {
	if !a.Taken.Equal(b.Taken) {
		return false
	}
	a.Taken, b.Taken, a.New, b.New = time.Time{}, time.Time{}, false, false
	return reflect.DeepEqual(a, b) || fmt.Sprintf("%+v", a) == fmt.Sprintf("%+v", b) // nil and empty are alike
}
