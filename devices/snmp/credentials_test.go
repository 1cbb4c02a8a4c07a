package snmp

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"belay/devices"
)

func TestWrongCredentialsAreRefusedBeforeTheyAreUsed(t *testing.T) {
	t.Parallel()
	with := func(change func(*Credentials)) Credentials {
		c := v3("u", "SHA-256", "aes 128")
		change(&c)
		return c
	}
	for name, c := range map[string]struct {
		credentials Credentials
		want        string // in the error; empty: they are right
	}{
		"v2c":                 {v2c(community), ""},
		"v3":                  {with(func(*Credentials) {}), ""},
		"v3, as people write": {with(func(c *Credentials) { c.Version, c.PrivacyProtocol = "V3", "aes-256-c" }), ""},
		"v3, no privacy":      {with(func(c *Credentials) { c.PrivacyProtocol, c.PrivacyPassword = "none", devices.Secret{} }), ""},
		"v1":                  {Credentials{Version: "1", Community: devices.NewSecret(community)}, "version"},
		"no version":          {Credentials{}, "version"},
		"no community":        {v2c(""), "community"},
		"long community":      {v2c(strings.Repeat("canary", 30)), "community"},
		"no user":             {with(func(c *Credentials) { c.User = "" }), "user"},
		"auth protocol":       {with(func(c *Credentials) { c.AuthProtocol = "SHA3" }), "SHA3"},
		"privacy protocol":    {with(func(c *Credentials) { c.PrivacyProtocol = "3DES" }), "3DES"},
		"privacy alone":       {with(func(c *Credentials) { c.AuthProtocol = "" }), "without auth"},
		"auth password":       {with(func(c *Credentials) { c.AuthPassword = devices.NewSecret("canary") }), "auth password"},
		"no auth password":    {with(func(c *Credentials) { c.AuthPassword = devices.Secret{} }), "auth password"},
		"privacy password":    {with(func(c *Credentials) { c.PrivacyPassword = devices.NewSecret("canary") }), "privacy password"},
		"stray password":      {with(func(c *Credentials) { c.PrivacyProtocol = "" }), "without a protocol"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := c.credentials.Validate()
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			refused(t, err, devices.Usage, "")
			if !strings.Contains(err.Error(), c.want) {
				t.Error(err)
			}
		})
	}
}

func TestTheLibrarysTextsLoseTheirSecrets(t *testing.T) {
	t.Parallel()
	c := v3("u", "SHA", "AES")
	c.Community = devices.NewSecret(community)
	err := c.hide(fmt.Errorf("a %w", errors.New(community+" b "+authSecret+privSecret+" Stack:canary")))
	if got := err.Error(); got != "a <secret> b <secret><secret>" {
		t.Error(got)
	}
	if text := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(text, "canary") {
		t.Error(text)
	}
}
