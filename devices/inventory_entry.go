package devices

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

var (
	hostForm    = Pattern(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`) // of 253 characters at most
	hostKeyForm = Pattern(`^SHA256:[A-Za-z0-9+/]{43}$`)
)

// device makes a device of e, with what it does not say taken from defaults, and
// adds it when no fault was found since there were before of them.
func (r *reader) device(e entry, defaults map[string][]cell, before int) {
	d := Device{Where: e.at}
	get := func(field string) []cell {
		if cells, ok := e.fields[field]; ok {
			return split(field, cells)
		}
		return split(field, defaults[field])
	}
	one := func(field string) cell {
		cells := get(field)
		switch len(cells) {
		case 0:
			return cell{"", e.at}
		case 1:
			return cells[0]
		}
		r.fault(cells[1].at, "", "%s is given %d times", field, len(cells))
		return cells[0]
	}
	text := func(field string) string {
		c := one(field)
		r.checkText(field, c)
		return c.text
	}
	texts := func(field string) []string {
		var all []string
		for _, c := range get(field) {
			r.checkText(field, c)
			all = append(all, c.text)
		}
		return all
	}

	r.nameDevice(&d, e, one("name"), one("customer"), one("id"))
	r.addressDevice(&d, one("address"), one("port"))
	d.Driver, d.Model = text("driver"), text("model")
	_, given := e.fields["driver"]
	if _, byDefault := defaults["driver"]; !given && !byDefault {
		d.Driver, d.Model = d.Model, "" // Oxidized's lists call the driver a model.
	}
	d.Site, d.Zone, d.Login = text("site"), text("zone"), text("login")
	d.Serials, d.Jump = texts("serial"), texts("jump")
	for _, c := range get("jump") {
		if strings.HasPrefix(c.text, "-") || strings.ContainsFunc(c.text, unicode.IsSpace) {
			r.fault(c.at, "write [user@]host[:port], or a name from the settings", "%q is no jump host", c.text)
		}
	}
	for _, c := range get("mac") {
		mac := MAC(c.text)
		if mac == "" || !macForm().MatchString(strings.ToLower(c.text)) {
			r.fault(c.at, "six bytes in hexadecimal, as aa:bb:cc:dd:ee:ff", "%q is no MAC address of a device", c.text)
		} else if !slices.Contains(d.MACs, mac) {
			d.MACs = append(d.MACs, mac)
		}
	}
	d.Proxy = r.proxy(one("proxy"))
	d.Legacy = r.yes(one("legacy"))
	for _, c := range get("also") {
		if !slices.Contains(AlsoWords(), c.text) {
			r.fault(c.at, "it may hold "+strings.Join(AlsoWords(), ", "), "%q is nothing that can be allowed", c.text)
		}
		d.Also = append(d.Also, c.text)
	}
	for _, c := range get("host_keys") {
		key := strings.TrimRight(c.text, "=")
		if !hostKeyForm().MatchString(key) {
			r.fault(c.at, "ssh-keyscan HOST | ssh-keygen -lf - shows it: SHA256: and 43 characters", "%q is no fingerprint of a host key", c.text)
		}
		d.HostKeys = append(d.HostKeys, key)
	}
	if r.count() == before {
		r.devices = append(r.devices, d)
	}
}

// macForm is how vendors write six bytes: aa:bb:…, aa-bb-…, aabb.ccdd.eeff,
// aabbcc-ddeeff or all in one.
var macForm = Pattern(`^(?:[0-9a-f]{2}(?:(?::[0-9a-f]{2}){5}|(?:-[0-9a-f]{2}){5})|[0-9a-f]{4}(?:(?:\.[0-9a-f]{4}){2}|(?:-[0-9a-f]{4}){2}|(?::[0-9a-f]{4}){2})|[0-9a-f]{6}-?[0-9a-f]{6})$`)

// MAC writes a MAC address as aa:bb:cc:dd:ee:ff, whatever stands between its
// digits. It is empty for what is none, for nothing but zeros, and for what stands
// for a group (IEEE 802: the lowest bit of the first byte): that is no device's.
func MAC(s string) string {
	mac, err := hex.DecodeString(strings.NewReplacer(":", "", "-", "", ".", "", " ", "").Replace(s))
	if err != nil || len(mac) != 6 || mac[0]&1 == 1 || bytes.Count(mac, []byte{0}) == len(mac) {
		return ""
	}
	return net.HardwareAddr(mac).String()
}

func (r *reader) nameDevice(d *Device, e entry, name, customer, id cell) {
	if cells, ok := e.fields["name"]; ok && cells == nil {
		return // said already
	}
	if name.text == "" {
		r.fault(e.at, "every device needs a name of letters, digits, '.', '_' and '-'; its history is kept under it", "a device without a name")
		return
	}
	d.Where = name.at
	d.Name, d.Customer = name.text, customer.text
	if c, n, ok := strings.Cut(name.text, "/"); ok {
		if _, own := e.fields["customer"]; own && customer.text != "" && customer.text != c {
			r.fault(customer.at, "leave out one of the two", "customer %q, but the name says %q", customer.text, c)
		}
		d.Customer, d.Name = c, n
		customer = cell{c, name.at}
	}
	if d.Customer == "" {
		d.Customer = "default"
	}
	r.checkName("name", d.Name, name.at)
	r.checkName("customer", d.Customer, customer.at)
	if id.text != "" {
		d.FirstID = strings.TrimPrefix(id.text, d.Customer+"/")
		r.checkName("id", d.FirstID, id.at)
	}
}

func (r *reader) checkName(field, s string, at Position) {
	err := CheckName(s)
	if err == nil {
		return
	}
	hint := ""
	if better := BetterName(s); better != "" {
		hint = fmt.Sprintf("write %s", better)
	}
	for _, c := range s {
		if !nameCharacter(c) {
			r.fault(at, hint, "%s: %w; it holds %q", field, err, c)
			return
		}
	}
	r.fault(at, hint, "%s: %w", field, err)
}

func nameCharacter(c rune) bool {
	return c < unicode.MaxASCII && (unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune("._-", c))
}

// BetterName is the nearest name to s that may stand, empty where there is none.
func BetterName(s string) string {
	var b strings.Builder
	for _, c := range strings.TrimSpace(s) {
		if nameCharacter(c) {
			b.WriteRune(c)
		} else if t := b.String(); t != "" && !strings.HasSuffix(t, "-") {
			b.WriteByte('-')
		}
	}
	better := b.String()
	for strings.Contains(better, "..") {
		better = strings.ReplaceAll(better, "..", ".")
	}
	for _, suffix := range []string{".lock", ".git"} {
		better = strings.TrimSuffix(better, suffix)
	}
	better = strings.Trim(better[:min(100, len(better))], "._-")
	if CheckName(better) != nil {
		return ""
	}
	return better
}

func (r *reader) addressDevice(d *Device, address, port cell) {
	d.Address = strings.TrimSuffix(strings.TrimPrefix(address.text, "["), "]")
	if d.Address == "" {
		d.Address = d.Name // Oxidized's way: the name is what the resolver knows.
	} else if _, err := netip.ParseAddr(d.Address); err != nil && (len(d.Address) > 253 || !hostForm().MatchString(d.Address)) {
		hint := "write a host name or an IP address"
		if prefix, err := netip.ParsePrefix(d.Address); err == nil {
			hint = "leave out the mask: " + prefix.Addr().String()
		} else if _, err := netip.ParseAddrPort(address.text); err == nil || strings.Count(address.text, ":") == 1 {
			hint = "the port has a field of its own: port"
		}
		r.fault(address.at, hint, "%q is no address", address.text)
	}
	if port.text == "" {
		return
	}
	n, err := strconv.ParseUint(port.text, 10, 16)
	if err != nil || n == 0 {
		r.fault(port.at, "a number from 1 to 65535", "%q is no port", port.text)
	}
	d.Port = int(n)
}

// proxy never shows what is wrong with the text: it may hold a password.
func (r *reader) proxy(c cell) string {
	if c.text == "" {
		return ""
	}
	u, err := url.Parse(c.text)
	if err != nil || u.Scheme != "socks5" || u.Host == "" || (u.Path != "" && u.Path != "/") {
		r.fault(c.at, "write socks5://[user:password@]host:port", "the proxy is no SOCKS5 address")
	}
	return c.text
}

func (r *reader) yes(c cell) bool {
	switch strings.ToLower(c.text) {
	case "true", "yes", "y", "1", "x":
		return true
	case "", "false", "no", "n", "0":
		return false
	}
	r.fault(c.at, "write true or false", "%q is neither true nor false", c.text)
	return false
}

// checkText refuses what would break a line of a report or a path.
func (r *reader) checkText(field string, c cell) {
	if len(c.text) > 200 {
		r.fault(c.at, "", "%s is longer than 200 bytes", field)
		return
	}
	for _, x := range c.text {
		if !unicode.IsPrint(x) {
			r.fault(c.at, "", "%s holds the character %q", field, x)
			return
		}
	}
}
