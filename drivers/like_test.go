package drivers_test

import (
	"strings"
	"testing"

	"belay/configs"
	"belay/devices/simulator"
	"belay/drivers"
)

const second = `title: Acme OS by another road
like: acme_os
pull:
  - {run: show all, keep: running.conf}
volatile: ['^uptime .*\n']
secrets:
  - {name: token, find: '^token (?P<secret>\S+)'}
`

func likes(t *testing.T, files map[string]string) (*drivers.Catalog, error) {
	t.Helper()
	if _, given := files["acme_os.yaml"]; !given {
		files["acme_os.yaml"] = plainAcme
	}
	return drivers.Load(folder(t, false, files))
}

// TestADriverIsLikeAnother: it has its prompt, failures, end mark, facts and
// secrets, and adds its own.
func TestADriverIsLikeAnother(t *testing.T) {
	t.Parallel()
	c, err := likes(t, map[string]string{"acme_two.yaml": second, "acme_three.yaml": swap(t, second, "like: acme_os", "like: acme_two\naliases: [acme3]")})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"acme_two", "acme_three"} {
		d, err := c.Find(name)
		if err != nil || d.Title != "Acme OS by another road" || d.Road() != "shell" {
			t.Fatalf("%+v %v", d, err)
		}
		tr, err := simulator.Parse("x.txtar", []byte(swap(t, swap(t, boxText("", ""), "driver: acme_os", "driver: "+name),
			"-- show running-config --\n", "-- show all --\nuptime 3 days\ntoken canary-two\n")))
		if err != nil {
			t.Fatal(err)
		}
		b, r := backup(puller(c, &simulator.Device{T: tr}))
		res, texts := capture(t, b, r, played{tr, d}.device())
		text := texts[configs.MainFile]
		if res.Result != configs.Kept || strings.Contains(text, "canary") || strings.Contains(text, "uptime") || res.Identity.Hostname != "fw" {
			t.Errorf("%s: %s %s\n%s", name, res.Result, res.Error, text)
		}
	}
}

// TestAnotherRoadHasASessionOfItsOwn: and a driver's own keys win over the other's.
func TestAnotherRoadHasASessionOfItsOwn(t *testing.T) {
	t.Parallel()
	c, err := likes(t, map[string]string{
		"acme_os.yaml":  swap(t, plainAcme, "logout: exit", "logout: quit\nport: 2222\naccount: make one\nenable: {run: enable, when: '> ?$', ask: 'x: $', until: '# ?$'}"),
		"acme_two.yaml": swap(t, second, "like:", "road: exec\ngrade: {level: audit, missing: much}\nlike:"),
	})
	if err != nil {
		t.Fatal(err)
	}
	d, _ := c.Find("acme_two")
	if d.Road() != "exec" || d.Port != 22 || strings.Join(d.Commands(), ",") != "show all" || d.Account != "make one" || d.Rules.Grading.Level != configs.Audit {
		t.Errorf("%+v", d)
	}
	if d, _ = c.Find("acme_os"); d.Port != 2222 || d.Rules.Grading.Level != configs.Restore {
		t.Errorf("the other one changed: %+v", d)
	}
}

func TestAUsersDriverIsLikeTheBuiltInOneThatItReplaces(t *testing.T) {
	t.Parallel()
	const mine = "title: mine\nlike: cisco_ios\npull:\n  - {run: show running-config view full, keep: running.conf}\n"
	c, err := likes(t, map[string]string{"cisco_ios.yaml": mine, "cisco_two.yaml": swap(t, mine, "mine", "of mine")})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cisco_ios", "cisco_two"} {
		d, err := c.Find(name)
		if err != nil || !strings.Contains(strings.Join(d.Commands(), ","), "view full") || d.Rules.Complete.Ends == nil || len(d.Rules.Redact.Secrets) < 20 {
			t.Errorf("%+v %v", d, err)
		}
	}
}

func TestADriverLikeNothingOrItselfDoesNotLoad(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]map[string]string{
		`acme_two.yaml: like: there is no driver "acme_x"`: {"acme_two.yaml": swap(t, second, "like: acme_os", "like: acme_x")},
		"goes round in a circle":                           {"acme_two.yaml": swap(t, second, "like: acme_os", "like: acme_three"), "acme_three.yaml": swap(t, second, "like: acme_os", "like: acme_two")},
		"acme_two is like acme_two goes round":             {"acme_two.yaml": swap(t, second, "like: acme_os", "like: acme_two")},
		"pull: no step has keep":                           {"acme_two.yaml": "title: x\nlike: acme_os\n"},
		"title: missing":                                   {"acme_two.yaml": swap(t, second, "title: Acme OS by another road\n", "")},
	} {
		if _, err := likes(t, files); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want %q, got %v", name, err)
		}
	}
}
