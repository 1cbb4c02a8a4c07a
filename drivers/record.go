package drivers

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"belay/configs"
	"belay/configs/redact"
	"belay/devices"
	"belay/devices/simulator"
)

var token = devices.Pattern(`<redacted(?::([0-9a-f]+))?>`)

// Record reads a device and makes a transcript of what it said, each secret
// replaced by a canary. Terminal sequences and the pager are not in it. The
// names, addresses and serial numbers of the device are.
func (p *Puller) Record(ctx context.Context, dev devices.Device) (*simulator.Transcript, configs.Capture, error) {
	d, err := p.Catalog.Find(dev.Driver)
	if err != nil {
		return nil, configs.Capture{}, err
	}
	// What moves by itself belongs in a transcript: only secrets go.
	rules, err := redact.Compile(nil, d.Rules.Redact.Secrets)
	if err != nil {
		return nil, configs.Capture{}, err
	}
	// A key of its own: who reads the transcript could try passwords with a known one.
	var key redact.Key
	if _, err := rand.Read(key[:]); err != nil {
		return nil, configs.Capture{}, fmt.Errorf("make a key for the canaries: %w", err)
	}
	t := &simulator.Transcript{
		Name: d.Name + "-recorded.txtar", Driver: d.Name,
		Login:   simulator.Login{User: "belay", Password: "canary-login", Enable: "canary-enable"},
		Answers: map[string]simulator.Answer{}, Kept: map[string]string{}, Modes: map[string]string{},
	}
	seen := map[string]bool{}
	at := "" // the prompt
	c, err := p.once(ctx, dev, d, true, func(command, text, prompt string) {
		if command == "" {
			t.Prompt, at = text, text
			return
		}
		clean, _ := rules.Apply([]byte(text), key)
		text = token().ReplaceAllStringFunc(clean.String(), func(tok string) string {
			canary := "canary" + token().FindStringSubmatch(tok)[1]
			if !seen[canary] {
				seen[canary] = true
				t.Gone = append(t.Gone, canary)
			}
			return canary
		})
		if at != t.Prompt {
			command = strings.TrimSpace(at) + " " + command
		}
		if t.Answers[command] = (simulator.Answer{text}); prompt != at {
			t.Modes[command], at = prompt, prompt
		}
	})
	if err != nil {
		return nil, c, err
	}
	t.Facts = c.Identity
	t.Grade = string(c.Grade().Level)
	t.Comment = strings.TrimSpace(fmt.Sprintf("recorded from a %s, %s %s; secrets replaced by canaries", d.Title, c.Identity.Model, c.Identity.Version))
	return t, c, nil
}
