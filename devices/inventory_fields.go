package devices

import (
	"strings"
	"unicode"
)

// fieldNames are the fields of a device and what else lists from elsewhere call
// them: netmiko, scrapli, Oxidized, NetBox, spreadsheets. Compared by plainKey.
// "model" is not among them: it is the hardware or the driver, as the other
// columns have it.
func fieldNames() map[string][]string {
	return map[string][]string{
		"name":      {"name", "hostname", "device", "devicename", "node"},
		"address":   {"address", "ip", "ipaddress", "managementip", "mgmtip", "host"},
		"port":      {"port", "sshport"},
		"driver":    {"driver", "platform", "devicetype", "os", "networkos"},
		"model":     {"model"},
		"customer":  {"customer", "group", "client", "company", "organization", "organisation", "tenant"},
		"site":      {"site", "location"},
		"zone":      {"zone"},
		"serial":    {"serial", "serialnumber", "serials", "serialnumbers"},
		"mac":       {"mac", "macaddress", "macs", "macaddresses", "primarymac", "hardwareaddress", "hwaddress", "ethernetaddress"},
		"login":     {"login", "credential", "credentials"},
		"jump":      {"jump", "proxyjump", "jumphost", "jumphosts"},
		"proxy":     {"proxy"},
		"legacy":    {"legacy"},
		"also":      {"also"},
		"host_keys": {"hostkeys", "hostkey", "fingerprint", "fingerprints"},
		"id":        {"id"},
	}
}

// plainKey is a key or column without what people write differently.
func plainKey(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '_' || r == '-' {
			return -1
		}
		return unicode.ToLower(r)
	}, strings.TrimSpace(s))
}

// fieldsByKey maps every way of writing a field, as plainKey has it, to the field.
func fieldsByKey() map[string]string {
	fields := map[string]string{}
	for field, keys := range fieldNames() {
		for _, key := range keys {
			fields[key] = field
		}
	}
	return fields
}

// separates tells whether c parts several values of a field written in one text.
func separates(field string, c rune) bool {
	switch field {
	case "serial", "mac", "host_keys", "also":
		return c == ';' || c == ',' || unicode.IsSpace(c)
	case "jump":
		return c == ';' || c == ','
	}
	return false
}

// split parts cells that hold several values.
func split(field string, cells []cell) []cell {
	var parts []cell
	for _, c := range cells {
		for text := range strings.FieldsFuncSeq(c.text, func(r rune) bool { return separates(field, r) }) {
			if text = strings.TrimSpace(text); text != "" {
				parts = append(parts, cell{text, c.at})
			}
		}
	}
	return parts
}
