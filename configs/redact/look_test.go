package redact

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each line is written as it must be afterwards; what is between « and » is what
// the device said and what must be hidden.
var lookedAt = []struct{ kind, text string }{
	{"password", "username admin password «hunter2x»"},
	{"password", "username admin privilege 15 password 7 «0822455D0A16»"},
	{"password", "user admin group administrators password ciphertext «AQEcvdLHmJIRAAAA»"},
	{"password", "set system login user x authentication plaintext-password \"«two words \\\" and quote»\""},
	{"password", "        password «abcdABCD1234!@#»"},
	{"password", "set protocols bgp neighbor 10.10.10.1 password '«s3cr3t»'"},
	{"password", "username \"admin\" secret encrypted «XXXXXXXXXXXXXXXX»"},
	{"password", "enable password level 15 encrypted «0d8c6a»"},
	{"password", "    password=«password» use-peer-dns=yes user=user"},
	{"password", "set auth-pwd «abc»"},
	{"password", `{"user": "x", "password": "«p w»", "n": 1}`},
	{"password", "snmpPassword: «a b c»"},
	{"password", "<ldapPassword>«p&amp;w»</ldapPassword>"},
	{"password", "<text>my password «Summer2024»</text>"},
	{"password", " description the password «Summer2024»"},
	{"password", " description password: «summer»"},
	{"password", "passwd «AAAAAAAAAABBBB» encrypted"},
	{"password", "ppp chap password 0 «12345»"},
	{"key", "<AuthenticationKey>«abc»</AuthenticationKey>"},
	{"key", "  \"md5Key\": \"«abc»\","},
	{"key", "set wpa2-pre-shared-key=\"«a \\\" b»\" mode=dynamic-keys"},
	{"key", "tacacs-server host 192.168.0.1 key ciphertext «AAAAABBBB»"},
	{"key", " server 1.2.3.4 key 7 «09341b4231»"},
	{"key", "  key «AAAAAAAAAABBBB»"},
	{"key", "crypto isakmp key «Hunter» address 0.0.0.0"},
	{"key", " ikev1 pre-shared-key «Hunter»"},
	{"key", "   key-string 7 «0822455D»"},
	{"key", "ip ospf message-digest-key 1 md5 7 «0822455D»"},
	{"key", "ntp authentication-key 1 md5 «0822455D» 7"},
	{"key", "set interfaces wireguard wg0 private-key '«AAAA=»'"},
	{"key", "set pki certificate x private key '«AAAA»'"},
	{"key", "snmp-server user admin network-admin auth md5 «0x12ab» priv aes-128 «0x34cd» localizedkey"},
	{"key", "snmp-server user n g v3 priv aes256-c auth sha256 7 «77fea4aabdfafba68e490caacf31b257 efa1f375d76194fa51a3556a97e641e6» x"},
	{"password", "set vpn ipsec authentication psk peer_1 secret '«AAAA»'"},
	{"URL with credentials", "# with password: http://user:«AAAA»@domain.tld/"},
	{"community", "snmp-server community «public» RO 5"},
	{"community", "snmp-server host 10.7.32.31 trap version v2c community «trapcomm»"},
	{"community", "    community «public» {"},
	{"community", "snmp community community-name «public» source 10.0.0.1/32"},
	{"community", "<rocommunity>«public»</rocommunity>"},
	{"password hash", "phash $5$abc$defghij"},
	{"URL with credentials", "# some URL: ftp://user:«p@ss/w»@domain.tld/x"},
	{"URL with credentials", "\"pasvftp://demouser:«CorrectHorse»@203.0.113.10/backup/\";"},
	{"encrypted value", "set sharedsecret2x ENC «AAAAAAAAAABBBB»"},
	{"token", "x eyJhbGciOiJI.eyJzdWIiOiIx.c2ln y"},
	{"token", "Authorization Bearer «abcdefghijklmnop123»"},
	{"private key", "<tls>«LS0tLS1CRUdJTiBPcGVuVlBOIFN0YXRpYyBrZXkgVjEtLS0tLQ==»</tls>"},
	{"private key", "-----BEGIN OpenVPN Static key V1-----\n«6acef03f62675b4b1bbd03e53b187727»\n-----END OpenVPN Static key V1-----"},
	{"private key", "-----BEGIN PKCS12-----\n«MIIGzwIBAzCCBok»\n-----END PKCS12-----"},
	{"private key", "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nComment: RSA Private Key\n«MIIFHDBOBgkqhkiG9w0B»\n---- END SSH2 PRIVATE KEY ----"},
	{"URL with credentials", "set uri \"hooks.slack.com/services/«T0CANARY/B0CANARY/c4n4ry»\""},
	{"URL with credentials", "url https://acme.webhook.office.com/webhookb2/«1111-2222@3333/IncomingWebhook/abcd/55»"},
	{"URL with credentials", "url https://discord.com/api/webhooks/«1234/abcd» x"},
	{"URL with credentials", "url https://api.telegram.org/bot«123456:ABC-DEF/sendMessage»"},
	{"private key", "<prv>LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCk1J</prv>"},
	{"private key", "set private-key \"«-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIFHDBOBgkqhkiG9w0B\n-----END ENCRYPTED PRIVATE KEY-----»\""},
	{"private key", "«-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIFHDBOBgkqhkiG9w0B»\n\nhostname x"},
}

func TestTheGenericLookHidesWhatResemblesASecret(t *testing.T) {
	t.Parallel()
	marked := regexp.MustCompile(`«(?s:.*?)»`)
	for _, c := range lookedAt {
		text := strings.NewReplacer("«", "", "»", "").Replace(c.text)
		clean, report := Rules{}.Apply([]byte("first\n"+text+"\nlast\n"), Key{1})
		above, _, _ := strings.Cut(c.text, "«")
		if !strings.Contains(c.text, "«") {
			above = ""
		}
		if len(report.Gaps) == 0 || report.Gaps[0] != (Gap{Line: 2 + strings.Count(above, "\n"), Kind: c.kind}) {
			t.Errorf("%s: gaps %v, want %s", text, report.Gaps, c.kind)
		}
		if !strings.Contains(c.text, "«") {
			if !strings.Contains(clean.String(), "<redacted:") {
				t.Errorf("%s: became %s", text, clean)
			}
			continue
		}
		got := token().ReplaceAllString(clean.String(), "#")
		want := "first\n" + marked.ReplaceAllString(c.text, "#") + "\nlast\n"
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", text, d)
		}
	}
}

func TestTheGenericLookLeavesOrdinaryLinesAlone(t *testing.T) {
	t.Parallel()
	for _, line := range strings.Split(`service password-encryption
password encryption aes
no service password-recovery
no ip http secure-server
aaa authentication login default group tacacs+ local enable
aaa authentication banner "Use your Admin password."
aaa authentication password-prompt "Password:"
key chain OSPF
 key 1
crypto key generate rsa modulus 2048
ssh key-exchange-algorithms curve25519-sha256
ip ssh version 2
user robot authorized-key ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAB robot@local
set interfaces wireguard wg0 peer testpeer public-key 'b7wPxXWRxgB5uzfXa75B6EvhAa2K4wp='
send-community extended
set community 65000:1 additive
community FOO members 65000:100;
ip community-list standard X permit 65000:1
set always-allow-password-login=yes
set enter-setup-on=delete-key
add addresses=0.0.0.0/0 name=community security=authorized
<passwordauth>1</passwordauth>
<password/>
<priv>page-all</priv>
Key version         : A
<keys/>
config firewall ssh local-key
/snmp community
set name "Password"
 authentication type 'plaintext-password'
password {
Password: ******************
Running Permanent Activation Key: 0x12345678 0x9f012345
Enter your password to continue
-----BEGIN CERTIFICATE-----
MIIFHDBOBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA
-----END CERTIFICATE-----
-----BEGIN PUBLIC KEY-----
<crt>LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUV</crt>
  destination address http https://tools.cisco.com/its/service/oddce/services/DDCEService
url http://host:8080/a@b
url ssh://git@host/x
  key app.key
  cert app.crt key /Common/app-1.key
set pki private-key server_1.pem
ntp server 192.0.2.1 use-vrf management key 1 prefer
route-map set_community permit 10
    from community CUSTOMERS;
set policy-options community CUSTOMERS members 65000:1
set policy-options community CUSTOMERS invert-match
set policy-options policy-statement IN term 1 from community CUSTOMERS
set policy-options policy-statement IN term 1 then community add CUSTOMERS
set routing-options static route 192.0.2.0/24 community 65000:1
no bgp aggregate-route community CUSTOMERS loose
  if community CUSTOMERS matches-any then
see hooks.slack.com for this
set forwarding-options hash-key family inet layer-3
set system login password minimum-numerics 1
set system login password maximum-length 20
ntp trusted-key 1-3
 description password changed today
snmp-server location "key room"
access-list 10 remark community of practice
user-key u rsa
key-string row AAAAB3NzaC1yc2E
aaa password restriction
password configuration-control
one-time-password otp
"zone_key": "internal",
<descr>password portal</descr>
ip http secure-server download key ssl.key ip-address 192.0.2.1
 neighbor 192.0.2.1 password shared-secret profile P
 password encryption-key common
 hello-password keychain K
password secure-mode
set firewall name PASSWORD default-action drop
 port-name password portal
 name "key lab"
  "name": "password lab",
cli password telnet radius
set pki openvpn shared-secret NAME key x
<enable-password>0</enable-password>
pre-shared-key ckn 0123456789abcdef
set system master-password iteration-count 100
set security ssh-known-hosts host 192.0.2.1 rsa-key AAAAB3NzaC1yc2E
load-interval 30
port-channel load-balance src-dst-ip
hashed-password: '*'`, "\n") {
		clean, report := Rules{}.Apply([]byte(line), Key{})
		if clean.String() != line || len(report.Gaps) > 0 {
			t.Errorf("%s: became %s (%v)", line, clean, report.Gaps)
		}
	}
}

func TestTheKindOfAnEncryptionIsNoSecret(t *testing.T) {
	t.Parallel()
	r := compiled(t, nil, `8a (?P<secret>\S+)`)
	clean, report := r.Apply([]byte("ntp authentication-key 1 sha1 8a abcd1234==\n"), Key{1})
	if got := token().ReplaceAllString(clean.String(), "#"); got != "ntp authentication-key 1 sha1 8a #\n" || len(report.Gaps) > 0 {
		t.Errorf("%q, gaps %v", got, report.Gaps)
	}
}

func TestAPrivateKeyThatARuleHidIsNoGap(t *testing.T) {
	t.Parallel()
	r := compiled(t, nil, `-----BEGIN RSA PRIVATE KEY-----\n(?P<secret>[^-]+)-----END`)
	clean, report := r.Apply([]byte("x\n-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----\n"), Key{1})
	if got := token().ReplaceAllString(clean.String(), "#"); got != "x\n-----BEGIN RSA PRIVATE KEY-----\n#\n-----END RSA PRIVATE KEY-----\n" || len(report.Gaps) > 0 {
		t.Errorf("%q, gaps %v", got, report.Gaps)
	}
}
