package redact

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// benchRules are as many and of the kind that the Cisco IOS driver has.
func benchRules(t testing.TB) Rules {
	return compiled(t, []string{
		`^! Last configuration change at .*\n`, `^! NVRAM config last updated .*\n`, `^Current configuration : .*\n`, `^ntp clock-period .*\n`,
		`^Building configuration\.\.\.\n`, `^!Time: .*\n`, `^!Running configuration last done at: .*\n`, `^: Written by .*\n`, `^Cryptochecksum:.*\n`, `^uptime is .*\n`,
	},
		`^enable (?:password|secret)(?: level \d+)?(?: \d+)? (?P<secret>\S+)`,
		`^username \S+(?: privilege \d+)? (?:password|secret) \d+ (?P<secret>\S+)`,
		`^snmp-server community (?P<secret>\S+)`,
		`^snmp-server host \S+(?: vrf \S+)?(?: traps| informs)?(?: version \S+)? (?P<secret>\S+)`,
		`^snmp-server user .* auth \S+ (?P<secret>\S+)`,
		`^(?:tacacs|radius)-server (?:host \S+ )?.*key (?:\d )?(?P<secret>\S+)`,
		`^\s+key (?:[067] )?(?P<secret>\S+)$`, `^\s*server-key (?:\d )?(?P<secret>\S+)`,
		`^crypto isakmp key (?:\d )?(?P<secret>\S+)`, `^\s+pre-shared-key (?:\S+ )*?(?P<secret>\S+)$`,
		`^\s+ikev1 pre-shared-key (?P<secret>\S+)`, `^\s+neighbor \S+ password (?:\d )?(?P<secret>\S+)`,
		`ip ospf authentication-key (?:\d )?(?P<secret>\S+)`, `ip ospf message-digest-key \d+ md5 (?:\d )?(?P<secret>\S+)`,
		`^\s+key-string (?:\d )?(?P<secret>\S+)`, `standby \d+ authentication (?:md5 key-string )?(?:\d )?(?P<secret>\S+)`,
		`vrrp \d+ authentication text (?P<secret>\S+)`, `ntp authentication-key \d+ md5 (?P<secret>\S+)`,
		`ppp (?:chap|pap) .*password (?:\d )?(?P<secret>\S+)`, `^\s+password (?:\d )?(?P<secret>\S+)`,
		`wpa-psk (?:ascii|hex) (?:\d )?(?P<secret>\S+)`, `^\s+dot1x .*password (?:\d )?(?P<secret>\S+)`,
		`archive.*\n(?:.*\n)??\s+path \w+://\w+:(?P<secret>[^@\s]+)@`, `^key config-key \S+ (?P<secret>\S+)`, `^ip ftp password (?:\d )?(?P<secret>\S+)`,
	)
}

// benchText is a switch's configuration of about n bytes, one line in thirty
// with a secret.
func benchText(n int) []byte {
	rnd := rand.New(rand.NewPCG(3, 4))
	var b bytes.Buffer
	b.WriteString("Building configuration...\n\nCurrent configuration : 123456 bytes\n! Last configuration change at 12:00:00 UTC\nhostname sw\n")
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "interface GigabitEthernet%d/0/%d\n description user port %d\n switchport access vlan %d\n switchport mode access\n spanning-tree portfast\n ip address 10.%d.%d.1 255.255.255.0\n no shutdown\n!\n", i/48, i%48, i, rnd.IntN(4000), rnd.IntN(250), rnd.IntN(250))
		switch i % 8 {
		case 0:
			fmt.Fprintf(&b, "username u%d privilege 15 secret 9 $9$%016x%016x\n", i, rnd.Uint64(), rnd.Uint64())
		case 1:
			fmt.Fprintf(&b, "snmp-server community C%08x RO 5\n", rnd.Uint32())
		case 2:
			fmt.Fprintf(&b, "tacacs server T%d\n address ipv4 10.0.0.%d\n key 7 %016X\n!\n", i, i%250, rnd.Uint64())
		case 3:
			fmt.Fprintf(&b, "router bgp 65000\n neighbor 10.0.0.%d password 7 %016X\n!\n", i%250, rnd.Uint64())
		case 4:
			fmt.Fprintf(&b, "snmp-server host 10.0.0.%d version 2c C%08x\n", i%250, rnd.Uint32())
		case 5:
			b.WriteString("aaa authentication login default group tacacs+ local\nservice password-encryption\n")
		}
	}
	b.WriteString("end\n")
	return b.Bytes()
}

func BenchmarkApply200KB(b *testing.B) { benchApply(b, 200_000) }
func BenchmarkApply1MB(b *testing.B)   { benchApply(b, 1_000_000) }
func BenchmarkApply5MB(b *testing.B)   { benchApply(b, 5_000_000) }
func BenchmarkApply20MB(b *testing.B)  { benchApply(b, 20_000_000) }

func benchApply(b *testing.B, n int) {
	r, text := benchRules(b), benchText(n)
	if slow := r.Slow(); len(slow) > 0 {
		b.Fatalf("run over the whole text: %q", slow)
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		r.Apply(text, key)
	}
}

func FuzzApply(f *testing.F) {
	const canary = "canaryZq7Xk2"
	for _, c := range lookedAt {
		f.Add([]byte(strings.NewReplacer("«", "", "»", "").Replace(c.text)), []byte("\nend\n"))
	}
	f.Add([]byte("username a password <redacted:01234567> x\npassword \"<redacted> y"), []byte("\xff\n-----BEGIN RSA PRIVATE KEY-----\n"))
	f.Add([]byte("password password secret \"a' b\" 'c"), []byte("key key=key: \"key\": \"x"))
	r := benchRules(f)
	f.Fuzz(func(t *testing.T, before, after []byte) {
		if bytes.Contains(before, []byte("anary")) || bytes.Contains(after, []byte("anary")) {
			return
		}
		var text []byte
		text = append(append(text, before...), '\n')
		for _, form := range []string{"enable secret 9 %s\n", "password=\"%s\"\n", "<psk>%s</psk>\n", "url http://u:%s@h/\n", "snmp-server community %s RO\n", "-----BEGIN EC PRIVATE KEY-----\n%s\n-----END EC PRIVATE KEY-----\n"} {
			text = fmt.Appendf(text, form, canary)
		}
		text = append(text, after...)
		once, _ := r.Apply(text, key)
		if strings.Contains(once.String(), canary) {
			t.Fatalf("a secret survived: %q", once)
		}
		if twice, _ := r.Apply(once.Bytes(), key); !twice.Equal(once) {
			t.Fatalf("once  %q\ntwice %q", once, twice)
		}
	})
}
