package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"belay/devices"
)

// settingsFile is read from the working directory unless --config names another.
const settingsFile = "belay.yaml"

// settings are the program's own, never a device's. Paths in them are relative
// to the file's folder.
type settings struct {
	Data        string                 `yaml:"data"`
	Inventory   []string               `yaml:"inventory"`
	Drivers     string                 `yaml:"drivers"` // folder of the user's own drivers
	Logins      map[string]loginList   `yaml:"logins"`
	Master      *masterSetting         `yaml:"master"`
	Remotes     map[string]remote      `yaml:"remotes"`
	SNMP        map[string]snmpSetting `yaml:"snmp"`
	HostKeys    string                 `yaml:"host_keys"`
	JumpHosts   map[string]jumpHost    `yaml:"jump_hosts"`
	Concurrency concurrency            `yaml:"concurrency"`
	Email       string                 `yaml:"email"` // domain of the addresses of commits' authors

	Documentation map[string]documentation `yaml:"documentation"`
	Tickets       map[string]ticketing     `yaml:"tickets"`
	Customers     map[string]customer      `yaml:"customers"`
	Waiver        *wording                 `yaml:"waiver"`

	Listen    string            `yaml:"listen"` // host:port of /healthz, /readyz and /metrics; empty: none
	Schedules []scheduleSetting `yaml:"schedules"`
	Events    *eventsSetting    `yaml:"events"`
	Receive   *receiveSetting   `yaml:"receive"`
	Tell      *tellSetting      `yaml:"tell"`
	Scrub     scrubSetting      `yaml:"scrub"`
	Retention retentionSetting  `yaml:"retention"`

	dir       string // of the file
	file      string
	variables []string // of the environment, which hold secrets
	secrets   []string // files that do
}

// A secretSource says where a secret is to be had. It never holds one.
type secretSource struct {
	Env     string   `yaml:"env"`
	File    string   `yaml:"file"`
	Command []string `yaml:"command"`
	Vault   string   `yaml:"vault"` // name of a login in the vault; the field is the one that asks
}

// UnmarshalYAML refuses a secret written out in the settings.
func (s *secretSource) UnmarshalYAML(unmarshal func(any) error) error {
	var node ast.Node
	if err := unmarshal(&node); err != nil {
		return err
	}
	wrong := func(message string) error { return &yaml.SyntaxError{Message: message, Token: node.GetToken()} }
	if _, literal := node.(ast.ScalarNode); literal {
		return wrong("a secret does not stand in the settings: write {env: NAME}, {file: PATH}, {command: [PROGRAM, ARGUMENT]} or {vault: NAME}")
	}
	type plain secretSource
	var p plain
	if err := unmarshal(&p); err != nil {
		return err
	}
	*s = secretSource(p)
	n := 0
	for _, set := range []bool{s.Env != "", s.File != "", len(s.Command) > 0, s.Vault != ""} {
		if set {
			n++
		}
	}
	if n != 1 {
		return wrong("say where the secret is: one of env, file, command, vault")
	}
	return nil
}

// A loginSetting is one way in.
type loginSetting struct {
	User        string        `yaml:"user"`
	Password    *secretSource `yaml:"password"`
	Enable      *secretSource `yaml:"enable"`
	Key         *secretSource `yaml:"key"`
	Passphrase  *secretSource `yaml:"passphrase"`
	Certificate *secretSource `yaml:"certificate"`
	Agent       string        `yaml:"agent"` // socket, or "env" for SSH_AUTH_SOCK
	Vault       string        `yaml:"vault"` // all of it from the vault, by name
}

// A loginList is one login or several, of which the next is tried when one is
// refused: for the time in which a password is being changed.
type loginList []loginSetting

func (l *loginList) UnmarshalYAML(unmarshal func(any) error) error {
	var node ast.Node
	if err := unmarshal(&node); err != nil {
		return err
	}
	if _, several := node.(*ast.SequenceNode); several {
		var many []loginSetting
		err := unmarshal(&many)
		*l = many
		return err
	}
	var one loginSetting
	err := unmarshal(&one)
	*l = loginList{one}
	return err
}

type masterSetting struct {
	File    string   `yaml:"file"`
	Env     string   `yaml:"env"`
	Command []string `yaml:"command"`
}

// A remote is a customer's second place for its history.
type remote struct {
	URL        string        `yaml:"url"` // {customer} is replaced
	Key        *secretSource `yaml:"key"`
	KnownHosts string        `yaml:"known_hosts"`
	User       string        `yaml:"user"` // for https
	Password   *secretSource `yaml:"password"`
	Elsewhere  bool          `yaml:"elsewhere"` // a path that is on another machine
}

type snmpSetting struct {
	Version   any           `yaml:"version"` // 3 or 2c
	Community *secretSource `yaml:"community"`
	User      string        `yaml:"user"`
	Auth      snmpProtocol  `yaml:"auth"`
	Privacy   snmpProtocol  `yaml:"privacy"`
	Context   string        `yaml:"context"`
	Port      int           `yaml:"port"`  // of the agents; 161 by default
	Write     *snmpSetting  `yaml:"write"` // who asks devices to send their configuration (also: [transfer]), and for nothing else
}

type snmpProtocol struct {
	Protocol string        `yaml:"protocol"`
	Password *secretSource `yaml:"password"`
}

type jumpHost struct {
	Address  string   `yaml:"address"`
	Login    string   `yaml:"login"`
	HostKeys []string `yaml:"host_keys"`
	Legacy   bool     `yaml:"legacy"`
}

type concurrency struct {
	All      int `yaml:"all"`
	Site     int `yaml:"site"`
	JumpHost int `yaml:"jump_host"`
}

// noSettings says that there is no settings file of that name.
type noSettings string

func (n noSettings) Error() string { return fmt.Sprintf("there is no %s here", string(n)) }
func (n noSettings) Unwrap() error { return os.ErrNotExist }

// defaults are the settings of a file that says nothing.
func defaults(file string) *settings {
	return &settings{Data: "./belay-data", HostKeys: "pin", Concurrency: concurrency{All: 50, Site: 10, JumpHost: 20}, file: file}
}

// readSettings reads and checks the settings file.
func readSettings(file string) (*settings, error) {
	if file == "" {
		file = settingsFile
	}
	wrong := func(err error, hint string) error {
		return &devices.Error{Kind: devices.Usage, Op: "read the settings", Err: err, Hint: hint}
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, wrong(noSettings(file), "belay init writes one to start from; --config names one elsewhere; belay demo needs none")
	}
	if err != nil {
		return nil, wrong(err, "")
	}
	s := defaults(file)
	if err := yaml.UnmarshalWithOptions(text, s, yaml.Strict()); err != nil {
		// Without the lines around: a password may stand there, though it may not.
		return nil, wrong(fmt.Errorf("%s:%s", file, strings.TrimSpace(yaml.FormatError(err, false, false))), "belay init --print shows all that may stand there")
	}
	if s.dir, err = filepath.Abs(filepath.Dir(file)); err != nil {
		return nil, wrong(err, "")
	}
	if s.variables, s.secrets, err = placesOf(text); err != nil {
		return nil, wrong(errors.New(file+" cannot be read twice"), "")
	}
	s.Data = s.path(s.Data)
	if s.Drivers != "" {
		s.Drivers = s.path(s.Drivers)
	}
	if err := s.check(); err != nil {
		return nil, wrong(fmt.Errorf("%s: %w", file, err), "belay init --print shows all that may stand there")
	}
	return s, nil
}

func (s *settings) check() error {
	if s.HostKeys != "pin" && s.HostKeys != "first-use" {
		return fmt.Errorf("host_keys: %q is neither pin nor first-use", s.HostKeys)
	}
	if s.Concurrency.All < 1 || s.Concurrency.Site < 1 || s.Concurrency.JumpHost < 1 {
		return errors.New("concurrency: all, site and jump_host want at least 1")
	}
	remotes := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s.Remotes)) {
		r := s.Remotes[name]
		if r.URL == "" {
			return fmt.Errorf("remotes.%s: url is missing", name)
		}
		url := strings.ReplaceAll(r.URL, "{customer}", name)
		if other, taken := remotes[url]; taken {
			return fmt.Errorf("remotes.%s: the url is that of %s: no two customers share a repository", name, other)
		}
		remotes[url] = name
		if name == "default" && !strings.Contains(r.URL, "{customer}") {
			return errors.New("remotes.default: the url wants {customer} in it: no two customers share a repository")
		}
	}
	for name, list := range s.Logins {
		for _, l := range list {
			if l.User == "" && l.Vault == "" {
				return fmt.Errorf("logins.%s: user is missing", name)
			}
		}
	}
	if m := s.Master; m != nil && (m.File != "") == (m.Env != "" || len(m.Command) > 0) {
		return errors.New("master: say one of file, env, command")
	}
	if err := s.checkService(); err != nil {
		return err
	}
	if err := s.checkReceive(); err != nil {
		return err
	}
	return s.checkCustomers()
}

// strangers are customers of the settings that have no device: where a name is
// mistyped, its attachments would go nowhere, and nobody would hear of it. An
// inventory that is still empty says nothing.
func (s *settings) strangers(inv *devices.Inventory) []string {
	if len(inv.Devices) == 0 {
		return nil
	}
	known := map[string]bool{"default": true}
	for _, d := range inv.Devices {
		known[d.Customer] = true
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s.Customers)), func(name string) bool { return known[name] })
}

// path makes p, as written in the settings, absolute.
func (s *settings) path(p string) string {
	if rest, ok := strings.CutPrefix(p, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(s.dir, p)
}

// forDevice finds the most special of the keyed settings for a device: device,
// site, customer, default.
func forDevice[T any](m map[string]T, d devices.Device) (key string, v T, ok bool) {
	for _, key := range []string{d.String(), d.SiteKey(), d.Customer, "default"} {
		if v, ok = m[key]; ok {
			return key, v, true
		}
	}
	return "", v, false
}
