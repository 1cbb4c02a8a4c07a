package simulator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gosnmp/gosnmp"
	"github.com/pin/tftp/v3"
	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// A Transfer is how the device sends its configuration, the section transfer,
// when it is told to by SNMP. In its objects * is the row; objects that are not
// named here cannot be set.
type Transfer struct {
	By       string         `yaml:"by"`       // tftp or sftp
	Takes    map[string]int `yaml:"takes"`    // objects that must be set, and the only value it takes
	Start    string         `yaml:"start"`    // the one of them that starts it
	File     string         `yaml:"file"`     // names the file
	Text     map[string]any `yaml:"text"`     // further texts, which must be these
	Address  string         `yaml:"address"`  // holds the server's address, as an IpAddress; "*": the row is the address
	Inet     string         `yaml:"inet"`     // the same as an InetAddress
	User     string         `yaml:"user"`     // by sftp
	Password string         `yaml:"password"` // by sftp
	Port     string         `yaml:"port"`     // by sftp
	State    string         `yaml:"state"`    // how far it is; none: the request is answered at the end
	Match    string         `yaml:"match"`    // results have rows of their own: this column holds the request's
	Busy     int            `yaml:"busy"`
	Done     int            `yaml:"done"`
	Failed   int            `yaml:"failed"`
	Why      map[string]any `yaml:"why"`   // what else can be read when it failed
	Clear    map[string]int `yaml:"clear"` // what takes the row away
}

// transferSection is the command whose answer is sent.
const transferSection = "transfer"

// A job is a transfer that was asked for.
type job struct {
	row    string
	result string // its row among the results
	set    map[string]gosnmp.SnmpPDU
	state  int
}

// matches gives the row that * stands for.
func matches(pattern, oid string) (row string, ok bool) {
	if pattern == "" || pattern == "*" {
		return "", false
	}
	before, fixed := strings.CutSuffix("."+strings.TrimPrefix(pattern, "."), "*")
	if !fixed {
		return "", before == oid
	}
	row, ok = strings.CutPrefix(oid, before)
	return row, ok && row != ""
}

func filled(pattern, row string) string {
	return "." + strings.TrimPrefix(strings.Replace(pattern, "*", row, 1), ".")
}

// knows tells whether an object belongs to the transfer and may hold the value.
func (t *Transfer) knows(v gosnmp.SnmpPDU) (row string, status gosnmp.SNMPError) {
	number := func(want map[string]int) (string, bool, bool) {
		for pattern, n := range want {
			if row, ok := matches(pattern, v.Name); ok {
				return row, true, v.Type == gosnmp.Integer && int(gosnmp.ToBigInt(v.Value).Int64()) == n
			}
		}
		return "", false, false
	}
	verdict := func(row string, ok bool) (string, gosnmp.SNMPError) {
		if !ok {
			return row, gosnmp.WrongValue
		}
		return row, gosnmp.NoError
	}
	if row, known, ok := number(t.Takes); known {
		if !ok {
			if row, known, ok = number(t.Clear); known {
				return verdict(row, ok)
			}
		}
		return verdict(row, ok)
	}
	if row, known, ok := number(t.Clear); known {
		return verdict(row, ok)
	}
	for pattern, want := range t.Text {
		if row, ok := matches(pattern, v.Name); ok {
			return verdict(row, v.Type == gosnmp.OctetString && string(v.Value.([]byte)) == fmt.Sprint(want))
		}
	}
	for _, pattern := range []string{t.File, t.User, t.Password} {
		if row, ok := matches(pattern, v.Name); ok {
			return verdict(row, v.Type == gosnmp.OctetString)
		}
	}
	if row, ok := matches(t.Address, v.Name); ok {
		return verdict(row, v.Type == gosnmp.IPAddress)
	}
	if row, ok := matches(t.Inet, v.Name); ok {
		return verdict(row, v.Type == gosnmp.OctetString && len(v.Value.([]byte)) == 4)
	}
	if row, ok := matches(t.Port, v.Name); ok {
		return verdict(row, v.Type == gosnmp.Integer)
	}
	return "", gosnmp.NotWritable
}

// set does what a Set asks for, or says with which of its objects it cannot. The
// caller waits for done before it answers.
func (a *Agent) set(b *box, vars []gosnmp.SnmpPDU) (status gosnmp.SNMPError, index uint8, done <-chan struct{}) {
	t := b.Transfer
	row := ""
	for i, v := range vars {
		if t == nil {
			return gosnmp.NotWritable, uint8(i + 1), nil
		}
		r, status := t.knows(v)
		if status != gosnmp.NoError {
			return status, uint8(i + 1), nil
		}
		row = r
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	j := a.jobs[row]
	if starts, clears := touched(vars, t.Takes, t.Start), touched(vars, t.Clear, ""); clears && !starts {
		delete(a.jobs, row)
		return gosnmp.NoError, 0, nil
	} else if starts && j != nil && j.state != 0 && len(t.Clear) > 0 || starts && j != nil && j.state == t.Busy && t.State != "" {
		return gosnmp.InconsistentValue, 1, nil
	} else if a.jobs == nil {
		a.jobs = map[string]*job{}
	}
	if j == nil || j.state != 0 {
		a.results++
		j = &job{row: row, result: strconv.Itoa(40 + a.results), set: map[string]gosnmp.SnmpPDU{}}
		if t.Match == "" {
			j.result = row
		}
		a.jobs[row] = j
	}
	for _, v := range vars {
		j.set[v.Name] = v
	}
	if t.Start != "" && !touched(vars, t.Takes, t.Start) {
		return gosnmp.NoError, 0, nil
	}
	for pattern := range t.Takes {
		if _, ok := j.set[filled(pattern, row)]; !ok {
			delete(a.jobs, row)
			return gosnmp.InconsistentValue, 1, nil
		}
	}
	order, err := t.order(j)
	if err != nil {
		delete(a.jobs, row)
		return gosnmp.InconsistentValue, 1, nil
	}
	j.state = t.Busy
	ended := make(chan struct{})
	a.running.Go(func() {
		defer close(ended)
		state := t.Done
		if err := a.send(a.ctx, order); err != nil {
			state = t.Failed
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		j.state = state
	})
	if t.State == "" {
		return gosnmp.NoError, 0, ended
	}
	return gosnmp.NoError, 0, nil
}

// touched tells whether one of the objects is among those of a map: the one that
// is named, or any.
func touched(vars []gosnmp.SnmpPDU, of map[string]int, only string) bool {
	return slices.ContainsFunc(vars, func(v gosnmp.SnmpPDU) bool {
		for pattern, n := range of {
			if _, ok := matches(pattern, v.Name); ok && (only == "" || pattern == only) && v.Type == gosnmp.Integer && int(gosnmp.ToBigInt(v.Value).Int64()) == n {
				return true
			}
		}
		return false
	})
}

// An order is where a file goes.
type order struct {
	by, name, user, password string
	to                       netip.Addr
	port                     int
}

func (t *Transfer) order(j *job) (o order, err error) {
	text := func(pattern string) string {
		if v, ok := j.set[filled(pattern, j.row)]; ok && pattern != "" {
			return string(v.Value.([]byte))
		}
		return ""
	}
	o = order{by: t.By, name: text(t.File), user: text(t.User), password: text(t.Password)}
	switch {
	case t.Address == "*":
		o.to, err = netip.ParseAddr(j.row)
	case t.Address != "":
		v, ok := j.set[filled(t.Address, j.row)]
		if !ok {
			return o, errors.New("no address")
		}
		o.to, err = netip.ParseAddr(fmt.Sprint(v.Value))
	default:
		o.to, _ = netip.AddrFromSlice([]byte(text(t.Inet)))
	}
	if v, ok := j.set[filled(t.Port, j.row)]; ok && t.Port != "" {
		o.port = int(gosnmp.ToBigInt(v.Value).Int64())
	}
	if err == nil && (o.name == "" || !o.to.IsValid()) {
		err = errors.New("no name or no address")
	}
	return o, err
}

// dynamic are the objects that tell how transfers fare.
func (a *Agent) dynamic(t *Transfer) []gosnmp.SnmpPDU {
	if t == nil || t.State == "" {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []gosnmp.SnmpPDU
	add := func(oid string, n int) {
		out = append(out, gosnmp.SnmpPDU{Name: oid, Type: gosnmp.Integer, Value: n})
	}
	if t.Match != "" { // somebody else's transfer, which failed
		add(filled(t.Match, "40"), 999999)
		add(filled(t.State, "40"), t.Failed)
	}
	for _, j := range a.jobs {
		if j.state == 0 {
			continue
		}
		add(filled(t.State, j.result), j.state)
		if n, err := strconv.Atoi(j.row); t.Match != "" && err == nil {
			add(filled(t.Match, j.result), n)
		}
		if j.state != t.Failed {
			continue
		}
		for oid, value := range t.Why {
			if v, err := object(value); err == nil {
				v.Name = filled(oid, j.result)
				out = append(out, v)
			}
		}
	}
	return out
}

// send sends the configuration, with the faults that were ordered.
func (a *Agent) send(ctx context.Context, o order) error {
	b := a.Device.now()
	if err := wait(ctx, a.Device.Latency); err != nil {
		return err
	}
	answer, end, known := a.Device.answer(b, transferSection, true)
	switch {
	case !known, b.fault.Transfer == "failed":
		return errors.New("there is nothing to send")
	case b.fault.Transfer == "nothing":
		return nil
	case b.fault.Transfer == "misnamed":
		o.name = "running-config"
	}
	if o.port == 0 {
		o.port = map[string]int{"tftp": a.TFTPPort, "sftp": a.SFTPPort}[o.by]
	}
	put := a.putTFTP
	if o.by == "sftp" {
		put = a.putSFTP
	}
	text := strings.ReplaceAll(answer.Text(), "\n", b.newline())
	err := put(ctx, o, &body{ctx: ctx, r: bytes.NewReader([]byte(text)), end: end, pace: b.fault.BytesPerSecond})
	if err == nil && b.fault.Transfer == "twice" {
		_ = put(ctx, o, &body{ctx: ctx, r: strings.NewReader("another text\nend\n")})
	}
	return err
}

// A body is the file on its way, which may stop in the middle.
type body struct {
	ctx  context.Context
	r    io.Reader
	end  ending
	pace int
}

func (s *body) Read(p []byte) (int, error) {
	if s.pace > 0 {
		if err := wait(s.ctx, time.Second*time.Duration(min(len(p), 512))/time.Duration(s.pace)); err != nil {
			return 0, err
		}
		p = p[:min(len(p), 512)]
	}
	n, err := s.r.Read(p)
	if err == io.EOF && s.end != promptly {
		return n, s.end.stop(s.ctx)
	}
	return n, err
}

func (a *Agent) putTFTP(_ context.Context, o order, text io.Reader) error {
	c, err := tftp.NewClient(net.JoinHostPort(o.to.String(), strconv.Itoa(o.port)))
	if err != nil {
		return err
	}
	c.SetTimeout(500 * time.Millisecond)
	c.SetRetries(3)
	out, err := c.Send(o.name, "octet")
	if err != nil {
		return err
	}
	_, err = out.ReadFrom(text)
	return err
}

func (a *Agent) putSFTP(ctx context.Context, o order, text io.Reader) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(o.to.String(), strconv.Itoa(o.port)))
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	trust := func(string, net.Addr, ssh.PublicKey) error { return nil } // as devices do that see a server for the first time
	c, channels, requests, err := ssh.NewClientConn(conn, "", &ssh.ClientConfig{User: o.user, Auth: []ssh.AuthMethod{ssh.Password(o.password)}, HostKeyCallback: trust})
	if err != nil {
		return err
	}
	client := ssh.NewClient(c, channels, requests)
	defer client.Close()
	s, err := sftp.NewClient(client)
	if err != nil {
		return err
	}
	out, err := s.Create(o.name)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, text); err != nil {
		return err // without closing the file: the connection is gone first
	}
	return errors.Join(out.Close(), s.Close())
}
