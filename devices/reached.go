package devices

// Reached tells how a device was reached: what was negotiated, for the report
// on weak algorithms, and which host key it showed.
type Reached struct {
	Address     string   `json:"address"`       // host:port
	Via         []string `json:"via,omitempty"` // jump hosts and proxies, in order
	Login       string   `json:"login,omitempty"`
	HostKey     string   `json:"hostKey,omitempty"`     // "SHA256:…"
	HostKeyType string   `json:"hostKeyType,omitempty"` // "ssh-ed25519"
	Server      string   `json:"server,omitempty"`      // "SSH-2.0-Cisco-1.25"
	KeyExchange string   `json:"keyExchange,omitempty"`
	Cipher      string   `json:"cipher,omitempty"`
	MAC         string   `json:"mac,omitempty"`
	Weak        []string `json:"weak,omitempty"`     // those of the above that are no longer safe
	Unproven    string   `json:"unproven,omitempty"` // what to say of a session in which nothing proved which device it is
	NewHostKey  bool     `json:"-"`                  // pinned by this very session, on first use
}
