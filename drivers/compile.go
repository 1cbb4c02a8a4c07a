package drivers

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"belay/configs"
	"belay/configs/redact"
	"belay/devices"
	"belay/devices/http"
)

// A compiler turns a spec into a Driver and collects all that is wrong with it.
type compiler struct{ errs []error }

func (c *compiler) wrong(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf(format, args...))
}

// pattern compiles in multi-line mode; an empty one is nil.
func (c *compiler) pattern(key, p string) *regexp.Regexp {
	if p == "" {
		return nil
	}
	re, err := regexp.Compile("(?m)" + p)
	if err != nil {
		c.wrong("%s: %v", key, err)
		return nil
	}
	if key != "prompt" && re.MatchString("") {
		c.wrong("%s: %q matches nothing at all, and so everything", key, p)
	}
	return re
}

func (c *compiler) patterns(key string, list []string) []*regexp.Regexp {
	var out []*regexp.Regexp
	for i, p := range list {
		if re := c.pattern(fmt.Sprintf("%s[%d]", key, i), p); re != nil {
			out = append(out, re)
		}
	}
	return out
}

// tail compiles a pattern for the end of what was received.
func (c *compiler) tail(key, p string) *regexp.Regexp {
	if p == "" {
		c.wrong("%s: missing", key)
		return nil
	}
	re, err := regexp.Compile(`(?m)(?:` + p + `)\z`)
	if err != nil {
		c.wrong("%s: %v", key, err)
		return nil
	}
	if re.MatchString("") {
		c.wrong("%s: %q matches nothing at all, and so everything", key, p)
	}
	return re
}

func (c *compiler) questions(key string, list []askSpec) []question {
	var out []question
	for i, a := range list {
		q := question{c.tail(fmt.Sprintf("%s[%d].ask", key, i), a.Ask), a.Answer}
		switch {
		case a.Answer == "":
			c.wrong("%s[%d].answer: missing", key, i)
		case !keys().MatchString(a.Answer):
			c.wrong("%s[%d].answer: %q is more than one key, or yes, no or a number with Enter", key, i, a.Answer)
		}
		out = append(out, q)
	}
	return out
}

// compile makes a driver of a spec, or says all that is wrong with it.
func compile(name string, s *spec) (*Driver, error) {
	c := &compiler{}
	d := &Driver{
		Name: name, Title: s.Title, Aliases: s.Aliases, Source: s.Source, Proven: s.Proven, Account: s.Account,
		Port: s.Port, Auth: s.Auth, Keepalive: s.Keepalive == nil || *s.Keepalive,
		terminal: devices.Terminal{Type: s.Terminal.Type, Width: s.Terminal.Width, Height: s.Terminal.Height},
		enter:    s.Return, logout: s.Logout,
	}
	if s.Title == "" {
		c.wrong("title: missing")
	}
	if d.Port == 0 {
		d.Port = 22
	}
	if d.enter == "" {
		d.enter = "\n"
	}
	if d.logout == "" {
		d.logout = "exit"
	}
	if !enters().MatchString(s.Return) {
		c.wrong("return: %q is not what an Enter key sends", s.Return)
	}
	if !leaving().MatchString(d.logout) {
		c.wrong("logout: %q is not a way to leave", s.Logout)
	}
	switch s.Road {
	case "shell":
		if s.Prompt == "" {
			c.wrong("prompt: missing")
		}
	case "exec":
		d.Exec = true
	case "file":
		d.Exec, d.files = true, true
	case "https":
		d.api = c.api(s)
		if s.Port == 0 {
			d.Port = http.DefaultPort
		}
	case "snmp":
		d.transfer = c.transfer(s)
		if s.Port == 0 {
			d.Port = 161
		}
	default:
		c.wrong("road: %q is none of shell, exec, file, https, snmp", s.Road)
	}
	for _, a := range s.Auth {
		if !slices.Contains([]string{"publickey", "password", "keyboard-interactive"}, a) {
			c.wrong("auth: no such method as %q", a)
		}
	}
	d.prompt = c.pattern("prompt", s.Prompt)
	d.above = c.pattern("above", s.Above)
	d.gates = c.questions("gates", s.Gates)
	d.questions = c.questions("questions", s.Questions)
	if s.More != nil {
		d.more = &c.questions("more", []askSpec{*s.More})[0]
	}
	if e := s.Enable; e != nil {
		d.enable = &privilege{run: e.Run, when: c.tail("enable.when", e.When), ask: c.tail("enable.ask", e.Ask), until: c.tail("enable.until", e.Until)}
		if !rising().MatchString(e.Run) {
			c.wrong("enable.run: %q is not a way to become privileged", e.Run)
		}
	}
	c.steps(d, s)
	d.unsaved = c.pattern("unsaved", s.Unsaved)
	d.Like, d.Signs = s.Like, c.signs(s.Identify)
	if s.Identify != nil {
		d.fits = c.pattern("identify.fits", s.Identify.Fits)
	}
	if l := s.Login; l != nil {
		d.signIn = c.signIn(*l)
	}
	facts := map[string]*regexp.Regexp{}
	for _, key := range slices.Sorted(maps.Keys(s.Facts)) {
		re := c.pattern("facts."+key, s.Facts[key])
		switch {
		case !slices.Contains([]string{"hostname", "serial", "model", "version"}, key):
			c.wrong("facts.%s: the facts are hostname, serial, model and version", key)
		case re != nil && re.NumSubexp() < 1:
			c.wrong("facts.%s: wants one group", key)
		}
		facts[key] = re
	}
	d.Rules.Complete, d.Unknown = c.complete(s), s.Complete.Unknown
	d.Rules.Grading = c.grading(s)
	d.Rules.Redact = c.redaction(s)
	d.Changed = c.changed(s.Changed)
	if len(c.errs) == 0 {
		if err := d.Rules.Prepare(); err != nil {
			c.wrong("%v", err)
		}
		c.search(d, facts)
	}
	if err := errors.Join(c.errs...); err != nil {
		return nil, err
	}
	return d, nil
}

// search makes the facts ready to be looked for together.
func (c *compiler) search(d *Driver, facts map[string]*regexp.Regexp) {
	var all []*regexp.Regexp
	for _, name := range slices.Sorted(maps.Keys(facts)) {
		d.facts = append(d.facts, name)
		all = append(all, facts[name])
	}
	var err error
	if d.search, err = redact.NewSearch(all); err != nil {
		c.wrong("facts: %v", err)
	}
}

// complete says when the configuration itself is whole.
func (c *compiler) complete(s *spec) configs.Completeness {
	k := c.completeness("complete", s.Complete)
	k.Failure = c.patterns("failure", s.Failure)
	if k.Ends == nil && k.Agree < 2 {
		c.wrong("complete: says neither how a whole text ends (ends) nor that two readings must agree (agree: 2)")
	}
	if len(k.Sections) == 0 {
		c.wrong("complete.sections: name at least one that every configuration of this system has")
	}
	return k
}

func (c *compiler) completeness(key string, s completeSpec) configs.Completeness {
	k := configs.Completeness{
		Starts:   c.pattern(key+".starts", s.Starts),
		Ends:     c.pattern(key+".ends", s.Ends),
		Sections: c.patterns(key+".sections", s.Sections),
		Agree:    max(s.Agree, 1),
		Balance:  configs.Structure(s.Balance),
	}
	if s.Unknown && key != "complete" {
		c.wrong("%s.unknown: is for the configuration itself", key)
	}
	switch k.Balance {
	case configs.NoStructure, configs.Braces, configs.XML, configs.JSON, configs.ConfigEnd, configs.Gzip, configs.Zip:
	default:
		c.wrong("%s.balance: no such structure as %q", key, s.Balance)
	}
	return k
}

func (c *compiler) grading(s *spec) configs.Grading {
	level := func(key, l string) configs.Level {
		switch v := configs.Level(l); v {
		case configs.Restore, configs.Partial, configs.Audit:
			return v
		}
		c.wrong("%s: %q is not restore, partial or audit", key, l)
		return ""
	}
	g := configs.Grading{Level: level("grade.level", s.Grade.Level), Missing: s.Grade.Missing, Masks: c.patterns("masks", s.Masks)}
	if g.Level == configs.Restore {
		g.Missing = "" // what another road to the same system lacks
	} else if g.Missing == "" {
		c.wrong("grade.missing: say what is missing for a restore")
	}
	for i, l := range s.Grade.Lower {
		key := fmt.Sprintf("grade.lower[%d]", i)
		if l.When == "" && l.Unless == "" || l.Missing == "" {
			c.wrong("%s: wants when or unless or both, and missing", key)
		}
		if l.Level == "" {
			l.Level = string(configs.Partial)
		}
		g.Lower = append(g.Lower, configs.Condition{
			When: c.pattern(key+".when", l.When), Unless: c.pattern(key+".unless", l.Unless),
			Level: level(key+".level", l.Level), Missing: l.Missing,
		})
	}
	return g
}

func (c *compiler) redaction(s *spec) redact.Rules {
	var rules []redact.Rule
	for i, sec := range s.Secrets {
		if sec.Table != nil {
			rules = append(rules, redact.Rule{Name: sec.Name, Table: c.table(fmt.Sprintf("secrets[%d]", i), sec)})
			continue
		}
		re := c.pattern(fmt.Sprintf("secrets[%d].find", i), sec.Find)
		switch {
		case re == nil:
			c.wrong("secrets[%d].find: missing or wrong", i)
			continue
		case re.SubexpIndex("secret") < 0:
			c.wrong("secrets[%d].find: wants a group (?P<secret>…)", i)
		case sec.Name == "":
			c.wrong("secrets[%d].name: missing", i)
		}
		rules = append(rules, redact.Rule{Name: sec.Name, Find: re, Near: sec.Near, Salted: sec.Salted})
	}
	c.patterns("volatile", s.Volatile)
	if len(c.errs) > 0 {
		return redact.Rules{}
	}
	r, err := redact.Compile(s.Volatile, rules)
	if err != nil {
		c.wrong("%v", err)
	}
	if r.Harmless, err = redact.NewHarmless(s.Harmless); err != nil {
		c.wrong("harmless: %v", err)
	}
	return r
}

// table is a rule for secrets that are known by their column.
func (c *compiler) table(key string, sec secretSpec) *redact.Table {
	if sec.Name == "" {
		c.wrong("%s.name: missing", key)
	}
	if sec.Find != "" || len(sec.Near) > 0 || sec.Salted {
		c.wrong("%s: table stands alone, without find, near and salted", key)
	}
	part := func(name, pattern string, needed bool, groups int) *regexp.Regexp {
		re := c.pattern(key+".table."+name, pattern)
		switch {
		case re == nil && needed:
			c.wrong("%s.table.%s: missing or wrong", key, name)
		case re != nil && groups > 0 && re.NumSubexp() != groups:
			c.wrong("%s.table.%s: wants one group", key, name)
		}
		return re
	}
	t := sec.Table
	return &redact.Table{
		Section: part("section", t.Section, true, 1), Heading: part("heading", t.Heading, true, 1),
		Row: part("row", t.Row, true, 1), Setting: part("setting", t.Setting, false, 1),
		Secret: part("secret", t.Secret, true, 0), Plain: part("plain", t.Plain, false, 0),
	}
}
