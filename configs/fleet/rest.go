package fleet

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"belay/configs"
	"belay/devices"
)

// A Rest keeps a device, or all devices of a site, from being tried without a
// person asking for it, because a login was refused: a wrong password that is
// tried again and again locks the account. As JSON it is the value of a mark.
type Rest struct {
	Device devices.ID   `json:"device,omitempty"` // the one that rests; empty: the whole site does
	Site   string       `json:"site"`             // as devices.Device.SiteKey has it
	By     []devices.ID `json:"by,omitempty"`     // whose refusals made the site rest
	Since  time.Time    `json:"since"`
	Until  time.Time    `json:"until"`
	Error  string       `json:"error"` // of the refusal that made it rest
}

// Key is the rest's name among the marks; see Rests.End.
func (r Rest) Key() string {
	if r.Device != "" {
		return DeviceKey(r.Device)
	}
	return SiteKey(r.Site)
}

// DeviceKey names the rest of a device.
func DeviceKey(id devices.ID) string { return "device " + string(id) }

// SiteKey names the rest of a site, which is named as devices.Device.SiteKey does.
func SiteKey(site string) string { return "site " + site }

// active tells whether it still rests. A clock that was ahead when the login was
// refused does not make it rest for longer than it would.
func (r Rest) active(now time.Time) bool {
	return now.Before(r.Until) && !r.Since.After(now.Add(time.Hour))
}

// Resting is the cause of a result that was given without a reading.
type Resting struct {
	Rest
	zone *time.Location
}

func (r *Resting) Error() string {
	at := func(t time.Time) string { return t.In(r.zone).Format("2006-01-02 15:04") }
	if r.Device != "" {
		return fmt.Sprintf("rests until %s: its login was refused on %s (%s)", at(r.Until), at(r.Since), r.Rest.Error)
	}
	var by []string
	for _, id := range r.By {
		by = append(by, string(id))
	}
	return fmt.Sprintf("site %s rests until %s: the logins of %s were refused, the last on %s (%s)", r.Site, at(r.Until), strings.Join(by, " and "), at(r.Since), r.Rest.Error)
}

// A finding is what is known of a device whose turn has come.
type finding struct {
	resting *Resting // nil: it may be tried
	device  *Rest    // its own rest, also one that is over; nil: its last login was not refused
	wary    bool     // a login of its site was refused and none has succeeded since
}

// result is what becomes of a job whose device rests.
func (f finding) result(d devices.Device) configs.Result {
	r := configs.Result{Device: d.String(), ID: d.ID(), Result: configs.Denied, Checks: []configs.Check{}}
	r.Err = &devices.Error{Kind: devices.Denied, Op: "capture", Device: r.Device, Err: f.resting,
		Hint: "put the login right; belay capture " + r.Device + " tries it now, and ends the rest when it is let in"}
	r.Error, r.Hint = r.Err.Error(), devices.HintOf(r.Err)
	return r
}

func (r Rest) mark() (configs.Mark, error) {
	value, err := json.Marshal(r)
	return configs.Mark{Key: r.Key(), Value: value}, err
}

func restOf(m configs.Mark) (Rest, error) {
	var r Rest
	err := json.Unmarshal(m.Value, &r)
	if err == nil && r.Key() != m.Key {
		err = fmt.Errorf("it is that of %s", r.Key())
	}
	if err != nil {
		return r, &devices.Error{Kind: devices.Damaged, Op: "read the rest of " + m.Key, Err: err}
	}
	return r, nil
}
