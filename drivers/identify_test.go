package drivers

import (
	"strings"
	"testing"
)

// systems makes a catalog of drivers that are nothing but their signs.
func systems(t *testing.T, specs map[string]identifySpec, like map[string]string) *Catalog {
	t.Helper()
	c := &Catalog{drivers: map[string]*Driver{}, origins: map[string]string{}}
	for name, s := range specs {
		k := &compiler{}
		c.origins[name] = "made up"
		c.drivers[name] = &Driver{Name: name, Like: like[name], Signs: k.signs(&s)}
		if len(k.errs) > 0 {
			t.Fatal(k.errs)
		}
	}
	return c
}

func TestTheSystemIsGuessedFromWhatADeviceShows(t *testing.T) {
	t.Parallel()
	c := systems(t, map[string]identifySpec{
		"ios":   {ObjectID: []string{"9.1"}, Descr: `^Cisco IOS Software`, SSH: `^SSH-[\d.]+-Cisco-1\.25`},
		"nxos":  {ObjectID: []string{"9.12.3"}, Descr: `Cisco NX-OS`},
		"asa":   {ObjectID: []string{"9.1"}, Descr: `Adaptive Security Appliance`, SSH: `^SSH-[\d.]+-Cisco-1\.25`},
		"smb":   {ObjectID: []string{"9.6.1", "9.1.1058"}},
		"forti": {ObjectID: []string{"12356.101.1"}, Confirm: "12356.101.4.1.1.0"},
		"api":   {ObjectID: []string{"12356.101.1"}, Confirm: "12356.101.4.1.1.0"},
		"plain": {ObjectID: []string{"8072.3.2.10"}},
		"edge":  {ObjectID: []string{"8072.3.2.10"}, Descr: `^EdgeOS`},
	}, map[string]string{"api": "forti"})
	for name, w := range map[string]struct {
		e    Evidence
		want string // drivers in order with how sure each is
	}{
		"prefix and words":            {Evidence{ObjectID: ".1.3.6.1.4.1.9.1.2134", Description: "Cisco IOS Software, C2960X"}, "ios certain"},
		"the longer prefix":           {Evidence{ObjectID: ".1.3.6.1.4.1.9.1.1058.2", Description: "SG350"}, "smb certain"},
		"no word for a shared vendor": {Evidence{ObjectID: ".1.3.6.1.4.1.9.1.2134"}, "asa likely, ios likely"},
		"a prefix ends at a dot":      {Evidence{ObjectID: ".1.3.6.1.4.1.9.12.33"}, ""},
		"two roads to one":            {Evidence{ObjectID: ".1.3.6.1.4.1.12356.101.1.641"}, "forti certain, api likely"},
		"the object that only it has": {Evidence{ObjectID: ".1.3.6.1.4.1.12356.101.1.641", Has: map[string]bool{".1.3.6.1.4.1.12356.101.4.1.1.0": true}}, "forti certain, api likely"},
		"words before a bare prefix":  {Evidence{ObjectID: ".1.3.6.1.4.1.8072.3.2.10", Description: "EdgeOS v2.0.9"}, "edge certain, plain likely"},
		"words that are not there":    {Evidence{ObjectID: ".1.3.6.1.4.1.8072.3.2.10", Description: "Linux gw 5.10"}, "plain certain"},
		"only the SSH server":         {Evidence{Server: "SSH-2.0-Cisco-1.25"}, "asa possible, ios possible"},
		"words alone":                 {Evidence{Description: "Cisco NX-OS(tm) n9000"}, "nxos likely"},
		"nothing":                     {Evidence{}, ""},
		"somebody else's":             {Evidence{ObjectID: ".1.3.6.1.4.1.4242.1", Description: "Cisco IOS Software"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, g := range c.Guess(w.e) {
				got = append(got, g.Driver.Name+" "+g.Certainty)
				if len(g.Why) == 0 {
					t.Errorf("%s: nothing is said for it", g.Driver.Name)
				}
			}
			if strings.Join(got, ", ") != w.want {
				t.Errorf("%q, want %q", got, w.want)
			}
		})
	}
}

func TestSignsThatMakeNoSenseDoNotLoad(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]identifySpec{
		"identify.sysObjectID[0]": {ObjectID: []string{"nine.one"}},
		"identify.confirm":        {Confirm: "9..1"},
		"identify.sysDescr":       {Descr: "("},
		"identify.ssh":            {SSH: "x*"},
	} {
		c := &compiler{}
		c.signs(&s)
		if len(c.errs) != 1 || !strings.Contains(c.errs[0].Error(), want) {
			t.Errorf("%s: %v", want, c.errs)
		}
	}
}

// TestTheNamesOfBuiltInDriversStandOnOneLine: they are known without reading the
// rest of the file, and are those that the file says.
func TestTheNamesOfBuiltInDriversStandOnOneLine(t *testing.T) {
	t.Parallel()
	c, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range c.All() {
		for _, n := range append([]string{d.Name}, d.Aliases...) {
			if c.names[fold(n)] != d.Name {
				t.Errorf("%s: %q leads to %q", d.Name, n, c.names[fold(n)])
			}
		}
	}
	if len(c.All()) < 60 {
		t.Errorf("only %d drivers", len(c.All()))
	}
}

func TestADriverIsMadeWhenItIsAskedFor(t *testing.T) {
	t.Parallel()
	c, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Find("cisco-iosxe"); err != nil || len(c.drivers) != 1 {
		t.Errorf("%v, and %d drivers were made", err, len(c.drivers))
	}
	one, _ := c.Find("ios")
	if again, _ := c.Find("cisco_ios"); one != again {
		t.Error("it was made twice")
	}
}
