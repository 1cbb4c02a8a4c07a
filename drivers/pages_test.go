package drivers_test

import (
	"context"
	nethttp "net/http"
	"strings"
	"testing"
	"time"

	"belay/devices"
	"belay/devices/http"
	"belay/drivers"
)

// linked is an API whose every answer names the next page.
type linked struct {
	next string
	size int
	last *[]string
}

func (l linked) Do(_ context.Context, q http.Request) (http.Answer, error) {
	*l.last = append(*l.last, q.Path)
	next := strings.ReplaceAll(l.next, "N", strings.Repeat("1", len(*l.last)))
	return http.Answer{Status: 200, Header: nethttp.Header{"Link": {"<" + next + ">; rel=next"}}, Body: []byte(`[{"name": "` + strings.Repeat("x", l.size) + `"}]`)}, nil
}
func (linked) Reached() devices.Reached { return devices.Reached{} }
func (linked) Close() error             { return nil }

// TestPagesComeToAnEndAndHoldNothingOfOurs: the next page is the device's own word.
func TestPagesComeToAnEndAndHoldNothingOfOurs(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]struct {
		why   string
		asked int
		size  int
	}{
		"/api/config?p=N":                {"more than 1000 pages", 1000, 1},
		"/api/config?q=N":                {"answer of more than 128 MB", 5, 30 << 20},
		"/api/config":                    {"go round in a circle", 1, 1},
		"/api/config?p=1":                {"go round in a circle", 2, 1},
		"/api/config?p=%7Bpassword%7D":   {"", 0, 1},
		"/api/config?p={password}":       {"not to be had", 1, 1},
		"/api/config?p=x{user}":          {"not to be had", 1, 1},
		"/api/config/reboot":             {"not to be had", 1, 1},
		"https://192.0.2.9/api?action=x": {"not to be had", 1, 1},
	} {
		t.Run(next, func(t *testing.T) {
			t.Parallel()
			c, err := apiDriver(t)
			if err != nil {
				t.Fatal(err)
			}
			var asked []string
			p := &drivers.Puller{Catalog: c, Idle: time.Second, Now: time.Now, DialHTTPS: func(context.Context, devices.Device, *drivers.Driver) (drivers.Asker, devices.Login, error) {
				return linked{next, want.size, &asked}, devices.Login{User: "canary-user", Password: devices.NewSecret("canary-word")}, nil
			}}
			_, err = p.Pull(t.Context(), devices.Device{Driver: "acme_api", Address: "192.0.2.1"})
			if err == nil || !strings.Contains(err.Error(), want.why) || want.asked > 0 && len(asked) != want.asked {
				t.Errorf("%d asked: %v", len(asked), err)
			}
			if all := strings.Join(asked, "\n") + err.Error(); strings.Contains(all, "canary") {
				t.Errorf("asked %.300q: %v", asked, err)
			}
		})
	}
}
