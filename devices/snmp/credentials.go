// Package snmp asks a device by SNMP who it is. It reads; the only thing that it
// ever sets is a Request that the device send its configuration, for a device
// whose inventory entry allows that, which set.go and upload.go see to. Which
// driver an answer calls for, and whether it is the device the inventory means,
// others decide. The protocol itself is gosnmp's.
package snmp

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gosnmp/gosnmp"

	"belay/devices"
)

// Credentials are one way to be answered: a community, or a user of SNMPv3.
type Credentials struct {
	Version         string // "2c" or "3"
	Community       devices.Secret
	User            string
	AuthProtocol    string // MD5, SHA, SHA224, SHA256, SHA384, SHA512; empty: none
	AuthPassword    devices.Secret
	PrivacyProtocol string // DES, AES, AES192, AES256, AES192C, AES256C (C: Cisco's way of making the key); empty: none
	PrivacyPassword devices.Secret
	Context         string // SNMPv3 context name, mostly empty
}

// shortest is how long a password of SNMPv3 is at least (RFC 3414, section 11.2).
const shortest = 8

// Validate tells what is wrong with c, as an error of Kind Usage.
func (c Credentials) Validate() error {
	wrong := func(hint, format string, args ...any) error {
		return &devices.Error{Kind: devices.Usage, Op: "read SNMP credentials", Hint: hint, Err: fmt.Errorf(format, args...)}
	}
	switch c.version() {
	case "2c":
		// The library writes the length of a community in one byte.
		if n := len(c.Community.Reveal()); n == 0 || n > 127 {
			return wrong("set the community", "version 2c needs a community of 1 to 127 bytes")
		}
		return nil
	case "3":
	default:
		return wrong("write 2c or 3", "version %q is not spoken", c.Version)
	}
	auth, authKnown := authProtocols()[plain(c.AuthProtocol)]
	privacy, privacyKnown := privacyProtocols()[plain(c.PrivacyProtocol)]
	switch {
	case c.User == "" || len(c.User) > 32:
		return wrong("set the user", "version 3 needs a user of 1 to 32 bytes")
	case !authKnown:
		return wrong("MD5, SHA, SHA224, SHA256, SHA384 or SHA512", "auth protocol %q is not known", c.AuthProtocol)
	case !privacyKnown:
		return wrong("DES, AES, AES192, AES256, or AES192C and AES256C for Cisco", "privacy protocol %q is not known", c.PrivacyProtocol)
	case auth == gosnmp.NoAuth && privacy != gosnmp.NoPriv:
		return wrong("set the auth protocol and password too", "there is no privacy without auth")
	case auth == gosnmp.NoAuth && !c.AuthPassword.IsZero():
		return wrong("set the auth protocol", "an auth password without a protocol")
	case privacy == gosnmp.NoPriv && !c.PrivacyPassword.IsZero():
		return wrong("set the privacy protocol", "a privacy password without a protocol")
	case auth != gosnmp.NoAuth && len(c.AuthPassword.Reveal()) < shortest:
		return wrong("", "the auth password is shorter than %d bytes", shortest)
	case privacy != gosnmp.NoPriv && len(c.PrivacyPassword.Reveal()) < shortest:
		return wrong("", "the privacy password is shorter than %d bytes", shortest)
	}
	return nil
}

func (c Credentials) version() string {
	return strings.TrimPrefix(strings.ToLower(strings.TrimSpace(c.Version)), "v")
}

// apply sets g up to speak with c, which is valid.
func (c Credentials) apply(g *gosnmp.GoSNMP) {
	if c.version() == "2c" {
		g.Version, g.Community = gosnmp.Version2c, c.Community.Reveal()
		return
	}
	auth, privacy := authProtocols()[plain(c.AuthProtocol)], privacyProtocols()[plain(c.PrivacyProtocol)]
	g.Version, g.SecurityModel, g.ContextName = gosnmp.Version3, gosnmp.UserSecurityModel, c.Context
	g.MsgFlags = gosnmp.NoAuthNoPriv
	if auth != gosnmp.NoAuth {
		g.MsgFlags = gosnmp.AuthNoPriv
	}
	if privacy != gosnmp.NoPriv {
		g.MsgFlags = gosnmp.AuthPriv
	}
	g.SecurityParameters = &gosnmp.UsmSecurityParameters{
		UserName:               c.User,
		AuthenticationProtocol: auth, AuthenticationPassphrase: c.AuthPassword.Reveal(),
		PrivacyProtocol: privacy, PrivacyPassphrase: c.PrivacyPassword.Reveal(),
	}
}

// hide takes the secrets out of a text of the library's.
func (c Credentials) hide(err error) error {
	text, _, _ := strings.Cut(err.Error(), " Stack:") // the library's answer to its own panic
	for _, secret := range []devices.Secret{c.Community, c.AuthPassword, c.PrivacyPassword} {
		if !secret.IsZero() {
			text = strings.ReplaceAll(text, secret.Reveal(), secret.String())
		}
	}
	return errors.New(text)
}

// plain is the name of a protocol without what vendors write differently.
func plain(name string) string {
	return strings.ToUpper(strings.NewReplacer("-", "", "_", "", " ", "").Replace(name))
}

func authProtocols() map[string]gosnmp.SnmpV3AuthProtocol {
	return map[string]gosnmp.SnmpV3AuthProtocol{
		"": gosnmp.NoAuth, "NONE": gosnmp.NoAuth, "MD5": gosnmp.MD5, "SHA": gosnmp.SHA, "SHA1": gosnmp.SHA,
		"SHA224": gosnmp.SHA224, "SHA256": gosnmp.SHA256, "SHA384": gosnmp.SHA384, "SHA512": gosnmp.SHA512,
	}
}

// privacyProtocols: the plain AES192 and AES256 make their keys by Blumenthal's
// draft, those with a C by Reeder's, which Cisco took.
func privacyProtocols() map[string]gosnmp.SnmpV3PrivProtocol {
	return map[string]gosnmp.SnmpV3PrivProtocol{
		"": gosnmp.NoPriv, "NONE": gosnmp.NoPriv, "DES": gosnmp.DES, "AES": gosnmp.AES, "AES128": gosnmp.AES,
		"AES192": gosnmp.AES192, "AES256": gosnmp.AES256, "AES192C": gosnmp.AES192C, "AES256C": gosnmp.AES256C,
	}
}
