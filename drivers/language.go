// Package drivers reads devices of many systems. What is known of a system is
// one YAML file; this package is its only interpreter. A driver knows nothing
// of where a configuration is kept.
package drivers

// A spec is a driver file as it is written. See README.md for the language.
type spec struct {
	Like    string   `yaml:"like"` // the driver whose keys count where this one is silent
	Title   string   `yaml:"title"`
	Aliases []string `yaml:"aliases"`
	Source  string   `yaml:"source"` // what the claims rest on
	Proven  []string `yaml:"proven"` // what it was run against beside its transcripts: "recording: …", "real: …"

	Road      string       `yaml:"road"` // shell, exec, file, https or snmp
	Port      int          `yaml:"port"`
	Terminal  terminalSpec `yaml:"terminal"`
	Return    string       `yaml:"return"`    // what the Enter key sends; default "\n"
	Auth      []string     `yaml:"auth"`      // order of methods; default publickey, password, keyboard-interactive
	Keepalive *bool        `yaml:"keepalive"` // default true

	HTTP     *httpSpec     `yaml:"http"`     // road https
	Transfer *transferSpec `yaml:"transfer"` // road snmp
	Identify *identifySpec `yaml:"identify"`

	Login     *loginSpec  `yaml:"login"` // asked for in the terminal itself, after SSH let us in or by telnet
	Gates     []askSpec   `yaml:"gates"` // questions before the first prompt
	Prompt    string      `yaml:"prompt"`
	Above     string      `yaml:"above"` // a line that stands above the prompt and belongs to it
	Enable    *enableSpec `yaml:"enable"`
	More      *askSpec    `yaml:"more"`
	Questions []askSpec   `yaml:"questions"` // asked in the middle of a session
	Failure   []string    `yaml:"failure"`
	Pull      []stepSpec  `yaml:"pull"`
	Logout    string      `yaml:"logout"` // default "exit"

	Facts    map[string]string `yaml:"facts"`   // hostname, serial, model, version
	Unsaved  string            `yaml:"unsaved"` // matches a prompt or a facts answer where the running configuration is not saved
	Complete completeSpec      `yaml:"complete"`
	Grade    gradeSpec         `yaml:"grade"`
	Masks    []string          `yaml:"masks"`
	Volatile []string          `yaml:"volatile"`
	Secrets  []secretSpec      `yaml:"secrets"`
	Harmless []string          `yaml:"harmless"` // lines that only look as if they held a secret
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

// A stepSpec is one thing that is asked of the device: a command, a file, a
// request or a transfer, by the driver's road.
type stepSpec struct {
	Run      commands          `yaml:"run"`      // one command, or several of which the first that is understood counts
	Get      commands          `yaml:"get"`      // a file on the device, by SFTP or SCP; of several the first that is there
	Request  commands          `yaml:"request"`  // "GET /path?query", or several of which the first that the device knows counts
	Headers  map[string]string `yaml:"headers"`  // of this request alone
	Body     string            `yaml:"body"`     // of a request that asks with one; its type is in Headers
	As       string            `yaml:"as"`       // what an answer must be, and how it becomes text: text (default), json (sorted and indented), xml (indented), base64 (left as it is)
	Only     []string          `yaml:"only"`     // of the objects in the list of a JSON answer only these members become text
	Pages    string            `yaml:"pages"`    // how the next page of a JSON list is found: link (RFC 8288), or a pattern whose group is the next request
	Transfer map[string]string `yaml:"transfer"` // words that the driver's transfer puts in: {type: "4"}
	Each     string            `yaml:"each"`     // for each name that the group finds in the answer, the steps of Pull are taken
	Pull     []stepSpec        `yaml:"pull"`     // {each} is the name
	Moves    bool              `yaml:"moves"`    // the prompt is another one afterwards: another context of the device

	Facts    bool          `yaml:"facts"`    // the answer is searched for facts
	Keep     string        `yaml:"keep"`     // the answer is the configuration, under this file name
	Sealed   bool          `yaml:"sealed"`   // of what is kept only the sealed original: a binary artefact
	Unsaved  bool          `yaml:"unsaved"`  // the text is the saved configuration: where it differs from the running one, changes are unsaved
	Complete *completeSpec `yaml:"complete"` // when this text is whole; only running.conf has the driver's own
	Partial  string        `yaml:"partial"`  // only the first command of Run gives all: what is missing when a later one was needed
	Optional bool          `yaml:"optional"` // not every device of the system knows it: what is refused is left out
	When     string        `yaml:"when"`     // only where running.conf, as read so far, matches
	Also     string        `yaml:"also"`     // only where the inventory lists this word under also: backup-file, startup
	Missing  string        `yaml:"missing"`  // what a restore lacks without this step: the grade says so where Also is not given
}

// A loginSpec is how a device asks who we are in the terminal. Each is answered
// once: asked again, the login was refused.
type loginSpec struct {
	User     string `yaml:"user"`
	Password string `yaml:"password"`
}

// An httpSpec is how a session with an API begins and ends. In headers and bodies
// {user} and {password} are the login's and {token} is what signing in gave; in
// requests, too, {serial} and {name} are the device's.
type httpSpec struct {
	SignIn  *signInSpec       `yaml:"sign_in"`  // none: every request carries who we are
	Basic   bool              `yaml:"basic"`    // every request carries user and password as RFC 7617 has it
	Headers map[string]string `yaml:"headers"`  // of every request but signing in
	SignOut string            `yaml:"sign_out"` // "POST /logout"
	Query   map[string]string `yaml:"query"`    // of every request but signing in, where the vendor knows no other way than {token} in the address; only with SignOut, which ends it
	Base    string            `yaml:"base"`     // what the path of every step's request begins with
	As      string            `yaml:"as"`       // of every step that does not say itself
	Pace    float64           `yaml:"pace"`     // most requests a second; 0: as fast as answers come
	Cloud   bool              `yaml:"cloud"`    // a public service with a certificate that is checked, not pinned
}

type signInSpec struct {
	Request string            `yaml:"request"`
	Basic   bool              `yaml:"basic"` // user and password as RFC 7617 has it
	Headers map[string]string `yaml:"headers"`
	Body    string            `yaml:"body"`
	Token   string            `yaml:"token"`  // its group is looked for in body, then in headers and cookies as "Name: value"
	Denied  string            `yaml:"denied"` // a body that says no though the status says yes
}

// A transferSpec is what makes a device send its configuration to a receiver of
// ours. OIDs are below 1.3.6.1.4.1 unless they begin with a dot. {row} is a row of
// our own, {file}, {address}, {family} (1 or 2, as InetAddressType), {port}, {user}
// and {password} are the receiver's, other words are the step's.
type transferSpec struct {
	By     string         `yaml:"by"`     // tftp or sftp
	Before []assignSpec   `yaml:"before"` // in a request before set
	Set    []assignSpec   `yaml:"set"`    // in one request
	Start  []assignSpec   `yaml:"start"`  // in a request of its own behind set
	State  transferStates `yaml:"state"`  // how far it is; without an oid the file's coming is the sign
	Clear  []assignSpec   `yaml:"clear"`  // afterwards, whatever came of it
}

// An assignSpec gives one object its value, of one of four kinds.
type assignSpec struct {
	OID  string  `yaml:"oid"`
	Int  *string `yaml:"int"`
	Text *string `yaml:"text"`
	Addr *string `yaml:"addr"` // IpAddress
	Inet *string `yaml:"inet"` // InetAddress: an OCTET STRING
}

type transferStates struct {
	OID     string            `yaml:"oid"`
	Match   string            `yaml:"match"` // results have rows of their own: the column that holds {row}; its index is {result}
	Busy    []int             `yaml:"busy"`
	Done    []int             `yaml:"done"`
	Failed  map[string]string `yaml:"failed"`  // value: what it means; others are told by number
	Why     string            `yaml:"why"`     // an object that says why
	Reasons map[string]string `yaml:"reasons"` // what its values mean, where it is a number
}

// An identifySpec is how a device of this system is known without logging in,
// and what its first facts answer must hold.
type identifySpec struct {
	ObjectID []string `yaml:"sysObjectID"` // prefixes, below 1.3.6.1.4.1 unless they begin with a dot
	Descr    string   `yaml:"sysDescr"`
	Confirm  string   `yaml:"confirm"` // an object that only this system has
	SSH      string   `yaml:"ssh"`     // the server's version line
	Banner   string   `yaml:"banner"`  // what is shown before the login
	Fits     string   `yaml:"fits"`    // the first facts answer of any device of this system
}

type completeSpec struct {
	Starts   string   `yaml:"starts"`
	Ends     string   `yaml:"ends"`
	Agree    int      `yaml:"agree"`
	Sections []string `yaml:"sections"`
	Balance  string   `yaml:"balance"` // braces, xml, json, config-end
	Unknown  bool     `yaml:"unknown"` // nobody has published how a text of this system looks
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

	Table *tableSpec `yaml:"table"` // in place of Find
}

// A tableSpec finds secrets by the column that they stand in: see redact.Table.
type tableSpec struct {
	Section string `yaml:"section"`
	Heading string `yaml:"heading"`
	Row     string `yaml:"row"`
	Setting string `yaml:"setting"`
	Secret  string `yaml:"secret"`
	Plain   string `yaml:"plain"`
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
