package redact

import (
	"bytes"
	"slices"
	"strings"
)

// nameEnds are the ends of names whose values are secret: password,
// wpa2-pre-shared-key, ldapPassword, rocommunity, … A name that goes on
// (password-encryption, key-chain) is another name.
var nameEnds = []string{
	"password", "passwd", "passphrase", "passcode", "secret", "psk", "pwd", "community", "key",
	"-pass", "_pass", "-hash", "_hash", "token", "auth", "priv", "phrase", "keystring", "key-string",
}

// A value is not secret where it is one of these: words of commands and of
// prose, and the settings that names like these have.
var plainWords = wordSet(`
	encryption encrypt recovery restriction uniqueness constraints constraints-apply-to enforce-history configuration-control control row ckn iteration-count default-action shared-secret encryption-key common secure-mode access-level default-lockout-time password-history min-passwd-len aging-time security serial telnet hardening
	password-force-change prompting-only enableall policy length minimum-length min-length max-length minimum maximum history aging age
	lifetime expire expires expiry expiration complexity strength strength-check change reset prompt authentication authorization
	management manager mode method type format generate zeroize chain id index string storage version
	is are was has have had and or for to the of must will with from in on at as by be not no this that your you
	yes true false on off enable enabled disable disabled none null default required optional
	rsa dsa ecdsa ed25519 ssh-rsa ssh-dss ssh-ed25519 export import exchange config-key
	priv enc read write ro rw both standard extended large members additive internet no-export no-advertise local-as
	profile source key-chain keychain permit deny
	new-format add delete list set not-set unset hidden removed change-on-login`)

// What may stand between a name and its value.
var betweenWords = wordSet(`
	encrypted ciphertext cipher plaintext plaintext-password encrypted-password ascii-text value clear cleartext clear-text plain-text simple hash hashed sha512 sha256 sha1 sha md5 aes des 3des
	aes-128 aes-192 aes-256 aes128 aes192 aes256 sha-1 sha-256 sha-384 sha-512 sha384 sha224 hmac-md5 hmac-sha1 hmac-sha256 hmac-sha-1
	hmac-sha-256 hmac-sha-512 hmac-sha-384 aes-128-cmac cmac-aes-128 cmac-aes-256 hmac-sha2-256 pbkdf2 bcrypt irreversible-cipher reversible enc hex hexadecimal ascii text unencrypted
	scrypt 8a wep40 wep104 wep128 wep-40 wep-104 wep-128 base64 encryption-type community-name passphrase-type secure 128 192 256 level privilege localized localizedkey`)

// Names that end in key, hash, auth and so on, and hold nothing secret.
var plainNames = []string{
	"public", "pub", "authorized", "one-time-password", "change-password", "strong-pwd", "prompt-secret", "user-key", "rsa-key", "dsa-key", "config-key", "zone_key", "known", "host-key", "hostkey", "local-key", "delete-key", "trusted-key", "key-hash", "primary-key", "sort-key",
	"function-key", "tls_key", "fortitoken", "file-hash", "image-hash", "load-hash", "ecmp", "lag-hash", "trunk-hash",
}

func wordSet(list string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(list) {
		set[w] = true
	}
	return set
}

func isName(c byte) bool { return isWord(c) || c == '-' }

// nearby is how much of a line around a name is looked at to understand it.
const nearby = 256

// named is the value of the name that holds text[from:to] at its end, in the line
// given. Forms: name value, name=value, name: value, "name": "value",
// <name>value</name>, with words and digits for the kind of encryption between.
func named(text []byte, from, to, lineStart, lineEnd int) (span, bool) {
	for to < lineEnd && text[to] >= '0' && text[to] <= '9' { // password2, wep-key1
		to++
	}
	if to < lineEnd && isName(text[to]) {
		return span{}, false
	}
	lineStart = max(lineStart, from-nearby)
	start := from
	for start > lineStart && isName(text[start-1]) {
		start--
	}
	if start > lineStart && (text[start-1] == '=' || text[start-1] == ',') { // a value itself, or one of a list
		return span{}, false
	}
	kind := kindOf(lowered(text[start:to]), lowered(text[lineStart:start]), lowered(text[to:min(lineEnd, to+nearby)]))
	if kind == "" {
		return span{}, false
	}
	if start > lineStart && text[start-1] == '<' {
		if kind == kindAlgorithm { // <priv> is a privilege
			return span{}, false
		}
		return content(text, to, lineEnd, kind)
	}
	at, form := separator(text, to, lineEnd)
	if form == noValue {
		return span{}, false
	}
	if form == spaced && start > lineStart && text[start-1] == '.' { // app.key
		return span{}, false
	}
	s, ok := value(text, at, lineEnd, form, kind)
	if ok && form == spaced && ordinary(bytes.Trim(text[s.start:s.end], `"',`)) && inProse(lowered(text[lineStart:start])) {
		return span{}, false
	}
	return s, ok
}

// inProse tells whether what stands before a name on its line begins a text for
// people, where "password" may be followed by any word. A name that is quoted as
// such has a quote behind it and is not in the spaced form.
func inProse(before string) bool {
	return strings.HasSuffix(before, `"`) || slices.ContainsFunc([]string{"description ", "<descr", "remark ", "comment ", "location ", "contact ", "alias ", "port-name "}, func(word string) bool {
		return strings.Contains(before, word)
	})
}

func lowered(b []byte) string { return strings.ToLower(string(b)) }

// kindOf says what a name holds, or nothing where it is no secret's name. What
// stands before and after it on the line, in lower case, decides where the
// name alone does not.
func kindOf(name, before, after string) string {
	base := strings.TrimRight(name, "0123456789")
	for _, p := range plainNames {
		if strings.Contains(name, p) {
			return ""
		}
	}
	ends := func(s string) bool { return strings.HasSuffix(base, s) }
	words := strings.Fields(before)
	last := ""
	if len(words) > 0 {
		last = strings.Trim(words[len(words)-1], `"'`)
	}
	switch {
	case ends("community"):
		policy := []string{"match", "set", "send", "bgp", "ip", "delete", "standard", "expanded", "from", "then", "if", "aggregate-route"}
		if (slices.Contains(policy, last) || strings.Contains(before, " policy-options ") || strings.Contains(before, " route ")) && !strings.Contains(before, "snmp") {
			return ""
		}
		if ends("snmp-community") && strings.HasSuffix(strings.TrimSpace(after), "{") {
			return "" // an index
		}
		if ends("extcommunity") || ends("large-community") || ends("send-community") || strings.Contains(after, " members ") {
			return ""
		}
		return kindCommunity
	case base == "psk" && strings.Contains(after, " secret "), ends("shared-secret") && strings.Contains(after, " key "): // VyOS: psk NAME secret VALUE
		return ""
	case ends("hash"):
		if strings.Contains(base, "pass") || strings.Contains(base, "md5") || strings.Contains(base, "nt-hash") || strings.Contains(base, "bcrypt") || strings.Contains(base, "sha") {
			return kindHash
		}
		return ""
	case ends("token"):
		return kindToken
	case base == "key" || base == "keystring":
		contexts := []string{"", "private", "shared", "pre-shared", "preshared", "secret", "isakmp", "encryption", "authentication", "auth", "radius", "tacacs", "wpa", "wep", "psk", "failover", "master"}
		near := strings.Contains(before, "server") || strings.Contains(before, "radius") || strings.Contains(before, "tacacs") || strings.Contains(before, "host ") || strings.Contains(before, "client ") || strings.Contains(before, "neighbor ")
		if base == "key" && strings.Contains(before, "ntp ") { // ntp server … key 1 prefer
			return ""
		}
		if base == "keystring" || slices.Contains(contexts, strings.Trim(last, `<`)) || last == "set" || last == "{" || near {
			return kindShared
		}
		return ""
	case base == "psk" && (strings.Contains(after, " secret ") || strings.Contains(after, " id ")): // its name
		return ""
	case ends("hash-key") && strings.Contains(before, "forwarding-options"): // what is balanced by
		return ""
	case base == "key-string" || ends("-key") || ends("_key") || ends("sharedkey") || ends("privatekey") || ends("apikey") || ends("secretkey") ||
		ends("authenticationkey") || ends("encryptionkey") || ends("presharekey") || ends("md5key") || ends("authkey") || ends("enckey") || ends("wepkey") || ends("psk"):
		return kindShared
	case base == "auth" || base == "priv" || ends("-auth") && strings.Contains(before, "snmp") || ends("-priv") && strings.Contains(before, "snmp"):
		return kindAlgorithm
	case ends("auth") || ends("priv") || ends("key") || base == "phrase" || base == "pass":
		return ""
	}
	return kindPassword
}

// kindAlgorithm is a name like auth or priv, which holds a key only where an
// algorithm stands in between.
const kindAlgorithm = "SNMP key"
