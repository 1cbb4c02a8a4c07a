// Package drivers reads devices of many systems. What is known of a system is
// one YAML file; this package is its only interpreter. A driver knows nothing
// of where a configuration is kept.
package drivers

// A spec is a driver file as it is written. See README.md for the language.
type spec struct {
	Title   string   `yaml:"title"`
	Aliases []string `yaml:"aliases"`
	Source  string   `yaml:"source"` // what the claims rest on

	Road      string       `yaml:"road"` // shell or exec
	Port      int          `yaml:"port"`
	Terminal  terminalSpec `yaml:"terminal"`
	Return    string       `yaml:"return"`    // what the Enter key sends; default "\n"
	Auth      []string     `yaml:"auth"`      // order of methods; default publickey, password, keyboard-interactive
	Keepalive *bool        `yaml:"keepalive"` // default true

	Gates     []askSpec   `yaml:"gates"` // questions before the first prompt
	Prompt    string      `yaml:"prompt"`
	Enable    *enableSpec `yaml:"enable"`
	More      *askSpec    `yaml:"more"`
	Questions []askSpec   `yaml:"questions"` // asked in the middle of a session
	Failure   []string    `yaml:"failure"`
	Pull      []stepSpec  `yaml:"pull"`
	Logout    string      `yaml:"logout"` // default "exit"

	Facts    map[string]string `yaml:"facts"` // hostname, serial, model, version
	Complete completeSpec      `yaml:"complete"`
	Grade    gradeSpec         `yaml:"grade"`
	Masks    []string          `yaml:"masks"`
	Volatile []string          `yaml:"volatile"`
	Secrets  []secretSpec      `yaml:"secrets"`
	Changed  *changedSpec      `yaml:"changed"`
	Account  string            `yaml:"account"`
}

type terminalSpec struct {
	Type   string `yaml:"type"`
	Width  int    `yaml:"width"`
	Height int    `yaml:"height"`
}

// An askSpec is a question of the device and the keys that answer it.
type askSpec struct {
	Ask    string `yaml:"ask"`    // matched against the end of what was received
	Answer string `yaml:"answer"` // sent as it is: write "y\n" where Enter is needed
}

type enableSpec struct {
	Run   string `yaml:"run"`
	When  string `yaml:"when"`  // matches the prompt of a session that is not yet privileged
	Ask   string `yaml:"ask"`   // password question
	Until string `yaml:"until"` // matches the privileged prompt
}

type stepSpec struct {
	Run     commands `yaml:"run"`     // one command, or several of which the first that is understood counts
	Facts   bool     `yaml:"facts"`   // the answer is searched for facts
	Keep    string   `yaml:"keep"`    // the answer is the configuration, under this file name
	Partial string   `yaml:"partial"` // only the first command of Run gives all: what is missing when a later one was needed
}

type completeSpec struct {
	Starts   string   `yaml:"starts"`
	Ends     string   `yaml:"ends"`
	Agree    int      `yaml:"agree"`
	Sections []string `yaml:"sections"`
	Balance  string   `yaml:"balance"` // braces, xml, json, config-end
}

type gradeSpec struct {
	Level   string          `yaml:"level"` // restore, partial or audit
	Missing string          `yaml:"missing"`
	Lower   []conditionSpec `yaml:"lower"`
}

type conditionSpec struct {
	When    string `yaml:"when"`
	Unless  string `yaml:"unless"`
	Level   string `yaml:"level"` // default partial
	Missing string `yaml:"missing"`
}

type secretSpec struct {
	Name   string   `yaml:"name"`
	Find   string   `yaml:"find"`
	Near   []string `yaml:"near"`
	Salted bool     `yaml:"salted"`
}

// A changedSpec is how a device tells that its configuration changed.
type changedSpec struct {
	Poll   *pollSpec `yaml:"poll"`
	Traps  []string  `yaml:"traps"`  // snmpTrapOID
	Syslog []string  `yaml:"syslog"` // a group (?P<user>…) names who did it
	Ignore []string  `yaml:"ignore"` // what one of Syslog matches and is no change
}

type pollSpec struct {
	OID   string `yaml:"oid"`   // when it last changed: sysUpTime at that moment, or whatever differs afterwards
	Saved string `yaml:"saved"` // sysUpTime when it was last saved
}
